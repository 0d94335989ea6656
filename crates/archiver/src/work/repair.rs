//! Regions that lack an archive which another has.

use buildhub_core::store::Details;

use super::end::{Known, missing};
use super::{Job, Looks, Outcome, WorkError};
use crate::copy::{self, Control, CopyError, Ended, Plan, SHA256};
use crate::fetch;
use crate::regions::Region;
use crate::task::{Place, State};
use crate::verify::Expected;

/// What a bucket tells of an archive.
pub(super) fn known(details: &Details) -> Known {
    (details.attributes.size, details.headers.metadata.get(SHA256).cloned())
}

impl Job<'_> {
    /// Copies the archive from a region that has it to those that do not: from the first that gives it whole. The source is
    /// not asked.
    pub(super) async fn repair(&mut self, looks: Looks, known: Known) -> Result<Outcome, WorkError> {
        let mut places = looks.places();
        let (size, sha256) = known.clone();
        let Some((_, details)) = looks.there.first() else { return self.no_region(&looks).await };
        let suffix = match self.task().subject.suffix.parse() {
            Ok(suffix) => suffix,
            Err(error) => return self.unusable(format!("{error}")).await,
        };
        let plan = Plan {
            key: self.task().subject.key.clone(),
            staging: self.staging(),
            suffix,
            expected: Expected { size: Some(size), sha256 },
            headers: details.headers.clone(),
            regions: looks.missing.clone(),
        };
        let control = self.control(false);
        let copying = Box::pin(from_any(&looks.there, &plan, &control));
        let Some(copied) = self.beating(copying, &control).await else { return Ok(Outcome::Lost) };
        match copied {
            Ok(Ended::Copied(copied)) => places.extend(super::bring::places(&copied)),
            // It was not to be paused.
            Ok(Ended::Paused(_) | Ended::BrokenOff(..)) => {}
            Err(CopyError::Stopped) => return Ok(Outcome::Lost),
            Err(error) => {
                tracing::error!(task = self.task().id, %error, "a region cannot be given an archive that another has");
                let reason = error.to_string();
                places.extend(looks.missing.iter().map(|region| (region.name.clone(), Place::Missing(reason.clone()))));
            }
        }
        let missing = missing(&places);
        // The hash of one that the older system wrote is not added: nobody checked it against its source.
        self.succeed(known, places, Outcome::Repaired { bytes: control.bytes(), missing }).await
    }

    /// A task that no worker can do anything with.
    pub(super) async fn unusable(&mut self, reason: String) -> Result<Outcome, WorkError> {
        if matches!(self.task().state, State::Success { .. }) {
            return self.end(crate::task::Task::revoked, Outcome::Revoked).await;
        }
        self.fail(crate::task::FailureCode::SourceError, reason).await
    }
}

/// Copies from the first of these that can be read and is what it should be.
async fn from_any(there: &[(Region, Details)], plan: &Plan, control: &Control) -> Result<Ended, CopyError> {
    let mut last = None;
    for (from, _) in there {
        let copied = match fetch::object(&from.store, &plan.key).await {
            Ok(opened) => copy::copy(opened.body, plan, control).await,
            Err(error) => Err(error.into()),
        };
        match copied {
            Err(error @ (CopyError::Source(_) | CopyError::Damaged(_))) => {
                tracing::error!(region = from.name, key = plan.key, %error, "a region's archive cannot be copied to others");
                last = Some(error);
            }
            end => return end,
        }
    }
    Err(last.unwrap_or(CopyError::Regions { reasons: Vec::new() }))
}
