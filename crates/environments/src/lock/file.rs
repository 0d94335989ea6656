//! Locks as files: canonical JSON (RFC 8785), so that one lock is one sequence of bytes.

use std::collections::BTreeSet;

use super::{Identity, Lock, LockError};
use crate::definition::{SourceKind, is_sha256};

/// The rules by which environments are put together now ([`Identity::assembly`]).
pub const ASSEMBLY: u32 = 1;

/// The most bytes of a lock: some ten thousand packages.
pub const LIMIT: usize = 32 << 20;

impl Lock {
    /// Reads a lock and checks it. `file` is what errors call it.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, LockError> {
        let syntax = |source| LockError::Syntax { file: file.to_owned(), source };
        let lock: Self = serde_json::from_slice(bytes).map_err(syntax)?;
        let refuse = |reason: String| Err(LockError::Value { file: file.to_owned(), reason });
        match check(&lock.identity) {
            Some(reason) => refuse(reason),
            None => Ok(lock),
        }
    }

    /// Its file's bytes, the same for the same lock.
    pub fn to_bytes(&self) -> Result<Vec<u8>, LockError> {
        let mut bytes = serde_json_canonicalizer::to_vec(self).map_err(LockError::Write)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}

/// What is wrong with what decides the bytes.
fn check(identity: &Identity) -> Option<String> {
    if identity.assembly != ASSEMBLY {
        let found = identity.assembly;
        return Some(format!("assembly = {found} was locked by other rules; this program knows {ASSEMBLY}"));
    }
    let root = identity.root_sha256.as_deref();
    let packages = &identity.packages;
    let is_whole = match identity.source {
        SourceKind::RpmRepo => root.is_none() && !packages.is_empty(),
        SourceKind::ChrootTar => packages.is_empty() && root.is_some_and(is_sha256),
    };
    if !is_whole {
        return Some("rpm-repo has packages and no root_sha256, chroot-tar a root_sha256 and no packages".to_owned());
    }
    let sources = packages.iter().filter_map(|package| package.source.as_ref()?.sha256.as_deref());
    let mut hashes = packages.iter().map(|package| package.sha256.as_str()).chain(sources);
    if let Some(hash) = hashes.find(|hash| !is_sha256(hash)) {
        return Some(format!("sha256 = {hash:?} is not 64 hexadecimal digits, lower case"));
    }
    let mut seen = BTreeSet::new();
    let twice = packages.iter().map(super::Package::nevra).find(|nevra| !seen.insert(nevra.clone()));
    twice.map(|nevra| format!("the package {nevra} stands there twice"))
}
