//! From an order or a lock to what is published.

use buildhub_core::Deadline;
use jiff::Timestamp;

use super::{BuildError, Builder, Order};
use crate::lock::Lock;
use crate::progress::Progress;
use crate::publish::{Build, Claim, Publisher};

/// What became of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What is published.
    pub build: Build,
    /// Whether it was built; else it was there.
    pub built: bool,
    /// Whether the list changed.
    pub changed: bool,
    /// Pointers that were written or removed.
    pub pointers: u64,
}

impl Builder {
    /// Publishes what a definition means now. `now` is the moment it is looked at.
    pub async fn publish(
        &self,
        order: &Order,
        publisher: &Publisher,
        now: Timestamp,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<Outcome, BuildError> {
        let mut work = self.workspace()?;
        work.deadline = deadline;
        let lock = self.resolve(order, &mut work, now, progress).await?;
        let claim = Claim { definition: &order.name, labels: &order.definition.labels, at: now };
        self.bring(&lock, work, publisher, Some(&claim), now, (deadline, progress)).await
    }

    /// Publishes what a lock means. Nobody's labels are touched.
    pub async fn publish_lock(
        &self,
        lock: &Lock,
        publisher: &Publisher,
        now: Timestamp,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<Outcome, BuildError> {
        let work = self.workspace()?;
        self.bring(lock, work, publisher, None, now, (deadline, progress)).await
    }

    async fn bring(
        &self,
        lock: &Lock,
        mut work: super::Workspace,
        publisher: &Publisher,
        claim: Option<&Claim<'_>>,
        now: Timestamp,
        (deadline, progress): (Deadline, &dyn Progress),
    ) -> Result<Outcome, BuildError> {
        let there = publisher.completed(&lock.key()?).await?;
        let is_new = there.is_none();
        let build = if let Some(build) = there {
            build
        } else {
            let made = self.build(lock, &mut work, deadline, progress).await?;
            publisher.artefacts(&made, now, progress).await?
        };
        let listed = publisher.list(&build, claim, now).await?;
        Ok(Outcome { build: listed.build, built: is_new, changed: listed.changed, pointers: listed.pointers })
    }
}
