//! How the projection is kept true.
//!
//! What tells of a build is a hint and no more: the request it names is read from the build system, and written as it is
//! there. So hints may come twice, late, in any order, or be lies. What no hint tells of, [`Refresher::reconcile`] finds.
//!
//! Of two who write one request at the same time the later *reading* wins, not the later writing: each writes on condition
//! that nobody wrote since before it asked the build system. A build that was seen to be over is never written as running.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_kinto::{Collection, Condition, Decision, Deletion, Fault, KintoError, Outcome, Query, Stored, Upserted};
use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::store::{LISTED, Listed};
use super::{Build, Builds, Request, State};
use crate::backend::{self, Backend, BackendError};

/// How often a request is read again because somebody else wrote it meanwhile.
const ATTEMPTS: u32 = 8;
/// How long a build system may take to say that a request is over whose build has ended.
const LOOKS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(800)];
/// Requests refreshed in one turn: of those that are open, and of those that are new; and at the same time.
const OPEN_MAX: usize = 300;
const NEW_MAX: usize = 500;
const PARALLEL: usize = 4;
/// New requests asked for at a time.
const PAGE: usize = 100;
/// Open requests that a turn knows of at most.
const KNOWN_MAX: usize = 20_000;
/// With less time than this nothing more is begun.
const LEAST: Duration = Duration::from_secs(5);
/// The record that says how far the build system's requests were read.
const MARK: &str = "requests";

/// Keeps the projection true.
#[derive(Debug, Clone)]
pub struct Refresher {
    builds: Builds,
    backend: Arc<dyn Backend>,
}

/// What a turn of reconciliation did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Reconciled {
    /// Requests that were open, and not as the projection had them.
    pub refreshed: u64,
    /// Requests that the projection did not know.
    pub new: u64,
    /// What could not be read or written, each with its reason in the log.
    pub faults: u64,
    /// Whether there is more to do than one turn does.
    pub is_partial: bool,
}

/// Why a request could not be refreshed.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The build system does not say.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The store does not answer, or not as it should.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// The store does not take a record.
    #[error("the store refuses {what}: {fault}; does its collection have another schema?")]
    Refused {
        /// Which record.
        what: String,
        /// What it says.
        fault: Box<Fault>,
    },
    /// Others kept writing the request.
    #[error("others wrote request {0} each time it had been read")]
    Contended(u64),
    /// What is said of a build names no request.
    #[error(
        "an event that names no request: it must have a number buildrequestid, as Buildbot's HttpStatusPush sends it"
    )]
    Event,
}

impl RefreshError {
    /// Whether the same may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Backend(error) => error.is_transient(),
            Self::Kinto(error) => error.is_transient(),
            Self::Contended(_) => true,
            Self::Refused { .. } | Self::Event => false,
        }
    }
}

/// What became of some requests.
#[derive(Debug, Default)]
struct Turn {
    refreshed: u64,
    faults: u64,
    /// Whether time was over before all of them had their turn.
    is_cut_short: bool,
}

/// How far requests were read.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Mark {
    last: u64,
}

/// What there is to compare of an open request.
#[derive(Debug, Deserialize)]
struct Known {
    request_id: u64,
    priority: i64,
    claimed_at: i64,
    #[serde(default)]
    build_ids: Vec<u64>,
}

impl From<Request> for Known {
    fn from(request: Request) -> Self {
        let Request { request_id, priority, claimed_at, build_ids, .. } = request;
        Self { request_id, priority, claimed_at, build_ids: build_ids.unwrap_or_default() }
    }
}

impl Known {
    /// Whether it is what the build system has, as far as that can be told from the request alone. One that was claimed has
    /// a build, or will have one at once.
    fn is(&self, request: &backend::Request) -> bool {
        let claimed = request.claimed.unwrap_or(0);
        let is_begun = claimed == 0 || !self.build_ids.is_empty();
        self.priority == request.priority && self.claimed_at == claimed && is_begun
    }
}

impl Refresher {
    /// Of these builds, by this build system.
    pub fn new(builds: Builds, backend: Arc<dyn Backend>) -> Self {
        Self { builds, backend }
    }

    /// Takes a hint: the JSON of a build, as it began or ended. Nothing of it is believed but which request it is about;
    /// that one as it is now, if there is one.
    pub async fn event(&self, event: &Value) -> Result<Option<Request>, RefreshError> {
        let id = event.get("buildrequestid").and_then(Value::as_u64).ok_or(RefreshError::Event)?;
        let mut known = self.refresh(id).await?;
        // A build system says that a build is over before it says so of its request.
        for wait in LOOKS {
            let is_about_to_be = match &known {
                Some(request) if request.state == State::Running => self.is_built(request).await?,
                _ => false,
            };
            if !is_about_to_be {
                break;
            }
            tokio::time::sleep(wait).await;
            known = self.refresh(id).await?;
        }
        Ok(known)
    }

    async fn is_built(&self, request: &Request) -> Result<bool, KintoError> {
        let Some(last) = request.build_ids.iter().flatten().max() else { return Ok(false) };
        let build = self.builds.records.get::<Build>(&last.to_string()).await?;
        Ok(build.is_some_and(|stored| stored.data.state == State::Complete))
    }

    /// Writes a request and its builds as the build system has them now, where they are not so already. Nothing is kept of
    /// an open request that the build system does not have.
    pub async fn refresh(&self, id: u64) -> Result<Option<Request>, RefreshError> {
        let name = id.to_string();
        for _ in 0..ATTEMPTS {
            // First what stands there, then what should: whoever writes in between is noticed.
            let stored = self.builds.requests.get::<Value>(&name).await?;
            let Some(request) = self.backend.request(id).await? else {
                if self.forget(&name, stored).await? {
                    return Ok(None);
                }
                continue;
            };
            let builds = self.backend.builds_of(id).await?;
            let request = Request::of(&request, &builds);
            for build in &builds {
                self.write_build(&Build::of(build, &request)).await?;
            }
            let known = stored.as_ref().and_then(|stored| Request::deserialize(&stored.data).ok());
            if known.as_ref() == Some(&request) {
                return Ok(Some(request));
            }
            let condition = stored.map_or(Condition::IfNoneMatch, |stored| Condition::IfMatch(stored.last_modified));
            match self.builds.requests.put(&name, &request, condition).await? {
                Outcome::Stored { .. } => return Ok(Some(request)),
                Outcome::Conflict { .. } => {}
                Outcome::Refused(fault) => return Err(refused(format!("request {id}"), fault)),
            }
        }
        Err(RefreshError::Contended(id))
    }

    /// Removes what the build system does not have, unless it is history; whether that is done.
    async fn forget(&self, name: &str, stored: Option<Stored<Value>>) -> Result<bool, RefreshError> {
        let Some(stored) = stored else { return Ok(true) };
        let known = Request::deserialize(&stored.data).ok();
        if known.as_ref().is_some_and(|request| request.state == State::Complete) {
            return Ok(true);
        }
        tracing::warn!(request = name, "the build system does not know an open request: it is forgotten");
        for build in known.and_then(|request| request.build_ids).unwrap_or_default() {
            let _gone = self.builds.records.delete(&build.to_string(), Condition::None).await?;
        }
        let deletion = self.builds.requests.delete(name, Condition::IfMatch(stored.last_modified)).await?;
        Ok(!matches!(deletion, Deletion::Conflict { .. }))
    }

    /// Writes a build, unless what stands there is the same or newer.
    async fn write_build(&self, build: &Build) -> Result<(), RefreshError> {
        let decide = |stored: Option<&Stored<Value>>| match stored.map(|stored| Build::deserialize(&stored.data)) {
            Some(Ok(known)) if known == *build || age(&known) > age(build) => Decision::Keep,
            _ => Decision::Write(build),
        };
        match self.builds.records.upsert(&build.build_id.to_string(), decide).await? {
            Upserted::Refused(fault) => Err(refused(format!("build {}", build.build_id), fault)),
            Upserted::Written { .. } | Upserted::Kept => Ok(()),
        }
    }

    /// A turn of looking for what no hint told of: what is open, there or here, and what is new. Bounded; the next turn
    /// goes on. An error only where the build system or the store cannot be asked at all.
    pub async fn reconcile(&self, deadline: Deadline) -> Result<Reconciled, RefreshError> {
        let mut done = Reconciled::default();
        self.reconcile_open(deadline, &mut done).await?;
        self.reconcile_new(deadline, &mut done).await?;
        done.faults += self.builds.take_unreadable();
        Ok(done)
    }

    /// Looks for new requests alone, as a turn does: somebody has just asked for some, and does not know their numbers.
    pub async fn find_new(&self, deadline: Deadline) -> Result<(), RefreshError> {
        self.reconcile_new(deadline, &mut Reconciled::default()).await
    }

    async fn reconcile_open(&self, deadline: Deadline, done: &mut Reconciled) -> Result<(), RefreshError> {
        // First here, then there: what is made meanwhile is not taken for something that was lost.
        let known = self.open().await?;
        let open = self.backend.open_requests().await?;
        let mut stale: BTreeSet<u64> = known.keys().copied().collect();
        for request in &open {
            stale.remove(&request.id);
            if !known.get(&request.id).is_some_and(|known| known.is(request)) {
                stale.insert(request.id);
            }
        }
        let mut stale: Vec<_> = stale.into_iter().collect();
        // Should the first ones fail each time, the others have their turn all the same.
        let start = fastrand::usize(..stale.len().max(1));
        stale.rotate_left(start);
        done.is_partial |= stale.len() > OPEN_MAX;
        stale.truncate(OPEN_MAX);
        let turn = self.refresh_all(stale, deadline).await?;
        done.refreshed += turn.refreshed;
        done.faults += turn.faults;
        done.is_partial |= turn.is_cut_short;
        Ok(())
    }

    async fn reconcile_new(&self, deadline: Deadline, done: &mut Reconciled) -> Result<(), RefreshError> {
        let mark = self.builds.counters.get::<Mark>(MARK).await?.map_or(0, |stored| stored.data.last);
        let mut last = mark;
        for _ in 0..NEW_MAX / PAGE {
            let new = self.backend.requests_since(last, PAGE).await?;
            let (Some(highest), is_last) = (new.iter().max().copied(), new.len() < PAGE) else { return Ok(()) };
            let known = self.known(last, highest).await?;
            let new = new.into_iter().filter(|id| !known.contains(id)).collect();
            let turn = self.refresh_all(new, deadline).await?;
            done.new += turn.refreshed;
            done.faults += turn.faults;
            if turn.is_cut_short {
                // The page is read again.
                break;
            }
            last = highest;
            self.advance(last).await?;
            if is_last {
                return Ok(());
            }
        }
        done.is_partial = true;
        Ok(())
    }

    /// Those of a page of requests that are known: they are over, or among the open ones.
    async fn known(&self, after: u64, last: u64) -> Result<BTreeSet<u64>, KintoError> {
        let query = Query::new().gt("request_id", after).max("request_id", last).sort(["request_id"]);
        let query = query.fields(["request_id", "priority", "claimed_at"]);
        let known: Listed<Known> = self.builds.list(&self.builds.requests, query, PAGE).await?;
        Ok(known.found.into_iter().map(|known| known.request_id).collect())
    }

    /// Refreshes each, several at a time. Where the build system or the store can be asked no more, that is the error; one
    /// record that cannot be written takes no other with it.
    async fn refresh_all(&self, ids: Vec<u64>, deadline: Deadline) -> Result<Turn, RefreshError> {
        let mut turn = Turn::default();
        let each = ids
            .into_iter()
            .map(|id| async move { if deadline.is_within(LEAST) { None } else { Some((id, self.refresh(id).await)) } });
        let mut each = stream::iter(each).buffer_unordered(PARALLEL);
        while let Some(refreshed) = each.next().await {
            match refreshed {
                None => turn.is_cut_short = true,
                Some((_, Ok(_))) => turn.refreshed += 1,
                Some((_, Err(error))) if error.is_transient() => return Err(error),
                Some((request, Err(error))) => {
                    tracing::error!(request, %error, "a request cannot be brought up to date");
                    turn.faults += 1;
                }
            }
        }
        Ok(turn)
    }

    /// The open requests of the projection.
    async fn open(&self) -> Result<BTreeMap<u64, Known>, KintoError> {
        let mut known = BTreeMap::new();
        for state in [State::Pending, State::Running] {
            let query = Query::new().eq("state", state.name()).sort(["request_id"]);
            // Whole, as whoever lists them needs them: what cannot be read is not known, and so written again.
            let query = query.fields(LISTED.into_iter().chain(["build_ids"]));
            let listed: Listed<Request> = self.builds.list(&self.builds.requests, query, KNOWN_MAX).await?;
            known.extend(listed.found.into_iter().map(|request| (request.request_id, Known::from(request))));
        }
        Ok(known)
    }

    /// Remembers how far requests were read. It never goes back.
    async fn advance(&self, last: u64) -> Result<(), RefreshError> {
        let counters: &Collection = &self.builds.counters;
        let decide = |stored: Option<&Stored<Value>>| {
            let known = stored.and_then(|stored| stored.data.get("last")).and_then(Value::as_u64).unwrap_or(0);
            if known < last { Decision::Write(json!(Mark { last })) } else { Decision::Keep }
        };
        match counters.upsert(MARK, decide).await? {
            Upserted::Refused(fault) => Err(refused(format!("the counter {MARK}"), fault)),
            Upserted::Written { .. } | Upserted::Kept => Ok(()),
        }
    }
}

/// How far a build is, and then its request: what is less is older.
fn age(build: &Build) -> (bool, bool) {
    let request = build.requests.first().is_some_and(|request| request.state == State::Complete);
    (build.state == State::Complete, request)
}

fn refused(what: String, fault: Fault) -> RefreshError {
    RefreshError::Refused { what, fault: Box::new(fault) }
}
