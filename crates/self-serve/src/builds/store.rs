//! Questions about requests and builds.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use buildhub_kinto::{Client, Collection, Entry, KintoError, Page, Query};
use futures::TryStreamExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Build, Request, State};
use crate::access::address;
use crate::action::Revision;
use crate::backend::Outcome;

/// The most that one request to the store asks for.
const PAGE: usize = 1000;
/// Numbers that one question names: so many that an address has room for them.
const NAMED: usize = 100;
/// What lists have of a request: all but what one alone is asked for.
pub(super) const LISTED: [&str; 13] = [
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
///
/// A record that cannot be read (another version wrote it, perhaps) takes no other with it: a list passes it over, and one
/// that is asked for by its number is not known, so that the build system is asked. Each time it is an error in the log, and
/// counted for [`Builds::take_unreadable`].
#[derive(Debug, Clone)]
pub struct Builds {
    pub(super) requests: Collection,
    pub(super) records: Collection,
    pub(super) counters: Collection,
    /// Of all clones together.
    unreadable: Arc<AtomicU64>,
}

/// A record, or why it is none.
struct Readable<T>(Result<T, serde_json::Error>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Readable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(text.get())))
    }
}

/// What a query finds.
pub(super) struct Listed<T> {
    /// Those that can be read.
    pub(super) found: Vec<T>,
    /// How many cannot.
    pub(super) unreadable: u64,
}

/// Where a list begins of things that are listed by their numbers, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cursor {
    /// With the newest.
    #[default]
    Newest,
    /// Behind this number.
    Before(u64),
    /// Nowhere: all of it was listed before.
    End,
}

/// Where each of the lists of an answer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursors {
    /// Of builds; of a person, of those that are over.
    pub builds: Cursor,
    /// Of builds that run.
    pub running: Cursor,
    /// Of requests that wait.
    pub pending: Cursor,
}

/// What there is of a day, or of a revision: builds, and requests that wait.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// Builds, the newest first.
    pub builds: Vec<Build>,
    /// Requests that no build has begun for, the newest first.
    pub pending: Vec<Request>,
    /// How many more there are that cannot be read.
    pub unreadable: u64,
}

/// How far a revision is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct End {
    /// Whether something of it was asked for, all of that is over, and has been since a moment.
    pub is_over: bool,
    /// Whether something of it was built, and all that was asked for was built well.
    pub is_passed: bool,
}

/// What a build ends with that ended well. Whatever else is said of one, or nothing, it has not.
const WELL: [Outcome; 2] = [Outcome::Success, Outcome::Retry];

/// What there is of a person; the newest first.
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
            unreadable: Arc::default(),
        })
    }

    /// How often a record could not be read since this was asked last.
    pub fn take_unreadable(&self) -> u64 {
        self.unreadable.swap(0, Ordering::Relaxed)
    }

    /// A request by its number, with its properties and builds.
    pub async fn request(&self, id: u64) -> Result<Option<Request>, KintoError> {
        self.one(&self.requests, id).await
    }

    /// A build by its number; its request as it is now, with its properties.
    pub async fn build(&self, id: u64) -> Result<Option<Build>, KintoError> {
        let Some(mut build) = self.one::<Build>(&self.records, id).await? else { return Ok(None) };
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
        for some in requests.chunks(NAMED) {
            let query = Query::new().one_of("request_id", some.iter().copied()).fields(["request_id", "branch"]);
            let known: Listed<Known> = self.list(&self.requests, query, some.len()).await?;
            branches.extend(known.found.into_iter().filter_map(|known| Some((known.request_id, known.branch?))));
        }
        Ok(branches)
    }

    /// Builds that began in a span (seconds since 1970), and requests made in it that wait; at most `limit` of each.
    pub async fn of_day(
        &self,
        branches: &[String],
        span: Range<i64>,
        limit: usize,
        from: Cursors,
    ) -> Result<Found, KintoError> {
        let within = |field: &str| of(branches).min(field, span.start).lt(field, span.end);
        self.found(within("starttime"), within("submittime"), limit, from).await
    }

    /// The newest builds of a revision, and requests of it that wait; at most `limit` of each.
    pub async fn of_revision(
        &self,
        branches: &[String],
        revision: &Revision,
        limit: usize,
    ) -> Result<Found, KintoError> {
        self.of_revision_from(branches, revision, limit, Cursors::default()).await
    }

    /// The same, from somewhere on.
    pub async fn of_revision_from(
        &self,
        branches: &[String],
        revision: &Revision,
        limit: usize,
        from: Cursors,
    ) -> Result<Found, KintoError> {
        let query = || of(branches).eq("rev", revision.to_string());
        self.found(query(), query(), limit, from).await
    }

    /// How far a revision is, whose builds count as over that ended before a moment (seconds since 1970). However many there
    /// are: it is asked whether there is any that is not. What was cancelled before it was built is over, and not passed.
    pub async fn end_of(&self, branches: &[String], revision: &Revision, before: i64) -> Result<End, KintoError> {
        let query = || of(branches).eq("rev", revision.to_string());
        let (requests, builds) = (&self.requests, &self.records);
        // First: a build is written before its request is. What waits no more by now is among the builds by now.
        if self.is_any(requests, query().not("state", State::Complete.name())).await? {
            return Ok(End::default());
        }
        let well = WELL.map(|outcome| i64::from(i8::from(outcome)));
        let unbuilt = || query().eq("unbuilt", true);
        let (is_built, is_unbuilt, runs, is_late, is_cancelled_late, is_unwell, is_unsaid) = tokio::try_join!(
            self.is_any(builds, query()),
            self.is_any(requests, unbuilt()),
            self.is_any(builds, query().not("state", State::Complete.name())),
            self.is_any(builds, query().min("endtime", before)),
            self.is_any(requests, unbuilt().min("complete_at", before)),
            self.is_any(builds, query().none_of("status", well)),
            self.is_any(builds, query().has("status", false)),
        )?;
        let is_something = is_built || is_unbuilt;
        Ok(End {
            is_over: is_something && !runs && !is_late && !is_cancelled_late,
            is_passed: is_built && !is_unbuilt && !runs && !is_unwell && !is_unsaid,
        })
    }

    /// Whether a query finds anything.
    async fn is_any(&self, collection: &Collection, query: Query) -> Result<bool, KintoError> {
        // Several of these are under way at once.
        let page: Page<IgnoredAny> = Box::pin(collection.first_page(query.fields(["state"]).limit(1))).await?;
        Ok(!page.entries.is_empty())
    }

    /// What somebody asked for on a branch; at most `limit` of each kind.
    pub async fn of_user(
        &self,
        branches: &[String],
        user: &str,
        limit: usize,
        from: Cursors,
    ) -> Result<OfUser, KintoError> {
        let query = || of(branches).eq("owner", address(user));
        let (builds, running, pending) = tokio::try_join!(
            self.builds_of(in_state(query(), State::Complete), limit, from.builds),
            self.builds_of(in_state(query(), State::Running), limit, from.running),
            self.waiting(query(), limit, from.pending),
        )?;
        Ok(OfUser { builds: builds.found, running: running.found, pending: pending.found })
    }

    /// Requests that wait, of a branch or of all (no `branches`), the newest first.
    pub async fn pending(
        &self,
        branches: Option<&[String]>,
        limit: usize,
        from: Cursor,
    ) -> Result<Vec<Request>, KintoError> {
        Ok(self.waiting(branches.map_or_else(Query::new, of), limit, from).await?.found)
    }

    /// Requests that wait and were made in a span (seconds since 1970), the newest first.
    pub async fn pending_since(&self, span: Range<i64>, limit: usize) -> Result<Vec<Request>, KintoError> {
        let query = Query::new().min("submittime", span.start).lt("submittime", span.end);
        Ok(self.waiting(query, limit, Cursor::Newest).await?.found)
    }

    /// Requests of a branch that were made in a span (seconds since 1970) and ended before any build of them began, the
    /// newest first.
    pub async fn never_built(
        &self,
        branches: &[String],
        span: Range<i64>,
        limit: usize,
    ) -> Result<Vec<Request>, KintoError> {
        let query = in_state(of(branches), State::Complete).eq("unbuilt", true);
        let query = query.min("submittime", span.start).lt("submittime", span.end);
        let query = query.sort(["-request_id"]).fields(LISTED);
        Ok(self.list(&self.requests, query, limit).await?.found)
    }

    /// Builds that run, of a branch or of all (no `branches`), the newest first.
    pub async fn running(
        &self,
        branches: Option<&[String]>,
        limit: usize,
        from: Cursor,
    ) -> Result<Vec<Build>, KintoError> {
        let query = in_state(branches.map_or_else(Query::new, of), State::Running);
        Ok(self.builds_of(query, limit, from).await?.found)
    }

    /// The newest builds, of a worker or of all.
    pub async fn recent(&self, worker: Option<&str>, limit: usize, from: Cursor) -> Result<Vec<Build>, KintoError> {
        let query = worker.map_or_else(Query::new, |worker| Query::new().eq("claimed_by_name", worker));
        Ok(self.builds_of(query, limit, from).await?.found)
    }

    /// Builds that ended in a span (seconds since 1970), in the order of their ends; at most `limit`.
    pub async fn finished_between(&self, span: Range<i64>, limit: usize) -> Result<Vec<Build>, KintoError> {
        let query = Query::new().min("endtime", span.start).lt("endtime", span.end).sort(["endtime"]);
        Ok(self.list(&self.records, query, limit).await?.found)
    }

    /// Builds that began in a span (seconds since 1970), the newest first; at most `limit`.
    pub async fn begun_between(&self, span: Range<i64>, limit: usize) -> Result<Vec<Build>, KintoError> {
        let query = Query::new().min("starttime", span.start).lt("starttime", span.end);
        Ok(self.builds_of(query, limit, Cursor::Newest).await?.found)
    }

    /// Builds of requests that were made in a span and taken no sooner than a moment (both in seconds since 1970); of at
    /// most `limit` requests.
    pub async fn begun_late(&self, span: Range<i64>, moment: i64, limit: usize) -> Result<Vec<Build>, KintoError> {
        #[derive(Deserialize)]
        struct Taken {
            #[serde(default)]
            build_ids: Vec<u64>,
        }
        let query = Query::new().min("submittime", span.start).lt("submittime", span.end).min("claimed_at", moment);
        let query = query.sort(["-request_id"]).fields(["build_ids"]);
        let taken: Listed<Taken> = self.list(&self.requests, query, limit).await?;
        let ids: Vec<u64> = taken.found.into_iter().flat_map(|taken| taken.build_ids).collect();
        let mut builds = Vec::new();
        for some in ids.chunks(NAMED) {
            let query = Query::new().one_of("build_id", some.iter().copied());
            builds.append(&mut self.list(&self.records, query, some.len()).await?.found);
        }
        Ok(builds)
    }

    async fn found(&self, builds: Query, pending: Query, limit: usize, from: Cursors) -> Result<Found, KintoError> {
        let builds = self.builds_of(builds, limit, from.builds);
        let (builds, pending) = tokio::try_join!(builds, self.waiting(pending, limit, from.pending))?;
        Ok(Found::of(builds, pending))
    }

    /// The newest builds that a query finds, from somewhere on.
    async fn builds_of(&self, query: Query, limit: usize, from: Cursor) -> Result<Listed<Build>, KintoError> {
        let Some(query) = from.of("build_id", query) else { return Ok(Listed::default()) };
        self.list(&self.records, query, limit).await
    }

    /// The newest requests that wait, of those that a query finds, from somewhere on.
    async fn waiting(&self, query: Query, limit: usize, from: Cursor) -> Result<Listed<Request>, KintoError> {
        let Some(query) = from.of("request_id", in_state(query, State::Pending)) else { return Ok(Listed::default()) };
        self.list(&self.requests, query.fields(LISTED), limit).await
    }

    /// At most `limit` of what a query finds, read in pages.
    pub(super) async fn list<T>(
        &self,
        collection: &Collection,
        query: Query,
        limit: usize,
    ) -> Result<Listed<T>, KintoError>
    where
        T: DeserializeOwned + Send + 'static,
    {
        let mut listed = Listed::default();
        if limit == 0 {
            return Ok(listed);
        }
        let mut pages = std::pin::pin!(collection.pages::<Readable<T>>(query.limit(limit.min(PAGE))));
        while let Some(page) = pages.try_next().await? {
            for stored in page.entries.into_iter().filter_map(Entry::record) {
                match self.readable(collection, &stored.id, stored.data) {
                    Some(record) => listed.found.push(record),
                    None => listed.unreadable += 1,
                }
            }
            if listed.found.len() >= limit {
                break;
            }
        }
        listed.found.truncate(limit);
        Ok(listed)
    }

    async fn one<T: DeserializeOwned>(&self, collection: &Collection, id: u64) -> Result<Option<T>, KintoError> {
        let stored = collection.get::<Readable<T>>(&id.to_string()).await?;
        Ok(stored.and_then(|stored| self.readable(collection, &stored.id, stored.data)))
    }

    fn readable<T>(&self, collection: &Collection, id: &str, record: Readable<T>) -> Option<T> {
        match record.0 {
            Ok(record) => Some(record),
            Err(error) => {
                let collection = collection.name();
                tracing::error!(collection, record = id, %error, "a record cannot be read, and is passed over");
                self.unreadable.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { found: Vec::new(), unreadable: 0 }
    }
}

impl Found {
    fn of(builds: Listed<Build>, pending: Listed<Request>) -> Self {
        let unreadable = builds.unreadable + pending.unreadable;
        Self { builds: builds.found, pending: pending.found, unreadable }
    }
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

impl Cursor {
    /// What a query finds from here on, the newest first.
    fn of(self, field: &str, query: Query) -> Option<Query> {
        let query = query.sort([&*format!("-{field}")]);
        match self {
            Self::Newest => Some(query),
            Self::Before(number) => Some(query.lt(field, number)),
            Self::End => None,
        }
    }
}
