//! `buildhub env`: one file a command.

mod bar;
mod diff;
mod fetch;
mod list;
mod lock;
mod publish;
mod show;
mod verify;

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use buildhub_core::{SettingError, Variables};
use buildhub_environments::build::{BuildError, Builder, Order, OrderError};
use buildhub_environments::catalogue::{Catalogue, CatalogueError, Question};
use buildhub_environments::image::ImageError;
use buildhub_environments::lock::{Lock, LockError};
use buildhub_environments::places::{FetchError, Places, PlacesError};
use buildhub_environments::settings::{self, Means};
use clap::ArgMatches;
use serde::Serialize;

use crate::CommandError;
use crate::printable::printable;

/// Why something about environments cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum EnvError {
    /// The definition cannot be used.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// It cannot be made or published.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// What is published cannot be told.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// It cannot be downloaded.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// Nothing can be reached.
    #[error(transparent)]
    Places(PlacesError),
    /// A file cannot be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was downloaded is not what is named.
    #[error("{address} is not what its name says: {reason}; nothing of it is kept")]
    Damaged {
        /// What was downloaded.
        address: String,
        /// What is wrong.
        reason: String,
    },
    /// An image cannot be fetched.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no image.
    #[error("{0} is published without an image; its definition says `oci = true` where there is one")]
    NoImage(String),
    /// There is something in the way.
    #[error("{0} is not empty; name a folder that is, or that is not there")]
    InTheWay(String),
}

impl EnvError {
    /// Whether what was typed is at fault.
    pub(crate) fn is_usage(&self) -> bool {
        matches!(self, Self::Order(_) | Self::InTheWay(_))
    }

    fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }
}

impl From<PlacesError> for CommandError {
    fn from(error: PlacesError) -> Self {
        match error {
            PlacesError::Setting(error) => Self::Setting(error),
            error @ PlacesError::Http(_) => Self::Env(EnvError::Places(error)),
        }
    }
}

pub(crate) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let Some((name, matches)) = matches.subcommand() else { return Ok(false) };
    match name {
        "lock" => lock::run(matches, vars).await,
        "build" => publish::into_folder(matches, vars).await,
        "publish" => publish::into_store(matches, vars).await,
        "list" => list::run(matches, vars).await,
        "show" => show::run(matches, vars).await,
        "diff" => diff::run(matches, vars).await,
        "fetch" => fetch::run(matches, vars).await,
        "verify" => verify::run(matches, vars).await,
        other => Err(CommandError::Usage(format!("there is no command env {other}"))),
    }
}

/// What a file is, for building.
enum Input {
    Order(Box<Order>),
    Lock(Box<Lock>),
}

impl Input {
    fn read(path: &str) -> Result<Self, EnvError> {
        let path = Path::new(path);
        match path.extension().and_then(|end| end.to_str()) {
            Some("json") => Ok(Self::Lock(Box::new(read_lock(path)?))),
            _ => Ok(Self::Order(Box::new(Order::of_file(path)?))),
        }
    }
}

fn read_lock(path: &Path) -> Result<Lock, EnvError> {
    let bytes = std::fs::read(path).map_err(|source| EnvError::file(path, source))?;
    Ok(Lock::parse(&bytes, &path.display().to_string())?)
}

fn builder(vars: &Variables) -> Result<Builder, CommandError> {
    Ok(Builder::new(Places::from_variables(vars)?, Means::from_variables(vars)?))
}

fn catalogue<'a>(vars: &Variables, places: &'a Places) -> Result<Catalogue<'a>, SettingError> {
    Ok(Catalogue::new(places, settings::published(vars)?))
}

/// The lock of a file, or of a published environment.
async fn lock_of(name: &str, catalogue: &Result<Catalogue<'_>, SettingError>) -> Result<Lock, CommandError> {
    let path = Path::new(name);
    if path.is_file() {
        return Ok(read_lock(path)?);
    }
    let catalogue = catalogue.as_ref().map_err(Clone::clone)?;
    let index = catalogue.index().await.map_err(EnvError::from)?;
    // A lock that was never listed may be there all the same.
    let key = match Catalogue::named(&index, name) {
        Ok(listed) => listed.build.lock.clone(),
        Err(_) if name.len() == 64 => name.to_owned(),
        Err(error) => return Err(EnvError::from(error).into()),
    };
    Ok(catalogue.lock(&key).await.map_err(EnvError::from)?)
}

fn question(matches: &ArgMatches) -> Question {
    let part = |name: &str| matches.get_one::<String>(name).cloned();
    Question {
        branch: part("branch"),
        platform: part("platform"),
        product: part("product"),
        build_type: part("build-type"),
        channel: part("channel"),
    }
}

fn argument<'a>(matches: &'a ArgMatches, name: &str) -> &'a str {
    matches.get_one::<String>(name).map(String::as_str).unwrap_or_default()
}

/// Whether the result is for a program.
fn is_json(matches: &ArgMatches) -> bool {
    matches.get_flag("json") || !std::io::stdout().is_terminal()
}

/// Writes the result: JSON where it is for a program, else text.
fn write(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), CommandError> {
    let text = if json {
        serde_json::to_string(value).map_err(|error| CommandError::Output(error.into()))?
    } else {
        printable(&text())
    };
    writeln!(std::io::stdout(), "{}", text.trim_end_matches('\n')).map_err(CommandError::Output)
}
