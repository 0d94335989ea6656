//! A person asks what is wrong with a store, and a list of stores is gone through.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use std::path::{Path, PathBuf};
use std::process::Command;

use buildhub_testkit::kinto::{Backend, KintoServer};
use harness::{Ran, World, run};

async fn world() -> World {
    World::of_files_on(Backend::Memory, &[]).await
}

/// The state of one check in the command's JSON.
fn state(ran: &Ran, check: &str) -> String {
    let report = ran.json();
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("no {check}: {report}"))["state"].as_str().unwrap().to_owned()
}

/// The version of Kinto that the distribution installs.
fn pinned() -> &'static str {
    let set = include_str!("../kinto/requirements.txt");
    set.lines().find_map(|line| line.strip_prefix("kinto==")?.split_whitespace().next()).unwrap()
}

#[tokio::test]
async fn the_doctor_ends_with_0_when_all_is_well_1_when_it_is_not_and_2_when_it_cannot_be_asked() {
    let world = world().await;
    let empty = world.run(&["doctor"]).await;
    assert_eq!((empty.code, state(&empty, "collection").as_str()), (1, "fault"), "{}", empty.stderr);
    assert_eq!(world.run(&["init-kinto"]).await.code, 0);

    let well = world.run(&["doctor", "--write"]).await;
    assert_eq!((well.code, state(&well, "good-record").as_str()), (0, "ok"), "{}", well.stdout);
    assert!(world.records().await.is_empty(), "trial records are removed");
    let nobody = world.run(&["doctor", "--anonymous"]).await;
    assert_eq!((nobody.code, state(&nobody, "credentials").as_str()), (0, "unknown"));
    let stranger = world.run(&["doctor", "--auth", "user:mistyped"]).await;
    assert_eq!((stranger.code, state(&stranger, "writing").as_str()), (1, "fault"));
    assert!(!stranger.stdout.contains("mistyped") && !stranger.stderr.contains("mistyped"), "{}", stranger.stdout);

    for wrong in [&["doctor", "--server", "ftp://here/v1"][..], &["doctor", "--bucket", "a/b"], &["doctor", "--what"]] {
        let ran = world.run(wrong).await;
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{wrong:?}: {}", ran.stderr);
    }
}

#[tokio::test]
async fn on_a_terminal_of_no_known_width_people_get_a_line_a_check_and_what_to_do() {
    let world = world().await;
    let mut command = Command::new("script");
    let question = format!("{} doctor", env!("CARGO_BIN_EXE_buildhub"));
    command.args(["-qec", &question, "/dev/null"]).env_clear().envs(world.variables());
    command.env("PATH", "/usr/bin:/bin").env("TERM", "dumb").env("SHELL", "/bin/bash");
    let ran = run(command, "").await;
    assert_eq!(ran.code, 1, "{ran:?}");
    for words in [" reachable ", " it answers", "  - collection: buildhub init-kinto makes it", "1 fault"] {
        assert!(ran.stdout.lines().any(|line| line.contains(words)), "{words} in {}", ran.stdout);
    }
}

fn instances(file: &Path) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinto/bin/instances"));
    command.arg(file).env_clear().env("PATH", "/usr/bin:/bin").env("NO_PROXY", "127.0.0.1");
    command.env("BUILDHUB", env!("CARGO_BIN_EXE_buildhub")).env("WRITER", "user:pass");
    command
}

fn list(world: &World, text: &str) -> PathBuf {
    let file = world.folder.path().join("instances.yml");
    std::fs::write(&file, text).unwrap();
    file
}

#[tokio::test]
async fn every_known_instance_is_asked_and_told_by_what_is_expected_of_it() {
    let world = world().await;
    assert_eq!(world.run(&["init-kinto"]).await.code, 0);
    let url = world.kinto.url();
    let readers = KintoServer::with_settings(Backend::Memory, &[("readonly", "true")]).await.unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let major = pinned().split('.').next().unwrap();
    let well = format!(
        "instances:\n- {{name: well, url: '{url}', environment: testing, contact: us, credentials: WRITER,\n   \
         expected: {{version: '{major}', capabilities: [schema], readonly: false}}, tolerated: {{writers: in memory}}}}\n\
         - {{name: asleep, url: 'http://127.0.0.1:{port}/v1', environment: development, contact: us, may_be_down: true}}\n"
    );
    let ran = run(instances(&list(&world, &well)), "").await;
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(
        ran.stdout.contains(pinned()) && ran.stdout.contains("down") && !ran.stdout.contains("fault"),
        "{}",
        ran.stdout
    );

    let ill = format!(
        "{well}- {{name: gone, url: 'http://127.0.0.1:{port}/v1', environment: testing, contact: them}}\n\
         - {{name: other, url: '{url}', environment: production, contact: them,\n   \
         expected: {{version: '13', capabilities: [attachments], absent: [schema], readonly: true, batch_max: 1000}}}}\n\
         - {{name: readers, url: '{}', environment: testing, contact: them, tolerated: {{read-only: for readers}}}}\n",
        readers.url()
    );
    let ran = run(instances(&list(&world, &ill)), "").await;
    assert_eq!(ran.code, 1, "{}{}", ran.stdout, ran.stderr);
    for said in [
        "gone (http://127.0.0.1",
        "reachable: nothing listens",
        "reached by https",
        format!("Kinto 13, not {}", pinned()).as_str(),
        "attachments, which is not there",
        "no schema, which is there",
        "readonly is true, and it is not",
        "batches of 1000",
        "collection: build-hub/releases is not there",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("read-only"), "what is tolerated is not told: {}", ran.stdout);
}

#[tokio::test]
async fn a_list_of_instances_that_is_not_in_form_is_refused_by_place_and_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("instances.yml");
    let one = "{name: a, url: 'http://a/v1', environment: testing, contact: us}";
    for (text, said) in [
        ("instances: [", "cannot be read"),
        ("instances: []", "instances"),
        ("instances: [{name: a, url: 'http://a', environment: testing, contact: us}]", "instances.0.url"),
        ("instances: [{name: a, url: 'http://u:p@a/v1', environment: testing, contact: us}]", "instances.0.url"),
        ("instances: [{name: a, url: 'http://a/v1', environment: lab, contact: us}]", "instances.0.environment"),
        ("instances: [{name: a, url: 'http://a/v1', environment: testing}]", "contact"),
        (&format!("instances: [{one}, {one}]"), "two of this name"),
    ] {
        std::fs::write(&file, text).unwrap();
        let ran = run(instances(&file), "").await;
        assert!(ran.code == 2 && ran.stdout.is_empty() && ran.stderr.contains(said), "{text}: {}", ran.stderr);
    }
    let mut shipped = instances(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinto/instances.yml"));
    shipped.arg("--file-only");
    let ran = run(shipped, "").await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}
