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
use buildhub_self_serve::api::{Api, ApiSettings};
use buildhub_self_serve::work::Message;
use buildhub_testkit::browser::Browser;
use buildhub_testkit::buildbot::Settings;
use support::{BUILDER, REVISION, World, site, until};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What stands before the API: whoever comes is signed in as Alice, and may have less patience than others.
#[derive(Debug)]
struct SignedIn {
    api: Api,
    is_hasty: bool,
}

#[async_trait]
impl Handler for SignedIn {
    async fn handle(&self, mut request: Request) -> Response {
        request.claims.insert("email".to_owned(), "alice".to_owned());
        let answer = self.api.handle(request).await;
        match std::str::from_utf8(&answer.body) {
            Ok(page) if self.is_hasty => {
                Response { body: page.replace("data-seconds=\"30\"", "data-seconds=\"1\"").into(), ..answer }
            }
            _ => answer,
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

/// What is typed into a form's fields.
type Typed = &'static [(&'static str, &'static str)];

/// A browser on a site.
struct Visit {
    world: World,
    browser: Browser,
    address: String,
    server: JoinHandle<bool>,
}

impl Visit {
    async fn begin() -> Self {
        Self::of(false).await
    }

    /// Of somebody for whom pages look again each second.
    async fn hasty() -> Self {
        Self::of(true).await
    }

    async fn of(is_hasty: bool) -> Self {
        let settings = Settings { builds: 1, ..Settings::default() };
        let (world, browser) = tokio::join!(World::start(settings), Browser::start());
        let settings = ApiSettings { admins: Admins::default(), events: None, ..site::settings() };
        let api = Api::new(settings, site::parts(&world));
        let (address, server) = serve(Arc::new(SignedIn { api, is_hasty })).await;
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
async fn every_form_asks_for_what_its_button_says() {
    let visit = Visit::begin().await;
    let (build, running, theirs) = visit.world.three().await;
    let mine = visit.world.begin(4, "alice").await;
    visit.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    let runs = visit.world.build_of(running).await;
    let revision = format!("/self-serve/try/rev/{REVISION}");
    let page = |kind: &str, id: u64| format!("/self-serve/try/{kind}/{id}");
    // Where it is, the button, what is typed before it is pressed, and what the job then says.
    let forms: [(String, String, Typed, String); 9] = [
        (revision.clone(), format!("form.post[action$='{REVISION}']"), &[], format!("new builds of {REVISION} on try")),
        (
            revision.clone(),
            "form[action$='/nightly']".to_owned(),
            &[("priority", "3")],
            format!("new nightly builds of {REVISION} on try at priority 3"),
        ),
        (
            revision.clone(),
            "form[action$='/pgo']".to_owned(),
            &[("priority", "-4")],
            format!("new profile-guided builds of {REVISION} on try at priority -4"),
        ),
        (
            format!("/self-serve/try/builders?revision={REVISION}"),
            "li:first-of-type form".to_owned(),
            &[("priority", "2"), ("properties", r#"{"flavour": "plain & simple"}"#)],
            format!("{BUILDER}: {REVISION} on try at priority 2"),
        ),
        (
            page("build", build),
            "form.post".to_owned(),
            &[("count", "2"), ("priority", "1")],
            format!("build {build} again, 2 times at priority 1"),
        ),
        (
            page("request", mine),
            "form.post".to_owned(),
            &[("count", "3")],
            format!("request {mine} again, 3 times at priority 0"),
        ),
        (page("request", mine), "form.put".to_owned(), &[("priority", "6")], format!("request {mine} at priority 6")),
        (page("request", mine), "form.delete".to_owned(), &[], format!("cancel request {mine}")),
        (page("build", runs), "form.delete".to_owned(), &[], format!("stop build {runs}")),
    ];
    for (number, (path, form, typed, said)) in forms.iter().enumerate() {
        visit.go(path).await;
        for (field, text) in *typed {
            visit.fill(&format!("{form} input[name={field}]"), text).await;
        }
        visit.follow(&format!("{form} button")).await;
        assert_eq!(visit.path().await, format!("/self-serve/jobs/{}", number + 1), "{said}");
        let text = visit.text().await;
        assert!(text.contains(said.as_str()) && text.contains("By alice"), "{said}: {text}");
    }
    let job = visit.world.jobs.find(4).await.unwrap().unwrap();
    let Action::NewBuildForBuilder { properties, .. } = job.action else { panic!("{job:?}") };
    assert_eq!(properties["flavour"], "plain & simple");
    // What is somebody else's, or everybody's, is refused, and no job.
    for (path, form) in
        [(page("request", theirs), "form.delete"), (page("request", theirs), "form.put"), (revision, "form.delete")]
    {
        visit.go(&path).await;
        visit.follow(&format!("{form} button")).await;
        let text = visit.text().await;
        assert!(text.contains("403 Forbidden") && text.contains("ACCESS DENIED!"), "{path}: {text}");
        // The browser tells of each answer that is none.
        visit.browser.console().await.unwrap();
    }
    // What is typed and makes no sense does not leave the page: the browser says so.
    visit.go(&page("build", build)).await;
    visit.fill("form.post input[name=count]", "21").await;
    visit.browser.run("document.querySelector('form.post button').click()").await.unwrap();
    let is_told = visit.browser.run("return document.querySelector('input[name=count]').validity.rangeOverflow").await;
    assert_eq!((is_told.unwrap() == true, visit.path().await), (true, page("build", build)));
    assert_eq!(visit.world.jobs.newest(100, None).await.unwrap().jobs.len(), forms.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn times_are_told_by_their_distance_and_only_what_is_open_is_looked_at_again() {
    let visit = Visit::begin().await;
    let (build, running, pending) = visit.world.three().await;
    let runs = visit.world.build_of(running).await;
    let times = "return [...document.querySelectorAll('time')].map(time => [time.textContent, time.title, \
                 (Date.now() - Date.parse(time.dateTime)) / 1000])";
    for (path, is_open) in [
        (format!("/self-serve/try/build/{build}"), false),
        (format!("/self-serve/try/build/{runs}"), true),
        (format!("/self-serve/try/request/{pending}"), true),
        (format!("/self-serve/try/rev/{REVISION}"), true),
        ("/self-serve/try".to_owned(), true),
        ("/self-serve/try/user/bob".to_owned(), true),
        ("/pending".to_owned(), true),
        ("/running".to_owned(), true),
        ("/recent".to_owned(), false),
    ] {
        visit.go(&path).await;
        let found = visit.browser.run(times).await.unwrap();
        let found = found.as_array().unwrap();
        assert!(!found.is_empty(), "{path}");
        for time in found {
            let (text, title, seconds) =
                (time[0].as_str().unwrap(), time[1].as_str().unwrap(), time[2].as_f64().unwrap());
            let mut words = text.split(' ');
            let number: f64 = words.next().unwrap().parse().unwrap();
            let unit = match words.next().unwrap().trim_end_matches('s') {
                "second" => 1.0,
                "minute" => 60.0,
                other => panic!("{path}: {other}"),
            };
            assert_eq!(words.next(), Some("ago"), "{path}: {text}");
            // It was told when the page was made, in whole units.
            assert!(number * unit <= seconds + 1.0, "{path}: {text} is {seconds} seconds");
            assert!(title.ends_with('Z') && title.contains('T'), "{path}: {title}");
        }
        let looks_again = visit.browser.find_all("script[data-seconds]").await.unwrap().len();
        assert_eq!(looks_again, usize::from(is_open), "{path}");
    }
    // A day that is over is looked at once.
    visit.go("/self-serve/try?date=2001-01-01").await;
    assert!(visit.browser.find_all("script[data-seconds]").await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_looks_again_by_itself_and_leaves_alone_what_somebody_types() {
    let visit = Visit::hasty().await;
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
