//! What is written is counted and hashed on its way.

use std::io::{self, Write};

use sha2::{Digest as _, Sha256};

use crate::digest::hex;

pub(super) struct Hashing<W> {
    out: W,
    hash: Sha256,
    written: u64,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, hash: Sha256::new(), written: 0 }
    }

    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Where it was written to, its SHA-256 and its size.
    pub(super) fn end(self) -> (W, String, u64) {
        (self.out, hex(&self.hash.finalize()), self.written)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hash.update(bytes.get(..taken).unwrap_or_default());
        self.written += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
