//! The folder in which an environment is made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;

use super::BuildError;
use crate::keys::Keys;

/// A folder that goes with its value, and what was fetched into it.
#[derive(Debug)]
pub struct Workspace {
    folder: TempDir,
    fetched: BTreeMap<String, PathBuf>,
    signers: BTreeMap<String, Arc<Keys>>,
    count: u64,
}

impl Workspace {
    /// An empty one below `scratch`.
    pub(super) fn new(scratch: &Path) -> Result<Self, BuildError> {
        let folder = tempfile::Builder::new().prefix("buildhub-").tempdir_in(scratch);
        let folder = folder.map_err(|source| BuildError::Disk { path: scratch.display().to_string(), source })?;
        Ok(Self { folder, fetched: BTreeMap::new(), signers: BTreeMap::new(), count: 0 })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A path that nothing has yet.
    pub(super) fn fresh(&mut self, name: &str) -> PathBuf {
        self.count += 1;
        self.folder.path().join(format!("{}-{name}", self.count))
    }

    /// The file that was fetched and has this SHA-256.
    pub(super) fn has(&self, sha256: &str) -> Option<&Path> {
        self.fetched.get(sha256).map(PathBuf::as_path)
    }

    /// Notes a file that was fetched.
    pub(super) fn keep(&mut self, sha256: String, path: PathBuf) {
        self.fetched.insert(sha256, path);
    }

    /// Notes by which keys a file must be signed, of which one will do.
    pub(super) fn signed_by(&mut self, sha256: String, keys: Arc<Keys>) {
        self.signers.insert(sha256, keys);
    }

    /// By which keys a file must be signed.
    pub(super) fn signer(&self, sha256: &str) -> Option<Arc<Keys>> {
        self.signers.get(sha256).cloned()
    }

    /// Frees the disk of a file that was fetched.
    pub(super) fn drop_file(&mut self, sha256: &str) {
        if let Some(path) = self.fetched.remove(sha256) {
            // It goes with the folder in the end.
            let _ = std::fs::remove_file(path);
        }
    }
}
