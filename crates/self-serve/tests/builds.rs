//! What is known of builds, against a real Buildbot.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::Deadline;
use buildhub_kinto::Condition;
use buildhub_self_serve::backend::{self, Backend, BackendError, Change, Outcome, Piece, Start, Started};
use buildhub_self_serve::builds::refresh::{RefreshError, Refresher};
use buildhub_self_serve::builds::{Builds, Cursor, Cursors, End, State};
use buildhub_testkit::buildbot::Settings;
use buildhub_testkit::kinto::{Backend as Storage, KintoServer};
use serde_json::{Map, json};
use support::{REVISION, World, until};
use tokio::sync::Notify;

const BUILDER: &str = "mozilla-central linux64 build";

async fn request(world: &World, number: u32, branch: &str, revision: &str, who: &str) -> u64 {
    let start = Start {
        piece: Piece { store: None, job: 1, number },
        builders: vec![BUILDER.to_owned()],
        again: None,
        branch: Some(branch.to_owned()),
        revision: Some(revision.to_owned()),
        repository: String::new(),
        reason: "test".to_owned(),
        priority: 0,
        requester: who.to_owned(),
        properties: Map::new(),
    };
    *world.backend.start(&start).await.unwrap().requests.values().next().unwrap()
}

/// A master's events go where a test reads them.
async fn listen() -> (String, tokio::sync::mpsc::Receiver<serde_json::Value>) {
    let (sender, events) = tokio::sync::mpsc::channel(100);
    let take = move |body: String| {
        let sender = sender.clone();
        async move { sender.send(serde_json::from_str(&body).unwrap()).await.unwrap() }
    };
    let router = axum::Router::new().route("/events", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, events)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_events_tell_of_is_known_and_what_they_do_not_is_found() {
    let (url, mut events) = listen().await;
    let world = World::start(Settings { events: Some(url), builds: 1, ..Settings::default() }).await;
    let branches = |name: &str| vec![name.to_owned(), format!("projects/{name}")];
    world.master.hold(BUILDER).unwrap();
    let first = request(&world, 1, "projects/ash", "ABCDEF0123456789", "alice").await;

    // An event as the master sends it.
    let began = tokio::time::timeout(Duration::from_mins(1), events.recv()).await.unwrap().unwrap();
    let known = world.refresher.event(&began).await.unwrap().unwrap();
    assert_eq!((known.request_id, known.state, known.owner.as_deref()), (first, State::Running, Some("alice")));
    let revision = "abcdef012345".parse().unwrap();
    let found = world.builds.of_revision(&branches("ash"), &revision, 10).await.unwrap();
    assert_eq!((found.builds.len(), found.pending.len()), (1, 0));
    assert_eq!((found.builds[0].endtime, found.builds[0].status), (None, -1));
    assert!(found.builds[0].requests[0].properties.is_none());
    let build = world.builds.build(found.builds[0].build_id).await.unwrap().unwrap();
    assert_eq!(build.requests[0].properties.as_ref().unwrap()["owner"], "alice");

    // What nobody told of: a second request, that waits, and that the first is over.
    let second = request(&world, 2, "ash", "abcdef0123456789", "bob").await;
    let done = world.refresher.reconcile(Deadline::NONE).await.unwrap();
    assert!((done.refreshed, done.faults, done.is_partial) == (1, 0, false), "{done:?}");
    let found = world.builds.of_revision(&branches("ash"), &revision, 10).await.unwrap();
    assert_eq!((found.builds.len(), found.pending.len()), (1, 1), "a branch has two spellings");
    assert_eq!(world.builds.pending(None, 10, Cursor::Newest).await.unwrap()[0].request_id, second);
    assert_eq!(world.builds.running(Some(&branches("ash")), 10, Cursor::Newest).await.unwrap().len(), 1);
    assert!(
        world.builds.running(Some(&branches("as")), 10, Cursor::Newest).await.unwrap().is_empty(),
        "no branch is another's beginning"
    );
    let again = world.refresher.reconcile(Deadline::NONE).await.unwrap();
    assert_eq!((again.refreshed, again.new), (0, 0), "what is true is not asked for again");
    world.master.release(BUILDER).unwrap();
    world.over(first).await;
    world.over(second).await;
    world.refresher.reconcile(Deadline::NONE).await.unwrap();
    let of_bob = world.builds.of_user(&branches("ash"), "bob", 10, Cursors::default()).await.unwrap();
    assert_eq!((of_bob.builds.len(), of_bob.running.len(), of_bob.pending.len()), (1, 0, 0));
    let over = &of_bob.builds[0];
    assert_eq!((over.outcome(), over.claimed_by_name.as_deref()), (Some(Outcome::Success), Some("worker")));
    let span = |from: i64| from..from + 3600;
    let ash = branches("ash");
    let day = world.builds.of_day(&ash, span(over.starttime - 1800), 1, Cursors::default()).await.unwrap();
    assert_eq!(day.builds.len(), 1, "as many as are asked for");
    let behind = Cursors { builds: Cursor::Before(day.builds[0].build_id), ..Cursors::default() };
    let rest = world.builds.of_day(&ash, span(over.starttime - 1800), 9, behind);
    assert_eq!(rest.await.unwrap().builds.len(), 1, "and then the rest");
    assert_eq!(world.builds.recent(Some("worker"), 10, Cursor::Newest).await.unwrap().len(), 2);
    assert!(world.builds.recent(Some("other"), 10, Cursor::Newest).await.unwrap().is_empty());
    let ended = over.endtime.unwrap();
    // The other one may have ended in the same second.
    let finished = world.builds.finished_between(ended..ended + 1, 10).await.unwrap();
    assert!(finished.contains(over) && finished.iter().all(|build| build.endtime == Some(ended)), "{finished:?}");
    assert!(world.builds.finished_between(0..over.starttime - 3600, 10).await.unwrap().is_empty());

    // An old event, and lies: what is written is what the master says.
    let late = world.refresher.event(&began).await.unwrap().unwrap();
    assert_eq!((late.state, late.request_id), (State::Complete, first));
    let lie =
        json!({ "buildrequestid": first, "results": 2, "complete": false, "properties": { "owner": ["mallory", ""] } });
    assert_eq!(world.refresher.event(&lie).await.unwrap().unwrap(), late);
    assert_eq!(world.refresher.event(&json!({ "buildrequestid": 9999 })).await.unwrap(), None);
    assert!(world.builds.request(9999).await.unwrap().is_none());
    for wrong in [json!({}), json!({ "buildrequestid": "1" }), json!([])] {
        assert!(matches!(world.refresher.event(&wrong).await, Err(RefreshError::Event)), "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_push_is_its_authors_before_it_is_built_and_nobody_takes_it_over() {
    let world = World::start(Settings { builds: 1, ..Settings::default() }).await;
    world.master.hold(BUILDER).unwrap();
    let busy = request(&world, 1, "mozilla-central", REVISION, "bob").await;
    world.build_of(busy).await;
    let (branch, repository) = ("try", "https://hg.example/try");
    let waits = async |count: usize| {
        until("what follows from it waits", async || {
            world.refresher.reconcile(Deadline::NONE).await.unwrap();
            let waiting = world.builds.pending(None, 10, Cursor::Newest).await.unwrap();
            (waiting.len() == count).then(|| waiting.into_iter().next())?
        })
        .await
    };
    world.master.push(repository, branch, REVISION, "alice").await.unwrap();
    let first = waits(1).await;
    assert_eq!(first.owner.as_deref(), Some("alice"));
    // Somebody else tells of the same revision: what was there before stays whose it was, before it is built and after.
    let change = Change {
        piece: Piece { store: None, job: 2, number: 1 },
        branch: branch.to_owned(),
        revision: REVISION.to_owned(),
        repository: repository.to_owned(),
        link: String::new(),
        comments: "Submitted via self-serve".to_owned(),
        requester: "mallory".to_owned(),
        files: Vec::new(),
        properties: Map::new(),
    };
    world.backend.change(&change).await.unwrap();
    assert_eq!(waits(2).await.owner.as_deref(), Some("mallory"), "each has their own");
    let owner = async |id| world.refresher.refresh(id).await.unwrap().unwrap().owner;
    assert_eq!(owner(first.request_id).await.as_deref(), Some("alice"));
    world.master.release(BUILDER).unwrap();
    world.over(first.request_id).await;
    assert_eq!(owner(first.request_id).await.as_deref(), Some("alice"));
    let build = world.build_of(first.request_id).await;
    assert_eq!(world.builds.build(build).await.unwrap().unwrap().owner.as_deref(), Some("alice"));
}

/// A build system that says what it is told to, and stops to be overtaken.
#[derive(Debug, Default)]
struct Told {
    /// When the request was claimed, by how often it was asked for: 0 is never.
    asked: AtomicU64,
    open: bool,
    stopped: Notify,
    go_on: Notify,
}

#[async_trait]
impl Backend for Told {
    async fn request(&self, id: u64) -> Result<Option<backend::Request>, BackendError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let request = backend::Request {
            id,
            builder: BUILDER.to_owned(),
            branch: None,
            revision: None,
            repository: String::new(),
            reason: String::new(),
            priority: i64::try_from(number).unwrap(),
            submitted: 1,
            claimed: None,
            completed: None,
            author: None,
            properties: Map::new(),
        };
        if number == 0 {
            // What it has read grows old.
            self.stopped.notify_one();
            self.go_on.notified().await;
        }
        Ok(self.open.then_some(request))
    }

    async fn builds_of(&self, _: u64) -> Result<Vec<backend::Build>, BackendError> {
        Ok(Vec::new())
    }

    async fn open_requests(&self) -> Result<Vec<backend::Request>, BackendError> {
        Ok(Vec::new())
    }

    async fn requests_since(&self, _: u64, _: usize) -> Result<Vec<u64>, BackendError> {
        Ok(Vec::new())
    }

    async fn check(&self) -> Result<(), BackendError> {
        unreachable!()
    }

    async fn build(&self, _: u64) -> Result<Option<backend::Build>, BackendError> {
        unreachable!()
    }

    async fn builders(&self) -> Result<Vec<backend::Builder>, BackendError> {
        unreachable!()
    }

    async fn start(&self, _: &Start) -> Result<Started, BackendError> {
        unreachable!()
    }

    async fn change(&self, _: &Change) -> Result<u64, BackendError> {
        unreachable!()
    }

    async fn prioritise(&self, _: u64, _: i64) -> Result<(), BackendError> {
        unreachable!()
    }

    async fn cancel_request(&self, _: u64, _: &str) -> Result<(), BackendError> {
        unreachable!()
    }

    async fn stop_build(&self, _: u64, _: &str) -> Result<(), BackendError> {
        unreachable!()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_first_and_writes_last_does_not_bring_back_what_was() {
    let kinto = KintoServer::start(Storage::Memory).await.unwrap();
    let client = support::client(&kinto);
    client.initialise(&support::manifest()).await.unwrap();
    let builds = Builds::new(&client, "self-serve").unwrap();
    let told = Arc::new(Told { open: true, ..Told::default() });
    let refresher = Refresher::new(builds.clone(), told.clone());
    let slow = tokio::spawn({
        let refresher = refresher.clone();
        async move { refresher.refresh(7).await.unwrap().unwrap() }
    });
    told.stopped.notified().await;
    assert_eq!(refresher.refresh(7).await.unwrap().unwrap().priority, 1);
    told.go_on.notify_one();
    assert_eq!(slow.await.unwrap().priority, 2, "it has read again");
    assert_eq!(builds.request(7).await.unwrap().unwrap().priority, 2);

    // An open request that the build system does not have is none; it is found when all are compared.
    let other = Refresher::new(builds.clone(), Arc::new(Told { asked: AtomicU64::new(1), ..Told::default() }));
    assert_eq!(other.reconcile(Deadline::NONE).await.unwrap().refreshed, 1);
    assert!(builds.request(7).await.unwrap().is_none());
    until("nothing is open", async || builds.pending(None, 1, Cursor::Newest).await.unwrap().is_empty().then_some(()))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_is_over_when_all_of_it_is_however_much_there_is() {
    let world = World::start(Settings { builds: 1, ..Settings::default() }).await;
    let (branches, revision) = (vec!["ash".to_owned()], REVISION.parse().unwrap());
    let end = async |before: i64| {
        world.refresher.reconcile(Deadline::NONE).await.unwrap();
        let End { is_over, is_passed } = world.builds.end_of(&branches, &revision, before).await.unwrap();
        (is_over, is_passed)
    };
    let far = i64::from(u32::MAX);
    assert_eq!(end(far).await, (false, false), "nothing is not over");

    // Claimed, and its build has not begun: it is among those that wait.
    world.master.hold_start(BUILDER).unwrap();
    let first = request(&world, 1, "ash", REVISION, "alice").await;
    until("it is claimed", async || world.backend.request(first).await.unwrap().unwrap().claimed).await;
    assert!(world.backend.builds_of(first).await.unwrap().is_empty());
    assert_eq!(end(far).await, (false, false));
    let found = world.builds.of_revision(&branches, &revision, 10).await.unwrap();
    assert_eq!((found.builds.len(), found.pending.len()), (0, 1));
    assert_eq!(
        world.builds.of_user(&branches, "alice", 10, Cursors::default()).await.unwrap().pending[0].request_id,
        first
    );
    world.master.release_start(BUILDER).unwrap();
    world.over(first).await;
    assert_eq!(end(far).await, (true, true));
    let ended = world.builds.of_revision(&branches, &revision, 10).await.unwrap().builds[0].endtime.unwrap();
    assert_eq!((end(ended).await, end(ended + 1).await), ((false, true), (true, true)), "it was over a moment ago");

    // More builds than a list has.
    let records = world.client.collection("self-serve", "builds").unwrap();
    let first_build = world.build_of(first).await.to_string();
    let mut like = records.get::<serde_json::Value>(&first_build).await.unwrap().unwrap().data;
    for own in ["id", "last_modified"] {
        like.as_object_mut().unwrap().remove(own);
    }
    let put = async |id: u64, field: &str, value: serde_json::Value| {
        let mut record = like.clone();
        record["build_id"] = json!(id);
        record[field] = value;
        let stored = records.put(&id.to_string(), &record, Condition::None).await.unwrap();
        assert!(matches!(stored, buildhub_kinto::Outcome::Stored { .. }), "{stored:?}");
    };
    for id in 1000..2100 {
        put(id, "buildnumber", json!(id)).await;
    }
    assert_eq!(end(far).await, (true, true));
    put(1000, "status", json!(2)).await;
    assert_eq!(end(far).await, (true, false), "one of them failed");
    put(1000, "state", json!("running")).await;
    assert_eq!(end(far).await, (false, false), "one of them runs");
    put(1000, "status", json!(5)).await;
    assert_eq!(end(far).await, (true, true), "what is tried again is as good as what succeeds");

    // All of it was cancelled before it was built: it is over, and nobody says that it went well.
    let (branches, revision) = (vec!["oak".to_owned()], REVISION.parse().unwrap());
    world.master.hold(BUILDER).unwrap();
    let busy = request(&world, 2, "elm", REVISION, "alice").await;
    world.build_of(busy).await;
    let waits = request(&world, 3, "oak", REVISION, "alice").await;
    world.refresher.reconcile(Deadline::NONE).await.unwrap();
    assert!(!world.builds.end_of(&branches, &revision, far).await.unwrap().is_over);
    world.backend.cancel_request(waits, "no more").await.unwrap();
    let over = world.over(waits).await.completed.unwrap();
    world.refresher.reconcile(Deadline::NONE).await.unwrap();
    for (before, expected) in [(over, false), (over + 1, true)] {
        let end = world.builds.end_of(&branches, &revision, before).await.unwrap();
        assert_eq!((end.is_over, end.is_passed), (expected, false));
    }
}
