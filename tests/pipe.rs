//! The three commands of the original, composed in pipes as they have been for years.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use std::collections::BTreeSet;
use std::process::Command;

use buildhub_testkit::kinto::Backend;
use harness::{Ran, World, inventory, run};
use serde_json::{Value, json};

const OLD_NAMES: [&str; 3] = ["inventory-to-records", "to-kinto", "latest-inventory-to-kinto"];
const PARTS: &str = "bucket/public/inventories/*/*/data/*.csv.gz";

/// Runs a line of shell in the world's folder, where the three old names are commands.
async fn shell(world: &World, line: &str) -> Ran {
    let bin = world.folder.path().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        for name in OLD_NAMES {
            std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_buildhub"), bin.join(name)).unwrap();
        }
    }
    let mut command = Command::new("bash");
    command.args(["-c", line]).env_clear().envs(world.variables()).current_dir(world.folder.path());
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    run(command, "").await
}

fn count(report: &Value, pointer: &str) -> u64 {
    report.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {report}"))
}

/// The records as text, without the address of the world's own site.
async fn records(world: &World) -> String {
    serde_json::to_string(&world.records().await).unwrap().replace(&world.site.url(), "")
}

/// When the store was last written, by its own clock: any write moves it.
async fn last_write(world: &World) -> String {
    let url = format!("{}/buckets/build-hub/collections/releases/records", world.kinto.url());
    let answer = reqwest::Client::new().head(url).send().await.unwrap();
    answer.headers()["etag"].to_str().unwrap().to_owned()
}

async fn the_pipe_stores_what_the_whole_run_stores(backend: Backend, rows: u64) {
    let (piped, whole) = (World::new(backend, rows).await, World::new(Backend::Memory, rows).await);
    let line = format!("zcat {PARTS} | inventory-to-records | to-kinto --json; echo ${{PIPESTATUS[*]}}");
    let ran = shell(&piped, &line).await;
    let (report, codes) = ran.stdout.trim_end().rsplit_once('\n').unwrap_or_else(|| panic!("{ran:?}"));
    assert_eq!(codes, "0 0 0", "{}", ran.stderr);
    let report: Value = serde_json::from_str(report).unwrap();

    whole.catch_up().await;
    assert_eq!(records(&piped).await, records(&whole).await);
    assert_eq!(count(&report, "/store/created"), piped.records().await.len() as u64);

    // Whichever way the records came, the other way finds nothing to do.
    let report = piped.catch_up().await;
    assert_eq!((count(&report, "/store/created"), count(&report, "/store/updated")), (0, 0), "{report}");
}

#[tokio::test]
async fn zcat_to_records_to_kinto_stores_what_the_whole_run_stores() {
    the_pipe_stores_what_the_whole_run_stores(Backend::Memory, 3_000).await;
}

#[tokio::test]
async fn zcat_to_records_to_kinto_stores_the_same_in_postgresql() {
    the_pipe_stores_what_the_whole_run_stores(Backend::Postgresql, 2_000).await;
}

#[tokio::test]
async fn the_third_old_name_is_the_whole_run() {
    let world = World::new(Backend::Memory, 1_000).await;
    let ran = shell(&world, "latest-inventory-to-kinto --json").await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(count(&ran.json(), "/store/created"), world.records().await.len() as u64);
}

/// Defect 1 of the original: it sent everything again.
#[tokio::test]
async fn a_second_load_of_the_same_lines_sends_nothing_unless_told_to() {
    let world = World::new(Backend::Memory, 1_000).await;
    let ran = shell(&world, &format!("zcat {PARTS} | inventory-to-records > records")).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(shell(&world, "to-kinto < records").await.code, 0);
    let (stored, written) = (world.records().await.len() as u64, last_write(&world).await);

    for line in
        ["to-kinto --json < records", "rm -r cache; to-kinto --json < records", "to-kinto --json --skip < records"]
    {
        let ran = shell(&world, line).await;
        let report = ran.json();
        assert_eq!((count(&report, "/store/created"), count(&report, "/store/updated")), (0, 0), "{line}: {report}");
        assert!(count(&report, "/store/unchanged") >= stored, "{line}: {report}");
    }
    assert_eq!(last_write(&world).await, written, "the store itself saw no write");

    let report = shell(&world, "to-kinto --json --send-unchanged < records").await.json();
    assert_eq!((count(&report, "/store/created"), count(&report, "/store/updated")), (0, stored), "{report}");
    assert_ne!(last_write(&world).await, written);
}

const RECORD: &str = r#"{"data":{"id":"firefox_60-0_win32_fr","source":{"product":"firefox"},"target":{"platform":"win32","os":"win","locale":"fr","version":"60.0","channel":"release"},"download":{"url":"https://archive.mozilla.org/b.exe","mimetype":"x/y","size":1,"date":"2018-01-01T00:00:00Z"}}}"#;

/// Defect 2 of the original: it ended with 0.
#[tokio::test]
async fn to_kinto_ends_with_1_when_writes_failed() {
    let mut world = World::of_files(&[]).await;
    let refused = RECORD.replace("firefox_60-0_win32_fr", "no id");
    let ran = run(world.command(&["to-kinto"]), format!("{refused}\n{RECORD}\n")).await;
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("the record no id") && ran.stderr.contains("letters, digits"), "{}", ran.stderr);
    assert_eq!(world.records().await.len(), 1, "the other record is stored");

    let ran = run(world.command(&["to-kinto"]), format!("{RECORD}\nnothing\n")).await;
    assert_eq!(ran.code, 1, "a line that is no record: {}", ran.stderr);
    assert!(ran.stderr.contains("line 2 is no record"), "{}", ran.stderr);

    world.kinto.stop().await.unwrap();
    let ran = run(world.command(&["to-kinto"]), RECORD).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&world.kinto.url()) && ran.stderr.contains("no connection"), "{}", ran.stderr);
}

#[tokio::test]
async fn wrong_usage_ends_with_2_and_says_what_is_right() {
    let world = World::of_files(&[]).await;
    for (args, word) in [
        (&["to-kinto", "--skip", "--send-unchanged"][..], "--skip"),
        (&["to-kinto", "--nonsense"], "--nonsense"),
        (&["to-kinto", "--server", "localhost:8888"], "SERVER_URL"),
        (&["to-kinto", "--batch-max-requests", "none"], "BATCH_MAX_REQUESTS"),
        (&["inventory-to-records", "--schema", "Bucket, Key, Colour"], "Colour"),
        (&["inventory-to-records", "--products", "firefux"], "firefux"),
        (&["latest-inventory-to-kinto", "--inventory-location", "ftp://x"], "INVENTORY_LOCATION"),
        (&["nonsense"], "nonsense"),
        (&[], "Usage"),
    ] {
        let ran = world.run(args).await;
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{args:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn rows_are_read_plain_gzipped_in_several_members_and_without_a_last_newline() {
    let world = World::of_files(&[]).await;
    let row = |key: &str| format!("\"b\",\"{key}\",\"7\",\"2018-05-09T10:00:00.000Z\",\"d41d8cd9\"");
    let first = row("pub/firefox/releases/60.0/win64/fr/Firefox+Setup+60.0.exe");
    let last = row("pub/firefox/releases/60.0/win64/de/Firefox%20Setup%2060.0.exe");
    let (whole, open) = (format!("{first}\n{last}\n"), format!("{first}\n{last}"));
    let members = [inventory::gzip(format!("{first}\n").as_bytes()), inventory::gzip(last.as_bytes())].concat();
    let mut outputs = Vec::new();
    for input in [whole.clone().into_bytes(), open.into_bytes(), inventory::gzip(whole.as_bytes()), members] {
        let ran = run(world.command(&["inventory-to-records", "--no-metadata"]), input).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        outputs.push(ran.lines());
    }
    let ids: Vec<_> = outputs[0].iter().map(|line| line["data"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["firefox_60-0_win64_fr", "firefox_60-0_win64_de"]);
    for output in &outputs {
        assert_eq!(output, &outputs[0]);
    }
}

#[tokio::test]
async fn rows_of_other_columns_are_read_as_told() {
    let world = World::of_files(&[]).await;
    let row = "7,2018-05-09T10:00:00.000Z,pub/firefox/releases/60.0/win64/fr/Firefox+Setup+60.0.exe\n";
    let args = ["inventory-to-records", "--no-metadata", "--schema", "Size, LastModifiedDate, Key"];
    let ran = run(world.command(&args), row).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.lines()[0]["data"]["download"]["size"], json!(7));
}

#[tokio::test]
async fn builds_without_metadata_are_left_out_kept_or_all_that_is_wanted() {
    let world = World::new(Backend::Memory, 3_000).await;
    let builds = world.sample.summary().builds;
    // The records, and how many builds there are that have none of their own: those without metadata, and those of
    // which there is a better archive.
    let convert = async |flag: &str| {
        let ran = shell(&world, &format!("zcat {PARTS} | inventory-to-records --json {flag}")).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let report: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
        let lines = ran.lines();
        let others = count(&report, "/builds/without_metadata") + count(&report, "/builds/outranked");
        assert_eq!(lines.len() as u64 + others, builds, "{flag}: {report}");
        (lines, report)
    };
    let ids = |lines: &[Value]| lines.iter().map(|line| line["data"]["id"].to_string()).collect::<BTreeSet<_>>();
    let is_described = |line: &&Value| line["data"].get("build").is_some();

    let (plain, report) = convert("").await;
    assert!(count(&report, "/builds/without_metadata") > 0, "the sample has such builds: {report}");
    assert_eq!(ids(&plain).len(), plain.len(), "one record an id");
    assert!(plain.iter().all(|line| is_described(&line)));

    let (incomplete, report) = convert("--keep-incomplete").await;
    assert_eq!(count(&report, "/builds/without_metadata"), 0);
    assert!(ids(&incomplete).is_superset(&ids(&plain)) && incomplete.len() > plain.len());
    assert_eq!(incomplete.iter().filter(is_described).count(), plain.len());

    world.site.reset_counts();
    let (bare, _) = convert("--no-metadata").await;
    assert_eq!((ids(&bare), world.site.requests()), (ids(&incomplete), 0), "nothing is asked for");
    let source = &bare[0]["data"]["source"];
    assert!(source["product"].is_string() && source.get("revision").is_none(), "{source}");
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_command_quietly() {
    let world = World::new(Backend::Memory, 20_000).await;
    let line = format!("zcat {PARTS} | inventory-to-records --no-metadata | head -1; echo ${{PIPESTATUS[1]}}");
    let ran = shell(&world, &line).await;
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("{\"data\":") && lines.len() == 2, "{ran:?}");
    assert_eq!(lines[1], "1", "not all was written");
    for noise in ["panicked", "backtrace", "Broken pipe", "run again"] {
        assert!(!ran.stderr.contains(noise), "{noise}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn flags_win_over_variables() {
    let world = World::of_files(&[]).await;
    let mut command =
        world.command(&["to-kinto", "--server", &world.kinto.url(), "-c", "releases", "--auth", "user:pass"]);
    command.env("SERVER_URL", "http://127.0.0.1:1/v1").env("COLLECTION", "elsewhere").env("AUTH", "other:other");
    let ran = run(command, RECORD).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(world.records().await.len(), 1);
}

#[tokio::test]
async fn the_help_of_every_command_shows_how_it_is_called() {
    let world = World::of_files(&[]).await;
    let help = world.run(&["--help"]).await;
    assert_eq!(help.code, 0);
    assert!(help.stdout.contains("Exit codes"), "{}", help.stdout);
    for name in OLD_NAMES.into_iter().chain(["init-kinto", "find"]) {
        assert!(help.stdout.contains(name), "{}", help.stdout);
        let help = world.run(&[name, "--help"]).await;
        assert_eq!(help.code, 0, "{}", help.stderr);
        let example = help.stdout.split("Example").nth(1).unwrap_or_else(|| panic!("{}", help.stdout));
        assert!(example.contains(&format!("buildhub {name}")), "{example}");
        assert!(help.stdout.contains("[env: AUTH]") == (name != "inventory-to-records"), "{}", help.stdout);
    }
}
