//! `buildhub env lock`.

use std::io::Write as _;
use std::path::Path;

use buildhub_core::Variables;
use buildhub_environments::build::Order;
use clap::ArgMatches;
use jiff::Timestamp;

use super::{EnvError, argument, bar, builder};
use crate::CommandError;

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let order = Order::of_file(Path::new(argument(matches, "DEFINITION"))).map_err(EnvError::from)?;
    let builder = builder(vars)?;
    let mut work = builder.workspace().map_err(EnvError::from)?;
    let progress = bar::progress();
    let lock = Box::pin(builder.resolve(&order, &mut work, Timestamp::now(), progress.as_ref())).await;
    drop(progress);
    let bytes = lock.map_err(EnvError::from)?.to_bytes().map_err(EnvError::from)?;
    match matches.get_one::<String>("output") {
        Some(path) => std::fs::write(path, bytes).map_err(|source| EnvError::file(Path::new(path), source))?,
        None => std::io::stdout().write_all(&bytes).map_err(CommandError::Output)?,
    }
    Ok(true)
}
