//! What is asked for: each becomes a job.

use buildhub_core::web::header::LOCATION;
use buildhub_core::web::{HeaderName, Method, Response, StatusCode};
use serde::Serialize;

use super::fault::Fault;
use super::fields::Fields;
use super::find::{branch_of, unreadable};
use super::format::Format;
use super::read::revision_of;
use super::route::Place;
use super::{Api, Asked, origin};
use crate::access::{self, Person};
use crate::action::{Action, EXTRA_MAX, Kind, is_too_much};
use crate::builds::State;
use crate::config::{Branch, Snapshot};
use crate::jobs::{Asked as Taken, Job, JobsError};
use crate::work::{Message, RESERVED};

/// By which a client knows what it asked for again (IETF HTTPAPI, "The Idempotency-Key HTTP Header Field").
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in bytes.
const KEY_MAX: usize = 255;

/// What somebody wishes, with what it takes to judge it.
struct Wish {
    action: Action,
    /// Who owns all that it acts on.
    owners: Vec<String>,
    /// Why it cannot be now, if so.
    ruled_out: Option<&'static str>,
}

impl From<Action> for Wish {
    fn from(action: Action) -> Self {
        Self { action, owners: Vec::new(), ruled_out: None }
    }
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
        let wish = self.wish(asked, &snapshot, &branch, place).await?;
        self.allow(&person, &wish)?;
        match wish.ruled_out {
            Some(reason) => Err(Fault::bad(reason)),
            None => self.ask(asked, &person, wish.action).await,
        }
    }

    /// What is wished, if it makes sense, and what it is about is there.
    async fn wish(
        &self,
        asked: &Asked<'_>,
        snapshot: &Snapshot,
        branch: &Branch<'_>,
        place: Place,
    ) -> Result<Wish, Fault> {
        let fields = Fields::of(asked.request)?;
        let name = || branch.name.to_owned();
        let method = &asked.request.method;
        match place {
            Place::Request(id) if *method == Method::PUT => self.reprioritize(branch, &id, &fields).await,
            Place::Request(id) => {
                let brid = number(&id, "request_id")?;
                let request = self.request_of(branch, brid).await?;
                let owners = request.owner.into_iter().collect();
                Ok(Wish { owners, ..Action::CancelRequest { brid }.into() })
            }
            Place::Build(id) => {
                let bid = number(&id, "build_id")?;
                let build = self.build_of(branch, bid).await?;
                Ok(Wish { owners: build.owner.into_iter().collect(), ..Action::CancelBuild { bid }.into() })
            }
            Place::Builds => {
                let (bid, priority, count) = (fields.id("build_id")?, fields.priority()?, fields.count()?);
                self.build_of(branch, bid).await?;
                Ok(Action::RebuildBuild { bid, priority, count }.into())
            }
            Place::Requests => {
                let (brid, priority, count) = (fields.id("request_id")?, fields.priority()?, fields.count()?);
                self.request_of(branch, brid).await?;
                Ok(Action::RebuildRequest { brid, priority, count }.into())
            }
            Place::Revision(revision) if *method == Method::DELETE => {
                let revision = revision_of(&revision)?;
                Ok(Action::CancelRevision { branch: name(), revision }.into())
            }
            Place::Revision(revision) => {
                Ok(Action::NewBuildAtRevision { branch: name(), revision: revision_of(&revision)? }.into())
            }
            Place::Pgo(revision) => {
                let (revision, priority) = (revision_of(&revision)?, fields.priority()?);
                Ok(Action::NewPgobuildAtRevision { branch: name(), revision, priority }.into())
            }
            Place::Nightly(revision) => {
                let (revision, priority) = (revision_of(&revision)?, fields.priority()?);
                Ok(Action::NewNightlyAtRevision { branch: name(), revision, priority }.into())
            }
            Place::Builder(builder_name, revision) => {
                let (revision, priority) = (revision_of(&revision)?, fields.priority()?);
                let (properties, files) = (fields.properties()?, fields.files()?);
                if let Some(reserved) = RESERVED.into_iter().find(|name| properties.contains_key(*name)) {
                    return Err(Fault::bad(format!("Bad properties: {reserved:?} is the build system's own")));
                }
                if is_too_much(&properties, &files) {
                    let all = format!("properties and files are {EXTRA_MAX} bytes of JSON at most, together");
                    return Err(Fault::bad(format!("Bad properties: {all}")));
                }
                self.check_builder(snapshot, branch, &builder_name).await?;
                let branch = name();
                Ok(Action::NewBuildForBuilder { branch, revision, priority, builder_name, properties, files }.into())
            }
            Place::Day | Place::IsDone(_) | Place::Builders | Place::User(_) => {
                Err(Fault::missing("there is nothing to be asked for at this address"))
            }
        }
    }

    async fn reprioritize(&self, branch: &Branch<'_>, id: &str, fields: &Fields) -> Result<Wish, Fault> {
        let brid = number(id, "request_id")?;
        let priority = fields.given_priority()?;
        let priority = priority.ok_or_else(|| Fault::bad("Bad priority: it must be given"))?;
        let request = self.request_of(branch, brid).await?;
        let ruled_out = match request.state {
            State::Pending if request.claimed_at == 0 => None,
            State::Pending | State::Running => Some("Request is already running"),
            State::Complete => Some("Request already complete"),
        };
        let owners = request.owner.into_iter().collect();
        Ok(Wish { owners, ruled_out, ..Action::Reprioritize { brid, priority }.into() })
    }

    /// Whether a branch has a builder.
    async fn check_builder(&self, snapshot: &Snapshot, branch: &Branch<'_>, name: &str) -> Result<(), Fault> {
        let builders = snapshot.builders_of(branch, self.parts.backend.as_ref()).await;
        let builders = builders.map_err(|error| unreadable(&error))?;
        if builders.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Fault::missing(format!("Builder {name} not found on branch {}", branch.name)))
    }

    /// Refuses what somebody may not.
    fn allow(&self, person: &Person, wish: &Wish) -> Result<(), Fault> {
        let owners: Vec<&str> = wish.owners.iter().map(String::as_str).collect();
        let standing = self.settings.admins.standing(person, &owners);
        let kind = wish.action.kind();
        if access::may(kind, standing) {
            return Ok(());
        }
        tracing::warn!(who = person.name, action = ?wish.action, ?standing, "refused: who asks may not do that");
        Err(Fault::denied(match kind {
            Kind::CancelRevision => "ACCESS DENIED! Only an administrator may do that",
            _ => "ACCESS DENIED! Only its owner or an administrator may do that",
        }))
    }

    /// Keeps the job, and sends it on its way.
    async fn ask(&self, asked: &Asked<'_>, person: &Person, action: Action) -> Result<Response, Fault> {
        let key = key(asked)?;
        let kind = action.kind();
        let taken = self.parts.jobs.ask(action, &person.name, asked.now.as_second(), key).await;
        let job = match taken {
            Ok(Taken::New(job)) => {
                tracing::info!(job = job.number, who = person.name, ?kind, request = asked.request.id, "a job");
                job
            }
            Ok(Taken::Known(job)) => job,
            Ok(Taken::Otherwise) => {
                let message = "this Idempotency-Key was used for something else; take another one for something new";
                return Err(Fault::conflict(message));
            }
            Err(error) => return Err(unstored(&error)),
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
        if let Err(error) = self.parts.queue.send(vec![Message::outgoing(job, 0)]).await {
            tracing::warn!(job = job.number, %error, "a job waits for the sweep: its message cannot be sent");
        }
    }
}

fn unstored(error: &JobsError) -> Fault {
    Fault::unavailable("Couldn't create job: it may not be stored; ask again, with the same Idempotency-Key", error)
}

fn number(text: &str, name: &str) -> Result<u64, Fault> {
    text.parse().map_err(|_| Fault::bad(format!("Bad {name}: it is a whole number")))
}

fn key<'a>(asked: &Asked<'a>) -> Result<Option<&'a str>, Fault> {
    let Some(value) = asked.request.headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let text = value.to_str().ok().map(str::trim).filter(|text| (1..=KEY_MAX).contains(&text.len()));
    text.map(Some).ok_or_else(|| Fault::bad(format!("Bad Idempotency-Key: it is text of 1 to {KEY_MAX} characters")))
}
