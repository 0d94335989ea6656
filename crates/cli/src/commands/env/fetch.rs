//! `buildhub env fetch`: download, verify, unpack.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use buildhub_core::Variables;
use buildhub_environments::catalogue::Catalogue;
use buildhub_environments::places::Places;
use buildhub_environments::publish::Build;
use buildhub_environments::unpack;
use clap::ArgMatches;
use serde::Serialize;

use super::{EnvError, argument, bar, catalogue, question, write};
use crate::CommandError;

/// What was fetched, for programs.
#[derive(Debug, Serialize)]
struct Fetched<'a> {
    name: &'a str,
    lock: &'a str,
    size: u64,
    path: &'a str,
    unpacked: bool,
    /// Whether owners are as in the environment, and not whoever ran this.
    owners: bool,
}

/// The folder that something is in.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Fetches an environment's image into a folder.
async fn image(
    matches: &ArgMatches,
    catalogue: &Catalogue<'_>,
    build: &Build,
    folder: &Path,
) -> Result<bool, CommandError> {
    let prefix = build.oci.as_deref().ok_or_else(|| EnvError::NoImage(build.name.clone()))?;
    let failed = |source| EnvError::file(folder, source);
    // Beside the folder: what is not whole is gone.
    let mut beside = tempfile::Builder::new();
    #[cfg(unix)]
    beside.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755));
    let fresh = beside.prefix(".buildhub-").tempdir_in(parent(folder)).map_err(failed)?;
    let progress = bar::progress();
    let advance = |done, total| progress.at("downloading", done, total);
    let size = catalogue.image(prefix, fresh.path(), &advance).await.map_err(EnvError::from)?;
    drop(progress);
    std::fs::rename(fresh.keep(), folder).map_err(failed)?;
    let path = argument(matches, "output");
    let fetched = Fetched { name: &build.name, lock: &build.lock, size, path, unpacked: false, owners: true };
    write(matches.get_flag("json"), &fetched, || format!("{path}: the image of {}, verified", build.name))?;
    Ok(true)
}

pub(super) async fn run(matches: &ArgMatches, vars: &Variables) -> Result<bool, CommandError> {
    let places = Places::from_variables(vars)?;
    let catalogue = catalogue(vars, &places)?;
    let index = catalogue.index().await.map_err(EnvError::from)?;
    let listed = match matches.get_one::<String>("NAME") {
        Some(name) => Catalogue::named(&index, name),
        None => Catalogue::asked(&index, &question(matches)),
    };
    let build = &listed.map_err(EnvError::from)?.build;
    let (path, unpacking) = (argument(matches, "output"), !matches.get_flag("no-unpack"));
    let target = Path::new(path);
    if unpacking && std::fs::read_dir(target).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(EnvError::InTheWay(path.to_owned()).into());
    }

    if matches.get_flag("image") {
        return image(matches, &catalogue, build, target).await;
    }
    // Beside the target: what is verified is shown by a name that it has then, or unpacked.
    let folder = parent(target);
    let file = tempfile::Builder::new().prefix(".buildhub-").tempfile_in(folder);
    let file = file.map_err(|source| EnvError::file(folder, source))?;
    let (address, progress) = (catalogue.address(&build.name), bar::progress());
    let advance = |done, total: Option<u64>| progress.at("downloading", done, total.or(Some(build.size)));
    let got = places.fetch(&address, file.path(), build.size, &advance).await.map_err(EnvError::from)?;
    if got.sha256 != build.sha256 {
        let (address, reason) = (address.to_string(), format!("its SHA-256 is {}", got.sha256));
        return Err(EnvError::Damaged { address, reason }.into());
    }
    let mut owners = true;
    if unpacking {
        let (archive, into, size) = (file.path().to_owned(), target.to_owned(), got.size);
        let told = Arc::clone(&progress);
        let unpacking = tokio::task::spawn_blocking(move || {
            let mut pulse = |done| {
                told.at("unpacking", done, Some(size));
                Ok(())
            };
            unpack::unpack(BufReader::new(File::open(archive)?), &into, &mut pulse)
        });
        let unpacked = unpacking.await.map_err(std::io::Error::other).flatten();
        owners = unpacked.map_err(|source| EnvError::file(target, source))?;
    } else {
        file.persist(target).map_err(|error| EnvError::file(target, error.error))?;
    }
    drop(progress);
    if !owners {
        tracing::warn!("not run as root: all files are yours, and none has another owner");
    }
    let fetched = Fetched { name: &build.name, lock: &build.lock, size: got.size, path, unpacked: unpacking, owners };
    write(matches.get_flag("json"), &fetched, || format!("{path}: {}, verified", build.name))?;
    Ok(true)
}
