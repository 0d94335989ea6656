//! How long each question about builds takes, with 10,000 builds on a PostgreSQL: of the store, and of the API in this process.
//!
//! ```text
//! cargo run --profile ci -p buildhub-self-serve --example reads [BUILDS [QUESTIONS [indexed]]]
//! ```
//!
//! With a further argument `indexed` it makes the optional indexes first (`kinto/bin/index`). Builds and requests are put into
//! Kinto's own table, so that nobody waits for them. Prints how many answers each question has (of the API: KiB of each answer),
//! and its median, its 99th percentile and its longest time in milliseconds.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement prints, and may fail"
)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_core::queue::MemoryQueue;
use buildhub_core::store::{S3Settings, Stores};
use buildhub_core::web::header::ACCEPT;
use buildhub_core::web::{HeaderValue, Request};
use buildhub_core::{Deadline, Variables};
use buildhub_http::{Http, HttpSettings};
use buildhub_kinto::{Client, ClientSettings, Manifest};
use buildhub_self_serve::access::Admins;
use buildhub_self_serve::action::Action;
use buildhub_self_serve::api::{Api, ApiSettings, Parts};
use buildhub_self_serve::buildbot::{Buildbot, BuildbotSettings};
use buildhub_self_serve::builds::{Builds, Cursor, Cursors};
use buildhub_self_serve::config::{Documents, Places};
use buildhub_self_serve::identity::IdentitySource;
use buildhub_self_serve::jobs::Jobs;
use buildhub_testkit::kinto::{Backend, KintoServer};
use serde_json::json;

/// A day has 1,000 builds on 20 branches, 50 of a revision; one in a hundred runs, and as many requests wait.
const ROWS: &str = "
SET session_replication_role = replica;
CREATE TEMP TABLE made AS
SELECT n, 1 + n AS id, 1700000000 + n * 86 AS began, 'branch-' || n % 20 AS branch,
       substr(md5('r' || n / 1000 * 20 + n % 20), 1, 12) AS rev, substr(md5('r' || n / 1000 * 20 + n % 20) || md5('x'), 1, 40) AS revision,
       'branch-' || n % 20 || ' linux64 opt test ' || n % 50 AS builder, 'user' || n % 97 || '@example.com' AS owner,
       'worker-' || n % 300 AS worker, n > :rows - :rows / 100 AS is_running
FROM generate_series(0, :rows - 1) n;
CREATE TEMP TABLE asked AS
SELECT made.*, jsonb_build_object('request_id', id, 'buildername', builder, 'branch', branch, 'revision', revision, 'submittime', began - 60,
       'complete', CASE WHEN is_running THEN 0 ELSE 1 END, 'complete_at', CASE WHEN is_running THEN NULL ELSE began + 1800 END,
       'priority', 0, 'claimed_at', began - 1, 'reason', 'a push', 'owner', owner, 'rev', rev,
       'state', CASE WHEN is_running THEN 'running' ELSE 'complete' END) AS request
FROM made;
INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT id::text, '/buckets/self-serve/collections/builds', 'record', from_epoch(1700000000000 + n),
       jsonb_build_object('schema', 1, 'build_id', id, 'requests', jsonb_build_array(request), 'buildnumber', n, 'buildername', builder,
         'branch', branch, 'revision', revision, 'starttime', began, 'endtime', CASE WHEN is_running THEN NULL ELSE began + 1800 END,
         'status', CASE WHEN is_running THEN -1 ELSE n % 3 END, 'claimed_by_name', worker, 'owner', owner, 'rev', rev, 'state', request -> 'state'),
       false FROM asked;
INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT id::text, '/buckets/self-serve/collections/requests', 'record', from_epoch(1700000000000 + n),
       request || jsonb_build_object('schema', 1, 'build_ids', jsonb_build_array(id), 'properties', jsonb_build_object('scheduler', branch,
         'buildid', '20260101000000', 'padding', repeat('x', 1000))), false FROM asked;
INSERT INTO objects (id, parent_id, resource_name, last_modified, data, deleted)
SELECT (:rows + id)::text, '/buckets/self-serve/collections/requests', 'record', from_epoch(1800000000000 + n),
       request || jsonb_build_object('schema', 1, 'request_id', :rows + id, 'state', 'pending', 'claimed_at', 0, 'complete', 0, 'complete_at', NULL,
         'build_ids', '[]'::jsonb, 'properties', '{}'::jsonb), false FROM asked WHERE is_running;
ANALYZE objects;
";

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (rows, questions) = (number(10_000), number(200));
    let is_indexed = arguments.next().is_some();
    let kinto = KintoServer::start(Backend::Postgresql).await.unwrap();
    let settings = ClientSettings::new(kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let client = Client::new(&settings).unwrap();
    client.initialise(&Manifest::parse(include_str!("../self-serve.json")).unwrap()).await.unwrap();
    let database = kinto.database_url().unwrap().unwrap();
    fill(&database, rows);
    if is_indexed {
        index(&database, "builds");
        index(&database, "requests");
    }
    let builds = Builds::new(&client, "self-serve").unwrap();
    println!("{rows} builds, {questions} of each question, one after another; milliseconds");
    println!("| question | answers | p50 | p99 | longest |\n|---|---|---|---|---|");
    ask(&builds, rows, questions).await;
    let folder = tempfile::tempdir().unwrap();
    answers(&api(&client, folder.path()), &builds, rows, questions).await;
    let jobs = Jobs::new(&client, "self-serve").unwrap();
    for job in 0..100 {
        let asked = jobs.ask(Action::CancelBuild { bid: job }, "alice", 1, None).await.unwrap();
        if job % 10 > 0
            && let buildhub_self_serve::jobs::Asked::New(job) = asked
        {
            jobs.complete(job.number, false, "Ok", 2).await.unwrap();
        }
    }
    measure("open jobs", questions, async |_| jobs.open(1000).await.unwrap().jobs.len()).await;
}

fn fill(database: &str, rows: usize) {
    const RUN: &str = "import psycopg2, sys; c = psycopg2.connect(sys.argv[1]); c.autocommit = True; \
                       c.cursor().execute(sys.stdin.read())";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/kinto/bin/python");
    let mut command = Command::new(python).args(["-c", RUN, database]).stdin(Stdio::piped()).spawn().unwrap();
    let sql = ROWS.replace(":rows", &rows.to_string());
    command.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    assert!(command.wait().unwrap().success());
}

fn index(database: &str, collection: &str) {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinto/bin/index"));
    command.args(["apply", "--of", collection]).env("KINTO_STORAGE_URL", database);
    assert!(command.status().unwrap().success());
}

async fn ask(builds: &Builds, rows: usize, times: usize) {
    let spellings = |number: usize| {
        let name = format!("branch-{}", number % 20);
        vec![format!("projects/{name}"), name]
    };
    let began = |build: usize| i64::try_from(1_700_000_000 + build * 86).unwrap();
    // Spread over all that there is, so that nothing is asked twice in a row.
    let spread = |time: usize| time.wrapping_mul(7919) % rows;
    let day = |time: usize| began(spread(time) / 1000 * 1000)..began(spread(time) / 1000 * 1000 + 1000);

    measure("a build", times, async |time| usize::from(builds.build(spread(time) as u64 + 1).await.unwrap().is_some()))
        .await;
    measure("a request", times, async |time| {
        usize::from(builds.request(spread(time) as u64 + 1).await.unwrap().is_some())
    })
    .await;
    measure("a branch's day", times, async |time| {
        let found = builds.of_day(&spellings(time), day(time), 1000, Cursors::default()).await.unwrap();
        found.builds.len() + found.pending.len()
    })
    .await;
    // The newest of each branch, which is what most ask for.
    let mut revisions = Vec::new();
    for build in 0..20 {
        revisions.push(builds.build((rows - 20 + build) as u64).await.unwrap().unwrap());
    }
    measure("a revision", times, async |time| {
        let newest = &revisions[time % revisions.len()];
        let branch = newest.branch.clone().unwrap();
        let (names, revision) = ([format!("projects/{branch}"), branch], newest.rev.as_ref().unwrap());
        let found = builds.of_revision(&names, revision, 1000).await.unwrap();
        found.builds.len() + found.pending.len()
    })
    .await;
    measure("a person's", times, async |time| {
        let user = format!("user{}@example.com", time % 97);
        let found = builds.of_user(&spellings(time), &user, 200, Cursors::default()).await.unwrap();
        found.builds.len() + found.running.len() + found.pending.len()
    })
    .await;
    measure("pending, a branch", times, async |time| {
        builds.pending(Some(&spellings(time)), 1000, Cursor::Newest).await.unwrap().len()
    })
    .await;
    measure("pending, all", times, async |_| builds.pending(None, 1000, Cursor::Newest).await.unwrap().len()).await;
    measure("running, a branch", times, async |time| {
        builds.running(Some(&spellings(time)), 1000, Cursor::Newest).await.unwrap().len()
    })
    .await;
    measure("running, all", times, async |_| builds.running(None, 1000, Cursor::Newest).await.unwrap().len()).await;
    measure("recent, all", times, async |_| builds.recent(None, 25, Cursor::Newest).await.unwrap().len()).await;
    measure("recent, a worker's", times, async |time| {
        builds.recent(Some(&format!("worker-{}", time % 300)), 25, Cursor::Newest).await.unwrap().len()
    })
    .await;
    measure("finished in a day", times / 4, async |time| {
        builds.finished_between(day(time), 100_000).await.unwrap().len()
    })
    .await;
}

/// The API, with branches as they were filled in, and a master that nobody needs to ask.
fn api(client: &Client, folder: &Path) -> Api {
    let branches = (0..20).map(|number| (format!("branch-{number}"), json!({ "repo": "https://hg.example/repo" })));
    let path = folder.join("branches.json");
    std::fs::write(&path, json!(branches.collect::<serde_json::Map<_, _>>()).to_string()).unwrap();
    let places = Places { branches: path.to_str().unwrap().parse().unwrap(), builders: None, masters: None };
    let stores = Stores::new(S3Settings::from_variables(&Variables::default()).unwrap());
    let http = HttpSettings::default();
    let nobody = BuildbotSettings { url: "http://127.0.0.1:9/".parse().unwrap(), login: None, http: http.clone() };
    let parts = Parts {
        jobs: Jobs::new(client, "self-serve").unwrap(),
        builds: Builds::new(client, "self-serve").unwrap(),
        backend: Arc::new(Buildbot::new(nobody).unwrap()),
        documents: Arc::new(Documents::new(places, stores, Http::new(&http).unwrap())),
        queue: Arc::new(MemoryQueue::new(1, Duration::from_mins(1))),
    };
    let settings = ApiSettings {
        identity: IdentitySource::Nobody,
        admins: Admins::default(),
        events: None,
        zone: jiff::tz::TimeZone::UTC,
        origins: Vec::new(),
        address: None,
    };
    Api::new(settings, parts)
}

/// What users ask, as they ask it: JSON, and pages of the same.
async fn answers(api: &Api, builds: &Builds, rows: usize, times: usize) {
    let spread = |time: usize| time.wrapping_mul(7919) % rows;
    let began = |build: usize| 1_700_000_000 + build * 86;
    let mut newest = Vec::new();
    for build in 0..20 {
        let build = builds.build((rows - 20 + build) as u64).await.unwrap().unwrap();
        newest.push((build.branch.clone().unwrap(), build.rev.clone().unwrap()));
    }
    let address = |name: &str, time: usize| {
        let (branch, revision) = &newest[time % newest.len()];
        let day = began(spread(time) / 1000 * 1000);
        match name {
            "build" => format!("/self-serve/branch-{}/build/{}", spread(time) % 20, spread(time) + 1),
            "request" => format!("/self-serve/branch-{}/request/{}", spread(time) % 20, spread(time) + 1),
            "day" => {
                let date = jiff::Timestamp::from_second(i64::try_from(day).unwrap()).unwrap();
                format!("/self-serve/{branch}?date={}", date.strftime("%Y-%m-%d"))
            }
            "revision" => format!("/self-serve/{branch}/rev/{revision}"),
            "is_done" => format!("/self-serve/{branch}/rev/{revision}/is_done"),
            "user" => format!("/self-serve/{branch}/user/user{}@example.com", time % 97),
            "pending" => format!("/pending/{branch}"),
            "running" => format!("/running/{branch}"),
            "recent" => "/recent".to_owned(),
            _ => format!("/reports/waittimes?starttime={day}&endtime={}", day + 86_400),
        }
    };
    for format in ["application/json", "text/html"] {
        for name in
            ["build", "request", "day", "revision", "is_done", "user", "pending", "running", "recent", "waittimes"]
        {
            measure(&format!("{name}, {format}"), times, async |time| {
                let mut request = Request::get(&address(name, time));
                request.headers.insert(ACCEPT, HeaderValue::from_static(format));
                let answer = api.answer(&request, jiff::Timestamp::now(), Deadline::NONE).await;
                assert_eq!(answer.status, 200, "{}: {}", request.path, answer.text());
                answer.body.len() >> 10
            })
            .await;
        }
    }
}

async fn measure(name: &str, times: usize, ask: impl AsyncFn(usize) -> usize) {
    let (mut took, mut answers) = (Vec::with_capacity(times), 0);
    for time in 0..times.max(1) {
        let begun = Instant::now();
        answers += ask(time).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)].as_secs_f64() * 1000.0;
    println!("| {name} | {} | {:.1} | {:.1} | {:.1} |", answers / took.len(), at(50), at(99), at(100));
}
