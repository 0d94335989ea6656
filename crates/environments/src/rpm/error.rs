//! What can be wrong with a package.

use super::cpio::CpioError;
use super::files::FilesError;
use super::header::HeaderError;
use crate::keys::SignatureError;
use crate::tree::{Path, SpoolError};

/// A package that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the package {package} cannot be used: {fault}")]
pub struct PackageError {
    /// Which: what it is called, or where it lies while that is not known.
    pub package: String,
    /// Why not.
    #[source]
    pub fault: Fault,
}

/// Why a package cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its file cannot be opened or read.
    #[error("its file cannot be read: {0}")]
    Open(#[source] std::io::Error),
    /// It is none.
    #[error("it is no package of rpm")]
    NoPackage,
    /// It is a source package.
    #[error("it is a source package, which nothing is installed from")]
    Source,
    /// It is none of sources.
    #[error("it is no source package")]
    Binary,
    /// A header of it cannot be read.
    #[error("its {which} header is damaged: {source}")]
    Header {
        /// Which of the two.
        which: &'static str,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// The header is another than the one that was made.
    #[error("its header is damaged: its SHA-256 is {found}, and it should be {expected}")]
    HeaderDigest {
        /// What it says itself.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Its list of files is not one.
    #[error("its list of files cannot be used: {0}")]
    Files(#[source] FilesError),
    /// Its payload is another than the one that was made.
    #[error("its payload is damaged: its SHA-256 is {found}, and it should be {expected}")]
    PayloadDigest {
        /// What the header says.
        expected: String,
        /// What it is.
        found: String,
    },
    /// Its payload cannot be opened.
    #[error("its payload cannot be decompressed: {0}")]
    Compression(#[source] std::io::Error),
    /// Its payload is no archive.
    #[error("its payload is damaged: {0}")]
    Payload(#[source] CpioError),
    /// Its payload has something that its header does not know, or has it twice.
    #[error("its payload has {name}, which its header does not name, or which came before")]
    Stray {
        /// What.
        name: String,
    },
    /// Its payload lacks something.
    #[error("its payload has no {0}, which its header names")]
    Absent(Path),
    /// A file is not what the header says.
    #[error("its file {path} is not what its header says: {reason}")]
    Contents {
        /// Which.
        path: Path,
        /// How they differ.
        reason: String,
    },
    /// A file cannot be kept.
    #[error("its file {path}: {source}")]
    Spool {
        /// Which.
        path: Path,
        /// Why not.
        source: SpoolError,
    },
    /// A file's capabilities are no such text.
    #[error("its file {path} has the capabilities {text:?}, which are none that a file can have")]
    Capability {
        /// Which.
        path: Path,
        /// What the header says.
        text: String,
    },
    /// Nobody has signed it.
    #[error("it is not signed, and the definition names keys of which one must have signed it")]
    Unsigned,
    /// Its header does not vouch for its payload.
    #[error(
        "a signature of its header would not vouch for its payload: it was made by an rpm older than 4.14; rebuild it, \
         or name no keys for its repository"
    )]
    Unbound,
    /// Who signed it is none of those who may, or the signature does not hold.
    #[error("{0}")]
    Signature(#[source] SignatureError),
}
