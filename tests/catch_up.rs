//! The store is brought up to date with the latest inventory, and again, and nothing is done twice.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use buildhub_testkit::kinto::Backend;
use harness::{World, inventory, until};
use serde_json::{Value, json};

const ROWS: u64 = 3_000;

fn count(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {report}"))
}

fn assert_nothing_was_asked_or_sent(report: &Value) {
    for pointer in ["/metadata/requests", "/store/created", "/store/updated"] {
        assert_eq!(count(report, pointer), 0, "{pointer} in {report}");
    }
    assert_eq!(report["complete"], json!(true));
}

/// Builds, the store's way to say each, and what else can be counted on.
async fn assert_every_build_with_metadata_is_stored(world: &World, report: &Value) {
    let summary = world.sample.summary();
    assert_eq!(count(report, "/read/rows"), summary.rows);
    assert_eq!(count(report, "/builds/seen"), summary.builds);
    assert_eq!(count(report, "/builds/without_metadata"), summary.builds_without_metadata);
    let created = count(report, "/store/created");
    let others = count(report, "/store/kept") + count(report, "/builds/outranked");
    assert_eq!(created + others, summary.builds - summary.builds_without_metadata, "{report}");
    assert_eq!(world.records().await.len() as u64, created);
    assert!(created > 300 && others > 0, "the sample has builds, and archives that share a record: {report}");
}

#[tokio::test]
async fn the_first_run_stores_every_build_that_has_metadata() {
    let world = World::new(Backend::Memory, ROWS).await;
    let report = world.catch_up().await;
    assert_every_build_with_metadata_is_stored(&world, &report).await;
    assert_eq!(count(&report, "/metadata/requests"), world.site.requests(), "each request is counted");
    for (path, requests) in world.site.requests_by_path() {
        assert_eq!(requests, 1, "{path} is asked for once");
    }
}

#[tokio::test]
async fn the_first_run_stores_the_same_in_postgresql() {
    let world = World::new(Backend::Postgresql, 1_000).await;
    let report = world.catch_up().await;
    assert_eq!(world.records().await.len() as u64, count(&report, "/store/created"));
    let world_in_memory = World::new(Backend::Memory, 1_000).await;
    world_in_memory.catch_up().await;
    let site = |world: &World| world.site.url();
    let in_memory = serde_json::to_string(&world_in_memory.records().await).unwrap();
    let in_postgresql = serde_json::to_string(&world.records().await).unwrap();
    assert_eq!(in_postgresql.replace(&site(&world), ""), in_memory.replace(&site(&world_in_memory), ""));
    assert_nothing_was_asked_or_sent(&world.catch_up().await);
}

#[tokio::test]
async fn a_second_run_asks_for_nothing_and_sends_nothing() {
    let world = World::new(Backend::Memory, ROWS).await;
    world.catch_up().await;
    let before = world.records().await;
    world.site.reset_counts();

    let report = world.catch_up().await;
    assert_nothing_was_asked_or_sent(&report);
    assert_eq!(count(&report, "/read/rows"), 0, "the inventory is known to be in");

    std::fs::remove_dir_all(world.cache()).unwrap();
    let report = world.catch_up().await;
    assert_nothing_was_asked_or_sent(&report);
    assert_eq!(count(&report, "/read/rows"), ROWS, "without its caches the run reads the inventory again");

    assert_eq!(world.site.requests(), 0);
    assert_eq!(world.records().await, before);
}

#[tokio::test]
async fn records_of_others_are_left_alone_and_cost_nothing() {
    let world = World::new(Backend::Memory, ROWS).await;
    world.catch_up().await;
    let mut foreign = world.records().await[0].clone();
    foreign["id"] = json!("somebody_elses");
    world.put(&foreign).await;
    // The very record that is stored, written again: its time changes, and nothing else.
    world.put(&world.records().await[5]).await;
    world.site.reset_counts();

    assert_nothing_was_asked_or_sent(&world.catch_up().await);
    assert_nothing_was_asked_or_sent(&world.catch_up().await);
    assert_eq!(world.site.requests(), 0);
    assert_eq!(world.record("somebody_elses").await, Some(foreign));
}

#[tokio::test]
async fn a_record_that_somebody_deleted_or_spoiled_is_restored() {
    let world = World::new(Backend::Memory, ROWS).await;
    world.catch_up().await;
    let before = world.records().await;
    let (deleted, mut spoiled) = (before[3].clone(), before[4].clone());
    world.delete(deleted["id"].as_str().unwrap()).await;
    spoiled["download"]["size"] = json!(1);
    world.put(&spoiled).await;

    let report = world.catch_up().await;
    assert_eq!((count(&report, "/store/created"), count(&report, "/store/updated")), (1, 1));
    assert_eq!(world.records().await, before);
}

#[tokio::test]
async fn a_store_that_was_emptied_is_filled_again() {
    let mut world = World::new(Backend::Memory, 1_000).await;
    world.catch_up().await;
    let before = world.records().await;
    // A Kinto in memory forgets everything, tombstones included.
    world.kinto.restart(&[]).await.unwrap();
    let report = world.catch_up().await;
    assert_eq!(count(&report, "/store/created"), before.len() as u64);
    assert_eq!(world.records().await, before);
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_point_and_run_again_ends_the_same() {
    let world = World::new(Backend::Memory, ROWS).await;
    let whole = World::new(Backend::Memory, ROWS).await;
    whole.catch_up().await;
    let site =
        |world: &World, records: &[Value]| serde_json::to_string(records).unwrap().replace(&world.site.url(), "");
    let expected = site(&whole, &whole.records().await);

    // Each time somewhat later: before the first batch, and after ever more of them.
    for stored in [0, 1, 60, 200] {
        let mut child =
            world.command(&["latest-inventory-to-kinto"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        until(async || {
            child.try_wait().unwrap().is_some() || (world.site.requests() > 0 && stored_at_least(&world, stored).await)
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    world.catch_up().await;
    assert_eq!(site(&world, &world.records().await), expected);
    assert_nothing_was_asked_or_sent(&world.catch_up().await);
}

async fn stored_at_least(world: &World, count: usize) -> bool {
    count == 0 || world.records().await.len() >= count
}

const KEY: &str = "pub/firefox/releases/60.0/win64/fr/Firefox+Setup+60.0.exe";
const ID: &str = "firefox_60-0_win64_fr";
const METADATA: &str = "pub/firefox/candidates/60.0-candidates/build12/win64/en-US/firefox-60.0.json";
const OLDER: &str = "2018-05-09T10:00:00.000Z";
const NEWER: &str = "2018-05-10T10:00:00.000Z";

/// A release with a candidate build 9 and a build 12.
async fn small_world() -> World {
    let metadata = inventory::metadata("20180503143129", "aaaa");
    let old = METADATA.replace("build12", "build9");
    World::of_files(&[(METADATA, &metadata), (&old, &inventory::metadata("20180403143129", "bbbb"))]).await
}

fn rows<'a>(size: u64, date: &'a str, old: &'a str) -> Vec<inventory::Row<'a>> {
    vec![(KEY, size, date), (METADATA, 500, OLDER), (old, 500, OLDER)]
}

#[tokio::test]
async fn a_release_is_described_by_the_highest_of_its_candidates() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows(100, OLDER, &old));
    world.catch_up().await;
    let record = world.record(ID).await.unwrap();
    assert_eq!((&record["build"]["number"], &record["source"]["revision"]), (&json!(12), &json!("aaaa")));
    assert_eq!(world.site.requests_for(&format!("/{old}")), 0, "the lower build is not asked for");
}

#[tokio::test]
async fn a_republished_archive_updates_its_record_and_an_older_row_never_does() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows(100, OLDER, &old));
    world.catch_up().await;
    inventory::write(&world.bucket(), "2018-06-02T04-00Z", &rows(200, NEWER, &old));
    let report = world.catch_up().await;
    assert_eq!(count(&report, "/store/updated"), 1);
    let newest = world.record(ID).await.unwrap();
    assert_eq!(
        (&newest["download"]["size"], &newest["download"]["date"]),
        (&json!(200), &json!("2018-05-10T10:00:00Z"))
    );

    // An inventory that was made before the archive was published again, delivered late.
    inventory::write(&world.bucket(), "2018-06-03T04-00Z", &rows(100, OLDER, &old));
    let report = world.catch_up().await;
    assert_eq!((count(&report, "/builds/older"), count(&report, "/store/updated")), (1, 0));
    assert_eq!(world.record(ID).await.unwrap(), newest);
}

#[tokio::test]
async fn of_two_archives_of_a_build_the_installer_is_the_record_whatever_comes_first() {
    let stub = KEY.replace("Firefox+Setup+60.0.exe", "Firefox+Installer.exe");
    let old = METADATA.replace("build12", "build9");
    for reversed in [false, true] {
        let world = small_world().await;
        let mut rows = rows(100, OLDER, &old);
        rows.push((&stub, 300, NEWER));
        if reversed {
            rows.reverse();
        }
        inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows);
        let report = world.catch_up().await;
        assert_eq!((count(&report, "/store/created"), count(&report, "/builds/outranked")), (1, 1), "{report}");
        let record = world.record(ID).await.unwrap();
        assert!(record["download"]["url"].as_str().unwrap().ends_with("Firefox Setup 60.0.exe"), "{record}");
        std::fs::remove_dir_all(world.cache()).unwrap();
        assert_nothing_was_asked_or_sent(&world.catch_up().await);
    }
}

/// The inventory of [`small_world`] in two parts, the second with the highest candidate.
fn two_parts(world: &World, dated: &str, second: impl Fn(Vec<u8>) -> Vec<u8>) {
    let row = |key: &str| format!("\"builds\",\"{key}\",\"100\",\"{OLDER}\",\"d41d8cd98f00b204e9800998ecf8427e\"\n");
    let first = row(KEY) + &row(&METADATA.replace("build12", "build9"));
    let paths = inventory::write_parts(
        &world.bucket(),
        dated,
        &[&inventory::gzip(first.as_bytes()), &inventory::gzip(row(METADATA).as_bytes())],
    );
    let bytes = std::fs::read(&paths[1]).unwrap();
    std::fs::write(&paths[1], second(bytes)).unwrap();
}

#[tokio::test]
async fn a_release_is_described_rightly_also_when_the_part_with_its_highest_candidate_is_damaged() {
    let world = small_world().await;
    two_parts(&world, "2018-06-01T04-00Z", |mut bytes| {
        bytes.truncate(bytes.len() / 2);
        bytes
    });
    let ran = world.run(&["latest-inventory-to-kinto", "--json"]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(world.record(ID).await.unwrap()["build"]["number"], json!(12));
}

#[tokio::test]
async fn metadata_that_was_published_again_with_its_archive_is_read_again() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows(100, OLDER, &old));
    world.catch_up().await;
    // Written after the first run: the archive and its metadata.
    let later = "2099-01-01T00:00:00.000Z";
    world.publish(METADATA, &inventory::metadata("20180601000000", "cccc"));
    inventory::write(
        &world.bucket(),
        "2018-06-02T04-00Z",
        &[(KEY, 200, later), (METADATA, 500, later), (&old, 500, OLDER)],
    );
    world.catch_up().await;
    let record = world.record(ID).await.unwrap();
    assert_eq!((&record["build"]["id"], &record["source"]["revision"]), (&json!("20180601000000"), &json!("cccc")));
}

#[tokio::test]
async fn a_run_over_young_objects_does_not_count_as_a_whole_one() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows(100, OLDER, &old));
    let young = world.run(&["latest-inventory-to-kinto", "--json", "--min-age-last-modified-hours", "24"]).await;
    assert_eq!((young.code, count(&young.json(), "/read/too_old")), (0, 1));
    assert_eq!(count(&world.catch_up().await, "/store/created"), 1);
}

#[tokio::test]
async fn a_run_with_the_wrong_archive_says_so_and_is_made_up_for() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows(100, OLDER, &old));
    let wrong = format!("{}elsewhere/", world.site.url());
    let download = world.site.url();
    let args = ["latest-inventory-to-kinto", "--archive-url", &wrong, "--download-url", &download];
    let ran = world.run(&args).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("ARCHIVE_URL") && ran.stderr.contains(METADATA), "{}", ran.stderr);
    assert_eq!(count(&world.catch_up().await, "/store/created"), 1);
}

#[tokio::test]
async fn a_loss_that_an_interrupted_run_saw_is_made_up_for_by_the_next() {
    let world = World::new(Backend::Memory, 1_000).await;
    world.catch_up().await;
    let before = world.records().await;
    world.delete(before[3]["id"].as_str().unwrap()).await;
    // This run reads that the record is gone, and gets no further.
    let ran = world.run(&["latest-inventory-to-kinto", "--inventory-location", "/nowhere"]).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(count(&world.catch_up().await, "/store/created"), 1);
    assert_eq!(world.records().await, before);
}

#[tokio::test]
async fn what_cannot_be_brought_in_is_said_each_time_and_costs_nothing_more() {
    let world = small_world().await;
    let old = METADATA.replace("build12", "build9");
    let mut rows = rows(100, OLDER, &old);
    let bad = KEY.replace("/fr/", "/de/");
    rows.push((&bad, 100, "yesterday"));
    inventory::write(&world.bucket(), "2018-06-01T04-00Z", &rows);
    for rows in [4, 0] {
        let ran = world.run(&["latest-inventory-to-kinto", "--json"]).await;
        let report = ran.json();
        assert_eq!((ran.code, count(&report, "/read/rows")), (1, rows), "{}", ran.stderr);
        assert_eq!(count(&report, "/lasting_count"), 1);
        assert!(report["faults"][0].as_str().unwrap().contains("1 rows of the inventory cannot be read"), "{report}");
    }
    assert!(world.record(ID).await.is_some());
}
