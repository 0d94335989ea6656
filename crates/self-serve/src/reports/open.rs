//! What waits and what runs, and all of a revision, by branch and revision.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{NONE, revision_of};
use crate::builds::{Build, Request};
use crate::config::Branches;

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
pub fn pending(requests: &[Request], branches: &Branches) -> ByRevision<Pending> {
    grouped(
        branches,
        requests.iter().map(|request| {
            let Request { request_id, buildername, submittime, .. } = request;
            let entry = Pending { id: *request_id, buildername: buildername.clone(), submitted_at: *submittime };
            (request.branch.as_deref(), revision_of(request.rev.as_ref(), request.revision.as_deref()), entry)
        }),
    )
}

/// Builds that run.
pub fn running(builds: &[Build], branches: &Branches) -> ByRevision<Running> {
    grouped(
        branches,
        builds.iter().map(|build| {
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
            (build.branch.as_deref(), revision_of(build.rev.as_ref(), build.revision.as_deref()), entry)
        }),
    )
}

/// Builds at whatever point they are.
pub fn all(builds: &[Build], branches: &Branches) -> ByRevision<Any> {
    grouped(
        branches,
        builds.iter().map(|build| {
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
            (build.branch.as_deref(), revision_of(build.rev.as_ref(), build.revision.as_deref()), entry)
        }),
    )
}

/// Branches stand under their names, however a build system calls them.
fn grouped<'a, T>(branches: &Branches, entries: impl Iterator<Item = (Option<&'a str>, String, T)>) -> ByRevision<T> {
    let mut grouped = ByRevision::new();
    for (called, revision, entry) in entries {
        let called = called.unwrap_or(NONE);
        let name = branches.called(called).map_or(called, |branch| branch.name);
        grouped.entry(name.to_owned()).or_default().entry(revision).or_default().push(entry);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::reports::samples::{build, request};

    #[test]
    fn a_revision_is_one_by_its_first_twelve_digits_and_a_branch_is_one_by_its_name() {
        let branches: Branches =
            serde_json::from_value(json!({ "ash": { "repo": "https://hg.example/projects/ash" } })).unwrap();
        let called = |id, branch: Option<&str>, revision: Option<&str>| Request {
            branch: branch.map(str::to_owned),
            revision: revision.map(str::to_owned),
            rev: revision.and_then(|revision| revision.parse().ok()),
            ..request(id, 100)
        };
        let whole = "ABCDEF012345678901234567890123456789abcd";
        let requests = [
            called(1, Some("ash"), Some("abcdef012345")),
            called(2, Some("projects/ash"), Some(whole)),
            called(3, Some("elsewhere"), Some("tip")),
            called(4, None, None),
        ];
        let ids = |found: &ByRevision<Pending>| {
            let of = |entries: &Vec<Pending>| entries.iter().map(|entry| entry.id).collect::<Vec<_>>();
            let each = found.iter().flat_map(|(branch, revisions)| {
                revisions.iter().map(move |(revision, entries)| format!("{branch} {revision} {:?}", of(entries)))
            });
            each.collect::<Vec<_>>()
        };
        let expected = ["None None [4]", "ash abcdef012345 [1, 2]", "elsewhere tip [3]"];
        assert_eq!(ids(&pending(&requests, &branches)), expected);
        let builds: Vec<Build> = requests.iter().map(|request| build(request.request_id, request, 110, None)).collect();
        let running = running(&builds, &branches);
        assert_eq!(running["ash"]["abcdef012345"].len(), 2);
        assert_eq!(running["ash"]["abcdef012345"][1].revision.as_deref(), Some(whole), "as the build system has it");
        assert_eq!(all(&builds, &branches)["ash"]["abcdef012345"].len(), 2);
    }
}
