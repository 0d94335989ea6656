//! Everything outside that can be wrong: it is counted, or it stops the run with an error that names it and says what
//! to do. One bad thing never takes the others with it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use std::path::Path;
use std::process::Command;

use buildhub_testkit::kinto::Backend;
use buildhub_testkit::site::Failure;
use harness::{Ran, World, inventory, run};
use serde_json::{Value, json};

const LATEST: &[&str] = &["latest-inventory-to-kinto", "--json"];
const DATED: &str = "2018-06-01T04-00Z";
const DATE: &str = "2018-05-09T10:00:00.000Z";
const PASSWORD: &str = "hush-hush";
/// `keeper:hush-hush` as HTTP sends it (RFC 7617).
const BASIC: &str = "a2VlcGVyOmh1c2gtaHVzaA";

fn key(locale: &str) -> String {
    format!("pub/firefox/candidates/60.0-candidates/build2/win64/{locale}/Firefox+Setup+60.0.exe")
}

const WIN: &str = "pub/firefox/candidates/60.0-candidates/build2/win64/en-US/firefox-60.0.json";
const MAC: &str = "pub/firefox/candidates/60.0-candidates/build2/mac/en-US/firefox-60.0.json";

fn mac(locale: &str) -> String {
    format!("pub/firefox/candidates/60.0-candidates/build2/mac/{locale}/Firefox+60.0.dmg")
}

fn id(platform: &str, locale: &str) -> String {
    format!("firefox_60-0rc2_{platform}_{locale}")
}

fn line(key: &str) -> String {
    format!("\"builds\",\"{key}\",\"100\",\"{DATE}\",\"d41d8cd9\"\n")
}

/// Metadata of one candidate on two platforms, and no inventory yet.
async fn empty_world() -> World {
    let metadata = inventory::metadata("20180503143129", "aaaa");
    World::of_files(&[(WIN, &metadata), (MAC, &metadata)]).await
}

/// The same with two parts: Windows in the first, the Mac in the second.
async fn world() -> (World, Vec<std::path::PathBuf>) {
    let world = empty_world().await;
    let first = [line(&key("fr")), line(&key("de")), line(WIN)].concat();
    let second = [line(&mac("fr")), line(MAC)].concat();
    let parts = [inventory::gzip(first.as_bytes()), inventory::gzip(second.as_bytes())];
    let paths = inventory::write_parts(&world.bucket(), DATED, &[&parts[0], &parts[1]]);
    (world, paths)
}

/// A command of this world by a user whose password must never be seen.
fn command(world: &World, args: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = world.command(args);
    command.env("AUTH", format!("keeper:{PASSWORD}")).envs(settings.iter().copied());
    command
}

async fn checked(command: Command) -> Ran {
    let ran = run(command, "").await;
    for never in ["panicked", "stack backtrace", PASSWORD, BASIC] {
        assert!(!ran.stderr.contains(never) && !ran.stdout.contains(never), "{never}: {ran:?}");
    }
    ran
}

async fn latest(world: &World, settings: &[(&str, &str)]) -> Ran {
    checked(command(world, LATEST, settings)).await
}

/// Asserts the exit code, and that standard error or the report says each of these words.
fn assert_told(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, code, "{}\n{}", ran.stdout, ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word) || ran.stdout.contains(word), "{word:?} in\n{}\n{}", ran.stdout, ran.stderr);
    }
}

fn count(ran: &Ran, pointer: &str) -> u64 {
    let report = ran.json();
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {report}"))
}

async fn stored(world: &World) -> Vec<String> {
    world.records().await.iter().map(|record| record["id"].as_str().unwrap().to_owned()).collect()
}

/// What the store holds when all went well.
fn everything() -> Vec<String> {
    vec![id("macosx", "fr"), id("win64", "de"), id("win64", "fr")]
}

async fn assert_all_is_stored_now(world: &World) {
    assert_told(&latest(world, &[]).await, 0, &[]);
    assert_eq!(stored(world).await, everything());
}

// Rows

#[tokio::test]
async fn rows_that_cannot_be_read_are_counted_and_named_and_the_others_are_loaded() {
    let world = empty_world().await;
    let text = [
        line(&key("fr")).as_str(),
        "\"builds\",\"pub/firefox/too/few\"\n",
        &line(&key("es")).replace("100", "many"),
        &line(&key("it")).replace(DATE, "yesterday"),
        &line("pub/firefox/%FF%FE.exe"),
        &line(&key("de")),
        &line(WIN),
        &line(&mac("fr")),
        &line(MAC),
    ]
    .concat();
    inventory::write_parts(&world.bucket(), DATED, &[&inventory::gzip(text.as_bytes())]);
    let ran = latest(&world, &[]).await;
    assert_told(&ran, 1, &["4 rows", "row 2", "row 3", "many", "row 4", "yesterday", "row 5", ".csv.gz"]);
    assert_eq!((count(&ran, "/read/rows"), count(&ran, "/read/bad_rows")), (9, 4));
    assert_eq!(stored(&world).await, everything());
}

// Manifests

/// Writes other bytes in the manifest's place, with their checksum.
fn replace_manifest(world: &World, bytes: &[u8]) {
    let folder = world.bucket().join(inventory::FOLDER).join(DATED);
    std::fs::write(folder.join("manifest.json"), bytes).unwrap();
    std::fs::write(folder.join("manifest.checksum"), inventory::md5(bytes)).unwrap();
}

fn change_manifest(world: &World, change: impl FnOnce(&mut Value)) {
    let path = world.bucket().join(inventory::FOLDER).join(DATED).join("manifest.json");
    let mut manifest = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut manifest);
    replace_manifest(world, manifest.to_string().as_bytes());
}

#[tokio::test]
async fn a_manifest_that_cannot_be_used_stops_the_run_and_is_named() {
    let (world, _) = world().await;
    let manifest = format!("{DATED}/manifest.json");
    let path = world.bucket().join(inventory::FOLDER).join(&manifest);
    let good = std::fs::read(&path).unwrap();

    replace_manifest(&world, b"<html>Please sign in</html>");
    assert_told(&latest(&world, &[]).await, 1, &[&manifest, "not a manifest"]);
    replace_manifest(&world, &good);

    std::fs::write(&path, [&good[..], b" "].concat()).unwrap();
    assert_told(&latest(&world, &[]).await, 1, &[&manifest, "damaged", "MD5", "fetch it again"]);
    replace_manifest(&world, &good);

    change_manifest(&world, |manifest| manifest["fileSchema"] = json!("Bucket, Key, Size, LastModifiedDate, Colour"));
    assert_told(&latest(&world, &[]).await, 1, &[&manifest, "fileSchema", "Colour"]);
    replace_manifest(&world, &good);

    change_manifest(&world, |manifest| manifest["fileSchema"] = json!("Bucket, Key"));
    assert_told(&latest(&world, &[]).await, 1, &[&manifest, "fileSchema", "Size"]);
    replace_manifest(&world, &good);

    change_manifest(&world, |manifest| manifest["fileFormat"] = json!("Parquet"));
    assert_told(
        &latest(&world, &[]).await,
        1,
        &[&manifest, "Parquet", "configure the inventory's output format as CSV"],
    );
    assert_eq!(stored(&world).await, [""; 0], "nothing was written");
    replace_manifest(&world, &good);

    assert_all_is_stored_now(&world).await;
}

#[tokio::test]
async fn where_there_is_no_inventory_the_place_is_named() {
    let world = empty_world().await;
    let ran = latest(&world, &[]).await;
    assert_told(&ran, 1, &["there is no inventory", inventory::FOLDER, "check the prefix"]);
    let s3 = [
        ("INVENTORY_LOCATION", "s3://inventories/public"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", PASSWORD),
    ];
    assert_told(&latest(&world, &s3).await, 1, &["s3://inventories/public/"]);
}

// Parts

#[tokio::test]
async fn a_missing_part_is_named_and_the_other_one_is_loaded() {
    let (world, parts) = world().await;
    let bytes = std::fs::read(&parts[0]).unwrap();
    std::fs::remove_file(&parts[0]).unwrap();
    let name = parts[0].file_name().unwrap().to_str().unwrap();
    for _ in 0..2 {
        // Again too: what is incomplete never counts as done.
        assert_told(&latest(&world, &[]).await, 1, &[name, "the manifest names it"]);
        assert_eq!(stored(&world).await, [id("macosx", "fr")]);
    }
    std::fs::write(&parts[0], bytes).unwrap();
    assert_all_is_stored_now(&world).await;
}

#[tokio::test]
async fn of_a_damaged_part_nothing_is_written_and_the_other_one_is_loaded() {
    let (world, parts) = world().await;
    let name = parts[0].file_name().unwrap().to_str().unwrap();
    let good = std::fs::read(&parts[0]).unwrap();

    // All its rows can be read; only the checksum tells.
    let other = [line(&key("fr")), line(&key("ga")), line(WIN)].concat();
    let mut other = inventory::gzip(other.as_bytes());
    other.resize(good.len(), 0);
    std::fs::write(&parts[0], &other).unwrap();
    assert_told(&latest(&world, &[]).await, 1, &[name, "damaged"]);
    assert_eq!(stored(&world).await, [id("macosx", "fr")]);

    std::fs::write(&parts[0], &good[..good.len() / 2]).unwrap();
    assert_told(&latest(&world, &[]).await, 1, &[name, "again"]);
    assert_eq!(stored(&world).await, [id("macosx", "fr")]);

    std::fs::write(&parts[0], &good).unwrap();
    assert_all_is_stored_now(&world).await;
}

#[tokio::test]
async fn a_part_whose_checksum_alone_is_wrong_is_not_loaded() {
    let (world, parts) = world().await;
    change_manifest(&world, |manifest| manifest["files"][0]["MD5checksum"] = json!("0".repeat(32)));
    let name = parts[0].file_name().unwrap().to_str().unwrap();
    assert_told(&latest(&world, &[]).await, 1, &[name, "damaged", "MD5", "take another inventory"]);
    assert_eq!(stored(&world).await, [id("macosx", "fr")]);
}

// The archive

#[tokio::test]
async fn an_archive_that_is_not_there_is_named() {
    let (world, _) = world().await;
    let ran = latest(&world, &[("ARCHIVE_URL", "http://127.0.0.1:1/")]).await;
    assert_told(&ran, 1, &["http://127.0.0.1:1/pub/firefox", "no connection", "is the address right"]);
    assert_eq!(stored(&world).await, [""; 0]);
    assert_all_is_stored_now(&world).await;
}

#[tokio::test]
async fn one_metadata_file_that_cannot_be_fetched_stops_its_own_builds_only() {
    for failure in [Failure::status(503), Failure::status(403), Failure::Cut, Failure::Html] {
        let (world, _) = world().await;
        world.site.fail(format!("/{WIN}"), failure.clone());
        for _ in 0..2 {
            let ran = latest(&world, &[]).await;
            assert_told(&ran, 1, &[WIN, "builds left out for it: 2"]);
            assert_eq!(count(&ran, "/fault_count"), 1, "one address is one fault");
            assert_eq!(stored(&world).await, [id("macosx", "fr")], "{failure:?}");
        }
        world.site.heal();
        assert_all_is_stored_now(&world).await;
    }
}

#[tokio::test]
async fn metadata_that_is_a_web_page_is_said_to_be_one() {
    let (world, _) = world().await;
    world.site.fail(format!("/{WIN}"), Failure::Html);
    assert_told(&latest(&world, &[]).await, 1, &[WIN, "HTML page", "proxy"]);
}

#[tokio::test]
async fn metadata_that_is_broken_for_good_is_counted_and_named_and_stops_nothing() {
    let metadata = inventory::metadata("20180503143129", "aaaa");
    let world = World::of_files(&[(WIN, "{\"buildid\": 5, "), (MAC, &metadata)]).await;
    let (windows, macintosh) = (key("fr"), mac("fr"));
    let rows = [(windows.as_str(), 100, DATE), (&macintosh, 100, DATE), (WIN, 1, DATE), (MAC, 1, DATE)];
    inventory::write(&world.bucket(), DATED, &rows);
    let ran = latest(&world, &[]).await;
    assert_told(&ran, 0, &[WIN]);
    assert_eq!((count(&ran, "/metadata/malformed"), count(&ran, "/builds/without_metadata")), (1, 1));
    assert_eq!(stored(&world).await, [id("macosx", "fr")]);
}

#[tokio::test]
async fn a_nul_in_metadata_does_not_reach_the_store() {
    let metadata = inventory::metadata("20180503143129", "aaaa").replace("$(CC)", "a\\u0000b");
    let world = World::of_files(&[(WIN, &metadata)]).await;
    inventory::write(&world.bucket(), DATED, &[(&key("fr"), 100, DATE), (WIN, 1, DATE)]);
    assert_told(&latest(&world, &[]).await, 0, &[]);
    let record = world.record(&id("win64", "fr")).await.unwrap();
    assert_eq!(record["build"]["as"], "ab");
}

#[tokio::test]
async fn a_storm_of_errors_stops_the_run_after_a_bounded_number_of_requests() {
    const LIMIT: u64 = 20;
    const PARALLEL: u64 = 8;
    const ATTEMPTS: u64 = 2;
    for failure in [Failure::status(503), Failure::Html] {
        let world = World::new(Backend::Memory, 20_000).await;
        assert!(world.sample.summary().metadata > 2 * (LIMIT + PARALLEL), "there is more to ask for");
        world.site.fail_next(u64::MAX, failure);
        let ran = latest(&world, &[]).await;
        assert_told(&ran, 1, &["out of reach", "ARCHIVE_URL", "pub/firefox/"]);
        let requests = world.site.requests();
        assert!(requests <= (LIMIT + PARALLEL) * ATTEMPTS, "{requests} requests");
        assert_eq!(ran.json()["complete"], json!(false));
    }
}

// Kinto

#[tokio::test]
async fn a_kinto_that_is_not_there_is_named() {
    let (mut world, _) = world().await;
    world.kinto.stop().await.unwrap();
    let ran = latest(&world, &[]).await;
    assert_told(&ran, 1, &[&world.kinto.url(), "no connection", "is the address right"]);
    assert_eq!(world.site.requests(), 0, "nothing is fetched that cannot be stored");
}

#[tokio::test]
async fn an_address_that_is_no_kintos_is_told_apart() {
    let (world, _) = world().await;
    let without_version = world.kinto.url().replace("/v1", "");
    let ran = latest(&world, &[("SERVER_URL", &without_version)]).await;
    assert_told(&ran, 1, &["is not Kinto's", "/v1"]);
}

#[tokio::test]
async fn a_kinto_without_the_bucket_is_left_as_it_is_where_that_is_wanted() {
    let (world, _) = world().await;
    let ran = latest(&world, &[("INITIALIZE_SERVER", "false")]).await;
    assert_told(&ran, 1, &["build-hub/releases", "bucket"]);
    assert_eq!(world.site.requests(), 0);
    assert_all_is_stored_now(&world).await;
    assert_told(&latest(&world, &[("INITIALIZE_SERVER", "false")]).await, 0, &[]);
}

#[tokio::test]
async fn a_user_who_may_not_write_is_told_so() {
    let (world, _) = world().await;
    assert_told(&checked(command(&world, &["init-kinto"], &[])).await, 0, &[]);
    for settings in [&[("AUTH", "other:hush-hush")][..], &[("AUTH", "other:hush-hush"), ("INITIALIZE_SERVER", "false")]]
    {
        assert_told(&latest(&world, settings).await, 1, &["this user is not allowed", "releases"]);
        assert_eq!(stored(&world).await, [""; 0]);
    }
    assert_told(&latest(&world, &[("AUTH", PASSWORD)]).await, 2, &["AUTH", "user:password"]);
}

#[tokio::test]
async fn a_kinto_that_takes_no_writes_says_so() {
    let (mut world, _) = world().await;
    world.kinto.restart(&[("readonly", "true")]).await.unwrap();
    assert_told(&latest(&world, &[]).await, 1, &["read-only", "run again when it takes writes"]);
}

#[tokio::test]
async fn a_record_that_the_schema_refuses_is_named_and_the_others_are_stored() {
    let (world, _) = world().await;
    assert_told(&checked(command(&world, &["init-kinto"], &[])).await, 0, &[]);
    let url = format!("{}/buckets/build-hub/collections/releases", world.kinto.url());
    let schema = json!({"properties": {"target": {"properties": {"locale": {"enum": ["fr"]}}}}});
    let request = reqwest::Client::new().patch(url).basic_auth("keeper", Some(PASSWORD));
    let request = request.header("content-type", "application/json");
    let request = request.body(json!({"data": {"schema": schema}}).to_string());
    request.send().await.unwrap().error_for_status().unwrap();

    // It is sent once, and said each time.
    for refused in [1, 0] {
        let ran = latest(&world, &[("INITIALIZE_SERVER", "false")]).await;
        assert_told(&ran, 1, &[&id("win64", "de"), "locale", "is not one of"]);
        assert_eq!(count(&ran, "/store/refused"), refused);
        assert_eq!(stored(&world).await, [id("macosx", "fr"), id("win64", "fr")]);
    }
    // The distribution's own schema takes it.
    assert_all_is_stored_now(&world).await;
}

// Disks

/// The files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn a_cache_folder_that_cannot_be_written_is_named_and_the_records_are_stored() {
    let (world, _) = world().await;
    std::fs::write(world.cache(), "a file").unwrap();
    let ran = latest(&world, &[]).await;
    assert_told(&ran, 1, &["CACHE_FOLDER", world.cache().to_str().unwrap()]);
    assert_eq!(stored(&world).await, everything());
    assert_eq!(std::fs::read(world.cache()).unwrap(), b"a file");
    std::fs::remove_file(world.cache()).unwrap();
    assert_all_is_stored_now(&world).await;
}

/// A file that may not grow fails in the middle of being written, as on a full disk.
#[tokio::test]
async fn a_cache_that_does_not_fit_leaves_no_half_of_it() {
    let world = World::new(Backend::Memory, 3_000).await;
    assert_told(&latest(&world, &[]).await, 0, &[]);
    std::fs::remove_dir_all(world.cache()).unwrap();
    // 8 KiB a file: the index of some 400 records is larger.
    let line = format!("trap '' XFSZ; ulimit -f 8; exec {} {}", env!("CARGO_BIN_EXE_buildhub"), LATEST.join(" "));
    let mut limited = Command::new("bash");
    limited.args(["-c", &line]).env_clear().envs(world.variables()).current_dir(world.folder.path());
    limited.env("AUTH", format!("keeper:{PASSWORD}"));
    let ran = checked(limited).await;
    assert_told(&ran, 1, &["CACHE_FOLDER", "buildhub-index-"]);
    let left = files(&world.cache());
    assert!(!left.iter().any(|name| name.contains("index") || name.contains("unfinished")), "{left:?}");

    let ran = latest(&world, &[]).await;
    assert_told(&ran, 0, &[]);
    assert_eq!((count(&ran, "/store/created"), count(&ran, "/store/updated")), (0, 0));
    assert!(files(&world.cache()).iter().any(|name| name.contains("index")));
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_leaves_no_half_of_a_cache() {
    let (world, _) = world().await;
    std::fs::create_dir(world.cache()).unwrap();
    let (cache, program) = (world.cache(), env!("CARGO_BIN_EXE_buildhub"));
    let mount = format!("mount -t tmpfs -o size=4k tmpfs {}", cache.display());
    let isolated = |line: String| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "bash", "-c", &line]).env_clear().envs(world.variables());
        command.env("AUTH", format!("keeper:{PASSWORD}")).current_dir(world.folder.path());
        command
    };
    if !isolated(mount.clone()).status().is_ok_and(|status| status.success()) {
        eprintln!("not tested: this machine lets nobody mount a small disk");
        return;
    }
    let fill = format!("head -c 4096 /dev/zero > {}/full", cache.display());
    let line = format!(
        "{mount} && {fill} && {program} {}; code=$?; ls -A {} >&2; exit $code",
        LATEST.join(" "),
        cache.display()
    );
    let ran = checked(isolated(line)).await;
    assert_told(&ran, 1, &["CACHE_FOLDER", "No space left", "free some space"]);
    assert!(ran.stderr.ends_with("\nfull\n"), "nothing else is left there: {}", ran.stderr);
    assert_eq!(stored(&world).await, everything());
}

#[tokio::test]
async fn a_temporary_folder_that_cannot_be_written_stops_the_run() {
    let (world, _) = world().await;
    let file = world.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("below").display().to_string();
    let settings = [("CSV_DOWNLOAD_DIRECTORY", below.as_str())];
    assert_told(&latest(&world, &settings).await, 1, &["CSV_DOWNLOAD_DIRECTORY", &below]);
    let convert = command(&world, &["inventory-to-records"], &settings);
    assert_told(&checked(convert).await, 1, &["CSV_DOWNLOAD_DIRECTORY", &below]);
    assert_eq!((stored(&world).await, world.site.requests()), (Vec::new(), 0));
    assert_all_is_stored_now(&world).await;
}

#[tokio::test]
async fn a_damaged_cache_is_passed_over_and_made_anew() {
    let (world, _) = world().await;
    assert_all_is_stored_now(&world).await;
    let names = files(&world.cache());
    assert_eq!(names.len(), 3, "{names:?}");
    for name in &names {
        let path = world.cache().join(name);
        let good = std::fs::read(&path).unwrap();
        for damaged in [&good[..good.len() / 2], b"", b"\xff\xfe nonsense", &vec![0; 1 << 16]] {
            std::fs::write(&path, damaged).unwrap();
            let ran = latest(&world, &[]).await;
            assert_told(&ran, 0, &[]);
            assert_eq!((count(&ran, "/store/created"), count(&ran, "/store/updated")), (0, 0), "{name}");
        }
        // Something to do, so that every cache is used and kept again.
        world.delete_as("keeper", PASSWORD, &id("win64", "fr")).await;
        assert_all_is_stored_now(&world).await;
        assert_ne!(std::fs::read(&path).unwrap(), vec![0; 1 << 16], "{name} is made anew");
    }
}

// Settings

#[tokio::test]
async fn a_setting_that_cannot_be_used_is_named_with_its_value_and_what_is_allowed() {
    let (world, _) = world().await;
    for (name, value, allowed) in [
        ("SERVER_URL", "localhost", "http://"),
        ("ARCHIVE_URL", "ftp://archive", "s3://"),
        ("DOWNLOAD_URL", "archive", "http://"),
        ("INVENTORY_LOCATION", "s3://", "s3://BUCKET"),
        ("CACHE_FOLDER", "gs://x", "s3://BUCKET/PREFIX"),
        ("NB_RETRY_REQUEST", "often", "whole number"),
        ("TIMEOUT_SECONDS", "0", "1 or more"),
        ("NB_PARALLEL_REQUESTS", "-1", "1 or more"),
        ("BATCH_MAX_REQUESTS", "0", "1 or more"),
        ("INITIALIZE_SERVER", "perhaps", "true or false"),
        ("MIN_AGE_LAST_MODIFIED_HOURS", "yesterday", "hours"),
        ("PRODUCTS", "firefux", "thunderbird"),
        ("LOG_LEVEL", "LOUD", "WARNING"),
        ("AWS_ENDPOINT_URL", "localhost:9000", "URL"),
        ("AWS_NO_SIGN_REQUEST", "maybe", "true or false"),
        ("SENTRY_DSN", "not a dsn", ""),
    ] {
        let ran = latest(&world, &[(name, value)]).await;
        let shown = if name == "SENTRY_DSN" { "" } else { value };
        assert_told(&ran, 2, &[name, shown, allowed]);
    }
    assert_told(&latest(&world, &[("BUCKET", "no bucket")]).await, 2, &["BUCKET", "no bucket", "letters, digits"]);
    assert_told(&latest(&world, &[("ARCHIVE_URL", "/srv/archive")]).await, 2, &["DOWNLOAD_URL"]);
    assert_eq!(world.site.requests(), 0);
}
