//! Whether an archive is whole, found out while it goes by.
//!
//! A source that breaks off may look like one that has ended. So every archive is read to its end before anything of it is
//! shown: what is compressed is decompressed and its checksums are compared; of a zip archive the directory at its end must
//! lie where its last record says. Memory is bounded, whatever is in it.

mod compressed;
mod zip;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::request::Suffix;
use compressed::Compressed;
use zip::Tail;

/// What is known of an archive beforehand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// Its size in bytes.
    pub size: Option<u64>,
    /// Its SHA-256, in small hexadecimal digits.
    pub sha256: Option<String>,
}

/// A whole archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in small hexadecimal digits.
    pub sha256: String,
}

/// What is wrong with an archive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// It has another size than it should.
    #[error("it has {found} bytes and not {expected}")]
    Size {
        /// What was read.
        found: u64,
        /// What was expected.
        expected: u64,
    },
    /// It has another SHA-256 than it should.
    #[error("its SHA-256 is {found} and not {expected}")]
    Sha256 {
        /// What was read.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// What is compressed breaks off, is spoilt, or has something behind it.
    #[error("as {suffix} it is damaged after {at} bytes: {reason}")]
    Compressed {
        /// What it should be.
        suffix: Suffix,
        /// How much of it was read.
        at: u64,
        /// What the decompression says.
        reason: String,
    },
    /// It grows to so much that it can only be meant to.
    #[error("its first {at} bytes decompress to more than {limit} bytes, which no archive of sources does")]
    Bomb {
        /// How much of it was read.
        at: u64,
        /// What they may become.
        limit: u64,
    },
    /// The end of a zip archive is not what it should be.
    #[error("as zip it is damaged: {0}")]
    Zip(&'static str),
}

/// An archive that goes by.
#[derive(Debug)]
pub struct Check {
    structure: Structure,
    digest: Sha256,
    size: u64,
}

#[derive(Debug)]
enum Structure {
    Compressed(Box<Compressed>),
    Zip(Box<Tail>),
}

impl Check {
    /// The check of an archive of that kind.
    pub fn new(suffix: Suffix) -> Self {
        let structure = match suffix {
            Suffix::Zip => Structure::Zip(Box::default()),
            Suffix::TarGz | Suffix::TarBz2 => Structure::Compressed(Box::new(Compressed::new(suffix))),
        };
        Self { structure, digest: Sha256::new(), size: 0 }
    }

    /// The next bytes of it.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Damage> {
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        match &mut self.structure {
            Structure::Compressed(compressed) => compressed.push(bytes),
            Structure::Zip(tail) => {
                tail.push(bytes);
                Ok(())
            }
        }
    }

    /// Its end: whether it is whole, and what was expected.
    pub fn finish(self, expected: &Expected) -> Result<Whole, Damage> {
        if let Some(expected) = expected.size.filter(|expected| *expected != self.size) {
            return Err(Damage::Size { found: self.size, expected });
        }
        match self.structure {
            Structure::Compressed(compressed) => compressed.finish()?,
            Structure::Zip(tail) => tail.finish(self.size).map_err(Damage::Zip)?,
        }
        let sha256 = format!("{:x}", Bytes::copy_from_slice(&self.digest.finalize()));
        match &expected.sha256 {
            Some(expected) if *expected != sha256 => Err(Damage::Sha256 { found: sha256, expected: expected.clone() }),
            _ => Ok(Whole { size: self.size, sha256 }),
        }
    }
}

#[cfg(test)]
mod tests;
