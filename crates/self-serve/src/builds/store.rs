//! Questions about requests and builds.

use std::collections::BTreeMap;
use std::ops::Range;

use buildhub_kinto::{Client, Collection, Entry, KintoError, Query};
use futures::TryStreamExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Build, Request, State};
use crate::action::Revision;

/// The most of each kind that a question of a person's work is answered with.
pub const LISTED_MAX: usize = 200;
/// The most that one request to the store asks for.
const PAGE: usize = 1000;
/// What lists have of a request: all but what one alone is asked for.
const LISTED: [&str; 13] = [
    "request_id",
    "buildername",
    "branch",
    "revision",
    "submittime",
    "complete",
    "complete_at",
    "priority",
    "claimed_at",
    "reason",
    "owner",
    "rev",
    "state",
];

/// Requests and builds of one bucket. `branches` are the spellings of one branch (its name, and its repository's path); a
/// list of them finds what has any of them, exactly.
#[derive(Debug, Clone)]
pub struct Builds {
    pub(super) requests: Collection,
    pub(super) records: Collection,
    pub(super) counters: Collection,
}

/// What there is of a day, or of a revision: builds, and requests that wait.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Builds, the newest first.
    pub builds: Vec<Build>,
    /// Requests that no build has begun for, the newest first.
    pub pending: Vec<Request>,
}

/// What there is of a person; at most [`LISTED_MAX`] of each, the newest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OfUser {
    /// Builds that are over.
    pub builds: Vec<Build>,
    /// Builds that run.
    pub running: Vec<Build>,
    /// Requests that no build has begun for.
    pub pending: Vec<Request>,
}

impl Builds {
    /// The builds in a bucket of a Kinto.
    pub fn new(client: &Client, bucket: &str) -> Result<Self, KintoError> {
        let collection = |name| client.collection(bucket, name);
        Ok(Self {
            requests: collection("requests")?,
            records: collection("builds")?,
            counters: collection("counters")?,
        })
    }

    /// A request by its number, with its properties and builds.
    pub async fn request(&self, id: u64) -> Result<Option<Request>, KintoError> {
        Ok(self.requests.get(&id.to_string()).await?.map(|stored| stored.data))
    }

    /// A build by its number; its request as it is now, with its properties.
    pub async fn build(&self, id: u64) -> Result<Option<Build>, KintoError> {
        let Some(mut build) = self.records.get::<Build>(&id.to_string()).await?.map(|stored| stored.data) else {
            return Ok(None);
        };
        if let Some(known) = build.requests.first_mut()
            && let Some(request) = self.request(known.request_id).await?
        {
            *known = request;
        }
        Ok(Some(build))
    }

    /// The branches of requests by the requests' numbers, of those that are known and have one.
    pub async fn branches_of(&self, requests: &[u64]) -> Result<BTreeMap<u64, String>, KintoError> {
        #[derive(Deserialize)]
        struct Known {
            request_id: u64,
            branch: Option<String>,
        }
        let mut branches = BTreeMap::new();
        // So many that an address has room for them.
        for some in requests.chunks(100) {
            let query = Query::new().one_of("request_id", some.iter().copied()).fields(["request_id", "branch"]);
            let known: Vec<Known> = list(&self.requests, query, some.len()).await?;
            branches.extend(known.into_iter().filter_map(|known| Some((known.request_id, known.branch?))));
        }
        Ok(branches)
    }

    /// Builds that began in a span (seconds since 1970), and, where the list begins, requests made in it that wait. Where
    /// there are more builds than `limit`, the last one's number is what to ask for next: builds `before` it.
    pub async fn of_day(
        &self,
        branches: &[String],
        span: Range<i64>,
        limit: usize,
        before: Option<u64>,
    ) -> Result<Found, KintoError> {
        let within = |query: Query, field: &str| query.min(field, span.start).lt(field, span.end);
        let builds = self.builds_of(before_build(within(of(branches), "starttime"), before), limit);
        let pending = async {
            match before {
                None => self.waiting(within(of(branches), "submittime"), limit).await,
                Some(_) => Ok(Vec::new()),
            }
        };
        let (builds, pending) = tokio::try_join!(builds, pending)?;
        Ok(Found { builds, pending })
    }

    /// Builds of a revision, and requests of it that wait; at most `limit` of each.
    pub async fn of_revision(
        &self,
        branches: &[String],
        revision: &Revision,
        limit: usize,
    ) -> Result<Found, KintoError> {
        let query = || of(branches).eq("rev", revision.to_string());
        let (builds, pending) = tokio::try_join!(self.builds_of(query(), limit), self.waiting(query(), limit))?;
        Ok(Found { builds, pending })
    }

    /// What somebody asked for on a branch.
    pub async fn of_user(&self, branches: &[String], user: &str) -> Result<OfUser, KintoError> {
        let query = || of(branches).eq("owner", user);
        let (builds, running, pending) = tokio::try_join!(
            self.builds_of(in_state(query(), State::Complete), LISTED_MAX),
            self.builds_of(in_state(query(), State::Running), LISTED_MAX),
            self.waiting(query(), LISTED_MAX),
        )?;
        Ok(OfUser { builds, running, pending })
    }

    /// Requests that wait, of a branch or of all (no `branches`), the newest first.
    pub async fn pending(&self, branches: Option<&[String]>, limit: usize) -> Result<Vec<Request>, KintoError> {
        self.waiting(branches.map_or_else(Query::new, of), limit).await
    }

    /// Builds that run, of a branch or of all (no `branches`), the newest first.
    pub async fn running(&self, branches: Option<&[String]>, limit: usize) -> Result<Vec<Build>, KintoError> {
        self.builds_of(in_state(branches.map_or_else(Query::new, of), State::Running), limit).await
    }

    /// The newest builds, of a worker or of all; where there are more than `limit`, those `before` the last one are next.
    pub async fn recent(
        &self,
        worker: Option<&str>,
        limit: usize,
        before: Option<u64>,
    ) -> Result<Vec<Build>, KintoError> {
        let query = worker.map_or_else(Query::new, |worker| Query::new().eq("claimed_by_name", worker));
        self.builds_of(before_build(query, before), limit).await
    }

    /// Builds that ended in a span (seconds since 1970), in the order of their ends; at most `limit`.
    pub async fn finished_between(&self, span: Range<i64>, limit: usize) -> Result<Vec<Build>, KintoError> {
        let query = Query::new().min("endtime", span.start).lt("endtime", span.end).sort(["endtime"]);
        list(&self.records, query, limit).await
    }

    /// Builds that began in a span (seconds since 1970), the newest first; at most `limit`.
    pub async fn begun_between(&self, span: Range<i64>, limit: usize) -> Result<Vec<Build>, KintoError> {
        self.builds_of(Query::new().min("starttime", span.start).lt("starttime", span.end), limit).await
    }

    /// The newest builds that a query finds.
    async fn builds_of(&self, query: Query, limit: usize) -> Result<Vec<Build>, KintoError> {
        list(&self.records, query.sort(["-build_id"]), limit).await
    }

    /// The newest requests that wait, of those that a query finds.
    async fn waiting(&self, query: Query, limit: usize) -> Result<Vec<Request>, KintoError> {
        let query = in_state(query, State::Pending).sort(["-request_id"]).fields(LISTED);
        list(&self.requests, query, limit).await
    }
}

/// At most `limit` of what a query finds, read in pages.
pub(super) async fn list<T>(collection: &Collection, query: Query, limit: usize) -> Result<Vec<T>, KintoError>
where
    T: DeserializeOwned + Send + 'static,
{
    let mut found = Vec::new();
    if limit == 0 {
        return Ok(found);
    }
    let mut pages = std::pin::pin!(collection.pages::<T>(query.limit(limit.min(PAGE))));
    while let Some(page) = pages.try_next().await? {
        found.extend(page.entries.into_iter().filter_map(Entry::record).map(|stored| stored.data));
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn of(branches: &[String]) -> Query {
    match branches {
        // A list of one costs the store more than the one.
        [branch] => Query::new().eq("branch", branch.as_str()),
        branches => Query::new().one_of("branch", branches.iter().map(String::as_str)),
    }
}

fn in_state(query: Query, state: State) -> Query {
    query.eq("state", state.name())
}

fn before_build(query: Query, before: Option<u64>) -> Query {
    match before {
        Some(before) => query.lt("build_id", before),
        None => query,
    }
}
