//! One message of the queue: lease, copy, result.
//!
//! A worker takes the lease of the task that its message names, and renews it while it works; each time it says how far it
//! is. What it finds missing in a region it brings there: from another region that has it, else from the source. Messages
//! that come twice, late or for nothing find a task that says so.
//!
//! It may die anywhere. Its lease is over then after a minute, the sweeper sends the message again, and whoever takes it
//! first clears away what the dead one left. An archive's key is written on condition that there is none, so that the end
//! is one whole archive in each region, whoever wrote it. A worker that finds its lease taken stops.

mod bring;
mod end;
mod hold;
pub(crate) mod leftovers;
mod outcome;
mod repair;

use std::collections::BTreeMap;
use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_core::queue::SharedQueue;
use buildhub_http::HttpError;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::copy::INCOMING;
use crate::fetch::{Fetcher, Hosts, Limits};
use crate::regions::{Look, Region, Regions};
use crate::settings::ArchiverSettings;
use crate::task::{LEASE, Message, Place, Taken, Task, TaskError, Tasks};
use hold::Hold;

pub use outcome::Outcome;

/// How often a task is looked at again that somebody else has just written.
const ROUNDS: u32 = 8;

/// Does the work of messages.
#[derive(Debug)]
pub struct Worker {
    tasks: Tasks,
    regions: Regions,
    queue: SharedQueue,
    sources: BTreeMap<String, Fetcher>,
    memory: Duration,
    beat: Duration,
}

/// Why a message is to come again.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The task cannot be had or kept.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Others wrote the task each time it was to be taken.
    #[error("others wrote the task {0} each time; the message comes again")]
    Contended(String),
}

impl WorkError {
    /// Whether the same message would end the same, until a person does something.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Task(TaskError::Unreadable { .. }))
    }
}

/// The time, as the worker sees it: what it was when the message came, and what has passed since.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    now: Timestamp,
    since: Instant,
}

impl Clock {
    fn at(now: Timestamp) -> Self {
        Self { now, since: Instant::now() }
    }

    fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.since.elapsed()).unwrap_or(SignedDuration::MAX);
        self.now.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// A message's work, under way.
struct Job<'a> {
    worker: &'a Worker,
    hold: Hold,
    clock: Clock,
    deadline: Deadline,
    /// How long there was for all of it, at its beginning.
    had: Option<Duration>,
}

impl Worker {
    /// A worker by the settings. Nothing is asked of anybody yet.
    pub fn new(
        settings: &ArchiverSettings,
        tasks: Tasks,
        regions: Regions,
        queue: SharedQueue,
    ) -> Result<Self, HttpError> {
        // How long it may take is the deadline's to say, where there is one.
        let limits = Limits { size: settings.max_size, time: Duration::MAX };
        let sources = settings.sources.iter().map(|source| {
            let fetcher = Fetcher::new(&settings.http, Hosts::of(source), limits.clone())?;
            Ok((source.name.to_owned(), fetcher))
        });
        let sources = sources.collect::<Result<_, HttpError>>()?;
        Ok(Self { tasks, regions, queue, sources, memory: settings.failure_memory, beat: LEASE / 6 })
    }

    /// The same worker, saying more often, or less, that it lives.
    #[must_use]
    pub fn with_beat(self, beat: Duration) -> Self {
        Self { beat, ..self }
    }

    /// Does what a message asks for; what became of it. An error means that the message is to come again.
    pub async fn handle(&self, message: &Message, now: Timestamp, deadline: Deadline) -> Result<Outcome, WorkError> {
        let owner = format!("{:016x}", fastrand::u64(..));
        let (clock, had) = (Clock::at(now), deadline.remaining());
        for _ in 0..ROUNDS {
            let Some(stored) = self.tasks.load(&message.task).await? else { return Ok(Outcome::Unknown) };
            let taken = match stored.task.take(message.generation, &owner, clock.now()) {
                Taken::Work(taken) => taken,
                Taken::GiveUp(end) => match self.tasks.replace(&stored, *end).await? {
                    Some(end) => return Ok(Outcome::of_end(&end.task)),
                    None => continue,
                },
                Taken::Held => return Ok(Outcome::Held),
                Taken::Over => return Ok(Outcome::Over),
                Taken::Stale => return Ok(Outcome::Stale),
                Taken::Early => return Ok(Outcome::Early),
            };
            let is_first = stored.task.lease.is_none() && stored.task.attempts == 0 && stored.task.generation == 1;
            if let Some(stored) = self.tasks.replace(&stored, *taken).await? {
                let hold = Hold::new(self.tasks.clone(), stored, owner);
                let mut job = Job { worker: self, hold, clock, deadline, had };
                if !is_first {
                    job.clear().await;
                }
                return Box::pin(job.run()).await;
            }
        }
        Err(WorkError::Contended(message.task.clone()))
    }
}

/// What the regions said of an archive.
struct Looks {
    there: Vec<(Region, buildhub_core::store::Details)>,
    missing: Vec<Region>,
    silent: Vec<(String, String)>,
}

impl Looks {
    async fn at(regions: &Regions, key: &str) -> Self {
        let mut looks = Self { there: Vec::new(), missing: Vec::new(), silent: Vec::new() };
        for (region, look) in regions.look_everywhere(key).await {
            match look {
                Look::There(details) => looks.there.push((region.clone(), details)),
                Look::Missing => looks.missing.push(region.clone()),
                Look::Silent(reason) => looks.silent.push((region.name.clone(), reason)),
            }
        }
        looks
    }

    /// What is known of the regions, before any work.
    fn places(&self) -> BTreeMap<String, Place> {
        let there = self.there.iter().map(|(region, _)| (region.name.clone(), Place::Done));
        let missing = self.missing.iter().map(|region| (region.name.clone(), Place::Missing("it has none".to_owned())));
        let silent = self.silent.iter().map(|(name, reason)| (name.clone(), Place::Missing(reason.clone())));
        there.chain(missing).chain(silent).collect()
    }
}

impl Job<'_> {
    fn task(&self) -> &Task {
        self.hold.task()
    }

    /// Looks at what there is, and does the rest.
    async fn run(&mut self) -> Result<Outcome, WorkError> {
        let looks = Looks::at(&self.worker.regions, &self.task().subject.key).await;
        if let Some((_, details)) = looks.there.first() {
            let whole = repair::known(details);
            if !looks.missing.is_empty() {
                return self.repair(looks, whole).await;
            }
            let missing = looks.silent.len();
            return self.succeed(whole, looks.places(), Outcome::AlreadyThere { missing }).await;
        }
        if looks.missing.is_empty() {
            return self.no_region(&looks).await;
        }
        // A region that says nothing now may be the one that has it: what is known stays.
        if self.task().is_over() && !looks.silent.is_empty() {
            return self.no_region(&looks).await;
        }
        // Its archive was removed since it was there: nobody waits for it.
        if self.task().is_over() {
            return self.end(Task::revoked, Outcome::Revoked).await;
        }
        self.bring(looks).await
    }

    /// The hidden key that this worker puts an archive together by.
    fn staging(&self) -> String {
        format!("{INCOMING}{}/{}-{}", self.task().id, self.task().generation, self.hold.owner())
    }

    /// Clears away what workers before this one left, in so far as the regions can be reached: the rest is the sweeper's.
    async fn clear(&self) {
        if self.task().pause.is_none() {
            leftovers::clear(&self.worker.regions, self.task(), Timestamp::MAX).await;
        }
    }
}
