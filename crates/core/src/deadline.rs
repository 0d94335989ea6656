//! How long a piece of work may go on.

use std::time::{Duration, Instant};

/// The moment by which work must have stopped at a safe boundary, or none.
///
/// A Lambda function gets one from its context; a command has [`Deadline::NONE`]. Work asks
/// [`Deadline::is_within`] between records and stops there, with what it did acknowledged, never in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Work may take as long as it needs.
    pub const NONE: Self = Self(None);

    /// Work must have stopped after `duration`, counted from now.
    pub fn after(duration: Duration) -> Self {
        Self(Instant::now().checked_add(duration))
    }

    /// The time left, zero when it has passed; `None` when there is no deadline.
    pub fn remaining(&self) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Lets `work` go on until only `margin` is left; `None` when it was dropped then.
    pub async fn allow<T>(&self, margin: Duration, work: impl Future<Output = T>) -> Option<T> {
        match self.remaining() {
            None => Some(work.await),
            Some(left) => tokio::time::timeout(left.saturating_sub(margin), work).await.ok(),
        }
    }

    /// Whether less than `margin` is left: the moment to stop and write a checkpoint.
    pub fn is_within(&self, margin: Duration) -> bool {
        self.remaining().is_some_and(|left| left < margin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_deadline_is_never_near() {
        assert!(!Deadline::NONE.is_within(Duration::MAX));
        assert_eq!(Deadline::NONE.remaining(), None);
    }

    #[test]
    fn a_deadline_is_near_when_less_than_the_margin_is_left() {
        let deadline = Deadline::after(Duration::from_mins(1));
        assert!(deadline.is_within(Duration::from_secs(61)));
        assert!(!deadline.is_within(Duration::from_secs(5)));
    }

    #[tokio::test]
    async fn work_that_hangs_is_dropped_when_only_the_margin_is_left() {
        let deadline = Deadline::after(Duration::from_millis(20));
        assert_eq!(deadline.allow(Duration::from_millis(5), std::future::pending::<()>()).await, None);
        assert_eq!(deadline.allow(Duration::ZERO, async { 7 }).await, Some(7));
        assert_eq!(Deadline::NONE.allow(Duration::MAX, async { 7 }).await, Some(7));
    }

    #[test]
    fn a_deadline_that_has_passed_leaves_nothing() {
        assert_eq!(Deadline::after(Duration::ZERO).remaining(), Some(Duration::ZERO));
    }
}
