//! Both functions, as programs under AWS's runtime emulator, with all that stands around them.

use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::buildbot::{Buildbot, Settings};
use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::gateway::{self, Gateway};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::moto::{Moto, QueueSettings};
use serde_json::{Value, json};

use crate::ask::{Answer, Ask};
use crate::functions::function;

/// What a proxy signs with who asks.
pub(crate) const SECRET: &str = "thirty-two bytes are just enough";
/// Who a master is when it tells of builds.
pub(crate) const MASTER: &str = "events:push";
pub(crate) const REVISION: &str = "abcdef012345";
pub(crate) const BUILDER: &str = "try linux64 build";
/// A program of this build.
const OWN: &str = env!("CARGO_BIN_EXE_self-serve-agent");
/// Longer than any test waits for something.
const LONG: Duration = Duration::from_mins(1);
const SCHEDULE: &str = r#"{"detail-type":"Scheduled Event","source":"aws.scheduler","detail":{}}"#;

/// Self-serve as it is deployed: the API behind a gateway, the agent behind its queue.
pub(crate) struct Cloud {
    pub(crate) kinto: KintoServer,
    pub(crate) master: Buildbot,
    pub(crate) client: reqwest::Client,
    pub(crate) gateway: Gateway,
    pub(crate) api: Arc<Emulator>,
    settings: Vec<(String, String)>,
    /// Dropped before what it calls.
    pub(crate) messages: EventSource,
}

/// Looks again until it is so.
pub(crate) async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let mut turn = tokio::time::interval(Duration::from_millis(50));
    let found = tokio::time::timeout(LONG, async {
        loop {
            turn.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {LONG:?}: {what}"))
}

impl Cloud {
    /// One build at a time, so that others wait.
    pub(crate) async fn start() -> Self {
        let settings = Settings { builds: 1, ..Settings::default() };
        let (kinto, master, moto) =
            tokio::join!(KintoServer::start(Backend::Memory), Buildbot::start(settings), Moto::start());
        let (kinto, master, moto) = (kinto.unwrap(), master.unwrap(), Arc::new(moto.unwrap()));
        let fifo = QueueSettings { visibility: 60, fifo: true, dead_letters: None };
        let queue = moto.create_queue("jobs.fifo", &fifo).await.unwrap();
        moto.create_bucket("config").await.unwrap();
        let called = master.get("masters").await.unwrap()["masters"][0]["name"].take();
        let masters = json!([{ "name": "bm1", "hostname": "localhost", "db_name": called, "role": "try" }]);
        let branches = json!({
            "mozilla-central": { "repo": "https://hg.example/mozilla-central" },
            "try": { "repo": "https://hg.example/try" }
        });
        for (name, document) in [("branches.json", branches), ("masters.json", masters)] {
            moto.put_object("config", name, document.to_string()).await.unwrap();
        }
        let mut settings = moto.variables();
        let ours = [
            ("SERVER_URL", kinto.url()),
            ("BUILDBOT_URL", master.url()),
            ("BUILDBOT_AUTH", master.auth().to_owned()),
            ("BRANCHES_URL", "s3://config/branches.json".to_owned()),
            ("MASTERS_URL", "s3://config/masters.json".to_owned()),
            ("SELF_SERVE_QUEUE_URL", queue.url.clone()),
            ("SELF_SERVE_IDENTITY", "proxy".to_owned()),
            ("SELF_SERVE_PROXY_SECRET", SECRET.to_owned()),
            ("SELF_SERVE_ADMINS", "group:sheriffs".to_owned()),
            ("SELF_SERVE_EVENTS_AUTH", MASTER.to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        settings.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        let agent = function(OWN, "self-serve-agent", &settings, 2).await;
        // A schedule's turn makes bucket and collections.
        agent.invoke(&serde_json::from_str(SCHEDULE).unwrap()).await.unwrap();
        let api = function(OWN, "self-serve-api", &settings, 4).await;
        Self {
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap(),
            gateway: Gateway::start(&api).await.unwrap(),
            messages: EventSource::start(&moto, &agent, Mapping { queue, batch: 10, concurrency: 2 }),
            kinto,
            master,
            api,
            settings,
        }
    }

    /// Another API of the same cloud with other settings, behind a gateway of its own.
    pub(crate) async fn another(&self, settings: &[(&str, &str)], gateway: gateway::Settings) -> Gateway {
        let ours = self.settings.iter().filter(|(name, _)| settings.iter().all(|(other, _)| other != name)).cloned();
        let theirs = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = ours.chain(theirs).collect();
        let api = function(OWN, "self-serve-api", &settings, 2).await;
        Gateway::with_settings(&api, gateway).await.unwrap()
    }

    pub(crate) async fn answer(&self, ask: &Ask) -> Answer {
        ask.send(&self.client, &self.gateway.url()).await
    }

    /// The job that is taken up, once the agent has done it well.
    pub(crate) async fn carry_out(&self, ask: &Ask) -> Value {
        let answer = self.answer(ask).await;
        assert_eq!(answer.status, 202, "{ask:?}: {answer:?}");
        let number = answer.json()["request_id"].as_u64().unwrap();
        let location = answer.header("location");
        assert!(location.ends_with(&format!("/self-serve/jobs/{number}")), "{location}");
        let path = format!("{}/self-serve/jobs/{number}?format=json", self.gateway.url());
        let job = until("a job is done", async || {
            let job: Value = self.client.get(&path).send().await.unwrap().json().await.unwrap();
            job["completed_at"].is_i64().then_some(job)
        });
        let job = job.await;
        assert_eq!(job["complete_data"]["body"]["errors"], false, "{job}");
        job
    }

    /// The requests that a job started, as the master has them.
    pub(crate) async fn started(&self, job: &Value) -> Vec<Value> {
        let steps = job["steps"].as_object().unwrap().values();
        let mut found = Vec::new();
        for id in steps.flat_map(|step| step["requests"].as_array().unwrap()) {
            found.push(self.request(id.as_u64().unwrap()).await);
        }
        found
    }

    /// A request as the master has it, with its builder's name.
    pub(crate) async fn request(&self, id: u64) -> Value {
        let found = self.master.get(&format!("buildrequests/{id}?property=*")).await.unwrap();
        let mut request = found["buildrequests"][0].clone();
        let builder = self.master.get(&format!("builders/{}", request["builderid"])).await.unwrap();
        request["buildername"] = builder["builders"][0]["name"].clone();
        request
    }
}
