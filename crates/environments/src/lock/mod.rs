//! What a definition means exactly: every package or root by its hash, and every decision.
//!
//! A [`Lock`] has two parts. Its [`Identity`] is all that decides the environment's bytes; the hash of its canonical JSON
//! (RFC 8785) is the build's [key](Lock::key). Its [`Provenance`] says where those bytes were found, and may change while
//! the build stays the same.

mod check;
mod diff;
mod file;
mod signers;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::definition::{Alternative, DefinitionError, Exclude, Group, Scriptlet, SourceKind, SourcesPolicy, User};
use crate::digest::hex;

pub use diff::{Changed, Decision, Diff};
pub use file::{ASSEMBLY, LIMIT};

/// A definition, resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// What decides the bytes.
    pub identity: Identity,
    /// Where they were found.
    pub provenance: Provenance,
}

/// All that decides an environment's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The rules by which an environment is put together. They change when the same lock would give other bytes.
    pub assembly: u32,
    /// Where its files come from.
    pub source: SourceKind,
    /// The architecture.
    pub arch: String,
    /// The packages, in the order of their names (`rpm-repo`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<Package>,
    /// The root's SHA-256 (`chroot-tar`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_sha256: Option<String>,
    /// The source packages of what rpm installed in the root, as far as they are at hand, in the order of their files'
    /// names (`chroot-tar`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub root_sources: Vec<SourcePackage>,
    /// What stays out.
    pub excludes: Vec<Exclude>,
    /// What stands in for scriptlets.
    pub scriptlets: Vec<Scriptlet>,
    /// Links that stand in for alternatives.
    pub alternatives: Vec<Alternative>,
    /// Users beside those the files bring.
    pub users: Vec<User>,
    /// Groups, likewise.
    pub groups: Vec<Group>,
    /// No file is dated later, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clamp_time: Option<i64>,
    /// Where rpm's database is.
    pub rpmdb: String,
    /// Paths that may have the set-user-id or set-group-id bit.
    pub setuid: Vec<String>,
    /// What the environment's own repository files name: the address of each repository by its id.
    pub mirrors: BTreeMap<String, String>,
    /// Whether there is an OCI image layout.
    pub oci: bool,
    /// What happens where a source package is missing.
    pub sources: SourcesPolicy,
    /// What compresses it.
    pub encoder: Encoder,
}

impl Identity {
    /// The source packages that it knows, at hand or not. One from which several packages were built comes as often.
    pub fn source_packages(&self) -> impl Iterator<Item = &SourcePackage> {
        self.packages.iter().filter_map(|package| package.source.as_ref()).chain(&self.root_sources)
    }
}

/// What compresses an archive. Another encoder, or another version of it, may give other bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// Its name: `liblzma`.
    pub name: String,
    /// Its version: `5.8.1`.
    pub version: String,
    /// The preset, 0 to 9.
    pub preset: u32,
    /// Bytes of a block, each compressed by itself.
    pub block_size: u64,
}

/// A package of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Epoch, 0 where there is none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture.
    pub arch: String,
    /// The SHA-256 of the whole package file, in hexadecimal digits.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its licence, as the package says.
    pub licence: String,
    /// The source package that it was built from, as the package says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// The SHA-256 of each file of keys, of which one must have signed it; none where nothing is asked of signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
}

impl Package {
    /// `name-epoch:version-release.arch`, without an epoch of 0.
    pub fn nevra(&self) -> String {
        let Self { name, epoch, version, release, arch, .. } = self;
        match epoch {
            0 => format!("{name}-{version}-{release}.{arch}"),
            _ => format!("{name}-{epoch}:{version}-{release}.{arch}"),
        }
    }
}

/// A source package, of a package or of several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourcePackage {
    /// Its file's name: `make-4.4-1.src.rpm`.
    pub file: String,
    /// Its SHA-256, where a repository of sources has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The SHA-256 of each file of keys, of which one must have signed it; none where nothing is asked of signatures, or
    /// where it is not at hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed_by: Vec<String>,
}

impl SourcePackage {
    /// One of which nothing but the file's name is known.
    pub fn named(file: impl Into<String>) -> Self {
        Self { file: file.into(), sha256: None, signed_by: Vec::new() }
    }
}

/// Where the bytes of a lock were found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// When it was resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<Timestamp>,
    /// The SHA-256 of each repository's `repomd.xml`, by the repository's id.
    pub repomd: BTreeMap<String, String>,
    /// Bytes of all files of its packages together, and of rpm's database, about; where their repositories say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<u64>,
    /// Bytes of all source packages that are published beside it, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<u64>,
    /// The addresses of files by their SHA-256: packages, source packages, the root.
    pub addresses: BTreeMap<String, String>,
    /// The files of keys that packages are signed by, in base64, by their SHA-256: whoever has the lock can check signatures
    /// as whoever had the definition.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, String>,
}

impl Lock {
    /// The build's key: the SHA-256 of the identity's canonical JSON, in hexadecimal digits.
    pub fn key(&self) -> Result<String, LockError> {
        use sha2::{Digest as _, Sha256};
        let json = serde_json_canonicalizer::to_vec(&self.identity).map_err(LockError::Write)?;
        Ok(hex(&Sha256::digest(json)))
    }
}

/// Why a lock cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// A decision in it cannot be.
    #[error(transparent)]
    Decision(#[from] DefinitionError),
    /// The keys that packages must be signed by are not there.
    #[error("packages must be signed by the keys {sha256}, and {reason}: lock the definition again")]
    Keys {
        /// The SHA-256 of the keys' file.
        sha256: String,
        /// What is wrong.
        reason: String,
    },
    /// It cannot be made JSON.
    #[error("the lock cannot be written: {0}")]
    Write(#[source] serde_json::Error),
    /// It is no lock.
    #[error("{file} is no lock: {source}")]
    Syntax {
        /// The file.
        file: String,
        /// What, and where.
        source: serde_json::Error,
    },
    /// It is one that cannot be built.
    #[error("{file} cannot be used: {reason}")]
    Value {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests;
