//! The answer to who asks for an archive.

use std::time::Duration;

use buildhub_core::web::header::{LOCATION, RETRY_AFTER};
use buildhub_core::web::{Method, Page, Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::json;

use super::asked::Asked;
use super::{Answered, Api, LATER, Outcome, unavailable};
use crate::regions::{Found, Region};
use crate::request;
use crate::source::Source;
use crate::task::{self, Failure, FailureCode, State, Subject, Task, TaskError};

/// How long a signed address opens an object.
pub(super) const SIGNED_FOR: Duration = Duration::from_mins(5);

/// How often a task is looked at again after somebody else was quicker to write it.
const ROUNDS: u32 = 5;

const NO_TASKS: &str = "the archive is not there, and its task cannot be kept now; ask again";

/// What a task says to who asks for its archive.
enum Going {
    /// This request began it: the worker is to be told.
    Begun(Box<Task>),
    /// Another did, or what became of it is remembered.
    Already { id: String },
    /// It is there since a moment ago.
    Done,
    /// The source does not have it.
    NotThere { description: String },
}

impl Api {
    pub(super) async fn archive(
        &self,
        request: &Request,
        source: &Source,
        path: &[String],
        now: Timestamp,
    ) -> Answered {
        let Asked { request: asked, preferred_region } = match Asked::read(source, path, &request.query) {
            Ok(asked) => asked,
            Err(error) => {
                let response = Response::error(request, StatusCode::BAD_REQUEST, &error.to_string());
                return Answered::of(Outcome::Refused, response);
            }
        };
        let key = asked.key();
        match self.regions.find(&key, preferred_region.as_deref()).await {
            Found::In(region, _) => return redirect(request, region, &key).await,
            Found::Silent { .. } => {
                return unavailable(request, "no region says whether it has the archive; ask again");
            }
            Found::Nowhere => {}
        }
        let Ok(going) = tokio::time::timeout(self.tasks_patience, self.going(source, &asked, now)).await else {
            tracing::error!(key, waited = ?self.tasks_patience, "the tasks do not answer");
            return unavailable(request, NO_TASKS);
        };
        match going {
            Ok(Going::Done) => match self.regions.find(&key, preferred_region.as_deref()).await {
                Found::In(region, _) => redirect(request, region, &key).await,
                _ => unavailable(request, "the archive was there a moment ago; ask again"),
            },
            Ok(going) => self.coming(request, going).await,
            Err(error) => {
                tracing::error!(key, %error, "a task cannot be read or written");
                unavailable(request, NO_TASKS)
            }
        }
    }

    /// Makes the archive's task, or finds it made.
    async fn going(&self, source: &Source, asked: &request::Request, now: Timestamp) -> Result<Going, TaskError> {
        let subject = Subject {
            source: source.name.to_owned(),
            url: source.url(asked).into(),
            key: asked.key(),
            suffix: asked.suffix().to_string(),
        };
        let (first, other) = (asked.task_id(), asked.other_task_id());
        let mut id = first.clone();
        for _ in 0..ROUNDS {
            let stored;
            (id, stored) = self.tasks.find(&first, &other, &subject.key).await?;
            let Some(stored) = stored else {
                let task = Task::new(&id, subject.clone(), now);
                if self.tasks.create(&task).await? {
                    return Ok(Going::Begun(Box::new(task)));
                }
                continue;
            };
            let task = match stored.task.ask(subject.clone(), now) {
                task::Asked::Begin(task) => task,
                task::Asked::Live => return Ok(Going::Already { id }),
                task::Asked::Remembered(failure) => return Ok(remembered(id, &subject.url, &failure)),
            };
            // It may have come to its end between the look at the regions and the one at the task.
            let is_done = matches!(stored.task.state, State::Success { .. });
            if is_done && matches!(self.regions.find(&subject.key, None).await, Found::In(..)) {
                return Ok(Going::Done);
            }
            if self.tasks.replace(&stored, (*task).clone()).await?.is_some() {
                return Ok(Going::Begun(task));
            }
        }
        // Others wrote it each time: it is under way.
        Ok(Going::Already { id })
    }

    /// Sends the message of a task that was just written; whether it was sent. Should that fail, the sweep does it.
    async fn send(&self, task: &Task) -> bool {
        let send = self.queue.send(vec![task.message().outgoing()]);
        let error = match tokio::time::timeout(self.queue_patience, send).await {
            Ok(Ok(())) => return true,
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("{} gave no answer within {:?}", self.queue.describe(), self.queue_patience),
        };
        tracing::error!(task = task.id, error, "a task's message cannot be sent; the sweep sends it");
        false
    }

    async fn coming(&self, request: &Request, going: Going) -> Answered {
        let (outcome, id) = match going {
            Going::Begun(task) => (Outcome::Begun { is_sent: self.send(&task).await }, task.id),
            Going::Already { id } => (Outcome::Waiting, id),
            Going::NotThere { description } => {
                let response = Response::error(request, StatusCode::NOT_FOUND, &description);
                return Answered::of(Outcome::Remembered, response);
            }
            Going::Done => return unavailable(request, "the archive was there a moment ago; ask again"),
        };
        let address = self.status_address(request, &id);
        let page = || Page::new("The archive is on its way").link(&address, "How far it is");
        let response = Response::result_or(request, StatusCode::ACCEPTED, &json!({}), page);
        Answered::of(outcome, response.with(LOCATION, &address).with(RETRY_AFTER, LATER))
    }
}

/// What a failure that is not forgotten yet means to who asks.
fn remembered(id: String, url: &str, failure: &Failure) -> Going {
    match failure.code {
        FailureCode::SourceNotFound => Going::NotThere {
            description: format!(
                "{url} is not there ({}); until {:.0} it is not asked again",
                failure.description, failure.until
            ),
        },
        _ => Going::Already { id },
    }
}

/// An address is signed for one method (AWS, "Signature Version 4"): whoever asks by HEAD follows by it.
async fn redirect(request: &Request, region: &Region, key: &str) -> Answered {
    let signed = match request.method {
        Method::HEAD => region.store.presign_head(key, SIGNED_FOR).await,
        _ => region.store.presign_get(key, SIGNED_FOR).await,
    };
    match signed {
        Ok(address) => Answered::of(Outcome::Redirected, Response::redirect(request, "The archive is there", &address)),
        Err(error) => {
            tracing::error!(region = region.name, %error, "an address cannot be signed");
            unavailable(request, "the archive is there, and its address cannot be signed now; ask again")
        }
    }
}
