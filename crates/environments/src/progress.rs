//! How far work is, for whoever waits.

use std::io;

/// Somebody who is told how far work is, from any thread, and often: it returns at once.
pub trait Progress: Send + Sync {
    /// `done` of `total` of a step are done: bytes, or packages, as the step counts. No total where it is not known.
    /// Another step's name ends the one before.
    fn at(&self, step: &str, done: u64, total: Option<u64>);
}

/// Who hears, from work that blocks, how many bytes of it are done, and often. An error breaks the work off where it is.
pub type Pulse<'a> = dyn FnMut(u64) -> io::Result<()> + 'a;

/// Nobody waits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Progress for Nobody {
    fn at(&self, _step: &str, _done: u64, _total: Option<u64>) {}
}
