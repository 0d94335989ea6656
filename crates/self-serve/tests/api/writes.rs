//! What is asked for, and what a master sees of it.

use buildhub_core::Deadline;
use buildhub_core::web::Method;
use buildhub_core::web::header::{ACCEPT, CONTENT_TYPE, LINK, LOCATION};
use buildhub_testkit::buildbot::Settings;
use serde_json::{Value, json};

use crate::support::site::{Ask, Site};
use crate::support::{REVISION, until};

/// A request about something of the branch `try`.
fn ask<'a>(site: &'a Site, method: Method, path: &str) -> Ask<'a> {
    site.ask(method, &format!("/self-serve/try/{path}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_ended_and_moved_by_whoever_may() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (build, running, pending) = site.world.three().await;
    a_request_is_moved(&site, build, running, pending).await;
    a_request_is_cancelled(&site, pending).await;
    a_build_is_stopped(&site, running).await;
    all_of_a_revision_is_cancelled(&site).await;
}

/// Addresses, row 12: another priority for a request that waits.
async fn a_request_is_moved(site: &Site, build: u64, running: u64, pending: u64) {
    let put = |path: &str| ask(site, Method::PUT, path);
    let request = format!("request/{pending}");
    assert_eq!(put(&request).form("priority=5").refusal().await.0, 401);
    assert_eq!(site.ask(Method::PUT, "/self-serve/nope/request/1").by("bob").refusal().await.0, 404);
    for wrong in ["", "priority=x", "priority=1000", "priority=1.5"] {
        let (status, message) = put(&request).by("bob").form(wrong).refusal().await;
        assert!(status == 400 && message.starts_with("Bad priority"), "{wrong}: {message}");
    }
    assert_eq!(put("request/999").by("bob").form("priority=5").refusal().await.0, 404);
    assert_eq!(put("request/x").by("bob").form("priority=5").refusal().await.0, 400);
    assert_eq!(put(&request).by("alice").form("priority=5").refusal().await.0, 403);
    let said = put(&format!("request/{running}")).by("alice").form("priority=5").refusal().await;
    assert_eq!(said, (400, "Request is already running".to_owned()));
    let over = site.get(&format!("/self-serve/try/build/{build}")).await["requests"][0]["request_id"].as_u64().unwrap();
    let said = put(&format!("request/{over}")).by("alice").form("priority=5").refusal().await;
    assert_eq!(said, (400, "Request already complete".to_owned()));
    let answer = put(&request).by("bob").form("priority=5").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let priority = async || site.world.backend.request(pending).await.unwrap().unwrap().priority;
    assert_eq!(priority().await, 5);
    // A form can only POST, and says what it means by a field.
    let answer = ask(site, Method::POST, &request).by("bob").form("_method=put&priority=7").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    assert_eq!(priority().await, 7);
}

/// Addresses, row 13: the end of a request.
async fn a_request_is_cancelled(site: &Site, pending: u64) {
    let request = format!("request/{pending}");
    assert_eq!(ask(site, Method::DELETE, &request).by("alice").refusal().await.0, 403);
    assert_eq!(ask(site, Method::DELETE, "request/x").by("alice").refusal().await.0, 400);
    assert_eq!(ask(site, Method::DELETE, "request/999").by("alice").refusal().await.0, 404);
    let answer = ask(site, Method::DELETE, &request).by("bob").answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    assert!(site.world.backend.request(pending).await.unwrap().unwrap().completed.is_some());
    // What is over can be asked for again: there is nothing to do.
    let answer = ask(site, Method::DELETE, &request).by("bob").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Request is complete, nothing to do"]));
}

/// Addresses, row 14: the end of a build.
async fn a_build_is_stopped(site: &Site, running: u64) {
    let runs = site.world.build_of(running).await;
    let path = format!("build/{runs}");
    assert_eq!(ask(site, Method::DELETE, &path).by("bob").refusal().await.0, 403);
    assert_eq!(ask(site, Method::DELETE, "build/999").by("bob").refusal().await.0, 404);
    assert_eq!(ask(site, Method::DELETE, "build/x").by("bob").refusal().await.0, 400);
    let answer = ask(site, Method::DELETE, &path).sheriff().answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    assert!(site.world.backend.build(runs).await.unwrap().unwrap().ended.is_some());
}

/// Addresses, row 17: the end of all that is open of a revision.
async fn all_of_a_revision_is_cancelled(site: &Site) {
    let (mine, theirs) = (site.world.begin(5, "alice").await, site.world.begin(6, "bob").await);
    site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
    let path = format!("rev/{REVISION}");
    assert_eq!(ask(site, Method::DELETE, "rev/tip").by("alice").refusal().await.0, 400);
    assert_eq!(ask(site, Method::DELETE, &path).by("alice").refusal().await.0, 403, "it is several people's");
    let answer = ask(site, Method::DELETE, &path).sheriff().answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    for request in [mine, theirs] {
        assert!(site.world.backend.request(request).await.unwrap().unwrap().completed.is_some());
    }
    // Only an administrator may, whoever's it is: what nobody has told of yet may be somebody else's.
    let unseen = site.world.begin(7, "bob").await;
    for person in ["alice", "bob", "carol"] {
        assert_eq!(ask(site, Method::DELETE, &path).by(person).refusal().await.0, 403, "{person}");
    }
    assert!(site.world.backend.request(unseen).await.unwrap().unwrap().completed.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_are_made_by_whoever_has_a_name() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (build, running, _) = site.world.three().await;
    a_build_is_made_again(&site, build).await;
    a_request_is_made_again(&site, running).await;
    new_builds_follow_from_a_revision(&site).await;
    profile_guided_builds(&site).await;
    nightly_builds(&site).await;
    let job = one_builders_build(&site).await;
    a_job(&site, job).await;
    jobs(&site, job).await;
}

/// The job that was taken up and carried out, by its number.
async fn done(site: &Site, ask: Ask<'_>) -> u64 {
    let answer = ask.answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].as_u64().unwrap()
}

/// Addresses, row 15: a build, made again.
async fn a_build_is_made_again(site: &Site, build: u64) {
    let post = || ask(site, Method::POST, "build");
    assert_eq!(post().form(&format!("build_id={build}")).refusal().await.0, 401);
    for wrong in [
        "",
        "build_id=x",
        &format!("build_id={build}&count=0"),
        &format!("build_id={build}&count=21"),
        &format!("build_id={build}&count=1&count=2"),
        "build_id=1&priority=x",
    ] {
        assert_eq!(post().by("carol").form(wrong).refusal().await.0, 400, "{wrong}");
    }
    assert_eq!(post().by("carol").form("build_id=999").refusal().await.0, 404);
    let job = done(site, post().by("carol").form(&format!("build_id={build}&priority=2&count=3"))).await;
    let started = site.world.started(job).await;
    assert_eq!(started.iter().map(|(_, request)| request.priority).collect::<Vec<_>>(), [2, 2, 2]);
}

/// Addresses, row 16: a request, made again.
async fn a_request_is_made_again(site: &Site, running: u64) {
    let post = || ask(site, Method::POST, "request").by("carol");
    assert_eq!(post().json(&json!({ "request_id": "x" })).refusal().await.0, 400);
    assert_eq!(post().json(&json!({ "request_id": 999 })).refusal().await.0, 404);
    for other in ["text/plain", "multipart/form-data", "application/xml"] {
        let (status, message) = post().form("request_id=1").header(CONTENT_TYPE, other).refusal().await;
        assert!(status == 400 && message.starts_with("Bad body: "), "{other}: {message}");
    }
    let job = done(site, post().json(&json!({ "request_id": running, "count": 2 }))).await;
    assert_eq!(site.world.started(job).await.len(), 2);
    // As curl's -F writes it.
    let part = |(name, value): (&str, u64)| {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let parts = [("request_id", running), ("count", 2), ("priority", 4)].map(part).concat() + "--xyz--\r\n";
    let job = done(site, post().form(&parts).header(CONTENT_TYPE, "multipart/form-data; boundary=xyz")).await;
    let started = site.world.started(job).await;
    assert_eq!(started.iter().map(|(_, request)| request.priority).collect::<Vec<_>>(), [4, 4]);
}

/// Addresses, row 18: new builds of a revision, as after a push.
async fn new_builds_follow_from_a_revision(site: &Site) {
    assert_eq!(ask(site, Method::POST, "rev/tip").by("carol").refusal().await.0, 400);
    done(site, ask(site, Method::POST, "rev/fedcba987654").by("carol")).await;
    let change = until("the change is known", async || {
        site.world.master.get("changes?revision=fedcba987654").await.unwrap()["changes"].get(0).cloned()
    });
    assert_eq!(change.await["branch"], "try");
}

/// Addresses, row 19: new profile-guided builds.
async fn profile_guided_builds(site: &Site) {
    by_kind(site, "pgo", "try linux64 pgo-build").await;
}

/// Addresses, row 20: new nightly builds.
async fn nightly_builds(site: &Site) {
    by_kind(site, "nightly", "try linux64 nightly").await;
}

async fn by_kind(site: &Site, kind: &str, builder: &str) {
    let post = || ask(site, Method::POST, &format!("rev/{REVISION}/{kind}"));
    assert_eq!(post().form("priority=1").refusal().await.0, 401);
    assert_eq!(post().by("carol").form("priority=x").refusal().await.0, 400);
    let job = done(site, post().by("carol").form("priority=1")).await;
    let started = site.world.started(job).await;
    let request = &started[0].1;
    assert_eq!((started.len(), request.builder.as_str(), request.priority), (1, builder, 1));
}

/// Addresses, row 21: one builder's build of a revision.
async fn one_builders_build(site: &Site) -> u64 {
    let post = |path: &str| ask(site, Method::POST, path).by("carol");
    let path = format!("builders/try%20linux64%20build/{REVISION}");
    assert_eq!(post("builders/nope/abcdef012345").refusal().await.0, 404);
    assert_eq!(post("builders/try%20linux64%20build/tip").refusal().await.0, 400);
    assert_eq!(post(&path).form("properties=x").refusal().await.0, 400);
    assert_eq!(post(&path).form("files={}").refusal().await.0, 400);
    let (status, message) = post(&path).json(&json!({ "properties": { "owner": "bob" } })).refusal().await;
    assert!(status == 400 && message.contains("\"owner\""), "nobody builds in another's name: {message}");
    // As much as a master takes, and no more.
    let many = |count: usize| -> serde_json::Map<_, _> {
        (0..count).map(|number| (format!("p{number}"), json!("x".repeat(4000)))).collect()
    };
    let (status, message) = post(&path).json(&json!({ "properties": many(16) })).refusal().await;
    assert!(status == 400 && message.contains("64000 bytes"), "{message}");
    done(site, post(&path).json(&json!({ "properties": many(15) }))).await;
    let wish = json!({ "properties": { "flavour": "plain" }, "files": ["a.c"], "priority": 3 });
    let job = done(site, post(&path).json(&wish)).await;
    let (_, request) = site.world.started(job).await.remove(0);
    assert_eq!((request.priority, &request.properties["flavour"]), (3, &json!("plain")));
    job
}

/// Addresses, row 4: a job, and what became of it.
async fn a_job(site: &Site, job: u64) {
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
    // A browser is sent to the job.
    let nightly = ask(site, Method::POST, &format!("rev/{REVISION}/nightly")).by("alice");
    let page = nightly.header(ACCEPT, "text/html").form("").answer().await;
    let address = format!("/self-serve/jobs/{}", job + 1);
    assert_eq!((page.status.as_u16(), page.header(&LOCATION)), (302, Some(address.as_str())));
    let shown = site.ask(Method::GET, &address).header(ACCEPT, "text/html").answer().await;
    let shown = shown.text();
    assert!(shown.contains("new nightly builds of abcdef012345 on try") && shown.contains("data-seconds=\"3\""));
}

/// Addresses, row 3: what was asked for, the newest first.
async fn jobs(site: &Site, job: u64) {
    let answer = site.ask(Method::GET, "/self-serve/jobs?num=2").answer().await;
    let jobs: Vec<Value> = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(jobs.iter().map(|found| found["id"].as_u64().unwrap()).collect::<Vec<_>>(), [job + 1, job]);
    assert_eq!(answer.header(&LINK).unwrap(), format!("</self-serve/jobs?num=2&before={job}>; rel=\"next\""));
    let older = site.get(&format!("/self-serve/jobs?num=1&before={job}")).await;
    assert_eq!((older.as_array().unwrap().len(), &older[0]["id"]), (1, &json!(job - 1)));
    assert_eq!(site.get("/self-serve/jobs?num=1&offset=2").await, older);
    assert_eq!(site.ask(Method::GET, "/self-serve/jobs?num=-1").refusal().await.0, 400);
}
