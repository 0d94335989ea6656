//! The folder in which an environment is made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use buildhub_core::Deadline;
use tempfile::TempDir;

use super::BuildError;

const PREFIX: &str = "buildhub-environment-";
/// A file in the folder that is locked as long as its process lives.
const ALIVE: &str = ".alive";

/// A folder that goes with its value, and what was fetched into it. One that a killed process left is removed when the next
/// is made: a function's disk outlives an invocation whose time was over.
#[derive(Debug)]
pub struct Workspace {
    folder: TempDir,
    // The lock goes with it.
    _alive: File,
    fetched: BTreeMap<String, PathBuf>,
    count: u64,
    /// When the work must be over.
    pub(super) deadline: Deadline,
}

impl Workspace {
    /// An empty one below `scratch`.
    pub(super) fn new(scratch: &Path) -> Result<Self, BuildError> {
        let failed = |source| BuildError::Disk { path: scratch.display().to_string(), source };
        remove_dead(scratch).map_err(failed)?;
        let (folder, alive) = alive(scratch).map_err(failed)?;
        Ok(Self { folder, _alive: alive, fetched: BTreeMap::new(), count: 0, deadline: Deadline::NONE })
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

    /// Frees the disk of a file that was fetched.
    pub(super) fn drop_file(&mut self, sha256: &str) {
        if let Some(path) = self.fetched.remove(sha256) {
            // It goes with the folder in the end.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A folder with a lock in it, which has one from the moment on that others can see it as one of these.
fn alive(scratch: &Path) -> io::Result<(TempDir, File)> {
    let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(scratch)?;
    let file = tempfile::NamedTempFile::new_in(folder.path())?;
    file.as_file().lock()?;
    let file = file.persist(folder.path().join(ALIVE)).map_err(|error| error.error)?;
    Ok((folder, file))
}

/// Removes folders whose process is dead.
fn remove_dead(scratch: &Path) -> io::Result<()> {
    for entry in scratch.read_dir()? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(file) = File::open(entry.path().join(ALIVE)) else { continue };
        if file.try_lock().is_ok() {
            tracing::info!(folder = %entry.path().display(), "what a process that was killed left is removed");
            // Another may be at it too; and what cannot be removed is no reason not to go on beside it.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_a_living_one_works_in_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let living = Workspace::new(scratch.path()).unwrap();
        std::fs::write(living.path().join("1-root"), "x").unwrap();
        let dead = scratch.path().join(format!("{PREFIX}dead"));
        std::fs::create_dir(&dead).unwrap();
        std::fs::write(dead.join(ALIVE), "").unwrap();
        std::fs::write(dead.join("1-root"), "x").unwrap();
        // Somebody else's, and one that is being made.
        for other in ["buildhub-runs-1".to_owned(), format!("{PREFIX}new")] {
            std::fs::create_dir(scratch.path().join(&other)).unwrap();
        }
        let second = Workspace::new(scratch.path()).unwrap();
        assert!(!dead.exists());
        assert!(living.path().join("1-root").exists());
        assert!(scratch.path().join("buildhub-runs-1").exists());
        assert!(scratch.path().join(format!("{PREFIX}new")).exists());
        let path = living.path().to_owned();
        drop((living, second));
        assert!(!path.exists());
    }
}
