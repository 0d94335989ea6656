//! The REST API: what there is of builds, and what is asked of them, as the users of self-serve know it.
//!
//! Addresses, fields and statuses are the original's (its specification's tables); each is a page for a person and JSON for a
//! program. Reading asks the projection and the jobs, never the build system, so that it goes on while a master is down. What
//! is asked for is a job: once it is stored, the answer is 202, and it will be carried out.
//!
//! An answer to who asks for something is, in this order: 403 to a page of another site; 401 to nobody; 404 for a branch;
//! 400 for what does not make sense; the first answer to whoever asks again with a key, and 409 for a key that was used for
//! something else; 404 for an object; 403 to whom the table of [`access`](crate::access) refuses it; 400 where the object's
//! state rules it out; 202. It is 503 wherever the store does not answer, or not in time.
//!
//! | module | holds |
//! |---|---|
//! | `route` | what an address means |
//! | `format`, `fields`, `fault` | what an answer is written as, what a body says, refusals |
//! | `origin` | pages of other sites |
//! | `read`, `find` | builds, requests, branches, jobs |
//! | `paging` | lists that are longer than one answer |
//! | `write` | what is asked for |
//! | `events` | what a master tells |
//! | `report` | waits, what waits and what runs |
//! | `page` | the same, for a person |

mod events;
mod fault;
mod fields;
mod find;
mod format;
mod origin;
mod page;
mod paging;
mod read;
mod report;
mod route;
mod write;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::Deadline;
use buildhub_core::queue::SharedQueue;
use buildhub_core::web::header::{ALLOW, CACHE_CONTROL, LOCATION};
use buildhub_core::web::{Cors, Door, Handler, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use url::Url;

use crate::access::{Admins, Person};
use crate::backend::Backend;
use crate::builds::Builds;
use crate::builds::refresh::Refresher;
use crate::config::Documents;
use crate::identity::IdentitySource;
use crate::jobs::Jobs;
use fault::Fault;
use fields::Fields;
use format::Format;
use route::Route;

pub use events::{EventsLogin, EventsLoginError};

/// How much of the time that there is belongs to telling that it was not enough.
const FOR_AN_ANSWER: Duration = Duration::from_secs(2);
/// How long who asks from a socket is kept waiting.
const PATIENCE: Duration = Duration::from_mins(1);

/// What the API is told by its operator.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// Who says who asks.
    pub identity: IdentitySource,
    /// Who administrates.
    pub admins: Admins,
    /// What a master shows that tells of builds; without it, nobody may.
    pub events: Option<EventsLogin>,
    /// Where a day begins.
    pub zone: TimeZone,
    /// Origins whose scripts may read the answers.
    pub origins: Vec<String>,
    /// The API's address as its users have it; `None`: the one that was asked.
    pub address: Option<Url>,
}

/// What the API stands on.
#[derive(Debug, Clone)]
pub struct Parts {
    /// What was asked for.
    pub jobs: Jobs,
    /// What is known of builds.
    pub builds: Builds,
    /// The build system, for what is not known yet.
    pub backend: Arc<dyn Backend>,
    /// Branches, builders, masters.
    pub documents: Arc<Documents>,
    /// Where jobs go.
    pub queue: SharedQueue,
}

/// The API.
#[derive(Debug)]
pub struct Api {
    settings: ApiSettings,
    parts: Parts,
    refresher: Refresher,
    door: Door,
}

/// A request, as all of its handlers see it.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    request: &'a Request,
    format: Format,
    now: Timestamp,
}

impl Asked<'_> {
    /// A parameter of the query.
    fn parameter(&self, name: &str) -> Option<&str> {
        self.request.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number, from 0 to `most`.
    fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Fault> {
        let Some(text) = self.parameter(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| *number <= most);
        number.ok_or_else(|| Fault::bad(format!("Bad {name}: it is a whole number from 0 to {most}")))
    }
}

impl Api {
    /// The API with these settings.
    pub fn new(settings: ApiSettings, parts: Parts) -> Self {
        let refresher = Refresher::new(parts.builds.clone(), Arc::clone(&parts.backend));
        let door = Door::new(Cors::new(settings.origins.clone()));
        Self { settings, parts, refresher, door }
    }

    /// Answers a request. Where that takes longer than there is time for, the answer is 503.
    pub async fn answer(&self, request: &Request, now: Timestamp, deadline: Deadline) -> Response {
        let request = self.as_its_users_have_it(request);
        let segments = request.segments();
        if let [.., last] = segments.as_slice()
            && last.is_empty()
            && segments.len() > 1
        {
            return moved(&request);
        }
        let route = Route::of(&segments);
        let methods = route.as_ref().map_or(&[Method::GET][..], Route::methods);
        let (request, is_meant) = meant(request);
        let handle = async {
            let format = Format::of(&request);
            let asked = |format| Asked { request: &request, format, now };
            let answered = match (format, route) {
                (Err(unknown), _) => Err(Fault::bad(format!("Bad format: {:?} is neither json nor html", unknown.0))),
                (Ok(_), None) => {
                    Err(Fault::missing("there is nothing at this address; /self-serve says what there is"))
                }
                (Ok(format), Some(route)) => {
                    let asked = asked(format);
                    let answer = async {
                        is_meant?;
                        Box::pin(self.route(&asked, route)).await
                    };
                    deadline.allow(FOR_AN_ANSWER, answer).await.unwrap_or_else(|| Err(late(&request)))
                }
            };
            answered.unwrap_or_else(|fault| {
                let person = self.settings.identity.person(&request, now).ok().flatten();
                tracing::info!(
                    request = request.id,
                    who = person.map(|person| person.name),
                    method = %request.method,
                    path = request.path,
                    status = fault.status().as_u16(),
                    reason = %fault,
                    "refused"
                );
                fault.response(&request)
            })
        };
        let answer = self.door.answer(&request, methods, handle).await;
        let answer =
            if answer.status == StatusCode::METHOD_NOT_ALLOWED { in_our_words(&request, answer) } else { answer };
        answer.with(CACHE_CONTROL, "no-store")
    }

    /// The request, at the address that its users have, where that is set: a domain of one's own may lead here, and what is
    /// asked does not say so.
    fn as_its_users_have_it(&self, request: &Request) -> Request {
        let mut request = request.clone();
        if let Some(address) = &self.settings.address {
            let port = address.port().map_or_else(String::new, |port| format!(":{port}"));
            request.host = format!("{}{port}", address.host_str().unwrap_or_default());
            request.scheme = if address.scheme() == "http" { "http" } else { "https" };
            address.path().trim_end_matches('/').clone_into(&mut request.base);
        }
        request
    }

    async fn route(&self, asked: &Asked<'_>, route: Route) -> Result<Response, Fault> {
        let is_read = matches!(asked.request.method, Method::GET | Method::HEAD);
        match route {
            Route::Home => Ok(self.home(asked)),
            Route::Branches => self.branches(asked).await,
            Route::Jobs => self.jobs(asked).await,
            Route::Job(id) => self.job(asked, &id).await,
            Route::Events => self.events(asked).await,
            Route::Report(report) => self.report(asked, report).await,
            Route::Of(branch, place) if is_read => self.read(asked, &branch, place).await,
            Route::Of(branch, place) => self.write(asked, &branch, place).await,
        }
    }

    /// Who asks; a fault where somebody is named who cannot be believed.
    fn person(&self, asked: &Asked<'_>) -> Result<Option<Person>, Fault> {
        let person = self.settings.identity.person(asked.request, asked.now);
        person.map_err(|error| {
            tracing::warn!(request = asked.request.id, %error, "somebody is named who cannot be believed");
            Fault::nobody(error.to_string())
        })
    }
}

/// The door's refusal of a method, written as all refusals of this API are.
fn in_our_words(request: &Request, answer: Response) -> Response {
    let allowed = answer.header(&ALLOW).unwrap_or_default();
    let fault = Fault::method(format!("{} is not allowed here; {allowed} are", request.method));
    let Response { status, headers, body } = fault.response(request);
    let mut both = answer.headers;
    for (name, value) in &headers {
        both.insert(name.clone(), value.clone());
    }
    Response { status, headers: both, body }
}

/// 301 to the same address without the `/` at its end.
fn moved(request: &Request) -> Response {
    // Two at its beginning would lead to another machine (RFC 3986, section 4.2), and browsers take a backslash for one,
    // and leave out what is no character.
    let is_leading = |character: char| character.is_control() || matches!(character, '/' | '\\');
    let path = format!("/{}", request.path.trim_end_matches('/').trim_start_matches(is_leading));
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&request.query).finish();
    let query = if query.is_empty() { query } else { format!("?{query}") };
    // Of what is asked for with 301 browsers and programs make a GET (RFC 9110, section 15.4.2), and with 308 not.
    let is_read = request.method == Method::GET || request.method == Method::HEAD;
    let status = if is_read { StatusCode::MOVED_PERMANENTLY } else { StatusCode::PERMANENT_REDIRECT };
    Response::empty(status).with(LOCATION, &format!("{}{path}{query}", request.base))
}

/// The request that is meant, and whether what it says of that makes sense: a form can only `POST`, and says `PUT` or
/// `DELETE` by its field `_method`. No address says so, for links are followed by whoever loads a page; whoever has it there
/// is not taken to mean something else.
fn meant(mut request: Request) -> (Request, Result<(), Fault>) {
    if request.method != Method::POST {
        return (request, Ok(()));
    }
    if request.query.iter().any(|(name, _)| name == "_method") {
        return (request, Err(Fault::bad("Bad _method: it is a field of the body, and nothing that an address says")));
    }
    // What is wrong with a body is said where it is read: whoever asks must be known before.
    match Fields::of(&request).map(|fields| fields.method()) {
        Ok(Ok(Some(method))) => {
            request.method = method;
            (request, Ok(()))
        }
        Ok(Err(fault)) => (request, Err(fault)),
        Ok(Ok(None)) | Err(_) => (request, Ok(())),
    }
}

/// Nobody is to wait for longer.
fn late(request: &Request) -> Fault {
    let message = match request.method {
        Method::GET | Method::HEAD => "what is needed for this does not answer in time; ask again",
        _ => {
            "what is needed for this does not answer in time: it may be stored; ask again, with the same Idempotency-Key"
        }
    };
    Fault::unavailable(message, &Late)
}

/// What was needed did not answer.
#[derive(Debug, thiserror::Error)]
#[error("an answer took longer than there was time for")]
struct Late;

#[async_trait]
impl Handler for Api {
    async fn handle(&self, request: Request) -> Response {
        self.answer(&request, Timestamp::now(), Deadline::after(PATIENCE)).await
    }
}
