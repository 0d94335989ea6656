//! What the store's users ask, and what they are told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use std::process::Command;

use buildhub_testkit::kinto::Backend;
use harness::{Ran, World, run};
use serde_json::{Value, json};

/// A build: product, channel, version, platform, locale, build id, revision.
type Build = [&'static str; 7];

const BUILDS: [Build; 10] = [
    ["firefox", "release", "9.0", "win32", "fr", "20111216140209", "aaaa11112222333344445555666677778888999a"],
    ["firefox", "beta", "50.0b9", "macosx", "el", "20161020152750", "bbbb11112222333344445555666677778888999b"],
    ["firefox", "beta", "50.0b11", "macosx", "el", "20161027110534", "829a3f99f2606759305e3db204185242566a4ca6"],
    ["firefox", "release", "50.0", "win64", "fr", "20161104212021", "cccc11112222333344445555666677778888999c"],
    ["firefox", "release", "50.0.1", "win64", "fr", "20161123182536", "cccc22222222333344445555666677778888999c"],
    ["firefox", "release", "100.0", "win64", "en-US", "20220428142705", "dddd11112222333344445555666677778888999d"],
    [
        "firefox",
        "nightly",
        "51.0a1",
        "linux-x86_64",
        "ast",
        "20160805030202",
        "eeee11112222333344445555666677778888999e",
    ],
    [
        "fennec",
        "release",
        "50.0",
        "android-api-15",
        "multi",
        "20161104212021",
        "cccc11112222333344445555666677778888999c",
    ],
    [
        "thunderbird",
        "release",
        "45.5.0",
        "win32",
        "es-419",
        "20161124230505",
        "ffff11112222333344445555666677778888999f",
    ],
    // As old builds have it: no seconds.
    ["firefox", "nightly", "4.0b8pre", "win32", "en-US", "201011160300", "9999111122223333444455556666777788889999"],
];

fn record([product, channel, version, platform, locale, build, revision]: &Build) -> Value {
    let id = format!("{product}_{channel}_{}_{platform}_{locale}", version.replace('.', "-")).to_lowercase();
    let part = |from: usize, to: usize| build.get(from..to).filter(|part| !part.is_empty()).unwrap_or("00");
    let date =
        format!("{}-{}-{}T{}:{}:{}Z", part(0, 4), part(4, 6), part(6, 8), part(8, 10), part(10, 12), part(12, 14));
    let os = [("win", "win"), ("mac", "mac"), ("linux", "linux"), ("android", "android")];
    let os = os.iter().find(|(start, _)| platform.starts_with(start)).unwrap().1;
    json!({
        "id": id,
        "source": {"product": product, "revision": revision},
        "target": {"platform": platform, "os": os, "version": version, "channel": channel, "locale": locale},
        "build": {"id": build, "date": date},
        "download": {"url": format!("https://archive.mozilla.org/pub/{id}"), "mimetype": "application/x",
                     "size": 1, "date": "2018-01-01T00:00:00Z"},
    })
}

/// A store with these builds, one record that no metadata describes, and one that is somebody else's.
async fn store() -> World {
    store_on(Backend::Memory).await
}

async fn store_on(backend: Backend) -> World {
    let world = World::of_files_on(backend, &[]).await;
    let mut bare = record(&BUILDS[0]);
    bare["id"] = json!("firefox_9-0_win32_de");
    bare["target"]["locale"] = json!("de");
    bare.as_object_mut().unwrap().remove("build");
    let lines = BUILDS.iter().map(record).chain([bare]).map(|record| json!({ "data": record }).to_string());
    let ran = run(world.command(&["to-kinto"]), lines.collect::<Vec<_>>().join("\n")).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    world.put(&json!({"id": "notes_of_somebody_else"})).await;
    world
}

async fn ask(world: &World, question: &[&str]) -> Ran {
    let ran = world.run(&[&["find"], question].concat()).await;
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    ran
}

/// The versions found, the newest build first.
async fn versions(world: &World, question: &[&str]) -> Vec<String> {
    let ran = ask(world, question).await;
    assert!(ran.code < 2 && !ran.stderr.contains("buildhub find:"), "{question:?}: {}", ran.stderr);
    let found: Vec<_> =
        ran.lines().iter().map(|record| record["target"]["version"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ran.code == 1, found.is_empty(), "{question:?}: 1 means that nothing was found");
    found
}

#[tokio::test]
async fn each_fact_of_a_build_finds_it() {
    let world = store().await;
    for (question, expected) in [
        (&["--product", "thunderbird"][..], &["45.5.0"][..]),
        (&["--product", "fennec"], &["50.0"]),
        (&["--product", "mobile"], &["50.0"]),
        (&["--product", "firefox", "--channel", "beta"], &["50.0b11", "50.0b9"]),
        (&["--platform", "linux-x86_64"], &["51.0a1"]),
        (&["--locale", "es-419"], &["45.5.0"]),
        (&["--locale", "fr", "--channel", "release"], &["50.0.1", "50.0", "9.0"]),
        (&["--product", "firefox", "--version", "50.0"], &["50.0"]),
        (&["--version", "100.0"], &["100.0"]),
        (&["--build-id", "20161027110534"], &["50.0b11"]),
        (&["--build-id", "201011160300"], &["4.0b8pre"]),
        (&["--revision", "829a3f99f2606759305e3db204185242566a4ca6"], &["50.0b11"]),
        (&["--revision", "829a3f99f260"], &["50.0b11"]),
        (&["--revision", "cccc"], &["50.0.1", "50.0", "50.0"]),
        (&["--revision", "CCCC2"], &["50.0.1"]),
        (&["--revision", "c"], &["50.0.1", "50.0", "50.0"]),
        (&["--revision", "1111"], &[]),
        (&["--version", "50"], &[]),
        (&["--locale", "xx"], &[]),
        (&["--build-id", "2016"], &[]),
    ] {
        assert_eq!(versions(&world, question).await, expected, "{question:?}");
    }
}

#[tokio::test]
async fn ranges_of_versions_are_in_the_order_of_versions_and_not_of_letters() {
    let world = store().await;
    for (range, expected) in [
        (">=50.0b9, <50.0.1", &["50.0", "50.0b11", "50.0b9"][..]),
        (">50.0b9,<50.0", &["50.0b11"]),
        (">=51", &["100.0"]),
        // The build that no metadata describes comes last.
        ("<10", &["9.0", "4.0b8pre", "9.0"]),
        ("=50.0", &["50.0"]),
        (">=9,<=9.0", &["9.0", "9.0"]),
        (">100.0", &[]),
    ] {
        let question = ["--product", "firefox", "--version", range];
        assert_eq!(versions(&world, &question).await, expected, "{range}");
    }
}

#[tokio::test]
async fn postgresql_answers_as_memory_does() {
    let (memory, postgresql) = (store().await, store_on(Backend::Postgresql).await);
    for question in [
        &[][..],
        &["--limit", "2"],
        &["--version", "<10"],
        &["--version", "50.0"],
        &["--revision", "cccc2"],
        &["--revision", "c", "--locale", "fr"],
        &["--build-id", "20161027110534"],
        &["--since", "2016-11-24"],
        &["--until", "2011-12-15"],
        &["--latest"],
        &["--latest", "--platform", "win32"],
        &["--product", "devedition"],
    ] {
        assert_eq!(versions(&postgresql, question).await, versions(&memory, question).await, "{question:?}");
    }
}

#[tokio::test]
async fn days_are_meant_whole() {
    let world = store().await;
    for (question, expected) in [
        (&["--since", "2016-11-23", "--until", "2016-11-24"][..], &["45.5.0", "50.0.1"][..]),
        (&["--since", "2016-11-24"], &["100.0", "45.5.0"]),
        (&["--since", "2016-11-24", "--until", "2016-11-24T23:05:05Z"], &[]),
        (&["--until", "2011-12-15"], &["4.0b8pre"]),
    ] {
        assert_eq!(versions(&world, question).await, expected, "{question:?}");
    }
}

#[tokio::test]
async fn the_latest_build_of_each_product_and_channel_is_told() {
    let world = store().await;
    let mut found = versions(&world, &["--latest"]).await;
    found.sort();
    assert_eq!(found, ["100.0", "45.5.0", "50.0", "50.0b11", "51.0a1"]);
    assert_eq!(versions(&world, &["--latest", "--product", "firefox", "--channel", "release"]).await, ["100.0"]);
    assert_eq!(versions(&world, &["--latest", "--platform", "win32", "--channel", "nightly"]).await, ["4.0b8pre"]);
    let before = ["--latest", "--product", "firefox", "--channel", "release", "--version", "<60"];
    assert_eq!(versions(&world, &before).await, ["50.0.1"]);
}

#[tokio::test]
async fn in_a_pipe_a_record_is_a_line_of_json_as_it_is_stored() {
    let world = store().await;
    let ran = ask(&world, &["--build-id", "20161027110534"]).await;
    assert_eq!(ran.lines(), [record(&BUILDS[2])]);
    assert_eq!(ran.stdout.lines().count(), 1);
    assert_eq!(world.record("firefox_beta_50-0b11_macosx_el").await, Some(record(&BUILDS[2])));
}

#[tokio::test]
async fn no_more_are_told_than_are_wanted() {
    let world = store().await;
    assert_eq!(versions(&world, &["--limit", "2"]).await, ["100.0", "45.5.0"]);
    assert_eq!(versions(&world, &["--limit", "0"]).await.len(), BUILDS.len() + 1);
    assert_eq!(versions(&world, &["--limit", "1", "--version", "<51"]).await, ["45.5.0"]);
    assert_eq!(versions(&world, &["--latest", "--limit", "2"]).await, ["100.0", "50.0b11"]);
    assert_eq!(versions(&world, &["--latest", "--limit", "0"]).await.len(), 5);
}

#[tokio::test]
async fn where_nothing_is_found_the_command_ends_with_1_and_writes_no_line() {
    let world = store().await;
    let ran = ask(&world, &["--product", "devedition"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{}", ran.stderr);
}

#[tokio::test]
async fn a_question_that_makes_no_sense_ends_with_2_and_says_what_would() {
    let world = store().await;
    for (question, word) in [
        (["--product", "firefux"], "devedition"),
        (["--version", ">=banana"], ">=60.0, <61"),
        (["--since", "yesterday"], "2018-01-31"),
        (["--limit", "many"], "--limit"),
        (["--colour", "red"], "--colour"),
    ] {
        let ran = ask(&world, &question).await;
        assert_eq!(ran.code, 2, "{question:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(word), "{question:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn nobody_need_log_in_to_ask_and_a_store_that_is_not_there_is_named() {
    let mut world = store().await;
    let mut command = world.command(&["find", "--product", "thunderbird"]);
    command.env("AUTH", "stranger:anything");
    assert_eq!(run(command, "").await.lines().len(), 1);
    world.kinto.stop().await.unwrap();
    let ran = ask(&world, &[]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains(&world.kinto.url()) && ran.stderr.contains("is the address right"), "{}", ran.stderr);
}

/// On a terminal of `script` (util-linux).
#[tokio::test]
async fn on_a_terminal_people_get_a_table() {
    let world = store().await;
    let program = env!("CARGO_BIN_EXE_buildhub");
    let mut command = Command::new("script");
    let question = format!("stty cols 200; {program} find --channel beta; {program} find --channel beta --json");
    command.args(["-qec", &question, "/dev/null"]).env_clear().envs(world.variables());
    command.env("PATH", "/usr/bin:/bin").env("TERM", "xterm").env("SHELL", "/bin/bash");
    let ran = run(command, "").await;
    assert_eq!(ran.code, 0, "{ran:?}");
    for word in ["product", "50.0b11", "829a3f99f260", "2 records"] {
        assert!(ran.stdout.contains(word), "{word} in {}", ran.stdout);
    }
    let lines: Vec<Value> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, [record(&BUILDS[2]), record(&BUILDS[1])], "--json also on a terminal: {}", ran.stdout);
}
