//! Buildbot, by its REST API (Buildbot manual, "REST API", version 2).
//!
//! A master is steered through the scheduler that `buildbot/self_serve` adds to it: each piece of a job is started once,
//! even by two calls at the same moment. [`Backend::check`] says when it is missing.

mod answers;
mod calls;
mod faults;
mod session;

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use crate::backend::{Backend, BackendError, Build, Builder, Change, Request, Start, Started};
pub use calls::{Buildbot, BuildbotSettings};
pub use session::{Login, LoginError};

/// The scheduler of `buildbot/self_serve`, and the least version that it must say it is of.
const SCHEDULER: &str = "self-serve";
const VERSION: u32 = 3;
/// The property by which it knows a piece of a job again.
const PIECE: &str = "selfserve_job";
/// The parameter that says which request is made again.
const AGAIN: &str = "selfserve_again";
/// The highest number that a master's database has room for: there is nothing of a higher one, and asked for it a master
/// fails.
const NUMBER_MAX: u64 = i32::MAX as u64;

#[async_trait]
impl Backend for Buildbot {
    async fn check(&self) -> Result<(), BackendError> {
        let path = format!("forceschedulers/{SCHEDULER}");
        let found: Option<answers::Scheduler> = self.one(&path, "forceschedulers").await?;
        match found {
            Some(scheduler) if scheduler.version().is_some_and(|version| version >= VERSION) => Ok(()),
            Some(scheduler) => {
                let had = format!("it has {:?}, and is started again with the newer file", scheduler.label);
                Err(self.lacks(format!("version {VERSION} of the scheduler {SCHEDULER:?} ({had})")))
            }
            None => Err(self.lacks(format!("the scheduler {SCHEDULER:?}"))),
        }
    }

    async fn request(&self, id: u64) -> Result<Option<Request>, BackendError> {
        if id > NUMBER_MAX {
            return Ok(None);
        }
        let found: Option<answers::Request> =
            self.one(&format!("buildrequests/{id}?property=*"), "buildrequests").await?;
        match found {
            Some(found) => Ok(Some(self.whole_with_author(found).await?)),
            None => Ok(None),
        }
    }

    async fn build(&self, id: u64) -> Result<Option<Build>, BackendError> {
        if id > NUMBER_MAX {
            return Ok(None);
        }
        let found: Option<answers::Build> = self.one(&format!("builds/{id}?property=*"), "builds").await?;
        match found {
            Some(found) => Ok(Some(self.build_of(found).await?)),
            None => Ok(None),
        }
    }

    async fn builds_of(&self, request: u64) -> Result<Vec<Build>, BackendError> {
        let path = format!("buildrequests/{request}/builds?property=*");
        let found: Vec<answers::Build> = self.all(&path, "builds").await?;
        let mut builds = Vec::with_capacity(found.len());
        for build in found {
            builds.push(self.build_of(build).await?);
        }
        Ok(builds)
    }

    async fn open_requests(&self) -> Result<Vec<Request>, BackendError> {
        let found: Vec<answers::Request> = self.all("buildrequests?complete=false", "buildrequests").await?;
        // All sets at once. What ended or began between the two questions is asked for by itself.
        let sets: Vec<answers::Set> = self.all("buildsets?complete=false", "buildsets").await?;
        let sets: BTreeMap<_, _> = sets.into_iter().map(|set| (set.bsid, set)).collect();
        let mut requests = Vec::with_capacity(found.len());
        for request in found {
            let set = sets.get(&request.buildsetid).cloned();
            requests.push(self.whole(request, set).await?);
        }
        Ok(requests)
    }

    async fn requests_since(&self, number: u64, limit: usize) -> Result<Vec<u64>, BackendError> {
        let path = format!("buildrequests?buildrequestid__gt={number}&order=buildrequestid&field=buildrequestid");
        let found: Vec<answers::Number> = self.page(&path, "buildrequests", limit).await?;
        Ok(found.into_iter().map(|found| found.buildrequestid).collect())
    }

    async fn builders(&self) -> Result<Vec<Builder>, BackendError> {
        let found: Vec<answers::Builder> = self.all("builders", "builders").await?;
        let of_a_master = found.into_iter().filter(|builder| !builder.masterids.is_empty());
        let mut builders: Vec<_> = of_a_master.map(answers::Builder::into_builder).collect();
        builders.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(builders)
    }

    async fn start(&self, start: &Start) -> Result<Started, BackendError> {
        let what = format!("start {}", start.builders.join(", "));
        let parameters = json!({
            PIECE: start.piece.to_string(),
            "builderNames": start.builders,
            "branch": start.branch.as_deref().unwrap_or_default(),
            "revision": start.revision.as_deref().unwrap_or_default(),
            "repository": start.repository,
            "reason": start.reason,
            "priority": start.priority.to_string(),
            "requester": start.requester,
            "extra": self.text(&start.properties, &what)?,
            AGAIN: start.again.map(|request| request.to_string()).unwrap_or_default(),
        });
        let (set, requests): (u64, BTreeMap<u64, u64>) = self.force(&what, &parameters).await?;
        let mut left_out = start.builders.clone();
        for builder in requests.keys() {
            let started = self.name(*builder).await?;
            left_out.retain(|name| *name != started);
        }
        Ok(Started { set, requests, left_out })
    }

    async fn change(&self, change: &Change) -> Result<u64, BackendError> {
        let what = format!("tell of {} on {}", change.revision, change.branch);
        let more = json!({ "files": change.files, "revlink": change.link, "properties": change.properties });
        let parameters = json!({
            PIECE: change.piece.to_string(),
            "branch": change.branch,
            "revision": change.revision,
            "repository": change.repository,
            "reason": change.comments,
            "requester": change.requester,
            "change": self.text(&more, &what)?,
        });
        self.force(&what, &parameters).await
    }

    async fn prioritise(&self, request: u64, priority: i64) -> Result<(), BackendError> {
        let what = format!("change the priority of request {request}");
        let path = format!("buildrequests/{request}");
        self.call(&path, "set_priority", &json!({ "priority": priority }), &what).await.map(drop)
    }

    async fn cancel_request(&self, id: u64, reason: &str) -> Result<(), BackendError> {
        let what = format!("cancel request {id}");
        self.call(&format!("buildrequests/{id}"), "cancel", &json!({ "reason": reason }), &what).await.map(drop)
    }

    async fn stop_build(&self, id: u64, reason: &str) -> Result<(), BackendError> {
        let what = format!("stop build {id}");
        self.call(&format!("builds/{id}"), "stop", &json!({ "reason": reason }), &what).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::is_reserved;

    #[test]
    fn what_the_masters_file_calls_things_is_what_they_are_called_here() {
        let file = include_str!("../../../../buildbot/self_serve/names.py");
        let said = |name: &str| file.lines().find_map(|line| line.strip_prefix(&format!("{name} = "))).unwrap();
        let quoted = |name: &str| said(name).trim_matches('"').to_owned();
        assert_eq!(["NAME", "PIECE", "AGAIN"].map(quoted), [SCHEDULER, PIECE, AGAIN]);
        assert_eq!(
            said("VERSION").parse(),
            Ok(VERSION),
            "self-serve asks for the newest, and says so where it is older"
        );
        assert!([PIECE, AGAIN, &format!("{}7", quoted("MADE_OF"))].into_iter().all(is_reserved));
    }
}
