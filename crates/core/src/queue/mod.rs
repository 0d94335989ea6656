//! Queues: where work is left for another invocation.
//!
//! One trait, [`Queue`], with Amazon SQS (`Queues`, feature `aws`) or this process ([`MemoryQueue`]) behind it. Nothing of
//! the AWS SDK shows in its face.

#[cfg(feature = "aws")]
mod calls;
mod memory;
#[cfg(feature = "aws")]
mod sqs;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use memory::{Delivery, MemoryQueue};
#[cfg(feature = "aws")]
pub use sqs::Queues;

/// The most bytes a message's body may have: what one call may carry in all.
///
/// Amazon SQS took 256 KiB for years and takes more since; servers that speak like it, and other programs that read
/// the queue, may know the old limit only (AWS, "Amazon SQS message quotas").
pub const MESSAGE_LIMIT: usize = 256 * 1024;

/// The longest a message may be kept back (AWS, `SendMessage`, `DelaySeconds`).
pub const DELAY_LIMIT: Duration = Duration::from_mins(15);

/// A queue that is shared between tasks.
pub type SharedQueue = Arc<dyn Queue>;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outgoing {
    /// What it says: text without control characters (AWS, `SendMessageBatch`), at most [`MESSAGE_LIMIT`] bytes.
    pub body: String,
    /// In a FIFO queue, messages of one group are received in order and one after another.
    pub group: Option<String>,
    /// In a FIFO queue, a second message with the same one is dropped for five minutes.
    pub deduplication: Option<String>,
    /// How long it stays unseen at first, in whole seconds, [`DELAY_LIMIT`] at most. A FIFO queue knows no such delay of
    /// a single message.
    pub delay: Duration,
}

/// Somewhere to send messages to.
#[async_trait]
pub trait Queue: fmt::Debug + Send + Sync {
    /// Sends all messages, in order, in as few calls as the service allows. What a call could not take in passing is
    /// sent again before the next call, so that only it may come after others of the same call.
    ///
    /// A message may arrive twice, for an answer can be lost. An error says how many are not known to be in the queue;
    /// all others are.
    async fn send(&self, messages: Vec<Outgoing>) -> Result<(), QueueError>;

    /// Has a message come again after this time, whatever the queue's own is: one that was received by this receipt, and is not
    /// done with. A queue inside a process knows its own time alone.
    async fn again_after(&self, _receipt: &str, _delay: Duration) -> Result<(), QueueError> {
        Ok(())
    }

    /// The queue for a person's eye: its address.
    fn describe(&self) -> String;
}

/// Why messages could not be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// A message is longer than a queue takes; nothing was sent.
    #[error("a message of {size} bytes is too long for {queue}: it takes {MESSAGE_LIMIT}")]
    TooLong {
        /// The queue's address.
        queue: String,
        /// Bytes of the message's body.
        size: usize,
    },
    /// The queue is there no more, or may not be used, or does not take these messages: the same again would end
    /// the same.
    #[error("cannot send {unsent} messages to {queue}: {reason}")]
    Refused {
        /// The queue's address.
        queue: String,
        /// How many messages are not known to be in the queue.
        unsent: usize,
        /// What was said, and what to do about it where that is known.
        reason: String,
    },
    /// A message comes again when the queue wants.
    #[error("cannot say to {queue} when a message comes again: {reason}")]
    Unchanged {
        /// The queue's address.
        queue: String,
        /// What was said.
        reason: String,
    },
    /// The service could not be reached, or was too busy, again and again: later it may be otherwise.
    #[error("cannot send {unsent} messages to {queue} for now: {reason}")]
    Unavailable {
        /// The queue's address.
        queue: String,
        /// How many messages are not known to be in the queue.
        unsent: usize,
        /// What was said at last.
        reason: String,
    },
}

impl QueueError {
    /// Whether the same may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
