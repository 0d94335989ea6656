//! Archives, metadata, duplicates, re-publication and removal in generated orders, with files that come into sight late
//! and events that come again as a queue brings them: in the end the records are those of a catch-up over the same
//! archive.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod common;

use std::sync::Arc;

use buildhub_core::event::{Change, ObjectEvent};
use buildhub_indexer::events::Events;
use buildhub_testkit::kinto::{Backend, KintoServer};
use common::{Memory, caught_up, dated_buildhub_json, event, events, json, second, stored, variables};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const BUILD1: &str = "pub/firefox/candidates/64.0-candidates/build1";
const BUILD2: &str = "pub/firefox/candidates/64.0-candidates/build2";
const RELEASE: &str = "pub/firefox/releases/64.0";
const NIGHTLY: &str = "pub/firefox/nightly/2018/11/2018-11-15-10-00-05-mozilla-central";
const FENNEC: &str = "pub/mobile/nightly/2018/11/2018-11-15-10-00-05-mozilla-central-android-api-16";

/// Later than everything that happens.
const LATE: &str = "2018-12-24T18:00:00Z";

/// A world of objects: their keys, and the bodies of those that are metadata.
fn objects() -> Vec<(String, Option<String>)> {
    let archive = |key: String| (key, None);
    let metadata = |key: String, channel: &str, revision: &str| (key, Some(json(channel, revision)));
    vec![
        archive(format!("{BUILD1}/mac/fr/Firefox 64.0.dmg")),
        metadata(format!("{BUILD1}/mac/en-US/firefox-64.0.json"), "release", "aaa1"),
        archive(format!("{BUILD2}/mac/fr/Firefox 64.0.dmg")),
        archive(format!("{BUILD2}/mac/en-US/Firefox 64.0.dmg")),
        archive(format!("{BUILD2}/mac-EME-free/fr/Firefox 64.0.dmg")),
        metadata(format!("{BUILD2}/mac/en-US/firefox-64.0.json"), "release", "aaa2"),
        archive(format!("{RELEASE}/mac/fr/Firefox 64.0.dmg")),
        archive(format!("{RELEASE}/mac/fr/Firefox 64.0.pkg")),
        archive(format!("{RELEASE}/mac-EME-free/fr/Firefox 64.0.dmg")),
        archive(format!("{NIGHTLY}/firefox-65.0a1.en-US.linux-x86_64.tar.bz2")),
        archive(format!("{NIGHTLY}-l10n/firefox-65.0a1.fr.linux-x86_64.tar.bz2")),
        metadata(format!("{NIGHTLY}/firefox-65.0a1.en-US.linux-x86_64.json"), "nightly", "bbb1"),
        (format!("{NIGHTLY}/firefox-65.0a1.en-US.linux-x86_64.txt"), Some("20181115100005 bbb2".to_owned())),
        archive(format!("{FENNEC}/en-US/fennec-65.0a1.en-US.android-arm.apk")),
        archive(format!("{FENNEC}-l10n/fennec-65.0a1.fr.android-arm.apk")),
        metadata(format!("{FENNEC}/fennec-65.0a1.multi.android-arm.json"), "nightly", "ccc1"),
        metadata(format!("{FENNEC}/en-US/fennec-65.0a1.en-US.android-arm.json"), "nightly", "ccc2"),
    ]
}

/// Whole records, dated later than everything: beside a candidate that has other metadata too, and beside one that has not.
fn whole_records() -> Vec<(String, Option<String>)> {
    let of = |folder: &str, revision: &str| {
        let url = format!("https://archive.mozilla.org/{folder}/Firefox 64.0.dmg");
        (format!("{folder}/buildhub.json"), Some(dated_buildhub_json(&url, "release", revision, LATE)))
    };
    let other = "pub/firefox/candidates/64.0-candidates/build2/win64/en-US";
    let url = format!("https://archive.mozilla.org/{other}/Firefox Setup 64.0.exe");
    vec![
        of(&format!("{BUILD2}/mac/fr"), "ddd1"),
        of(&format!("{BUILD2}/mac/en-US"), "ddd2"),
        of(&format!("{RELEASE}/mac/fr"), "ddd3"),
        (format!("{other}/Firefox Setup 64.0.exe"), None),
        (format!("{}/Firefox Setup 64.0.exe", other.replace("en-US", "fr")), None),
        (format!("{other}/buildhub.json"), Some(dated_buildhub_json(&url, "release", "ddd4", LATE))),
    ]
}

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// An object is written (again); it comes into sight only when so many further steps are over.
    Put { object: usize, late: usize, copies: usize },
    /// An archive is removed; nothing happens to metadata.
    Remove { object: usize },
    /// One of the waiting events is delivered.
    Deliver { which: usize },
}

fn steps(objects: usize, removals: bool) -> impl Strategy<Value = Vec<Step>> {
    let put = (0..objects, prop_oneof![3 => Just(0_usize), 1 => 1_usize..12], 1_usize..=2)
        .prop_map(|(object, late, copies)| Step::Put { object, late, copies });
    let deliver = any::<usize>().prop_map(|which| Step::Deliver { which });
    let remove = (0..objects)
        .prop_map(move |object| if removals { Step::Remove { object } } else { Step::Deliver { which: object } });
    // Each object is written once at least, all in an order of their own.
    let first = Just((0..objects).collect::<Vec<_>>()).prop_shuffle();
    let rest = prop::collection::vec(prop_oneof![2 => put, 4 => deliver, 1 => remove], objects..objects * 3);
    (first, rest, any::<u64>()).prop_map(|(first, mut steps, mut seed)| {
        for object in first {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from(seed >> 33).unwrap() % (steps.len() + 1);
            steps.insert(at, Step::Put { object, late: at % 3, copies: 1 + at % 2 });
        }
        steps
    })
}

/// The archive, the queue and the clock of one case.
struct Play {
    archive: Arc<Memory>,
    events: Events,
    objects: Vec<(String, Option<String>)>,
    queue: Vec<ObjectEvent>,
    /// Keys out of sight, and how many steps more.
    hidden: Vec<(String, usize)>,
    seconds: i64,
}

impl Play {
    async fn step(&mut self, step: &Step) {
        // Slow enough that dates differ, fast enough that nothing out of sight is given up.
        self.seconds += 10;
        for (_, left) in &mut self.hidden {
            *left = left.saturating_sub(1);
        }
        self.reveal(|left| left == 0);
        match step {
            Step::Put { object, late, copies } => self.put(*object, *late, *copies),
            Step::Remove { object } => self.remove(*object),
            Step::Deliver { which } => self.deliver(*which).await,
        }
    }

    fn put(&mut self, object: usize, late: usize, copies: usize) {
        let (key, body) = self.objects[object].clone();
        let body = body.unwrap_or_else(|| "x".repeat(usize::try_from(self.seconds).unwrap()));
        self.archive.put(&key, second(self.seconds), &body);
        if late > 0 {
            self.archive.files().get_mut(&key).unwrap().is_visible = false;
            self.hidden.push((key.clone(), late));
        }
        for _ in 0..copies {
            self.queue.push(event(Change::Created, &key, second(self.seconds)));
        }
    }

    fn remove(&mut self, object: usize) {
        let (key, None) = self.objects[object].clone() else { return };
        if self.archive.files().remove(&key).is_some() {
            self.queue.push(event(Change::Removed, &key, second(self.seconds)));
        }
    }

    fn reveal(&mut self, is_due: impl Fn(usize) -> bool) {
        let mut files = self.archive.files();
        self.hidden.retain(|(key, left)| {
            if is_due(*left)
                && let Some(file) = files.get_mut(key)
            {
                file.is_visible = true;
            }
            !is_due(*left)
        });
    }

    async fn deliver(&mut self, which: usize) {
        if self.queue.is_empty() {
            return;
        }
        let event = self.queue.swap_remove(which % self.queue.len());
        match self.events.handle(&event, second(self.seconds)).await.result {
            Err(fault) if fault.is_transient() => self.queue.push(event),
            Err(fault) => panic!("{event:?}: {fault}"),
            Ok(_) => {}
        }
    }

    /// Everything comes into sight, and everything waiting is delivered; what is gone by then is given up.
    async fn finish(&mut self) {
        self.reveal(|_| true);
        for round in 0.. {
            assert!(round < 5, "{:?} come again for ever", self.queue);
            for event in std::mem::take(&mut self.queue) {
                // The last round is an hour later.
                let now = second(self.seconds + 3600 * i64::from(round == 3));
                if self.events.handle(&event, now).await.result.is_err_and(|fault| fault.is_transient()) {
                    self.queue.push(event);
                }
            }
            if self.queue.is_empty() {
                break;
            }
        }
    }
}

/// Plays generated orders against one Kinto, each in a collection of its own.
fn in_any_order(is_site: bool, removals: bool, objects: &[(String, Option<String>)], settings: &[(&str, &str)]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let kinto = runtime.block_on(KintoServer::start(Backend::Memory)).unwrap();
    let number = std::cell::Cell::new(0);
    // Small worlds meet themselves more often, and take less time.
    let cases = if objects.len() < 8 { 64 } else { 24 };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let result = runner.run(&steps(objects.len(), removals), |steps| {
        number.set(number.get() + 1);
        let vars = variables(&kinto, &format!("case{}", number.get()));
        let vars = settings.iter().fold(vars, |vars, (name, value)| vars.with(name, *value));
        let archive = Memory::new(is_site);
        let events = events(&vars, &archive);
        let (queue, hidden) = (Vec::new(), Vec::new());
        let mut play = Play { archive, events, objects: objects.to_vec(), queue, hidden, seconds: 0 };
        runtime.block_on(async {
            for step in &steps {
                play.step(step).await;
            }
            play.finish().await;
            let (ours, theirs) = (stored(&play.events).await, caught_up(&vars, &play.archive).await);
            prop_assert_eq!(ours, theirs);
            Ok(())
        })
    });
    result.unwrap();
}

#[test]
fn in_a_bucket_any_order_ends_with_the_records_of_a_catch_up() {
    in_any_order(false, false, &objects(), &[]);
}

#[test]
fn in_a_site_any_order_ends_with_the_records_of_a_catch_up() {
    in_any_order(true, false, &objects(), &[("RELEASE_AS_BETA", "true")]);
}

#[test]
fn with_removals_any_order_ends_with_the_records_of_a_catch_up() {
    let all: Vec<_> = objects().into_iter().chain(whole_records()).collect();
    in_any_order(false, true, &all, &[("REMOVE_DELETED", "true")]);
}

#[test]
fn of_two_archives_of_one_build_that_come_and_go_the_better_one_there_is_is_the_record() {
    let small: Vec<_> = objects()
        .into_iter()
        .filter(|(key, _)| key.contains("64.0/mac/") || key.contains("build2/mac/en-US/"))
        .collect();
    assert_eq!(small.len(), 4);
    in_any_order(false, true, &small, &[("REMOVE_DELETED", "true"), ("RELEASE_AS_BETA", "true")]);
}

#[test]
fn with_whole_records_any_order_ends_with_the_records_of_a_catch_up() {
    let all: Vec<_> = objects().into_iter().chain(whole_records()).collect();
    in_any_order(true, false, &all, &[]);
}
