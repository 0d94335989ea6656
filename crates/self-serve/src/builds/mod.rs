//! What is known of requests and builds: a projection of the build system, as records of a Kinto.
//!
//! | collection | record id | what |
//! |---|---|---|
//! | `requests` | the request's number | a [`Request`] |
//! | `builds` | the build's number | a [`Build`] |
//! | `counters` | `requests` | how far the build system's requests were read ([`refresh`]) |
//!
//! A build system answers by number only, or slowly; these answer by branch, revision, person, worker and day. They are
//! written by [`refresh::Refresher`] alone, from what the build system itself says.

pub mod refresh;
mod store;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::access::address;
use crate::action::Revision;
use crate::backend::{self, Outcome};

pub use store::{Builds, Cursor, Cursors, End, Found, OfUser};

/// How far a request or a build is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It waits: no build of it has begun, though the build system may have taken it.
    Pending,
    /// It is worked on.
    Running,
    /// It is over.
    Complete,
}

impl State {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Complete => "complete",
        }
    }
}

/// Asked-for work, in the shape that its users know. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub request_id: u64,
    /// What is built.
    pub buildername: String,
    /// The branch, as the build system has it: a branch's name, or its repository's path.
    pub branch: Option<String>,
    /// The revision, likewise.
    pub revision: Option<String>,
    /// When it was made.
    pub submittime: i64,
    /// 1 when it is over, else 0.
    pub complete: u8,
    /// When it was over.
    pub complete_at: Option<i64>,
    /// The higher one goes first.
    pub priority: i64,
    /// When the build system took it; 0 while it waits.
    pub claimed_at: i64,
    /// Why it was made.
    pub reason: String,
    /// Who asked for it, where somebody did.
    pub owner: Option<String>,
    /// The revision by its first twelve digits, where it is a hash.
    pub rev: Option<Revision>,
    /// How far it is.
    pub state: State,
    /// Its properties by name; lists do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub properties: Option<Map<String, Value>>,
    /// Its builds; lists do without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_ids: Option<Vec<u64>>,
    /// Whether it was over before any build of it began, as what is cancelled while it waits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbuilt: bool,
}

/// One attempt at a request, in the shape that its users know. Times are in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// Its number.
    pub build_id: u64,
    /// The request it is of, in a list. It is the request as it was when the build was last looked at.
    pub requests: Vec<Request>,
    /// Its number among those of its builder.
    pub buildnumber: u64,
    /// What is built.
    pub buildername: String,
    /// The branch, as the build system has it.
    pub branch: Option<String>,
    /// The revision, likewise.
    pub revision: Option<String>,
    /// When it began.
    pub starttime: i64,
    /// When it ended; nothing while it runs.
    pub endtime: Option<i64>,
    /// How it ended, by the number of its [`Outcome`]; -1 while it runs.
    pub status: i64,
    /// Who builds it: the worker's name.
    pub claimed_by_name: Option<String>,
    /// Which master has it built.
    #[serde(default)]
    pub master: Option<String>,
    /// Who asked for it, where somebody did.
    pub owner: Option<String>,
    /// The revision by its first twelve digits, where it is a hash.
    pub rev: Option<Revision>,
    /// How far it is.
    pub state: State,
}

/// The status of a build that runs.
pub const NO_STATUS: i64 = -1;

impl Request {
    /// A request as the build system has it, with its builds. One that nobody asked for by hand is its change's author's,
    /// who stays the same; where that is not known, whoever its builds name.
    pub fn of(request: &backend::Request, builds: &[backend::Build]) -> Self {
        let state = match (request.completed, request.claimed) {
            (Some(_), _) => State::Complete,
            // Taken, and about to begin: it is in a list of those that wait, or in none.
            (None, Some(_)) if !builds.is_empty() => State::Running,
            (None, _) => State::Pending,
        };
        Self {
            request_id: request.id,
            buildername: request.builder.clone(),
            branch: request.branch.clone(),
            revision: request.revision.clone(),
            submittime: request.submitted,
            complete: u8::from(request.completed.is_some()),
            complete_at: request.completed,
            priority: request.priority,
            claimed_at: request.claimed.unwrap_or(0),
            reason: request.reason.clone(),
            owner: owner(&request.properties)
                .or_else(|| request.author.as_deref().map(|author| address(author).to_owned()))
                .or_else(|| builds.iter().find_map(|build| owner(&build.properties))),
            rev: request.revision.as_deref().and_then(|revision| revision.parse().ok()),
            state,
            properties: Some(request.properties.clone()),
            build_ids: Some(builds.iter().map(|build| build.id).collect()),
            unbuilt: request.completed.is_some() && builds.is_empty(),
        }
    }

    /// The same, as lists have it.
    #[must_use]
    pub fn listed(&self) -> Self {
        Self { properties: None, build_ids: None, ..self.clone() }
    }
}

impl Build {
    /// A build as the build system has it, of a request.
    pub fn of(build: &backend::Build, request: &Request) -> Self {
        // What runs has the result of a step that failed already: it is none yet.
        let status = build.ended.and(build.result).map_or(NO_STATUS, |outcome| i8::from(outcome).into());
        Self {
            build_id: build.id,
            requests: vec![request.listed()],
            buildnumber: build.number,
            buildername: build.builder.clone(),
            branch: request.branch.clone(),
            revision: request.revision.clone(),
            starttime: build.started,
            endtime: build.ended,
            status,
            claimed_by_name: build.worker.clone(),
            master: build.master.clone(),
            owner: request.owner.clone(),
            rev: request.rev.clone(),
            state: if build.ended.is_some() { State::Complete } else { State::Running },
        }
    }

    /// How it ended; nothing while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        Outcome::of(self.status)
    }
}

/// Who asked for what has these properties: the `owner`, or an author of what it is of (`owners`). That somebody told of a
/// change (`requester`) says nothing: what is made of the same revision has that property too, also what others pushed. Authors
/// are called by their addresses, as those are who sign in.
fn owner(properties: &Map<String, Value>) -> Option<String> {
    let first = |property| properties.get(property).map(|value| value.get(0).unwrap_or(value));
    let mut people = ["owner", "owners"].into_iter().filter_map(first).filter_map(Value::as_str);
    people.find(|name| !name.is_empty()).map(|name| address(name).to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> backend::Request {
        backend::Request {
            id: 7,
            builder: "try linux64 build".to_owned(),
            branch: Some("try".to_owned()),
            revision: Some("ABCDEF0123456789".to_owned()),
            repository: String::new(),
            reason: "because".to_owned(),
            priority: 3,
            submitted: 100,
            claimed: Some(110),
            completed: None,
            author: None,
            properties: json!({ "owner": "alice", "x": 1 }).as_object().unwrap().clone(),
        }
    }

    #[test]
    fn a_request_and_a_build_read_as_their_users_know_them() {
        let build = backend::Build {
            id: 9,
            request: 7,
            builder: "try linux64 build".to_owned(),
            number: 2,
            started: 111,
            ended: Some(120),
            result: Some(Outcome::Failure),
            worker: Some("w1".to_owned()),
            master: Some("m1".to_owned()),
            properties: Map::new(),
        };
        let known = Request::of(&request(), std::slice::from_ref(&build));
        let listed = json!({
            "request_id": 7, "buildername": "try linux64 build", "branch": "try", "revision": "ABCDEF0123456789",
            "submittime": 100, "complete": 0, "complete_at": null, "priority": 3, "claimed_at": 110, "reason": "because",
            "owner": "alice", "rev": "abcdef012345", "state": "running",
        });
        let mut detail = listed.clone();
        detail["properties"] = json!({ "owner": "alice", "x": 1 });
        detail["build_ids"] = json!([9]);
        assert_eq!(serde_json::to_value(&known).unwrap(), detail);
        let expected = json!({
            "build_id": 9, "requests": [listed], "buildnumber": 2, "buildername": "try linux64 build", "branch": "try",
            "revision": "ABCDEF0123456789", "starttime": 111, "endtime": 120, "status": 2, "claimed_by_name": "w1", "master": "m1",
            "owner": "alice", "rev": "abcdef012345", "state": "complete",
        });
        assert_eq!(serde_json::to_value(Build::of(&build, &known)).unwrap(), expected);
        let running = backend::Build { ended: None, ..build };
        let running = Build::of(&running, &known);
        assert_eq!((running.status, running.state, running.outcome()), (-1, State::Running, None));
    }

    #[test]
    fn what_was_taken_waits_until_its_build_begins_and_what_was_over_before_is_marked() {
        let claimed = request();
        assert_eq!((Request::of(&claimed, &[]).state, Request::of(&claimed, &[]).unbuilt), (State::Pending, false));
        let over = backend::Request { completed: Some(120), ..claimed };
        let over = Request::of(&over, &[]);
        assert_eq!((over.state, over.unbuilt), (State::Complete, true));
        assert_eq!(serde_json::to_value(&over).unwrap()["unbuilt"], true);
    }

    #[test]
    fn what_follows_from_a_change_is_its_authors() {
        let mut request = request();
        let mut owner_of = |properties: Value| {
            request.properties = properties.as_object().unwrap().clone();
            Request::of(&request, &[]).owner
        };
        assert_eq!(owner_of(json!({ "owners": ["bob <b@example.com>"] })).as_deref(), Some("b@example.com"));
        assert_eq!(owner_of(json!({ "owners": ["x"], "requester": "carol" })).as_deref(), Some("x"));
        assert_eq!(owner_of(json!({ "owner": "", "owners": [] })), None);
        for (author, owner) in [("dave", "dave"), ("Dave D. <d@example.com>", "d@example.com")] {
            request.author = Some(author.to_owned());
            assert_eq!(Request::of(&request, &[]).owner.as_deref(), Some(owner), "before it is built");
        }
    }
}
