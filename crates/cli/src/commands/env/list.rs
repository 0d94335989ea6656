//! `buildhub env list`.

use std::io::Write as _;

use buildhub_core::Variables;
use buildhub_environments::places::Places;
use buildhub_environments::publish::Listed;
use clap::ArgMatches;
use comfy_table::{Table, presets};
use indicatif::BinaryBytes;

use super::{EnvError, catalogue, is_json, question};
use crate::CommandError;
use crate::printable::printable;

/// Digits of a hash that tell it apart.
const SHORT: usize = 12;

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let places = Places::from_variables(vars)?;
    let index = catalogue(vars, &places)?.index().await.map_err(EnvError::from)?;
    let question = question(matches);
    let is_meant = |listed: &&Listed| {
        matches.get_flag("all") && question.is_empty() || listed.labels.iter().any(|one| question.fits(one))
    };
    let found: Vec<&Listed> = index.environments.iter().filter(is_meant).collect();
    let mut output = std::io::stdout().lock();
    if is_json(matches) {
        for listed in &found {
            let line = serde_json::to_string(listed).map_err(|error| CommandError::Output(error.into()))?;
            writeln!(output, "{line}").map_err(CommandError::Output)?;
        }
    } else if !found.is_empty() {
        writeln!(output, "{}", printable(&table(&found))).map_err(CommandError::Output)?;
    }
    Ok(!found.is_empty())
}

fn table(found: &[&Listed]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["name", "size", "created", "used by"]);
    for Listed { build, labels } in found {
        let labels: Vec<String> = labels.iter().map(|one| one.label.to_string()).collect();
        table.add_row([
            build.sha256.get(..SHORT).unwrap_or(&build.sha256).to_owned(),
            BinaryBytes(build.size).to_string(),
            build.created.strftime("%Y-%m-%d %H:%M").to_string(),
            labels.join("\n"),
        ]);
    }
    table
}
