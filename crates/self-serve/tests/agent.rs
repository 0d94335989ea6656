//! Jobs, carried out on a real Buildbot.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod support;

use std::sync::Arc;

use buildhub_core::Deadline;
use buildhub_self_serve::action::Action;
use buildhub_self_serve::backend::{BackendError, Outcome, Piece, Start};
use buildhub_self_serve::builds::refresh::Refresher;
use buildhub_self_serve::builds::{Builds, Cursors, State};
use buildhub_self_serve::jobs::{Asked, Job, Jobs};
use buildhub_self_serve::work::{Agent, Handled, Message, WorkError};
use buildhub_testkit::buildbot::{Release, Settings};
use buildhub_testkit::kinto::{Backend as Storage, KintoServer};
use jiff::{Timestamp, ToSpan as _};
use serde_json::{Map, Value, json};
use support::mortal::Mortal;
use support::{REVISION, World, until};

const BUILDER: &str = "mozilla-central linux64 build";

fn said(job: &Job) -> (bool, &str) {
    let data = job.complete_data.as_ref().unwrap();
    assert_eq!(data.request_id, job.number);
    (data.body.errors, data.body.msg.as_str())
}

/// A request for a build, made by no job that these tests count.
async fn request(world: &World, number: u32) -> u64 {
    request_of(world, number, REVISION).await
}

async fn request_of(world: &World, number: u32, revision: &str) -> u64 {
    let start = Start {
        piece: Piece { store: None, job: 1_000_000, number },
        builders: vec![BUILDER.to_owned()],
        again: None,
        branch: Some("mozilla-central".to_owned()),
        revision: Some(revision.to_owned()),
        repository: "https://hg.example/mozilla-central".to_owned(),
        reason: "first".to_owned(),
        priority: 0,
        requester: "bob".to_owned(),
        properties: json!({ "mine": [1], "buildid": "20260101000000" }).as_object().unwrap().clone(),
    };
    *world.backend.start(&start).await.unwrap().requests.values().next().unwrap()
}

fn revision() -> buildhub_self_serve::action::Revision {
    REVISION.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_starts_builds_is_seen_in_buildbot_afterwards() {
    let world = World::start(Settings::default()).await;
    let original = request(&world, 1).await;
    world.over(original).await;
    let build = world.build_of(original).await;

    // A build, and a request, made again: by as many requests as are asked for, as the first was, in the name of who asks.
    let job = world.carry_out(Action::RebuildBuild { bid: build, priority: 4, count: 3 }).await;
    assert_eq!(said(&job), (false, "Ok"));
    let started = world.started(job.number).await;
    assert_eq!(started.iter().map(|(piece, _)| piece.clone()).collect::<Vec<_>>(), ["1.1", "1.2", "1.3"]);
    let store = job.store.unwrap();
    for (piece, request) in &started {
        assert_eq!((request.builder.as_str(), request.branch.as_deref()), (BUILDER, Some("mozilla-central")));
        assert_eq!((request.revision.as_deref(), request.priority), (Some(REVISION), 4));
        assert_eq!(request.repository, "https://hg.example/mozilla-central");
        assert_eq!(request.reason, "Self-serve: Rebuilt by alice");
        let named = |name: &str| request.properties[name].clone();
        assert_eq!((named("mine"), named("buildid")), (json!([1]), json!("20260101000000")));
        assert_eq!((named("owner"), named("selfserve_job")), (json!("alice"), json!(format!("{piece}@{store}"))));
        let known = world.builds.request(request.id).await.unwrap().unwrap();
        assert_eq!((known.owner.as_deref(), known.priority), (Some("alice"), 4), "it is known at once");
    }
    let job = world.carry_out(Action::RebuildRequest { brid: original, priority: 0, count: 1 }).await;
    assert_eq!((said(&job), world.started(job.number).await.len()), ((false, "Ok"), 1));

    // All nightlies of a branch as one set, and all profile-guided builds.
    let (branch, priority) = ("mozilla-central".to_owned(), 2);
    for (action, kind) in [
        (Action::NewNightlyAtRevision { branch: branch.clone(), revision: revision(), priority }, "nightly"),
        (Action::NewPgobuildAtRevision { branch: branch.clone(), revision: revision(), priority }, "pgo-build"),
    ] {
        let job = world.carry_out(action).await;
        assert_eq!(said(&job), (false, "Ok"));
        let started = world.started(job.number).await;
        assert_eq!(started.len(), 1);
        let request = &started[0].1;
        assert_eq!(request.builder, format!("mozilla-central linux64 {kind}"));
        assert_eq!((request.reason.as_str(), request.priority), ("Self-serve: Requested by alice", 2));
        assert_eq!(request.properties["source"], "self-serve");
        assert_eq!(request.properties["buildid"].as_str().unwrap().len(), 14);
        assert_eq!(request.properties["builduid"].as_str().unwrap().len(), 32);
    }

    // One builder's build, with properties and files.
    let properties = json!({ "extra-flag": { "a": [null, 1] }, "buildid": "1" }).as_object().unwrap().clone();
    let action = |properties: &Map<String, Value>, builder: &str| Action::NewBuildForBuilder {
        branch: "try".to_owned(),
        revision: revision(),
        priority: 7,
        builder_name: builder.to_owned(),
        properties: properties.clone(),
        files: vec!["a.txt".to_owned()],
    };
    let job = world.carry_out(action(&properties, "try linux64 build")).await;
    assert_eq!(said(&job), (false, "Ok"));
    let request = &world.started(job.number).await[0].1;
    assert_eq!((request.branch.as_deref(), request.priority), (Some("try"), 7));
    assert_eq!(request.properties["extra-flag"], json!({ "a": [null, 1] }));
    assert_eq!((&request.properties["buildid"], &request.properties["files"]), (&json!("1"), &json!(["a.txt"])));

    // A push told of: its schedulers decide.
    let job = world.carry_out(Action::NewBuildAtRevision { branch: "try".to_owned(), revision: revision() }).await;
    assert_eq!(said(&job), (false, "Ok"));
    let changes = world.master.get("changes").await.unwrap()["changes"].clone();
    let change = &changes[0];
    assert_eq!(
        (&change["branch"], &change["revision"], &change["author"]),
        (&json!("try"), &json!(REVISION), &json!("alice"))
    );
    assert_eq!(change["comments"], "Submitted via self-serve");
    assert_eq!(change["revlink"], format!("https://hg.example/try/rev/{REVISION}"));
    until("what follows from the change is built, and known as whoever told of it asked for it", async || {
        world.refresher.reconcile(Deadline::NONE).await.unwrap();
        let found = world.builds.of_user(&["try".to_owned()], "alice", 10, Cursors::default()).await.unwrap().builds;
        found.into_iter().find(|build| !build.requests[0].reason.starts_with("Self-serve"))
    })
    .await;

    // What cannot be started ends with what is to be said of it.
    let missing = world.carry_out(Action::RebuildBuild { bid: 9999, priority: 0, count: 1 }).await;
    assert_eq!(said(&missing), (true, "No build with that id"));
    let missing = world.carry_out(Action::RebuildRequest { brid: 9999, priority: 0, count: 1 }).await;
    assert_eq!(said(&missing), (true, "No request with that id"));
    let unknown = world.carry_out(action(&Map::new(), "no such builder")).await;
    assert!(said(&unknown).0 && said(&unknown).1.contains("cannot start no such builder"), "{unknown:?}");
    let stolen = json!({ "owner": "mallory" }).as_object().unwrap().clone();
    let stolen = world.carry_out(action(&stolen, "try linux64 build")).await;
    assert!(said(&stolen).0 && said(&stolen).1.contains("\"owner\""), "{stolen:?}");
    assert!(world.started(stolen.number).await.is_empty());
    let branch = "no-branch".to_owned();
    let nowhere = world.carry_out(Action::NewNightlyAtRevision { branch, revision: revision(), priority: 0 }).await;
    assert_eq!(said(&nowhere), (true, "there is no branch \"no-branch\" any more"));
}

async fn what_ends_or_moves_builds_is_seen_in_buildbot_afterwards(release: Release) {
    let world = World::start(Settings { release, builds: 1, ..Settings::default() }).await;
    world.master.hold(BUILDER).unwrap();
    let runs = request(&world, 1).await;
    let build = world.build_of(runs).await;
    let mut waits = Vec::new();
    for number in 2..=6 {
        waits.push(request(&world, number).await);
    }

    let moved = world.carry_out(Action::Reprioritize { brid: waits[0], priority: 9 }).await;
    assert_eq!(said(&moved), (false, "Ok"));
    assert_eq!(world.backend.request(waits[0]).await.unwrap().unwrap().priority, 9);
    assert_eq!(world.builds.request(waits[0]).await.unwrap().unwrap().priority, 9);

    let cancelled = world.carry_out(Action::CancelRequest { brid: waits[1] }).await;
    assert_eq!(said(&cancelled), (false, format!("{}: Ok", waits[1]).as_str()));
    assert!(world.backend.request(waits[1]).await.unwrap().unwrap().completed.is_some());
    assert_eq!(world.builds.request(waits[1]).await.unwrap().unwrap().state, State::Complete);

    let stopped = world.carry_out(Action::CancelBuild { bid: build }).await;
    assert_eq!(said(&stopped), (false, "Ok"));
    let build_now = world.backend.build(build).await.unwrap().unwrap();
    assert_eq!(build_now.result, Some(Outcome::Cancelled));
    let known = world.builds.build(build).await.unwrap().unwrap();
    assert_eq!((known.state, known.outcome()), (State::Complete, Some(Outcome::Cancelled)));
    let state = world.master.get(&format!("builds/{build}")).await.unwrap()["builds"][0]["state_string"].clone();
    assert!(state.as_str().unwrap().contains("Cancelled via self-serve by alice"), "{state}");

    // Whatever is open of a revision, waiting or not; the one that was moved forward runs.
    until("the next one runs", async || world.backend.builds_of(waits[0]).await.unwrap().into_iter().next()).await;
    let other = Start {
        piece: Piece { store: None, job: 1_000_000, number: 99 },
        builders: vec!["try linux64 build".to_owned()],
        again: None,
        branch: Some("try".to_owned()),
        revision: Some(REVISION.to_owned()),
        repository: String::new(),
        reason: "of another branch".to_owned(),
        priority: 0,
        requester: "bob".to_owned(),
        properties: Map::new(),
    };
    let other = *world.backend.start(&other).await.unwrap().requests.values().next().unwrap();
    let branch = "mozilla-central".to_owned();
    let action = Action::CancelRevision { branch, revision: revision() };
    let all = world.carry_out(action.clone()).await;
    let lines: Vec<_> = [waits[0], waits[2], waits[3], waits[4]].map(|id| format!("{id}: Ok")).to_vec();
    assert_eq!(said(&all), (false, lines.join("\n").as_str()));
    for id in &waits {
        assert!(world.backend.request(*id).await.unwrap().unwrap().completed.is_some());
    }
    assert_eq!(world.over(other).await.reason, "of another branch");
    assert_eq!(world.backend.builds_of(other).await.unwrap()[0].result, Some(Outcome::Success), "it was left alone");
    assert_eq!(said(&world.carry_out(action).await), (false, "No requests to cancel"));

    // What is over, or was never there.
    let brid = waits[0];
    let over = "Request is complete, nothing to do";
    assert_eq!(said(&world.carry_out(Action::Reprioritize { brid, priority: 1 }).await), (false, over));
    assert_eq!(said(&world.carry_out(Action::CancelRequest { brid }).await), (false, over));
    let over = "Build is complete, nothing to do";
    assert_eq!(said(&world.carry_out(Action::CancelBuild { bid: build }).await), (false, over));
    let none = (true, "No request with that id");
    assert_eq!(said(&world.carry_out(Action::Reprioritize { brid: 9999, priority: 1 }).await), none);
    assert_eq!(said(&world.carry_out(Action::CancelRequest { brid: 9999 }).await), none);
    assert_eq!(said(&world.carry_out(Action::CancelBuild { bid: 9999 }).await), (true, "No build with that id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_or_moves_builds_does_so_on_the_newest_buildbot() {
    Box::pin(what_ends_or_moves_builds_is_seen_in_buildbot_afterwards(Release::Newest)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_or_moves_builds_does_so_on_an_older_buildbot() {
    Box::pin(what_ends_or_moves_builds_is_seen_in_buildbot_afterwards(Release::Old)).await;
}

async fn what_is_cancelled_while_its_build_is_about_to_begin_is_over(release: Release) {
    let world = World::start(Settings { release, builds: 1, ..Settings::default() }).await;
    world.master.hold_start(BUILDER).unwrap();
    let cancelled = request(&world, 1).await;
    let find = async || world.backend.request(cancelled).await.unwrap().unwrap();
    until("it is claimed", async || find().await.claimed).await;
    world.backend.cancel_request(cancelled, "too early").await.unwrap();
    assert!(find().await.completed.is_none() && world.backend.builds_of(cancelled).await.unwrap().is_empty());
    world.master.release_start(BUILDER).unwrap();
    world.over(cancelled).await;
    let builds = world.backend.builds_of(cancelled).await.unwrap();
    assert_eq!((builds.len(), builds[0].result), (1, Some(Outcome::Cancelled)));
    // And the worker's only place is free.
    let next = request(&world, 2).await;
    world.over(next).await;
    assert_eq!(world.backend.builds_of(next).await.unwrap()[0].result, Some(Outcome::Success));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_cancelled_while_its_build_is_about_to_begin_is_over_and_takes_no_place() {
    let of = what_is_cancelled_while_its_build_is_about_to_begin_is_over;
    tokio::join!(of(Release::Newest), of(Release::Old));
}

/// Carries out an action again and again, each time by an agent that dies one step later, and then by one that does not;
/// the jobs, each with how it ended. It takes its time: each step of each action is a job of its own on a real master.
async fn die_at_each_step(world: &World, action: impl AsyncFn(usize) -> Action) -> Vec<Job> {
    let mut jobs = Vec::new();
    for fatal in 1.. {
        let job = world.ask(action(fatal).await).await;
        let mortal = Mortal::new(&world.backend, fatal);
        let agent = world.agent_on(mortal.clone());
        let message = Message { job: job.number };
        let survived = tokio::select! {
            () = mortal.halted.notified() => false,
            handled = agent.handle(message, Timestamp::now(), Deadline::NONE) => {
                handled.unwrap();
                true
            }
        };
        if !survived {
            world.handle(job.number).await;
        }
        jobs.push(world.jobs.find(job.number).await.unwrap().unwrap());
        if survived {
            return jobs;
        }
    }
    unreachable!()
}

/// A world in which whatever is started waits: the only place of its worker is taken. What is over already comes first:
/// a build, and its request.
async fn busy_world() -> (World, u64, u64) {
    let world = World::start(Settings { builds: 1, ..Settings::default() }).await;
    let original = request(&world, 1).await;
    world.over(original).await;
    let build = world.build_of(original).await;
    world.master.hold(BUILDER).unwrap();
    let busy = request(&world, 2).await;
    world.build_of(busy).await;
    (world, build, original)
}

/// Of each job every piece is there, once.
async fn assert_started(world: &World, jobs: &[Job], pieces: u32) {
    // One before and one after what starts something, and one before each question about it.
    assert!(jobs.len() > 3, "a job has many steps: {}", jobs.len());
    let all = world.master.get("buildrequests?property=selfserve_job").await.unwrap();
    let named = |request: &Value| request["properties"]["selfserve_job"][0].as_str().unwrap_or_default().to_owned();
    let there: Vec<_> = all["buildrequests"].as_array().unwrap().iter().map(named).collect();
    // Each with the store's name.
    let there: Vec<_> = there.iter().filter_map(|piece| piece.split_once('@')).map(|(piece, _)| piece).collect();
    for job in jobs {
        assert_eq!(said(job), (false, "Ok"), "{job:?}");
        let its = format!("{}.", job.number);
        let mut started: Vec<_> = there.iter().filter(|piece| piece.starts_with(&its)).copied().collect();
        started.sort_unstable();
        assert_eq!(started, (1..=pieces).map(|piece| format!("{its}{piece}")).collect::<Vec<_>>());
    }
}

fn revision_of(number: usize) -> buildhub_self_serve::action::Revision {
    format!("{:012x}", 0xabc0_0000_0000_u64 + number as u64).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_at_any_step_is_followed_by_one_that_starts_nothing_twice_and_loses_nothing() {
    let (world, build, original) = busy_world().await;
    let (priority, count) = (0, 2);
    let rebuilt = die_at_each_step(&world, async |_| Action::RebuildBuild { bid: build, priority, count }).await;
    assert!(rebuilt.len() > 8, "a job has many steps: {}", rebuilt.len());
    assert_started(&world, &rebuilt, count).await;
    let again = die_at_each_step(&world, async |_| Action::RebuildRequest { brid: original, priority, count: 1 }).await;
    assert_started(&world, &again, 1).await;

    let branch = || "mozilla-central".to_owned();
    let revision = revision();
    let nightlies = die_at_each_step(&world, async |_| Action::NewNightlyAtRevision {
        branch: branch(),
        revision: revision.clone(),
        priority,
    });
    assert_started(&world, &nightlies.await, 1).await;
    let pgo = die_at_each_step(&world, async |_| Action::NewPgobuildAtRevision {
        branch: branch(),
        revision: revision.clone(),
        priority,
    });
    assert_started(&world, &pgo.await, 1).await;
    let for_builder = die_at_each_step(&world, async |_| Action::NewBuildForBuilder {
        branch: branch(),
        revision: revision.clone(),
        priority,
        builder_name: BUILDER.to_owned(),
        properties: Map::new(),
        files: vec!["a.txt".to_owned()],
    });
    assert_started(&world, &for_builder.await, 1).await;

    let told = die_at_each_step(&world, async |number| Action::NewBuildAtRevision {
        branch: branch(),
        revision: revision_of(number),
    })
    .await;
    let changes = world.master.get("changes").await.unwrap()["changes"].clone();
    let mut revisions: Vec<_> = changes.as_array().unwrap().iter().map(|change| change["revision"].clone()).collect();
    revisions.sort_by_key(ToString::to_string);
    assert_eq!(revisions, (1..=told.len()).map(|number| json!(revision_of(number))).collect::<Vec<_>>());

    // Two at the same moment are as good as one.
    let job = world.ask(Action::RebuildRequest { brid: original, priority: 0, count: 2 }).await;
    let handle = || world.agent.handle(Message { job: job.number }, Timestamp::now(), Deadline::NONE);
    let (first, second) = tokio::join!(handle(), handle());
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
    assert_eq!(world.started(job.number).await.len(), 2);
}

async fn move_at_each_step(world: &World, moved: u64) {
    let jobs = die_at_each_step(world, async |number| Action::Reprioritize {
        brid: moved,
        priority: i64::try_from(number).unwrap(),
    })
    .await;
    assert!(jobs.len() > 3, "a job has many steps: {}", jobs.len());
    for job in &jobs {
        assert_eq!(said(job), (false, "Ok"));
    }
    let last = i64::try_from(jobs.len()).unwrap();
    assert_eq!(world.backend.request(moved).await.unwrap().unwrap().priority, last, "the last one is heard last");
}

async fn cancel_at_each_step(world: &World) {
    let cancelled = std::sync::Mutex::new(Vec::new());
    let jobs = die_at_each_step(world, async |number| {
        let brid = request(world, 100 + u32::try_from(number).unwrap()).await;
        cancelled.lock().unwrap().push(brid);
        Action::CancelRequest { brid }
    })
    .await;
    assert!(jobs.len() > 3, "a job has many steps: {}", jobs.len());
    for (job, brid) in jobs.iter().zip(cancelled.into_inner().unwrap()) {
        assert_eq!(said(job), (false, format!("{brid}: Ok").as_str()));
        assert!(world.backend.request(brid).await.unwrap().unwrap().completed.is_some());
        assert!(world.backend.builds_of(brid).await.unwrap().is_empty());
    }
}

async fn cancel_revision_at_each_step(world: &World) {
    let of_revision = std::sync::Mutex::new(Vec::new());
    let jobs = die_at_each_step(world, async |number| {
        let revision = revision_of(number);
        let mut two = Vec::new();
        for piece in [0, 1] {
            let number = 200 + 2 * u32::try_from(number).unwrap() + piece;
            two.push(request_of(world, number, &revision.to_string()).await);
        }
        of_revision.lock().unwrap().push([two[0], two[1]]);
        Action::CancelRevision { branch: "mozilla-central".to_owned(), revision }
    })
    .await;
    assert!(jobs.len() > 6, "a job has many steps: {}", jobs.len());
    for (job, [first, second]) in jobs.iter().zip(of_revision.into_inner().unwrap()) {
        assert_eq!(said(job), (false, format!("{first}: Ok\n{second}: Ok").as_str()));
        for request in [first, second] {
            assert!(world.backend.request(request).await.unwrap().unwrap().completed.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_at_any_step_is_followed_by_one_that_ends_and_moves_what_was_asked_and_nothing_else() {
    let (world, ..) = busy_world().await;
    let over = async |brid| world.backend.request(brid).await.unwrap().unwrap().completed.is_some();
    // It waits behind all others.
    let bystander = request(&world, 3).await;
    world.backend.prioritise(bystander, -5).await.unwrap();

    // What waits is moved and cancelled side by side: it is not the same.
    let moved = request(&world, 4).await;
    tokio::join!(move_at_each_step(&world, moved), cancel_at_each_step(&world), cancel_revision_at_each_step(&world));
    assert!(!over(moved).await);

    // Whichever runs is stopped, and another one has its place then.
    let stopped = std::sync::Mutex::new(Vec::new());
    let jobs = die_at_each_step(&world, async |number| {
        request(&world, 300 + u32::try_from(number).unwrap()).await;
        let runs = until("one runs", async || {
            let open = world.backend.open_requests().await.unwrap();
            open.into_iter().find(|request| request.claimed.is_some()).map(|request| request.id)
        });
        let build = world.build_of(runs.await).await;
        stopped.lock().unwrap().push(build);
        Action::CancelBuild { bid: build }
    })
    .await;
    for (job, bid) in jobs.iter().zip(stopped.into_inner().unwrap()) {
        assert_eq!(said(job), (false, "Ok"), "{bid}");
        assert_eq!(world.backend.build(bid).await.unwrap().unwrap().result, Some(Outcome::Cancelled));
    }
    assert!(!over(bystander).await, "what nobody asked about is left alone");
}

/// The first one's message was lost, and is sent again when the second one is done.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_priorities_the_one_that_was_asked_for_last_stays_whichever_message_comes_last() {
    let world = World::start(Settings { builds: 1, ..Settings::default() }).await;
    world.master.hold(BUILDER).unwrap();
    world.build_of(request(&world, 1).await).await;
    let waits = request(&world, 2).await;
    let first = world.ask(Action::Reprioritize { brid: waits, priority: 5 }).await;
    let second = world.ask(Action::Reprioritize { brid: waits, priority: 9 }).await;
    assert_eq!(said(&world.handle(second.number).await), (false, "Ok"));
    let late = world.handle(first.number).await;
    assert_eq!(said(&late), (false, "Request was given another priority later, nothing to do"));
    assert_eq!(world.backend.request(waits).await.unwrap().unwrap().priority, 9);
    let third = world.ask(Action::Reprioritize { brid: waits, priority: 1 }).await;
    assert_eq!(said(&world.handle(third.number).await), (false, "Ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_pass_makes_the_message_come_again_and_what_is_lost_is_sent_again_or_given_up() {
    let mut world = World::start(Settings::default()).await;
    let original = request(&world, 1).await;
    world.over(original).await;
    let job = world.ask(Action::RebuildRequest { brid: original, priority: 0, count: 1 }).await;
    world.master.kill().await.unwrap();
    let message = Message { job: job.number };
    let error = world.agent.handle(message, Timestamp::now(), Deadline::NONE).await.unwrap_err();
    assert!(!error.is_lasting(), "{error}");
    let waiting = world.jobs.find(job.number).await.unwrap().unwrap();
    assert!(waiting.is_open() && waiting.trouble.unwrap().contains("server up"), "who follows it is told why");

    // Its message is lost: it is sent again when it is due, and not sooner. What is no job keeps nobody from it.
    let strange =
        json!({ "number": 900, "action": "clobber", "what": {}, "who": "bob", "when": 1, "completed_at": null });
    let records = world.client.collection("self-serve", "jobs").unwrap();
    let _stored = records.put("900", &strange, buildhub_kinto::Condition::IfNoneMatch).await.unwrap();
    let soon = world.agent.sweep(Timestamp::now(), Deadline::NONE).await.unwrap();
    assert_eq!((soon.open, soon.sent, soon.faults), (1, 0, 2), "it is a fault, the master that is away another");
    let listed = world.jobs.newest(9, None).await.unwrap();
    assert_eq!((listed.jobs.len(), listed.unreadable), (1, 1));
    let later = Timestamp::now() + 3.minutes();
    let swept = world.agent.sweep(later, Deadline::NONE).await.unwrap();
    assert_eq!((swept.sent, world.queue.len()), (1, 1));
    assert_eq!(world.agent.sweep(later, Deadline::NONE).await.unwrap().sent, 0);

    world.master.start_again().await.unwrap();
    let delivery = world.queue.receive().await;
    let message = Message::parse(&delivery.body).unwrap();
    let done = world.handle(message.job).await;
    assert_eq!((said(&done), done.trouble.as_deref()), ((false, "Ok"), None));
    assert_eq!(world.started(job.number).await.len(), 1);
    let again = world.agent.handle(message, Timestamp::now(), Deadline::NONE).await.unwrap();
    assert_eq!(again, Handled::Over);
    let unknown = world.agent.handle(Message { job: 9999 }, Timestamp::now(), Deadline::NONE).await.unwrap();
    assert_eq!(unknown, Handled::Unknown);

    // Without time it is left to another invocation.
    let late = world.ask(Action::CancelRequest { brid: original }).await;
    let no_time = Deadline::after(std::time::Duration::from_secs(1));
    let error = world.agent.handle(Message { job: late.number }, Timestamp::now(), no_time).await.unwrap_err();
    assert!(matches!(error, WorkError::Late), "{error}");
    let swept = world.agent.sweep(Timestamp::now() + 25.hours(), Deadline::NONE).await.unwrap();
    assert_eq!((swept.expired, swept.sent), (1, 0));
    let given_up = world.jobs.find(late.number).await.unwrap().unwrap();
    assert!(said(&given_up).0 && said(&given_up).1.contains("within a day"), "{given_up:?}");
}

/// A plain master, on which one request runs and another waits.
async fn plain_world(release: Release) -> (World, [u64; 2]) {
    let world = World::start(Settings { release, plain: true, builds: 1, ..Settings::default() }).await;
    // By hand, for there is nothing else by which a build could be asked for.
    world.master.hold(BUILDER).unwrap();
    let builders = world.backend.builders().await.unwrap();
    let builder = builders.iter().find(|builder| builder.name == BUILDER).unwrap().id;
    let mut requests = Vec::new();
    for revision in [REVISION, "fedcba987654"] {
        let asked =
            json!({ "builderid": builder, "branch": "mozilla-central", "revision": revision, "reason": "by hand" });
        let forced = world.master.control("forceschedulers/hands", "force", &asked).await.unwrap();
        requests.push(forced[1].as_object().unwrap().values().next().unwrap().as_u64().unwrap());
    }
    world.build_of(requests[0]).await;
    (world, requests.try_into().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_master_changes_a_priority_also_without_what_repairs_it() {
    let (world, requests) = plain_world(Release::Old).await;
    let moved = world.carry_out(Action::Reprioritize { brid: requests[1], priority: 7 }).await;
    assert_eq!(said(&moved), (false, "Ok"));
    assert_eq!(world.backend.request(requests[1]).await.unwrap().unwrap().priority, 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plain_master_cannot_do_ends_the_job_with_what_it_needs() {
    let (world, requests) = plain_world(Release::Newest).await;
    let (branch, priority) = ("mozilla-central".to_owned(), 7);
    let for_builder = Action::NewBuildForBuilder {
        branch: branch.clone(),
        revision: revision(),
        priority,
        builder_name: BUILDER.to_owned(),
        properties: Map::new(),
        files: Vec::new(),
    };
    for action in [
        Action::Reprioritize { brid: requests[1], priority },
        Action::RebuildRequest { brid: requests[0], priority, count: 1 },
        Action::NewBuildAtRevision { branch: branch.clone(), revision: revision() },
        Action::NewNightlyAtRevision { branch, revision: revision(), priority },
        for_builder,
    ] {
        let job = world.ask(action).await;
        let message = Message { job: job.number };
        // A master that has just begun may lack it for a moment, however long the job waited for it.
        let begun = Timestamp::now() + 1.hours();
        for moment in [begun, begun + 4.minutes()] {
            let error = world.agent.handle(message, moment, Deadline::NONE).await.unwrap_err();
            assert!(matches!(error, WorkError::Backend(BackendError::Lacks { .. })), "{error}");
        }
        let later = begun + 5.minutes();
        let Handled::Done(over) = world.agent.handle(message, later, Deadline::NONE).await.unwrap() else { panic!() };
        assert!(said(&over).0 && said(&over).1.contains("put buildbot/self_serve beside its master.cfg"), "{over:?}");
    }
    assert_eq!(world.backend.request(requests[1]).await.unwrap().unwrap().priority, 0);
    // What it can do is done.
    let cancelled = world.carry_out(Action::CancelRequest { brid: requests[1] }).await;
    assert_eq!(said(&cancelled), (false, format!("{}: Ok", requests[1]).as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_of_the_master_ends_no_job_and_what_was_asked_for_is_done_when_it_has_passed() {
    let world = World::start(Settings::default()).await;
    let branch = || "mozilla-central".to_owned();
    let for_builder = Action::NewBuildForBuilder {
        branch: branch(),
        revision: revision(),
        priority: 0,
        builder_name: BUILDER.to_owned(),
        properties: Map::new(),
        files: Vec::new(),
    };
    let for_builder = world.ask(for_builder).await;
    let told = world.ask(Action::NewBuildAtRevision { branch: branch(), revision: revision_of(1) }).await;
    for (table, job) in [("buildset_properties", for_builder), ("change_properties", told)] {
        let renamed = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to};");
        world.master.database(&renamed(table, "elsewhere")).await.unwrap();
        let message = Message { job: job.number };
        let error = world.agent.handle(message, Timestamp::now(), Deadline::NONE).await.unwrap_err();
        assert!(!error.is_lasting(), "{error}");
        let waiting = world.jobs.find(job.number).await.unwrap().unwrap();
        assert!(waiting.is_open() && waiting.trouble.unwrap().contains("no such table"), "{job:?}");
        world.master.database(&renamed("elsewhere", table)).await.unwrap();
        let done = world.handle(job.number).await;
        assert_eq!(said(&done), (false, "Ok"));
        assert_eq!(world.started(job.number).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_that_ask_one_master_for_the_same_each_get_their_own() {
    let world = World::start(Settings::default()).await;
    let other = KintoServer::start(Storage::Memory).await.unwrap();
    let client = support::client(&other);
    client.initialise(&support::manifest()).await.unwrap();
    let (jobs, builds) = (Jobs::new(&client, "self-serve").unwrap(), Builds::new(&client, "self-serve").unwrap());
    let refresher = Refresher::new(builds, Arc::clone(&world.backend));
    let (documents, queue) = (Arc::clone(&world.documents), world.queue.clone());
    let agent = Agent::new(jobs.clone(), refresher, Arc::clone(&world.backend), documents, queue);

    let branch = || "mozilla-central".to_owned();
    let for_builder = Action::NewBuildForBuilder {
        branch: branch(),
        revision: revision(),
        priority: 0,
        builder_name: BUILDER.to_owned(),
        properties: Map::new(),
        files: Vec::new(),
    };
    let told = Action::NewBuildAtRevision { branch: branch(), revision: revision() };
    for action in [for_builder, told] {
        let ours = world.carry_out(action.clone()).await;
        let asked = jobs.ask(action, "alice", Timestamp::now().as_second(), None).await.unwrap();
        let Asked::New(theirs) = asked else { panic!("{asked:?}") };
        assert_eq!((ours.number, &ours.who), (theirs.number, &theirs.who));
        let message = Message { job: theirs.number };
        let Handled::Done(theirs) = agent.handle(message, Timestamp::now(), Deadline::NONE).await.unwrap() else {
            panic!()
        };
        assert_eq!((said(&ours), said(&theirs)), ((false, "Ok"), (false, "Ok")));
    }
    let all = world.master.get("buildrequests").await.unwrap();
    assert_eq!(all["buildrequests"].as_array().unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn builders_that_self_serve_may_not_start_are_named_by_the_job_that_asked_for_them() {
    let world = World::start(Settings::default()).await;
    let of = json!({ "properties": { "branch": "try" } });
    // The master does not have the second one; a document may be ahead of it.
    world.has_builders(&json!({ "try linux64 nightly": of, "try macosx64 nightly": of, "try macosx64 pgo-build": of }));
    let (branch, priority) = (|| "try".to_owned(), 0);
    let job = world.ask(Action::NewNightlyAtRevision { branch: branch(), revision: revision(), priority }).await;
    // Also where whoever started it died before the job was over.
    let mortal = Mortal::new(&world.backend, 2);
    let agent = world.agent_on(mortal.clone());
    tokio::select! {
        () = mortal.halted.notified() => {}
        handled = agent.handle(Message { job: job.number }, Timestamp::now(), Deadline::NONE) => panic!("{handled:?}"),
    }
    let done = world.handle(job.number).await;
    assert_eq!(said(&done), (true, "Ok, but for what self-serve may not start there: try macosx64 nightly"));
    assert_eq!(world.started(job.number).await.len(), 1);
    let none =
        world.carry_out(Action::NewPgobuildAtRevision { branch: branch(), revision: revision(), priority }).await;
    assert!(said(&none).0 && said(&none).1.contains("try macosx64 pgo-build"), "{none:?}");
}
