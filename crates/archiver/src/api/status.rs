//! The answer to who asks how far a task is. Asking changes nothing.

use std::collections::BTreeMap;

use buildhub_core::web::header::REFRESH;
use buildhub_core::web::{Request, Response, StatusCode};
use serde::Serialize;

use super::archive::SIGNED_FOR;
use super::{Answered, Api, Outcome, unavailable};
use crate::regions::Look;
use crate::task::{State, Status, Task};

/// The longest name of a task: with its folder it must fit into a key.
const ID_MAX: usize = 900;

/// What a task says of itself: four fields of the original, and two more where there is something to say.
#[derive(Debug, Serialize)]
struct Report<'a> {
    state: &'static str,
    status: &'a str,
    src_url: &'a str,
    s3_urls: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
}

#[derive(Debug, Serialize)]
struct Fault<'a> {
    code: &'static str,
    description: &'a str,
}

#[derive(Debug, Serialize)]
struct Progress {
    bytes: u64,
}

impl Api {
    pub(super) async fn status(&self, request: &Request, id: &str) -> Answered {
        let load = async { if is_name(id) { self.tasks.load(id).await } else { Ok(None) } };
        let Ok(stored) = tokio::time::timeout(self.tasks_patience, load).await else {
            tracing::error!(task = id, waited = ?self.tasks_patience, "the tasks do not answer");
            return unavailable(request, "the task cannot be read now; ask again");
        };
        let task = match stored {
            Ok(stored) => stored.map(|stored| stored.task),
            Err(error) => {
                tracing::error!(task = id, %error, "a task cannot be read");
                return unavailable(request, "the task cannot be read now; ask again");
            }
        };
        let status = task.as_ref().map_or_else(Status::unknown, Task::status);
        let urls = match &task {
            Some(task) if matches!(task.state, State::Success { .. }) => self.urls(&task.subject.key).await,
            _ => BTreeMap::new(),
        };
        let error = status.error.as_ref();
        let report = Report {
            state: status.state,
            status: &status.status,
            src_url: &status.src_url,
            s3_urls: urls,
            error: error.map(|error| Fault { code: error.code.as_str(), description: &error.description }),
            progress: status.bytes.map(|bytes| Progress { bytes }),
        };
        let response = Response::result(request, StatusCode::OK, id, &report);
        // A browser looks again by itself.
        let is_over = task.is_some_and(|task| task.is_over());
        let response = if is_over { response } else { response.with(REFRESH, "5") };
        Answered::of(Outcome::Status, response)
    }

    /// Addresses signed now, of the regions that have the archive now.
    async fn urls(&self, key: &str) -> BTreeMap<&str, String> {
        let mut urls = BTreeMap::new();
        for (region, look) in self.regions.look_everywhere(key).await {
            if !matches!(look, Look::There(_)) {
                continue;
            }
            match region.store.presign_get(key, SIGNED_FOR).await {
                Ok(url) => _ = urls.insert(region.name.as_str(), url),
                Err(error) => tracing::error!(region = region.name, %error, "an address cannot be signed"),
            }
        }
        urls
    }
}

/// Whether there can be a task of that name.
fn is_name(id: &str) -> bool {
    id.len() <= ID_MAX && !id.chars().any(|c| c == '/' || c.is_control())
}
