//! What becomes of a task: functions of the task and the time, without any I/O.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Failure, FailureCode, Lease, Pause, Place, State, Subject, Task};
use crate::copy::Checkpoint;

/// How long a worker's word counts. It is renewed six times as often, so that one slow write loses nothing.
pub const LEASE: Duration = Duration::from_mins(1);
/// How often a worker may begin with a task: once, and three times again.
pub const MAX_ATTEMPTS: u32 = 4;

/// How many workers may go on with one archive, each where the one before left off. At a quarter of an hour each that is
/// more than a day; beyond, something is wrong.
const MAX_HOPS: u32 = 100;

/// How long a message may go unheard before it is sent again; it doubles each time, so that a queue that is merely long
/// does not grow by this.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often a message is sent again before the task is given up: after four hours.
const MAX_SENDS: u32 = 6;
/// How much later than its lease a worker is taken for dead, for the clocks of two machines.
const GRACE: Duration = Duration::from_secs(5);
/// How long a region that lacks an archive is left alone at first, and at most.
const REPAIR: (Duration, Duration) = (Duration::from_mins(5), Duration::from_hours(1));
/// How long a task is kept that is over, for those who still ask. The object is the truth, so nothing is lost then.
const KEPT: Duration = Duration::from_hours(24);
/// The same, where a region lacks the archive and may come back.
const KEPT_INCOMPLETE: Duration = Duration::from_hours(7 * 24);

/// What becomes of a task that is asked for, where no region has the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// It is to be written so; who succeeds sends the message.
    Begin(Box<Task>),
    /// It is under way.
    Live,
    /// It failed a moment ago, and nothing is begun for now.
    Remembered(Failure),
}

/// What becomes of a task when a worker has its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is to be written so; who succeeds does the work.
    Work(Box<Task>),
    /// It is to be written so: too many have tried.
    GiveUp(Box<Task>),
    /// Another worker has it.
    Held,
    /// It is over.
    Over,
    /// It was asked for anew since: there is another message.
    Stale,
    /// It is not time to try again yet: there is, or will be, another message.
    Early,
}

/// What is to be done about a task that is looked at from time to time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Nothing, before then.
    Later(Timestamp),
    /// It is to be written so; who succeeds sends the message again.
    Send(Box<Task>),
    /// It is to be written so: it was sent often enough.
    GiveUp(Box<Task>),
    /// It is to be removed.
    Remove,
}

impl Task {
    /// A new task, to be created on condition that there is none.
    pub fn new(id: &str, subject: Subject, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            subject,
            generation: 1,
            asked: now,
            changed: now,
            sent: now,
            sends: 0,
            attempts: 0,
            state: State::Pending,
            lease: None,
            regions: BTreeMap::new(),
            pause: None,
        }
    }

    /// What to do when it is asked for, and no region that answers has the archive.
    pub fn ask(&self, subject: Subject, now: Timestamp) -> Asked {
        match &self.state {
            State::Pending | State::Started | State::Retry { .. } => Asked::Live,
            State::Failure(failure) if now < failure.until => Asked::Remembered(failure.clone()),
            State::Success { .. } | State::Failure(_) | State::Revoked => {
                let generation = self.generation.saturating_add(1);
                Asked::Begin(Box::new(Self { generation, ..Self::new(&self.id, subject, now) }))
            }
        }
    }

    /// What to do when `owner` has the message of a generation.
    pub fn take(&self, generation: u64, owner: &str, now: Timestamp) -> Taken {
        if generation != self.generation {
            return Taken::Stale;
        }
        if self.is_over() && !self.needs_repair() {
            return Taken::Over;
        }
        if self.is_held(now) {
            return Taken::Held;
        }
        if matches!(self.state, State::Retry { not_before, .. } if now < earlier(not_before, GRACE)) {
            return Taken::Early;
        }
        let lease = Some(Lease { owner: owner.to_owned(), until: later(now, LEASE), bytes: 0 });
        if self.is_over() {
            return Taken::Work(Box::new(Self { lease, changed: now, ..self.clone() }));
        }
        let (attempts, pause) = match &self.pause {
            Some(pause) if pause.hops < MAX_HOPS => {
                // Going on is no new attempt, trying again is one.
                let attempts = self.attempts + u32::from(matches!(self.state, State::Retry { .. }));
                (attempts, Some(Pause { hops: pause.hops + 1, ..pause.clone() }))
            }
            None if self.attempts < MAX_ATTEMPTS => (self.attempts + 1, None),
            _ => return Taken::GiveUp(Box::new(self.given_up(now))),
        };
        let state = State::Started;
        Taken::Work(Box::new(Self { lease, attempts, pause, state, sends: 0, changed: now, ..self.clone() }))
    }

    fn given_up(&self, now: Timestamp) -> Self {
        let workers = self.attempts + self.pause.as_ref().map_or(0, |pause| pause.hops);
        let description = format!("{workers} workers began, and none came to an end");
        self.failed(FailureCode::WorkersLost, description, Duration::ZERO, now)
    }

    /// The worker goes on, and has read so many bytes.
    #[must_use]
    pub fn renewed(&self, bytes: u64, now: Timestamp) -> Self {
        let lease = self.lease.clone().map(|lease| Lease { until: later(now, LEASE), bytes, ..lease });
        Self { lease, changed: now, ..self.clone() }
    }

    /// The archive is there, in some of these regions at least.
    #[must_use]
    pub fn succeeded(
        &self,
        size: u64,
        sha256: Option<String>,
        regions: BTreeMap<String, Place>,
        now: Timestamp,
    ) -> Self {
        // A repair that did not help is tried again later each time; the first time begins here.
        let state = State::Success { size, sha256 };
        Self { state, regions, sent: now, lease: None, pause: None, changed: now, ..self.clone() }
    }

    /// The worker's time is over, and another is to go on where it left off.
    #[must_use]
    pub fn paused(&self, copied: Checkpoint, validator: String, staging: String, now: Timestamp) -> Self {
        let hops = self.pause.as_ref().map_or(0, |pause| pause.hops);
        let pause = Some(Pause { copied, validator, staging, hops });
        Self { pause, lease: None, sent: now, changed: now, ..self.clone() }
    }

    /// There will be no archive, and that is remembered for some time.
    #[must_use]
    pub fn failed(&self, code: FailureCode, description: impl Into<String>, memory: Duration, now: Timestamp) -> Self {
        let failure = Failure { code, description: description.into(), until: later(now, memory) };
        Self { state: State::Failure(failure), lease: None, pause: None, changed: now, ..self.clone() }
    }

    /// It did not work this time, and is tried again after `wait`, if it may be.
    #[must_use]
    pub fn retried(&self, code: FailureCode, reason: &str, wait: Duration, memory: Duration, now: Timestamp) -> Self {
        if self.attempts >= MAX_ATTEMPTS {
            return self.failed(code, format!("{reason} ({} times)", self.attempts), memory, now);
        }
        let state = State::Retry { not_before: later(now, wait), reason: reason.to_owned() };
        Self { state, lease: None, pause: None, sent: now, changed: now, ..self.clone() }
    }

    /// The same, where what the regions have is as good as before: the next one goes on from there.
    #[must_use]
    pub fn postponed(&self, code: FailureCode, reason: &str, wait: Duration, memory: Duration, now: Timestamp) -> Self {
        let retried = self.retried(code, reason, wait, memory, now);
        let pause = self.pause.clone().filter(|_| !retried.is_over());
        Self { pause, ..retried }
    }

    /// There is nothing to work with, and nobody waits: who wants it asks again.
    #[must_use]
    pub fn revoked(&self, now: Timestamp) -> Self {
        let regions = BTreeMap::new();
        Self { state: State::Revoked, lease: None, regions, pause: None, changed: now, ..self.clone() }
    }

    /// What to do when it is looked at.
    pub fn look_after(&self, now: Timestamp) -> Due {
        let due = self.due();
        if now < due {
            return Due::Later(due);
        }
        if self.is_over() && !(self.needs_repair() && now < later(self.asked, KEPT_INCOMPLETE)) {
            return Due::Remove;
        }
        if !self.is_over() && self.sends >= MAX_SENDS {
            return Due::GiveUp(Box::new(self.revoked(now)));
        }
        Due::Send(Box::new(Self { sends: self.sends.saturating_add(1), sent: now, changed: now, ..self.clone() }))
    }

    /// When it is to be looked at next.
    fn due(&self) -> Timestamp {
        let patience = PATIENCE.saturating_mul(1 << self.sends.min(MAX_SENDS));
        if let Some(lease) = &self.lease {
            // A message that was sent since its worker died is given its time.
            let dead = later(lease.until, GRACE);
            return if self.sends == 0 { dead } else { dead.max(later(self.sent, patience)) };
        }
        match &self.state {
            State::Pending | State::Started => later(self.sent, patience),
            State::Retry { not_before, .. } => later((*not_before).max(self.sent), patience),
            State::Success { .. } if self.is_incomplete() => {
                let (first, longest) = REPAIR;
                later(self.sent, first.saturating_mul(1 << self.sends.min(8)).min(longest))
            }
            State::Success { .. } | State::Revoked => later(self.changed, KEPT),
            State::Failure(failure) => failure.until.max(later(self.changed, KEPT)),
        }
    }

    fn needs_repair(&self) -> bool {
        matches!(self.state, State::Success { .. }) && self.is_incomplete()
    }

    fn is_held(&self, now: Timestamp) -> bool {
        self.lease.as_ref().is_some_and(|lease| now < later(lease.until, GRACE))
    }
}

/// A moment later, or the last one there is.
fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests;
