//! What is known to go wrong with environments stands in a table of ARCHITECTURE.md, and each row has a test.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::path::Path;

/// The numbers behind `before`, at the beginning of lines.
fn numbers(text: &str, before: &str) -> BTreeSet<u32> {
    let found = text.lines().filter_map(|line| line.trim_start().strip_prefix(before));
    found.filter_map(|rest| rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()).collect()
}

fn add(path: &Path, named: &mut BTreeSet<u32>) {
    if path.is_dir() {
        for entry in path.read_dir().unwrap() {
            add(&entry.unwrap().path(), named);
        }
    } else if path.extension().is_some_and(|end| end == "rs") {
        let text = std::fs::read_to_string(path).unwrap();
        // A comment says it of the test that it stands at.
        let tests = text.split("#[test]").chain(text.split("#[tokio::test]"));
        named.extend(
            tests.filter_map(|before| before.trim_end().lines().last()).flat_map(|line| numbers(line, "/// Pitfall ")),
        );
    }
}

#[test]
fn each_pitfall_has_a_test_that_names_it() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(top.join("ARCHITECTURE.md")).unwrap();
    let (_, table) = text.split_once("<!-- pitfalls -->").unwrap();
    let known = numbers(table.split_once("<!-- /pitfalls -->").unwrap().0, "| ");
    assert_eq!(known, (1..=10).collect());
    let mut named = BTreeSet::new();
    for place in ["crates/environments/src", "crates/environments/tests", "tests/environments.rs"] {
        add(&top.join(place), &mut named);
    }
    assert_eq!(named, known);
}
