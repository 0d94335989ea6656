//! Checksums of metadata: SHA-256 and longer.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

use crate::digest::hex;

/// Bytes that are read at a time.
const BUFFER: usize = 256 << 10;

/// What a file must hash to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    digits: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// A checksum that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChecksumError {
    /// It is too weak, or not known.
    #[error(
        "checksums of the kind {0:?} are not accepted; make the repository with SHA-256 (createrepo_c --checksum sha256)"
    )]
    Algorithm(String),
    /// It is no hash of its kind.
    #[error("{0:?} is no checksum of its kind")]
    Digits(String),
}

impl Checksum {
    /// A checksum as metadata writes it: its kind and its digits. MD5 and SHA-1 are refused: files can be made that have
    /// the same.
    pub fn new(kind: &str, digits: &str) -> Result<Self, ChecksumError> {
        let algorithm = match kind {
            "sha224" => Algorithm::Sha224,
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            other => return Err(ChecksumError::Algorithm(other.to_owned())),
        };
        let digits = digits.trim().to_ascii_lowercase();
        let length = algorithm.hasher().output_size() * 2;
        if digits.len() != length || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ChecksumError::Digits(digits));
        }
        Ok(Self { algorithm, digits })
    }

    /// A SHA-256.
    pub fn sha256(digits: &str) -> Result<Self, ChecksumError> {
        Self::new("sha256", digits)
    }

    /// The digits, if it is a SHA-256.
    pub fn as_sha256(&self) -> Option<&str> {
        (self.algorithm == Algorithm::Sha256).then_some(self.digits.as_str())
    }

    /// Begins to hash what is to be compared with it.
    pub fn begin(&self) -> Hashing {
        Hashing(self.algorithm.hasher())
    }

    /// Whether a file is what it says; else what it is.
    pub fn check_file(&self, file: &Path) -> io::Result<Result<(), String>> {
        let (mut file, mut hashing) = (File::open(file)?, self.begin());
        let mut buffer = vec![0; BUFFER];
        loop {
            let read = match file.read(&mut buffer) {
                Ok(0) => return Ok(self.check(hashing)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                read => read?,
            };
            hashing.update(buffer.get(..read).unwrap_or_default());
        }
    }

    /// Whether what was hashed is what it says; else what it is.
    pub fn check(&self, hashing: Hashing) -> Result<(), String> {
        let found = hex(&hashing.0.finalize());
        if found == self.digits { Ok(()) } else { Err(found) }
    }
}

impl Algorithm {
    fn hasher(self) -> Box<dyn DynDigest + Send> {
        match self {
            Self::Sha224 => Box::new(Sha224::default()),
            Self::Sha256 => Box::new(Sha256::default()),
            Self::Sha384 => Box::new(Sha384::default()),
            Self::Sha512 => Box::new(Sha512::default()),
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)
    }
}

/// A hash that is being made.
pub struct Hashing(Box<dyn DynDigest + Send>);

impl Hashing {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hashing(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_checksums_are_refused() {
        for kind in ["md5", "sha", "sha1", "crc32"] {
            assert_eq!(Checksum::new(kind, "00"), Err(ChecksumError::Algorithm(kind.into())));
        }
        assert_eq!(Checksum::new("sha256", "00"), Err(ChecksumError::Digits("00".into())));
        let empty = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";
        let checksum = Checksum::new("sha256", empty).unwrap();
        assert_eq!(checksum.check(checksum.begin()), Ok(()));
        let mut other = checksum.begin();
        other.update(b"x");
        assert!(checksum.check(other).unwrap_err().starts_with("2d7116"));
    }
}
