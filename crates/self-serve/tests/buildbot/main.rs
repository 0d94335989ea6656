//! A real Buildbot, asked and steered through [`Backend`].
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod changes;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use buildhub_http::HttpSettings;
use buildhub_self_serve::backend::{
    Backend as _, BackendError, Build, Change, Outcome, Piece, Request, Start, StoreId,
};
use buildhub_self_serve::buildbot::{Buildbot, BuildbotSettings};
use buildhub_testkit::buildbot::{self as testkit, Release, Settings};
use futures::stream::{self, StreamExt as _};
use serde_json::json;
use support::until;

const BUILDER: &str = "mozilla-central linux64 build";

fn client(server: &testkit::Buildbot, auth: &str) -> Buildbot {
    let login = Some(auth.parse().unwrap());
    let settings = BuildbotSettings { url: server.url().parse().unwrap(), login, http: HttpSettings::default() };
    Buildbot::new(settings).unwrap()
}

fn start(job: u64, number: u32) -> Start {
    Start {
        piece: Piece { store: None, job, number },
        builders: vec![BUILDER.to_owned()],
        again: None,
        branch: Some("mozilla-central".to_owned()),
        revision: Some("abcdef012345".to_owned()),
        repository: String::new(),
        reason: "Self-serve: Rebuilt by alice".to_owned(),
        priority: 3,
        requester: "alice".to_owned(),
        properties: json!({ "buildid": "20261122000000", "more": [1, { "a": null }] }).as_object().unwrap().clone(),
    }
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
    let change = change(9, "0123456789ab");
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
    assert!(error.to_string().contains("buildbot/self_serve"), "{error}");
}

fn change(job: u64, revision: &str) -> Change {
    Change {
        piece: Piece { store: None, job, number: 1 },
        branch: "try".to_owned(),
        revision: revision.to_owned(),
        repository: "https://hg.example/try".to_owned(),
        link: String::new(),
        comments: "Submitted via self-serve".to_owned(),
        requester: "bob".to_owned(),
        files: vec!["dummy".to_owned()],
        properties: serde_json::Map::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_three_times_is_built_three_times_where_a_master_collapses_requests() {
    let settings = Settings { builds: 1, collapse: true, ..Settings::default() };
    let server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    server.hold(BUILDER).unwrap();
    let busy = *client.start(&start(1, 1)).await.unwrap().requests.values().next().unwrap();
    running(&client, busy).await;
    let mut waiting = Vec::new();
    for number in 1..=3 {
        waiting.extend(client.start(&start(2, number)).await.unwrap().requests.into_values());
    }
    server.release(BUILDER).unwrap();
    for id in waiting {
        over(&client, id).await;
        assert_eq!(client.builds_of(id).await.unwrap()[0].result, Some(Outcome::Success));
    }
}

/// Buildbot does not compare the revisions of what has changes: for it an old push that is made again is the newer one.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_push_that_is_made_again_ends_nobodys_newer_one_where_a_master_collapses_requests() {
    let settings = Settings { builds: 1, collapse: true, ..Settings::default() };
    let server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    let pushed = async |number: u64, revision: &str| {
        client.change(&change(number, revision)).await.unwrap();
        let found = server.get("buildrequests").await.unwrap();
        let numbers = found["buildrequests"].as_array().unwrap().iter();
        numbers.map(|request| request["buildrequestid"].as_u64().unwrap()).max().unwrap()
    };
    let old = pushed(1, "aaaaaaaaaaaa").await;
    over(&client, old).await;
    server.hold("try linux64 build").unwrap();
    let busy = pushed(2, "bbbbbbbbbbbb").await;
    running(&client, busy).await;
    let newer = pushed(3, "cccccccccccc").await;
    let again = Start { again: Some(old), builders: vec!["try linux64 build".to_owned()], ..start(4, 1) };
    let again = Start { branch: Some("try".to_owned()), revision: Some("aaaaaaaaaaaa".to_owned()), ..again };
    let again = *client.start(&again).await.unwrap().requests.values().next().unwrap();
    server.release("try linux64 build").unwrap();
    for id in [newer, again] {
        over(&client, id).await;
        assert_eq!(client.builds_of(id).await.unwrap()[0].result, Some(Outcome::Success));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_again_is_of_all_that_the_first_was_of_with_its_patch() {
    for release in [Release::Newest, Release::Old] {
        let server = testkit::Buildbot::start(Settings { release, ..Settings::default() }).await.unwrap();
        let client = client(&server, server.auth());
        let builder = server.get("builders").await.unwrap()["builders"].as_array().unwrap().clone();
        let builder = builder.iter().find(|builder| builder["name"] == BUILDER).unwrap()["builderid"].clone();
        let asked = json!({
            "builderid": builder, "reason": "by hand", "branch": "mozilla-central", "revision": "abcdef012345",
            "repository": "https://hg.example/mozilla-central", "project": "firefox",
            "lib_branch": "stable", "lib_revision": "0123456789ab", "lib_repository": "https://hg.example/lib",
            "lib_project": "libraries", "lib_patch_body": "--- a\n+++ b\n", "lib_patch_level": "2",
            "lib_patch_author": "carol", "lib_patch_comment": "mend", "lib_patch_subdir": "src",
        });
        let forced = server.control("forceschedulers/hands", "force", &asked).await.unwrap();
        let first = forced[1].as_object().unwrap().values().next().unwrap().as_u64().unwrap();
        // A change of the same source, with properties that are not the first one's.
        client.change(&Change { branch: "mozilla-central".to_owned(), ..change(1, "abcdef012345") }).await.unwrap();
        let request = over(&client, first).await;
        assert_eq!(
            (request.branch.as_deref(), request.revision.as_deref()),
            (Some("mozilla-central"), Some("abcdef012345"))
        );

        let again = Start { again: Some(first), ..start(7, 1) };
        let started = client.start(&again).await.unwrap();
        assert_eq!(client.start(&again).await.unwrap(), started);
        let sources = async |request: u64| {
            let set = client.request(request).await.unwrap().unwrap();
            let found = server.get(&format!("buildrequests/{}", set.id)).await.unwrap();
            let set = found["buildrequests"][0]["buildsetid"].clone();
            let set = server.get(&format!("buildsets/{set}")).await.unwrap()["buildsets"][0].take();
            let mut sources = set["sourcestamps"].as_array().unwrap().clone();
            for source in &mut sources {
                for name in ["ssid", "created_at"] {
                    source.as_object_mut().unwrap().remove(name);
                }
                if let Some(patch) = source["patch"].as_object_mut() {
                    patch.remove("patchid");
                }
            }
            sources.sort_by_key(|source| source["codebase"].to_string());
            sources
        };
        let of_first = sources(first).await;
        assert_eq!(of_first.len(), 2);
        assert_eq!((&of_first[1]["patch"]["level"], &of_first[0]["project"]), (&json!(2), &json!("firefox")));
        let made = *started.requests.values().next().unwrap();
        assert_eq!(sources(made).await, of_first, "{release:?}");
        let made = client.request(made).await.unwrap().unwrap();
        assert_eq!((&made.properties["selfserve_job"], &made.properties["owner"]), (&json!("7.1"), &json!("alice")));

        let error = client.start(&Start { again: Some(999), ..start(7, 2) }).await.unwrap_err();
        assert!(matches!(&error, BackendError::Refused { reason, .. } if reason.contains("no request 999")), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_stores_count_alike_is_not_the_same() {
    let server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    let of = |store: Option<StoreId>| {
        let piece = Piece { store, ..start(1, 1).piece };
        Start { piece, ..start(1, 1) }
    };
    let (one, other) = (of(Some(StoreId::new())), of(Some(StoreId::new())));
    let mut sets = Vec::new();
    for start in [&one, &other, &of(None), &one, &other] {
        sets.push(client.start(start).await.unwrap().set);
    }
    assert_eq!(sets, [1, 2, 3, 1, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_master_knows_no_more_is_begun_anew() {
    let mut server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    client.start(&start(1, 1)).await.unwrap();
    // By this a master knows its cookies. Without it it makes another one, as if the week that they last were over.
    server.kill().await.unwrap();
    server.database("DELETE FROM object_state WHERE name = 'session_secret';").await.unwrap();
    server.start_again().await.unwrap();
    let again = client.start(&start(1, 2)).await.unwrap();
    assert_eq!(again.set, 2);
    client.cancel_request(*again.requests.values().next().unwrap(), "no more").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_master_passes_and_what_it_has_no_room_for_is_not_there() {
    let server = testkit::Buildbot::start(Settings::default()).await.unwrap();
    let client = client(&server, server.auth());
    client.check().await.unwrap();
    server.database("ALTER TABLE buildsets RENAME TO elsewhere;").await.unwrap();
    let error = client.start(&start(1, 1)).await.unwrap_err();
    assert!(matches!(&error, BackendError::Failed { .. }) && error.is_transient(), "{error:?}");
    server.database("ALTER TABLE elsewhere RENAME TO buildsets;").await.unwrap();
    assert_eq!(client.start(&start(1, 1)).await.unwrap().set, 1);

    for id in [1 << 31, u64::MAX] {
        assert!(client.request(id).await.unwrap().is_none() && client.build(id).await.unwrap().is_none(), "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_master_may_not_start_for_self_serve_is_named() {
    let left_out = "mozilla-central linux64 nightly".to_owned();
    let settings = Settings { left_out: Some(left_out.clone()), ..Settings::default() };
    let server = testkit::Buildbot::start(settings).await.unwrap();
    let client = client(&server, server.auth());
    let both = Start { builders: vec![BUILDER.to_owned(), left_out.clone()], ..start(1, 1) };
    let started = client.start(&both).await.unwrap();
    assert_eq!((started.requests.len(), started.left_out), (1, vec![left_out.clone()]));
    let error = client.start(&Start { builders: vec![left_out], ..start(1, 2) }).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { reason, .. } if reason.contains("has none of")), "{error}");
}

/// Stands before a master, and passes questions on; before the second one for a page of requests its database is changed.
async fn changed_between_pages(server: &Arc<testkit::Buildbot>, sql: &'static str) -> String {
    let (server, asked) = (Arc::clone(server), Arc::new(AtomicUsize::new(0)));
    let answer = move |uri: axum::http::Uri| {
        let (server, asked) = (Arc::clone(&server), Arc::clone(&asked));
        async move {
            let path = uri.path_and_query().unwrap().as_str().trim_start_matches("/api/v2/").to_owned();
            if path.starts_with("buildrequests?") && asked.fetch_add(1, Ordering::SeqCst) == 1 {
                server.database(sql).await.unwrap();
            }
            server.get(&path).await.unwrap().to_string()
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
    url
}

/// A proxy may say 404 while the master is away; what it had is there all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_404_that_is_not_buildbots_says_nothing_of_what_there_is() {
    let answers = [
        "<html><h1>404 Not Found</h1></html>",
        r#"{"error":"no route"}"#,
        r#"{"error":"not found while getting from <Endpoint> with arguments"}"#,
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let answer = async move || (axum::http::StatusCode::NOT_FOUND, answer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await.unwrap() });
        let settings = BuildbotSettings { url, login: None, http: HttpSettings::default() };
        let (request, check) = {
            let client = Buildbot::new(settings).unwrap();
            (client.request(1).await, client.check().await)
        };
        if number == 2 {
            assert!(request.unwrap().is_none());
            assert!(matches!(check, Err(BackendError::Lacks { .. })));
        } else {
            assert!(request.unwrap_err().is_transient() && check.unwrap_err().is_transient(), "{number}");
        }
    }
}

/// So many requests more that are like the second one.
async fn many_like_the_second(server: &testkit::Buildbot, count: usize) {
    let columns = "buildsetid, builderid, priority, complete, results, submitted_at, complete_at, waited_for";
    let many = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO buildrequests ({columns}) SELECT {columns} FROM buildrequests, n WHERE id = 2;"
    );
    server.database(&many).await.unwrap();
}

/// Buildbot 4.3 has answers written by a thread that must not: some are cut off, others come a minute late.
#[tokio::test(flavor = "multi_thread")]
async fn a_masters_answers_are_whole_and_come_at_once() {
    const MANY: usize = 400;
    let server = testkit::Buildbot::start(Settings { builds: 1, ..Settings::default() }).await.unwrap();
    let client = client(&server, server.auth());
    server.hold(BUILDER).unwrap();
    for number in 1..=2 {
        client.start(&start(1, number)).await.unwrap();
    }
    many_like_the_second(&server, MANY).await;
    let ask = async |_| {
        let answer = tokio::time::timeout(Duration::from_secs(30), server.get("buildrequests?complete=false")).await;
        let found = answer.expect("it does not come").expect("it is cut off");
        assert_eq!(found["buildrequests"].as_array().unwrap().len(), MANY + 2);
    };
    stream::iter(0..300).for_each_concurrent(8, ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_while_a_list_is_read_takes_no_other_out_of_it() {
    let server = Arc::new(testkit::Buildbot::start(Settings { builds: 1, ..Settings::default() }).await.unwrap());
    server.hold(BUILDER).unwrap();
    let direct = client(&server, server.auth());
    let busy = *direct.start(&start(1, 1)).await.unwrap().requests.values().next().unwrap();
    running(&direct, busy).await;
    direct.start(&start(1, 2)).await.unwrap();
    many_like_the_second(&server, 1098).await;
    let numbers = async |client: &Buildbot| -> Vec<u64> {
        client.open_requests().await.unwrap().iter().map(|request| request.id).collect()
    };
    assert_eq!(numbers(&direct).await, (1..=1100).collect::<Vec<_>>());

    let sql = "UPDATE buildrequests SET complete = 1, complete_at = 1 WHERE id BETWEEN 10 AND 200;";
    let url = changed_between_pages(&server, sql).await.parse().unwrap();
    let settings = BuildbotSettings { url, login: None, http: HttpSettings::default() };
    let found = numbers(&Buildbot::new(settings).unwrap()).await;
    let still_open = (1..10).chain(201..=1100);
    assert!(still_open.into_iter().all(|id| found.contains(&id)), "{} of them", found.len());
}
