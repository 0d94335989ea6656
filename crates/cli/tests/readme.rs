//! What the documents at the top of the repository say of settings, metrics and files is what the code says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use buildhub_cli::variables;
use buildhub_core::metrics;
use buildhub_core::variables::Variable;

const README: &str = include_str!("../../../README.md");
const LOGGING: &str = include_str!("../../../LOGGING.md");
const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");

/// Every document, by its name.
const DOCUMENTS: [(&str, &str); 5] = [
    ("README.md", README),
    ("LOGGING.md", LOGGING),
    ("ARCHITECTURE.md", include_str!("../../../ARCHITECTURE.md")),
    ("CONTRIBUTING.md", include_str!("../../../CONTRIBUTING.md")),
    ("CHANGELOG.md", CHANGELOG),
];

/// Folders whose files the documents name.
const FOLDERS: [&str; 7] = ["crates/", "functions/", "kinto/", "tests/", "scripts/", "events/", "fuzz/"];

/// What stands in a document between two markers that a reader does not see.
fn section<'a>(document: &'a str, name: &str) -> &'a str {
    let begin = format!("<!-- {name} -->\n");
    let end = format!("<!-- /{name} -->");
    let (_, rest) = document.split_once(&begin).unwrap_or_else(|| panic!("there is no {begin}"));
    rest.split_once(&end).unwrap_or_else(|| panic!("there is no {end}")).0
}

/// A default that is a value is code; one that is said in words is text.
fn default_of(variable: &Variable) -> String {
    match variable.default {
        "" => "nothing".to_owned(),
        words if words.contains([' ', '\'']) => words.to_owned(),
        value => format!("`{value}`"),
    }
}

fn settings() -> String {
    let mut table = "| variable | flag | default | meaning |\n|---|---|---|---|\n".to_owned();
    for variable in variables::all() {
        let Variable { name, flag, help, .. } = variable;
        let flag = if flag.is_empty() { String::new() } else { format!("`--{flag}`") };
        writeln!(table, "| `{name}` | {flag} | {} | {help} |", default_of(variable)).unwrap();
    }
    table
}

fn metrics() -> String {
    let mut table = "| metric | unit | meaning |\n|---|---|---|\n".to_owned();
    for metric in metrics::ALL {
        writeln!(table, "| `{}` | {:?} | {} |", metric.name, metric.unit, metric.meaning).unwrap();
    }
    table
}

#[test]
fn the_readme_lists_every_setting_as_the_program_takes_it() {
    let expected = settings();
    assert!(section(README, "settings") == expected, "put this between the markers in README.md:\n\n{expected}");
}

#[test]
fn the_logging_document_lists_every_metric_with_its_meaning() {
    let expected = metrics();
    assert!(section(LOGGING, "metrics") == expected, "put this between the markers in LOGGING.md:\n\n{expected}");
}

/// The files a document names: where its links lead, and what it quotes of the repository's folders.
fn files(document: &str) -> Vec<&str> {
    let links = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.contains("://") && !link.starts_with('#'));
    let quoted = document.split('`').filter(|text| FOLDERS.iter().any(|folder| text.starts_with(folder)));
    let quoted = quoted.filter(|text| !text.contains(['*', ' ', '\n']) && !text.contains("NAME"));
    links.chain(quoted).map(|path| path.split('#').next().unwrap()).collect()
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, document) in DOCUMENTS {
        let files = files(document);
        assert!(name == "LOGGING.md" || !files.is_empty(), "{name} names files");
        for file in files {
            assert!(root.join(file).exists(), "{name} names {file}");
        }
    }
}

/// What a source file's comments name: `Changelog, rows 4 and 5: …`, or `Kept, row 6: …`.
fn add_rows(source: &str, table: &str, rows: &mut BTreeSet<u32>) {
    for comment in source.split(&format!("/// {table}, row")).skip(1) {
        // A comment counts that stands at a test, or at what a test of a whole file is made of.
        let behind = comment.lines().skip(1).find(|line| !line.trim_start().starts_with("///")).unwrap();
        let is_test =
            behind.contains("test") || behind.starts_with("async fn ") || behind.starts_with("pub(crate) async fn ");
        assert!(is_test, "{table}, row{comment:.60} stands at no test");
        let (named, _) = comment.split_once(':').unwrap();
        rows.extend(named.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse::<u32>().ok()));
    }
}

fn add_rows_below(folder: &Path, table: &str, rows: &mut BTreeSet<u32>) {
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_rows_below(&path, table, rows);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            add_rows(&std::fs::read_to_string(&path).unwrap(), table, rows);
        }
    }
}

/// The numbers of a table's rows.
fn numbers(table: &str) -> BTreeSet<u32> {
    table.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(' ')?.0.parse::<u32>().ok()).collect()
}

#[test]
fn all_that_is_as_or_otherwise_than_in_the_original_archiver_has_a_test_that_names_its_row() {
    let (_, tables) = CHANGELOG.split_once("### Changed from the original archiver").unwrap();
    let (kept, changed) = tables.split("\n### ").next().unwrap().split_once("What it did wrong").unwrap();
    for (name, table, last) in [("Kept", kept, 19), ("Changelog", changed, 15)] {
        let (rows, mut named) = (numbers(table), BTreeSet::new());
        assert_eq!(rows, (1..=last).collect());
        add_rows_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../archiver"), name, &mut named);
        assert_eq!(named, rows, "{name}");
    }
}

/// The tests there have a real Buildbot; that the table is whole, they say themselves.
#[test]
fn every_address_of_self_serve_has_a_test_that_names_its_row() {
    let (_, table) = README.split_once("| # | address |").unwrap();
    let (rows, mut named) = (numbers(table.split("\n\n").next().unwrap()), BTreeSet::new());
    assert_eq!(rows, (1..=28).collect());
    add_rows_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../self-serve/tests/api"), "Addresses", &mut named);
    assert_eq!(named, rows);
}

/// The code of all rooms but the test kit's, without the tests beside it.
fn code() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut folders: Vec<_> = ["crates", "functions"].map(|name| root.join(name)).into();
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                if !["tests", "testkit", "examples", "benches", "target"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap().to_owned();
                found.push((path.display().to_string(), code));
            }
        }
    }
    found
}

/// The message of a macro of tracing: the last text among its arguments, up to the first value in it.
fn message(after: &str) -> String {
    let (mut depth, mut message) = (1, String::new());
    let mut rest = after.chars();
    while depth > 0 {
        match rest.next().unwrap() {
            '(' => depth += 1,
            ')' => depth -= 1,
            '"' => {
                message.clear();
                loop {
                    match rest.next().unwrap() {
                        '"' => break,
                        // A text over several lines goes on at its next word.
                        '\\' if rest.as_str().starts_with('\n') => rest = rest.as_str().trim_start().chars(),
                        '\\' => message.extend(rest.next()),
                        other => message.push(other),
                    }
                }
            }
            _ => {}
        }
    }
    message.split('{').next().unwrap().trim().to_owned()
}

#[test]
fn the_logging_document_has_every_message_word_for_word() {
    let mut missing = String::new();
    let mut count = 0;
    for (path, code) in code() {
        for level in ["error", "warn", "info"] {
            for after in code.split(&format!("tracing::{level}!(")).skip(1) {
                let message = message(after);
                count += 1;
                if !LOGGING.contains(&message) {
                    writeln!(missing, "{level}: {message} ({path})").unwrap();
                }
            }
        }
    }
    assert!(missing.is_empty(), "LOGGING.md does not have\n{missing}");
    assert!(count > 100, "the code was not read: {count} messages");
}
