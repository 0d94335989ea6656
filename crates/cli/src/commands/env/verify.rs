//! `buildhub env verify`.

use buildhub_core::{Deadline, Variables};
use buildhub_environments::catalogue::Catalogue;
use clap::ArgMatches;
use serde_json::json;

use super::{EnvError, argument, bar, builder, catalogue, is_json, write};
use crate::CommandError;

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let builder = builder(vars)?;
    let catalogue = catalogue(vars, builder.places())?;
    let index = catalogue.index().await.map_err(EnvError::from)?;
    let listed = Catalogue::named(&index, argument(matches, "NAME")).map_err(EnvError::from)?;
    let lock = catalogue.lock(&listed.build.lock).await.map_err(EnvError::from)?;
    let mut work = builder.workspace().map_err(EnvError::from)?;
    let progress = bar::progress();
    let made = Box::pin(builder.build(&lock, &mut work, Deadline::NONE, progress.as_ref())).await;
    drop(progress);
    let made = made.map_err(EnvError::from)?;
    let (ours, theirs) = (&made.sha256, &listed.build.sha256);
    let same = ours == theirs;
    let value = json!({"lock": listed.build.lock, "published": theirs, "built": ours, "same": same});
    write(is_json(matches), &value, || {
        if same {
            format!("{theirs}: the same bytes, built again from the lock {}", listed.build.lock)
        } else {
            format!("{theirs} is published, and {ours} was built from the lock {}: they differ", listed.build.lock)
        }
    })?;
    Ok(same)
}
