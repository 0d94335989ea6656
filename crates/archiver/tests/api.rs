//! What the archiver's API answers: the rows of the compatibility table, and the defects that are cured.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use buildhub_archiver::api::{Api, Outcome};
use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::task::{Due, Failure, FailureCode, Lease, Message, State, Stored, Task, Tasks};
use buildhub_core::Variables;
use buildhub_core::queue::{Outgoing, Queue, QueueError};
use buildhub_core::web::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::s3::S3Server;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;

const REV: &str = "42bf8560b395";
const KEY: &str = "projects/ash-42bf8560b395.tar.gz/testing/mozharness";
const ID: &str = "projects_ash-42bf8560b395.tar.gz_testing_mozharness";
const PATH: &str = "/archiver/hgmo/projects/ash/42bf8560b395?subdir=testing/mozharness";
const URL: &str = "https://hg.mozilla.org/projects/ash/archive/42bf8560b395.tar.gz/testing/mozharness";
const NOTHING_YET: &str = "no status available at this point.";

fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// A queue that keeps what it is sent, or takes nothing.
#[derive(Debug, Default)]
struct Recorded {
    sent: Mutex<Vec<Outgoing>>,
    is_down: Mutex<bool>,
    is_silent: Mutex<bool>,
}

#[async_trait]
impl Queue for Recorded {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        if *self.is_silent.lock().unwrap() {
            return std::future::pending().await;
        }
        if *self.is_down.lock().unwrap() {
            let (queue, unsent) = (self.describe(), messages.len());
            return Err(QueueError::Unavailable { queue, unsent, reason: "it was told to".to_owned() });
        }
        self.sent.lock().unwrap().extend(messages);
        Ok(())
    }

    fn describe(&self) -> String {
        "recorded".to_owned()
    }
}

struct Archiver {
    api: Arc<Api>,
    tasks: Tasks,
    queue: Arc<Recorded>,
    server: S3Server,
    folder: TempDir,
}

impl Archiver {
    /// With two regions on one server, and the tasks in a folder.
    async fn start() -> Self {
        Self::with(&[]).await
    }

    async fn with(variables: &[(&str, &str)]) -> Self {
        let server = S3Server::start().await.unwrap();
        for bucket in ["east", "west"] {
            server.create_bucket(bucket).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let base: Variables = server.variables().into_iter().collect();
        let base = base
            .with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west")
            .with("ARCHIVER_TASKS_FOLDER", folder.path().to_str().unwrap());
        let variables = variables.iter().fold(base, |all, (name, value)| all.with(name, *value));
        let (api, tasks, queue) = open(&variables, Duration::from_secs(2)).await;
        Self { api, tasks, queue, server, folder }
    }

    async fn ask(&self, path: &str) -> Response {
        self.ask_at(path, now()).await
    }

    async fn ask_at(&self, path: &str, at: Timestamp) -> Response {
        self.api.handle(&request(path), at).await
    }

    async fn status(&self, id: &str) -> Value {
        let answer = self.ask(&format!("/archiver/status/{id}")).await;
        assert_eq!(answer.status, StatusCode::OK, "it is always 200");
        result(&answer)
    }

    /// Lays an object into a region's bucket.
    fn lay(&self, bucket: &str, bytes: &str) {
        let path = self.object(bucket);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn object(&self, bucket: &str) -> PathBuf {
        self.server.root().join(bucket).join(KEY)
    }

    fn messages(&self) -> Vec<Message> {
        let sent = self.queue.sent.lock().unwrap();
        sent.iter().map(|message| Message::parse(&message.body).unwrap()).collect()
    }

    async fn stored(&self, id: &str) -> Stored {
        self.tasks.load(id).await.unwrap().unwrap()
    }

    /// Changes the task as a worker would.
    async fn change(&self, id: &str, change: impl FnOnce(&mut Task)) {
        let stored = self.stored(id).await;
        let mut task = stored.task.clone();
        change(&mut task);
        assert!(self.tasks.replace(&stored, task).await.unwrap().is_some());
    }

    async fn fail(&self, code: FailureCode) {
        let failure = Failure { code, description: "the source said 404".to_owned(), until: later(60) };
        self.change(ID, |task| task.state = State::Failure(failure)).await;
    }
}

async fn open(variables: &Variables, patience: Duration) -> (Arc<Api>, Tasks, Arc<Recorded>) {
    let (api, tasks, queue) = opened(variables, patience).await;
    // However slow this machine is.
    (Arc::new(api.with_patience(Duration::from_mins(2))), tasks, queue)
}

async fn opened(variables: &Variables, patience: Duration) -> (Api, Tasks, Arc<Recorded>) {
    let settings = ArchiverSettings::from_variables(variables).unwrap();
    let regions = Arc::new(Regions::open(&settings.regions).await.with_patience(patience));
    let tasks = Tasks::new(settings.tasks_store().await);
    let queue = Arc::new(Recorded::default());
    (Api::new(&settings, regions, tasks.clone(), Arc::<Recorded>::clone(&queue)), tasks, queue)
}

fn request(path: &str) -> Request {
    let mut request = Request::get(path);
    "archives.example".clone_into(&mut request.host);
    request.scheme = "https";
    "one".clone_into(&mut request.id);
    request
}

fn result(answer: &Response) -> Value {
    serde_json::from_slice::<Value>(&answer.body).unwrap()["result"].clone()
}

fn text<'a>(answer: &'a Response, name: &HeaderName) -> &'a str {
    answer.header(name).unwrap_or_else(|| panic!("there is no {name}"))
}

/// Kept, row 7: an object that exists is a 302 to a signed address of five minutes.
#[tokio::test]
async fn an_archive_that_is_there_is_a_redirect_to_an_address_that_opens_it() {
    let archiver = Archiver::start().await;
    archiver.lay("east", "the archive");
    let answer = archiver.ask(PATH).await;
    assert_eq!(answer.status, StatusCode::FOUND);
    let address = text(&answer, &header::LOCATION);
    assert!(address.contains("X-Amz-Expires=300") && address.contains("/east/"), "{address}");
    assert_eq!(text(&answer, &header::CACHE_CONTROL), "no-store");
    assert_eq!(result(&answer), json!({}));
    let opened = buildhub_http::Http::new(&buildhub_http::HttpSettings::default()).unwrap();
    let get = buildhub_http::Request::get(address.parse().unwrap());
    let got = opened.fetch(&get, buildhub_http::Repeat::Never, 100).await.unwrap().ok().unwrap();
    assert_eq!(got.body, "the archive");
    assert!(archiver.messages().is_empty());
}

/// Kept, row 2: a region that is none changes nothing.
///
/// Changelog, rows 7 and 15: one region's say was chance; any that has it will do, and the order is fixed.
#[tokio::test]
async fn the_region_is_the_preferred_one_else_the_first_else_any_that_has_it() {
    let archiver = Archiver::start().await;
    archiver.lay("west", "the archive");
    let from = async |region: &str| {
        let answer = archiver.ask(&format!("{PATH}&preferred_region={region}")).await;
        let address = text(&answer, &header::LOCATION).to_owned();
        ["east", "west"].into_iter().find(|bucket| address.contains(&format!("/{bucket}/"))).unwrap()
    };
    assert_eq!((from("us-west-2").await, from("us-east-1").await, from("nowhere").await), ("west", "west", "west"));
    archiver.lay("east", "the archive");
    assert_eq!((from("us-west-2").await, from("us-east-1").await, from("nowhere").await), ("west", "east", "east"));
}

/// Kept, rows 8, 9 and 11: a missing key is 202, and a fresh task PENDING; one that is under way is not begun again.
#[tokio::test]
async fn an_archive_that_is_not_there_is_begun_once_and_waited_for() {
    let archiver = Archiver::start().await;
    for _ in 0..3 {
        let answer = archiver.ask(PATH).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        assert_eq!(text(&answer, &header::LOCATION), format!("https://archives.example/archiver/status/{ID}"));
        assert_eq!(answer.text(), r#"{"result":{},"request_id":"one"}"#);
    }
    assert_eq!(archiver.messages(), [Message { task: ID.to_owned(), generation: 1 }]);
    let task = archiver.stored(ID).await.task;
    assert_eq!((task.id.as_str(), task.subject.key.as_str(), task.subject.url.as_str()), (ID, KEY, URL));
    assert_eq!((task.asked, task.state), (now(), State::Pending));
    let pending = json!({ "state": "PENDING", "status": NOTHING_YET, "src_url": "", "s3_urls": {} });
    assert_eq!(archiver.status(ID).await, pending);
}

/// Changelog, rows 1, 3, 10 and 14: every state has an answer, addresses are signed when they are read,
/// and reading changes nothing.
///
/// Kept, rows 11 and 12: the four fields, and the original's texts.
#[tokio::test]
async fn every_state_has_its_answer_and_asking_changes_nothing() {
    let archiver = Archiver::start().await;
    let unknown = json!({ "state": "PENDING", "status": NOTHING_YET, "src_url": "", "s3_urls": {} });
    assert_eq!(archiver.status("nobody-knows-this").await, unknown);
    assert_eq!(archiver.status("..%2F..%2Fetc").await, unknown);
    archiver.ask(PATH).await;

    let lease = Lease { owner: "w".to_owned(), until: later(60), bytes: 1_234 };
    archiver.change(ID, |task| (task.state, task.lease) = (State::Started, Some(lease))).await;
    let started = archiver.status(ID).await;
    assert_eq!((&started["state"], &started["progress"]), (&json!("STARTED"), &json!({ "bytes": 1_234 })));
    assert!(started["status"].as_str().unwrap().starts_with("Downloading archive from https://hg"), "{started}");

    let retry = State::Retry { not_before: later(60), reason: "The source answered 503".to_owned() };
    archiver.change(ID, |task| (task.state, task.lease) = (retry, None)).await;
    assert_eq!(archiver.status(ID).await["state"], "RETRY");

    archiver.change(ID, |task| task.state = State::Revoked).await;
    assert_eq!(archiver.status(ID).await["state"], "REVOKED");

    archiver.fail(FailureCode::SourceNotFound).await;
    let failure = json!({ "state": "FAILURE", "src_url": URL, "s3_urls": {},
        "status": format!("Could not get a valid response from src_url. Does {URL} exist?"),
        "error": { "code": "source_not_found", "description": "the source said 404" } });
    assert_eq!(archiver.status(ID).await, failure);

    let file = archiver.folder.path().join(format!("{ID}.json"));
    archiver.change(ID, |task| task.state = State::Success { size: 11, sha256: None }).await;
    let before = std::fs::read(&file).unwrap();
    archiver.lay("west", "the archive");
    let success = archiver.status(ID).await;
    assert_eq!((&success["state"], &success["src_url"]), (&json!("SUCCESS"), &json!(URL)));
    assert_eq!(success["status"], "Task completed! Check 's3_urls' for upload locations.");
    let regions: Vec<_> = success["s3_urls"].as_object().unwrap().keys().collect();
    assert_eq!(regions, ["us-west-2"], "the regions that have it");
    archiver.lay("east", "the archive");
    assert_eq!(archiver.status(ID).await["s3_urls"].as_object().unwrap().len(), 2);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert_eq!(archiver.messages().len(), 1, "none but the first request's");
}

/// Kept, row 10: a finished task without its object is begun again.
#[tokio::test]
async fn an_object_that_went_away_behind_its_task_is_made_again() {
    let archiver = Archiver::start().await;
    archiver.ask(PATH).await;
    archiver.change(ID, |task| task.state = State::Success { size: 11, sha256: None }).await;
    assert_eq!(archiver.ask_at(PATH, later(5)).await.status, StatusCode::ACCEPTED);
    let task = archiver.stored(ID).await.task;
    assert_eq!((task.state, task.generation, task.asked), (State::Pending, 2, later(5)));
    let generations: Vec<_> = archiver.messages().iter().map(|message| message.generation).collect();
    assert_eq!(generations, [1, 2]);
}

/// Changelog, row 2: a source without it was asked again with every request.
#[tokio::test]
async fn what_the_source_does_not_have_is_404_while_that_is_remembered_and_costs_it_nothing() {
    let archiver = Archiver::start().await;
    archiver.ask(PATH).await;
    archiver.fail(FailureCode::SourceNotFound).await;
    let answer = archiver.ask_at(PATH, later(59)).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&body["error"]["code"], &body["error"]["name"]), (&json!(404), &json!("Not Found")));
    assert!(body["error"]["description"].as_str().unwrap().contains(URL), "{body}");
    assert_eq!(archiver.messages().len(), 1);
    assert_eq!(archiver.ask_at(PATH, later(61)).await.status, StatusCode::ACCEPTED);
    assert_eq!(archiver.messages().len(), 2);
}

#[tokio::test]
async fn another_failure_is_told_by_its_task_while_it_is_remembered() {
    let archiver = Archiver::start().await;
    archiver.ask(PATH).await;
    archiver.fail(FailureCode::SourceUnavailable).await;
    assert_eq!(archiver.ask_at(PATH, later(59)).await.status, StatusCode::ACCEPTED);
    assert_eq!(archiver.status(ID).await["state"], "FAILURE");
    assert_eq!(archiver.messages().len(), 1);
    archiver.ask_at(PATH, later(61)).await;
    assert_eq!(archiver.messages().len(), 2);
}

/// Changelog, row 4: publish first, insert second lost tasks; now the task stands, and the sweep sends it.
#[tokio::test]
async fn a_message_that_cannot_be_sent_is_no_fault_of_the_answer() {
    let archiver = Archiver::start().await;
    *archiver.queue.is_down.lock().unwrap() = true;
    let answered = archiver.api.answer(&request(PATH), now()).await;
    assert_eq!(answered.response.status, StatusCode::ACCEPTED);
    assert_eq!(answered.outcome, Outcome::Begun { is_sent: false });
    assert_eq!(archiver.stored(ID).await.task.state, State::Pending);
}

/// Changelog, row 12: `a/b_c` and `a_b/c` were one task.
#[tokio::test]
async fn requests_whose_tasks_would_share_a_name_have_tasks_of_their_own() {
    let archiver = Archiver::start().await;
    let ask = async |repo: &str| {
        let answer = archiver.ask(&format!("/archiver/hgmo/{repo}/{REV}")).await;
        text(&answer, &header::LOCATION).rsplit_once('/').unwrap().1.to_owned()
    };
    let (one, two) = (ask("a/b_c").await, ask("a_b/c").await);
    assert_eq!(one, "a_b_c-42bf8560b395.tar.gz");
    assert!(two.starts_with(&format!("{one}~")), "{two}");
    assert_eq!((ask("a/b_c").await, ask("a_b/c").await), (one.clone(), two.clone()));
    assert_eq!(archiver.messages().len(), 2);
    assert_eq!(archiver.stored(&two).await.task.subject.key, "a_b/c-42bf8560b395.tar.gz");
    assert_eq!(archiver.status(&two).await["state"], "PENDING");
}

/// A region that fails is passed over; with none left there is nothing to be said.
#[tokio::test]
async fn a_region_that_is_down_is_passed_over_and_where_all_are_the_answer_is_503() {
    let down = "http://127.0.0.1:1";
    let archiver = Archiver::with(&[("ARCHIVER_S3_ENDPOINTS", &format!("us-east-1={down}"))]).await;
    assert_eq!(archiver.ask(PATH).await.status, StatusCode::ACCEPTED);
    archiver.lay("west", "the archive");
    assert_eq!(archiver.ask(PATH).await.status, StatusCode::FOUND);
    let archiver = Archiver::with(&[("AWS_ENDPOINT_URL", down)]).await;
    let answer = archiver.ask(PATH).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(&answer, &header::RETRY_AFTER), "2");
    assert!(archiver.messages().is_empty(), "what may be there is not made again");
}

/// Whoever asks by HEAD follows by HEAD, and the server checks whether the signature is of that.
#[tokio::test]
async fn where_head_is_led_to_head_is_answered() {
    let archiver = Archiver::start().await;
    archiver.lay("east", "the archive");
    let mut asked = request(PATH);
    asked.method = Method::HEAD;
    let http = buildhub_http::Http::new(&buildhub_http::HttpSettings::default()).unwrap();
    let head = async |answer: &Response| {
        let url = text(answer, &header::LOCATION).parse().unwrap();
        http.fetch(&buildhub_http::Request::head(url), buildhub_http::Repeat::Never, 100).await.unwrap()
    };
    let led = head(&archiver.api.handle(&asked, now()).await).await.ok().unwrap();
    assert_eq!(led.header("content-length"), Some("11"));
    assert!(head(&archiver.ask(PATH).await).await.ok().is_err(), "else this test shows nothing");
}

/// Where tasks or queue do not answer, whoever asks is told so before the function's time is over.
#[tokio::test]
async fn tasks_and_a_queue_that_are_silent_are_not_waited_for() {
    let (server, silent) = (S3Server::start().await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    for bucket in ["east", "west", "tasks"] {
        server.create_bucket(bucket).unwrap();
    }
    let base: Variables = server.variables().into_iter().collect();
    let endpoint = base.get("AWS_ENDPOINT_URL").unwrap().to_owned();
    let base = base
        .with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west")
        .with("ARCHIVER_S3_ENDPOINTS", format!("us-east-1={endpoint},us-west-2={endpoint}"))
        .with("ARCHIVER_TASKS_FOLDER", "s3://tasks");
    let silenced = base.with("AWS_ENDPOINT_URL", format!("http://{}", silent.local_addr().unwrap()));
    let (api, _, queue) = opened(&silenced, Duration::from_secs(2)).await;
    let api = api.with_patience(Duration::from_millis(300));
    for path in [PATH.to_owned(), format!("/archiver/status/{ID}")] {
        let answer = api.handle(&request(&path), now()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text());
        assert_eq!(text(&answer, &header::RETRY_AFTER), "2");
    }
    assert!(queue.sent.lock().unwrap().is_empty());

    let archiver = Archiver::start().await;
    *archiver.queue.is_silent.lock().unwrap() = true;
    let api = Arc::into_inner(archiver.api).unwrap().with_patience(Duration::from_millis(300));
    let answered = api.answer(&request(PATH), now()).await;
    assert_eq!(answered.response.status, StatusCode::ACCEPTED);
    assert_eq!(answered.outcome, Outcome::Begun { is_sent: false }, "the sweep sends it");
}

/// Kept, row 16: an id that somebody in front gave a request is the one that it is answered with.
#[tokio::test]
async fn an_id_that_a_request_brings_along_is_the_answers_where_a_setting_names_its_header() {
    let archiver = Archiver::with(&[("REQUEST_ID_HEADER", "X-Request-Id")]).await;
    let id = async |given: &'static str| {
        let mut request = request(PATH);
        request.headers.insert("x-request-id", HeaderValue::from_static(given));
        let answer = archiver.api.handle(&request, now()).await;
        serde_json::from_slice::<Value>(&answer.body).unwrap()["request_id"].as_str().unwrap().to_owned()
    };
    assert_eq!((id("from-the-front").await.as_str(), id("").await.as_str()), ("from-the-front", "one"));
    let archiver = Archiver::start().await;
    let mut request = request(PATH);
    request.headers.insert("x-request-id", HeaderValue::from_static("theirs"));
    assert!(archiver.api.handle(&request, now()).await.text().contains(r#""request_id":"one""#));
}

/// Kept, row 13: a task that nobody took is RETRY, with the original's text, once it was sent again.
#[tokio::test]
async fn a_task_that_waited_too_long_says_so_as_soon_as_it_was_sent_again() {
    let archiver = Archiver::start().await;
    archiver.ask(PATH).await;
    assert_eq!(archiver.status(ID).await["state"], "PENDING");
    let Due::Later(due) = archiver.stored(ID).await.task.look_after(now()) else { panic!("not yet") };
    assert_eq!(due, later(120), "the original did so after a minute, with each look");
    let Due::Send(again) = archiver.stored(ID).await.task.look_after(due) else { panic!("now") };
    archiver.change(ID, |task| *task = *again).await;
    let retry = json!({ "state": "RETRY", "src_url": "", "s3_urls": {},
        "status": "Task has expired from pending for too long. Re-creating task." });
    assert_eq!(archiver.status(ID).await, retry);
}

/// A missing bucket is no bucket without the archive, and no task that is not known.
#[tokio::test]
async fn buckets_that_are_not_there_are_faults_and_neither_archives_nor_tasks_that_are_not() {
    let moto = Moto::start().await.unwrap();
    let variables: Variables = moto.variables().into_iter().collect();
    let variables = variables.with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west");
    let (api, _, queue) = open(&variables, Duration::from_secs(20)).await;
    let status = format!("/archiver/status/{ID}");
    for path in [PATH, &status] {
        let answer = api.handle(&request(path), now()).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {}", answer.text());
    }
    // One region is there, and the tasks are elsewhere.
    moto.create_bucket("west").await.unwrap();
    assert_eq!(api.handle(&request(PATH), now()).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(queue.sent.lock().unwrap().is_empty());
    moto.create_bucket("east").await.unwrap();
    assert_eq!(api.handle(&request(PATH), now()).await.status, StatusCode::ACCEPTED);
    assert_eq!(api.handle(&request(&status), now()).await.status, StatusCode::OK);
}

/// Kept, rows 14 and 15: there are GET, HEAD and OPTIONS, the envelope for programs, and pages for browsers.
#[tokio::test]
async fn programs_browsers_and_other_origins_are_answered_each_in_their_way() {
    let archiver = Archiver::with(&[("ARCHIVER_CORS_ORIGINS", "https://tree.example")]).await;
    archiver.lay("east", "the archive");
    let ask = async |method: Method, path: &str, headers: &[(HeaderName, &'static str)]| {
        let mut request = request(path);
        request.method = method;
        request.headers = headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text))).collect();
        archiver.api.handle(&request, now()).await
    };
    let head = ask(Method::HEAD, PATH, &[]).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::FOUND, 0));
    assert!(text(&head, &header::LOCATION).contains("/east/"));
    let options = ask(Method::OPTIONS, PATH, &[]).await;
    assert_eq!((options.status, text(&options, &header::ALLOW)), (StatusCode::NO_CONTENT, "GET, HEAD, OPTIONS"));
    assert_eq!(ask(Method::POST, PATH, &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    let origin = ask(Method::GET, PATH, &[(header::ORIGIN, "https://tree.example")]).await;
    assert_eq!(text(&origin, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "https://tree.example");
    for accept in [&[][..], &[(header::ACCEPT, "*/*")]] {
        let refused = ask(Method::GET, "/archiver/hgmo/ash/tip", accept).await;
        assert_eq!(text(&refused, &header::CONTENT_TYPE), "application/json");
        let body: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!((&body["error"]["code"], &body["error"]["name"]), (&json!(400), &json!("Bad Request")));
        assert_eq!(body["request_id"], "one");
        assert!(body["error"]["description"].as_str().unwrap().contains("hexadecimal digits"), "{body}");
    }
    let browser = [(header::ACCEPT, "text/html,*/*;q=0.8")];
    for (path, status, seen) in [
        (PATH, StatusCode::FOUND, "href=\"http"),
        ("/archiver/hgmo/other/42bf8560b395", StatusCode::ACCEPTED, "/archiver/status/other-42bf8560b395.tar.gz"),
        ("/archiver/status/x", StatusCode::OK, "PENDING"),
        ("/archiver/hgmo/ash/tip", StatusCode::BAD_REQUEST, "hexadecimal digits"),
        ("/archiver/<b>", StatusCode::NOT_FOUND, "/archiver/hgmo/REPOSITORY/REVISION"),
    ] {
        let page = ask(Method::GET, path, &browser).await;
        assert_eq!((page.status, text(&page, &header::CONTENT_TYPE)), (status, "text/html; charset=utf-8"), "{path}");
        assert!(page.text().contains(seen), "{path}: {}", page.text());
    }
    assert!(archiver.messages().len() == 1);
}

/// What cannot be asked for is 400 in the envelope; each input has its test beside the code that reads it.
#[tokio::test]
async fn what_cannot_be_asked_for_is_400_and_touches_nothing() {
    let archiver = Archiver::start().await;
    for path in [
        "/archiver/hgmo/ash/tip",
        "/archiver/hgmo/..%2F..%2Fetc/42bf8560b395",
        "/archiver/hgmo/ash/42bf8560b395?suffix=exe",
        "/archiver/hgmo/ash/42bf8560b395?repo=other",
        "/archiver/hgmo/42bf8560b395",
    ] {
        let answer = archiver.ask(path).await;
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, &body["error"]["code"]), (StatusCode::BAD_REQUEST, &json!(400)), "{path}");
        assert!(!body["error"]["description"].as_str().unwrap().is_empty() && body["request_id"] == "one");
    }
    assert_eq!(archiver.ask("/archiver/gitmo/ash/42bf8560b395").await.status, StatusCode::NOT_FOUND);
    assert!(archiver.messages().is_empty());
    assert_eq!(std::fs::read_dir(archiver.folder.path()).unwrap().count(), 0);
}

/// Where the archiver has an address of its own, that is what it tells.
#[tokio::test]
async fn behind_a_name_of_its_own_a_task_is_told_by_that_name() {
    let archiver = Archiver::with(&[("ARCHIVER_URL", "https://cdn.example/a/")]).await;
    let answer = archiver.ask(PATH).await;
    assert_eq!(text(&answer, &header::LOCATION), format!("https://cdn.example/a/archiver/status/{ID}"));
}

/// Changelog, rows 4 and 5: two requests at once made two tasks, and a fault for the loser.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_who_ask_at_once_begin_one_task() {
    let moto = Moto::start().await.unwrap();
    for bucket in ["east", "west"] {
        moto.create_bucket(bucket).await.unwrap();
    }
    let variables: Variables = moto.variables().into_iter().collect();
    let variables = variables.with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west");
    let (api, tasks, queue) = open(&variables, Duration::from_secs(20)).await;
    let asking = (0..200).map(|_| {
        let api = Arc::clone(&api);
        tokio::spawn(async move { api.answer(&request(PATH), Timestamp::now()).await })
    });
    let mut begun = 0;
    let mut statuses = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        let answered = asked.await.unwrap();
        statuses.insert(answered.response.status.as_u16());
        begun += usize::from(matches!(answered.outcome, Outcome::Begun { .. }));
    }
    assert_eq!(statuses, BTreeSet::from([202]));
    assert_eq!((begun, queue.sent.lock().unwrap().len()), (1, 1));
    assert_eq!(tasks.load(ID).await.unwrap().unwrap().task.generation, 1);
}
