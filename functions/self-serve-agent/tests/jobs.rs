//! Mixed jobs on a real Buildbot, by instances of the function under AWS's runtime emulator behind a FIFO queue, while the
//! master is restarted, instances are killed and messages come twice: each job is done once.
//!
//! `SELF_SERVE_JOBS` says how many jobs, `SELF_SERVE_BOOTSTRAP` names another program of the function (an unpacked zip's
//! `bootstrap`), and `SELF_SERVE_PEACE` leaves out all that goes wrong: then what is printed is how long a job takes.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(clippy::print_stderr, reason = "figures are printed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_core::queue::Outgoing;
use buildhub_http::HttpSettings;
use buildhub_kinto::{Client, ClientSettings, Query};
use buildhub_self_serve::action::{Action, Kind, Revision};
use buildhub_self_serve::backend::{Backend, Piece, Start};
use buildhub_self_serve::buildbot::{Buildbot, BuildbotSettings};
use buildhub_self_serve::builds::Builds;
use buildhub_self_serve::jobs::{Asked, Job, Jobs};
use buildhub_self_serve::work::Message;
use buildhub_testkit::buildbot::{self as testkit, Settings};
use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::kinto::{Backend as Storage, KintoServer};
use buildhub_testkit::moto::{Moto, Queue, QueueSettings};
use serde_json::{Map, Value, json};

/// Builds of these never end, so that there is something to stop, to move and to cancel. Each runs one at a time, and they
/// leave no place for others: those wait.
const HELD: [&str; 3] = ["try linux64 pgo-build", "try linux64 nightly", "try linux64 build"];
const FREE: &str = "mozilla-central linux64 build";
/// Requests that are moved, and instances of the function.
const MOVED: usize = 5;
const INSTANCES: usize = 3;
/// Seconds that a message stays unseen which an instance has; the template's are many, and instances are killed here.
const VISIBILITY: u32 = 10;
const SCHEDULE: &str = r#"{"detail-type":"Scheduled Event","source":"aws.scheduler","detail":{}}"#;

struct Cloud {
    kinto: KintoServer,
    master: testkit::Buildbot,
    backend: Arc<dyn Backend>,
    jobs: Jobs,
    moto: Arc<Moto>,
    queue: Queue,
    function: Arc<Emulator>,
    _folder: tempfile::TempDir,
}

fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a test's own settings")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Cloud {
    /// With so many seconds that a message stays unseen which an instance has.
    async fn start(visibility: u32) -> Self {
        // Which collapses requests, as Buildbot does where it is not told otherwise.
        let settings = Settings { builds: HELD.len(), collapse: true, ..Settings::default() };
        let (kinto, master, moto) =
            tokio::join!(KintoServer::start(Storage::Memory), testkit::Buildbot::start(settings), Moto::start());
        let (kinto, master, moto) = (kinto.unwrap(), master.unwrap(), Arc::new(moto.unwrap()));
        let fifo = QueueSettings { visibility, fifo: true, dead_letters: None };
        let queue = moto.create_queue("jobs.fifo", &fifo).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let function = function(&kinto, &master, &moto, &queue, folder.path()).await;
        // A schedule's turn makes bucket and collections.
        function.invoke(&serde_json::from_str(SCHEDULE).unwrap()).await.unwrap();
        let login = Some(master.auth().parse().unwrap());
        let http = HttpSettings::default();
        let settings = BuildbotSettings { url: master.url().parse().unwrap(), login, http };
        let jobs = Jobs::new(&client(&kinto), "self-serve").unwrap();
        let backend = Arc::new(Buildbot::new(settings).unwrap());
        Self { kinto, master, backend, jobs, moto, queue, function, _folder: folder }
    }

    /// A request that no job made.
    async fn request(&self, number: usize, builder: &str, revision: &str) -> u64 {
        let start = Start {
            piece: Piece { store: None, job: 1_000_000, number: u32::try_from(number).unwrap() },
            builders: vec![builder.to_owned()],
            again: None,
            branch: Some("try".to_owned()),
            revision: Some(revision.to_owned()),
            repository: String::new(),
            reason: "before".to_owned(),
            priority: 0,
            requester: "bob".to_owned(),
            properties: Map::new(),
        };
        *self.backend.start(&start).await.unwrap().requests.values().next().unwrap()
    }

    async fn send(&self, message: &Outgoing) {
        self.moto.send(&self.queue, &message.body, message.group.as_deref()).await.unwrap();
    }
}

fn client(kinto: &KintoServer) -> Client {
    Client::new(&ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap())).unwrap()
}

async fn function(
    kinto: &KintoServer,
    master: &testkit::Buildbot,
    moto: &Moto,
    queue: &Queue,
    folder: &Path,
) -> Arc<Emulator> {
    let document = |name: &str, document: Value| {
        let path = folder.join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.display().to_string()
    };
    let repository = |name: &str| json!({ "repo": format!("https://hg.example/{name}") });
    let branches = json!({ "mozilla-central": repository("mozilla-central"), "try": repository("try") });
    let of = json!({ "properties": { "branch": "mozilla-central" } });
    let builders =
        json!({ "builders": { "mozilla-central linux64 nightly": of, "mozilla-central linux64 pgo-build": of } });
    let mut variables = moto.variables();
    variables.extend(
        [
            ("SERVER_URL", kinto.url()),
            ("BUILDBOT_URL", master.url()),
            ("BUILDBOT_AUTH", master.auth().to_owned()),
            ("BRANCHES_URL", document("branches.json", branches)),
            ("BUILDERS_URL", document("builders.json", builders)),
            ("SELF_SERVE_QUEUE_URL", queue.url.clone()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let built = PathBuf::from(env!("CARGO_BIN_EXE_self-serve-agent"));
    let bootstrap = variable("SELF_SERVE_BOOTSTRAP").map_or(built, PathBuf::from);
    Arc::new(Emulator::pool(&bootstrap, &variables, INSTANCES).await.unwrap())
}

/// What is there before: requests that are over with their builds, and of the held ones those that are moved, cancelled and
/// stopped.
struct Before {
    over: Vec<(u64, u64)>,
    moved: Vec<u64>,
    cancelled: BTreeMap<usize, u64>,
    revisions: BTreeMap<usize, u64>,
    stopped: Vec<u64>,
}

fn revision(number: usize) -> Revision {
    format!("{:012x}", 0xabc0_0000_0000_u64 + number as u64).parse().unwrap()
}

/// Which of the ten it is; the slow one is rare.
fn kind(number: usize) -> Kind {
    match number % 10 {
        8 if number / 10 >= HELD.len() => Kind::RebuildRequest,
        9 if number % 50 != 9 => Kind::NewBuildForBuilder,
        kind => [
            Kind::RebuildBuild,
            Kind::RebuildRequest,
            Kind::NewBuildForBuilder,
            Kind::NewNightlyAtRevision,
            Kind::NewPgobuildAtRevision,
            Kind::NewBuildAtRevision,
            Kind::Reprioritize,
            Kind::CancelRequest,
            Kind::CancelBuild,
            Kind::CancelRevision,
        ][kind],
    }
}

fn count(number: usize) -> u32 {
    1 + u32::try_from(number / 10 % 3).unwrap()
}

impl Before {
    async fn make(cloud: &Cloud, jobs: usize) -> Self {
        let mut over = Vec::new();
        for number in 0..=(jobs / 50).min(20) {
            let request = cloud.request(5000 + number, FREE, "abcdef012345").await;
            let build = until("a build is over", async || {
                let builds = cloud.backend.builds_of(request).await.unwrap();
                builds.first().filter(|build| build.ended.is_some()).map(|build| build.id)
            });
            over.push((request, build.await));
        }
        let mut stopped = Vec::new();
        for (number, builder) in HELD.into_iter().enumerate() {
            cloud.master.hold(builder).unwrap();
            let request = cloud.request(10 + number, builder, "aaaaaaaaaaaa").await;
            let runs = async || cloud.backend.builds_of(request).await.unwrap().first().map(|build| build.id);
            stopped.push(until("a build runs", runs).await);
        }
        let mut moved = Vec::new();
        for number in 0..MOVED {
            moved.push(cloud.request(100 + number, HELD[0], "bbbbbbbbbbbb").await);
        }
        let (mut cancelled, mut revisions) = (BTreeMap::new(), BTreeMap::new());
        for number in 0..jobs {
            match kind(number) {
                Kind::CancelRequest => {
                    cancelled.insert(number, cloud.request(1000 + number, HELD[0], "cccccccccccc").await);
                }
                Kind::CancelRevision => {
                    let of = revision(number).to_string();
                    revisions.insert(number, cloud.request(1000 + number, HELD[0], &of).await);
                }
                _ => {}
            }
        }
        Self { over, moved, cancelled, revisions, stopped }
    }

    fn action(&self, number: usize) -> Action {
        let branch = "mozilla-central".to_owned();
        let (revision, priority) = (revision(number), 0);
        let over = self.over[number / 10 % self.over.len()];
        match kind(number) {
            Kind::RebuildBuild => Action::RebuildBuild { bid: over.1, priority, count: count(number) },
            Kind::RebuildRequest => Action::RebuildRequest { brid: over.0, priority, count: 1 },
            Kind::NewBuildForBuilder => Action::NewBuildForBuilder {
                branch,
                revision,
                priority,
                builder_name: FREE.to_owned(),
                properties: Map::new(),
                files: Vec::new(),
            },
            Kind::NewNightlyAtRevision => Action::NewNightlyAtRevision { branch, revision, priority },
            Kind::NewPgobuildAtRevision => Action::NewPgobuildAtRevision { branch, revision, priority },
            Kind::NewBuildAtRevision => Action::NewBuildAtRevision { branch, revision },
            Kind::Reprioritize => {
                let priority = i64::try_from(1 + number / 10 % 100).unwrap();
                Action::Reprioritize { brid: self.moved[number / 10 % MOVED], priority }
            }
            Kind::CancelRequest => Action::CancelRequest { brid: self.cancelled[&number] },
            Kind::CancelBuild => Action::CancelBuild { bid: self.stopped[number / 10] },
            Kind::CancelRevision => Action::CancelRevision { branch: "try".to_owned(), revision },
        }
    }
}

async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let mut every = tokio::time::interval(Duration::from_millis(100));
    let found = tokio::time::timeout(Duration::from_mins(3), async {
        loop {
            every.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Kills what runs, and restarts the master, until the queue is empty.
async fn make_trouble(cloud: &mut Cloud, source: &EventSource, jobs: usize) -> (usize, usize) {
    let (mut kills, mut restarts) = (0, 0);
    for turn in 1.. {
        let wait = Duration::from_millis(fastrand::u64(400..2500));
        if let Ok(drained) = tokio::time::timeout(wait, source.drained()).await {
            drained.unwrap();
            break;
        }
        kills += usize::from(kills < 2 + jobs / 30 && cloud.function.kill_busy());
        if restarts <= jobs / 100 && turn % 12 == 3 {
            cloud.master.kill().await.unwrap();
            tokio::time::sleep(Duration::from_millis(fastrand::u64(0..3000))).await;
            cloud.master.start_again().await.unwrap();
            restarts += 1;
        }
    }
    (kills, restarts)
}

/// How often the master has each piece: of requests and of changes.
async fn pieces(master: &testkit::Buildbot) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let sets = master.get("buildsets?limit=100000").await.unwrap()["buildsets"].take();
    let changes = master.get("changes?limit=100000").await.unwrap()["changes"].take();
    let of_sets = sets.as_array().unwrap().iter().filter_map(|set| set["external_idstring"].as_str());
    let of_changes =
        changes.as_array().unwrap().iter().filter_map(|change| change["properties"]["selfserve_job"][0].as_str());
    for piece in of_sets.chain(of_changes).filter(|piece| !piece.starts_with("1000000.")) {
        *found.entry(piece.to_owned()).or_insert(0) += 1;
    }
    found
}

/// How many requests the master has of each piece: what was started, and what schedulers made of a change.
async fn requests_of_pieces(master: &testkit::Buildbot) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let all = master.get("buildrequests?property=selfserve_job&limit=100000").await.unwrap()["buildrequests"].take();
    let of_all =
        all.as_array().unwrap().iter().filter_map(|request| request["properties"]["selfserve_job"][0].as_str());
    for piece in of_all.filter(|piece| !piece.starts_with("1000000.")) {
        *found.entry(piece.to_owned()).or_insert(0) += 1;
    }
    found
}

/// What each job should have started, once.
fn expected(jobs: &[Job]) -> BTreeMap<String, u32> {
    let mut pieces = BTreeMap::new();
    for job in jobs {
        let count = match &job.action {
            Action::RebuildBuild { count, .. } | Action::RebuildRequest { count, .. } => *count,
            Action::NewBuildAtRevision { .. }
            | Action::NewNightlyAtRevision { .. }
            | Action::NewPgobuildAtRevision { .. }
            | Action::NewBuildForBuilder { .. } => 1,
            _ => 0,
        };
        pieces.extend((1..=count).map(|number| {
            let piece = Piece { store: job.store, job: job.number, number };
            (piece.to_string(), 1)
        }));
    }
    pieces
}

/// With the template's queue, on which a message stays unseen for twelve minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_master_that_was_away_for_seconds_costs_no_more_than_seconds() {
    let mut cloud = Cloud::start(720).await;
    let mapping = Mapping { queue: cloud.queue.clone(), batch: 5, concurrency: INSTANCES };
    let source = EventSource::start(&cloud.moto, &cloud.function, mapping);
    cloud.master.kill().await.unwrap();
    let mut jobs = Vec::new();
    for _ in 0..2 {
        let action = Action::NewBuildForBuilder {
            branch: "mozilla-central".to_owned(),
            revision: revision(1),
            priority: 0,
            builder_name: FREE.to_owned(),
            properties: Map::new(),
            files: Vec::new(),
        };
        let now = jiff::Timestamp::now().as_second();
        let Asked::New(job) = cloud.jobs.ask(action, "alice", now, None).await.unwrap() else { panic!() };
        cloud.send(&Message::outgoing(&job, 0)).await;
        jobs.push(job.number);
    }
    until("it is tried", async || cloud.jobs.find(jobs[0]).await.unwrap().and_then(|job| job.trouble)).await;
    cloud.master.start_again().await.unwrap();
    for number in jobs {
        let job = until("it is over", async || cloud.jobs.find(number).await.unwrap().filter(|job| !job.is_open()));
        assert!(!job.await.complete_data.unwrap().body.errors);
    }
    source.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_mixed_jobs_is_done_once_whatever_dies_meanwhile() {
    let count = variable("SELF_SERVE_JOBS").map_or(60, |text| text.parse().unwrap());
    let is_peaceful = variable("SELF_SERVE_PEACE").is_some();
    let mut cloud = Cloud::start(VISIBILITY).await;
    let before = Before::make(&cloud, count).await;
    let began = Instant::now();
    let mapping = Mapping { queue: cloud.queue.clone(), batch: 10, concurrency: INSTANCES };
    let source = EventSource::start(&cloud.moto, &cloud.function, mapping);

    let (mut jobs, mut asked) = (Vec::new(), BTreeMap::new());
    for number in 0..count {
        if is_peaceful {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let now = jiff::Timestamp::now();
        let action = before.action(number);
        let Asked::New(job) = cloud.jobs.ask(action, "alice", now.as_second(), None).await.unwrap() else { panic!() };
        cloud.send(&Message::outgoing(&job, 0)).await;
        if number % 5 == 0 && !is_peaceful {
            cloud.send(&Message::outgoing(&job, 1)).await;
        }
        asked.insert(job.number, now.as_millisecond());
        jobs.push(job);
    }
    let (kills, restarts) = if is_peaceful { (0, 0) } else { make_trouble(&mut cloud, &source, count).await };
    source.drained().await.unwrap();
    let took = began.elapsed();
    let (calls, failures) = (source.calls(), source.failures());
    source.stop().await.unwrap();

    // Each said what it did, and did it.
    let over = cloud_jobs(&cloud.kinto).await;
    assert_eq!(over.len(), count);
    for job in &jobs {
        let done = &over[&job.number];
        let said = &done["complete_data"]["body"];
        assert_eq!(said["errors"], false, "{done}");
        let message = said["msg"].as_str().unwrap();
        // A master that dies takes with it the builds that run.
        let was_over = job.action.kind() == Kind::CancelBuild && message == "Build is complete, nothing to do";
        assert!(message == "Ok" || message.ends_with(": Ok") || was_over, "{done}");
    }
    assert_eq!(pieces(&cloud.master).await, expected(&jobs), "each piece of each job is there once");
    // Each is of one builder, and what is pushed to the branch one scheduler builds with one.
    assert_eq!(requests_of_pieces(&cloud.master).await, expected(&jobs), "and is built once");
    if !is_peaceful {
        assert!(
            kills > 0 && restarts > 0 && failures > 0,
            "{kills} kills, {restarts} restarts, {failures} calls that died"
        );
    }
    for request in before.cancelled.values().chain(before.revisions.values()) {
        assert!(cloud.backend.request(*request).await.unwrap().unwrap().completed.is_some(), "{request}");
    }
    for build in &before.stopped {
        assert!(cloud.backend.build(*build).await.unwrap().unwrap().ended.is_some(), "{build}");
    }
    for request in &before.moved {
        let last = jobs.iter().rev().find_map(|job| match job.action {
            Action::Reprioritize { brid, priority } if brid == *request => Some(priority),
            _ => None,
        });
        let now = cloud.backend.request(*request).await.unwrap().unwrap().priority;
        assert_eq!(now, last.unwrap_or(0), "who asked last is heard last: {request}");
    }

    // What is known of builds is what there is.
    let schedule = serde_json::from_str(SCHEDULE).unwrap();
    until("all is known", async || {
        let swept = cloud.function.invoke(&schedule).await.unwrap();
        (swept["builds"]["is_partial"] == false && swept["faults"] == 0).then_some(())
    })
    .await;
    let builds = Builds::new(&client(&cloud.kinto), "self-serve").unwrap();
    for request in cloud.backend.open_requests().await.unwrap() {
        let known = builds.request(request.id).await.unwrap().unwrap();
        assert_eq!((known.priority, known.complete), (request.priority, 0), "{request:?}");
    }

    let mut delays: Vec<_> = over.iter().map(|(id, job)| job["last_modified"].as_i64().unwrap() - asked[id]).collect();
    delays.sort_unstable();
    let at = |part: usize| delays[(delays.len() * part / 100).min(delays.len() - 1)];
    eprintln!(
        "{count} jobs in {took:?}: {} pieces each once, {calls} calls of which {failures} died, {kills} kills, {restarts} \
         restarts of the master; asked to done: p50 {} ms, p99 {} ms, longest {} ms",
        expected(&jobs).len(),
        at(50),
        at(99),
        at(100)
    );
}

/// The records of the jobs by their numbers.
async fn cloud_jobs(kinto: &KintoServer) -> BTreeMap<u64, Value> {
    let records = client(kinto).collection("self-serve", "jobs").unwrap();
    let found = records.list::<Value>(Query::new()).await.unwrap();
    found.into_iter().map(|stored| (stored.data["number"].as_u64().unwrap(), stored.data)).collect()
}
