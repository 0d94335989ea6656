//! From an order or a lock to what is published.

use buildhub_core::Deadline;
use jiff::Timestamp;

use super::cut::within;
use super::{BuildError, Builder, Order, Workspace};
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
        let labels = &order.definition.labels;
        let making = within(deadline, async {
            let mut work = self.workspace()?;
            work.deadline = deadline;
            let lock = self.resolve(order, &mut work, now, progress).await?;
            self.bring(&lock, work, publisher, now, progress).await
        });
        let (build, is_new) = Box::pin(making).await?;
        let claim = Claim { definition: &order.name, labels, at: now };
        Self::list(&build, is_new, publisher, Some(&claim), now).await
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
        let making = within(deadline, async {
            let mut work = self.workspace()?;
            work.deadline = deadline;
            self.bring(lock, work, publisher, now, progress).await
        });
        let (build, is_new) = Box::pin(making).await?;
        Self::list(&build, is_new, publisher, None, now).await
    }

    /// Makes everything that a lock means, down to its completion record; whether it had to be made.
    async fn bring(
        &self,
        lock: &Lock,
        mut work: Workspace,
        publisher: &Publisher,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<(Build, bool), BuildError> {
        if let Some(build) = publisher.completed(&lock.key()?).await? {
            return Ok((build, false));
        }
        let deadline = work.deadline;
        let made = self.build(lock, &mut work, deadline, progress).await?;
        Ok((publisher.artefacts(&made, now, progress).await?, true))
    }

    /// What is left takes moments. Broken off, the same again goes on from there.
    async fn list(
        build: &Build,
        is_new: bool,
        publisher: &Publisher,
        claim: Option<&Claim<'_>>,
        now: Timestamp,
    ) -> Result<Outcome, BuildError> {
        let listed = publisher.list(build, claim, now).await?;
        Ok(Outcome { build: listed.build, built: is_new, changed: listed.changed, pointers: listed.pointers })
    }
}
