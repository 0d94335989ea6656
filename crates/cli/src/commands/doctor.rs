//! `buildhub doctor`.

use std::io::{IsTerminal as _, Write as _};

use buildhub_core::Variables;
use buildhub_indexer::Connector;
use buildhub_indexer::settings::KintoSettings;
use buildhub_indexer::target::{TargetError, manifest};
use buildhub_kinto::Auth;
use buildhub_kinto::doctor::{DoctorSettings, Finding, Report, State, examine};
use clap::ArgMatches;
use comfy_table::{Cell, Color, Table, presets};

use crate::CommandError;

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let settings = KintoSettings::from_variables(vars)?;
    let mut client = Connector::from_variables(vars)?.kinto(&settings)?;
    if matches.get_flag("anonymous") {
        client.auth = Auth::Anonymous;
    }
    let KintoSettings { bucket, collection, .. } = settings;
    let manifest = manifest(&bucket, &collection).map_err(TargetError::from)?;
    let settings = DoctorSettings { client, bucket, collection, manifest, write: matches.get_flag("write") };
    let report = Box::pin(examine(&settings)).await.map_err(|error| CommandError::Usage(error.to_string()))?;
    let mut stdout = std::io::stdout();
    let text = if stdout.is_terminal() && !matches.get_flag("json") {
        as_text(&report)
    } else {
        serde_json::to_string(&report).map_err(|error| CommandError::Output(error.into()))?
    };
    writeln!(stdout, "{text}").map_err(CommandError::Output)?;
    Ok(report.state != State::Fault)
}

/// The table, what to do, and one line that says how it stands.
fn as_text(report: &Report) -> String {
    let mut table = Table::new();
    // Long lines are the terminal's to break: some do not know how wide they are.
    table.load_style(presets::NOTHING);
    for Finding { check, state, seen, .. } in &report.findings {
        table.add_row([Cell::new(state).fg(color(*state)), Cell::new(check), Cell::new(seen)]);
    }
    let mut text = format!("{}, {}/{}\n\n{table}\n", report.server, report.bucket, report.collection);
    let advice: Vec<_> = report.findings.iter().filter(|finding| !finding.advice.is_empty()).collect();
    if !advice.is_empty() {
        text.push_str("\nWhat to do:\n");
        for Finding { check, advice, .. } in advice {
            text.extend(["  - ", &check.to_string(), ": ", advice, "\n"]);
        }
    }
    text.push('\n');
    text.push_str(&verdict(report));
    text
}

fn color(state: State) -> Color {
    match state {
        State::Ok => Color::Green,
        State::Unknown => Color::Blue,
        State::Warning => Color::Yellow,
        State::Fault => Color::Red,
    }
}

fn verdict(report: &Report) -> String {
    let counted = |state, one: &str, many: &str| match report.count(state) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let parts = [
        counted(State::Fault, "fault", "faults"),
        counted(State::Warning, "warning", "warnings"),
        counted(State::Unknown, "thing that could not be told", "things that could not be told"),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "All is well.".to_owned() } else { format!("{}.", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use buildhub_kinto::doctor::{Check, Facts};

    use super::*;

    #[test]
    fn a_fault_stands_in_the_table_with_what_to_do_below_it() {
        let finding = |check, state, seen: &str, advice: &str| Finding {
            check,
            state,
            seen: seen.to_owned(),
            advice: advice.to_owned(),
        };
        let findings = vec![
            finding(Check::Reachable, State::Ok, "it answers", ""),
            finding(Check::Clock, State::Warning, "60 s behind", "set it"),
            finding(Check::ReadOnly, State::Fault, "it takes no writes", "end maintenance"),
        ];
        let report = Report {
            server: "http://k/v1".to_owned(),
            bucket: "b".to_owned(),
            collection: "c".to_owned(),
            state: State::Fault,
            facts: Facts::default(),
            findings,
        };
        let text = as_text(&report);
        assert!(text.starts_with("http://k/v1, b/c\n") && text.contains("  - read-only: end maintenance\n"), "{text}");
        assert!(!text.contains("- reachable:") && text.ends_with("\n1 fault, 1 warning."), "{text}");
    }
}
