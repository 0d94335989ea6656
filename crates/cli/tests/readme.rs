//! What the documents at the top of the repository say of settings and metrics is what the code says.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::fmt::Write as _;

use buildhub_core::metrics;
use buildhub_indexer::variables::{VARIABLES, Variable};

const README: &str = include_str!("../../../README.md");
const LOGGING: &str = include_str!("../../../LOGGING.md");

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
    for variable in VARIABLES {
        let Variable { name, flag, help, .. } = variable;
        writeln!(table, "| `{name}` | `--{flag}` | {} | {help} |", default_of(variable)).unwrap();
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
