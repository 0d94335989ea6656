//! The upload's bytes: counted, hashed, told apart; and the tar's, bounded.

use std::io::{self, BufRead, Read};

use sha2::{Digest as _, Sha256};

use super::ChrootError;
use crate::decompress::Compression;
use crate::digest::hex;
use crate::progress::Pulse;

/// Bytes read at a time.
const BUFFER: usize = 128 << 10;

/// The upload: what is taken of it is hashed.
pub(super) struct Counting<'a, R> {
    upload: R,
    buffer: Vec<u8>,
    /// What of the buffer is not taken yet.
    taken: usize,
    filled: usize,
    hash: Sha256,
    read: u64,
    pulse: &'a mut Pulse<'a>,
}

impl<'a, R: Read> Counting<'a, R> {
    pub(super) fn new(upload: R, pulse: &'a mut Pulse<'a>) -> Self {
        Self { upload, buffer: vec![0; BUFFER], taken: 0, filled: 0, hash: Sha256::new(), read: 0, pulse }
    }

    /// How it is compressed, and the bytes by which that was told.
    pub(super) fn compression(&mut self) -> Result<(Compression, Vec<u8>), ChrootError> {
        let mut start = Vec::new();
        let failed = |source| ChrootError::Read { at: 0, compression: Compression::None, source };
        self.by_ref().take(6).read_to_end(&mut start).map_err(failed)?;
        Ok((Compression::of(&start), start))
    }

    /// Nothing may be left of it.
    pub(super) fn end(&mut self) -> Result<(), ChrootError> {
        match self.fill_buf() {
            Ok([]) => Ok(()),
            Ok(_) => Err(ChrootError::Trailing { at: self.read }),
            Err(source) => Err(ChrootError::Read { at: self.read, compression: Compression::None, source }),
        }
    }

    /// The SHA-256 and the number of all bytes.
    pub(super) fn hash(self) -> (String, u64) {
        (hex(&self.hash.finalize()), self.read)
    }
}

impl<R: Read> Read for Counting<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(bytes)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Counting<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.taken == self.filled {
            let read = match self.upload.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.hash.update(self.buffer.get(..read).unwrap_or_default());
            self.read += read as u64;
            (self.taken, self.filled) = (0, read);
            (self.pulse)(self.read)?;
        }
        Ok(self.buffer.get(self.taken..self.filled).unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        self.taken = self.filled.min(self.taken + amount);
    }
}

/// The tar: no more of it than is allowed.
pub(super) struct Bounded<R> {
    tar: R,
    read: u64,
    limit: u64,
}

impl<R: Read> Bounded<R> {
    pub(super) fn new(tar: R, limit: u64) -> Self {
        Self { tar, read: 0, limit }
    }

    /// How much was read.
    pub(super) fn at(&self) -> u64 {
        self.read
    }

    /// Whether more was asked for than is allowed.
    pub(super) fn limit(&self) -> Option<u64> {
        (self.read > self.limit).then_some(self.limit)
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if self.read > self.limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than allowed"));
        }
        let read = self.tar.read(bytes)?;
        self.read += read as u64;
        Ok(read)
    }
}
