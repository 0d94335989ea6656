//! `buildhub env build` and `buildhub env publish`: into a folder, or to where all is published.

use buildhub_core::store::{Location, SharedStore};
use buildhub_core::{Deadline, Variables};
use buildhub_environments::build::{Builder, Outcome};
use buildhub_environments::publish::{Build, Publisher};
use buildhub_environments::settings;
use clap::ArgMatches;
use jiff::Timestamp;
use serde::Serialize;

use super::{EnvError, Input, argument, bar, builder, write};
use crate::CommandError;

/// What came of it, for programs.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    built: bool,
    changed: bool,
    #[serde(flatten)]
    build: &'a Build,
}

pub(super) async fn into_folder(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    bring(matches, vars, &Location::Folder(argument(matches, "output").into())).await
}

pub(super) async fn into_store(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    bring(matches, vars, &settings::store(vars)?).await
}

async fn bring(matches: &ArgMatches, vars: &Variables, target: &Location) -> Result<bool, CommandError> {
    let input = Input::read(argument(matches, "FILE"))?;
    let builder = builder(vars)?;
    let store = builder.places().stores().open(target).await;
    let done = Box::pin(make(&builder, &input, &store)).await?;
    let Outcome { build, built, changed, .. } = &done;
    let (built, changed) = (*built, *changed);
    let text = || {
        let how = match (built, changed) {
            (true, _) => "built and published",
            (false, true) => "published before; its labels changed",
            (false, false) => "published before; nothing changed",
        };
        format!("{}\n{how} in {}", build.name, store.describe())
    };
    write(matches.get_flag("json"), &Summary { built, changed, build }, text)?;
    Ok(true)
}

async fn make(builder: &Builder, input: &Input, store: &SharedStore) -> Result<Outcome, EnvError> {
    let (publisher, progress) = (Publisher::new(store.clone()), bar::progress());
    let (now, none) = (Timestamp::now(), Deadline::NONE);
    let done = match input {
        Input::Order(order) => builder.publish(order, &publisher, now, none, progress.as_ref()).await,
        Input::Lock(lock) => builder.publish_lock(lock, &publisher, now, none, progress.as_ref()).await,
    };
    Ok(done?)
}
