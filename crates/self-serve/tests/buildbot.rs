//! A real Buildbot, asked and steered through [`Backend`].
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::Duration;

use buildhub_http::HttpSettings;
use buildhub_self_serve::backend::{Backend as _, BackendError, Build, Change, Outcome, Piece, Request, Start};
use buildhub_self_serve::buildbot::{Buildbot, BuildbotSettings};
use buildhub_testkit::buildbot::{self as testkit, Release, Settings};
use serde_json::json;

const BUILDER: &str = "mozilla-central linux64 build";
const LIMIT: Duration = Duration::from_mins(2);

fn client(server: &testkit::Buildbot, auth: &str) -> Buildbot {
    let login = Some(auth.parse().unwrap());
    let settings = BuildbotSettings { url: server.url().parse().unwrap(), login, http: HttpSettings::default() };
    Buildbot::new(settings).unwrap()
}

fn start(job: u64, number: u32) -> Start {
    Start {
        piece: Piece { job, number },
        builders: vec![BUILDER.to_owned()],
        branch: Some("mozilla-central".to_owned()),
        revision: Some("abcdef012345".to_owned()),
        repository: String::new(),
        reason: "Self-serve: Rebuilt by alice".to_owned(),
        priority: 3,
        requester: "alice".to_owned(),
        properties: json!({ "buildid": "20261122000000", "more": [1, { "a": null }] }).as_object().unwrap().clone(),
    }
}

/// Looks again until it is so.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let mut every = tokio::time::interval(Duration::from_millis(100));
    let found = tokio::time::timeout(LIMIT, async {
        loop {
            every.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {LIMIT:?}: {what}"))
}

async fn over(client: &Buildbot, id: u64) -> Request {
    until("the request is over", async || client.request(id).await.unwrap().filter(|found| found.completed.is_some()))
        .await
}

async fn running(client: &Buildbot, request: u64) -> Build {
    until("a build runs", async || client.builds_of(request).await.unwrap().into_iter().next()).await
}

async fn everything_that_self_serve_asks_of_a_build_system_is_done(release: Release) {
    let server = testkit::Buildbot::start(Settings { release, builds: 1, ..Settings::default() }).await.unwrap();
    let client = client(&server, server.auth());
    client.check().await.unwrap();

    let builders = client.builders().await.unwrap();
    assert_eq!(builders.len(), 6);
    assert!(builders.iter().any(|builder| builder.name == BUILDER && builder.tags == ["mozilla-central"]));

    // Started once, however often it is asked for, also at the same moment.
    server.hold(BUILDER).unwrap();
    let piece = start(7, 1);
    let (first, second) = tokio::join!(client.start(&piece), client.start(&piece));
    let first = first.unwrap();
    assert_eq!(first, second.unwrap());
    assert_eq!(first, client.start(&piece).await.unwrap());
    let id = *first.requests.values().next().unwrap();
    let request = client.request(id).await.unwrap().unwrap();
    assert_eq!((request.builder.as_str(), request.branch.as_deref()), (BUILDER, Some("mozilla-central")));
    assert_eq!((request.revision.as_deref(), request.priority), (Some("abcdef012345"), 3));
    assert_eq!(request.reason, "Self-serve: Rebuilt by alice");
    let expected = [
        ("owner", json!("alice")),
        ("buildid", json!("20261122000000")),
        ("more", json!([1, { "a": null }])),
        ("selfserve_job", json!("7.1")),
    ];
    for (name, value) in expected {
        assert_eq!(request.properties[name], value, "{name}");
    }

    // The worker is busy with it: what is asked for now waits, and is moved forward.
    let build = running(&client, id).await;
    assert_eq!((build.result, build.ended, build.request), (None, None, id));
    let mut waiting = Vec::new();
    for number in 1..=3 {
        let started = client.start(&start(8, number)).await.unwrap();
        waiting.extend(started.requests.into_values());
    }
    client.prioritise(waiting[2], 50).await.unwrap();
    assert_eq!(client.request(waiting[2]).await.unwrap().unwrap().priority, 50);
    let open: Vec<_> = client.open_requests().await.unwrap().iter().map(|request| request.id).collect();
    assert_eq!(open, [vec![id], waiting.clone()].concat());

    // One that waits is cancelled, and so is one that runs.
    client.cancel_request(waiting[0], "Cancelled via self-serve by alice").await.unwrap();
    over(&client, waiting[0]).await;
    assert!(client.builds_of(waiting[0]).await.unwrap().is_empty());
    client.stop_build(build.id, "Cancelled via self-serve by alice").await.unwrap();
    over(&client, id).await;
    assert_eq!(client.build(build.id).await.unwrap().unwrap().result, Some(Outcome::Cancelled));

    // The one that was moved forward is next.
    let next = running(&client, waiting[2]).await;
    assert!(client.builds_of(waiting[1]).await.unwrap().is_empty());
    server.release(BUILDER).unwrap();
    over(&client, waiting[1]).await;
    let next = client.build(next.id).await.unwrap().unwrap();
    assert_eq!((next.result, next.worker.as_deref()), (Some(Outcome::Success), Some("worker")));

    // A change leads to what its schedulers make of it, once.
    let change = Change {
        piece: Piece { job: 9, number: 1 },
        branch: "try".to_owned(),
        revision: "0123456789ab".to_owned(),
        repository: "https://hg.example/try".to_owned(),
        link: "https://hg.example/try/rev/0123456789ab".to_owned(),
        comments: "Submitted via self-serve".to_owned(),
        requester: "bob".to_owned(),
        files: vec!["dummy".to_owned()],
        properties: serde_json::Map::new(),
    };
    let number = client.change(&change).await.unwrap();
    assert_eq!(client.change(&change).await.unwrap(), number);
    let changes = server.get("changes").await.unwrap();
    assert_eq!(changes["changes"].as_array().unwrap().len(), 1);
    until("the change is built", async || {
        let builds = server.get("builds?property=revision").await.unwrap();
        let builds = builds["builds"].as_array().unwrap().clone();
        builds.into_iter().find(|build| build["properties"]["revision"][0] == "0123456789ab")
    })
    .await;

    assert!(client.request(999).await.unwrap().is_none() && client.build(999).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_on_the_newest_buildbot() {
    Box::pin(everything_that_self_serve_asks_of_a_build_system_is_done(Release::Newest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_on_an_older_buildbot() {
    Box::pin(everything_that_self_serve_asks_of_a_build_system_is_done(Release::Old)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_refused_and_what_is_asked_for_wrongly_is_said() {
    let mut server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let guest = client(&server, "guest:guest");
    let error = guest.start(&start(1, 1)).await.unwrap_err();
    assert!(matches!(&error, BackendError::Denied { reason, .. } if reason.contains("admins")), "{error}");
    let error = client(&server, "guest:wrong").start(&start(1, 1)).await.unwrap_err();
    assert!(matches!(error, BackendError::Credentials { .. }), "{error}");

    let client = client(&server, server.auth());
    let unknown = Start { builders: vec!["no such builder".to_owned()], ..start(1, 1) };
    let error = client.start(&unknown).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }) && !error.is_transient(), "{error}");
    // A store that was made anew counts from the beginning: its first job is not the master's.
    client.start(&start(3, 1)).await.unwrap();
    for other in [
        Start { requester: "mallory".to_owned(), ..start(3, 1) },
        Start { revision: Some("fedcba987654".to_owned()), ..start(3, 1) },
    ] {
        let error = client.start(&other).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { reason, .. } if reason.contains("another's")), "{error}");
    }
    let error = client.prioritise(999, 1).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }), "{error}");

    // A session outlives the master, and a master that is away is said to be so.
    let first = client.start(&start(2, 1)).await.unwrap();
    server.kill().await.unwrap();
    let error = client.start(&start(2, 1)).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.start_again().await.unwrap();
    assert_eq!(client.start(&start(2, 1)).await.unwrap(), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_without_what_self_serve_needs_is_told_so() {
    let server = testkit::Buildbot::start(Settings { plain: true, ..Settings::default() }).await.unwrap();
    let error = client(&server, server.auth()).check().await.unwrap_err();
    assert!(matches!(error, BackendError::Lacks { .. }), "{error}");
    assert!(error.to_string().contains("buildbot/self_serve.py"), "{error}");
}
