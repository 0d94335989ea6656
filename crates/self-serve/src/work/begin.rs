//! What starts builds.

use std::collections::BTreeSet;
use std::time::Duration;

use buildhub_core::Deadline;
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Agent, Said, WorkError, properties};
use crate::action::{PIECES_MAX, Revision};
use crate::backend::{Change, Request, Start, Started};
use crate::config::Branch;
use crate::jobs::Job;
use crate::reason;

const OK: &str = "Ok";
/// How long a job looks for what follows from its change.
const SHOWN: Duration = Duration::from_secs(10);
/// How many of a job's requests are brought into the projection at the same time.
const PARALLEL: usize = 4;

/// What is asked of one builder.
pub(super) struct Asked<'a> {
    pub(super) builder: &'a str,
    pub(super) properties: &'a Map<String, Value>,
    pub(super) files: &'a [String],
}

/// Whether a builder makes nightlies (those of locales follow from them).
pub(super) fn is_nightly(builder: &str) -> bool {
    builder.ends_with(" nightly") && !builder.contains("l10n")
}

/// Whether a builder makes profile-guided builds.
pub(super) fn is_pgo(builder: &str) -> bool {
    builder.ends_with(" pgo-build")
}

impl Agent {
    pub(super) async fn rebuild_build(
        &self,
        job: &Job,
        bid: u64,
        priority: i64,
        count: u32,
    ) -> Result<Said, WorkError> {
        let Some(build) = self.backend.build(bid).await? else { return Ok(Said::wrong("No build with that id")) };
        self.rebuild_request(job, build.request, priority, count).await
    }

    pub(super) async fn rebuild_request(
        &self,
        job: &Job,
        brid: u64,
        priority: i64,
        count: u32,
    ) -> Result<Said, WorkError> {
        let Some(request) = self.backend.request(brid).await? else {
            return Ok(Said::wrong("No request with that id"));
        };
        let Request { builder, branch, revision, repository, properties, .. } = request;
        let start = Start {
            piece: job.piece(1),
            builders: vec![builder],
            again: Some(brid),
            branch,
            revision,
            repository,
            reason: reason::rebuilt(&job.who),
            priority,
            requester: job.who.clone(),
            properties: properties::copied(&properties),
        };
        self.start(job, start, count).await
    }

    /// Tells of a change, from which the branch's schedulers make what they make of a push.
    pub(super) async fn new_build(&self, job: &Job, branch: &str, revision: &Revision) -> Result<Said, WorkError> {
        let site = self.documents.now().await?;
        let branch = site.branches.get(branch).ok_or_else(|| WorkError::Branch(branch.to_owned()))?;
        let revision = revision.to_string();
        let change = Change {
            piece: job.piece(1),
            branch: branch.path().to_owned(),
            link: branch.link(&revision),
            revision,
            repository: branch.repository.unwrap_or_default().to_owned(),
            comments: reason::SUBMITTED.to_owned(),
            requester: job.who.clone(),
            // Schedulers that look at files pass over a change without any.
            files: vec!["dummy".to_owned()],
            properties: Map::new(),
        };
        if !job.steps.contains_key("1") {
            let number = self.insist(|| self.backend.change(&change)).await?;
            self.jobs.step(job.number, "1", json!({ "change": number })).await?;
        }
        self.show_new(job).await;
        Ok(Said::well(OK))
    }

    /// Starts all of a branch's builders that are of a kind, as one set.
    pub(super) async fn new_builds(
        &self,
        job: &Job,
        branch: &str,
        revision: &Revision,
        priority: i64,
        is_wanted: fn(&str) -> bool,
    ) -> Result<Said, WorkError> {
        let site = self.documents.now().await?;
        let branch = site.branches.get(branch).ok_or_else(|| WorkError::Branch(branch.to_owned()))?;
        let mut builders = site.builders_of(&branch, &*self.backend).await?;
        builders.retain(|name| is_wanted(name));
        if builders.is_empty() {
            return Ok(Said::well("No builds to create"));
        }
        if builders.len() > PIECES_MAX as usize {
            return Err(WorkError::TooMany { count: builders.len(), max: PIECES_MAX });
        }
        let start =
            Start { builders, properties: properties::fresh(job), ..requested(job, &branch, revision, priority) };
        self.start(job, start, 1).await
    }

    pub(super) async fn new_build_for(
        &self,
        job: &Job,
        branch: &str,
        revision: &Revision,
        priority: i64,
        asked: &Asked<'_>,
    ) -> Result<Said, WorkError> {
        let site = self.documents.now().await?;
        let branch = site.branches.get(branch).ok_or_else(|| WorkError::Branch(branch.to_owned()))?;
        let start = Start {
            builders: vec![asked.builder.to_owned()],
            properties: properties::asked(job, asked.properties, asked.files)?,
            ..requested(job, &branch, revision, priority)
        };
        self.start(job, start, 1).await
    }

    /// Brings what schedulers made of a change into the projection, so that whoever is told that the job is done does not find
    /// the revision done too. Where that cannot be done at once, reconciliation will.
    async fn show_new(&self, job: &Job) {
        let looking = tokio::time::timeout(SHOWN, self.refresher.find_new(Deadline::after(SHOWN)));
        let error = match looking.await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("it takes longer than {SHOWN:?}"),
        };
        tracing::warn!(job = job.number, error, "what follows from a change is not yet known");
    }

    /// Starts the same `count` times, each time once, and brings what was started into the projection.
    async fn start(&self, job: &Job, mut start: Start, count: u32) -> Result<Said, WorkError> {
        let mut begun = Begun::default();
        for number in 1..=count.min(PIECES_MAX) {
            start.piece.number = number;
            let Begun { requests, left_out, .. } = self.piece(job, &start).await?;
            begun.requests.extend(requests);
            begun.left_out.extend(left_out);
        }
        let shown = stream::iter(begun.requests);
        shown.for_each_concurrent(PARALLEL, |request| self.show([request])).await;
        if begun.left_out.is_empty() {
            return Ok(Said::well(OK));
        }
        let names: Vec<_> = begun.left_out.into_iter().collect();
        Ok(Said::wrong(format!("{OK}, but for what self-serve may not start there: {}", names.join(", "))))
    }

    /// Starts one piece of a job, unless the job remembers that it was.
    async fn piece(&self, job: &Job, start: &Start) -> Result<Begun, WorkError> {
        let name = start.piece.number.to_string();
        if let Some(known) = job.steps.get(&name).and_then(|step| Begun::deserialize(step).ok()) {
            return Ok(known);
        }
        let Started { set, requests, left_out } = self.insist(|| self.backend.start(start)).await?;
        let begun = Begun { set, requests: requests.into_values().collect(), left_out: left_out.into_iter().collect() };
        self.jobs.step(job.number, &name, json!(begun)).await?;
        Ok(begun)
    }
}

/// What became of a piece, as the job's step keeps it.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Begun {
    #[serde(default)]
    set: u64,
    requests: Vec<u64>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left_out: BTreeSet<String>,
}

/// What somebody asked to be built of a revision; by which builders, and with which properties, is still to be said.
fn requested(job: &Job, branch: &Branch<'_>, revision: &Revision, priority: i64) -> Start {
    Start {
        piece: job.piece(1),
        builders: Vec::new(),
        again: None,
        branch: Some(branch.path().to_owned()),
        revision: Some(revision.to_string()),
        repository: branch.repository.unwrap_or_default().to_owned(),
        reason: reason::requested(&job.who),
        priority,
        requester: job.who.clone(),
        properties: Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nightlies_and_profile_guided_builds_are_known_by_their_builders_names() {
        let nightly =
            ["ash linux nightly", "ash linux l10n nightly", "ash linux nightly-test", "nightly"].map(is_nightly);
        assert_eq!(nightly, [true, false, false, false]);
        assert_eq!(["ash win32 pgo-build", "ash win32 pgo", "pgo-build"].map(is_pgo), [true, false, false]);
    }
}
