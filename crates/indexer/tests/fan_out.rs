//! A run spread over many invocations: whatever happens to messages and workers, the records are those of a run in one
//! piece. The queues here are lists, so that each test says itself what arrives, when, and how often.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::queue::{Outgoing, Queue, QueueError};
use buildhub_core::{Deadline, Variables};
use buildhub_indexer::fanout::message::Job;
use buildhub_indexer::fanout::{FanOut, FanOutError, PartOutcome, Planned, RunReport};
use buildhub_indexer::gaps::GapReason;
use buildhub_indexer::{CatchUp, NoProgress, Report};
use buildhub_kinto::{Auth, Client, ClientSettings, Collection, Query};
use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// A queue that is a list. Sending can be made to fail, or to take long.
#[derive(Debug, Default)]
struct List {
    messages: Mutex<VecDeque<Outgoing>>,
    /// How many messages may be sent before one fails; afterwards all go well.
    until_failure: Mutex<Option<usize>>,
    /// How long the next call takes.
    delay: Mutex<Option<Duration>>,
    sent: AtomicUsize,
}

impl List {
    fn take(&self) -> Option<Outgoing> {
        self.messages.lock().unwrap().pop_front()
    }

    fn all(&self) -> Vec<Outgoing> {
        self.messages.lock().unwrap().drain(..).collect()
    }

    fn is_failing(&self) -> bool {
        let mut left = self.until_failure.lock().unwrap();
        match left.take() {
            Some(0) => true,
            Some(more) => {
                *left = Some(more - 1);
                false
            }
            None => false,
        }
    }
}

#[async_trait]
impl Queue for List {
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError> {
        for message in messages {
            if self.is_failing() {
                let (queue, reason) = (self.describe(), "as the test wants".to_owned());
                return Err(QueueError::Unavailable { queue, unsent: 1, reason });
            }
            self.sent.fetch_add(1, Ordering::Relaxed);
            self.messages.lock().unwrap().push_back(message);
        }
        let delay = self.delay.lock().unwrap().take();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    fn describe(&self) -> String {
        "a list".to_owned()
    }
}

struct World {
    kinto: KintoServer,
    folder: TempDir,
    sample: Arc<Sample>,
    site: ArchiveSite,
    parts: Arc<List>,
    batches: Arc<List>,
}

impl World {
    async fn new(rows: u64, parts: usize) -> Self {
        let sample = Arc::new(Sample::new(SampleSpec { rows, seed: 11, parts }));
        let folder = tempfile::tempdir().unwrap();
        sample.write_inventory(&folder.path().join("bucket"), &Inventory::of("firefox")).unwrap();
        let site = ArchiveSite::start(Content::sample(Arc::clone(&sample))).await.unwrap();
        let kinto = KintoServer::start(Backend::Memory).await.unwrap();
        Self { kinto, folder, sample, site, parts: Arc::default(), batches: Arc::default() }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn variables(&self, collection: &str) -> Variables {
        Variables::default()
            .with("SERVER_URL", self.kinto.url())
            .with("COLLECTION", collection)
            .with("ARCHIVE_URL", self.site.url())
            .with("INVENTORIES", "firefox")
            .with("INVENTORY_LOCATION", self.path("bucket/public"))
            .with("CACHE_FOLDER", self.path("cache"))
            .with("CSV_DOWNLOAD_DIRECTORY", self.path("temporary"))
            .with("BATCH_MAX_REQUESTS", "20")
    }

    async fn catch_up(&self, collection: &str) -> CatchUp {
        let now = Timestamp::now();
        CatchUp::from_variables(&self.variables(collection), now, Arc::new(NoProgress)).await.unwrap()
    }

    async fn fan_out(&self) -> FanOut {
        FanOut::new(self.catch_up("releases").await, Arc::clone(&self.parts) as _, Arc::clone(&self.batches) as _)
    }

    /// What a run in one piece makes of the same inventory.
    async fn in_one_piece(&self) -> (Report, Vec<Value>) {
        let (report, result) = self.catch_up("in-one-piece").await.run().await;
        result.unwrap();
        (report, self.records("in-one-piece").await)
    }

    async fn records(&self, collection: &str) -> Vec<Value> {
        let pages = self.collection(collection).pages::<Value>(Query::new().sort(["id"]));
        let pages: Vec<_> = pages.collect().await;
        let records = pages.into_iter().flat_map(|page| page.unwrap().entries);
        let record = |entry: buildhub_kinto::Entry<Value>| {
            let mut data = entry.record().unwrap().data;
            data.as_object_mut().unwrap().retain(|name, _| name != "last_modified" && name != "schema");
            data
        };
        records.map(record).collect()
    }

    fn collection(&self, name: &str) -> Collection {
        let auth: Auth = "user:pass".parse().unwrap();
        let client = Client::new(&ClientSettings::new(self.kinto.url().parse().unwrap(), auth)).unwrap();
        client.collection("build-hub", name).unwrap()
    }

    /// Works until both queues are empty; the run's report.
    async fn drive(&self, fan_out: &FanOut) -> Option<RunReport> {
        let mut report = None;
        loop {
            if let Some(message) = self.parts.take() {
                part(fan_out, &message, Deadline::NONE).await.unwrap();
            } else if let Some(message) = self.batches.take() {
                report = batch(fan_out, &message).await.unwrap().or(report);
            } else {
                return report;
            }
        }
    }

    fn inventory_parts(&self) -> Vec<std::path::PathBuf> {
        let data = walk(&self.folder.path().join("bucket")).into_iter();
        let mut parts: Vec<_> = data.filter(|path| path.extension().is_some_and(|it| it == "gz")).collect();
        parts.sort();
        parts
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

async fn part(fan_out: &FanOut, message: &Outgoing, deadline: Deadline) -> Result<PartOutcome, FanOutError> {
    let Job::Part(job) = Job::parse(&message.body).unwrap() else { panic!("no part: {message:?}") };
    fan_out.part(&job, deadline).await
}

/// Writes a batch, or ends the run: then its report.
async fn batch(fan_out: &FanOut, message: &Outgoing) -> Result<Option<RunReport>, FanOutError> {
    assert!(message.group.is_some() && message.deduplication.is_some(), "{message:?}");
    match Job::parse(&message.body).unwrap() {
        Job::Batch(batch) => fan_out.drain(&batch, 1, Deadline::NONE).await.map(|_| None),
        Job::Finish(finish) => {
            let report = fan_out.finish(&finish.run, Timestamp::now(), Deadline::NONE).await?;
            Ok(report.map(|report| *report))
        }
        Job::Part(_) => panic!("a part among the batches"),
    }
}

async fn plan(fan_out: &FanOut) -> Planned {
    fan_out.plan(None, Timestamp::now(), Deadline::NONE).await.unwrap()
}

#[tokio::test]
async fn a_spread_run_makes_the_records_and_counts_of_a_run_in_one_piece() {
    let world = World::new(6_000, 4).await;
    let (whole, expected) = world.in_one_piece().await;
    assert!(expected.len() > 200, "{}", expected.len());
    let fan_out = world.fan_out().await;
    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { parts: 4, .. }), "{planned:?}");
    let report = world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
    assert_eq!((report.parts.planned, report.parts.done), (4, 4));
    assert_eq!(report.batches.queued, report.batches.written);
    assert!(report.batches.written > 10, "{:?}", report.batches);
    let RunReport { report, .. } = report;
    assert!(report.is_success(), "{:?}", report.faults);
    assert_eq!(report.store.created, expected.len() as u64);
    assert_eq!((report.read.rows, report.builds.seen), (whole.read.rows, whole.builds.seen));
    assert_eq!(report.builds.seen, world.sample.summary().builds);
    assert_eq!((report.store.lost, &report.gaps), (0, &whole.gaps));
    let took = report.seconds;
    assert!([took.store, took.inventory, took.records, took.proof].iter().all(|took| *took > 0.0), "{took:?}");

    let planned = plan(&fan_out).await;
    let Planned::Done(again) = planned else { panic!("nothing is new: {planned:?}") };
    assert_eq!((again.parts.planned, again.report.store.created, &again.report.gaps), (0, 0, &whole.gaps));
}

#[tokio::test]
async fn what_arrives_twice_and_in_another_order_changes_nothing() {
    let world = World::new(4_000, 3).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    let parts = world.parts.all();
    for message in parts.iter().rev().chain(&parts) {
        part(&fan_out, message, Deadline::NONE).await.unwrap();
    }
    let batches = world.batches.all();
    let (ends, records): (Vec<_>, Vec<_>) = batches.iter().partition(|message| message.body.contains("\"finish\""));
    assert!(ends.len() > 1, "an end is announced twice, too");
    for message in records.iter().rev().chain(&records) {
        batch(&fan_out, message).await.unwrap();
    }
    let mut reports = Vec::new();
    for message in ends {
        reports.extend(batch(&fan_out, message).await.unwrap());
    }
    assert_eq!(world.records("releases").await, expected);
    let [RunReport { report, .. }] = reports.as_slice() else { panic!("one run is reported once: {reports:?}") };
    assert!(report.is_success(), "{:?}", report.faults);
    assert_eq!(report.store.created, expected.len() as u64);
}

#[tokio::test]
async fn a_worker_may_die_between_any_two_messages() {
    let world = World::new(3_000, 2).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    let parts = world.parts.all();
    let mut died = 0;
    for message in &parts {
        for messages in 0.. {
            *world.batches.until_failure.lock().unwrap() = Some(messages);
            match part(&fan_out, message, Deadline::NONE).await {
                Err(error) => died += usize::from(error.to_string().contains("as the test wants")),
                Ok(_) => break,
            }
        }
    }
    *world.batches.until_failure.lock().unwrap() = None;
    assert!(died > 10, "{died}");
    let report = world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
    assert!(report.report.is_success(), "{:?}", report.report.faults);
    assert_eq!(report.report.store.created, expected.len() as u64);
}

#[tokio::test]
async fn work_whose_time_is_over_goes_on_in_another_invocation() {
    let world = World::new(12_000, 1).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    // Sending its first batch takes all the time an invocation has: each of the first two comes one step further.
    let time = Duration::from_secs(3);
    let mut outcomes = Vec::new();
    while let Some(message) = world.parts.take() {
        *world.batches.delay.lock().unwrap() = (outcomes.len() < 2).then_some(time);
        outcomes.push(part(&fan_out, &message, Deadline::after(time)).await.unwrap());
    }
    assert_eq!(outcomes, [PartOutcome::Continued, PartOutcome::Continued, PartOutcome::Done]);
    let report = world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
    assert_eq!(report.parts.invocations, 3);
    assert!(report.report.is_success(), "{:?}", report.report.faults);
    assert_eq!(report.report.builds.seen, world.sample.summary().builds);
}

#[tokio::test]
async fn an_age_is_the_same_for_all_workers_of_a_run_whenever_they_work() {
    let world = World::new(12_000, 1).await;
    let now = Timestamp::now();
    let years = |count: i64| jiff::SignedDuration::from_hours(count * 24 * 365);
    let at = async |moment, collection: &str| {
        let variables = world.variables(collection).with("MIN_AGE_LAST_MODIFIED_HOURS", "87600");
        CatchUp::from_variables(&variables, moment, Arc::new(NoProgress)).await.unwrap()
    };
    at(now, "in-one-piece").await.run().await.1.unwrap();
    let expected = world.records("in-one-piece").await;
    let worker = async |moment| {
        let base = at(moment, "releases").await;
        FanOut::new(base, Arc::clone(&world.parts) as _, Arc::clone(&world.batches) as _)
    };
    let first = worker(now).await;
    first.plan(None, now, Deadline::NONE).await.unwrap();
    let time = Duration::from_secs(3);
    *world.batches.delay.lock().unwrap() = Some(time);
    let outcome = part(&first, &world.parts.take().unwrap(), Deadline::after(time)).await.unwrap();
    assert_eq!(outcome, PartOutcome::Continued);
    world.drive(&worker(now + years(5)).await).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn a_damaged_part_is_named_and_read_again_by_the_next_run() {
    let world = World::new(3_000, 3).await;
    let (_, expected) = world.in_one_piece().await;
    let damaged = &world.inventory_parts()[1];
    let sound = std::fs::read(damaged).unwrap();
    std::fs::write(damaged, &sound[..sound.len() / 2]).unwrap();
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    let report = world.drive(&fan_out).await.unwrap().report;
    assert!(!report.is_success() && report.complete);
    let (key, reason) = report.failed_parts.first_key_value().unwrap();
    assert!(key.ends_with(damaged.file_name().unwrap().to_str().unwrap()), "{key}: {reason}");
    assert!(world.records("releases").await.len() < expected.len());

    std::fs::write(damaged, sound).unwrap();
    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { parts: 1, .. }), "{planned:?}");
    let report = world.drive(&fan_out).await.unwrap().report;
    assert!(report.is_success(), "{:?}", report.faults);
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn a_batch_that_never_arrives_is_missed_and_its_part_read_again() {
    let world = World::new(3_000, 2).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    for message in world.parts.all() {
        part(&fan_out, &message, Deadline::NONE).await.unwrap();
    }
    world.batches.take().unwrap();
    let report = world.drive(&fan_out).await.unwrap();
    assert_eq!(report.batches.queued, report.batches.written + 1);
    assert_eq!(report.report.failed_parts.len(), 1, "{:?}", report.report.faults);
    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { parts: 1, .. }), "{planned:?}");
    world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn what_was_acknowledged_and_is_gone_is_counted_and_sent_again() {
    let mut world = World::new(2_000, 2).await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    for message in world.parts.all() {
        part(&fan_out, &message, Deadline::NONE).await.unwrap();
    }
    let mut messages = world.batches.all();
    let end = messages.pop().unwrap();
    for message in &messages {
        batch(&fan_out, message).await.unwrap();
    }
    let written = world.records("releases").await;
    // A store in memory forgets all, tombstones too.
    world.kinto.restart(&[]).await.unwrap();
    world.catch_up("releases").await;
    let init = fan_out_collection(&world).await;
    assert_eq!(init, 0);
    let report = batch(&fan_out, &end).await.unwrap().unwrap().report;
    assert_eq!(report.store.lost, written.len() as u64);
    assert_eq!(report.gaps.get(&GapReason::Lost).copied(), Some(written.len() as u64));
    assert!(!report.is_success());
    plan(&fan_out).await;
    let report = world.drive(&fan_out).await.unwrap().report;
    assert!(report.is_success(), "{:?}", report.faults);
    assert_eq!(world.records("releases").await, written);
}

#[tokio::test]
async fn what_the_store_loses_while_a_run_goes_on_is_brought_back_by_the_next() {
    let world = World::new(3_000, 3).await;
    let (_, expected) = world.in_one_piece().await;
    let damaged = &world.inventory_parts()[1];
    let sound = std::fs::read(damaged).unwrap();
    std::fs::write(damaged, &sound[..sound.len() / 2]).unwrap();
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    world.drive(&fan_out).await.unwrap();
    let of_other_parts = world.records("releases").await;

    std::fs::write(damaged, sound).unwrap();
    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { parts: 1, .. }), "{planned:?}");
    let gone = of_other_parts[0]["id"].as_str().unwrap();
    let deletion = world.collection("releases").delete(gone, buildhub_kinto::Condition::None).await.unwrap();
    assert!(matches!(deletion, buildhub_kinto::Deletion::Deleted { .. }));
    world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await.len(), expected.len() - 1);

    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { .. }), "nobody looks for what is gone: {planned:?}");
    world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn builds_that_were_not_reached_are_gaps_until_they_are() {
    let world = World::new(6_000, 2).await;
    let fan_out = world.fan_out().await;
    for collection in ["in-one-piece", "releases"] {
        let run = async || match collection {
            "releases" => {
                plan(&fan_out).await;
                world.drive(&fan_out).await.unwrap().report
            }
            _ => world.catch_up(collection).await.run().await.0,
        };
        world.site.fail_next(u64::MAX, Failure::status(403));
        let missed = run().await.gaps;
        world.site.heal();
        let report = run().await;
        assert!(report.is_success() && report.store.created > 200, "{collection}: {report:?}");
        let out_of_reach = missed.get(&GapReason::OutOfReach).copied().unwrap_or_default();
        assert!(out_of_reach >= report.store.created, "{collection}: {missed:?}");
        assert_eq!(report.gaps.get(&GapReason::OutOfReach), None, "{collection}");
    }
}

/// Makes the store's bucket and collection again; how many records it has.
async fn fan_out_collection(world: &World) -> u64 {
    let connector = buildhub_indexer::Connector::from_variables(&world.variables("releases")).unwrap();
    let settings = buildhub_indexer::settings::KintoSettings::from_variables(&world.variables("releases")).unwrap();
    let target = connector.target(settings).unwrap();
    target.initialise().await.unwrap();
    target.collection.count().await.unwrap()
}

#[tokio::test]
async fn two_turns_of_a_schedule_begin_one_run() {
    let world = World::new(2_000, 2).await;
    let fan_out = world.fan_out().await;
    let Planned::Queued { run, .. } = plan(&fan_out).await else { panic!("nothing was queued") };
    assert!(matches!(plan(&fan_out).await, Planned::Running(other) if other == run));
    assert_eq!(world.parts.sent.load(Ordering::Relaxed), 2);
    let report = world.drive(&fan_out).await.unwrap();
    assert_eq!(report.run, run);
}

#[tokio::test]
async fn a_run_that_does_not_end_is_given_up_and_what_it_did_is_not_lost() {
    let world = World::new(3_000, 3).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    plan(&fan_out).await;
    let lost = world.parts.take();
    assert!(lost.is_some() && world.drive(&fan_out).await.is_none(), "without its last part a run has no end");
    let later = Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let planned = fan_out.plan(None, later, Deadline::NONE).await.unwrap();
    assert!(matches!(planned, Planned::Queued { parts: 1, .. }), "{planned:?}");
    let report = world.drive(&fan_out).await.unwrap().report;
    assert!(report.is_success(), "{:?}", report.faults);
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn a_run_whose_plan_is_gone_or_damaged_keeps_no_other_from_beginning() {
    let world = World::new(2_000, 2).await;
    let (_, expected) = world.in_one_piece().await;
    let fan_out = world.fan_out().await;
    for damage in [None, Some("{")] {
        let Planned::Queued { run, .. } = plan(&fan_out).await else { panic!("nothing was queued") };
        world.parts.all();
        let plans = walk(Path::new(&world.path("cache"))).into_iter().filter(|path| path.ends_with("plan.json"));
        let of_run = plans.into_iter().find(|path| path.parent().is_some_and(|folder| folder.ends_with(&run))).unwrap();
        match damage {
            Some(text) => std::fs::write(of_run, text).unwrap(),
            None => std::fs::remove_file(of_run).unwrap(),
        }
    }
    let planned = plan(&fan_out).await;
    assert!(matches!(planned, Planned::Queued { parts: 2, .. }), "{planned:?}");
    world.drive(&fan_out).await.unwrap();
    assert_eq!(world.records("releases").await, expected);
}

#[tokio::test]
async fn what_an_event_removed_no_older_inventory_brings_back() {
    let world = World::new(2_000, 2).await;
    let (_, expected) = world.in_one_piece().await;
    // The sample's archives reach into the future.
    let is_of_the_past = |record: &&Value| record["download"]["date"].as_str().unwrap() < "2026";
    let removed = expected.iter().find(is_of_the_past).unwrap()["id"].as_str().unwrap();
    let (kept_away, brought_back) = (("REMOVE_DELETED", "true"), ("REMOVE_DELETED", "false"));
    for collection in ["in-one-piece", "releases"] {
        let fan_out = world.fan_out().await;
        plan(&fan_out).await;
        world.drive(&fan_out).await;
        let deletion = world.collection(collection).delete(removed, buildhub_kinto::Condition::None).await.unwrap();
        assert!(matches!(deletion, buildhub_kinto::Deletion::Deleted { .. }));
        for (setting, records) in [(kept_away, expected.len() - 1), (brought_back, expected.len())] {
            let variables = world.variables(collection).with(setting.0, setting.1);
            let base = CatchUp::from_variables(&variables, Timestamp::now(), Arc::new(NoProgress)).await.unwrap();
            let report = if collection == "releases" {
                let fan_out = FanOut::new(base, Arc::clone(&world.parts) as _, Arc::clone(&world.batches) as _);
                plan(&fan_out).await;
                world.drive(&fan_out).await.unwrap().report
            } else {
                let (report, result) = base.run().await;
                result.unwrap();
                report
            };
            assert_eq!(world.records(collection).await.len(), records, "{collection} {setting:?}: {report:?}");
        }
    }
}

#[tokio::test]
async fn a_planner_that_died_keeps_nobody_waiting() {
    let world = World::new(2_000, 2).await;
    let fan_out = world.fan_out().await;
    let Planned::Queued { run, .. } = plan(&fan_out).await else { panic!("nothing was queued") };
    let runs = walk(&world.folder.path().join("cache"));
    std::fs::remove_file(runs.iter().find(|path| path.ends_with(format!("{run}/queued"))).unwrap()).unwrap();
    world.parts.all();
    assert!(matches!(plan(&fan_out).await, Planned::Running(_)), "it may still be at it");
    let soon = Timestamp::now() + jiff::SignedDuration::from_mins(16);
    let planned = fan_out.plan(None, soon, Deadline::NONE).await.unwrap();
    assert!(matches!(planned, Planned::Queued { parts: 2, .. }), "{planned:?}");
    assert!(world.drive(&fan_out).await.unwrap().report.is_success());
}

#[tokio::test]
async fn what_is_removed_while_a_run_goes_on_stays_removed() {
    let world = World::new(2_000, 2).await;
    let variables = world.variables("releases").with("REMOVE_DELETED", "true");
    let base = CatchUp::from_variables(&variables, Timestamp::now(), Arc::new(NoProgress)).await.unwrap();
    let fan_out = FanOut::new(base, Arc::clone(&world.parts) as _, Arc::clone(&world.batches) as _);
    plan(&fan_out).await;
    for message in world.parts.all() {
        part(&fan_out, &message, Deadline::NONE).await.unwrap();
    }
    // Its record is on its way in a batch, when an event writes the same and another removes it.
    let first = world.batches.messages.lock().unwrap().front().unwrap().body.clone();
    let Job::Batch(first) = Job::parse(&first).unwrap() else { panic!("no batch") };
    let records: Vec<Value> = first.records.iter().map(|it| serde_json::from_str(it.get()).unwrap()).collect();
    let of_the_past = |record: &&Value| record["download"]["date"].as_str().unwrap() < "2026";
    let removed = records.iter().find(of_the_past).expect("a build of the past in the first batch");
    let id = removed["id"].as_str().unwrap();
    let collection = world.collection("releases");
    let _ = collection.put(id, removed, buildhub_kinto::Condition::None).await.unwrap();
    let _ = collection.delete(id, buildhub_kinto::Condition::None).await.unwrap();
    let report = world.drive(&fan_out).await.unwrap().report;
    assert!(collection.get::<Value>(id).await.unwrap().is_none(), "{report:?}");
    assert!(world.records("releases").await.len() > 100);
}

#[tokio::test]
async fn what_took_a_removed_archives_place_is_not_overwritten_by_an_older_inventory() {
    let world = World::new(2_000, 1).await;
    let (_, expected) = world.in_one_piece().await;
    // Of a build with two archives the better one was removed, and an event has put the other in its place.
    let keys: Vec<String> = world.sample.objects().map(|object| object.key.clone()).collect();
    let url = |record: &Value| record["download"]["url"].as_str().unwrap().to_owned();
    let other = |record: &Value| {
        let better = url(record);
        let folder = better.strip_prefix(&world.site.url())?.rsplit_once('/')?.0.to_owned();
        let beside = |key: &&String| key.starts_with(&folder) && key.ends_with("Firefox Installer.exe");
        better.contains("Firefox Setup").then(|| keys.iter().find(beside).cloned())?
    };
    let (record, other) = expected.iter().find_map(|record| Some((record, other(record)?))).expect("two archives");
    let mut replaced = record.clone();
    replaced["download"]["url"] = format!("{}{other}", world.site.url()).into();
    let id = record["id"].as_str().unwrap();
    let collection = world.collection("in-one-piece");
    let _ = collection.put(id, &replaced, buildhub_kinto::Condition::None).await.unwrap();
    for (setting, url_then) in [("true", url(&replaced)), ("false", url(record))] {
        let variables = world.variables("in-one-piece").with("REMOVE_DELETED", setting);
        let base = CatchUp::from_variables(&variables, Timestamp::now(), Arc::new(NoProgress)).await.unwrap();
        base.run().await.1.unwrap();
        let stored = collection.get::<Value>(id).await.unwrap().unwrap();
        assert_eq!(url(&stored.data), url_then, "REMOVE_DELETED={setting}");
    }
}
