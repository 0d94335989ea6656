//! The event source between a queue and a function behaves as Lambda's does: what fails comes again, what never works goes
//! to the dead letters, and the others are unharmed.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::emulator::Emulator;
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::moto::{Counts, Moto, Queue, QueueSettings};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A queue with dead letters, a function, and what it writes down.
struct House {
    moto: Arc<Moto>,
    function: Arc<Emulator>,
    queue: Queue,
    dead: Queue,
    folder: TempDir,
}

impl House {
    async fn new(instances: usize) -> Self {
        Self::with_queue("events", false, instances).await
    }

    async fn with_queue(name: &str, fifo: bool, instances: usize) -> Self {
        let moto = Arc::new(Moto::start().await.unwrap());
        let plain = QueueSettings { visibility: 2, fifo, dead_letters: None };
        let dead = moto.create_queue(&format!("dead-{name}"), &plain).await.unwrap();
        let settings = QueueSettings { dead_letters: Some((&dead, 3)), ..plain };
        let queue = moto.create_queue(name, &settings).await.unwrap();
        let bootstrap = Path::new(env!("CARGO_BIN_EXE_sample-function"));
        let function = Arc::new(Emulator::pool(bootstrap, &[], instances).await.unwrap());
        Self { moto, function, queue, dead, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a message that writes its name down and does what is said.
    async fn send(&self, name: &str, group: Option<&str>, what: &Value) {
        let mut message = json!({ "name": name, "log": self.path("log") });
        message.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        self.moto.send(&self.queue, &message.to_string(), group).await.unwrap();
    }

    fn source(&self, batch: usize, concurrency: usize) -> EventSource {
        let mapping = Mapping { queue: self.queue.clone(), batch, concurrency };
        EventSource::start(&self.moto, &self.function, mapping)
    }

    /// The names in the order in which they were handled.
    fn log(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until that many messages were begun with.
    async fn begun(&self, count: usize) {
        let mut turn = tokio::time::interval(Duration::from_millis(10));
        while self.log().len() < count {
            turn.tick().await;
        }
    }
}

#[tokio::test]
async fn messages_are_handled_in_batches_and_are_gone_then() {
    let house = House::new(1).await;
    for number in 0..5 {
        house.send(&number.to_string(), None, &json!({})).await;
    }
    let source = house.source(2, 1);
    source.drained().await.unwrap();
    assert_eq!(source.calls(), 3);
    assert_eq!(source.failures(), 0);
    source.stop().await.unwrap();
    assert_eq!(house.log(), ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_message_that_fails_comes_again_alone_and_never_harms_the_others() {
    let house = House::new(1).await;
    house.send("good", None, &json!({})).await;
    house.send("late", None, &json!({ "fails": 1 })).await;
    house.send("poison", None, &json!({ "fails": 9 })).await;
    let source = house.source(10, 1);
    source.drained().await.unwrap();
    source.stop().await.unwrap();

    let times = |name: &str| house.log().iter().filter(|line| *line == name).count();
    assert_eq!((times("good"), times("late"), times("poison")), (1, 2, 3));
    assert_eq!(house.moto.counts(&house.dead).await.unwrap().visible, 1);
    let letter = house.moto.receive(&house.dead, 1).await.unwrap().remove(0);
    assert!(letter.body.contains("poison"), "{}", letter.body);
}

#[tokio::test]
async fn an_error_of_the_function_keeps_the_whole_batch() {
    let house = House::new(1).await;
    house.send("good", None, &json!({})).await;
    house.send("bad", None, &json!({ "error": 1 })).await;
    let source = house.source(10, 1);
    source.drained().await.unwrap();
    assert_eq!(source.failures(), 1);
    source.stop().await.unwrap();
    assert_eq!(house.log(), ["good", "bad", "good", "bad"]);
    assert_eq!(house.moto.counts(&house.dead).await.unwrap(), Counts::default());
}

#[tokio::test]
async fn no_more_calls_run_at_a_time_than_the_mapping_allows() {
    let house = House::new(4).await;
    for number in 0..4 {
        house.send(&number.to_string(), None, &json!({ "until": house.path("go") })).await;
    }
    let source = house.source(1, 2);
    house.begun(2).await;
    std::fs::write(house.path("go"), "").unwrap();
    source.drained().await.unwrap();
    assert_eq!(source.most_at_a_time(), 2);
    source.stop().await.unwrap();
}

#[tokio::test]
async fn a_fifo_group_has_one_call_at_a_time_and_keeps_its_order_over_a_failure() {
    let house = House::with_queue("records.fifo", true, 4).await;
    house.send("a1", Some("a"), &json!({ "until": house.path("go"), "fails": 1 })).await;
    house.send("a2", Some("a"), &json!({})).await;
    house.send("b1", Some("b"), &json!({})).await;
    let source = house.source(1, 4);
    house.begun(2).await;
    std::fs::write(house.path("go"), "").unwrap();
    source.drained().await.unwrap();
    source.stop().await.unwrap();
    let log = house.log();
    let of_a: Vec<_> = log.iter().filter(|name| name.starts_with('a')).collect();
    assert_eq!(of_a, ["a1", "a1", "a2"]);
    assert!(log[..2].contains(&"b1".to_owned()), "another group does not wait: {log:?}");
}

#[tokio::test]
async fn when_an_instance_dies_in_the_middle_another_finishes_its_batch() {
    let house = House::new(2).await;
    house.send("a", None, &json!({ "until": house.path("go") })).await;
    let source = house.source(1, 2);
    house.begun(1).await;
    assert!(house.function.kill_busy());
    std::fs::write(house.path("go"), "").unwrap();
    source.drained().await.unwrap();
    assert_eq!((source.calls(), source.failures()), (2, 1));
    source.stop().await.unwrap();
    assert_eq!(house.log(), ["a", "a"]);
    assert!(!house.function.kill_busy(), "nobody has a call now");

    // The pool has as many as before.
    let (one, two) = (json!(1), json!(2));
    let both = futures::join!(house.function.invoke(&one), house.function.invoke(&two));
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (one, two));
}
