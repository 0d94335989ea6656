//! The optional indexes are made, used by what Kinto really asks PostgreSQL, and removed.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use buildhub_kinto::{Collection, Query};
use buildhub_testkit::kinto::Backend;
use common::{releases, server};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `kinto/bin/index ACTION`: whether it succeeded, and what it said.
fn index(database: &str, action: &str) -> (bool, String) {
    let mut command = Command::new(root().join("kinto/bin/index"));
    let output: Output = command.args(action.split(' ')).env("KINTO_STORAGE_URL", database).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
}

/// Does something in the database itself.
fn sql(database: &str, text: &str) {
    const RUN: &str = "import psycopg2, sys; c = psycopg2.connect(sys.argv[1]); c.autocommit = True; \
                       c.cursor().execute(sys.stdin.read())";
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(root().join(".tools/kinto/bin/python"));
    let status = command.args(["-c", RUN, database]).stdin(file.reopen().unwrap()).status().unwrap();
    assert!(status.success(), "{text}");
}

/// How often each index was used, of `status`.
fn uses(status: &str) -> Vec<u64> {
    let used = status.lines().filter_map(|line| line.split_once("used ")?.1.split(' ').next()?.parse().ok());
    used.collect()
}

async fn found(records: &Collection, query: Query) -> Vec<Value> {
    let page = records.first_page::<Value>(query.limit(10)).await.unwrap();
    page.entries.into_iter().map(|entry| entry.record().unwrap().data).collect()
}

/// What people ask: the answers, and that asking them is worth an index each.
async fn ask(records: &Collection) -> Vec<Vec<Value>> {
    let all = found(records, Query::new().sort(["id"])).await;
    let revision = all[0]["source"]["revision"].as_str().unwrap().to_owned();
    let build = all[0]["build"]["id"].as_str().unwrap().to_owned();
    vec![
        found(records, Query::new().eq("source.revision", revision).sort(["-id"])).await,
        found(records, Query::new().eq("build.id", build).sort(["-id"])).await,
        found(records, Query::new().eq("target.version", "28.0b3").eq("target.platform", "win64").sort(["-id"])).await,
        found(records, Query::new().sort(["-build.date"])).await,
        found(records, Query::new().has("build.id", true).sort(["-build.id", "id"])).await,
    ]
}

#[tokio::test]
async fn the_indexes_are_made_used_by_what_kinto_asks_and_removed_again() {
    let server = server(Backend::Postgresql).await;
    let records = releases(&server).await;
    let database = server.database_url().unwrap().unwrap();
    sql(&database, &include_str!("../../../scripts/kinto-builds.sql").replace(":rows", "20000"));
    let without = ask(&records).await;
    assert!(without.iter().all(|answer| !answer.is_empty()), "the questions have answers");
    assert!(!index(&database, "status").0);

    let (made, said) = index(&database, "apply");
    assert!(made && said.matches(": made").count() == 3, "{said}");
    let begun = Instant::now();
    // PostgreSQL counts a use when the session that used it has time.
    while !uses(&index(&database, "status").1).iter().all(|used| *used > 0) {
        assert!(ask(&records).await == without, "an index changes no answer");
        let status = index(&database, "status").1;
        assert!(begun.elapsed() < Duration::from_mins(1), "an index is not used: {status}");
    }
    let (again, said) = index(&database, "apply");
    assert!(again && said.matches(": is there").count() == 3, "{said}");

    // One that broke off while it was made, and one of an older definition, are made anew.
    sql(&database, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'buildhub_facts'::regclass");
    sql(&database, "COMMENT ON INDEX buildhub_date IS 'of last year'");
    let (well, said) = index(&database, "status");
    assert!(!well && said.contains("broken off") && said.contains("another definition"), "{said}");
    assert_eq!(index(&database, "apply").1.matches("made anew").count(), 2);
    assert!(index(&database, "status").0);

    let (removed, said) = index(&database, "remove");
    assert!(removed && said.matches(": removed").count() == 3, "{said}");
    assert!(index(&database, "remove").0 && !index(&database, "status").0);

    // Collections of other things have indexes of their own.
    for (collection, count) in [("builds", 4), ("requests", 1)] {
        let (made, said) = index(&database, &format!("apply --of {collection}"));
        assert!(made && said.matches(": made").count() == count, "{said}");
    }
}

#[test]
fn a_database_that_cannot_be_had_is_named_without_its_password() {
    let (done, said) = index("postgresql://kinto:hunter2@127.0.0.1:1/postgres", "status");
    assert!(!done && said.contains("no connection") && !said.contains("hunter2"), "{said}");
}
