//! Source archives, from the request to the redirection: the API and the worker under AWS's runtime emulator, a real
//! Mercurial, and a region on a server of its own each.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

#[path = "harness/functions.rs"]
mod functions;

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::gateway::Gateway;
use buildhub_testkit::mercurial::Mercurial;
use buildhub_testkit::moto::{Moto, Queue, QueueSettings};
use buildhub_testkit::source::{Archive, SourceServer};
use futures::future::join_all;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use functions::{function, program};

const EAST: &str = "archives-east";
const WEST: &str = "archives-west";
/// A revision that no repository has.
const NOWHERE: &str = "0123456789ab";
/// Another, for sources that have the same at every address.
const ANY: &str = "42bf8560b395";
/// Longer than any test waits for something.
const LONG: Duration = Duration::from_mins(1);

/// Two regions, a queue, both functions, and who asks them.
struct Cloud {
    east: Arc<Moto>,
    west: Moto,
    worker: Arc<Emulator>,
    queue: Queue,
    gateway: Gateway,
    client: Client,
    folder: TempDir,
    /// Dropped before the functions are.
    messages: EventSource,
}

/// A program of this build.
const OWN: &str = env!("CARGO_BIN_EXE_archiver-worker");

/// How a cloud differs from the usual one.
#[derive(Default)]
struct Differently {
    /// Nobody has made the bucket in the west yet.
    is_without_west: bool,
    /// Tasks lie in a folder, where a test can change when they were written.
    has_tasks_in_folder: bool,
    /// What the API sends is lost.
    loses_messages: bool,
}

impl Cloud {
    /// A cloud whose archives come from where the template says.
    async fn new(template: &str) -> Self {
        Self::differently(template, Differently::default()).await
    }

    async fn differently(template: &str, how: Differently) -> Self {
        let (east, west) = (Arc::new(Moto::start().await.unwrap()), Moto::start().await.unwrap());
        east.create_bucket(EAST).await.unwrap();
        if !how.is_without_west {
            west.create_bucket(WEST).await.unwrap();
        }
        // A message that a worker died with does not come again by itself while a test goes on.
        let patient = QueueSettings { visibility: 3600, ..QueueSettings::default() };
        let queue: Queue = east.create_queue("archives", &patient).await.unwrap();
        let nobodys: Queue = east.create_queue("nobodys", &patient).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let mut settings = east.variables();
        let ours = [
            ("ARCHIVER_S3_BUCKETS", format!("us-east-1={EAST},us-west-2={WEST}")),
            ("ARCHIVER_S3_ENDPOINTS", format!("us-west-2={}", west.endpoint())),
            ("ARCHIVER_HGMO_URL_TEMPLATE", template.to_owned()),
            ("ARCHIVER_QUEUE_URL", queue.url.clone()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        settings.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        if how.has_tasks_in_folder {
            let tasks = folder.path().join("tasks").to_str().unwrap().to_owned();
            settings.push(("ARCHIVER_TASKS_FOLDER".to_owned(), tasks));
        }
        let worker = function(OWN, "archiver-worker", &settings, 2).await;
        if how.loses_messages {
            settings.retain(|(name, _)| name != "ARCHIVER_QUEUE_URL");
            settings.push(("ARCHIVER_QUEUE_URL".to_owned(), nobodys.url));
        }
        let api = function(OWN, "archiver-api", &settings, 4).await;
        let mapping = Mapping { queue: queue.clone(), batch: 1, concurrency: 2 };
        let messages = EventSource::start(&east, &worker, mapping);
        Self {
            gateway: Gateway::start(&api).await.unwrap(),
            client: Client::builder().redirect(Policy::none()).no_proxy().build().unwrap(),
            folder,
            east,
            west,
            worker,
            queue,
            messages,
        }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.gateway.url())).send().await.unwrap()
    }

    /// Asks the status that an answer leads to.
    async fn status(&self, location: &str) -> Value {
        let answer: Value = self.client.get(location).send().await.unwrap().json().await.unwrap();
        answer["result"].clone()
    }

    /// Looks at a task until it is over; every state it was seen in.
    async fn until_over(&self, location: &str) -> (Value, Vec<String>) {
        let mut states: Vec<String> = Vec::new();
        let mut turn = tokio::time::interval(Duration::from_millis(30));
        let over = async {
            loop {
                turn.tick().await;
                let result = self.status(location).await;
                let state = result["state"].as_str().unwrap().to_owned();
                let is_over = matches!(state.as_str(), "SUCCESS" | "FAILURE" | "REVOKED");
                if states.last() != Some(&state) {
                    states.push(state);
                }
                if is_over {
                    return result;
                }
            }
        };
        let Ok(result) = tokio::time::timeout(LONG, over).await else {
            panic!("it does not end: {}", self.worker.logs().unwrap());
        };
        (result, states)
    }

    /// `buildhub archive ARGS`, asking this cloud.
    async fn archive(&self, args: &[&str]) -> Output {
        let mut command = tokio::process::Command::new(program(OWN, "buildhub"));
        command.arg("archive").args(args).args(["--archiver", &self.gateway.url()]);
        command.env_clear().env("NO_PROXY", "127.0.0.1").current_dir(self.folder.path()).stdin(Stdio::null());
        tokio::time::timeout(LONG, command.output()).await.unwrap().unwrap()
    }

    /// A schedule's turn; the answer.
    async fn sweep(&self) -> Value {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let event = std::fs::read(root.join("events/archiver-worker/schedule.json")).unwrap();
        self.worker.invoke(&serde_json::from_slice(&event).unwrap()).await.unwrap()
    }

    /// Lets a minute pass for the worker of a task: its lease is over, and its message comes again.
    async fn let_lease_end(&self, id: &str) {
        let key = format!(".tasks/{id}.json");
        let mut task: Value = serde_json::from_str(&self.east.get_object(EAST, &key).await.unwrap()).unwrap();
        assert_eq!(task["state"], "started", "{task}");
        let past = json!("2026-01-01T00:00:00Z");
        task["lease"]["until"] = past.clone();
        for name in ["sent", "changed"] {
            task[name] = past.clone();
        }
        self.east.put_object(EAST, &key, task.to_string()).await.unwrap();
        self.send_again(id).await;
    }

    /// Lets an hour pass for a task that lies in the folder.
    fn let_an_hour_pass(&self, id: &str) {
        let path = self.folder.path().join(format!("tasks/{id}.json"));
        let mut task: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let then = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(1);
        for name in ["asked", "sent", "changed"] {
            task[name] = json!(then.to_string());
        }
        std::fs::write(&path, task.to_string()).unwrap();
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(then.into()).unwrap();
    }

    /// Sends the message of a task's first generation, as the sweep would some minutes later.
    async fn send_again(&self, id: &str) {
        let message = json!({ "task": id, "generation": 1 });
        self.east.send(&self.queue, &message.to_string(), None).await.unwrap();
    }

    /// Everything in both buckets but tasks.
    async fn objects(&self) -> (Vec<String>, Vec<String>) {
        let mut east = self.east.object_keys(EAST, "").await.unwrap();
        east.retain(|key| !key.starts_with(".tasks/"));
        (east, self.west.object_keys(WEST, "").await.unwrap())
    }
}

fn location(answer: &Response) -> String {
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_is_asked_for_waited_for_and_then_a_redirection_away_near_to_who_asks() {
    let files = [("testing/mozharness/run.py", b"print('run')\n".to_vec()), ("README", b"ash\n".to_vec())];
    let hg = Mercurial::start("projects/ash", &files).await.unwrap();
    let cloud = Cloud::new(&hg.template()).await;
    let short = &hg.revision()[..12];
    let path = format!("/archiver/hgmo/projects/ash/{short}?subdir=testing/mozharness&preferred_region=us-west-2");

    let answer = cloud.get(&path).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let status = location(&answer);
    let id = format!("projects_ash-{short}.tar.gz_testing_mozharness");
    assert_eq!(status, format!("{}/archiver/status/{id}", cloud.gateway.url()));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["result"], json!({}));
    assert!(body["request_id"].is_string());

    let (result, seen) = cloud.until_over(&status).await;
    let passed: Vec<_> = seen.iter().map(String::as_str).collect();
    assert!(passed.iter().all(|state| ["PENDING", "STARTED", "SUCCESS"].contains(state)), "{passed:?}");
    assert_eq!(result["state"], "SUCCESS");
    assert_eq!(result["status"], "Task completed! Check 's3_urls' for upload locations.");
    assert_eq!(
        result["src_url"],
        hg.template()
            .replace("{repo}", "projects/ash")
            .replace("{rev}", short)
            .replace("{suffix}", "tar.gz")
            .replace("{subdir}", "testing/mozharness")
    );
    let urls = result["s3_urls"].as_object().unwrap();
    assert_eq!(urls.keys().collect::<Vec<_>>(), ["us-east-1", "us-west-2"]);

    let expected = hg.archive(short, "tar.gz", "testing/mozharness").await.unwrap();
    let answer = cloud.get(&path).await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    let near = location(&answer);
    assert!(near.starts_with(&cloud.west.endpoint()), "{near}");
    for url in [near.as_str()].into_iter().chain(urls.values().map(|url| url.as_str().unwrap())) {
        let archive = cloud.client.get(url).send().await.unwrap();
        assert_eq!(archive.headers()[CONTENT_TYPE], "application/x-gzip");
        let name = archive.headers()[CONTENT_DISPOSITION].to_str().unwrap();
        assert_eq!(name, format!("attachment; filename=ash-{short}.tar.gz"));
        assert_eq!(archive.headers()["x-amz-meta-sha256"].len(), 64);
        assert_eq!(archive.bytes().await.unwrap(), expected, "{url}");
    }
    let key = format!("projects/ash-{short}.tar.gz/testing/mozharness");
    assert_eq!(cloud.objects().await, (vec![key.clone()], vec![key]));

    let ran = cloud.archive(&["projects/ash", short, "--subdir", "testing/mozharness", "--output", "ash.tar.gz"]).await;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(std::fs::read(cloud.folder.path().join("ash.tar.gz")).unwrap(), expected);
    cloud.messages.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_does_not_exist_fails_and_while_that_is_remembered_costs_the_source_nothing() {
    let hg = Mercurial::start("projects/ash", &[("README", b"ash\n".to_vec())]).await.unwrap();
    let cloud = Cloud::new(&hg.template()).await;
    let path = format!("/archiver/hgmo/projects/ash/{NOWHERE}");
    let answer = cloud.get(&path).await;
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    let (result, _) = cloud.until_over(&location(&answer)).await;
    assert_eq!((&result["state"], &result["error"]["code"]), (&json!("FAILURE"), &json!("source_not_found")));
    let text = result["status"].as_str().unwrap();
    assert!(text.starts_with("Could not get a valid response from") && text.ends_with("exist?"), "{text}");

    let asked = hg.downloads().unwrap();
    for _ in 0..3 {
        let answer = cloud.get(&path).await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        let body: Value = answer.json().await.unwrap();
        assert!(body["error"]["description"].as_str().unwrap().contains(NOWHERE), "{body}");
    }
    assert_eq!(hg.downloads().unwrap(), asked);
    cloud.messages.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_who_ask_at_once_one_causes_the_download() {
    let source = SourceServer::start(Archive::gzip(12 << 20)).await.unwrap();
    let cloud = Cloud::new(&source.template()).await;
    let path = format!("/archiver/hgmo/projects/ash/{ANY}");
    let answers = join_all((0..200).map(|_| cloud.get(&path))).await;
    for answer in &answers {
        let status = answer.status();
        assert!(status == StatusCode::ACCEPTED || status == StatusCode::FOUND, "{status}");
    }
    let waiting = answers.iter().find(|answer| answer.status() == StatusCode::ACCEPTED).unwrap();
    let (result, _) = cloud.until_over(&location(waiting)).await;
    assert_eq!(result["state"], "SUCCESS", "{result}");
    assert_eq!(source.requests(), 1);
    assert_eq!(cloud.get(&path).await.status(), StatusCode::FOUND);
    cloud.messages.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_is_killed_in_the_middle_is_followed_by_another_and_leaves_nothing_behind() {
    let pace = Archive { pace: Some(20 << 20), ..Archive::gzip(40 << 20) };
    let source = SourceServer::start(pace).await.unwrap();
    let cloud = Cloud::new(&source.template()).await;
    let status = location(&cloud.get(&format!("/archiver/hgmo/projects/ash/{ANY}")).await);
    let mut turn = tokio::time::interval(Duration::from_millis(20));
    let begun = async {
        while cloud.status(&status).await["state"] != "STARTED" || source.requests() == 0 {
            turn.tick().await;
        }
    };
    tokio::time::timeout(LONG, begun).await.unwrap();
    assert!(cloud.worker.kill_busy());

    cloud.let_lease_end(&format!("projects_ash-{ANY}.tar.gz")).await;
    let (result, _) = cloud.until_over(&status).await;
    assert_eq!(result["state"], "SUCCESS", "{result}");
    assert_eq!(source.requests(), 2);
    // Nothing is left for the sweep.
    let swept = cloud.sweep().await;
    assert_eq!((&swept["seen"], &swept["sent"], &swept["faults"]), (&json!(1), &json!(0), &json!(0)), "{swept}");
    let key = format!("projects/ash-{ANY}.tar.gz");
    assert_eq!(cloud.objects().await, (vec![key.clone()], vec![key]));
    cloud.messages.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_takes_nothing_holds_nobody_back_and_has_the_archive_once_it_is_mended() {
    let source = SourceServer::start(Archive::gzip(12 << 20)).await.unwrap();
    let how = Differently { is_without_west: true, has_tasks_in_folder: true, ..Differently::default() };
    let cloud = Cloud::differently(&source.template(), how).await;
    let path = format!("/archiver/hgmo/projects/ash/{ANY}?preferred_region=us-west-2");
    let status = location(&cloud.get(&path).await);
    let (result, _) = cloud.until_over(&status).await;
    assert_eq!(result["state"], "SUCCESS", "{result}");
    let regions = |result: &Value| result["s3_urls"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(regions(&result), ["us-east-1"]);
    let near = location(&cloud.get(&path).await);
    assert!(near.starts_with(&cloud.east.endpoint()), "{near}");
    assert!(cloud.worker.logs().unwrap().contains("there is no such bucket; make it"));

    cloud.west.create_bucket(WEST).await.unwrap();
    let swept = cloud.sweep().await;
    assert_eq!(
        (&swept["seen"], &swept["sent"]),
        (&json!(1), &json!(0)),
        "what was just written is left alone: {swept}"
    );
    cloud.let_an_hour_pass(&format!("projects_ash-{ANY}.tar.gz"));
    let swept = cloud.sweep().await;
    assert_eq!((&swept["sent"], &swept["repairs"]), (&json!(1), &json!(1)), "{swept}");
    let mut turn = tokio::time::interval(Duration::from_millis(50));
    let mended = async {
        while regions(&cloud.status(&status).await) != ["us-east-1", "us-west-2"] {
            turn.tick().await;
        }
    };
    tokio::time::timeout(LONG, mended).await.unwrap();
    let near = location(&cloud.get(&path).await);
    assert!(near.starts_with(&cloud.west.endpoint()), "{near}");
    assert_eq!(source.requests(), 1, "the source is not asked for what a region has");
    cloud.messages.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_lost_is_sent_by_the_schedules_turn_and_the_archive_comes() {
    let source = SourceServer::start(Archive::gzip(200_000)).await.unwrap();
    let how = Differently { has_tasks_in_folder: true, loses_messages: true, ..Differently::default() };
    let cloud = Cloud::differently(&source.template(), how).await;
    let path = format!("/archiver/hgmo/projects/ash/{ANY}");
    let status = location(&cloud.get(&path).await);
    assert_eq!(cloud.status(&status).await["state"], "PENDING");
    cloud.let_an_hour_pass(&format!("projects_ash-{ANY}.tar.gz"));
    let swept = cloud.sweep().await;
    assert_eq!((&swept["sent"], &swept["repairs"], &swept["faults"]), (&json!(1), &json!(0), &json!(0)), "{swept}");
    let (result, _) = cloud.until_over(&status).await;
    assert_eq!(result["state"], "SUCCESS", "{result}");
    assert_eq!((source.requests(), cloud.get(&path).await.status()), (1, StatusCode::FOUND));
    cloud.messages.stop().await.unwrap();
}
