//! What a run did: a table for people on standard error, or JSON for programs.

use std::io::Write as _;

use buildhub_indexer::Report;
use comfy_table::{Cell, CellAlignment, Table, presets};

use crate::CommandError;

/// Where the JSON goes: a command whose result is records keeps standard output for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// Standard output.
    Output,
    /// Standard error.
    Error,
}

/// Shows the report.
pub(crate) fn show(report: &Report, json: bool, channel: Channel) -> Result<(), CommandError> {
    let written = match (json, channel) {
        (true, Channel::Output) => writeln!(std::io::stdout(), "{}", as_json(report)),
        (true, Channel::Error) => writeln!(std::io::stderr(), "{}", as_json(report)),
        (false, _) => writeln!(std::io::stderr(), "{}", as_text(report)),
    };
    written.map_err(CommandError::Output)
}

fn as_json(report: &Report) -> String {
    serde_json::to_string(report).unwrap_or_default()
}

/// The table, the faults, and one line that says how it went.
fn as_text(report: &Report) -> String {
    let mut text = table(report).to_string();
    if report.fault_count > 0 {
        text.push_str("\nNot done:");
        for fault in &report.faults {
            text.push_str("\n  - ");
            text.push_str(fault);
        }
        let more = report.fault_count - report.faults.len() as u64;
        if more > 0 {
            text.push_str("\n  … and ");
            text.push_str(&grouped(more));
            text.push_str(" more");
        }
    }
    text.push('\n');
    text.push_str(&verdict(report));
    text
}

fn verdict(report: &Report) -> String {
    let seconds = report.seconds.total;
    let store = &report.store;
    match (report.complete, report.fault_count) {
        (false, _) => format!("Stopped after {seconds:.1} s; what is stored stays, run again to go on."),
        (true, 0) if report.read.rows == 0 && !report.inventories.is_empty() => {
            format!("Nothing changed since the last run: nothing to read, nothing sent ({seconds:.1} s).")
        }
        (true, 0) if store.created + store.updated == 0 && report.records == 0 => {
            format!("All was up to date: nothing sent ({seconds:.1} s).")
        }
        (true, 0) => format!("Done in {seconds:.1} s."),
        (true, faults) => format!("Done in {seconds:.1} s, but for {} things: see above.", grouped(faults)),
    }
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (title, rows) in sections(report) {
        let rows: Vec<_> = rows.into_iter().filter(|(_, count)| *count > 0).collect();
        if rows.is_empty() {
            continue;
        }
        table.add_row([Cell::new(title), Cell::new("")]);
        for (name, count) in rows {
            let count = Cell::new(grouped(count)).set_alignment(CellAlignment::Right);
            table.add_row([Cell::new(format!("  {name}")), count]);
        }
    }
    table
}

type Section = (&'static str, Vec<(String, u64)>);

fn sections(report: &Report) -> Vec<Section> {
    let Report { read, builds, metadata, store, records, .. } = report;
    let rows = |pairs: &[(&str, u64)]| pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let gaps = report.gaps.iter().map(|(reason, count)| (reason.to_string(), *count)).collect();
    let skipped = read.skipped.iter().map(|(reason, count)| (reason.replace('_', " "), *count)).collect();
    vec![
        (
            "Read",
            rows(&[
                ("inventory parts", read.parts),
                ("rows", read.rows),
                ("rows that cannot be read", read.bad_rows),
                ("superseded versions, deletions", read.superseded),
                ("metadata files seen", read.metadata_files),
            ]),
        ),
        ("Skipped, no builds", skipped),
        (
            "Builds",
            rows(&[
                ("seen", builds.seen),
                ("known, unchanged", builds.known),
                ("a better archive is known", builds.outranked),
                ("a newer state is known", builds.older),
                ("removed since", builds.removed),
                ("too old", read.too_old),
                ("without metadata", builds.without_metadata),
                ("refused by the checks", builds.refused),
            ]),
        ),
        ("Older than an hour, without a record", gaps),
        (
            "Fetched",
            rows(&[
                ("requests to the archive", metadata.requests),
                ("metadata files", metadata.fetched),
                ("not there", metadata.missing),
                ("not metadata", metadata.malformed),
                ("failed", metadata.failed),
            ]),
        ),
        (
            "Records",
            rows(&[
                ("made or read", *records),
                ("read from the store", store.read),
                ("created", store.created),
                ("updated", store.updated),
                ("unchanged, not sent", store.unchanged),
                ("the store has a better or newer one", store.kept),
                ("refused by the store", store.refused),
                ("acknowledged and lost", store.lost),
            ]),
        ),
    ]
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_happened_is_shown() {
        let mut report = Report { complete: true, ..Report::default() };
        report.read.rows = 1_234_567;
        report.store.created = 1;
        let text = as_text(&report);
        assert!(text.contains("1,234,567") && text.contains("created") && !text.contains("updated"), "{text}");
        assert!(text.ends_with("Done in 0.0 s."), "{text}");
    }

    #[test]
    fn what_was_not_done_is_listed() {
        let mut report = Report { complete: true, ..Report::default() };
        (0..60).for_each(|n| report.fault(format!("fault {n}")));
        let text = as_text(&report);
        assert!(text.contains("- fault 49") && text.contains("… and 10 more") && !text.contains("fault 50"), "{text}");
    }
}
