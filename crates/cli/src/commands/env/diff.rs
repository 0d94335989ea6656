//! `buildhub env diff`.

use buildhub_core::Variables;
use buildhub_environments::lock::Diff;
use buildhub_environments::places::Places;
use clap::ArgMatches;

use super::{EnvError, argument, catalogue, lock_of, write};
use crate::CommandError;

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let places = Places::from_variables(vars)?;
    // Where both are files, nothing needs to be published anywhere.
    let catalogue = catalogue(vars, &places);
    let first = lock_of(argument(matches, "A"), &catalogue).await?;
    let second = lock_of(argument(matches, "B"), &catalogue).await?;
    let diff = Diff::between(&first, &second).map_err(EnvError::from)?;
    write(matches.get_flag("json"), &diff, || diff.to_string())?;
    Ok(diff.is_empty() || !matches.get_flag("exit-code"))
}
