//! What those who ask are told of a task: the texts that the older archiver's clients know.

use super::{Failure, FailureCode, State, Task};

/// The text where there is nothing to say yet.
const NOTHING_YET: &str = "no status available at this point.";

/// What is told of a task, beside the addresses of its archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// `PENDING`, `STARTED`, `RETRY`, `SUCCESS`, `FAILURE` or `REVOKED`.
    pub state: &'static str,
    /// A sentence for people.
    pub status: String,
    /// The archive's address at its source, where the older archiver told it: when it is there, and when the source
    /// did not give it. Else empty.
    pub src_url: String,
    /// Bytes read so far, while it is read.
    pub bytes: Option<u64>,
    /// Why there is none.
    pub error: Option<Failure>,
}

impl Status {
    /// Of a task that is not known.
    pub fn unknown() -> Self {
        Self::new("PENDING", NOTHING_YET)
    }

    fn new(state: &'static str, status: impl Into<String>) -> Self {
        Self { state, status: status.into(), src_url: String::new(), bytes: None, error: None }
    }
}

impl Task {
    /// What is told of it. Every state has an answer.
    pub fn status(&self) -> Status {
        let url = &self.subject.url;
        match &self.state {
            // Nobody took it, and it was sent again.
            State::Pending if self.sends > 0 => {
                Status::new("RETRY", "Task has expired from pending for too long. Re-creating task.")
            }
            State::Pending => Status::unknown(),
            State::Started => {
                // Between two workers it is what the first ones have copied.
                let copied = self.pause.as_ref().map_or(0, |pause| pause.copied.bytes);
                let bytes = self.lease.as_ref().map_or(0, |lease| lease.bytes).max(copied);
                let status = format!("Downloading archive from {url}: {bytes} bytes so far");
                Status { bytes: Some(bytes), ..Status::new("STARTED", status) }
            }
            State::Retry { not_before, reason } => {
                Status::new("RETRY", format!("{reason}. It is tried again at {not_before:.0}."))
            }
            State::Success { .. } => {
                let status = Status::new("SUCCESS", "Task completed! Check 's3_urls' for upload locations.");
                Status { src_url: url.clone(), ..status }
            }
            State::Failure(failure) => of_failure(failure, url),
            State::Revoked => Status::new("REVOKED", "No worker did the task in time. Ask for the archive again."),
        }
    }
}

fn of_failure(failure: &Failure, url: &str) -> Status {
    let is_of_the_answer =
        matches!(failure.code, FailureCode::SourceNotFound | FailureCode::SourceError | FailureCode::SourceUnavailable);
    let status = if is_of_the_answer {
        let text = format!("Could not get a valid response from src_url. Does {url} exist?");
        Status { src_url: url.to_owned(), ..Status::new("FAILURE", text) }
    } else {
        Status::new("FAILURE", failure.description.clone())
    };
    Status { error: Some(failure.clone()), ..status }
}
