//! What is asked for: each becomes a job.

use std::time::Duration;

use buildhub_core::web::header::LOCATION;
use buildhub_core::web::{HeaderName, Method, Response, StatusCode};
use serde::Serialize;

use super::fault::Fault;
use super::fields::Fields;
use super::find::{branch_of, name_of, number_of, short, unreadable};
use super::format::Format;
use super::read::revision_of;
use super::route::Place;
use super::{Api, Asked, origin};
use crate::access::{self, Person};
use crate::action::{Action, EXTRA_MAX, Kind, is_too_much};
use crate::builds::State;
use crate::config::{Branch, Snapshot};
use crate::jobs::{Asked as Taken, Job, JobsError};
use crate::work::{Message, is_reserved};

/// By which a client knows what it asked for again (IETF HTTPAPI, "The Idempotency-Key HTTP Header Field").
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const KEY_MAX: usize = 255;
/// How long an answer waits for the queue: what is asked for is stored, and a sweep sends it where this did not.
const SENDING: Duration = Duration::from_secs(2);

/// What is known of that which something is asked for about.
#[derive(Default)]
struct Object {
    /// Who owns it.
    owners: Vec<String>,
    /// Why what is asked for cannot be now, if so.
    ruled_out: Option<&'static str>,
}

#[derive(Serialize)]
struct Accepted {
    status: &'static str,
    request_id: u64,
}

impl Api {
    pub(super) async fn write(&self, asked: &Asked<'_>, name: &str, place: Place) -> Result<Response, Fault> {
        if !origin::is_own(asked.request, self.settings.address.as_ref()) {
            return Err(Fault::denied("a page of another site asked for this; ask from a page of this one"));
        }
        let nobody = || Fault::nobody("ACCESS DENIED! It is not known who asks; sign in first");
        let person = self.person(asked)?.ok_or_else(nobody)?;
        let snapshot = self.snapshot().await?;
        let branch = branch_of(&snapshot, name)?;
        let action = action(&asked.request.method, &branch, place, &Fields::of(asked.request)?)?;
        let key = key(asked)?;
        // What was answered before is answered again, whatever became of that which it was about.
        if let Some(key) = key {
            let known = self.parts.jobs.known(&action, &person.name, key).await.map_err(|error| unstored(&error))?;
            if let Some(known) = known {
                return self.taken(asked, &person, known).await;
            }
        }
        let object = self.object(&snapshot, &branch, &action).await?;
        self.allow(&person, &action, &object)?;
        if let Some(reason) = object.ruled_out {
            return Err(Fault::bad(reason));
        }
        let taken = self.parts.jobs.ask(action, &person.name, asked.now.as_second(), key).await;
        self.taken(asked, &person, taken.map_err(|error| unstored(&error))?).await
    }

    /// What an action is about, if it is there.
    async fn object(&self, snapshot: &Snapshot, branch: &Branch<'_>, action: &Action) -> Result<Object, Fault> {
        match action {
            Action::Reprioritize { brid, .. } => {
                let request = self.request_of(branch, *brid).await?;
                let ruled_out = match request.state {
                    State::Pending if request.claimed_at == 0 => None,
                    State::Pending | State::Running => Some("Request is already running"),
                    State::Complete => Some("Request already complete"),
                };
                Ok(Object { owners: request.owner.into_iter().collect(), ruled_out })
            }
            Action::CancelRequest { brid } | Action::RebuildRequest { brid, .. } => {
                let request = self.request_of(branch, *brid).await?;
                Ok(Object { owners: request.owner.into_iter().collect(), ruled_out: None })
            }
            Action::CancelBuild { bid } | Action::RebuildBuild { bid, .. } => {
                let build = self.build_of(branch, *bid).await?;
                Ok(Object { owners: build.owner.into_iter().collect(), ruled_out: None })
            }
            Action::NewBuildForBuilder { builder_name, .. } => {
                self.check_builder(snapshot, branch, builder_name).await?;
                Ok(Object::default())
            }
            Action::CancelRevision { .. }
            | Action::NewBuildAtRevision { .. }
            | Action::NewNightlyAtRevision { .. }
            | Action::NewPgobuildAtRevision { .. } => Ok(Object::default()),
        }
    }

    /// Whether a branch has a builder.
    async fn check_builder(&self, snapshot: &Snapshot, branch: &Branch<'_>, name: &str) -> Result<(), Fault> {
        let builders = snapshot.builders_of(branch, self.parts.backend.as_ref()).await;
        let builders = builders.map_err(|error| unreadable(&error))?;
        if builders.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Fault::missing(format!("Builder {} not found on branch {}", short(name), branch.name)))
    }

    /// Refuses what somebody may not.
    fn allow(&self, person: &Person, action: &Action, object: &Object) -> Result<(), Fault> {
        let owners: Vec<&str> = object.owners.iter().map(String::as_str).collect();
        let standing = self.settings.admins.standing(person, &owners);
        let kind = action.kind();
        if access::may(kind, standing) {
            return Ok(());
        }
        tracing::warn!(who = person.name, ?action, ?standing, "refused: who asks may not do that");
        Err(Fault::denied(match kind {
            Kind::CancelRevision => "ACCESS DENIED! Only an administrator may do that",
            _ => "ACCESS DENIED! Only its owner or an administrator may do that",
        }))
    }

    /// Sends a job on its way that is kept, and says which one it is.
    async fn taken(&self, asked: &Asked<'_>, person: &Person, taken: Taken) -> Result<Response, Fault> {
        let job = match taken {
            Taken::New(job) => {
                let kind = job.action.kind();
                tracing::info!(job = job.number, who = person.name, ?kind, request = asked.request.id, "a job");
                job
            }
            Taken::Known(job) => job,
            Taken::Otherwise => {
                let message = "this Idempotency-Key was used for something else; take another one for something new";
                return Err(Fault::conflict(message));
            }
        };
        if job.is_open() {
            self.send(&job).await;
        }
        let path = format!("/self-serve/jobs/{}", job.number);
        Ok(match asked.format {
            Format::Json => {
                let accepted = Accepted { status: "OK", request_id: job.number };
                Response::json(StatusCode::ACCEPTED, &accepted).with(LOCATION, &asked.request.absolute(&path))
            }
            Format::Html => Response::empty(StatusCode::FOUND).with(LOCATION, &format!("{}{path}", asked.request.base)),
        })
    }

    /// A job that cannot be sent now is sent by the agent's sweep: it is stored.
    async fn send(&self, job: &Job) {
        let sending = self.parts.queue.send(vec![Message::outgoing(job, 0)]);
        let error = match tokio::time::timeout(SENDING, sending).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the queue has not taken it within {SENDING:?}"),
        };
        tracing::warn!(job = job.number, error, "a job waits for the sweep: its message cannot be sent");
    }
}

fn unstored(error: &JobsError) -> Fault {
    Fault::unavailable("Couldn't create job: it may not be stored; ask again, with the same Idempotency-Key", error)
}

/// What is asked for, if it makes sense.
fn action(method: &Method, branch: &Branch<'_>, place: Place, fields: &Fields) -> Result<Action, Fault> {
    let branch = branch.name.to_owned();
    Ok(match place {
        Place::Request(id) if *method == Method::PUT => {
            let brid = number(&id, "request_id")?;
            let priority = fields.given_priority()?;
            let priority = priority.ok_or_else(|| Fault::bad("Bad priority: it must be given"))?;
            Action::Reprioritize { brid, priority }
        }
        Place::Request(id) => Action::CancelRequest { brid: number(&id, "request_id")? },
        Place::Build(id) => Action::CancelBuild { bid: number(&id, "build_id")? },
        Place::Builds => {
            Action::RebuildBuild { bid: fields.id("build_id")?, priority: fields.priority()?, count: fields.count()? }
        }
        Place::Requests => {
            let brid = fields.id("request_id")?;
            Action::RebuildRequest { brid, priority: fields.priority()?, count: fields.count()? }
        }
        Place::Revision(revision) if *method == Method::DELETE => {
            Action::CancelRevision { branch, revision: revision_of(&revision)? }
        }
        Place::Revision(revision) => Action::NewBuildAtRevision { branch, revision: revision_of(&revision)? },
        Place::Pgo(revision) => {
            let revision = revision_of(&revision)?;
            Action::NewPgobuildAtRevision { branch, revision, priority: fields.priority()? }
        }
        Place::Nightly(revision) => {
            let revision = revision_of(&revision)?;
            Action::NewNightlyAtRevision { branch, revision, priority: fields.priority()? }
        }
        Place::Builder(builder_name, revision) => {
            let (revision, priority) = (revision_of(&revision)?, fields.priority()?);
            let (properties, files) = (fields.properties()?, fields.files()?);
            name_of("builder", &builder_name)?;
            if let Some(reserved) = properties.keys().find(|name| is_reserved(name)) {
                return Err(Fault::bad(format!("Bad properties: {reserved:?} is the build system's own")));
            }
            if is_too_much(&properties, &files) {
                let all = format!("properties and files are {EXTRA_MAX} bytes of JSON at most, together");
                return Err(Fault::bad(format!("Bad properties: {all}")));
            }
            Action::NewBuildForBuilder { branch, revision, priority, builder_name, properties, files }
        }
        // Their only method is `GET`, which the door has seen to.
        Place::Day | Place::IsDone(_) | Place::Builders | Place::User(_) => {
            return Err(Fault::missing("there is nothing to be asked for at this address"));
        }
    })
}

fn number(text: &str, name: &str) -> Result<u64, Fault> {
    number_of(text).ok_or_else(|| Fault::bad(format!("Bad {name}: it is a whole number")))
}

/// The key that is shown, if one is.
fn key<'a>(asked: &Asked<'a>) -> Result<Option<&'a str>, Fault> {
    let mut shown = asked.request.headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = shown.next() else { return Ok(None) };
    let wrong = || {
        let what = format!("1 to {KEY_MAX} letters, digits and signs of ASCII");
        Fault::bad(format!("Bad Idempotency-Key: it is given once, and is {what}"))
    };
    let text = value.to_str().map_err(|_| wrong())?.trim();
    let is_key =
        (1..=KEY_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if is_key && shown.next().is_none() { Ok(Some(text)) } else { Err(wrong()) }
}
