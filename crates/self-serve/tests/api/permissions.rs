//! Who may do what, asked of the API over a real Buildbot and a real Kinto: every action by its owner, by somebody else, by an
//! administrator, and by nobody. What is refused is logged, and leaves everything as it was.
use std::sync::{Arc, Mutex};

use crate::support::site::Site;
use crate::support::{BUILDER, REVISION, until};
use buildhub_core::Deadline;
use buildhub_core::web::header::AUTHORIZATION;
use buildhub_core::web::{HeaderName, Method};
use buildhub_testkit::buildbot::Settings;
use serde_json::{Value, json};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Its lines, for all that this thread does from now on.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_writer(move || writer.clone());
        (log, tracing::subscriber::set_default(subscriber.finish()))
    }

    /// The lines so far, which are none after that.
    fn take(&self) -> Vec<Value> {
        let text = String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Each action, and whether the owner of what it is about, somebody else and an administrator may do it. Nobody may do any.
const TABLE: [(&str, &str, &str, [bool; 3]); 10] = [
    ("PUT", "request/PENDING", "priority=5", [true, false, true]),
    ("DELETE", "request/PENDING", "", [true, false, true]),
    ("DELETE", "build/RUNNING", "", [true, false, true]),
    ("DELETE", "rev/abcdef012345", "", [false, false, true]),
    ("POST", "build", "build_id=RUNNING", [true, true, true]),
    ("POST", "request", "request_id=PENDING", [true, true, true]),
    ("POST", "rev/abcdef012345", "", [true, true, true]),
    ("POST", "rev/abcdef012345/nightly", "priority=1", [true, true, true]),
    ("POST", "rev/abcdef012345/pgo", "priority=1", [true, true, true]),
    ("POST", "builders/try%20linux64%20build/abcdef012345", "", [true, true, true]),
];

/// A build that runs and a request that waits, both Alice's by a push, as an hg server tells of it.
async fn pushed(site: &Site) -> (u64, u64) {
    let world = &site.world;
    world.master.hold(BUILDER).unwrap();
    let push =
        async || world.master.push("https://hg.example/try", "try", REVISION, "Alice A. <alice@example.com>").await;
    let known = async |list: &str, id: &str| {
        until("the push is known", async || {
            world.refresher.reconcile(Deadline::NONE).await.unwrap();
            site.get("/self-serve/try/user/alice@example.com").await[list][0][id].as_u64()
        })
        .await
    };
    push().await.unwrap();
    let running = known("running", "build_id").await;
    push().await.unwrap();
    (running, known("pending", "request_id").await)
}

#[tokio::test]
async fn every_action_is_for_whom_the_table_says_and_every_refusal_is_logged_with_who_and_what() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (running, pending) = pushed(&site).await;
    let filled = |text: &str| text.replace("RUNNING", &running.to_string()).replace("PENDING", &pending.to_string());
    let (log, _guard) = Log::start();
    let jobs = async || site.world.jobs.newest(1000, None).await.unwrap().jobs.len();

    for (method, path, body, [owner, other, admin]) in TABLE {
        let (path, method) = (format!("/self-serve/try/{}", filled(path)), method.parse::<Method>().unwrap());
        let people: [(&str, bool, u16); 4] = [
            ("alice@example.com", owner, 403),
            ("mallory@example.com", other, 403),
            ("sheriff", admin, 403),
            ("", false, 401),
        ];
        for (who, may, refusal) in people {
            let before = jobs().await;
            let ask = site.ask(method.clone(), &path).form(&filled(body));
            let ask = match who {
                "" => ask,
                "sheriff" => ask.sheriff(),
                name => ask.by(name),
            };
            log.take();
            let answer = ask.answer().await;
            let what = format!("{method} {path} by {who:?}: {}", answer.text());
            assert_eq!(answer.status.as_u16(), if may { 202 } else { refusal }, "{what}");
            assert_eq!(jobs().await - before, usize::from(may), "{what}");
            let lines = log.take();
            let refused: Vec<_> = lines.iter().filter(|line| line["message"] == "refused").collect();
            assert_eq!(refused.len(), usize::from(!may), "{what}: {lines:?}");
            if may {
                continue;
            }
            let known = if who.is_empty() { Value::Null } else { json!(who) };
            let line = refused[0];
            let said = (&line["who"], &line["method"], &line["path"], &line["status"]);
            assert_eq!(said, (&known, &json!(method.as_str()), &json!(path), &json!(refusal)), "{line}");
            assert!(
                line["request"].is_string() && line["reason"].as_str().unwrap().contains("ACCESS DENIED!"),
                "{line}"
            );
            // Whoever has a name is told of with what they wanted, as a warning.
            let warned = lines.iter().find(|line| line["message"] == "refused: who asks may not do that");
            assert_eq!(warned.is_some(), refusal == 403, "{what}: {lines:?}");
            if let Some(line) = warned {
                let action = line["action"].as_str().unwrap();
                let numbers = [running.to_string(), pending.to_string(), REVISION.to_owned()];
                assert!(line["level"] == "WARN" && line["who"] == who, "{line}");
                assert!(numbers.iter().any(|number| action.contains(number.as_str())), "{line}");
            }
        }
    }
    // Nothing of that was carried out, and what was refused never will be.
    let request = site.world.backend.request(pending).await.unwrap().unwrap();
    assert_eq!((request.priority, request.completed), (0, None));
    assert!(site.world.backend.build(running).await.unwrap().unwrap().ended.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_from_a_push_is_its_authors_by_their_address_and_not_by_their_name() {
    let site = Site::start(Settings { builds: 1, ..Settings::default() }).await;
    let (running, pending) = pushed(&site).await;
    let cancel = |path: String| site.ask(Method::DELETE, &format!("/self-serve/try/{path}"));
    for path in [format!("request/{pending}"), format!("build/{running}")] {
        // What stands before an address is anybody's to choose.
        for other in ["Alice A.", "alice", "Mallory <mallory@example.com>", "alice@example.com <mallory@example.com>"] {
            assert_eq!(cancel(path.clone()).by(other).refusal().await.0, 403, "{other}");
        }
    }
    let users = ["alice@example.com", "Alice A. <alice@example.com>"];
    for user in users {
        let path = format!("/self-serve/try/user/{}", user.replace(' ', "%20"));
        let found = site.get(&path).await;
        let said = (&found["running"][0]["build_id"], &found["pending"][0]["request_id"], &found["builds"]);
        assert_eq!(said, (&json!(running), &json!(pending), &json!([])), "{user}");
        assert_eq!(found["pending"][0]["owner"], "alice@example.com");
    }
    assert_eq!(site.get("/self-serve/try/user/Alice%20A.").await["running"], json!([]));
    let answer = cancel(format!("request/{pending}")).by("alice@example.com").answer().await;
    assert_eq!(site.carry_out(&answer).await[0], false);
    let answer = cancel(format!("build/{running}")).by("alice@example.com").answer().await;
    assert_eq!(site.carry_out(&answer).await, json!([false, "Ok"]));
    assert!(site.world.backend.build(running).await.unwrap().unwrap().ended.is_some());
    let over = site.get("/self-serve/try/user/alice@example.com").await;
    assert_eq!(over["builds"][0]["build_id"], running, "after it was built too: {over}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_named_by_what_a_client_may_write() {
    let site = Site::start(Settings::default()).await;
    let ask = || site.ask(Method::POST, &format!("/self-serve/try/rev/{REVISION}/nightly")).form("priority=1");
    for header in ["x-remote-user", "remote-user", "x-forwarded-user", "from", "cookie", "x-self-serve-identity"] {
        let (status, message) = ask().header(HeaderName::from_static(header), "sheriff").refusal().await;
        assert_eq!((status, message.contains("ACCESS DENIED!")), (401, true), "{header}");
    }
    for login in ["Bearer sheriff", "Basic c2hlcmlmZjpzaGVyaWZm", "sheriff"] {
        assert_eq!(ask().header(AUTHORIZATION, login).refusal().await.0, 401, "{login}");
    }
    // A claim that is no name names nobody, in whichever way it is none.
    for name in ["", "a\nb", "a\0", &"a".repeat(255)] {
        assert_eq!(ask().by(name).refusal().await.0, 401, "{name:?}");
    }
    assert_eq!(site.world.jobs.newest(10, None).await.unwrap().jobs, []);
}
