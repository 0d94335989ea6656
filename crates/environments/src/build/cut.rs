//! Work on blocking threads that ends when its time is over.

use std::io::{self, Read, Write};
use std::time::Duration;

use buildhub_core::Deadline;

use super::BuildError;

/// What is left for an answer.
const MARGIN: Duration = Duration::from_secs(5);

/// A reader or writer that breaks off when time is over.
#[derive(Debug)]
pub(super) struct Cut<T> {
    inner: T,
    deadline: Deadline,
}

impl<T> Cut<T> {
    pub(super) fn new(inner: T, deadline: Deadline) -> Self {
        Self { inner, deadline }
    }

    fn check(&self) -> io::Result<()> {
        if self.deadline.is_within(MARGIN) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the time is over"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Cut<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(buffer)
    }
}

impl<W: Write> Write for Cut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Does something that computes, on a thread that may block, and tells of its progress meanwhile.
pub(super) async fn compute<T: Send + 'static>(
    deadline: Deadline,
    work: impl FnOnce() -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| BuildError::Stopped(error.to_string()))?;
    match done {
        // Whatever it broke off with, this is why.
        Err(_) if deadline.is_within(MARGIN) => Err(BuildError::Late),
        done => done,
    }
}
