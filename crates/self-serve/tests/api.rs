//! The API over a real Buildbot and a real Kinto: every address, each of its errors, and what a master sees afterwards.
//!
//! Each address is named as `/self-serve` lists it; `every_address_is_tried` holds this file to that list.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::collections::BTreeSet;

use buildhub_core::Deadline;
use buildhub_core::web::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, ORIGIN};
use buildhub_core::web::{HeaderName, HeaderValue, Method, Request, Response};
use buildhub_self_serve::access::Admins;
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::identity::{Claims, IdentitySource};
use buildhub_self_serve::work::Message;
use buildhub_testkit::buildbot::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};
use support::{BUILDER, REVISION, World, until};

/// Self-serve as its users meet it, with what stands behind it.
struct Site {
    world: World,
    api: Api,
}

/// A request that is being put together.
struct Ask<'a> {
    site: &'a Site,
    request: Request,
}

impl Site {
    async fn start(settings: Settings) -> Self {
        let world = World::start(settings).await;
        let parts = Parts {
            jobs: world.jobs.clone(),
            builds: world.builds.clone(),
            backend: world.backend.clone(),
            documents: world.documents.clone(),
            queue: world.queue.clone(),
        };
        let settings = ApiSettings {
            identity: IdentitySource::Claims(Claims { name: "email".to_owned(), groups: "groups".to_owned() }),
            admins: "group:sheriffs".parse::<Admins>().unwrap(),
            events: Some("events:push".parse().unwrap()),
            zone: jiff::tz::TimeZone::UTC,
            origins: Vec::new(),
            address: None,
        };
        Self { world, api: Api::new(settings, parts) }
    }

    fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let mut request = Request::get(path);
        request.method = method;
        "builds.example".clone_into(&mut request.host);
        Ask { site: self, request }.header(ACCEPT, "application/json")
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask(Method::GET, path).answer().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        serde_json::from_slice(&answer.body).unwrap()
    }

    /// Carries out the job that an answer tells of: what is said of its end.
    async fn carry_out(&self, answer: &Response) -> Value {
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status.as_u16(), &said["status"]), (202, &json!("OK")), "{said}");
        let id = said["request_id"].as_u64().unwrap();
        let delivery = self.world.queue.receive().await;
        assert_eq!(Message::parse(&delivery.body).unwrap(), Message { job: id });
        self.world.queue.remove(&delivery);
        self.world.handle(id).await;
        let job = self.get(&format!("/self-serve/jobs/{id}")).await;
        assert!(job["completed_at"].is_i64() && job["complete_data"]["request_id"] == id, "{job}");
        json!([job["complete_data"]["body"]["errors"], job["complete_data"]["body"]["msg"]])
    }
}

impl Ask<'_> {
    fn header(mut self, name: HeaderName, value: &str) -> Self {
        self.request.headers.insert(name, HeaderValue::from_str(value).unwrap());
        self
    }

    fn by(mut self, person: &str) -> Self {
        self.request.claims.insert("email".to_owned(), person.to_owned());
        self
    }

    fn sheriff(mut self) -> Self {
        self.request.claims.insert("groups".to_owned(), "[sheriffs]".to_owned());
        self.by("sheriff")
    }

    fn form(mut self, body: &str) -> Self {
        self.request.body = body.to_owned().into();
        self.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
    }

    fn json(mut self, body: &Value) -> Self {
        self.request.body = body.to_string().into();
        self.header(CONTENT_TYPE, "application/json")
    }

    async fn answer(self) -> Response {
        self.site.api.answer(&self.request, Timestamp::now()).await
    }

    /// The status, and what is said of a refusal.
    async fn refusal(self) -> (u16, String) {
        let answer = self.answer().await;
        let said: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(said["status"], "FAILED", "{said}");
        (answer.status.as_u16(), said["msg"].as_str().unwrap().to_owned())
    }
}

/// Holds this file to the list of addresses: each is named in it, as it is tried.
#[tokio::test]
async fn every_address_is_tried() {
    let site = Site::start(Settings::default()).await;
    // GET /self-serve
    let listed = site.get("/self-serve").await;
    let text = include_str!("api.rs");
    let listed: BTreeSet<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|known| format!("// {} {}\n", known["method"].as_str().unwrap(), known["path"].as_str().unwrap()))
        .collect();
    let untried: Vec<_> = listed.iter().filter(|line| !text.contains(line.as_str())).collect();
    assert!(untried.is_empty() && listed.len() > 20, "{untried:?}");

    let page = site.ask(Method::GET, "/self-serve").header(ACCEPT, "text/html").answer().await;
    assert!(page.text().contains("/self-serve/{branch}/rev/{revision}/pgo"));
    let moved = site.ask(Method::GET, "/self-serve/try/?date=2026-01-01").answer().await;
    assert_eq!((moved.status.as_u16(), moved.header(&LOCATION)), (301, Some("/self-serve/try?date=2026-01-01")));
    // Nobody is led to another machine.
    let away = site.ask(Method::GET, "//evil.example/").answer().await;
    assert_eq!((away.status.as_u16(), away.header(&LOCATION)), (301, Some("/evil.example")));
    assert_eq!(site.ask(Method::GET, "/self-serve/try/nothing").refusal().await.0, 404);
    assert_eq!(site.ask(Method::GET, "/self-serve?format=xml").refusal().await.0, 400);
    // No link cancels anything, whatever it says.
    let (status, message) = site.ask(Method::GET, "/self-serve/try/build/5?_method=DELETE").refusal().await;
    assert_eq!((status, message.as_str()), (404, "Build 5 not found"));
    let tricked = site.ask(Method::POST, "/self-serve/try/build/5?_method=DELETE").by("alice").answer().await;
    assert_eq!((tricked.status.as_u16(), tricked.header(&ALLOW)), (405, Some("GET, DELETE, HEAD, OPTIONS")));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_of_builds_can_be_read() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    // Nothing is there yet, and that is no error where branch and revision make sense.
    assert_eq!(site.get("/self-serve/try").await, json!([]));
    assert_eq!(site.get(&format!("/self-serve/try/rev/{REVISION}")).await, json!([]));
    let (build, running, pending) = site.world.three().await;

    // GET /self-serve/branches
    let branches = site.get("/self-serve/branches").await;
    assert_eq!(branches["try"]["repo"], "https://hg.example/try");

    // GET /self-serve/{branch}
    let day = site.get("/self-serve/try").await;
    let builds: Vec<_> = day.as_array().unwrap().iter().filter_map(|item| item["build_id"].as_u64()).collect();
    let requests: Vec<_> = day.as_array().unwrap().iter().filter(|item| item["build_id"].is_null()).collect();
    assert_eq!((builds.len(), builds[1], requests.len()), (2, build, 1), "{day}");
    assert_eq!((&requests[0]["request_id"], &requests[0]["claimed_at"]), (&json!(pending), &json!(0)));
    assert_eq!(site.get("/self-serve/try?date=2001-01-01").await, json!([]));
    assert_eq!(site.get("/self-serve/mozilla-central").await, json!([]), "another branch has nothing of it");
    let (status, message) = site.ask(Method::GET, "/self-serve/try?date=yesterday").refusal().await;
    assert_eq!((status, message.starts_with("Bad date")), (400, true));
    assert_eq!(site.ask(Method::GET, "/self-serve/nope").refusal().await, (404, "Branch nope not found".to_owned()));

    // GET /self-serve/{branch}/build/{build_id}
    let found = site.get(&format!("/self-serve/try/build/{build}")).await;
    assert_eq!(
        (&found["build_id"], &found["buildername"], &found["status"]),
        (&json!(build), &json!(BUILDER), &json!(0))
    );
    assert_eq!(found["requests"][0]["properties"]["owner"], "alice");
    assert_eq!(found["claimed_by_name"], "worker");
    assert!(found["master"].is_string() && found["endtime"].is_i64(), "{found}");
    let (status, message) = site.ask(Method::GET, "/self-serve/try/build/999").refusal().await;
    assert_eq!((status, message.as_str()), (404, "Build 999 not found"));
    let (status, _) = site.ask(Method::GET, &format!("/self-serve/mozilla-central/build/{build}")).refusal().await;
    assert_eq!(status, 404, "a build has one address");

    // GET /self-serve/{branch}/request/{request_id}
    let found = site.get(&format!("/self-serve/try/request/{pending}")).await;
    assert_eq!((&found["owner"], &found["complete"], &found["build_ids"]), (&json!("bob"), &json!(0), &json!([])));
    assert_eq!(site.ask(Method::GET, "/self-serve/try/request/x").refusal().await.0, 404);
    // What nobody has told of yet is asked of the master.
    let unknown = site.world.begin(4, "carol").await;
    assert_eq!(site.get(&format!("/self-serve/try/request/{unknown}")).await["owner"], "carol");

    // GET /self-serve/{branch}/rev/{revision}
    let whole = format!("/self-serve/try/rev/{}", REVISION.to_uppercase() + "6789");
    assert_eq!(site.get(&whole).await.as_array().unwrap().len(), 4, "a whole hash is cut to twelve digits");
    assert_eq!(site.ask(Method::GET, "/self-serve/try/rev/tip").refusal().await.0, 400);

    // GET /self-serve/{branch}/rev/{revision}/is_done
    let is_done = site.get(&format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=0")).await;
    assert_eq!(is_done, json!({ "stableDelay": 0, "job_complete": false, "job_passed": false }));
    let nothing = site.get("/self-serve/try/rev/ffffffffffff/is_done").await;
    assert_eq!(nothing, json!({ "stableDelay": 180, "job_complete": false, "job_passed": false }));
    let bad = site.ask(Method::GET, &format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=-1")).refusal().await;
    assert_eq!(bad.0, 400);

    // GET /self-serve/{branch}/builders
    let builders = site.get("/self-serve/try/builders").await;
    assert_eq!(builders, json!([BUILDER, "try linux64 nightly", "try linux64 pgo-build"]));

    // GET /self-serve/{branch}/user/{user}
    let user = site.get("/self-serve/try/user/alice").await;
    assert_eq!((&user["builds"][0]["build_id"], &user["pending"]), (&json!(build), &json!([])), "{user}");
    assert_eq!(user["running"][0]["requests"][0]["request_id"], running);
    assert_eq!(site.get("/self-serve/try/user/nobody").await, json!({ "builds": [], "running": [], "pending": [] }));

    reports(&site, running, [pending, unknown]).await;
    pages(&site, build, pending).await;

    // Builds go on being seen while the master is down.
    let mut site = site;
    site.world.master.kill().await.unwrap();
    assert_eq!(site.get(&format!("/self-serve/try/build/{build}")).await["build_id"], build);
    assert_eq!(site.ask(Method::GET, "/self-serve/try/build/999").refusal().await.0, 503, "it cannot be told");
}

async fn reports(site: &Site, running: u64, waiting: [u64; 2]) {
    // GET /pending/{branch}/{platform}
    let found = site.get("/pending/try/linux64").await;
    let ids: BTreeSet<_> = found["pending"]["try"][REVISION]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, waiting.into());
    assert_eq!(site.get("/pending/try/win32").await, json!({ "pending": {} }));
    // GET /running/{branch}/{platform}
    let runs = site.get("/running").await;
    assert_eq!(runs["running"]["try"][REVISION][0]["request_ids"], json!([running]));
    // GET /revision/{branch}/{revision}
    let all = site.get(&format!("/revision/try/{REVISION}")).await;
    assert_eq!(all["all"]["try"][REVISION].as_array().unwrap().len(), 2, "{all}");
    // GET /recent/{worker}
    let recent = site.get("/recent/worker?numbuilds=1").await;
    assert_eq!((recent.as_array().unwrap().len(), &recent[0]["slavename"]), (1, &json!("worker")));
    assert_eq!(site.get("/recent/another").await, json!([]));
    // GET /reports/waittimes/{pool}
    let waits = site.get("/reports/waittimes").await;
    assert_eq!(
        (&waits["total"], &waits["platforms"]["linux64"]["wt"]["0"]["total"]),
        (&json!(2), &json!(2)),
        "{waits}"
    );
    let pool = site.get("/reports/waittimes/trybuildpool").await;
    assert_eq!((&pool["masters"], &pool["total"]), (&json!(["bm1"]), &json!(2)), "its masters built them: {pool}");
    let other = site.get("/reports/waittimes/buildpool").await;
    assert_eq!(
        (&other["masters"], &other["total"]),
        (&json!(["bm2"]), &json!(0)),
        "another pool's built none: {other}"
    );
    assert_eq!(site.ask(Method::GET, "/reports/waittimes/swimming").refusal().await.0, 400);
    for wrong in ["starttime=5&endtime=4", "mpb=0", "mpb=1&maxb=1440", "mpb=x", "int_size=-1"] {
        assert_eq!(site.ask(Method::GET, &format!("/reports/waittimes?{wrong}")).refusal().await.0, 400, "{wrong}");
    }
    // GET /reports/endtoend/{branch}
    let runs = site.get("/reports/endtoend/try").await;
    let run = &runs["build_runs"][REVISION];
    assert_eq!(
        (&run["is_complete"], &run["complete"], &run["running"], &run["pending"]),
        (&json!("no"), &json!(1), &json!(1), &json!(2))
    );
}

async fn pages(site: &Site, build: u64, pending: u64) {
    // Everything is a page too, and what is not over is looked at again.
    for path in [
        "/self-serve/try".to_owned(),
        format!("/self-serve/try/build/{build}"),
        format!("/self-serve/try/request/{pending}"),
        format!("/self-serve/try/rev/{REVISION}"),
        format!("/self-serve/try/rev/{REVISION}/is_done"),
        format!("/self-serve/try/builders?revision={REVISION}"),
        "/self-serve/try/user/alice".to_owned(),
        "/self-serve/branches".to_owned(),
        "/self-serve/jobs".to_owned(),
        "/pending".to_owned(),
        "/running".to_owned(),
        "/recent".to_owned(),
        "/reports/waittimes".to_owned(),
        "/reports/endtoend/try".to_owned(),
    ] {
        let page = site.ask(Method::GET, &path).header(ACCEPT, "text/html").by("alice").answer().await;
        assert!(page.status == 200 && page.text().contains("<h1>"), "{path}: {}", page.text());
        let is_open = path.contains("/try/rev/") || path.ends_with(&pending.to_string());
        assert!(!is_open || page.text().contains("<script data-seconds=\"30\">"), "{path}");
    }
    // What is listed can be gone to.
    for (path, link) in [
        ("/pending".to_owned(), format!("/self-serve/try/request/{pending}")),
        ("/running".to_owned(), "/self-serve/try/build/".to_owned()),
        ("/recent".to_owned(), format!("/self-serve/try/build/{build}")),
        (format!("/revision/try/{REVISION}"), format!("/self-serve/try/build/{build}")),
    ] {
        let answer = site.ask(Method::GET, &path).header(ACCEPT, "text/html").answer().await;
        let page = answer.text();
        assert!(page.contains(&format!("<a href=\"{link}")) && !page.contains("<pre>"), "{path}: {page}");
    }
    let page = site.ask(Method::GET, "/reports/waittimes?format=html").answer().await;
    assert!(page.text().contains("<svg") && page.text().contains("linux64 (2)"), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_ended_and_moved_by_whoever_may() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (build, running, pending) = site.world.three().await;
    let ask = |method: Method, path: &str| site.ask(method, &format!("/self-serve/try/{path}"));
    let request = format!("request/{pending}");

    // PUT /self-serve/{branch}/request/{request_id}
    assert_eq!(ask(Method::PUT, &request).form("priority=5").refusal().await.0, 401);
    assert_eq!(site.ask(Method::PUT, "/self-serve/nope/request/1").by("bob").refusal().await.0, 404);
    assert_eq!(ask(Method::PUT, &request).by("bob").form("").refusal().await.0, 400);
    for wrong in ["", "priority=x", "priority=1000", "priority=1.5"] {
        let (status, message) = ask(Method::PUT, &request).by("bob").form(wrong).refusal().await;
        assert!(status == 400 && message.starts_with("Bad priority"), "{wrong}: {message}");
    }
    assert_eq!(ask(Method::PUT, "request/999").by("bob").form("priority=5").refusal().await.0, 404);
    assert_eq!(ask(Method::PUT, "request/x").by("bob").form("priority=5").refusal().await.0, 400);
    assert_eq!(ask(Method::PUT, &request).by("alice").form("priority=5").refusal().await.0, 403);
    let said = ask(Method::PUT, &format!("request/{running}")).by("alice").form("priority=5").refusal().await;
    assert_eq!(said, (400, "Request is already running".to_owned()));
    let over = site.get(&format!("/self-serve/try/build/{build}")).await["requests"][0]["request_id"].as_u64().unwrap();
    let said = ask(Method::PUT, &format!("request/{over}")).by("alice").form("priority=5").refusal().await;
    assert_eq!(said, (400, "Request already complete".to_owned()));
    let answer = ask(Method::PUT, &request).by("bob").form("priority=5").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    assert_eq!(site.world.backend.request(pending).await.unwrap().unwrap().priority, 5);
    // A form can only POST, and says what it means by a field.
    let answer = ask(Method::POST, &request).by("bob").form("_method=put&priority=7").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));

    // DELETE /self-serve/{branch}/request/{request_id}
    assert_eq!(ask(Method::DELETE, &request).by("alice").refusal().await.0, 403);
    assert_eq!(ask(Method::DELETE, "request/x").by("alice").refusal().await.0, 400);
    let answer = ask(Method::DELETE, &request).by("bob").answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    assert!(site.world.backend.request(pending).await.unwrap().unwrap().completed.is_some());

    // DELETE /self-serve/{branch}/build/{build_id}
    let runs = site.world.build_of(running).await;
    let path = format!("build/{runs}");
    assert_eq!(ask(Method::DELETE, &path).by("bob").refusal().await.0, 403);
    assert_eq!(ask(Method::DELETE, "build/999").by("bob").refusal().await.0, 404);
    let answer = ask(Method::DELETE, &path).sheriff().answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    assert!(site.world.backend.build(runs).await.unwrap().unwrap().ended.is_some());

    // DELETE /self-serve/{branch}/rev/{revision}
    let (mine, theirs) = (site.world.begin(5, "alice").await, site.world.begin(6, "bob").await);
    site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    let path = format!("rev/{REVISION}");
    assert_eq!(ask(Method::DELETE, "rev/tip").by("alice").refusal().await.0, 400);
    assert_eq!(ask(Method::DELETE, &path).by("alice").refusal().await.0, 403, "some of it is bob's");
    let answer = ask(Method::DELETE, &path).sheriff().answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    for request in [mine, theirs] {
        assert!(site.world.backend.request(request).await.unwrap().unwrap().completed.is_some());
    }
    // What nobody has told of yet is protected too.
    let unseen = site.world.begin(7, "bob").await;
    for person in ["alice", "carol"] {
        assert_eq!(ask(Method::DELETE, &path).by(person).refusal().await.0, 403, "{person}");
    }
    assert!(site.world.backend.request(unseen).await.unwrap().unwrap().completed.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_made_by_whoever_has_a_name() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (build, running, _) = site.world.three().await;
    let ask = |path: &str| site.ask(Method::POST, &format!("/self-serve/try/{path}"));
    let rev = format!("rev/{REVISION}");

    // POST /self-serve/{branch}/build
    assert_eq!(ask("build").form(&format!("build_id={build}")).refusal().await.0, 401);
    for wrong in [
        "",
        "build_id=x",
        &format!("build_id={build}&count=0"),
        &format!("build_id={build}&count=21"),
        "build_id=1&priority=x",
    ] {
        assert_eq!(ask("build").by("carol").form(wrong).refusal().await.0, 400, "{wrong}");
    }
    assert_eq!(ask("build").by("carol").form("build_id=999").refusal().await.0, 404);
    let answer = ask("build").by("carol").form(&format!("build_id={build}&priority=2&count=3")).answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let job = serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].as_u64().unwrap();
    let started = site.world.started(job).await;
    assert_eq!(started.iter().map(|(_, request)| request.priority).collect::<Vec<_>>(), [2, 2, 2]);

    // POST /self-serve/{branch}/request
    assert_eq!(ask("request").by("carol").json(&json!({ "request_id": "x" })).refusal().await.0, 400);
    assert_eq!(ask("request").by("carol").json(&json!({ "request_id": 999 })).refusal().await.0, 404);
    let answer = ask("request").by("carol").json(&json!({ "request_id": running, "count": 2 })).answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));

    // POST /self-serve/{branch}/rev/{revision}
    assert_eq!(ask("rev/tip").by("carol").refusal().await.0, 400);
    let answer = ask("rev/fedcba987654").by("carol").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let change = until("the change is known", async || {
        site.world.master.get("changes?revision=fedcba987654").await.unwrap()["changes"].get(0).cloned()
    });
    assert_eq!(change.await["branch"], "try");

    // POST /self-serve/{branch}/rev/{revision}/nightly
    // POST /self-serve/{branch}/rev/{revision}/pgo
    for (kind, builder) in [("nightly", "try linux64 nightly"), ("pgo", "try linux64 pgo-build")] {
        assert_eq!(ask(&format!("{rev}/{kind}")).by("carol").form("priority=x").refusal().await.0, 400);
        let answer = ask(&format!("{rev}/{kind}")).by("carol").form("priority=1").answer().await;
        assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]), "{kind}");
        let job = serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].as_u64().unwrap();
        let started = site.world.started(job).await;
        assert_eq!((started.len(), started[0].1.builder.as_str()), (1, builder));
    }

    // POST /self-serve/{branch}/builders/{builder}/{revision}
    let path = format!("builders/try%20linux64%20build/{REVISION}");
    assert_eq!(ask("builders/nope/abcdef012345").by("carol").refusal().await.0, 404);
    assert_eq!(ask(&path).by("carol").form("properties=x").refusal().await.0, 400);
    assert_eq!(ask(&path).by("carol").form("files={}").refusal().await.0, 400);
    let (status, message) = ask(&path).by("carol").json(&json!({ "properties": { "owner": "bob" } })).refusal().await;
    assert!(status == 400 && message.contains("\"owner\""), "nobody builds in another's name: {message}");
    // As much as a master takes, and no more.
    let many = |count: usize| -> serde_json::Map<_, _> {
        (0..count).map(|number| (format!("p{number}"), json!("x".repeat(4000)))).collect()
    };
    let (status, message) = ask(&path).by("carol").json(&json!({ "properties": many(16) })).refusal().await;
    assert!(status == 400 && message.contains("64000 bytes"), "{message}");
    let answer = ask(&path).by("carol").json(&json!({ "properties": many(15) })).answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let wish = json!({ "properties": { "flavour": "plain" }, "files": ["a.c"], "priority": 3 });
    let answer = ask(&path).by("carol").json(&wish).answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let job = serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].as_u64().unwrap();
    let (_, request) = site.world.started(job).await.remove(0);
    assert_eq!((request.priority, &request.properties["flavour"]), (3, &json!("plain")));

    // GET /self-serve/jobs/{job_id}
    let found = site.get(&format!("/self-serve/jobs/{job}")).await;
    assert_eq!(
        (&found["id"], &found["action"], &found["who"]),
        (&json!(job), &json!("new_build_for_builder"), &json!("carol"))
    );
    assert_eq!(found["what"]["properties"], json!({ "flavour": "plain" }));
    for unknown in ["999", "x"] {
        let said = site.ask(Method::GET, &format!("/self-serve/jobs/{unknown}")).refusal().await;
        assert_eq!(said, (404, format!("Job {unknown} not found")));
    }

    // GET /self-serve/jobs
    let answer = site.ask(Method::GET, "/self-serve/jobs?num=2").answer().await;
    let jobs: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(jobs.iter().map(|found| found["id"].as_u64().unwrap()).collect::<Vec<_>>(), [job, job - 1]);
    assert_eq!(answer.header(&LINK).unwrap(), format!("</self-serve/jobs?num=2&before={}>; rel=\"next\"", job - 1));
    let older = site.get(&format!("/self-serve/jobs?num=1&before={}", job - 1)).await;
    assert_eq!((older.as_array().unwrap().len(), &older[0]["id"]), (1, &json!(job - 2)));
    assert_eq!(site.get("/self-serve/jobs?num=1&offset=2").await, older);
    assert_eq!(site.ask(Method::GET, "/self-serve/jobs?num=-1").refusal().await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_again_with_one_key_is_one_job_and_what_another_site_asks_for_is_none() {
    let site = Site::start(Settings::default()).await;
    let ask = || site.ask(Method::POST, &format!("/self-serve/try/rev/{REVISION}/nightly"));
    let key = HeaderName::from_static("idempotency-key");
    let first = ask().by("alice").header(key.clone(), "k1").form("priority=1").answer().await;
    let again = ask().by("alice").header(key.clone(), "k1").form("priority=1").answer().await;
    assert_eq!((first.status.as_u16(), &first.body), (202, &again.body));
    assert_eq!(ask().by("alice").header(key.clone(), "k1").form("priority=2").refusal().await.0, 409);
    assert_eq!(ask().by("alice").header(key, " ").form("").refusal().await.0, 400);

    // A browser is sent to the job.
    let page = ask().by("alice").header(ACCEPT, "text/html").form("").answer().await;
    assert_eq!((page.status.as_u16(), page.header(&LOCATION)), (302, Some("/self-serve/jobs/2")));
    let shown = site.ask(Method::GET, "/self-serve/jobs/2").header(ACCEPT, "text/html").answer().await;
    assert!(
        shown.text().contains("new nightly builds of abcdef012345 on try")
            && shown.text().contains("data-seconds=\"3\"")
    );

    // A page of another site asks in vain, whoever looks at it; our own may.
    for (name, value, status) in [
        (ORIGIN, "https://evil.example", 403),
        (ORIGIN, "null", 403),
        (HeaderName::from_static("sec-fetch-site"), "cross-site", 403),
        (HeaderName::from_static("sec-fetch-site"), "same-origin", 202),
        (ORIGIN, "https://builds.example", 202),
    ] {
        let answer = ask().by("alice").header(name, value).form("").answer().await;
        assert_eq!(answer.status.as_u16(), status, "{value}");
    }
    // What names nobody who can be believed names nobody.
    for header in ["x-remote-user", "authorization", "cookie"] {
        let answer = ask().header(HeaderName::from_static(header), "alice").form("").answer().await;
        assert_eq!(answer.status.as_u16(), 401, "{header}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_tells_of_builds_and_nobody_else_may() {
    let site = Site::start(Settings::default()).await;
    let request = site.world.begin(1, "alice").await;
    site.world.over(request).await;
    // POST /self-serve/events
    let ask = || site.ask(Method::POST, "/self-serve/events").json(&json!({ "buildrequestid": request, "results": 2 }));
    assert_eq!(ask().refusal().await.0, 401);
    assert_eq!(ask().header(AUTHORIZATION, "Basic ZXZlbnRzOndyb25n").refusal().await.0, 401);
    let login = "Basic ZXZlbnRzOnB1c2g=";
    assert_eq!(ask().header(AUTHORIZATION, login).answer().await.status, 200);
    let builds = site.get("/self-serve/try").await;
    assert_eq!(builds[0]["status"], 0, "what it says of the build is not believed: the master is asked");
    let nonsense = site.ask(Method::POST, "/self-serve/events").header(AUTHORIZATION, login).json(&json!({}));
    assert_eq!(nonsense.refusal().await.0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_fails_no_list_and_is_counted_and_asked_for_again_of_the_master() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (first, second) = (site.world.begin(1, "alice").await, site.world.begin(2, "alice").await);
    site.world.over(first).await;
    site.world.over(second).await;
    site.world.master.hold(BUILDER).unwrap();
    let build = site.world.build_of(second).await;
    site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    let (rev, done) =
        (format!("/self-serve/try/rev/{REVISION}"), format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=0"));
    let is_passed = async || site.get(&done).await["job_complete"] == true;
    until("a second has passed", async || is_passed().await.then_some(())).await;

    // As another version would write it: the store takes it.
    let spoil = async |collection: &str, id: u64, field: &str, value: Value| {
        let records = site.world.client.collection("self-serve", collection).unwrap();
        let mut record = records.get::<Value>(&id.to_string()).await.unwrap().unwrap().data;
        record[field] = value;
        let stored = records.put(&id.to_string(), &record, buildhub_kinto::Condition::None).await.unwrap();
        assert!(matches!(stored, buildhub_kinto::Outcome::Stored { .. }), "{stored:?}");
    };
    spoil("builds", build, "requests", json!([{}])).await;
    assert_eq!(site.get(&rev).await.as_array().unwrap().len(), 1, "it takes no other with it");
    assert_eq!(site.world.builds.take_unreadable(), 1);
    assert!(is_passed().await, "how it ended can be told all the same");
    for path in ["/self-serve/try", "/self-serve/try/user/alice", "/recent", "/reports/waittimes", "/running"] {
        site.get(path).await;
    }
    let runs = site.get("/reports/endtoend/try").await;
    assert_eq!(runs["is_partial"], true, "{runs}");
    assert_eq!(site.get(&format!("/self-serve/try/build/{build}")).await["build_id"], build, "the master knows it");
    assert_eq!(site.get(&rev).await.as_array().unwrap().len(), 2);
    assert!(is_passed().await);

    // What waits is found by the next sweep.
    let running = site.world.begin(3, "alice").await;
    site.world.build_of(running).await;
    let pending = site.world.begin(4, "alice").await;
    site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    spoil("requests", pending, "rev", json!("tip")).await;
    assert_eq!(site.get("/pending").await, json!({ "pending": {} }));
    site.world.builds.take_unreadable();
    let swept = site.world.agent.sweep(Timestamp::now(), Deadline::NONE).await.unwrap();
    assert_eq!((swept.faults, swept.builds.refreshed), (1, 1), "{swept:?}");
    assert_eq!(site.get("/pending").await["pending"]["try"][REVISION][0]["id"], pending);
    assert_eq!(site.world.agent.sweep(Timestamp::now(), Deadline::NONE).await.unwrap().faults, 0);
}
