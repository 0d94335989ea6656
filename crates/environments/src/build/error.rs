//! Why an environment could not be made.

use std::io;

use crate::archive::{ArchiveError, OciError};
use crate::chroot::ChrootError;
use crate::legal::{ComponentsError, LegalError};
use crate::lock::LockError;
use crate::places::{AddressError, FetchError};
use crate::publish::PublishError;
use crate::repo::RepositoryError;
use crate::rpm::PackageError;
use crate::solve::ResolveError;
use crate::tree::repositories::RewriteError;
use crate::tree::{MergeError, SpoolError};

/// Why an environment could not be made or published.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Something cannot be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// An address leads nowhere.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The lock cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// What was fetched is not what was locked.
    #[error("{address} has the checksum {found}, and {expected} was asked for: it was changed, or it is damaged")]
    Changed {
        /// Where it is.
        address: String,
        /// What it hashes to.
        found: String,
        /// What it should hash to.
        expected: String,
    },
    /// A package says of itself what the lock does not.
    #[error(
        "the lock says that the {what} of {package} is {lock:?}, and the package says {header:?}: its repository's metadata \
         are not of this package, or the lock was edited; lock the definition again"
    )]
    Unlike {
        /// The package, as the lock calls it.
        package: String,
        /// What differs.
        what: &'static str,
        /// What its header says.
        header: String,
        /// What the lock says.
        lock: String,
    },
    /// The lock says not where something is.
    #[error("the lock does not say where the file {sha256} is ([provenance] addresses): lock the definition again")]
    Nowhere {
        /// The file.
        sha256: String,
    },
    /// It needs more than there is.
    #[error("the environment needs about {needed} of {what}, and there are {there}: {advice}")]
    DoesNotFit {
        /// What is short: memory, disk or time.
        what: &'static str,
        /// How much of it would be needed.
        needed: String,
        /// How much of it there is.
        there: String,
        /// What to do.
        advice: &'static str,
    },
    /// Packages have more files, or longer headers, than there is memory for.
    #[error(
        "the headers and files of its packages, up to {package}, take {} MiB of memory, and there are {} MiB beside what \
         compresses: give the function more memory, or raise ENVIRONMENTS_MEMORY where there is more",
        .taken.div_ceil(1 << 20), .there >> 20
    )]
    Headers {
        /// The package at which there was too little.
        package: String,
        /// Bytes that they take.
        taken: u64,
        /// Bytes that there are.
        there: u64,
    },
    /// The uploaded root cannot be published.
    #[error("{address}: {source}")]
    Root {
        /// Where it was uploaded to.
        address: String,
        /// Why not.
        source: ChrootError,
    },
    /// There is no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There is no image.
    #[error(transparent)]
    Image(#[from] OciError),
    /// Contents cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Its own repository files cannot be rewritten.
    #[error(transparent)]
    Repositories(#[from] RewriteError),
    /// It cannot be published.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The disk does not take or give something.
    #[error("cannot work in {path}: {source}")]
    Disk {
        /// Where.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// There was less time than it took.
    #[error(
        "the time was over before all of it was done; whatever is published is whole, and the next run goes on from there"
    )]
    Late,
    /// The definition cannot be resolved.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// A repository cannot be used.
    #[error(transparent)]
    Repository(#[from] Box<RepositoryError>),
    /// A package cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The packages do not make a tree.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// What computes stopped without a word.
    #[error("the work stopped: {0}")]
    Stopped(String),
    /// The law, or the definition, asks for more than there is.
    #[error(transparent)]
    Legal(#[from] LegalError),
    /// The root's own list of packages cannot be read.
    #[error(transparent)]
    Components(#[from] ComponentsError),
}

impl BuildError {
    /// Whether the same may succeed later, by itself.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) => error.is_transient(),
            Self::Publish(error) => error.is_transient(),
            Self::Resolve(error) => error.is_transient(),
            Self::Repository(error) => error.is_transient(),
            Self::Late => true,
            _ => false,
        }
    }
}
