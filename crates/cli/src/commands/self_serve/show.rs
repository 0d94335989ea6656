//! Answers, for a person or for a program.

use std::io::{IsTerminal as _, Write as _};

use comfy_table::{Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::printable::printable;

/// Shows what a command of that name has found: a table on a terminal, JSON elsewhere.
pub(super) fn show(name: &str, found: &Value, json: bool) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    if json || !output.is_terminal() || matches!(name, "report" | "addresses") {
        let text = if output.is_terminal() { format!("{found:#}") } else { found.to_string() };
        return writeln!(output, "{text}");
    }
    writeln!(output, "{}", printable(&shown(name, found)))
}

/// What a person sees.
fn shown(name: &str, found: &Value) -> String {
    match (name, found) {
        ("branches", Value::Object(branches)) => branches.keys().cloned().collect::<Vec<_>>().join("\n"),
        ("builders", Value::Array(names)) => names.iter().map(text).collect::<Vec<_>>().join("\n"),
        ("builds", Value::Array(items)) => builds(items).to_string(),
        ("builds", Value::Object(classes)) => {
            let class = |(class, items): (&String, &Value)| {
                format!("{class}\n{}", builds(items.as_array().map_or(&[], Vec::as_slice)))
            };
            classes.iter().map(class).collect::<Vec<_>>().join("\n")
        }
        ("jobs", Value::Array(items)) => jobs(items).to_string(),
        ("job", job) => said(job),
        (_, Value::Object(fields)) => {
            let mut table = bare();
            for (name, value) in fields {
                table.add_row([name.clone(), text(value)]);
            }
            table.to_string()
        }
        (_, other) => format!("{other:#}"),
    }
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// Builds, and requests that wait.
fn builds(items: &[Value]) -> Table {
    let mut table = bare();
    table.set_header(["build", "request", "builder", "revision", "state", "since", "owner"]);
    for item in items {
        let field = |name: &str| item.get(name).map(text).unwrap_or_default();
        let request = item.pointer("/requests/0/request_id").or_else(|| item.get("request_id")).map(text);
        let since = ["endtime", "starttime", "submittime"].into_iter().find_map(|name| item.get(name)?.as_i64());
        table.add_row([
            field("build_id"),
            request.unwrap_or_default(),
            field("buildername"),
            field("rev"),
            state(item),
            since.map(moment).unwrap_or_default(),
            field("owner"),
        ]);
    }
    table
}

/// How a build or a request is.
fn state(item: &Value) -> String {
    let outcome = item.get("status").and_then(Value::as_i64).filter(|status| *status >= 0);
    match outcome {
        Some(status) => buildhub_self_serve::reports::runs::name(status).to_owned(),
        None => item.get("state").map(text).unwrap_or_default(),
    }
}

fn jobs(items: &[Value]) -> Table {
    let mut table = bare();
    table.set_header(["job", "asked for", "by", "when", "state", "message"]);
    for job in items {
        let field = |name: &str| job.get(name).map(text).unwrap_or_default();
        let message = job.pointer("/complete_data/body/msg").map(text).unwrap_or_default();
        table.add_row([
            field("id"),
            format!("{} {}", field("action"), field("what")),
            field("who"),
            job.get("when").and_then(Value::as_i64).map(moment).unwrap_or_default(),
            how(job).to_owned(),
            message.lines().next().unwrap_or_default().to_owned(),
        ]);
    }
    table
}

/// A job in a sentence.
fn said(job: &Value) -> String {
    let number = job.get("id").map(text).unwrap_or_default();
    let message = job.pointer("/complete_data/body/msg").or_else(|| job.get("trouble")).map(text).unwrap_or_default();
    format!("job {number}: {}{}{message}", how(job), if message.is_empty() { "" } else { ": " })
}

fn how(job: &Value) -> &'static str {
    match job.pointer("/complete_data/body/errors").and_then(Value::as_bool) {
        None => "open",
        Some(true) => "failed",
        Some(false) => "done",
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn moment(seconds: i64) -> String {
    Timestamp::from_second(seconds).map_or_else(
        |_| seconds.to_string(),
        |at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
    )
}
