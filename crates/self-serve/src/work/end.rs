//! What ends builds, or moves them.

use std::collections::BTreeSet;

use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use serde_json::{Value, json};

use super::{Agent, Said, WorkError};
use crate::action::Revision;
use crate::backend::{BackendError, Request};
use crate::jobs::Job;
use crate::reason;

const NO_REQUEST: &str = "No request with that id";
const NO_BUILD: &str = "No build with that id";
const REQUEST_OVER: &str = "Request is complete, nothing to do";
const BUILD_OVER: &str = "Build is complete, nothing to do";
const MOVED_LATER: &str = "Request was given another priority later, nothing to do";
const OK: &str = "Ok";
/// How many requests are looked at, or cancelled, at the same time.
const PARALLEL: usize = 8;
/// By how many seconds the build system's clock may be ahead of that of who took the job.
const SKEW: i64 = 60;
/// Up to how many requests are asked for one by one.
const FEW: usize = 20;
/// Under which name a job keeps what it cancels.
const CANCELLED: &str = "requests";

/// How a request stands that is to be moved.
enum Moved {
    Gone,
    Over,
    There,
}

impl Agent {
    pub(super) async fn reprioritise(&self, job: &Job, brid: u64, priority: i64) -> Result<Said, WorkError> {
        // Its message may have been lost, and come after that of who asked later.
        if self.jobs.is_moved_later(job.number, brid).await? {
            return Ok(Said::well(MOVED_LATER));
        }
        match self.backend.request(brid).await? {
            None => return Ok(Said::wrong(NO_REQUEST)),
            Some(request) if request.completed.is_some() => return Ok(Said::well(REQUEST_OVER)),
            Some(_) => {}
        }
        let look = || {
            async {
                Ok(match self.backend.request(brid).await? {
                    None => Some(Moved::Gone),
                    Some(request) if request.priority == priority => Some(Moved::There),
                    Some(request) if request.completed.is_some() => Some(Moved::Over),
                    Some(_) => None,
                })
            }
            .boxed()
        };
        let what = format!("request {brid} does not have the priority {priority}");
        let moved = self.until(what, || self.backend.prioritise(brid, priority), look).await?;
        self.show([brid]).await;
        Ok(match moved {
            Moved::Gone => Said::wrong(NO_REQUEST),
            Moved::Over => Said::well(REQUEST_OVER),
            Moved::There => Said::well(OK),
        })
    }

    pub(super) async fn cancel_request(&self, job: &Job, brid: u64) -> Result<Said, WorkError> {
        match self.backend.request(brid).await? {
            None => return Ok(Said::wrong(NO_REQUEST)),
            Some(request) if request.completed.is_some() && !is_begun(job) => return Ok(Said::well(REQUEST_OVER)),
            Some(_) => {}
        }
        self.begin(job, brid).await?;
        let reason = reason::cancelled(&job.who);
        let ask = || self.backend.cancel_request(brid, &reason);
        let look = || {
            async {
                let request = self.backend.request(brid).await?;
                Ok(request.is_none_or(|request| request.completed.is_some()).then_some(()))
            }
            .boxed()
        };
        self.until(format!("request {brid} is not over"), ask, look).await?;
        self.show([brid]).await;
        Ok(Said::well(format!("{brid}: {OK}")))
    }

    pub(super) async fn cancel_build(&self, job: &Job, bid: u64) -> Result<Said, WorkError> {
        let request = match self.backend.build(bid).await? {
            None => return Ok(Said::wrong(NO_BUILD)),
            Some(build) if build.ended.is_some() && !is_begun(job) => return Ok(Said::well(BUILD_OVER)),
            Some(build) => build.request,
        };
        self.begin(job, request).await?;
        let reason = reason::cancelled(&job.who);
        let ask = || self.backend.stop_build(bid, &reason);
        let look = || {
            async {
                let build = self.backend.build(bid).await?;
                Ok(build.is_none_or(|build| build.ended.is_some()).then_some(()))
            }
            .boxed()
        };
        self.until(format!("build {bid} is not over"), ask, look).await?;
        self.show([request]).await;
        Ok(Said::well(OK))
    }

    /// Remembers that a job is about to end a request: who carries on with it finds that over by the job itself.
    async fn begin(&self, job: &Job, request: u64) -> Result<(), WorkError> {
        if !is_begun(job) {
            self.jobs.step(job.number, CANCELLED, json!([request])).await?;
        }
        Ok(())
    }

    /// What is open when the job is first carried out is ended; what is asked for later is not.
    pub(super) async fn cancel_revision(
        &self,
        job: &Job,
        branch: &str,
        revision: &Revision,
    ) -> Result<Said, WorkError> {
        let requests = if let Some(known) = job.steps.get(CANCELLED).and_then(Value::as_array) {
            known.iter().filter_map(Value::as_u64).collect()
        } else {
            let found = self.open_of(branch, revision, job.when).await?;
            self.jobs.step(job.number, CANCELLED, json!(found)).await?;
            found
        };
        if requests.is_empty() {
            return Ok(Said::well("No requests to cancel"));
        }
        let reason = reason::cancelled(&job.who);
        let ask = || {
            async {
                let open = stream::iter(self.still_open(&requests).await?.into_iter().map(Ok));
                open.try_for_each_concurrent(PARALLEL, |request| self.backend.cancel_request(request, &reason)).await
            }
            .boxed()
        };
        let look = || async { Ok(self.still_open(&requests).await?.is_empty().then_some(())) }.boxed();
        self.until(format!("not all requests of {revision} on {branch} are over"), ask, look).await?;
        stream::iter(&requests).for_each_concurrent(PARALLEL, |request| self.show([*request])).await;
        let lines: Vec<_> = requests.iter().map(|request| format!("{request}: {OK}")).collect();
        Ok(Said::well(lines.join("\n")))
    }

    /// The open requests of a revision that were made before a moment (seconds since 1970): the job's message may have been
    /// lost, and come after that of who asked for new builds later.
    async fn open_of(&self, branch: &str, revision: &Revision, asked: i64) -> Result<BTreeSet<u64>, WorkError> {
        let site = self.documents.now().await?;
        let branch = site.branches.get(branch).ok_or_else(|| WorkError::Branch(branch.to_owned()))?;
        let spellings = branch.spellings();
        let is_its = |request: &Request| {
            let of_branch = request.branch.as_ref().is_some_and(|branch| spellings.contains(branch));
            let of_revision =
                request.revision.as_deref().map(str::parse).is_some_and(|known| known.as_ref() == Ok(revision));
            of_branch && of_revision && request.submitted <= asked.saturating_add(SKEW)
        };
        let open = self.backend.open_requests().await?;
        Ok(open.iter().filter(|request| is_its(request)).map(|request| request.id).collect())
    }

    /// Those of the requests that are not over. Where they are few each is asked for by itself, for a busy build system has
    /// thousands open; where they are many these are fewer questions.
    async fn still_open(&self, requests: &BTreeSet<u64>) -> Result<Vec<u64>, BackendError> {
        if requests.len() > FEW {
            let open = self.backend.open_requests().await?;
            return Ok(open.iter().map(|request| request.id).filter(|id| requests.contains(id)).collect());
        }
        let looks = requests.iter().copied().map(|request| async move {
            let found = self.backend.request(request).await?;
            Ok::<_, BackendError>(found.filter(|found| found.completed.is_none()).map(|found| found.id))
        });
        let open: Vec<Option<u64>> = stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await?;
        Ok(open.into_iter().flatten().collect())
    }
}

fn is_begun(job: &Job) -> bool {
    job.steps.contains_key(CANCELLED)
}
