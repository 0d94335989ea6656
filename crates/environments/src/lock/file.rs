//! Locks as files: canonical JSON (RFC 8785), so that one lock is one sequence of bytes.

use super::{Lock, LockError};

/// The rules by which environments are put together now ([`Identity::assembly`](super::Identity::assembly)).
pub const ASSEMBLY: u32 = 1;

/// The most bytes of a lock: some ten thousand packages.
pub const LIMIT: usize = 32 << 20;

impl Lock {
    /// Reads a lock and checks it. `file` is what errors call it.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, LockError> {
        let syntax = |source| LockError::Syntax { file: file.to_owned(), source };
        let lock: Self = serde_json::from_slice(bytes).map_err(syntax)?;
        lock.check(file)?;
        Ok(lock)
    }

    /// Its file's bytes, the same for the same lock.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LockError> {
        let mut bytes = serde_json_canonicalizer::to_vec(self).map_err(LockError::Write)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
