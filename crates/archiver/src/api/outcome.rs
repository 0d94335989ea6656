//! What an answer was, for the numbers.

use buildhub_core::metrics::{self, Metrics};
use buildhub_core::web::Response;

/// An answer, and what it was.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The answer.
    pub response: Response,
    /// What it was.
    pub outcome: Outcome,
}

/// What an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// Nothing was asked for: a question about methods, or a method that is none of ours.
    #[default]
    Nothing,
    /// An archive that is there.
    Redirected,
    /// An archive that is being made from now on.
    Begun {
        /// Whether the worker was told; else the sweep tells it.
        is_sent: bool,
    },
    /// An archive that is being made already, or of which a failure is remembered.
    Waiting,
    /// An archive that the source was seen not to have.
    Remembered,
    /// How far a task is.
    Status,
    /// Something that cannot be asked for.
    Refused,
    /// Something that could not be answered now.
    Unavailable,
}

impl Answered {
    pub(super) fn of(outcome: Outcome, response: Response) -> Self {
        Self { response, outcome }
    }
}

impl Outcome {
    /// One answer's numbers: every metric, so that none of them is no news.
    pub fn count(self, numbers: &mut Metrics) {
        for (metric, is_it) in [
            (&metrics::ARCHIVES_REDIRECTED, self == Self::Redirected),
            (&metrics::ARCHIVES_BEGUN, matches!(self, Self::Begun { .. })),
            (&metrics::ARCHIVES_UNSENT, self == Self::Begun { is_sent: false }),
            (&metrics::ARCHIVES_WAITED_FOR, matches!(self, Self::Waiting | Self::Status)),
            (&metrics::ARCHIVES_REMEMBERED, self == Self::Remembered),
            (&metrics::ARCHIVES_REFUSED, self == Self::Refused),
            (&metrics::ARCHIVES_UNAVAILABLE, self == Self::Unavailable),
        ] {
            numbers.count(metric, u64::from(is_it));
        }
    }
}
