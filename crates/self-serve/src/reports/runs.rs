//! Revisions from end to end: from the first request to the end of the last build.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::revision_of;
use crate::backend::Outcome;
use crate::builds::{Build, Request};

/// Revisions of some time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Runs {
    /// Requests, of builds and waiting ones.
    pub total_build_requests: u64,
    /// What was asked for, each builder of a revision once.
    pub unique_total_build_requests: u64,
    /// Revisions.
    pub total_build_runs: u64,
    /// Seconds that those which are over took, on average; nothing where none is.
    pub avg_duration: Option<f64>,
    /// By revision.
    pub build_runs: BTreeMap<String, Run>,
}

/// One revision.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Run {
    /// The worst result so far; -1 where none is known.
    pub results: i64,
    /// Its name.
    pub results_str: &'static str,
    /// `yes` when nothing waits or runs.
    pub is_complete: &'static str,
    /// Seconds from the first request to the last end; so far, while it is not over.
    pub duration: i64,
    /// Builds that are over, but for those cancelled.
    pub complete: u64,
    /// Builds that run.
    pub running: u64,
    /// Requests that wait.
    pub pending: u64,
    /// Builds that were cancelled, and requests that were before they were built.
    pub cancelled: u64,
    /// Requests that somebody made again by hand.
    pub rebuilds: u64,
    /// Whose they are.
    pub authors: BTreeSet<String>,
    #[serde(skip)]
    begun: Option<i64>,
    #[serde(skip)]
    ended: Option<i64>,
    #[serde(skip)]
    builders: BTreeSet<String>,
    #[serde(skip)]
    requests: BTreeSet<u64>,
}

/// The revisions of these builds, of requests that wait, and of those that ended before they were built, at a moment (seconds
/// since 1970).
pub fn runs(builds: &[Build], pending: &[Request], never_built: &[Request], now: i64) -> Runs {
    let mut found = BTreeMap::<String, Run>::new();
    for build in builds {
        let run = found.entry(revision_of(build.rev.as_ref(), build.revision.as_deref())).or_insert_with(Run::none);
        build.requests.iter().for_each(|request| run.request(request));
        run.build(build);
    }
    let of = |request: &Request| revision_of(request.rev.as_ref(), request.revision.as_deref());
    for request in pending {
        let run = found.entry(of(request)).or_insert_with(Run::none);
        run.request(request);
        run.pending += 1;
    }
    for request in never_built {
        found.entry(of(request)).or_insert_with(Run::none).never_built(request);
    }
    for run in found.values_mut() {
        run.conclude(now);
    }
    let whole: Vec<i64> = found.values().filter(|run| run.is_complete == "yes").map(|run| run.duration).collect();
    Runs {
        total_build_requests: found.values().map(|run| run.requests.len() as u64).sum(),
        unique_total_build_requests: found.values().map(|run| run.builders.len() as u64).sum(),
        total_build_runs: found.len() as u64,
        avg_duration: average(&whole),
        build_runs: found,
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds and counts are far below 2⁵³")]
fn average(durations: &[i64]) -> Option<f64> {
    (!durations.is_empty()).then(|| durations.iter().sum::<i64>() as f64 / durations.len() as f64)
}

impl Run {
    fn none() -> Self {
        Self { results: crate::builds::NO_STATUS, ..Self::default() }
    }

    fn request(&mut self, request: &Request) {
        let is_new = self.requests.insert(request.request_id);
        self.builders.insert(request.buildername.clone());
        self.authors.extend(request.owner.clone());
        self.begun = Some(self.begun.map_or(request.submittime, |begun| begun.min(request.submittime)));
        self.rebuilds += u64::from(is_new && crate::reason::is_rebuilt(&request.reason));
    }

    fn build(&mut self, build: &Build) {
        match (build.endtime, build.outcome()) {
            (None, _) => self.running += 1,
            (Some(_), Some(Outcome::Cancelled)) => self.cancelled += 1,
            (Some(_), _) => self.complete += 1,
        }
        self.ended = self.ended.max(build.endtime);
        if let Some(outcome) = build.outcome() {
            self.worsen(outcome);
        }
    }

    fn never_built(&mut self, request: &Request) {
        // One that is known twice has begun meanwhile.
        if self.requests.contains(&request.request_id) {
            return;
        }
        self.request(request);
        self.cancelled += 1;
        self.ended = self.ended.max(request.complete_at);
        self.worsen(Outcome::Cancelled);
    }

    fn worsen(&mut self, outcome: Outcome) {
        let status = i8::from(outcome).into();
        if severity(status) > severity(self.results) {
            self.results = status;
        }
    }

    fn conclude(&mut self, now: i64) {
        let is_over = self.running == 0 && self.pending == 0;
        let end = if is_over { self.ended.unwrap_or(now) } else { now };
        self.duration = self.begun.map_or(0, |begun| (end - begun).max(0));
        self.is_complete = if is_over { "yes" } else { "no" };
        self.results_str = name(self.results);
    }
}

/// How bad a result is: what was tried again counts least, for what came of that counts too.
fn severity(status: i64) -> u8 {
    match Outcome::of(status) {
        None => 0,
        Some(Outcome::Retry) => 1,
        Some(Outcome::Skipped) => 2,
        Some(Outcome::Success) => 3,
        Some(Outcome::Warnings) => 4,
        Some(Outcome::Cancelled) => 5,
        Some(Outcome::Failure) => 6,
        Some(Outcome::Exception) => 7,
    }
}

/// A result's name, by its number.
pub fn name(status: i64) -> &'static str {
    match Outcome::of(status) {
        None => "no result",
        Some(Outcome::Success) => "success",
        Some(Outcome::Warnings) => "warnings",
        Some(Outcome::Failure) => "failure",
        Some(Outcome::Skipped) => "skipped",
        Some(Outcome::Exception) => "exception",
        Some(Outcome::Retry) => "retry",
        Some(Outcome::Cancelled) => "cancelled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::samples::{build, request};

    #[test]
    fn a_revision_takes_from_its_first_request_to_its_last_end_and_is_as_bad_as_its_worst_build() {
        let bad = Build { status: 2, ..build(2, &request(2, 150), 160, Some(400)) };
        let again = Request { reason: crate::reason::rebuilt("alice"), ..request(3, 200) };
        let good = build(3, &again, 210, Some(300));
        let over = runs(&[build(1, &request(1, 100), 110, Some(200)), bad.clone(), good], &[], &[], 1000);
        let run = &over.build_runs["abcdef012345"];
        assert_eq!((run.results, run.results_str, run.is_complete, run.duration), (2, "failure", "yes", 300));
        assert_eq!((run.complete, run.rebuilds, over.total_build_requests), (3, 1, 3));
        assert_eq!((over.unique_total_build_requests, over.avg_duration), (1, Some(300.0)));

        let open = runs(&[bad, build(4, &request(4, 120), 130, None)], &[request(5, 90)], &[], 1000);
        let run = &open.build_runs["abcdef012345"];
        assert_eq!((run.is_complete, run.running, run.pending, run.duration), ("no", 1, 1, 910));
        assert_eq!(open.avg_duration, None);
        assert_eq!(runs(&[], &[], &[], 5).total_build_runs, 0);
    }

    #[test]
    fn a_revision_is_one_however_long_it_is_written_and_what_was_cancelled_before_it_was_built_counts() {
        let whole = Request { revision: Some("ABCDEF0123456789".to_owned()), ..request(2, 120) };
        let cancelled = |id, end| Request { complete: 1, complete_at: Some(end), ..request(id, 130) };
        let found = runs(
            &[build(1, &request(1, 100), 110, Some(200)), build(2, &whole, 130, Some(300))],
            &[],
            &[cancelled(3, 500), cancelled(2, 300)],
            1000,
        );
        assert_eq!(found.build_runs.keys().collect::<Vec<_>>(), ["abcdef012345"]);
        let run = &found.build_runs["abcdef012345"];
        assert_eq!(
            (run.complete, run.cancelled, found.total_build_requests),
            (2, 1, 3),
            "what was built is not cancelled"
        );
        assert_eq!((run.results_str, run.is_complete, run.duration), ("cancelled", "yes", 400));

        let only = runs(&[], &[], &[cancelled(3, 500)], 1000);
        let run = &only.build_runs["abcdef012345"];
        assert_eq!((run.results, run.is_complete, run.duration, run.complete), (6, "yes", 370, 0));
    }
}
