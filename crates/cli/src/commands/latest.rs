//! `buildhub latest-inventory-to-kinto`.

use buildhub_core::Variables;
use buildhub_indexer::CatchUp;
use clap::ArgMatches;
use jiff::Timestamp;

use crate::summary::{Channel, show};
use crate::{CommandError, bar};

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let run = CatchUp::from_variables(vars, Timestamp::now(), bar::progress()).await?;
    let (report, result) = run.run().await;
    show(&report, matches.get_flag("json"), Channel::Output)?;
    result?;
    Ok(report.is_success())
}
