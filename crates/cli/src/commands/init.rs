//! `buildhub init-kinto`.

use std::io::Write as _;

use buildhub_core::Variables;
use buildhub_indexer::Connector;
use buildhub_indexer::settings::KintoSettings;
use clap::ArgMatches;

use crate::CommandError;

pub(crate) async fn run(_: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let target = Connector::from_variables(vars)?.target(KintoSettings::from_variables(vars)?)?;
    let changes = target.initialise().await?;
    let mut text = changes.join("\n");
    if changes.is_empty() {
        text = format!("{}: nothing to change", target.settings.server);
    }
    writeln!(std::io::stdout(), "{text}").map_err(CommandError::Output)?;
    Ok(true)
}
