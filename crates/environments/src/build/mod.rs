//! The whole way: a definition is locked, a lock is built, what was built is published.
//!
//! ```text
//! definition ── resolve ──► lock ── is builds/<lock> there? ── yes ──► labels only
//!                                       │ no
//!                                   needs: does it fit into memory, disk and time? else refused, before the work
//!                                       │
//!                            tree ──► archive (and image) ──► papers ──► publication
//! ```
//!
//! Everything lies in a [`Workspace`], a folder that goes with its value. What computes runs on blocking threads, tells how far
//! it is, and asks each time whether its time is over; what waits is dropped then. Both end before the list is written:
//! what was broken off stands in no list, and what is there of it is whole.

mod archive;
mod chroot;
mod cut;
mod error;
mod hashes;
mod needs;
mod order;
mod packages;
mod publish;
mod resolve;
mod sources;
mod workspace;

use std::num::NonZeroU32;

use buildhub_core::Deadline;

pub use error::BuildError;
pub use needs::Needs;
pub use order::{Order, OrderError};
pub use publish::Outcome;
pub use workspace::Workspace;

use crate::definition::SourceKind;
use crate::lock::Lock;
use crate::places::Places;
use crate::progress::Progress;
use crate::publish::Artefacts;
use crate::settings::Means;

/// Makes environments.
#[derive(Debug)]
pub struct Builder {
    places: Places,
    means: Means,
}

impl Builder {
    /// With what there is.
    pub fn new(places: Places, means: Means) -> Self {
        Self { places, means }
    }

    /// What addresses lead to.
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// A folder to work in.
    pub fn workspace(&self) -> Result<Workspace, BuildError> {
        Workspace::new(&self.means.scratch)
    }

    /// Makes everything of a lock that is published, in `work`.
    pub async fn build(
        &self,
        lock: &Lock,
        work: &mut Workspace,
        deadline: Deadline,
        progress: &dyn Progress,
    ) -> Result<Artefacts, BuildError> {
        crate::archive::has(&lock.identity.encoder)?;
        work.deadline = deadline;
        let needs = self.needs(lock, work).await?;
        let threads: NonZeroU32 = needs.check(&self.means, deadline)?;
        tracing::info!(lock = lock.key()?, ?needs, threads, "building");
        let tree = match lock.identity.source {
            SourceKind::ChrootTar => self.root(lock, work, threads, deadline, progress).await?,
            SourceKind::RpmRepo => self.packages(lock, work, threads, deadline, progress).await?,
        };
        let mut made = archive::write(lock, tree, work, threads, deadline, progress).await?;
        made.source_files = self.fetch_sources(lock, work, progress).await?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests;
