//! A Kinto, a Buildbot, a site's documents and an agent.
#![allow(dead_code, reason = "each test uses some of it")]

pub(crate) mod mortal;
pub(crate) mod records;
pub(crate) mod site;

use std::sync::Arc;
use std::time::Duration;

use buildhub_core::queue::MemoryQueue;
use buildhub_core::store::{S3Settings, Stores};
use buildhub_core::{Deadline, Variables};
use buildhub_http::{Http, HttpSettings};
use buildhub_kinto::{Client, ClientSettings, Manifest};
use buildhub_self_serve::action::Action;
use buildhub_self_serve::backend::{Backend, Piece, Request, Start};
use buildhub_self_serve::buildbot::{Buildbot, BuildbotSettings};
use buildhub_self_serve::builds::Builds;
use buildhub_self_serve::builds::refresh::Refresher;
use buildhub_self_serve::config::{Documents, Places};
use buildhub_self_serve::jobs::{Asked, Job, Jobs};
use buildhub_self_serve::work::{Agent, Handled, Message};
use buildhub_testkit::buildbot as testkit;
use buildhub_testkit::kinto::{Backend as Storage, KintoServer};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

const MANIFEST: &str = include_str!("../../self-serve.json");
const LIMIT: Duration = Duration::from_mins(2);

pub(crate) const REVISION: &str = "abcdef012345";
pub(crate) const BUILDER: &str = "try linux64 build";

/// All that self-serve is made of but its API.
pub(crate) struct World {
    pub(crate) kinto: KintoServer,
    pub(crate) master: testkit::Buildbot,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) client: Client,
    pub(crate) jobs: Jobs,
    pub(crate) builds: Builds,
    pub(crate) refresher: Refresher,
    pub(crate) documents: Arc<Documents>,
    pub(crate) queue: Arc<MemoryQueue>,
    pub(crate) agent: Agent,
    folder: TempDir,
}

impl World {
    pub(crate) async fn start(settings: testkit::Settings) -> Self {
        let (kinto, master) = tokio::join!(KintoServer::start(Storage::Memory), testkit::Buildbot::start(settings));
        let (kinto, master) = (kinto.unwrap(), master.unwrap());
        let backend = backend(&master);
        let client = client(&kinto);
        client.initialise(&manifest()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let called = master.get("masters").await.unwrap()["masters"][0]["name"].clone();
        let documents = documents(&folder, &called);
        let (jobs, builds) = (Jobs::new(&client, "self-serve").unwrap(), Builds::new(&client, "self-serve").unwrap());
        let refresher = Refresher::new(builds.clone(), Arc::clone(&backend));
        let queue = Arc::new(MemoryQueue::new(10_000, Duration::from_mins(1)));
        let mut world = Self {
            agent: Agent::new(
                jobs.clone(),
                refresher.clone(),
                Arc::clone(&backend),
                Arc::clone(&documents),
                queue.clone(),
            ),
            kinto,
            master,
            backend,
            client,
            jobs,
            builds,
            refresher,
            documents,
            queue,
            folder,
        };
        world.agent = world.agent_on(Arc::clone(&world.backend));
        world
    }

    /// An agent that steers this in place of the master.
    pub(crate) fn agent_on(&self, backend: Arc<dyn Backend>) -> Agent {
        let refresher = Refresher::new(self.builds.clone(), Arc::clone(&backend));
        Agent::new(self.jobs.clone(), refresher, backend, Arc::clone(&self.documents), self.queue.clone())
    }

    /// The document of builders says this from now on, where it was not read yet.
    pub(crate) fn has_builders(&self, builders: &serde_json::Value) {
        std::fs::write(self.folder.path().join("builders.json"), json!({ "builders": builders }).to_string()).unwrap();
    }

    /// Somebody asks.
    pub(crate) async fn ask(&self, action: Action) -> Job {
        let now = Timestamp::now().as_second();
        match self.jobs.ask(action, "alice", now, None).await.unwrap() {
            Asked::New(job) => job,
            other => panic!("{other:?}"),
        }
    }

    /// Somebody asks, and it is carried out.
    pub(crate) async fn carry_out(&self, action: Action) -> Job {
        let job = self.ask(action).await;
        self.handle(job.number).await
    }

    pub(crate) async fn handle(&self, job: u64) -> Job {
        match self.agent.handle(Message { job }, Timestamp::now(), Deadline::NONE).await.unwrap() {
            Handled::Done(job) => *job,
            other => panic!("{other:?}"),
        }
    }

    /// The requests that a job started, as the master has them: the numbers of its pieces, and each one's request.
    pub(crate) async fn started(&self, job: u64) -> Vec<(String, Request)> {
        let all = self.master.get("buildrequests?property=selfserve_job&order=buildrequestid").await.unwrap();
        let mut found = Vec::new();
        for request in all["buildrequests"].as_array().unwrap() {
            let piece = request["properties"]["selfserve_job"][0].as_str().unwrap_or_default().to_owned();
            // "42.1@" and the store's name.
            let (name, store) = piece.split_once('@').unwrap_or_default();
            if name.split_once('.').is_some_and(|(number, _)| number == job.to_string()) {
                assert_eq!(Some(store.parse().unwrap()), self.jobs.find(job).await.unwrap().unwrap().store);
                let id = request["buildrequestid"].as_u64().unwrap();
                found.push((name.to_owned(), self.backend.request(id).await.unwrap().unwrap()));
            }
        }
        found
    }

    /// A build of a builder of the branch `try` at the revision, in somebody's name; its request's number.
    pub(crate) async fn begin(&self, number: u32, owner: &str) -> u64 {
        let start = Start {
            piece: Piece { store: None, job: 1_000_000, number },
            builders: vec![BUILDER.to_owned()],
            again: None,
            branch: Some("try".to_owned()),
            revision: Some(REVISION.to_owned()),
            repository: String::new(),
            reason: "a push".to_owned(),
            priority: 0,
            requester: owner.to_owned(),
            properties: serde_json::Map::new(),
        };
        *self.backend.start(&start).await.unwrap().requests.values().next().unwrap()
    }

    /// One build that is over, one that runs, and a request that waits: a build's number, and two requests'.
    pub(crate) async fn three(&self) -> (u64, u64, u64) {
        let done = self.begin(1, "alice").await;
        self.over(done).await;
        self.master.hold(BUILDER).unwrap();
        let running = self.begin(2, "alice").await;
        self.build_of(running).await;
        let pending = self.begin(3, "bob").await;
        self.refresher.reconcile(Deadline::NONE).await.unwrap();
        (self.build_of(done).await, running, pending)
    }

    pub(crate) async fn over(&self, request: u64) -> Request {
        until("the request is over", async || {
            self.backend.request(request).await.unwrap().filter(|found| found.completed.is_some())
        })
        .await
    }

    /// The number of a build of a request, once there is one.
    pub(crate) async fn build_of(&self, request: u64) -> u64 {
        let look = async || self.backend.builds_of(request).await.unwrap().first().map(|build| build.id);
        until("a build runs", look).await
    }
}

/// What the bucket holds.
pub(crate) fn manifest() -> Manifest {
    Manifest::parse(MANIFEST).unwrap()
}

pub(crate) fn backend(master: &testkit::Buildbot) -> Arc<dyn Backend> {
    let login = Some(master.auth().parse().unwrap());
    let (backoff_base, read_timeout) = (Duration::from_millis(50), Duration::from_secs(5));
    let http = HttpSettings { backoff_base, read_timeout, ..HttpSettings::default() };
    Arc::new(Buildbot::new(BuildbotSettings { url: master.url().parse().unwrap(), login, http }).unwrap())
}

pub(crate) fn client(kinto: &KintoServer) -> Client {
    Client::new(&ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap())).unwrap()
}

/// Two branches, and the one master by what it calls itself.
fn documents(folder: &TempDir, called: &serde_json::Value) -> Arc<Documents> {
    let masters = json!([
        { "name": "bm1", "hostname": "localhost", "db_name": called, "role": "try" },
        { "name": "bm2", "hostname": "elsewhere", "db_name": "elsewhere:/master", "role": "build" }
    ]);
    let branches = json!({
        "mozilla-central": { "repo": "https://hg.example/mozilla-central" },
        "try": { "repo": "https://hg.example/try" }
    });
    let builder = |branch: &str, kind: &str| {
        (format!("{branch} linux64 {kind}"), json!({ "properties": { "branch": branch, "platform": "linux64" } }))
    };
    let kinds = ["build", "nightly", "pgo-build"];
    let builders: serde_json::Map<_, _> =
        ["mozilla-central", "try"].into_iter().flat_map(|branch| kinds.map(|kind| builder(branch, kind))).collect();
    let place = |name: &str, document: serde_json::Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path.to_str().unwrap().parse().unwrap()
    };
    let places = Places {
        branches: place("branches.json", branches),
        builders: Some(place("builders.json", json!({ "builders": builders }))),
        masters: Some(place("masters.json", masters)),
    };
    let stores = Stores::new(S3Settings::from_variables(&Variables::default()).unwrap());
    Arc::new(Documents::new(places, stores, Http::new(&HttpSettings::default()).unwrap()))
}

/// Looks again until it is so.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let mut every = tokio::time::interval(Duration::from_millis(50));
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
