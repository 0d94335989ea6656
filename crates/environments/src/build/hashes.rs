//! SHA-256 of files that their repository knows by another checksum only: a lock names files by it, and nothing but the
//! file itself tells it. So these are fetched when a definition is locked, each day again.

use std::path::PathBuf;

use futures::stream::{StreamExt as _, TryStreamExt as _};

use super::packages::WINDOW;
use super::{BuildError, Builder, Workspace};
use crate::places::Address;
use crate::progress::Progress;
use crate::repo::Checksum;

/// A file, as its repository knows it.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) address: Address,
    pub(super) checksum: Checksum,
    pub(super) size: u64,
}

impl Builder {
    /// The SHA-256 of each file, in their order. What is fetched for it is checked, and stays in `work`.
    pub(super) async fn hashes(
        &self,
        files: Vec<Known>,
        work: &mut Workspace,
        progress: &dyn Progress,
    ) -> Result<Vec<String>, BuildError> {
        let total = files.len() as u64;
        let named: Vec<_> = files.into_iter().map(|file| (file, work.fresh("known.rpm"))).collect();
        let learning = futures::stream::iter(named).map(|(file, path)| self.hash(file, path));
        let mut learning = learning.buffered(WINDOW);
        let mut found = Vec::new();
        while let Some((sha256, path)) = learning.try_next().await? {
            if let Some(path) = path {
                work.keep(sha256.clone(), path);
                progress.at("fetching packages for their SHA-256", found.len() as u64 + 1, Some(total));
            }
            found.push(sha256);
        }
        Ok(found)
    }

    /// The SHA-256 of a file, and where it is now if it had to be fetched.
    async fn hash(&self, file: Known, path: PathBuf) -> Result<(String, Option<PathBuf>), BuildError> {
        let Known { address, checksum, size } = file;
        if let Some(sha256) = checksum.as_sha256() {
            return Ok((sha256.to_owned(), None));
        }
        let fetched = self.places.fetch(&address, &path, size, &|_, _| {}).await?;
        let (expected, kept) = (checksum.to_string(), path.clone());
        let checked = tokio::task::spawn_blocking(move || checksum.check_file(&kept)).await;
        let checked = checked.map_err(|error| BuildError::Stopped(error.to_string()))?;
        let checked = checked.map_err(|source| BuildError::Disk { path: path.display().to_string(), source })?;
        match checked {
            Ok(()) => Ok((fetched.sha256, Some(path))),
            Err(found) => Err(BuildError::Changed { address: address.to_string(), found, expected }),
        }
    }
}
