//! Reports: builds that waited longer than anybody thinks of, and what was cancelled before it was built, as a
//! real Buildbot leaves it.
use crate::support::records::{begun, keep, keep_request, waits};
use crate::support::site::Site;
use crate::support::{REVISION, client, manifest, until};
use buildhub_core::Deadline;
use buildhub_core::web::Method;
use buildhub_self_serve::builds::{Build, Builds, Cursor, Request, State};
use buildhub_testkit::buildbot::Settings;
use buildhub_testkit::kinto::{Backend as Storage, KintoServer};
use jiff::Timestamp;
use serde_json::json;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_waited_for_days_is_in_the_report_of_the_time_when_it_was_asked_for() {
    let site = Site::start(Settings::default()).await;
    let now = Timestamp::now().as_second();
    let from = now - 30 * DAY;
    // By when they were asked for within the hour, and when they began.
    for (id, asked, began) in [
        (1, from, from + 60),
        (2, from + 10, from + 20 * 60),
        // A little before and after the time until which all builds are looked at; a request is taken before its build begins.
        (3, from + 20, from + HOUR + DAY - 1),
        (4, from + 30, from + HOUR + DAY),
        (5, from + 40, from + HOUR + DAY + 1),
        (6, from + 50, from + 9 * DAY),
        (7, from + HOUR - 1, now - 60),
        // Of other times.
        (8, from - 1, from + 10),
        (9, from - 1, from + 9 * DAY),
        (10, from + HOUR, from + 9 * DAY),
    ] {
        let (mut request, mut build) = begun(&waits(id, asked), began, Some(began + 60));
        request.claimed_at -= 5;
        build.requests = vec![request.listed()];
        keep(&site.world.client, &(request, build)).await;
    }
    // What still waits: of that hour, and of others.
    for (id, asked) in [(11, from + 5), (12, from - 1), (13, from + HOUR), (14, now - 60)] {
        keep_request(&site.world.client, &waits(id, asked)).await;
    }
    let span = format!("starttime={from}&endtime={}", from + HOUR);
    let waits = site.get(&format!("/reports/waittimes?{span}")).await;
    assert_eq!(waits["total"], 7, "{waits}");
    let blocks = ["0", "15", "120"].map(|block| waits["wt"][block]["total"].clone());
    assert_eq!(blocks, [json!(1), json!(1), json!(5)], "{waits}");
    assert_eq!(waits["platforms"]["linux64"]["total"], 7);
    assert_eq!((waits["pending"].as_array().unwrap().len(), &waits["is_partial"]), (1, &json!(false)), "{waits}");
    let waited = waits["pending"][0]["waited"].as_i64().unwrap();
    assert!((now - from - 5..=now - from + 600).contains(&waited), "{waited}");

    // As shares; of nothing too.
    let shares = site.get(&format!("/reports/waittimes?{span}&num=ptg&mpb=60&maxb=60")).await;
    assert_eq!(shares["ptg"], json!({ "0": 28.57, "60": 71.43 }));
    let nothing = site.get("/reports/waittimes?starttime=1000&endtime=2000&num=ptg").await;
    assert_eq!((&nothing["ptg"], &nothing["total"], &nothing["pending"]), (&json!({}), &json!(0), &json!([])));
    for wrong in ["num=0", "num=", "num=FULL", "maxb=0&mpb=0", "starttime=x"] {
        let refusal = site.ask(Method::GET, &format!("/reports/waittimes?{wrong}")).refusal().await;
        assert_eq!(refusal.0, 400, "{wrong}: {refusal:?}");
    }
    let page = site.ask(Method::GET, &format!("/reports/waittimes?format=html&{span}")).answer().await;
    assert!(page.text().contains("linux64 (7)"), "{}", page.text());
    let latest = site.get("/reports/waittimes").await;
    assert_eq!(
        (&latest["total"], latest["pending"].as_array().unwrap().len()),
        (&json!(0), 1),
        "the last day: {latest}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_before_it_is_built_counts_and_a_revision_is_one_however_it_is_written() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (_, running, pending) = site.world.three().await;
    let run = async || site.get("/reports/endtoend/try").await;
    let before = run().await;
    let of = |said: &serde_json::Value, name: &str| said["build_runs"][REVISION][name].clone();
    assert_eq!((of(&before, "pending"), of(&before, "cancelled")), (json!(1), json!(0)), "{before}");
    let requests = before["total_build_requests"].as_u64().unwrap();

    let answer = site.ask(Method::DELETE, &format!("/self-serve/try/request/{pending}")).by("bob").answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    let after = until("the request is known to be over", async || {
        site.world.refresher.reconcile(Deadline::NONE).await.unwrap();
        let said = run().await;
        (of(&said, "pending") == 0).then_some(said)
    });
    let after = after.await;
    assert_eq!((of(&after, "cancelled"), of(&after, "running")), (json!(1), json!(1)), "{after}");
    assert_eq!(after["total_build_requests"], requests, "it was asked for all the same");
    assert_eq!((of(&after, "results_str"), of(&after, "is_complete")), (json!("cancelled"), json!("no")));

    // A build that is stopped is one more, and not two.
    let runs = site.world.build_of(running).await;
    let answer = site.ask(Method::DELETE, &format!("/self-serve/try/build/{runs}")).by("alice").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    let over = run().await;
    assert_eq!((of(&over, "cancelled"), of(&over, "is_complete")), (json!(2), json!("yes")), "{over}");

    // The same revision, written otherwise; and of another branch, which is not this one by its end.
    let whole = format!("{}6789", REVISION.to_uppercase());
    let now = Timestamp::now().as_second();
    let request = Request { revision: Some(whole), branch: Some("elsewhere/try".to_owned()), ..waits(900, now) };
    keep(&site.world.client, &begun(&request, now, None)).await;
    let request = Request { request_id: 901, branch: Some("try".to_owned()), ..request };
    keep(&site.world.client, &begun(&request, now, None)).await;
    keep_request(&site.world.client, &waits(902, now)).await;
    let joined = run().await;
    assert_eq!((&joined["total_build_runs"], of(&joined, "running")), (&json!(1), json!(1)), "{joined}");
    let running = site.get("/running/try").await;
    assert_eq!(running["running"]["try"][REVISION][0]["id"], 901, "{running}");
    assert_eq!(site.get("/pending").await["pending"]["try"][REVISION][0]["id"], 902);
    let page = site.ask(Method::GET, "/reports/endtoend/try?format=html").answer().await;
    assert!(page.text().contains(&format!("href=\"/self-serve/try/rev/{REVISION}\"")), "{}", page.text());
}

/// What reports ask, and where lists go on, as memory and PostgreSQL answer it.
#[tokio::test(flavor = "multi_thread")]
async fn both_stores_answer_what_reports_ask() {
    for storage in [Storage::Memory, Storage::Postgresql] {
        let kinto = KintoServer::start(storage).await.unwrap();
        let client = client(&kinto);
        client.initialise(&manifest()).await.unwrap();
        let builds = Builds::new(&client, "self-serve").unwrap();
        for id in [1, 2] {
            keep(&client, &begun(&waits(id, 100), 5_000 * i64::try_from(id).unwrap(), Some(20_000))).await;
        }
        let cancelled =
            Request { state: State::Complete, complete: 1, complete_at: Some(300), unbuilt: true, ..waits(3, 110) };
        keep_request(&client, &cancelled).await;
        keep_request(&client, &Request { submittime: 900, request_id: 4, ..cancelled.clone() }).await;
        keep_request(&client, &Request { branch: Some("elsewhere".to_owned()), request_id: 5, ..cancelled }).await;
        keep_request(&client, &waits(6, 120)).await;
        keep_request(&client, &waits(7, 900)).await;
        let branches = ["try".to_owned()];
        let requests = |found: Vec<Request>| found.iter().map(|request| request.request_id).collect::<Vec<_>>();
        assert_eq!(requests(builds.never_built(&branches, 100..200, 10).await.unwrap()), [3]);
        assert_eq!(requests(builds.never_built(&branches, 100..901, 10).await.unwrap()), [4, 3]);
        assert_eq!(requests(builds.pending_since(100..200, 10).await.unwrap()), [6]);
        let begun = |found: Vec<Build>| found.iter().map(|build| build.build_id).collect::<Vec<_>>();
        assert_eq!(begun(builds.begun_late(100..200, 10_000, 10).await.unwrap()), [2]);
        assert_eq!(begun(builds.begun_late(0..100, 0, 10).await.unwrap()), [] as [u64; 0]);
        assert_eq!(begun(builds.recent(None, 10, Cursor::Before(2)).await.unwrap()), [1]);
        assert_eq!(requests(builds.pending(Some(&branches), 10, Cursor::Before(7)).await.unwrap()), [6]);
        assert_eq!(
            requests(builds.pending(None, 10, Cursor::Before(9_223_372_036_854_775_807)).await.unwrap()),
            [7, 6]
        );
        assert_eq!(begun(builds.running(None, 10, Cursor::End).await.unwrap()), [] as [u64; 0]);
    }
}
