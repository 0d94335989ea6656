//! Each address with a request that makes sense, what is answered, and what is seen of it in Buildbot.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::ask::{Ask, Body, Endpoint};
use crate::cloud::{BUILDER, Cloud, MASTER, REVISION, until};

/// The revision of a push.
const PUSHED: &str = "fedcba987654";

/// What there is: requests, with their builds where they have one. All of it is Alice's.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) over: (u64, u64),
    pub(crate) running: (u64, u64),
    pub(crate) pending: u64,
    /// The job that started the first.
    pub(crate) job: u64,
    /// The newest one.
    newest: u64,
    /// The day on which the last build began.
    day: String,
}

/// A new build, asked for by Alice.
fn new_build() -> Ask {
    let mut ask = Ask::new("POST", "/self-serve/{branch}/builders/{builder}/{revision}").by("alice");
    for (name, value) in [("branch", "try"), ("builder", BUILDER), ("revision", REVISION)] {
        ask.names.insert(name.to_owned(), value.to_owned());
    }
    ask.with("properties", json!({ "flavour": "plain" }).to_string())
}

/// Nightly builds of the other branch, with the key that is used for nothing else after that.
fn nightlies() -> Ask {
    let mut ask = Ask::new("POST", "/self-serve/{branch}/rev/{revision}/nightly").header("idempotency-key", "used");
    for (name, value) in [("branch", "mozilla-central"), ("revision", "000000000000")] {
        ask.names.insert(name.to_owned(), value.to_owned());
    }
    ask
}

/// A master tells of a request.
async fn tell(cloud: &Cloud, request: u64) {
    let mut event = Ask::new("POST", "/self-serve/events").login(MASTER).with("buildrequestid", request);
    event.body = Body::Json;
    let answer = cloud.answer(&event).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// The number of the build of a request, which is told of once it is as far as it should be.
async fn build_of(cloud: &Cloud, request: u64, is_over: bool) -> u64 {
    let build = until("a build is as far as it should be", async || {
        let builds = cloud.master.get(&format!("buildrequests/{request}/builds")).await.unwrap();
        let build = &builds["builds"][0];
        let whole = cloud.master.get(&format!("buildrequests/{request}")).await.unwrap();
        let is_so = build["buildid"].is_u64() && whole["buildrequests"][0]["complete"] == is_over;
        is_so.then(|| build["buildid"].as_u64().unwrap())
    });
    let build = build.await;
    tell(cloud, request).await;
    build
}

/// The only request that a job started.
async fn only_request(cloud: &Cloud, job: &Value) -> u64 {
    let started = cloud.started(job).await;
    assert_eq!(started.len(), 1, "{job}");
    started[0]["buildrequestid"].as_u64().unwrap()
}

impl Known {
    /// Has a build made that is over, one that runs, and a request that waits, all through the functions.
    pub(crate) async fn make(cloud: &Cloud) -> Self {
        let job = cloud.carry_out(&new_build()).await;
        let over = only_request(cloud, &job).await;
        let over = (over, build_of(cloud, over, true).await);
        cloud.master.hold(BUILDER).unwrap();
        let running = only_request(cloud, &cloud.carry_out(&new_build()).await).await;
        let running = (running, build_of(cloud, running, false).await);
        let pending = only_request(cloud, &cloud.carry_out(&new_build()).await).await;
        // Keys are each person's own.
        for name in ["alice", "mallory"] {
            cloud.carry_out(&nightlies().by(name)).await;
        }
        let newest = cloud.carry_out(&nightlies().sheriff()).await;
        let build = cloud.master.get(&format!("builds/{}", running.1)).await.unwrap();
        let began = Timestamp::from_second(build["builds"][0]["started_at"].as_i64().unwrap()).unwrap();
        let day = began.to_zoned(TimeZone::UTC).date().to_string();
        let number = |job: &Value| job["id"].as_u64().unwrap();
        Self { over, running, pending, job: number(&job), newest: number(&newest), day }
    }
}

/// A request of each address that makes sense. A parameter or a part of an address that is new needs a value here.
pub(crate) fn ask(endpoint: &Endpoint, known: &Known) -> Ask {
    let mut ask = Ask::new(&endpoint.method, &endpoint.path);
    let is_ended = endpoint.method == "DELETE" && endpoint.has("build_id");
    let parts = [
        ("branch", "try".to_owned()),
        ("builder", BUILDER.to_owned()),
        ("build_id", if is_ended { known.running.1 } else { known.over.1 }.to_string()),
        ("job_id", known.job.to_string()),
        ("platform", "linux64".to_owned()),
        ("pool", "trybuildpool".to_owned()),
        ("request_id", known.pending.to_string()),
        (
            "revision",
            if endpoint.name() == "POST /self-serve/{branch}/rev/{revision}" { PUSHED } else { REVISION }.to_owned(),
        ),
        ("user", "alice".to_owned()),
        ("worker", "worker".to_owned()),
    ];
    ask.names.extend(parts.map(|(name, value)| (name.to_owned(), value)));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    for parameter in &endpoint.parameters {
        let value = match (parameter.as_str(), endpoint.path.as_str()) {
            ("build_id", _) => json!(known.over.1),
            ("request_id", _) => json!(known.running.0),
            ("buildrequestid", _) => json!(known.over.0),
            ("priority", _) => json!(5),
            ("count", _) => json!(3),
            ("properties", _) => json!({ "flavour": "plain" }),
            ("files", _) => json!(["a.c"]),
            ("num", "/self-serve/jobs") => json!(2),
            ("num", "/reports/waittimes/{pool}") => json!("ptg"),
            ("num", _) => json!(100),
            ("offset" | "stableDelay", _) => json!(0),
            ("before" | "running_before" | "pending_before", _) => json!(1_000_000),
            ("numbuilds", _) => json!(1),
            ("date", _) => json!(known.day),
            ("revision", _) => json!(REVISION),
            ("starttime", _) => json!(now - 3600),
            ("endtime", _) => json!(now + 60),
            ("int_size", _) => json!(60),
            ("mpb", _) => json!(15),
            ("maxb", _) => json!(120),
            other => panic!("no value of {other:?}"),
        };
        ask.set(parameter, value);
    }
    // A form or a JSON object: both say the same.
    if endpoint.is_for_masters() || endpoint.takes("files") {
        ask.body = Body::Json;
    }
    match endpoint.name().as_str() {
        "POST /self-serve/events" => ask.login(MASTER),
        "DELETE /self-serve/{branch}/rev/{revision}" => ask.sheriff(),
        _ if endpoint.is_read() => ask,
        _ => ask.by("alice"),
    }
}

/// What is answered at an address where things are only seen: where in it, and what.
pub(crate) fn seen(endpoint: &Endpoint, known: &Known) -> (String, Value) {
    let of_revision = |list: &str, rest: &str| format!("/{list}/try/{REVISION}/0/{rest}");
    let (place, value) = match endpoint.name().as_str() {
        "GET /self-serve" => ("/0/path", json!("/self-serve")),
        "GET /self-serve/branches" => ("/try/repo", json!("https://hg.example/try")),
        "GET /self-serve/jobs" => ("/0/id", json!(known.newest)),
        "GET /self-serve/jobs/{job_id}" => ("/action", json!("new_build_for_builder")),
        "GET /self-serve/{branch}" => ("/0/build_id", json!(known.running.1)),
        "GET /self-serve/{branch}/build/{build_id}" => ("/requests/0/properties/flavour", json!("plain")),
        "GET /self-serve/{branch}/request/{request_id}" => ("/claimed_at", json!(0)),
        "GET /self-serve/{branch}/rev/{revision}" => ("/1/build_id", json!(known.over.1)),
        "GET /self-serve/{branch}/rev/{revision}/is_done" => ("/job_complete", json!(false)),
        "GET /self-serve/{branch}/builders" => ("/0", json!(BUILDER)),
        "GET /self-serve/{branch}/user/{user}" => ("/running/0/build_id", json!(known.running.1)),
        "POST /self-serve/events" => ("/status", json!("OK")),
        "GET /pending/{branch}/{platform}" | "GET /revision/{branch}/{revision}" => {
            (&*of_revision("pending", "id"), json!(known.pending))
        }
        "GET /running/{branch}/{platform}" => (&*of_revision("running", "request_ids/0"), json!(known.running.0)),
        "GET /recent/{worker}" => ("/0/slavename", json!("worker")),
        "GET /reports/waittimes/{pool}" => ("/masters/0", json!("bm1")),
        "GET /reports/endtoend/{branch}" => (&*format!("/build_runs/{REVISION}/running"), json!(1)),
        other => panic!("nothing is known of what is seen at {other}"),
    };
    (place.to_owned(), value)
}

/// Has an address' job carried out, and looks at it in Buildbot.
pub(crate) async fn carry_out(cloud: &Cloud, endpoint: &Endpoint, known: &Known) {
    let job = cloud.carry_out(&ask(endpoint, known)).await;
    let said = job["complete_data"]["body"]["msg"].as_str().unwrap();
    let started = cloud.started(&job);
    let is_over = async |request: u64| cloud.request(request).await["complete"] == true;
    match endpoint.name().as_str() {
        "PUT /self-serve/{branch}/request/{request_id}" => {
            assert_eq!((said, &cloud.request(known.pending).await["priority"]), ("Ok", &json!(5)));
        }
        "POST /self-serve/{branch}/build" | "POST /self-serve/{branch}/request" => {
            assert_started(&started.await, 3, BUILDER);
        }
        "POST /self-serve/{branch}/rev/{revision}/nightly" => assert_started(&started.await, 1, "try linux64 nightly"),
        "POST /self-serve/{branch}/rev/{revision}/pgo" => assert_started(&started.await, 1, "try linux64 pgo-build"),
        "POST /self-serve/{branch}/builders/{builder}/{revision}" => {
            let started = started.await;
            assert_started(&started, 1, BUILDER);
            let properties = &started[0]["properties"];
            assert_eq!((&properties["flavour"][0], &properties["files"][0]), (&json!("plain"), &json!(["a.c"])));
        }
        "POST /self-serve/{branch}/rev/{revision}" => {
            let changes = cloud.master.get(&format!("changes?revision={PUSHED}")).await.unwrap()["changes"].take();
            assert_eq!((said, changes.as_array().unwrap().len()), ("Ok", 1));
            assert_eq!((&changes[0]["branch"], &changes[0]["author"]), (&json!("try"), &json!("alice")));
        }
        "DELETE /self-serve/{branch}/request/{request_id}" => {
            assert!(said == format!("{}: Ok", known.pending) && is_over(known.pending).await, "{job}");
        }
        "DELETE /self-serve/{branch}/build/{build_id}" => {
            let build = cloud.master.get(&format!("builds/{}", known.running.1)).await.unwrap()["builds"][0].take();
            // 6 is cancelled.
            assert_eq!((said, &build["complete"], &build["results"]), ("Ok", &json!(true), &json!(6)));
        }
        "DELETE /self-serve/{branch}/rev/{revision}" => {
            let ended: Vec<u64> =
                said.lines().map(|line| line.strip_suffix(": Ok").unwrap().parse().unwrap()).collect();
            // What was made again of a build and of a request, a nightly, a profile-guided one, and one for a builder.
            assert_eq!(ended.len(), 3 + 3 + 1 + 1 + 1, "{said}");
            for request in ended {
                assert!(is_over(request).await, "{request}");
            }
        }
        other => panic!("nothing is known of what {other} does"),
    }
}

/// Requests of a builder, as many as were asked for, in Alice's name and with the priority that was asked for.
fn assert_started(started: &[Value], count: usize, builder: &str) {
    assert_eq!(started.len(), count, "{started:?}");
    for request in started {
        assert_eq!((&request["buildername"], &request["priority"]), (&json!(builder), &json!(5)), "{request}");
        assert_eq!(request["properties"]["owner"][0], "alice", "{request}");
    }
}
