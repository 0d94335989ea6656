//! `buildhub to-kinto`.

use buildhub_core::Variables;
use buildhub_indexer::settings::{FolderSettings, KintoSettings};
use buildhub_indexer::{Connector, Load};
use clap::ArgMatches;

use crate::summary::{Channel, show};
use crate::{CommandError, bar};

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let connector = Connector::from_variables(vars)?;
    let target = connector.target(KintoSettings::from_variables(vars)?)?;
    let caches = connector.caches(&FolderSettings::from_variables(vars)?, &target, None).await;
    let load = Load { target, caches, send_all: matches.get_flag("send-unchanged") };
    let (report, result) = load.run(std::io::stdin(), bar::progress()).await;
    show(&report, matches.get_flag("json"), Channel::Output)?;
    result?;
    Ok(report.is_success())
}
