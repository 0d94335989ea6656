//! What there is of builds, seen.

use std::collections::BTreeSet;

use buildhub_core::Deadline;
use buildhub_core::web::Method;
use buildhub_core::web::header::{ACCEPT, AUTHORIZATION};
use buildhub_testkit::buildbot::Settings;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::site::Site;
use crate::support::{BUILDER, REVISION, until};

/// A build that is over, a request whose build runs, and one that waits.
struct There {
    build: u64,
    running: u64,
    pending: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn what_there_is_of_builds_can_be_read() {
    let mut site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    // Nothing is there yet, and that is no error where branch and revision make sense.
    assert_eq!(site.get("/self-serve/try").await, json!([]));
    assert_eq!(site.get(&format!("/self-serve/try/rev/{REVISION}")).await, json!([]));
    let (build, running, pending) = site.world.three().await;
    let there = There { build, running, pending };
    let seen = (&site, &there);
    branches(&site).await;
    a_day_of_a_branch(seen).await;
    a_build(seen).await;
    a_request(seen).await;
    // What nobody has told of yet is asked of the master.
    let unknown = site.world.begin(4, "carol").await;
    assert_eq!(site.get(&format!("/self-serve/try/request/{unknown}")).await["owner"], "carol");
    a_revision(&site).await;
    whether_a_revision_is_done(&site).await;
    builders(&site).await;
    what_somebody_asked_for(seen).await;

    what_waits(&site, [pending, unknown]).await;
    what_runs(seen).await;
    all_of_a_revision(&site).await;
    the_newest_builds(&site).await;
    how_long_builds_waited(&site).await;
    how_long_revisions_took(&site).await;
    pages(&site, build, pending).await;

    // Builds go on being seen while the master is down.
    site.world.master.kill().await.unwrap();
    assert_eq!(site.get(&format!("/self-serve/try/build/{build}")).await["build_id"], build);
    assert_eq!(site.ask(Method::GET, "/self-serve/try/build/999").refusal().await.0, 503, "it cannot be told");
}

/// Addresses, row 2: the branches, as their document has them.
async fn branches(site: &Site) {
    let branches = site.get("/self-serve/branches").await;
    assert_eq!(branches["try"]["repo"], "https://hg.example/try");
}

/// Addresses, row 5: builds that began on a day, and requests made on it that wait.
async fn a_day_of_a_branch((site, there): (&Site, &There)) {
    let day = site.get("/self-serve/try").await;
    let builds: Vec<_> = day.as_array().unwrap().iter().filter_map(|item| item["build_id"].as_u64()).collect();
    let requests: Vec<_> = day.as_array().unwrap().iter().filter(|item| item["build_id"].is_null()).collect();
    assert_eq!((builds.len(), builds[1], requests.len()), (2, there.build, 1), "{day}");
    assert_eq!((&requests[0]["request_id"], &requests[0]["claimed_at"]), (&json!(there.pending), &json!(0)));
    assert_eq!(site.get("/self-serve/try?date=2001-01-01").await, json!([]));
    assert_eq!(site.get("/self-serve/mozilla-central").await, json!([]), "another branch has nothing of it");
    for wrong in ["yesterday", "2026-13-01", "2026-02-30", "", "01-01-2026"] {
        let (status, message) = site.ask(Method::GET, &format!("/self-serve/try?date={wrong}")).refusal().await;
        assert_eq!((status, message.starts_with("Bad date")), (400, true), "{wrong}");
    }
    assert_eq!(site.ask(Method::GET, "/self-serve/nope").refusal().await, (404, "Branch nope not found".to_owned()));
}

/// Addresses, row 6: a build.
async fn a_build((site, there): (&Site, &There)) {
    let found = site.get(&format!("/self-serve/try/build/{}", there.build)).await;
    assert_eq!(
        (&found["build_id"], &found["buildername"], &found["status"]),
        (&json!(there.build), &json!(BUILDER), &json!(0))
    );
    assert_eq!(found["requests"][0]["properties"]["owner"], "alice");
    assert_eq!(found["claimed_by_name"], "worker");
    assert!(found["master"].is_string() && found["endtime"].is_i64(), "{found}");
    let (status, message) = site.ask(Method::GET, "/self-serve/try/build/999").refusal().await;
    assert_eq!((status, message.as_str()), (404, "Build 999 not found"));
    let elsewhere = format!("/self-serve/mozilla-central/build/{}", there.build);
    assert_eq!(site.ask(Method::GET, &elsewhere).refusal().await.0, 404, "a build has one address");
}

/// Addresses, row 7: a request.
async fn a_request((site, there): (&Site, &There)) {
    let found = site.get(&format!("/self-serve/try/request/{}", there.pending)).await;
    assert_eq!((&found["owner"], &found["complete"], &found["build_ids"]), (&json!("bob"), &json!(0), &json!([])));
    assert_eq!(site.ask(Method::GET, "/self-serve/try/request/x").refusal().await.0, 404);
    let elsewhere = format!("/self-serve/mozilla-central/request/{}", there.pending);
    assert_eq!(site.ask(Method::GET, &elsewhere).refusal().await.0, 404);
}

/// Addresses, row 8: builds of a revision, and requests that wait.
async fn a_revision(site: &Site) {
    let whole = format!("/self-serve/try/rev/{}", REVISION.to_uppercase() + "6789");
    assert_eq!(site.get(&whole).await.as_array().unwrap().len(), 4, "a whole hash is cut to twelve digits");
    assert_eq!(site.ask(Method::GET, "/self-serve/try/rev/tip").refusal().await.0, 400);
}

/// Addresses, row 9: whether a revision is done with.
async fn whether_a_revision_is_done(site: &Site) {
    let is_done = site.get(&format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=0")).await;
    assert_eq!(is_done, json!({ "stableDelay": 0, "job_complete": false, "job_passed": false }));
    let nothing = site.get("/self-serve/try/rev/ffffffffffff/is_done").await;
    assert_eq!(nothing, json!({ "stableDelay": 180, "job_complete": false, "job_passed": false }));
    let bad = site.ask(Method::GET, &format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=-1")).refusal().await;
    assert_eq!(bad.0, 400);
}

/// Whoever is told that new builds are asked for does not find their revision done.
#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_not_done_once_more_is_asked_for_of_it() {
    let site = Site::start(Settings::default()).await;
    let done = format!("/self-serve/try/rev/{REVISION}/is_done?stableDelay=0");
    let new = async || {
        let path = format!("/self-serve/try/rev/{REVISION}");
        let answer = site.ask(Method::POST, &path).by("alice").answer().await;
        assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
        site.get(&done).await["job_complete"] == true
    };
    site.world.master.hold(BUILDER).unwrap();
    assert!(!new().await, "its build runs");
    site.world.master.release(BUILDER).unwrap();
    until("it is done", async || {
        site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
        (site.get(&done).await["job_complete"] == true).then_some(())
    })
    .await;
    site.world.master.hold(BUILDER).unwrap();
    assert!(!new().await, "another one runs");
    site.world.master.release(BUILDER).unwrap();
}

/// Addresses, row 10: what is built for a branch.
async fn builders(site: &Site) {
    let builders = site.get("/self-serve/try/builders").await;
    assert_eq!(builders, json!([BUILDER, "try linux64 nightly", "try linux64 pgo-build"]));
}

/// Addresses, row 11: what somebody asked for.
async fn what_somebody_asked_for((site, there): (&Site, &There)) {
    let user = site.get("/self-serve/try/user/alice").await;
    assert_eq!((&user["builds"][0]["build_id"], &user["pending"]), (&json!(there.build), &json!([])), "{user}");
    assert_eq!(user["running"][0]["requests"][0]["request_id"], there.running);
    assert_eq!(site.get("/self-serve/try/user/nobody").await, json!({ "builds": [], "running": [], "pending": [] }));
}

/// Addresses, row 23: what waits.
async fn what_waits(site: &Site, waiting: [u64; 2]) {
    let found = site.get("/pending/try/linux64").await;
    let entries = found["pending"]["try"][REVISION].as_array().unwrap();
    let ids: BTreeSet<_> = entries.iter().map(|entry| entry["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, waiting.into());
    assert_eq!(site.get("/pending/try/win32").await, json!({ "pending": {} }));
    assert_eq!(site.get("/pending/mozilla-central").await, json!({ "pending": {} }));
    assert_eq!(site.get("/pending").await["pending"]["try"][REVISION].as_array().unwrap().len(), 2);
}

/// Addresses, row 24: what runs.
async fn what_runs((site, there): (&Site, &There)) {
    let runs = site.get("/running").await;
    assert_eq!(runs["running"]["try"][REVISION][0]["request_ids"], json!([there.running]));
    assert_eq!(site.get("/running/try/win32").await, json!({ "running": {} }));
}

/// Addresses, row 25: all of a revision.
async fn all_of_a_revision(site: &Site) {
    let all = site.get(&format!("/revision/try/{REVISION}")).await;
    assert_eq!(all["all"]["try"][REVISION].as_array().unwrap().len(), 2, "{all}");
    assert_eq!(all["pending"]["try"][REVISION].as_array().unwrap().len(), 2, "{all}");
    assert_eq!((&all["branch"], &all["revision"]), (&json!("try"), &json!(REVISION)));
    assert_eq!(site.ask(Method::GET, "/revision/try/tip").refusal().await.0, 400);
}

/// Addresses, row 26: the newest builds.
async fn the_newest_builds(site: &Site) {
    let recent = site.get("/recent/worker?numbuilds=1").await;
    assert_eq!((recent.as_array().unwrap().len(), &recent[0]["slavename"]), (1, &json!("worker")));
    assert_eq!(site.get("/recent?slave=worker&numbuilds=1").await, recent, "as the original was asked too");
    assert_eq!(site.get("/recent/another").await, json!([]));
}

/// Addresses, row 27: how long builds waited.
async fn how_long_builds_waited(site: &Site) {
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
}

/// Addresses, row 28: how long revisions took.
async fn how_long_revisions_took(site: &Site) {
    let runs = site.get("/reports/endtoend/try").await;
    let run = &runs["build_runs"][REVISION];
    assert_eq!(
        (&run["is_complete"], &run["complete"], &run["running"], &run["pending"]),
        (&json!("no"), &json!(1), &json!(1), &json!(2))
    );
    assert_eq!(site.get("/reports/endtoend").await["branch"], "mozilla-central", "as in the original");
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

/// Addresses, row 22: a master tells that a build began or ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_tells_of_builds_and_nobody_else_may() {
    let site = Site::start(Settings::default()).await;
    let request = site.world.begin(1, "alice").await;
    site.world.over(request).await;
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
    let is_well = async || site.get(&done).await["job_passed"] == true;
    assert!(is_well().await);
    for status in [json!(7), json!(-2)] {
        spoil("builds", build, "status", status.clone()).await;
        assert!(!is_well().await, "nobody knows that it ended well: {status}");
    }
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
