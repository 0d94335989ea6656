//! What the container image starts with: the commands people know, and `test`. The script runs here without a container.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod harness;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use harness::{Ran, run};
use serde_json::Value;
use tempfile::TempDir;

const ROW: &str = "\"bucket\",\"pub/firefox/releases/50.0b11/mac/el/Firefox+50.0b11.dmg\",\"86180614\",\"2016-10-28T00:56:42.000Z\",\"0\"\n";

/// Starts the script as the image does: `buildhub` and what else is in `programs` are on the path.
async fn container(programs: &Path, source: Option<&Path>, arguments: &[&str], input: &str) -> Ran {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/container"));
    command.args(arguments).env_clear().current_dir(programs);
    command.env("PATH", format!("{}:/usr/bin:/bin", programs.display()));
    if let Some(source) = source {
        command.env("BUILDHUB_SOURCE", source);
    }
    run(command, input).await
}

fn programs() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_buildhub"), folder.path().join("buildhub")).unwrap();
    folder
}

#[tokio::test]
async fn without_arguments_the_image_lists_its_commands() {
    let programs = programs();
    let ran = container(programs.path(), None, &[], "").await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for command in ["inventory-to-records", "to-kinto", "latest-inventory-to-kinto", "init-kinto", "find", "test"] {
        assert!(ran.stdout.lines().any(|line| line.trim_start().starts_with(command)), "{command} in {}", ran.stdout);
    }
}

#[tokio::test]
async fn a_command_reads_its_input_and_writes_its_records_through_the_image() {
    let programs = programs();
    for name in [&["inventory-to-records"][..], &["buildhub", "inventory-to-records"]] {
        let arguments: Vec<_> = name.iter().copied().chain(["--no-metadata"]).collect();
        let ran = container(programs.path(), None, &arguments, ROW).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let line: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
        assert_eq!(line["data"]["id"], "firefox_beta_50-0b11_macosx_el");
    }
}

#[tokio::test]
async fn a_command_that_is_none_is_wrong_usage() {
    let programs = programs();
    assert_eq!(container(programs.path(), None, &["records-to-inventory"], "").await.code, 2);
}

#[tokio::test]
async fn test_runs_the_tests_of_the_source_and_says_how_they_ended() {
    let programs = programs();
    let make = programs.path().join("make");
    std::fs::write(&make, "#!/bin/sh\necho \"make $*\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&make, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = container(programs.path(), Some(Path::new("/source")), &["test"], "").await;
    assert_eq!((ran.code, ran.stdout.trim()), (7, "make --directory /source test"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_image_of_commands_alone_names_the_one_that_has_the_tests() {
    let programs = programs();
    let ran = container(programs.path(), None, &["test"], "").await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("docker build --tag buildhub ."), "{}", ran.stderr);
}

/// Setup installs what is missing where it is root; in the image it is not.
#[test]
fn the_image_with_the_tests_has_what_setup_would_install() {
    let setup = include_str!("../scripts/setup");
    let image = include_str!("../Dockerfile");
    let table = setup.split("<<'TOOLS'\n").nth(1).unwrap().split("\nTOOLS\n").next().unwrap();
    let of_table = table.lines().map(|line| line.split_whitespace().nth(1).unwrap());
    let calls = setup.lines().filter_map(|line| line.split_once(" debian "));
    let named = calls.map(|(_, rest)| rest.split(';').next().unwrap()).filter(|packages| !packages.starts_with('"'));
    let wanted: Vec<_> = of_table.chain(named.flat_map(str::split_whitespace)).collect();
    for known in ["createrepo-c", "chromium", "libc6-dev"] {
        assert!(wanted.contains(&known), "setup is not read rightly: {wanted:?}");
    }
    let has: Vec<_> = image.split_whitespace().collect();
    for package in wanted {
        assert!(has.contains(&package), "{package} is not in the Dockerfile");
    }
}
