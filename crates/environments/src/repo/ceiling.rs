//! An end to what is read.

use std::io::{self, Read};

/// Refuses to give more than it was made for, so that a small file cannot become an endless one.
#[derive(Debug)]
pub(super) struct Ceiling<R> {
    inner: R,
    left: u64,
}

impl<R> Ceiling<R> {
    pub(super) fn new(inner: R, most: u64) -> Self {
        Self { inner, left: most }
    }

    /// Allows that many bytes from here on.
    pub(super) fn renew(&mut self, most: u64) {
        self.left = most;
    }
}

impl<R: Read> Read for Ceiling<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left =
            self.left.checked_sub(read as u64).ok_or_else(|| io::Error::other("there is more of it than may be"))?;
        Ok(read)
    }
}
