//! What workers and the sweeper make of tasks, whoever dies where: two regions, queue and tasks of real servers.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use buildhub_archiver::regions::Regions;
use buildhub_archiver::settings::ArchiverSettings;
use buildhub_archiver::sweep::{Sweeper, Swept};
use buildhub_archiver::task::{Asked, FailureCode, Message, Place, State, Subject, Task, Tasks};
use buildhub_archiver::work::{Outcome, Worker};
use buildhub_core::queue::MemoryQueue;
use buildhub_core::store::{ObjectHeaders, ObjectStore as _};
use buildhub_core::{Deadline, Variables};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::source::{Archive, Misdeed, SourceServer};
use bytes::Bytes;
use futures::future;
use jiff::{Timestamp, ToSpan as _};

/// More than one part: put together by a hidden key first.
const LARGE: usize = 9 << 20;
const SMALL: usize = 100_000;
const NAMES: [&str; 2] = ["us-east-1", "us-west-2"];

/// Regions, tasks, a queue, a source, and the time.
struct Rig {
    moto: Moto,
    source: SourceServer,
    archive: Archive,
    settings: ArchiverSettings,
    tasks: Tasks,
    regions: Regions,
    queue: Arc<MemoryQueue>,
    began: Timestamp,
}

impl Rig {
    async fn start(archive: Archive) -> Self {
        let moto = Moto::start().await.unwrap();
        for bucket in ["tasks", "east", "west"] {
            moto.create_bucket(bucket).await.unwrap();
        }
        let source = SourceServer::start(archive.clone()).await.unwrap();
        let variables: Variables = moto.variables().into_iter().collect();
        let variables = variables
            .with("ARCHIVER_S3_BUCKETS", "us-east-1=east,us-west-2=west")
            .with("ARCHIVER_HGMO_URL_TEMPLATE", source.template())
            .with("ARCHIVER_TASKS_FOLDER", "s3://tasks")
            .with("NB_RETRY_REQUEST", "0");
        let settings = ArchiverSettings::from_variables(&variables).unwrap();
        let tasks = Tasks::new(settings.tasks_store().await);
        let regions = Regions::open(&settings.regions).await.with_patience(Duration::from_secs(20));
        let queue = Arc::new(MemoryQueue::new(100, Duration::from_hours(1)));
        Self { moto, source, archive, settings, tasks, regions, queue, began: Timestamp::now() }
    }

    fn worker(&self) -> Worker {
        let queue: Arc<MemoryQueue> = Arc::clone(&self.queue);
        Worker::new(&self.settings, self.tasks.clone(), self.regions.clone(), queue).unwrap()
    }

    fn sweeper(&self) -> Sweeper {
        let queue: Arc<MemoryQueue> = Arc::clone(&self.queue);
        Sweeper::new(self.tasks.clone(), self.regions.clone(), queue)
    }

    /// One region more, whose bucket is empty.
    async fn gains_a_region(&mut self, name: &str, bucket: &str) {
        self.moto.create_bucket(bucket).await.unwrap();
        let mut region = self.settings.regions[0].clone();
        (region.name, region.bucket) = (name.to_owned(), bucket.to_owned());
        self.settings.regions.push(region);
    }

    /// From now on, regions whose server cannot be reached.
    async fn goes_down(&mut self, names: &[&str]) {
        let mut settings = self.settings.regions.clone();
        for region in settings.iter_mut().filter(|region| names.contains(&region.name.as_str())) {
            region.s3.aws.endpoint = Some("http://127.0.0.1:1".to_owned());
        }
        self.regions = Regions::open(&settings).await;
    }

    /// From now on, regions whose bucket is not there.
    async fn loses_buckets(&mut self, names: &[&str]) {
        let mut settings = self.settings.regions.clone();
        for region in settings.iter_mut().filter(|region| names.contains(&region.name.as_str())) {
            "nowhere".clone_into(&mut region.bucket);
        }
        self.regions = Regions::open(&settings).await.with_patience(Duration::from_secs(20));
    }

    /// A moment after the beginning.
    fn at(&self, seconds: i64) -> Timestamp {
        self.began + seconds.seconds()
    }

    fn subject(&self, key: &str) -> Subject {
        Subject { source: "hgmo".into(), url: self.source.url(), key: key.into(), suffix: "tar.gz".into() }
    }

    /// Asks for an archive that was never asked for.
    async fn ask(&self, key: &str) -> Message {
        let task = Task::new(&key.replace('/', "_"), self.subject(key), self.began);
        assert!(self.tasks.create(&task).await.unwrap());
        task.message()
    }

    async fn handle(&self, message: &Message, seconds: i64) -> Outcome {
        self.worker().handle(message, self.at(seconds), Deadline::NONE).await.unwrap()
    }

    async fn sweep(&self, seconds: i64) -> Swept {
        self.sweeper().sweep(self.at(seconds), Deadline::NONE).await.unwrap()
    }

    async fn task(&self, message: &Message) -> Task {
        self.tasks.load(&message.task).await.unwrap().unwrap().task
    }

    /// The message that is in the queue next.
    async fn next_message(&self) -> Message {
        let delivery = tokio::time::timeout(Duration::from_secs(30), self.queue.receive()).await.unwrap();
        self.queue.remove(&delivery);
        Message::parse(&delivery.body).unwrap()
    }

    /// Every region has the archive, whole and with its hash, and nothing else is left anywhere.
    async fn is_whole_everywhere(&self, key: &str) {
        self.has_whole(key).await;
        self.nothing_is_left().await;
    }

    async fn has_whole(&self, key: &str) {
        for region in self.regions.iter() {
            let object = region.store.get(key).await.unwrap().bytes(key, 64 << 20).await.unwrap();
            assert!(object == self.archive.bytes, "{} has {} bytes", region.name, object.len());
            let details = region.store.details(key).await.unwrap();
            assert_eq!(details.headers.metadata["sha256"].len(), 64);
            assert_eq!(details.headers.content_type.as_deref(), Some("application/x-gzip"));
        }
    }

    async fn nothing_is_left(&self) {
        for region in self.regions.iter() {
            assert_eq!(region.store.uploads("", 10).await.unwrap(), [], "{}", region.name);
            assert_eq!(region.store.list_all(".incoming/").await.unwrap(), [], "{}", region.name);
        }
    }

    async fn has(&self, key: &str) -> Vec<bool> {
        let there = self.regions.iter().map(|region| async { region.store.head(key).await.is_ok() });
        future::join_all(there).await
    }
}

const KEY: &str = "projects/ash-42bf8560b395.tar.gz";

fn done() -> BTreeMap<String, Place> {
    NAMES.map(|name| (name.to_owned(), Place::Done)).into()
}

/// Changelog, row 9: one reading feeds all regions.
///
/// Kept, row 17: each of them gets the archive.
#[tokio::test]
async fn an_archive_is_read_once_and_is_in_every_region() {
    for size in [SMALL, LARGE] {
        let rig = Rig::start(Archive::gzip(size)).await;
        let message = rig.ask(KEY).await;
        let bytes = rig.archive.size();
        assert_eq!(rig.handle(&message, 0).await, Outcome::Copied { bytes, missing: 0 });
        rig.is_whole_everywhere(KEY).await;
        let task = rig.task(&message).await;
        assert_eq!((task.regions, task.lease), (done(), None));
        assert!(matches!(task.state, State::Success { size, sha256: Some(_) } if size == bytes));
        assert_eq!(rig.handle(&message, 1).await, Outcome::Over, "a message that comes twice does nothing");
        assert_eq!(rig.source.requests(), 1);
    }
}

/// Runs a future for so many polls, and drops it then. Says whether it came to an end, and after how many.
async fn killed_after<T>(polls: usize, work: impl Future<Output = T>) -> (Option<T>, usize) {
    let mut work = pin!(work);
    let mut left = polls;
    let done = future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await;
    (done, polls - left)
}

/// Before the lease, in the middle of the stream, between the regions, before the state: at whatever point.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_killed_anywhere_leaves_what_the_next_makes_whole() {
    let rig = Rig::start(Archive::gzip(LARGE)).await;
    let message = rig.ask("whole").await;
    let (done, polls) = killed_after(usize::MAX, rig.worker().handle(&message, rig.at(0), Deadline::NONE)).await;
    assert!(matches!(done.unwrap().unwrap(), Outcome::Copied { .. }));
    let mut points: Vec<_> = (1..8).map(|eighth| polls * eighth / 8).collect();
    points.extend([1, 2, polls - 3, polls - 2, polls - 1]);
    for point in points {
        let key = format!("killed-{point}");
        let message = rig.ask(&key).await;
        let (dead, _) = killed_after(point, rig.worker().handle(&message, rig.at(0), Deadline::NONE)).await;
        // The one is told of it by a queue that gives the message again, or by the sweeper.
        let outcome = rig.handle(&message, 70).await;
        assert!(dead.is_some() || outcome != Outcome::Held, "at {point}: {outcome:?}");
        assert!(matches!(rig.task(&message).await.state, State::Success { .. }), "at {point}: {outcome:?}");
        rig.has_whole(&key).await;
    }
    // A request that was on its way when its worker died may be answered after all.
    assert_eq!(rig.sweep(26 * 3600).await.faults, 0);
    rig.nothing_is_left().await;
}

#[tokio::test]
async fn what_one_region_had_before_its_worker_died_is_brought_to_the_other_from_there() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    rig.handle(&message, 0).await;
    rig.moto.delete_object("west", KEY).await.unwrap();
    let mut task = rig.task(&message).await;
    task = match Task::new(&task.id, task.subject.clone(), rig.at(0)).take(1, "dead", rig.at(0)) {
        buildhub_archiver::task::Taken::Work(task) => *task,
        other => panic!("{other:?}"),
    };
    let stored = rig.tasks.load(&message.task).await.unwrap().unwrap();
    rig.tasks.replace(&stored, task).await.unwrap().unwrap();
    assert_eq!(rig.handle(&message, 30).await, Outcome::Held, "its lease is not over");
    assert_eq!(rig.sweep(70).await.sent, 1);
    let sent = rig.next_message().await;
    assert_eq!(sent, message);
    let bytes = rig.archive.size();
    assert_eq!(rig.handle(&sent, 70).await, Outcome::Repaired { bytes, missing: 0 });
    assert_eq!(rig.source.requests(), 1, "the source is not asked for what a region has");
    rig.is_whole_everywhere(KEY).await;
}

/// Changelog, rows 4 and 5: whatever number of messages there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_workers_with_one_message_one_does_the_work() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    let outcomes = future::join_all((0..8).map(|_| rig.handle(&message, 0))).await;
    let copied = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Copied { .. })).count();
    let held = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Held | Outcome::Over)).count();
    assert_eq!((copied, held), (1, 7), "{outcomes:?}");
    assert_eq!(rig.source.requests(), 1);
    rig.is_whole_everywhere(KEY).await;
}

/// Changelog, row 6: who works keeps the task, and who has lost it stops.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_whose_lease_was_taken_stops_and_leaves_nothing() {
    let rig = Rig::start(Archive::gzip(LARGE)).await;
    rig.source.next([Misdeed::Stall(8_500_000)]);
    let message = rig.ask(KEY).await;
    let slow = rig.worker().with_beat(Duration::from_millis(100));
    let slow = slow.handle(&message, rig.at(0), Deadline::NONE);
    let other = async {
        // It says how far it is.
        while rig.task(&message).await.lease.is_none_or(|lease| lease.bytes == 0) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let status = rig.task(&message).await.status();
        assert!(status.status.starts_with("Downloading archive from http"), "{}", status.status);
        // For the other one it is two minutes later.
        rig.handle(&message, 120).await
    };
    let (slow, other) = tokio::join!(slow, other);
    assert_eq!((slow.unwrap(), other), (Outcome::Lost, Outcome::Copied { bytes: rig.archive.size(), missing: 0 }));
    assert!(matches!(rig.task(&message).await.state, State::Success { .. }));
    rig.is_whole_everywhere(KEY).await;
}

/// Changelog, row 7: what one region has counts, and what another lacks is copied later.
#[tokio::test]
async fn a_region_that_is_down_holds_nobody_back_and_gets_the_archive_when_it_is_back() {
    let mut rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    rig.goes_down(&NAMES).await;
    assert!(matches!(rig.handle(&message, 0).await, Outcome::Retrying { .. }), "no region: later");
    let said = rig.task(&message).await.status().status;
    assert!(said.contains("no region answers (us-east-1, us-west-2)"), "{said}");
    assert!(!said.contains("127.0.0.1"), "machines are named in the log, and not to everybody: {said}");
    assert_eq!(rig.source.requests(), 0, "without a region the source is not asked");
    rig.goes_down(&["us-east-1"]).await;
    let bytes = rig.archive.size();
    assert_eq!(rig.handle(&message, 60).await, Outcome::Copied { bytes, missing: 1 });
    let task = rig.task(&message).await;
    assert_eq!(task.regions["us-west-2"], Place::Done);
    assert!(matches!(task.regions["us-east-1"], Place::Missing(_)));
    assert_eq!(rig.sweep(200).await.sent, 0, "it is given some time");
    assert_eq!(rig.sweep(400).await.repairs, 1);
    assert_eq!(rig.handle(&message, 400).await, Outcome::AlreadyThere { missing: 1 }, "it is still down");
    assert!(rig.task(&message).await.is_incomplete());
    rig.goes_down(&[]).await;
    assert_eq!(rig.sweep(2000).await.repairs, 1);
    assert_eq!(rig.handle(&message, 2000).await, Outcome::Repaired { bytes, missing: 0 });
    assert_eq!((rig.source.requests(), rig.task(&message).await.regions), (1, done()));
    rig.is_whole_everywhere(KEY).await;
}

#[tokio::test]
async fn a_region_that_has_the_archive_and_is_silent_for_a_moment_is_not_forgotten() {
    let mut rig = Rig::start(Archive::gzip(SMALL)).await;
    let (message, bytes) = (rig.ask(KEY).await, rig.archive.size());
    rig.goes_down(&["us-west-2"]).await;
    assert_eq!(rig.handle(&message, 0).await, Outcome::Copied { bytes, missing: 1 });
    // Now the other one, which has it.
    rig.goes_down(&["us-east-1"]).await;
    assert_eq!(rig.sweep(400).await.repairs, 1);
    assert_eq!(rig.handle(&message, 400).await, Outcome::AlreadyThere { missing: 2 });
    let task = rig.task(&message).await;
    assert!(task.is_incomplete() && task.status().state == "SUCCESS", "{task:?}");
    rig.goes_down(&[]).await;
    assert_eq!(rig.sweep(2000).await.repairs, 1);
    assert_eq!(rig.handle(&message, 2000).await, Outcome::Repaired { bytes, missing: 0 });
    assert_eq!(rig.source.requests(), 1);
    rig.is_whole_everywhere(KEY).await;
}

#[tokio::test]
async fn a_region_is_given_the_archive_from_the_next_that_has_it_where_the_first_has_another() {
    let mut rig = Rig::start(Archive::gzip(LARGE)).await;
    rig.gains_a_region("eu-north-1", "north").await;
    rig.goes_down(&["eu-north-1"]).await;
    let (message, bytes) = (rig.ask(KEY).await, rig.archive.size());
    assert_eq!(rig.handle(&message, 0).await, Outcome::Copied { bytes, missing: 1 });
    let east = rig.regions.get("us-east-1").unwrap().clone();
    let headers = east.store.details(KEY).await.unwrap().headers;
    let mut damaged = rig.archive.bytes.to_vec();
    damaged[LARGE / 2] ^= 1;
    east.store.delete(KEY).await.unwrap();
    east.store.create_with(KEY, Bytes::from(damaged), &headers).await.unwrap();
    rig.goes_down(&[]).await;
    assert_eq!(rig.sweep(400).await.repairs, 1);
    assert_eq!(rig.handle(&message, 400).await, Outcome::Repaired { bytes, missing: 0 });
    let north = rig.regions.get("eu-north-1").unwrap();
    let found = north.store.get(KEY).await.unwrap().bytes(KEY, 64 << 20).await.unwrap();
    assert!(found == rig.archive.bytes, "whole");
    assert_eq!(rig.source.requests(), 1, "the source is not asked again");
    rig.nothing_is_left().await;
}

/// A missing bucket is a fault of the settings, and no bucket without the archive.
#[tokio::test]
async fn a_bucket_that_is_not_there_is_said_and_holds_the_other_region_back_as_little_as_one_that_is_down() {
    let mut rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    rig.loses_buckets(&NAMES).await;
    assert!(matches!(rig.handle(&message, 0).await, Outcome::Retrying { .. }));
    assert_eq!(rig.source.requests(), 0, "without a bucket the source is not asked");
    rig.loses_buckets(&["us-west-2"]).await;
    let bytes = rig.archive.size();
    assert_eq!(rig.handle(&message, 60).await, Outcome::Copied { bytes, missing: 1 });
    let Place::Missing(reason) = &rig.task(&message).await.regions["us-west-2"] else { panic!("it lacks it") };
    assert!(reason.contains("s3://nowhere/: there is no such bucket; make it"), "{reason}");
    rig.loses_buckets(&[]).await;
    assert_eq!(rig.sweep(400).await.repairs, 1);
    assert_eq!(rig.handle(&message, 400).await, Outcome::Repaired { bytes, missing: 0 });
    rig.is_whole_everywhere(KEY).await;

    rig.settings.tasks = "s3://nowhere/".parse().unwrap();
    rig.tasks = Tasks::new(rig.settings.tasks_store().await);
    let error = rig.worker().handle(&message, rig.at(500), Deadline::NONE).await.unwrap_err();
    assert!(error.to_string().contains("there is no such bucket"), "its message comes again: {error}");
}

#[tokio::test]
async fn a_message_that_was_lost_is_sent_again_and_what_is_over_is_forgotten_after_a_day() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    assert_eq!(rig.sweep(90).await.sent, 0, "it may be on its way");
    let turns = future::join_all((0..3).map(|_| rig.sweep(130))).await;
    assert_eq!(turns.iter().map(|swept| swept.sent).sum::<u64>(), 1, "of several sweepers one sends");
    assert_eq!(rig.task(&message).await.status().state, "RETRY");
    assert_eq!(rig.next_message().await, message);
    assert!(matches!(rig.handle(&message, 140).await, Outcome::Copied { .. }));
    assert_eq!(rig.sweep(23 * 3600).await.removed, 0);
    assert_eq!(rig.sweep(25 * 3600).await.removed, 1);
    assert!(rig.tasks.load(&message.task).await.unwrap().is_none());
    assert_eq!(rig.handle(&message, 25 * 3600).await, Outcome::Unknown);
    assert_eq!(rig.has(KEY).await, [true, true], "the archive stays");
}

/// Kept, row 10: a finished task without its object is made anew.
#[tokio::test]
async fn an_archive_removed_behind_its_state_is_brought_again_when_it_is_asked_for() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let first = rig.ask(KEY).await;
    rig.handle(&first, 0).await;
    for bucket in ["east", "west"] {
        rig.moto.delete_object(bucket, KEY).await.unwrap();
    }
    let stored = rig.tasks.load(&first.task).await.unwrap().unwrap();
    let Asked::Begin(again) = stored.task.ask(rig.subject(KEY), rig.at(10)) else { panic!("it begins anew") };
    let second = rig.tasks.replace(&stored, *again).await.unwrap().unwrap().task.message();
    assert_eq!((second.generation, rig.handle(&first, 11).await), (2, Outcome::Stale));
    assert!(matches!(rig.handle(&second, 12).await, Outcome::Copied { .. }));
    rig.is_whole_everywhere(KEY).await;
}

/// Changelog, rows 1, 2 and 8: what a source does wrong, and what becomes of it.
#[tokio::test]
async fn a_source_that_is_busy_or_breaks_off_is_tried_again_and_one_that_has_nothing_is_not() {
    let rig = Rig::start(Archive::gzip(LARGE)).await;
    let failed = |code| Outcome::Failed(code);
    for (misdeed, expected) in [
        (Misdeed::Status(404, None), failed(FailureCode::SourceNotFound)),
        (Misdeed::Status(410, None), failed(FailureCode::SourceNotFound)),
        (Misdeed::Status(403, None), failed(FailureCode::SourceError)),
        (Misdeed::Type("text/html"), failed(FailureCode::SourceError)),
    ] {
        rig.source.next([misdeed.clone()]);
        let key = format!("no-{}", rig.source.requests());
        let message = rig.ask(&key).await;
        assert_eq!(rig.handle(&message, 0).await, expected, "{misdeed:?}");
        let task = rig.task(&message).await;
        let status = task.status();
        assert_eq!(status.state, "FAILURE");
        assert!(status.status.contains("Could not get a valid response from src_url"), "{}", status.status);
        assert!(matches!(task.ask(rig.subject(&key), rig.at(59)), Asked::Remembered(_)), "it is remembered");
        assert!(matches!(task.ask(rig.subject(&key), rig.at(90)), Asked::Begin(_)));
    }
    let message = rig.ask(KEY).await;
    let misdeeds = [Misdeed::Status(503, Some(1)), Misdeed::Cut(8_800_000), Misdeed::Short(8_800_000)];
    for (attempt, misdeed) in (0..).zip(misdeeds) {
        rig.source.next([misdeed.clone()]);
        let outcome = rig.handle(&message, attempt * 1000).await;
        assert!(matches!(outcome, Outcome::Retrying { .. }), "{misdeed:?}: {outcome:?}");
        assert_eq!(rig.task(&message).await.status().state, "RETRY");
        assert_eq!(rig.has(KEY).await, [false, false], "{misdeed:?}: nothing can be seen");
        rig.nothing_is_left().await;
    }
    assert_eq!(rig.queue.len(), 3, "each attempt sent a message for the next");
    assert!(matches!(rig.handle(&message, 4000).await, Outcome::Copied { .. }));
    rig.is_whole_everywhere(KEY).await;
}

/// hg offers no ranges: what cannot be read in a worker's time fails, and says what was reached. Others are gone on with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_source_is_gone_on_with_where_it_knows_ranges_and_else_fails_with_what_was_reached() {
    let slow = Archive { pace: Some(3 << 20), ..Archive::gzip(24 << 20) };
    let rig = Rig::start(slow.clone()).await;
    let message = rig.ask(KEY).await;
    let short = || Deadline::after(Duration::from_secs(8));
    let outcome = rig.worker().handle(&message, rig.at(0), short()).await.unwrap();
    assert_eq!(outcome, Outcome::Failed(FailureCode::SourceTooSlow));
    let status = rig.task(&message).await.status();
    for said in
        ["bytes came in", "bytes a second", "At that speed an archive of up to", "`buildhub serve` has no such limit"]
    {
        assert!(status.status.contains(said), "{}", status.status);
    }
    rig.nothing_is_left().await;

    let rig = Rig::start(Archive { etag: Some("\"same\""), ..slow }).await;
    let message = rig.ask(KEY).await;
    let mut hops = 0;
    loop {
        // Also on a slow machine the last one has time to put together what was read.
        let deadline = if hops == 0 { short() } else { Deadline::after(Duration::from_mins(1)) };
        let outcome = rig.worker().handle(&message, rig.at(hops), deadline).await.unwrap();
        match outcome {
            Outcome::Paused { bytes } => {
                assert!(bytes > 0);
                assert_eq!(rig.next_message().await, message, "a message to go on");
                assert_eq!(rig.sweep(hops + 100).await.aborted, 0, "what was left off with is not nobody's");
            }
            Outcome::Copied { missing: 0, .. } => break,
            other => panic!("after {hops}: {other:?}"),
        }
        hops += 1;
        assert!(hops < 10);
    }
    assert!(hops > 0, "it was not through at once");
    let ranges = rig.source.ranges();
    assert!(ranges[0].is_none() && ranges[1..].iter().all(Option::is_some), "{ranges:?}");
    assert_eq!(rig.task(&message).await.attempts, 1, "going on is no new attempt");
    rig.is_whole_everywhere(KEY).await;
}

/// Its reading had little of the time: that says nothing of how fast it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_was_late_to_answer_is_tried_again_and_not_called_too_slow() {
    let rig = Rig::start(Archive { pace: Some(3 << 20), ..Archive::gzip(24 << 20) }).await;
    rig.source.next([Misdeed::Late(Duration::from_secs(10))]);
    let message = rig.ask(KEY).await;
    let outcome = rig.worker().handle(&message, rig.at(0), Deadline::after(Duration::from_secs(16))).await.unwrap();
    let Outcome::Retrying { reason } = outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("the source was so late to answer"), "{reason}");
    assert_eq!(rig.handle(&message, 60).await, Outcome::Copied { bytes: rig.archive.size(), missing: 0 });
    rig.is_whole_everywhere(KEY).await;
}

/// What the regions have of an archive is not thrown away because its source has a bad minute.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_fails_in_the_middle_costs_nothing_of_what_is_there_where_it_knows_ranges() {
    let rig = Rig::start(Archive { etag: Some("\"same\""), ..Archive::gzip(24 << 20) }).await;
    let message = rig.ask(KEY).await;
    rig.source.next([Misdeed::Cut(20 << 20), Misdeed::Status(503, Some(1)), Misdeed::Stall(1 << 20)]);
    for seconds in [0, 1000] {
        let outcome = rig.handle(&message, seconds).await;
        assert!(matches!(outcome, Outcome::Retrying { .. }), "{outcome:?}");
        let task = rig.task(&message).await;
        assert_eq!((task.status().state, task.pause.map(|pause| pause.copied.bytes)), ("RETRY", Some(16 << 20)));
        assert_eq!(rig.has(KEY).await, [false, false], "nothing can be seen");
    }
    assert_eq!(rig.sweep(1900).await.aborted, 0, "what was left off with is not nobody's");
    let slow = rig.worker().handle(&message, rig.at(2000), Deadline::after(Duration::from_secs(4))).await.unwrap();
    assert_eq!(slow, Outcome::Paused { bytes: 16 << 20 });
    assert_eq!(rig.handle(&message, 3000).await, Outcome::Copied { bytes: rig.archive.size(), missing: 0 });
    let rest = Some("bytes=16777216-".to_owned());
    assert_eq!(rig.source.ranges(), [None, rest.clone(), rest.clone(), rest]);
    assert_eq!(rig.task(&message).await.attempts, 3, "trying again is an attempt, going on is none");
    rig.is_whole_everywhere(KEY).await;
}

#[tokio::test]
async fn a_source_without_end_fails_at_the_most_that_an_archive_may_have_and_says_so() {
    let mut rig = Rig::start(Archive::gzip(LARGE)).await;
    rig.settings.max_size = 20 << 20;
    rig.source.next([Misdeed::Endless]);
    let message = rig.ask(KEY).await;
    assert_eq!(rig.handle(&message, 0).await, Outcome::Failed(FailureCode::SourceTooLarge));
    let status = rig.task(&message).await.status();
    assert_eq!((status.state, status.src_url.as_str()), ("FAILURE", ""));
    assert!(status.status.contains("larger than the 20971520 bytes"), "{}", status.status);
    assert_eq!(rig.has(KEY).await, [false, false]);
    rig.nothing_is_left().await;
}

/// S3 takes 2 KB of metadata with an object; an address may be longer.
#[tokio::test]
async fn an_address_that_is_too_long_for_metadata_is_left_out_of_it() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    for (key, length) in [("short", 100), ("long", 2000)] {
        let url = format!("{}{}", rig.source.url(), "x".repeat(length));
        let task = Task::new(key, Subject { url: url.clone(), ..rig.subject(key) }, rig.began);
        assert!(rig.tasks.create(&task).await.unwrap());
        assert!(matches!(rig.handle(&task.message(), 0).await, Outcome::Copied { missing: 0, .. }));
        let details = rig.regions.get("us-west-2").unwrap().store.details(key).await.unwrap();
        assert_eq!(details.headers.metadata.get("source"), (length < 1000).then_some(&url));
        let bytes: usize = details.headers.metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 2048, "{bytes}");
    }
}

/// Those of a worker that died while a bucket copied have the archive's own key.
#[tokio::test]
async fn uploads_by_an_archives_own_key_are_swept_unless_they_are_a_live_workers_or_another_programs() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let (held, other) = ("projects/held-42bf8560b395.zip", "projects/other-42bf8560b395.zip");
    for key in [KEY, held] {
        let message = rig.ask(key).await;
        let stored = rig.tasks.load(&message.task).await.unwrap().unwrap();
        let at = rig.at(if key == held { 0 } else { -3600 });
        let buildhub_archiver::task::Taken::Work(task) = stored.task.take(1, "me", at) else { panic!("taken") };
        rig.tasks.replace(&stored, *task).await.unwrap().unwrap();
    }
    let region = rig.regions.get("us-west-2").unwrap();
    for key in [KEY, held, other] {
        region.store.begin(key, &ObjectHeaders::default()).await.unwrap();
    }
    // The server dates every upload in 2010.
    let swept = rig.sweep(60).await;
    assert_eq!((swept.aborted, swept.faults), (1, 0));
    let left: Vec<_> = region.store.uploads("", 10).await.unwrap().into_iter().map(|found| found.upload.key).collect();
    assert_eq!(left, [held, other]);
}

#[tokio::test]
async fn what_workers_of_an_earlier_generation_left_is_cleared_by_the_first_of_the_next() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let first = rig.ask(KEY).await;
    rig.regions.get("us-west-2").unwrap().store.begin(KEY, &ObjectHeaders::default()).await.unwrap();
    let stored = rig.tasks.load(&first.task).await.unwrap().unwrap();
    let lost = stored.task.failed(FailureCode::WorkersLost, "all died", Duration::ZERO, rig.at(1));
    let stored = rig.tasks.replace(&stored, lost).await.unwrap().unwrap();
    let Asked::Begin(again) = stored.task.ask(rig.subject(KEY), rig.at(2)) else { panic!("it begins anew") };
    let second = rig.tasks.replace(&stored, *again).await.unwrap().unwrap().task.message();
    assert!(matches!(rig.handle(&second, 3).await, Outcome::Copied { missing: 0, .. }));
    rig.is_whole_everywhere(KEY).await;
}

#[tokio::test]
async fn what_dead_workers_left_is_swept_and_what_live_ones_need_is_not() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask("live").await;
    let stored = rig.tasks.load(&message.task).await.unwrap().unwrap();
    let buildhub_archiver::task::Taken::Work(held) = stored.task.take(1, "me", rig.at(3600)) else { panic!("taken") };
    rig.tasks.replace(&stored, *held).await.unwrap().unwrap();
    let headers = ObjectHeaders::default();
    let region = rig.regions.get("us-west-2").unwrap();
    for key in ["live/1-me", "live/1-other", "gone/1-x", "strange"] {
        let key = format!(".incoming/{key}");
        region.store.begin(&key, &headers).await.unwrap();
        region.store.put(&key, Bytes::from_static(b"x")).await.unwrap();
    }
    region.store.begin("not/ours", &headers).await.unwrap();
    // The server dates every upload in 2010.
    let young = rig.sweep(60).await;
    assert_eq!(young.deleted, 0, "what is young may be about to be somebody's");
    let swept = rig.sweep(3600).await;
    assert_eq!((young.aborted + swept.aborted, swept.deleted, swept.faults), (3, 3, 0));
    let left: Vec<_> = region.store.uploads("", 10).await.unwrap().into_iter().map(|found| found.upload.key).collect();
    assert_eq!(left, [".incoming/live/1-me", "not/ours"]);
}

/// One that cannot be judged keeps nobody from the others.
#[tokio::test]
async fn what_cannot_be_judged_is_passed_over_by_the_sweep_and_the_rest_is_swept() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    rig.moto.put_object("tasks", "a.json", "{").await.unwrap();
    let region = rig.regions.get("us-east-1").unwrap();
    for key in [".incoming/a/1-x", ".incoming/gone/1-x"] {
        region.store.begin(key, &ObjectHeaders::default()).await.unwrap();
        region.store.put(key, Bytes::from_static(b"x")).await.unwrap();
    }
    let swept = rig.sweep(3600).await;
    // The task itself, and what has its name: an upload and an object.
    assert_eq!((swept.aborted, swept.deleted, swept.faults), (1, 1, 3), "{swept:?}");
    assert!(region.store.head(".incoming/a/1-x").await.is_ok(), "it may be somebody's");
}

/// A task by the same name may have been made, and its worker have begun, since the old one was removed.
#[tokio::test]
async fn what_is_young_stays_when_a_task_that_is_over_is_removed() {
    let rig = Rig::start(Archive::gzip(SMALL)).await;
    let message = rig.ask(KEY).await;
    assert!(matches!(rig.handle(&message, 0).await, Outcome::Copied { .. }));
    let region = rig.regions.get("us-east-1").unwrap();
    let hidden = format!(".incoming/{}/1-new", message.task);
    region.store.put(&hidden, Bytes::from_static(b"x")).await.unwrap();
    // The server's clock is today's: for the sweep it was written a moment ago.
    let stored = rig.tasks.load(&message.task).await.unwrap().unwrap();
    let old = Task { changed: rig.began - 25.hours(), ..stored.task.clone() };
    rig.tasks.replace(&stored, old).await.unwrap().unwrap();
    let swept = rig.sweep(90).await;
    assert_eq!((swept.removed, swept.deleted), (1, 0), "{swept:?}");
    assert!(region.store.head(&hidden).await.is_ok());
    assert_eq!(rig.sweep(3600).await.deleted, 1, "once it is old it is nobody's");
}
