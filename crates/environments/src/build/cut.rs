//! Work on blocking threads that tells how far it is, and ends when its time is over.

use std::io::{self, Write};
use std::time::Duration;

use buildhub_core::Deadline;
use tokio::sync::watch::{Sender, channel};

use super::BuildError;
use crate::progress::Progress;

/// What is left for an answer.
pub(super) const MARGIN: Duration = Duration::from_secs(5);

/// Why something was broken off.
fn over() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the time is over")
}

/// A writer that breaks off when time is over.
#[derive(Debug)]
pub(super) struct Cut<T> {
    inner: T,
    deadline: Deadline,
}

impl<T> Cut<T> {
    pub(super) fn new(inner: T, deadline: Deadline) -> Self {
        Self { inner, deadline }
    }
}

impl<W: Write> Write for Cut<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.deadline.is_within(MARGIN) {
            return Err(over());
        }
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How far a step is.
type Told = (&'static str, u64, Option<u64>);

/// What blocking work tells of itself, and asks whether it may go on.
#[derive(Debug)]
pub(super) struct Watch {
    deadline: Deadline,
    told: Sender<Told>,
}

impl Watch {
    /// Begins a step of so many bytes; what comes of it is for the step to call as it goes on.
    pub(super) fn step(&self, step: &'static str, total: Option<u64>) -> impl FnMut(u64) -> io::Result<()> {
        let (deadline, told) = (self.deadline, self.told.clone());
        move |done| {
            // Nobody listens any more where whoever waited was dropped.
            let _ = told.send((step, done, total));
            if deadline.is_within(MARGIN) { Err(over()) } else { Ok(()) }
        }
    }
}

/// Does something that computes, on a thread that may block, and tells of its progress meanwhile.
pub(super) async fn compute<T: Send + 'static>(
    deadline: Deadline,
    progress: &dyn Progress,
    work: impl FnOnce(&Watch) -> Result<T, BuildError> + Send + 'static,
) -> Result<T, BuildError> {
    let (told, mut heard) = channel::<Told>(("", 0, None));
    let watch = Watch { deadline, told };
    let working = tokio::task::spawn_blocking(move || work(&watch));
    tokio::pin!(working);
    let tell = |(step, done, total): Told| {
        if !step.is_empty() {
            progress.at(step, done, total);
        }
    };
    let done = loop {
        tokio::select! {
            done = &mut working => break done,
            Ok(()) = heard.changed() => tell(*heard.borrow_and_update()),
        }
    };
    if heard.has_changed().unwrap_or(true) {
        tell(*heard.borrow_and_update());
    }
    match done.map_err(|error| BuildError::Stopped(error.to_string()))? {
        // Whatever it broke off with, this is why.
        Err(_) if deadline.is_within(MARGIN) => Err(BuildError::Late),
        done => done,
    }
}

/// Lets work that waits go on until only the margin is left.
pub(super) async fn within<T>(
    deadline: Deadline,
    work: impl Future<Output = Result<T, BuildError>>,
) -> Result<T, BuildError> {
    deadline.allow(MARGIN, work).await.unwrap_or(Err(BuildError::Late))
}
