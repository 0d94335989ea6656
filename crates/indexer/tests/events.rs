//! Events about objects: what each writes, and how much it asks.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod common;

use std::sync::Arc;

use buildhub_core::event::Change;
use buildhub_core::{ObjectKey, Variables};
use buildhub_indexer::events::{Events, Handled, Stored};
use buildhub_kinto::{Condition, Deletion};
use buildhub_testkit::kinto::{Backend, KintoServer};
use common::{Memory, buildhub_json, dated_buildhub_json, event, events, json, minute, stored, variables};
use serde_json::Value;

const CANDIDATE: &str = "pub/firefox/candidates/64.0-candidates/build2/mac";
const RELEASE: &str = "pub/firefox/releases/64.0/mac";

struct World {
    kinto: KintoServer,
    archive: Arc<Memory>,
    vars: Variables,
}

impl World {
    async fn new() -> Self {
        Self::with(false, &[]).await
    }

    async fn with(is_site: bool, settings: &[(&str, &str)]) -> Self {
        let kinto = KintoServer::start(Backend::Memory).await.unwrap();
        let vars = settings.iter().fold(variables(&kinto, "releases"), |vars, (name, value)| vars.with(name, *value));
        Self { kinto, archive: Memory::new(is_site), vars }
    }

    fn events(&self) -> Events {
        events(&self.vars, &self.archive)
    }
}

async fn handled(events: &Events, change: Change, key: &str) -> Handled {
    events.handle(&event(change, key, minute(0)), minute(1)).await.result.unwrap()
}

async fn created(events: &Events, key: &str) -> Handled {
    handled(events, Change::Created, key).await
}

fn stored_as(created: u64, updated: u64, unchanged: u64, kept: u64) -> Handled {
    Handled::Stored(Stored { created, updated, unchanged, kept, refused: Vec::new() })
}

#[tokio::test]
async fn an_archive_is_a_record_and_an_older_event_never_overwrites_a_newer_one() {
    let world = World::new().await;
    let events = world.events();
    let key = format!("{CANDIDATE}/fr/Firefox 64.0.dmg");
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    world.archive.put(&key, minute(5), "one");
    assert_eq!(created(&events, &key).await, stored_as(1, 0, 0, 0));
    assert_eq!(created(&events, &key).await, stored_as(0, 0, 1, 0));
    world.archive.put(&key, minute(9), "three");
    assert_eq!(created(&events, &key).await, stored_as(0, 1, 0, 0));
    world.archive.put(&key, minute(7), "two");
    assert_eq!(created(&events, &key).await, stored_as(0, 0, 0, 1));
    assert_eq!(stored(&events).await["firefox_64-0rc2_macosx_fr"]["download"]["date"], "2018-11-15T00:09:00Z");
}

#[tokio::test]
async fn metadata_makes_the_records_of_the_archives_that_came_before_it_the_release_among_them() {
    for is_site in [false, true] {
        let world = World::with(is_site, &[]).await;
        let events = world.events();
        let archives = ["en-US", "fr", "de"].map(|locale| format!("{CANDIDATE}/{locale}/Firefox 64.0.dmg"));
        let release = format!("{RELEASE}/fr/Firefox 64.0.dmg");
        for key in archives.iter().chain([&release]) {
            world.archive.put(key, minute(0), "archive");
            assert_eq!(created(&events, key).await, Handled::WithoutMetadata, "{key}");
        }
        let metadata = format!("{CANDIDATE}/en-US/firefox-64.0.json");
        world.archive.put(&metadata, minute(0), &json("release", "abc"));
        assert_eq!(created(&events, &metadata).await, stored_as(4, 0, 0, 0));
        assert_eq!(created(&events, &metadata).await, stored_as(0, 0, 4, 0));
        assert!(stored(&events).await.contains_key("firefox_64-0_macosx_fr"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_archive_and_its_metadata_written_at_the_same_time_one_finds_the_other() {
    let world = World::new().await;
    let events = Arc::new(world.events());
    for build in 1..=24 {
        let folder = format!("pub/firefox/candidates/64.0-candidates/build{build}/mac");
        let write = |key: String, body: String| {
            let (events, archive) = (Arc::clone(&events), Arc::clone(&world.archive));
            tokio::spawn(async move {
                archive.put(&key, minute(0), &body);
                created(&events, &key).await
            })
        };
        let one = write(format!("{folder}/fr/Firefox 64.0.dmg"), "archive".to_owned());
        let other = write(format!("{folder}/en-US/firefox-64.0.json"), json("release", "abc"));
        one.await.unwrap();
        other.await.unwrap();
        let id = format!("firefox_64-0rc{build}_macosx_fr");
        assert_eq!(stored(&events).await[&id]["build"]["number"], build);
    }
}

#[tokio::test]
async fn only_the_metadata_of_the_highest_build_is_that_of_the_release() {
    let world = World::new().await;
    let events = world.events();
    let release = format!("{RELEASE}/fr/Firefox 64.0.dmg");
    let of = |build: u32| format!("pub/firefox/candidates/64.0-candidates/build{build}/mac/en-US/firefox-64.0.json");
    world.archive.put(&release, minute(0), "archive");
    for build in [9, 12, 10] {
        world.archive.put(&of(build), minute(0), &json("release", &format!("revision{build}")));
        created(&events, &of(build)).await;
    }
    assert_eq!(stored(&events).await["firefox_64-0_macosx_fr"]["build"]["number"], 12);
}

#[tokio::test]
async fn a_whole_record_is_written_without_asking_for_its_archive() {
    let world = World::new().await;
    let events = world.events();
    let key = format!("{CANDIDATE}/fr/buildhub.json");
    let url = format!("https://elsewhere.example/{CANDIDATE}/fr/Firefox 64.0.dmg");
    world.archive.put(&key, minute(0), &buildhub_json(&url, "release", "abc"));
    assert_eq!(created(&events, &key).await, stored_as(1, 0, 0, 0));
    let records = stored(&events).await;
    let record = &records["firefox_64-0rc2_macosx_fr"];
    assert_eq!(record["download"]["url"], format!("{}{CANDIDATE}/fr/Firefox 64.0.dmg", common::URL));
    assert_eq!(record["download"]["date"], "2018-11-14T23:00:00Z");
    assert!(world.archive.take_requests().iter().all(|request| !request.contains("Firefox 64.0.dmg")));
}

#[tokio::test]
async fn a_whole_record_replaces_nothing_that_is_of_the_same_object() {
    let world = World::new().await;
    let events = world.events();
    let (archive, key) = (format!("{CANDIDATE}/fr/Firefox 64.0.dmg"), format!("{CANDIDATE}/fr/buildhub.json"));
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    // Of the size and date that the file says.
    world.archive.put(&archive, minute(-60), "archive");
    world.archive.put(&key, minute(0), &buildhub_json(&format!("https://x.example/{archive}"), "release", "other"));
    assert_eq!(created(&events, &archive).await, stored_as(1, 0, 0, 0));
    assert_eq!(created(&events, &key).await, stored_as(0, 0, 2, 0));
    assert_eq!(stored(&events).await["firefox_64-0rc2_macosx_fr"]["source"]["revision"], "abc");
}

#[tokio::test]
async fn what_a_file_says_of_an_archive_gives_way_to_the_archive_itself_however_late_its_date() {
    let world = World::new().await;
    let events = world.events();
    let (archive, key) = (format!("{CANDIDATE}/fr/Firefox 64.0.dmg"), format!("{CANDIDATE}/fr/buildhub.json"));
    let body = dated_buildhub_json(&format!("https://x.example/{archive}"), "release", "abc", "2030-01-01T00:00:00Z");
    world.archive.put(&key, minute(0), &body);
    let date = async || stored(&events).await["firefox_64-0rc2_macosx_fr"]["download"]["date"].clone();
    // It is not there, so it cannot be older than what is still out of sight.
    assert_eq!(created(&events, &key).await, stored_as(1, 0, 0, 0));
    assert_eq!(date().await, "2018-11-14T23:56:00Z");
    world.archive.put(&archive, minute(0), "archive");
    assert_eq!(created(&events, &archive).await, stored_as(0, 1, 0, 0));
    assert_eq!(date().await, "2018-11-15T00:00:00Z");
    // It is there, and older than the file says.
    world.archive.put(&archive, minute(-60), "archive");
    let deleted = events.target().collection.delete("firefox_64-0rc2_macosx_fr", Condition::None).await.unwrap();
    assert!(matches!(deleted, Deletion::Deleted { .. }));
    assert_eq!(created(&events, &key).await, stored_as(1, 1, 0, 0));
    assert_eq!(date().await, "2018-11-14T23:00:00Z");
}

#[tokio::test]
async fn a_release_of_firefox_counts_as_beta_too_where_that_is_wanted() {
    let world = World::with(false, &[("RELEASE_AS_BETA", "true"), ("REMOVE_DELETED", "true")]).await;
    let events = world.events();
    let key = format!("{RELEASE}/fr/Firefox 64.0.dmg");
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    world.archive.put(&key, minute(0), "archive");
    assert_eq!(created(&events, &key).await, stored_as(2, 0, 0, 0));
    let records = stored(&events).await;
    assert_eq!(records["firefox_64-0_macosx_fr"]["target"]["channel"], "release");
    assert_eq!(records["firefox_beta_64-0_macosx_fr"]["target"]["channel"], "beta");
    world.archive.files().remove(&key);
    assert_eq!(handled(&events, Change::Removed, &key).await, Handled::Removed { records: 2 });
    assert!(stored(&events).await.is_empty());
}

#[tokio::test]
async fn a_removal_removes_the_record_of_that_very_object_and_no_other() {
    let world = World::with(false, &[("REMOVE_DELETED", "true")]).await;
    let events = world.events();
    let [dmg, pkg] = ["dmg", "pkg"].map(|end| format!("{RELEASE}/fr/Firefox 64.0.{end}"));
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    world.archive.put(&dmg, minute(0), "dmg");
    world.archive.put(&pkg, minute(0), "pkg");
    created(&events, &dmg).await;
    created(&events, &pkg).await;
    let url = |records: &std::collections::BTreeMap<String, Value>| {
        records["firefox_64-0_macosx_fr"]["download"]["url"].as_str().unwrap().rsplit('.').next().unwrap().to_owned()
    };
    assert_eq!(url(&stored(&events).await), "dmg");
    // An event that lies: the object is there.
    assert!(matches!(handled(&events, Change::Removed, &dmg).await, Handled::Ignored { .. }));
    world.archive.files().remove(&pkg);
    assert_eq!(handled(&events, Change::Removed, &pkg).await, Handled::Removed { records: 0 });
    assert_eq!(url(&stored(&events).await), "dmg");
    world.archive.put(&pkg, minute(0), "pkg");
    world.archive.files().remove(&dmg);
    assert_eq!(handled(&events, Change::Removed, &dmg).await, Handled::Removed { records: 1 });
    assert_eq!(url(&stored(&events).await), "pkg", "what it outranked takes its place");
    world.archive.files().remove(&pkg);
    assert_eq!(handled(&events, Change::Removed, &pkg).await, Handled::Removed { records: 1 });
    assert!(stored(&events).await.is_empty());
}

#[tokio::test]
async fn what_takes_a_removed_archives_place_does_so_though_a_worker_died_in_between() {
    let world = World::with(false, &[("REMOVE_DELETED", "true")]).await;
    let events = world.events();
    let [dmg, pkg] = ["dmg", "pkg"].map(|end| format!("{RELEASE}/fr/Firefox 64.0.{end}"));
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    world.archive.put(&dmg, minute(0), "dmg");
    world.archive.put(&pkg, minute(0), "pkg");
    created(&events, &dmg).await;
    world.archive.files().remove(&dmg);
    // Its record is removed, and then nothing more is done: the event comes again.
    let collection = &events.target().collection;
    let deletion = collection.delete("firefox_64-0_macosx_fr", Condition::None).await.unwrap();
    assert!(matches!(deletion, Deletion::Deleted { .. }));
    world.archive.take_requests();
    assert_eq!(handled(&events, Change::Removed, &dmg).await, Handled::Removed { records: 0 });
    let requests = world.archive.take_requests();
    assert!(requests.len() <= 4, "{requests:?}");
    let url = stored(&events).await["firefox_64-0_macosx_fr"]["download"]["url"].clone();
    assert_eq!(url, format!("{}{pkg}", common::URL));
}

#[tokio::test]
async fn a_removal_changes_nothing_unless_it_is_wanted_and_asks_for_nothing() {
    let world = World::new().await;
    let events = world.events();
    let key = format!("{RELEASE}/fr/Firefox 64.0.dmg");
    assert!(matches!(handled(&events, Change::Removed, &key).await, Handled::Ignored { .. }));
    assert!(world.archive.take_requests().is_empty());
}

#[tokio::test]
async fn an_object_out_of_sight_is_looked_for_again_and_in_the_end_is_gone() {
    let world = World::new().await;
    let events = world.events();
    for key in [format!("{RELEASE}/fr/Firefox 64.0.dmg"), format!("{CANDIDATE}/en-US/firefox-64.0.json")] {
        let event = event(Change::Created, &key, minute(0));
        let fault = events.handle(&event, minute(4)).await.result.unwrap_err();
        assert!(fault.is_transient(), "{fault}");
        assert_eq!(events.handle(&event, minute(6)).await.result.unwrap(), Handled::Gone);
    }
}

#[tokio::test]
async fn what_is_no_build_asks_for_nothing_and_needs_no_store() {
    let mut world = World::new().await;
    let events = world.events();
    world.kinto.stop().await.unwrap();
    for key in ["pub/firefox/releases/64.0/SHA256SUMS", "index.html", "pub/firefox/try-builds/x/firefox-64.0.zip"] {
        assert!(matches!(created(&events, key).await, Handled::Ignored { .. }), "{key}");
    }
    assert!(world.archive.take_requests().is_empty());
    // A build does, and its event comes again.
    let event = event(Change::Created, &format!("{RELEASE}/fr/Firefox 64.0.dmg"), minute(0));
    assert!(events.handle(&event, minute(1)).await.result.unwrap_err().is_transient());
}

#[tokio::test]
async fn metadata_that_is_none_is_refused_for_good_with_its_reason() {
    let world = World::new().await;
    let events = world.events();
    let key = format!("{CANDIDATE}/en-US/firefox-64.0.json");
    world.archive.put(&key, minute(0), "{}");
    let fault = events.handle(&event(Change::Created, &key, minute(0)), minute(1)).await.result.unwrap_err();
    assert!(!fault.is_transient() && fault.to_string().contains("buildid"), "{fault}");
}

#[tokio::test]
async fn a_wrong_password_loses_no_event() {
    let world = World::new().await;
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    let key = format!("{CANDIDATE}/fr/Firefox 64.0.dmg");
    world.archive.put(&key, minute(0), "archive");
    created(&world.events(), &key).await;
    let vars = world.vars.clone().with("AUTH", "somebody:else").with("INITIALIZE_SERVER", "false");
    world.archive.put(&key, minute(3), "another");
    let answer = events(&vars, &world.archive).handle(&event(Change::Created, &key, minute(0)), minute(1)).await;
    let fault = answer.result.unwrap_err();
    assert!(fault.is_transient() && fault.needs_a_person(), "{fault}");
}

#[tokio::test]
async fn the_part_of_a_key_that_the_archives_address_names_is_left_out() {
    let world = World::new().await;
    let vars = world.vars.clone().with("ARCHIVE_URL", "s3://builds/mirror/");
    let events = events(&vars, &world.archive);
    let key = format!("{CANDIDATE}/fr/Firefox 64.0.dmg");
    world.archive.put(&format!("{CANDIDATE}/en-US/firefox-64.0.json"), minute(0), &json("release", "abc"));
    world.archive.put(&key, minute(0), "archive");
    let mut event = event(Change::Created, &key, minute(0));
    event.key = ObjectKey::plain(format!("mirror/{key}"));
    assert_eq!(events.handle(&event, minute(1)).await.result.unwrap(), stored_as(1, 0, 0, 0));
}

#[tokio::test]
async fn a_handler_that_is_printed_tells_no_secret() {
    let world = World::new().await;
    let vars = world.vars.clone().with("AUTH", "keeper:hush-hush");
    let printed = format!("{:?}", events(&vars, &world.archive));
    assert!(printed.contains("build-hub") && !printed.contains("hush"), "{printed}");
}
