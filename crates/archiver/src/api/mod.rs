//! The answers to those who ask: `GET /archiver/hgmo/REPOSITORY/REVISION`, and `GET /archiver/status/TASK`.
//!
//! Who asks for an archive that is there is sent to it (302). Else the archive's task is made, or made anew, by a
//! conditional write; of all who ask at the same time one wins, and that one's message starts the work (202). A message
//! that cannot be sent is no fault of the answer: the task stands, and the sweep sends it. What the source was seen not
//! to have is not asked for again while that is remembered (404).
//!
//! | module | holds |
//! |---|---|
//! | `asked` | what a path and a query ask for |
//! | `archive` | the answer to who asks for an archive |
//! | `status` | the answer to who asks how far a task is |
//! | `outcome` | what an answer was, for the numbers |

mod archive;
mod asked;
mod outcome;
mod status;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use buildhub_core::queue::SharedQueue;
use buildhub_core::web::header::{CACHE_CONTROL, RETRY_AFTER};
use buildhub_core::web::{Cors, Door, Handler, HeaderName, Method, Request, Response, StatusCode};
use jiff::Timestamp;

use crate::regions::Regions;
use crate::settings::ArchiverSettings;
use crate::source::Source;
use crate::task::Tasks;

pub use outcome::{Answered, Outcome};

/// The first segment of every path.
pub const ROOT: &str = "archiver";

/// Seconds after which it is worth asking again: how far a task is, or a service that did not answer.
const LATER: &str = "2";

/// How long an archive's task may take to be found or made, and its message to be sent. With what the regions are given that is
/// less than the function has.
const TASKS_PATIENCE: Duration = Duration::from_secs(10);
const QUEUE_PATIENCE: Duration = Duration::from_secs(5);

/// The longest id that a request may bring along.
const ID_MAX: usize = 200;

/// The archiver's API.
#[derive(Debug)]
pub struct Api {
    sources: Vec<Source>,
    regions: Arc<Regions>,
    tasks: Tasks,
    queue: SharedQueue,
    door: Door,
    address: Option<String>,
    request_id: Option<HeaderName>,
    tasks_patience: Duration,
    queue_patience: Duration,
}

impl Api {
    /// The API with these settings, over what the worker uses too.
    pub fn new(settings: &ArchiverSettings, regions: Arc<Regions>, tasks: Tasks, queue: SharedQueue) -> Self {
        let door = Door::new(Cors::new(settings.origins.clone()));
        let (sources, address) = (settings.sources.clone(), settings.address.clone());
        let (tasks_patience, queue_patience) = (TASKS_PATIENCE, QUEUE_PATIENCE);
        let request_id = settings.request_id.clone();
        Self { sources, regions, tasks, queue, door, address, request_id, tasks_patience, queue_patience }
    }

    /// The same API, waiting so long for tasks and queue each.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { tasks_patience: patience, queue_patience: patience, ..self }
    }

    /// Answers a request.
    pub async fn handle(&self, request: &Request, now: Timestamp) -> Response {
        self.answer(request, now).await.response
    }

    /// Answers a request, and says what the answer was.
    pub async fn answer(&self, request: &Request, now: Timestamp) -> Answered {
        let request = &*self.named(request);
        let segments = request.segments();
        let mut outcome = Outcome::default();
        let response = {
            let handle = async {
                let Answered { response, outcome: seen } = Box::pin(self.route(request, &segments, now)).await;
                outcome = seen;
                response
            };
            self.door.answer(request, &[Method::GET], handle).await
        };
        // What is told is of this moment, and a signed address is of nobody else's concern.
        Answered { response: response.with(CACHE_CONTROL, "no-store"), outcome }
    }

    /// The request by the id that it brings along, where it may.
    fn named<'r>(&self, request: &'r Request) -> Cow<'r, Request> {
        let given = self.request_id.as_ref().and_then(|name| request.header(name));
        match given.filter(|id| (1..=ID_MAX).contains(&id.len())) {
            Some(id) => Cow::Owned(Request { id: id.to_owned(), ..request.clone() }),
            None => Cow::Borrowed(request),
        }
    }

    async fn route(&self, request: &Request, segments: &[String], now: Timestamp) -> Answered {
        match segments {
            [root, status, id] if root == ROOT && status == "status" && !id.is_empty() => {
                self.status(request, id).await
            }
            [root, name, rest @ ..] if root == ROOT => match self.sources.iter().find(|source| source.name == *name) {
                Some(source) => self.archive(request, source, rest, now).await,
                None => self.nothing(request),
            },
            _ => self.nothing(request),
        }
    }

    fn nothing(&self, request: &Request) -> Answered {
        let sources = self.sources.iter().map(|source| format!("/{ROOT}/{}/REPOSITORY/REVISION", source.name));
        let paths = sources.chain([format!("/{ROOT}/status/TASK")]).collect::<Vec<_>>().join(" and ");
        let description = format!("there is nothing at this address: ask {paths}");
        Answered::of(Outcome::Refused, Response::error(request, StatusCode::NOT_FOUND, &description))
    }

    /// The address of a task, for whoever waits.
    fn status_address(&self, request: &Request, id: &str) -> String {
        let id = percent_encoding::utf8_percent_encode(id, crate::source::ENCODED);
        let path = format!("/{ROOT}/status/{id}");
        match &self.address {
            Some(address) => format!("{address}{path}"),
            None => request.absolute(&path),
        }
    }
}

/// Something that this process needs did not answer.
fn unavailable(request: &Request, description: &str) -> Answered {
    let response = Response::error(request, StatusCode::SERVICE_UNAVAILABLE, description).with(RETRY_AFTER, LATER);
    Answered::of(Outcome::Unavailable, response)
}

#[async_trait]
impl Handler for Api {
    async fn handle(&self, request: Request) -> Response {
        self.answer(&request, Timestamp::now()).await.response
    }
}
