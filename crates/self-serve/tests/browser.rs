//! The pages in a real browser, over a real Buildbot and a real Kinto: what a developer sees, clicks and types.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use buildhub_core::Deadline;
use buildhub_core::web::header::CONTENT_TYPE;
use buildhub_core::web::{Handler, HeaderMap, HeaderValue, Limits, Request, Response, Server, StatusCode};
use buildhub_self_serve::access::Admins;
use buildhub_self_serve::action::{Action, Revision};
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::identity::{Claims, IdentitySource};
use buildhub_self_serve::work::Message;
use buildhub_testkit::browser::Browser;
use buildhub_testkit::buildbot::Settings;
use support::{BUILDER, REVISION, World, until};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What stands before the API: whoever comes is signed in as Alice, and has less patience than others.
#[derive(Debug)]
struct SignedIn(Api);

#[async_trait]
impl Handler for SignedIn {
    async fn handle(&self, mut request: Request) -> Response {
        request.claims.insert("email".to_owned(), "alice".to_owned());
        let answer = self.0.handle(request).await;
        match std::str::from_utf8(&answer.body) {
            Ok(page) => Response { body: page.replace("data-seconds=\"30\"", "data-seconds=\"1\"").into(), ..answer },
            Err(_) => answer,
        }
    }
}

/// Somebody else's site: one page, whose form does what our page's does.
#[derive(Debug)]
struct Evil(String);

#[async_trait]
impl Handler for Evil {
    async fn handle(&self, _: Request) -> Response {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("text/html"))]);
        Response { headers, body: self.0.clone().into(), ..Response::empty(StatusCode::OK) }
    }
}

/// The address of somebody who serves.
async fn serve(handler: Arc<dyn Handler>) -> (String, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = Server::new(listener, Limits::default(), handler).run(std::future::pending());
    (address, tokio::spawn(server))
}

/// A browser on a site.
struct Visit {
    world: World,
    browser: Browser,
    address: String,
    server: JoinHandle<bool>,
}

impl Visit {
    async fn begin() -> Self {
        let settings = Settings { builds: 1, ..Settings::default() };
        let (world, browser) = tokio::join!(World::start(settings), Browser::start());
        let parts = Parts {
            jobs: world.jobs.clone(),
            builds: world.builds.clone(),
            backend: world.backend.clone(),
            documents: world.documents.clone(),
            queue: world.queue.clone(),
        };
        let settings = ApiSettings {
            identity: IdentitySource::Claims(Claims { name: "email".to_owned(), groups: "groups".to_owned() }),
            admins: Admins::default(),
            events: None,
            zone: jiff::tz::TimeZone::UTC,
            origins: Vec::new(),
            address: None,
        };
        let (address, server) = serve(Arc::new(SignedIn(Api::new(settings, parts)))).await;
        Self { world, browser: browser.unwrap(), address, server }
    }

    async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.address)).await.unwrap();
    }

    async fn follow(&self, selector: &str) {
        self.browser.find(selector).await.unwrap().follow().await.unwrap();
    }

    async fn fill(&self, selector: &str, text: &str) {
        self.browser.find(selector).await.unwrap().fill(text).await.unwrap();
    }

    /// All that is to be read on the page.
    async fn text(&self) -> String {
        self.browser.text("body").await.unwrap()
    }

    async fn path(&self) -> String {
        self.browser.url().await.unwrap().strip_prefix(&self.address).unwrap().to_owned()
    }

    /// On the page of a job that waits: it is carried out, and the page says so.
    async fn carry_out(&self) -> String {
        let path = self.path().await;
        let job = path.strip_prefix("/self-serve/jobs/").unwrap_or_else(|| panic!("{path}")).parse().unwrap();
        let text = self.text().await;
        assert!(text.contains("open") && text.contains("not yet"), "{text}");
        let delivery = self.world.queue.receive().await;
        assert_eq!(Message::parse(&delivery.body).unwrap(), Message { job });
        self.world.queue.remove(&delivery);
        self.world.handle(job).await;
        self.browser.reload().await.unwrap();
        let text = self.text().await;
        assert!(text.contains("done") && !text.contains("not yet"), "{text}");
        text
    }

    /// A page as everybody must find it: named, whole on a small screen, and loading nothing that it may not.
    async fn check(&self, name: &str, path: &str) {
        self.go(path).await;
        let (title, headings) = (self.browser.title().await.unwrap(), self.browser.find_all("h1").await.unwrap());
        assert_eq!(headings.len(), 1, "{path}");
        assert_eq!(title, format!("{} - Buildhub", headings[0].text().await.unwrap()), "{path}");
        assert_eq!(self.browser.console().await.unwrap(), Vec::<String>::new(), "{path}");
        for (width, height) in [(400, 800), (1200, 800)] {
            self.browser.resize(width, height).await.unwrap();
            // For whoever wants to look.
            if let Some(folder) = std::env::var_os("SCREENSHOTS") {
                let file = PathBuf::from(folder).join(format!("{name}-{width}.png"));
                self.browser.screenshot(&file).await.unwrap();
            }
            let page = self.browser.run("return document.documentElement.scrollWidth").await.unwrap();
            assert!(page.as_u64().unwrap() <= u64::from(width), "{path} is {page} pixels wide on a screen of {width}");
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_sees_builds_of_a_revision_and_steers_them_with_a_browser() {
    let visit = Visit::begin().await;
    let (build, running, theirs) = visit.world.three().await;
    let revision = format!("/self-serve/try/rev/{REVISION}");

    visit.go(&revision).await;
    let text = visit.text().await;
    for seen in [BUILDER, "success", "running", "alice", "bob", "signed in as alice"] {
        assert!(text.contains(seen), "{seen}: {text}");
    }

    // Three more of it, before others.
    visit.follow(&format!("a[href$='/build/{build}']")).await;
    assert_eq!(visit.path().await, format!("/self-serve/try/build/{build}"));
    visit.fill("form input[name=count]", "3").await;
    visit.fill("form input[name=priority]", "5").await;
    visit.follow("form button").await;
    let text = visit.carry_out().await;
    assert!(text.contains(&format!("build {build} again, 3 times at priority 5")), "{text}");
    let steps = visit.browser.find_all("h2 ~ * tbody tr").await.unwrap().len();
    assert_eq!(steps, 3, "{text}");
    let started = visit.world.started(1).await;
    for (_, request) in &started {
        visit.browser.find(&format!("a[href$='/try/request/{}']", request.id)).await.unwrap();
    }
    assert_eq!(started.iter().map(|(_, request)| request.priority).collect::<Vec<_>>(), [5, 5, 5]);

    // One of them goes first.
    let first = started[2].1.id;
    visit.go(&revision).await;
    visit.follow(&format!("a[href$='/request/{first}']")).await;
    visit.fill("form.put input[name=priority]", "9").await;
    visit.follow("form.put button").await;
    visit.carry_out().await;
    assert_eq!(visit.world.backend.request(first).await.unwrap().unwrap().priority, 9);

    // Another's is not hers to cancel.
    visit.browser.console().await.unwrap();
    visit.go(&format!("/self-serve/try/request/{theirs}")).await;
    visit.follow("form.delete button").await;
    let text = visit.text().await;
    assert!(text.contains("403 Forbidden") && text.contains("Only its owner or an administrator"), "{text}");
    assert!(visit.world.backend.request(theirs).await.unwrap().unwrap().completed.is_none());
    visit.browser.console().await.unwrap();

    // What runs is stopped.
    let runs = visit.world.build_of(running).await;
    visit.go(&format!("/self-serve/try/build/{runs}")).await;
    assert!(visit.text().await.contains("still running"));
    visit.follow("form.delete button").await;
    visit.carry_out().await;
    visit.go(&format!("/self-serve/try/build/{runs}")).await;
    let text = visit.text().await;
    assert!(text.contains("cancelled") && !text.contains("still running"), "{text}");
    assert!(visit.browser.find_all("form.delete").await.unwrap().is_empty(), "it cannot be stopped twice");

    pushed(&visit.world).await;
    // Something waits and something runs while they are looked at.
    visit.world.master.hold(BUILDER).unwrap();
    let runs = visit.world.begin(50, "alice").await;
    visit.world.build_of(runs).await;
    visit.world.begin(51, "bob").await;
    visit.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    for (name, path) in [
        ("home", "/self-serve".to_owned()),
        ("branches", "/self-serve/branches".to_owned()),
        ("day", "/self-serve/try".to_owned()),
        ("revision", revision.clone()),
        ("is-done", format!("{revision}/is_done")),
        ("build", format!("/self-serve/try/build/{build}")),
        ("request", format!("/self-serve/try/request/{theirs}")),
        ("builders", format!("/self-serve/try/builders?revision={REVISION}")),
        ("user", "/self-serve/try/user/alice".to_owned()),
        ("job", "/self-serve/jobs/1".to_owned()),
        ("jobs", "/self-serve/jobs".to_owned()),
        ("waits", "/reports/waittimes".to_owned()),
        ("runs", "/reports/endtoend/try".to_owned()),
        ("recent", "/recent".to_owned()),
        ("pending", "/pending".to_owned()),
        ("running", "/running".to_owned()),
    ] {
        visit.check(name, &path).await;
    }
}

/// A push, built: wait times are of pushes, and not of what somebody asks for by hand.
async fn pushed(world: &World) {
    world.master.release(BUILDER).unwrap();
    let (branch, revision) = ("try".to_owned(), "fedcba987654".parse::<Revision>().unwrap());
    world.carry_out(Action::NewBuildAtRevision { branch, revision: revision.clone() }).await;
    until("the push is built", async || {
        world.refresher.reconcile(Deadline::NONE).await.unwrap();
        let found = world.builds.of_revision(&["try".to_owned()], &revision, 10).await.unwrap();
        found.builds.iter().any(|build| build.endtime.is_some()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_looks_again_by_itself_and_leaves_alone_what_somebody_types() {
    let visit = Visit::begin().await;
    let (_, _, pending) = visit.world.three().await;
    let page = format!("/self-serve/try/request/{pending}");
    let is_same = async || visit.browser.run("return window.marked === true").await.unwrap() == true;
    let turns = async || visit.browser.run("return window.turns").await.unwrap().as_u64();
    // Counts what the page itself counts by.
    let mark = "window.marked = true; window.turns = 0; setInterval(() => { window.turns += 1; }, 1000)";

    visit.go(&page).await;
    visit.browser.run(mark).await.unwrap();
    until("it is another page", async || (!is_same().await).then_some(())).await;

    // In a field, and out of it again with something typed: a page that looked again would count from the beginning.
    visit.go(&page).await;
    let focus =
        format!("document.querySelector('form.put input[name=priority]').focus(); if (!window.marked) {{ {mark} }}");
    until("somebody is about to type", async || {
        visit.browser.run(&focus).await.unwrap();
        turns().await.filter(|turns| *turns >= 3)
    })
    .await;
    visit.fill("form.put input[name=priority]", "42").await;
    visit.browser.run("document.activeElement.blur(); window.turns = 0").await.unwrap();
    until("what was typed is not lost", async || turns().await.filter(|turns| *turns >= 3)).await;
    assert!(is_same().await);
    let typed = visit.browser.run("return document.querySelector('form.put input[name=priority]').value");
    assert_eq!(typed.await.unwrap(), "42");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_site_asks_in_vain_whoever_looks_at_it() {
    let visit = Visit::begin().await;
    let form = |to: &str| {
        format!("<title>Kittens</title><form method=post action={to:?}><button>See more kittens</button></form>")
    };
    let (evil, server) = serve(Arc::new(Evil(form(&format!("{}/self-serve/try/rev/{REVISION}", visit.address))))).await;
    // Of the same host and another port, and of another host.
    for evil in [evil.clone(), evil.replace("127.0.0.1", "localhost")] {
        visit.browser.go(&evil).await.unwrap();
        visit.follow("button").await;
        let text = visit.text().await;
        assert!(text.contains("403 Forbidden") && text.contains("a page of another site"), "{evil}: {text}");
    }
    assert_eq!(visit.world.jobs.newest(10, None).await.unwrap().jobs, [], "nothing was asked for");

    // The same from our own page.
    visit.go(&format!("/self-serve/try/rev/{REVISION}")).await;
    visit.follow("form button").await;
    assert_eq!(visit.path().await, "/self-serve/jobs/1");
    server.abort();
}
