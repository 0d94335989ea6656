//! Builds seen and steered by commands: `buildhub serve` with self-serve, a real Kinto, and a real Buildbot that tells it
//! of its builds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use buildhub_kinto::{Client, ClientSettings, Condition, Outcome};
use buildhub_testkit::buildbot::{Buildbot, Settings};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::token;
use futures::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const SECRET: &str = "thirty-two bytes are just enough";
const REVISION: &str = "abcdef012345";
const BUILDER: &str = "try linux64 build";
/// Longer than anything here takes, and shorter than the time between two sweeps: what is seen within it was told.
const SOON: Duration = Duration::from_secs(25);

/// A command serving self-serve, and what stands around it.
struct Site {
    master: Buildbot,
    address: String,
    kinto: KintoServer,
    _serving: Child,
    _events: JoinSet<()>,
    _folder: TempDir,
}

/// What a command said.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Said {
    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The requests that a job started, by number; the job went well.
    fn started(&self) -> Vec<u64> {
        let job = self.json();
        assert_eq!(job["complete_data"]["body"], json!({ "errors": false, "msg": "Ok" }), "{job}");
        let steps = job["steps"].as_object().unwrap().values();
        steps.flat_map(|step| step["requests"].as_array().unwrap()).map(|id| id.as_u64().unwrap()).collect()
    }
}

fn buildhub() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_buildhub"));
    command.env_clear().env("NO_PROXY", "127.0.0.1").stdin(Stdio::null()).kill_on_drop(true);
    command
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

/// A token of somebody for the next minutes.
fn token_of(name: &str, groups: &[&str]) -> String {
    token::signed(name, groups, SECRET, now() + 600)
}

impl Site {
    /// One build at a time, so that others wait.
    async fn start() -> Self {
        // The master must know where it tells of builds before there is anybody to listen, and who listens must know the
        // master: what comes to this address goes on to wherever self-serve will be.
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let events = format!("http://{}/self-serve/events", door.local_addr().unwrap());
        let settings = Settings { events: Some(events), builds: 1, ..Settings::default() };
        let (kinto, master) = tokio::join!(KintoServer::start(Backend::Memory), Buildbot::start(settings));
        let (kinto, master) = (kinto.unwrap(), master.unwrap());
        let folder = tempfile::tempdir().unwrap();
        let (serving, address) = serve(&kinto, &master, &folder).await;
        let mut events = JoinSet::new();
        events.spawn(pass_on(door, address.trim_start_matches("http://").trim_end_matches('/').to_owned()));
        Self { master, address, kinto, _serving: serving, _events: events, _folder: folder }
    }

    /// `buildhub self-serve ARGS` by whoever has that token.
    async fn run(&self, token: Option<&str>, args: &[&str]) -> Said {
        let mut command = buildhub();
        command.arg("self-serve").args(args).env("SELF_SERVE_URL", &self.address);
        command.envs(token.map(|token| ("SELF_SERVE_TOKEN", token)));
        let output = command.output().await.unwrap();
        Said {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    async fn alice(&self, args: &[&str]) -> Said {
        self.run(Some(&token_of("alice", &[])), args).await
    }

    /// What anybody sees.
    async fn see(&self, args: &[&str]) -> Value {
        self.run(None, args).await.json()
    }

    /// A request as the master has it.
    async fn request(&self, id: u64) -> Value {
        self.master.get(&format!("buildrequests/{id}?property=*")).await.unwrap()["buildrequests"][0].clone()
    }

    /// Starts a build in somebody's name: its request.
    async fn new_build(&self, who: &str) -> u64 {
        let args = ["new", "try", REVISION, "--builder", BUILDER, "--wait"];
        let started = self.run(Some(&token_of(who, &[])), &args).await.started();
        assert_eq!(started.len(), 1);
        started[0]
    }

    /// The build of a request, once what is seen says this of it.
    async fn build_of(&self, request: u64, is_so: impl Fn(&Value) -> bool) -> Value {
        until("a build is seen as it is", async || {
            let builds = self.see(&["builds", "try", "--revision", REVISION]).await;
            let found =
                builds.as_array().unwrap().iter().find(|item| {
                    item["requests"][0]["request_id"] == request && item["build_id"].is_u64() && is_so(item)
                });
            found.cloned()
        })
        .await
    }
}

/// The command on a port of its own: its process and its address.
async fn serve(kinto: &KintoServer, master: &Buildbot, folder: &TempDir) -> (Child, String) {
    let place = |name: &str, document: Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, document.to_string()).unwrap();
        path
    };
    let branches = json!({
        "mozilla-central": { "repo": "https://hg.example/mozilla-central" },
        "try": { "repo": "https://hg.example/try" }
    });
    let builder = |kind: &str| {
        (format!("try linux64 {kind}"), json!({ "properties": { "branch": "try", "platform": "linux64" } }))
    };
    let builders: serde_json::Map<_, _> = ["build", "nightly", "pgo-build"].map(builder).into_iter().collect();
    let mut command = buildhub();
    command.args(["serve", "--listen", "127.0.0.1:0"]).stderr(Stdio::piped());
    command.env("SERVER_URL", kinto.url()).env("BUILDBOT_URL", master.url()).env("BUILDBOT_AUTH", master.auth());
    command.env("BRANCHES_URL", place("branches.json", branches));
    command.env("BUILDERS_URL", place("builders.json", json!({ "builders": builders })));
    command.env("SELF_SERVE_IDENTITY", "proxy").env("SELF_SERVE_PROXY_SECRET", SECRET);
    command.env("SELF_SERVE_ADMINS", "group:sheriffs").env("SELF_SERVE_EVENTS_AUTH", "events:push");
    let mut process = command.spawn().unwrap();
    let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
    let mut said = String::new();
    let address = loop {
        let line = log.next_line().await.unwrap().unwrap_or_else(|| panic!("it ended before it listened: {said}"));
        if let Some((_, rest)) = line.split_once("listening on ") {
            break rest.trim().to_owned();
        }
        said += &line;
    };
    // Whoever writes to a pipe that nobody reads waits.
    tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
    (process, address)
}

/// Passes on whatever comes to a door.
async fn pass_on(door: TcpListener, to: String) {
    let mut open = JoinSet::new();
    loop {
        let (mut from, _) = door.accept().await.unwrap();
        let to = to.clone();
        open.spawn(async move {
            if let Ok(mut to) = TcpStream::connect(to).await {
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            }
        });
    }
}

/// Looks again until it is so.
async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let found = tokio::time::timeout(SOON, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    found.await.unwrap_or_else(|_| panic!("not within {SOON:?}: {what}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_developer_sees_and_steers_builds_by_commands() {
    let site = Site::start().await;
    let build = what_ends_is_seen_at_once(&site).await;

    let addresses = site.see(&["addresses"]).await;
    assert!(addresses.as_array().unwrap().iter().any(|known| known["path"] == "/self-serve/jobs"), "{addresses}");
    assert_eq!(site.see(&["branches"]).await["try"]["repo"], "https://hg.example/try");
    let builders = site.see(&["builders", "try"]).await;
    assert_eq!(builders, json!([BUILDER, "try linux64 nightly", "try linux64 pgo-build"]));
    let shown = site.see(&["build", "try", &build.to_string()]).await;
    assert_eq!((&shown["buildername"], &shown["owner"]), (&json!(BUILDER), &json!("alice")));
    let day = site.see(&["builds", "try"]).await;
    assert_eq!(day[0]["build_id"], build);
    assert_eq!(site.see(&["builds", "try", "--date", "2001-01-01"]).await, json!([]));

    let open = rebuilt_three_times_and_moved(&site, build).await;
    reports(&site, open.len()).await;
    cancelled(&site, &open).await;
    new_ones(&site).await;
}

/// A build that begins and ends is seen so before any sweep: the master has told of it.
async fn what_ends_is_seen_at_once(site: &Site) -> u64 {
    site.master.hold(BUILDER).unwrap();
    let args = ["new", "try", REVISION, "--builder", BUILDER, "--property", "flavour=plain", "--property", "level=3"];
    let started = site.alice(&[&args[..], &["--file", "a.c", "--priority", "2", "--wait"]].concat()).await.started();
    let request = site.request(started[0]).await;
    assert_eq!(request["priority"], 2);
    let properties = &request["properties"];
    assert_eq!((&properties["flavour"][0], &properties["level"][0]), (&json!("plain"), &json!(3)), "{request}");
    assert_eq!(properties["owner"][0], "alice");

    let running = site.build_of(started[0], |build| build["endtime"].is_null()).await;
    let is_done = site.run(None, &["is-done", "try", REVISION, "--stable-delay", "0"]).await;
    assert_eq!((is_done.code, is_done.stdout.contains("\"job_complete\":false")), (1, true), "{}", is_done.stderr);
    site.master.release(BUILDER).unwrap();
    let over = site.build_of(started[0], |build| build["endtime"].is_i64()).await;
    assert_eq!((&over["build_id"], &over["status"]), (&running["build_id"], &json!(0)));

    let is_done = until("the revision is done", async || {
        let said = site.run(None, &["is-done", "try", REVISION, "--stable-delay", "0"]).await;
        (said.code == 0).then(|| said.json())
    });
    assert_eq!(is_done.await, json!({ "stableDelay": 0, "job_complete": true, "job_passed": true }));
    over["build_id"].as_u64().unwrap()
}

/// Three builds of a builder that is held, of which two wait; one of them is moved forward.
async fn rebuilt_three_times_and_moved(site: &Site, build: u64) -> Vec<u64> {
    site.master.hold(BUILDER).unwrap();
    let build = build.to_string();
    let args = ["rebuild", "try", "--build", &build, "--count", "3", "--priority", "5", "--wait", "--key", "once"];
    let open = site.alice(&args).await.started();
    assert_eq!(open.len(), 3);
    assert_eq!(site.alice(&args).await.started(), open, "with the same key it is the same job");
    for &id in &open {
        let request = site.request(id).await;
        let said = (&request["priority"], &request["properties"]["owner"][0], &request["properties"]["flavour"][0]);
        assert_eq!(said, (&json!(5), &json!("alice"), &json!("plain")), "{request}");
    }
    site.build_of(open[0], |build| build["endtime"].is_null()).await;

    let mine = site.see(&["builds", "try", "--user", "alice"]).await;
    assert_eq!(mine["running"][0]["requests"][0]["request_id"], open[0], "{mine}");
    assert_eq!(mine["pending"].as_array().unwrap().len(), 2, "{mine}");

    let last = open[2].to_string();
    let moved = site.alice(&["reprioritize", "try", &last, "9", "--wait"]).await.json();
    assert_eq!(moved["complete_data"]["body"], json!({ "errors": false, "msg": "Ok" }));
    assert_eq!(site.request(open[2]).await["priority"], 9);
    assert_eq!(site.see(&["request", "try", &last]).await["priority"], 9);
    let back = site.alice(&["reprioritize", "try", &last, "-9", "--wait"]).await;
    assert_eq!((back.code, &site.request(open[2]).await["priority"]), (0, &json!(-9)), "{}", back.stderr);
    open
}

async fn reports(site: &Site, open: usize) {
    let pending = site.see(&["report", "pending", "try"]).await;
    assert_eq!(pending["pending"]["try"][REVISION].as_array().unwrap().len(), open - 1, "{pending}");
    let running = site.see(&["report", "running"]).await;
    assert_eq!(running["running"]["try"][REVISION].as_array().unwrap().len(), 1, "{running}");
    let recent = site.see(&["report", "recent", "worker"]).await;
    assert_eq!((recent.as_array().unwrap().len(), &recent[0]["slavename"]), (2, &json!("worker")), "{recent}");
    let waits = site.see(&["report", "waittimes"]).await;
    assert_eq!((&waits["total"], &waits["no_changes"]), (&json!(0), &json!(2)), "asked for by hand: {waits}");
    let runs = site.see(&["report", "endtoend", "try"]).await;
    assert_eq!(runs["build_runs"][REVISION]["is_complete"], "no", "{runs}");
    let platform = site.see(&["report", "pending", "try", "linux64", "--with", "num=1"]).await;
    assert_eq!(platform["pending"]["try"][REVISION].as_array().unwrap().len(), 1, "{platform}");
    let other = site.see(&["report", "pending", "try", "win32"]).await;
    assert_eq!(other["pending"], json!({}));
    let all = site.see(&["report", "revision", "try", REVISION]).await;
    assert!(!all["pending"]["try"][REVISION].as_array().unwrap().is_empty(), "{all}");
    let early = site.see(&["report", "waittimes", "--from", "1000000000", "--to", "1000003600"]).await;
    assert_eq!(early["total"], 0);
}

/// A request that waits, a build that runs, and all that is left of a revision.
async fn cancelled(site: &Site, open: &[u64]) {
    const CANCELLED: u64 = 6;
    let ended = site.alice(&["cancel", "try", "--request", &open[1].to_string(), "--wait"]).await.json();
    assert_eq!(ended["complete_data"]["body"]["msg"], format!("{}: Ok", open[1]));
    let request = site.request(open[1]).await;
    assert_eq!((&request["complete"], &request["results"]), (&json!(true), &json!(CANCELLED)));

    let build = site.build_of(open[0], |build| build["endtime"].is_null()).await["build_id"].to_string();
    let ended = site.alice(&["cancel", "try", "--build", &build, "--wait"]).await;
    assert_eq!(ended.json()["complete_data"]["body"]["msg"], "Ok");
    let known = site.master.get(&format!("builds/{build}")).await.unwrap();
    assert_eq!(known["builds"][0]["results"], CANCELLED, "{known}");

    let all = ["cancel", "try", "--revision", REVISION, "--wait"];
    assert_eq!(site.alice(&all).await.code, 1, "all of a revision is for an administrator to end");
    let rest = site.run(Some(&token_of("carol", &["sheriffs"])), &all).await;
    assert_eq!(rest.json()["complete_data"]["body"]["msg"], format!("{}: Ok", open[2]));
    assert_eq!(site.request(open[2]).await["results"], CANCELLED);
    let nothing = site.alice(&["cancel", "try", "--request", &open[2].to_string(), "--wait"]).await;
    assert_eq!(nothing.json()["complete_data"]["body"]["msg"], "Request is complete, nothing to do");
    site.master.release(BUILDER).unwrap();
}

async fn new_ones(site: &Site) {
    for (kind, builder) in [("--nightly", "try linux64 nightly"), ("--pgo", "try linux64 pgo-build")] {
        let started = site.alice(&["new", "try", REVISION, kind, "--priority", "1", "--wait"]).await.started();
        assert_eq!(started.len(), 1, "{kind}");
        let builder_id = site.request(started[0]).await["builderid"].to_string();
        let known = site.master.get(&format!("builders/{builder_id}")).await.unwrap();
        assert_eq!(known["builders"][0]["name"], builder);
    }
    // What a push brings is the master's schedulers' to say; the build is seen because the master tells of it.
    let pushed = site.alice(&["new", "try", "fedcba987654", "--wait"]).await.json();
    assert_eq!(pushed["complete_data"]["body"], json!({ "errors": false, "msg": "Ok" }));
    let built = until("the push is built", async || {
        let found = site.see(&["builds", "try", "--revision", "fedcba987654"]).await;
        found[0]["endtime"].is_i64().then(|| found[0].clone())
    });
    assert_eq!(built.await["buildername"], BUILDER);
    let waits = site.see(&["report", "waittimes"]).await;
    assert_eq!(waits["platforms"]["linux64"]["total"], 1, "{waits}");

    // Asked for without waiting, followed afterwards.
    let asked = site.alice(&["new", "try", REVISION, "--nightly", "--json"]).await.json();
    let job = asked["id"].to_string();
    assert_eq!(site.run(None, &["job", &job, "--wait"]).await.started().len(), 1);
    let jobs = site.see(&["jobs", "--limit", "2"]).await;
    assert_eq!((jobs.as_array().unwrap().len(), &jobs[0]["id"], &jobs[0]["who"]), (2, &asked["id"], &json!("alice")));
    let older = site.see(&["jobs", "--limit", "1", "--before", &job]).await;
    assert_eq!(older[0], jobs[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so_and_nothing_happens() {
    let site = Site::start().await;
    site.master.hold(BUILDER).unwrap();
    let request = site.new_build("alice").await;
    let id = request.to_string();
    let cancel = ["cancel", "try", "--request", &id, "--wait"];

    let bob = token_of("bob", &["developers"]);
    let forged = token::signed("alice", &["sheriffs"], "another secret of thirty-two byte", now() + 600);
    let expired = token::signed("alice", &["sheriffs"], SECRET, now() - 600);
    for (token, code, reason) in [
        (Some(bob.as_str()), 1, "ACCESS DENIED! Only its owner or an administrator may do that (403"),
        (None, 1, "ACCESS DENIED! It is not known who asks; sign in first (401"),
        (Some(forged.as_str()), 1, "its signature is not the proxy's (401"),
        (Some(expired.as_str()), 1, "expired"),
    ] {
        let said = site.run(token, &cancel).await;
        assert_eq!(
            (said.code, said.stderr.contains(reason), said.stdout.as_str()),
            (code, true, ""),
            "{}",
            said.stderr
        );
        assert!(token.is_none_or(|token| !said.stderr.contains(token)), "a token is a secret: {}", said.stderr);
    }
    // What makes no sense: to the command itself, and to self-serve.
    for (args, reason) in [
        (&["cancel", "try"][..], "--build"),
        (&["new", "try", REVISION, "--nightly", "--pgo"], "cannot be used with"),
        (&["new", "try", REVISION, "--builder", BUILDER, "--property", "flavour"], "is not NAME=VALUE"),
        (&["rebuild", "try", "--request", &id, "--count", "99"], "Bad count"),
        (&["reprioritize", "try", &id, "1000"], "Bad priority"),
        (&["builds", "try", "--date", "yesterday"], "Bad date"),
        (&["new", "try", "tip"], "Bad revision"),
    ] {
        let said = site.alice(args).await;
        assert_eq!((said.code, said.stderr.contains(reason)), (2, true), "{args:?}: {}", said.stderr);
    }
    for (args, reason) in [
        (&["builds", "nope"][..], "Branch nope not found (404"),
        (&["new", "try", REVISION, "--builder", "nope"], "Builder nope not found on branch try (404"),
        (&["job", "999"], "Job 999 not found (404"),
    ] {
        let said = site.alice(args).await;
        assert_eq!((said.code, said.stderr.contains(reason)), (1, true), "{args:?}: {}", said.stderr);
    }
    assert_eq!(site.request(request).await["complete"], false, "all of that left it alone");
    let jobs = site.see(&["jobs"]).await;
    assert_eq!(jobs.as_array().unwrap().len(), 1, "what is refused is no job: {jobs}");

    let sheriff = token_of("carol", &["sheriffs"]);
    let ended = site.run(Some(&sheriff), &cancel).await;
    assert_eq!(ended.json()["complete_data"]["body"]["errors"], false);
    assert_eq!(site.request(request).await["complete"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_told_to_its_end_however_many_answers_it_takes() {
    const MANY: u64 = 1_100;
    let site = Site::start().await;
    let settings = ClientSettings::new(site.kinto.url().parse().unwrap(), "user:pass".parse().unwrap());
    let builds = Client::new(&settings).unwrap().collection("self-serve", "builds").unwrap();
    let keep = |id: u64| {
        let build = json!({
            "build_id": id, "requests": [], "buildnumber": id, "buildername": BUILDER, "branch": "try",
            "revision": "fedcba987654", "starttime": id, "endtime": id + 60, "status": 0, "claimed_by_name": "worker",
            "master": null, "owner": "alice", "rev": "fedcba987654", "state": "complete",
        });
        let builds = &builds;
        async move {
            let kept = builds.put(&id.to_string(), &build, Condition::None).await.unwrap();
            assert!(matches!(kept, Outcome::Stored { .. }), "{kept:?}");
        }
    };
    stream::iter(1..=MANY).for_each_concurrent(8, keep).await;
    let newest_first: Vec<u64> = (1..=MANY).rev().collect();
    let ids = |list: &Value| {
        list.as_array().unwrap().iter().map(|build| build["build_id"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&site.see(&["builds", "try", "--revision", "fedcba987654"]).await), newest_first);
    // Of a person, who may have asked for builds for years, the newest; and it is said that there may be more.
    for (limit, there) in
        [(None, 1000), (Some("7"), 7), (Some("1050"), 1050), (Some("1100"), 1100), (Some("5000"), 1100)]
    {
        let mut args = vec!["builds", "try", "--user", "alice"];
        args.extend(limit.iter().flat_map(|limit| ["--limit", limit]));
        let said = site.run(None, &args).await;
        assert_eq!(ids(&said.json()["builds"]), newest_first[..there], "{limit:?}");
        assert_eq!(said.stderr.contains("there may be more: --limit"), limit != Some("5000"), "{}", said.stderr);
    }
    let user = site.see(&["builds", "try", "--user", "alice", "--limit", "1"]).await;
    assert_eq!((&user["running"], &user["pending"]), (&json!([]), &json!([])));
    assert_eq!(ids(&site.see(&["builds", "try", "--date", "1970-01-01"]).await), newest_first);
}
