//! What became of a message.

use crate::task::{FailureCode, State, Task};

/// What became of a message. In each case it is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The archive was read from its source, and is in some regions at least.
    Copied {
        /// Its bytes.
        bytes: u64,
        /// How many regions lack it still.
        missing: usize,
    },
    /// Regions that lacked it have it from another.
    Repaired {
        /// Its bytes.
        bytes: u64,
        /// How many regions lack it still.
        missing: usize,
    },
    /// It was there, in every region that answers.
    AlreadyThere {
        /// How many regions did not answer.
        missing: usize,
    },
    /// The time was over; a message to go on was sent.
    Paused {
        /// Bytes so far.
        bytes: u64,
    },
    /// It did not work this time; a message to try again was sent.
    Retrying {
        /// Why not.
        reason: String,
    },
    /// There will be no archive.
    Failed(FailureCode),
    /// The task was given up.
    Revoked,
    /// Another worker has it.
    Held,
    /// Another worker took it while this one was at work, and this one stopped.
    Lost,
    /// It was over.
    Over,
    /// It was asked for anew since: there is another message.
    Stale,
    /// It is not time to try again: there is another message.
    Early,
    /// There is no such task.
    Unknown,
}

impl Outcome {
    /// Of a task that was given up when it was to be taken.
    pub(super) fn of_end(task: &Task) -> Self {
        match &task.state {
            State::Failure(failure) => Self::Failed(failure.code),
            _ => Self::Revoked,
        }
    }

    /// A word for the log.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Copied { .. } => "copied",
            Self::Repaired { .. } => "repaired",
            Self::AlreadyThere { .. } => "already_there",
            Self::Paused { .. } => "paused",
            Self::Retrying { .. } => "retrying",
            Self::Failed(_) => "failed",
            Self::Revoked => "revoked",
            Self::Held => "held",
            Self::Lost => "lost",
            Self::Over => "over",
            Self::Stale => "stale",
            Self::Early => "early",
            Self::Unknown => "unknown",
        }
    }
}
