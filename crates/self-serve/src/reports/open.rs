//! What waits and what runs, and all of a revision, by branch and revision.

use std::collections::BTreeMap;

use serde::Serialize;

use super::NONE;
use crate::builds::{Build, Request};

/// Entries by branch, then by revision.
pub type ByRevision<T> = BTreeMap<String, BTreeMap<String, Vec<T>>>;

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// The request's number.
    pub id: u64,
    /// What is to be built.
    pub buildername: String,
    /// When it was made, in seconds since 1970.
    pub submitted_at: i64,
}

/// A build that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Running {
    /// The build's number.
    pub id: u64,
    /// Its requests' numbers.
    pub request_ids: Vec<u64>,
    /// What is built.
    pub buildername: String,
    /// The revision, where it has one.
    pub revision: Option<String>,
    /// When its first request was made.
    pub submitted_at: Option<i64>,
    /// The build system says nothing of it.
    pub last_heartbeat: Option<i64>,
    /// Who builds it.
    pub claimed_by_name: Option<String>,
    /// When it began.
    pub start_time: i64,
    /// Its number among those of its builder.
    pub number: u64,
}

/// A build, at whatever point it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Any {
    /// The build's number.
    pub id: u64,
    /// What is built.
    pub buildername: String,
    /// When its first request was made.
    pub submitted_at: Option<i64>,
    /// When the build system took that.
    pub claimed_at: Option<i64>,
    /// Who builds it.
    pub claimed_by_name: Option<String>,
    /// When it began.
    pub start_time: i64,
    /// When it ended, if it has.
    pub finish_time: Option<i64>,
    /// Its number among those of its builder.
    pub number: u64,
    /// How it ended; -1 while it runs.
    pub results: i64,
}

/// Requests that wait.
pub fn pending(requests: &[Request]) -> ByRevision<Pending> {
    grouped(requests.iter().map(|request| {
        let Request { request_id, buildername, branch, revision, submittime, .. } = request;
        let entry = Pending { id: *request_id, buildername: buildername.clone(), submitted_at: *submittime };
        (branch.as_deref(), revision.as_deref(), entry)
    }))
}

/// Builds that run.
pub fn running(builds: &[Build]) -> ByRevision<Running> {
    grouped(builds.iter().map(|build| {
        let entry = Running {
            id: build.build_id,
            request_ids: build.requests.iter().map(|request| request.request_id).collect(),
            buildername: build.buildername.clone(),
            revision: build.revision.clone(),
            submitted_at: build.requests.first().map(|request| request.submittime),
            last_heartbeat: None,
            claimed_by_name: build.claimed_by_name.clone(),
            start_time: build.starttime,
            number: build.buildnumber,
        };
        (build.branch.as_deref(), build.revision.as_deref(), entry)
    }))
}

/// Builds at whatever point they are.
pub fn all(builds: &[Build]) -> ByRevision<Any> {
    grouped(builds.iter().map(|build| {
        let first = build.requests.first();
        let entry = Any {
            id: build.build_id,
            buildername: build.buildername.clone(),
            submitted_at: first.map(|request| request.submittime),
            claimed_at: first.map(|request| request.claimed_at).filter(|claimed| *claimed > 0),
            claimed_by_name: build.claimed_by_name.clone(),
            start_time: build.starttime,
            finish_time: build.endtime,
            number: build.buildnumber,
            results: build.status,
        };
        (build.branch.as_deref(), build.revision.as_deref(), entry)
    }))
}

fn grouped<'a, T>(entries: impl Iterator<Item = (Option<&'a str>, Option<&'a str>, T)>) -> ByRevision<T> {
    let mut grouped = ByRevision::new();
    for (branch, revision, entry) in entries {
        let revisions = grouped.entry(branch.unwrap_or(NONE).to_owned()).or_default();
        revisions.entry(revision.unwrap_or(NONE).to_owned()).or_default().push(entry);
    }
    grouped
}
