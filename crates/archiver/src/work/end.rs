//! Results: what a worker leaves in the task, and what it sends.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::{Job, Looks, Outcome, WorkError};
use crate::task::{FailureCode, Place, State, Task};

/// The longest wait before another attempt: what a queue keeps a message back for.
const WAIT_MAX: Duration = buildhub_core::queue::DELAY_LIMIT;

/// What is known of an archive: its size, and its hash unless the older system wrote it.
pub(super) type Known = (u64, Option<String>);

impl Job<'_> {
    /// Writes a result and gives the lease back.
    pub(super) async fn end(
        &mut self,
        next: impl Fn(&Task, Timestamp) -> Task,
        outcome: Outcome,
    ) -> Result<Outcome, WorkError> {
        let clock = self.clock;
        Ok(if self.hold.write(|task| next(task, clock.now())).await? { outcome } else { Outcome::Lost })
    }

    pub(super) async fn succeed(
        &mut self,
        (size, sha256): Known,
        places: BTreeMap<String, Place>,
        outcome: Outcome,
    ) -> Result<Outcome, WorkError> {
        self.end(|task, now| task.succeeded(size, sha256.clone(), places.clone(), now), outcome).await
    }

    pub(super) async fn fail(&mut self, code: FailureCode, description: String) -> Result<Outcome, WorkError> {
        tracing::warn!(task = self.task().id, code = code.as_str(), description, "there will be no archive");
        let memory = self.worker.memory;
        self.end(|task, now| task.failed(code, &*description, memory, now), Outcome::Failed(code)).await
    }

    /// Tries again later, from the beginning, if it may; `asked` is how long the source wants to be left alone.
    pub(super) async fn retry(
        &mut self,
        code: FailureCode,
        reason: String,
        asked: Option<Duration>,
    ) -> Result<Outcome, WorkError> {
        let (wait, memory) = (self.wait(asked), self.worker.memory);
        let next = |task: &Task, now| task.retried(code, &reason, wait, memory, now);
        self.again(next, code, &reason, wait).await
    }

    /// Tries again later, from where another left off, if it may.
    pub(super) async fn postpone(
        &mut self,
        code: FailureCode,
        reason: String,
        asked: Option<Duration>,
    ) -> Result<Outcome, WorkError> {
        let (wait, memory) = (self.wait(asked), self.worker.memory);
        let next = |task: &Task, now| task.postponed(code, &reason, wait, memory, now);
        self.again(next, code, &reason, wait).await
    }

    pub(super) fn wait(&self, asked: Option<Duration>) -> Duration {
        wait(self.task().attempts).max(asked.unwrap_or_default()).min(WAIT_MAX)
    }

    /// Writes that it is tried again, and sends the message for that; or that it failed, with the last attempt.
    pub(super) async fn again(
        &mut self,
        next: impl Fn(&Task, Timestamp) -> Task,
        code: FailureCode,
        reason: &str,
        wait: Duration,
    ) -> Result<Outcome, WorkError> {
        let (attempt, code_name) = (self.task().attempts, code.as_str());
        tracing::warn!(task = self.task().id, code = code_name, reason, attempt, ?wait, "an archive cannot be had now");
        let ended = self.end(next, Outcome::Retrying { reason: reason.to_owned() }).await?;
        match (&ended, &self.task().state) {
            (Outcome::Retrying { .. }, State::Failure(_)) => Ok(Outcome::Failed(code)),
            (Outcome::Retrying { .. }, _) => {
                self.send(wait).await;
                Ok(ended)
            }
            _ => Ok(ended),
        }
    }

    /// No region said whether it has the archive. A repair stays what it is, and comes again by itself.
    pub(super) async fn no_region(&mut self, looks: &Looks) -> Result<Outcome, WorkError> {
        if let State::Success { size, sha256 } = self.task().state.clone() {
            let places = looks.places();
            let missing = places.len();
            return self.succeed((size, sha256), places, Outcome::AlreadyThere { missing }).await;
        }
        self.untaken("no region answers", &looks.silent).await
    }

    /// No region has the archive, and none took it. What each said, names of machines and roles in it, is for the log: what
    /// a task says, everybody may read.
    pub(super) async fn untaken(&mut self, what: &str, reasons: &[(String, String)]) -> Result<Outcome, WorkError> {
        for (region, reason) in reasons {
            tracing::error!(task = self.task().id, region, reason, "a region does not take an archive");
        }
        let names: Vec<_> = reasons.iter().map(|(region, _)| region.as_str()).collect();
        let reason = format!("{what} ({}); the archiver's log says why", names.join(", "));
        self.retry(FailureCode::RegionsUnavailable, reason, None).await
    }

    /// Sends the task's message. Where that fails, the sweeper sends it.
    pub(super) async fn send(&self, delay: Duration) {
        let message = buildhub_core::queue::Outgoing { delay, ..self.task().message().outgoing() };
        if let Err(error) = self.worker.queue.send(vec![message]).await {
            tracing::warn!(task = self.task().id, %error, "a message cannot be sent; the sweeper will send it");
        }
    }
}

/// How long to wait after so many attempts: 4 to 7 seconds, then 16 to 49, then 64 to 343, as the older archiver did.
fn wait(attempts: u32) -> Duration {
    let seconds = fastrand::u64(4..=7).saturating_pow(attempts.clamp(1, 4));
    Duration::from_secs(seconds)
}

/// How many regions lack an archive.
pub(super) fn missing(places: &BTreeMap<String, Place>) -> usize {
    places.values().filter(|place| **place != Place::Done).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kept, row 19: the waits of the original, and then there is no other attempt.
    #[test]
    fn each_attempt_waits_longer_as_in_the_original() {
        for (attempts, seconds) in [(1, 4..=7), (2, 16..=49), (3, 64..=343)] {
            for _ in 0..200 {
                let wait = wait(attempts).as_secs();
                assert!(seconds.contains(&wait), "{wait} after {attempts}");
            }
        }
        assert_eq!(crate::task::MAX_ATTEMPTS, 4);
    }
}
