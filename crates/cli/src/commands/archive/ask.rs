//! An archiver, asked.

use buildhub_archiver::request::{RequestError, Suffix};
use buildhub_http::{Answer as HttpAnswer, Http, Repeat, Request, StatusCode, Url};
use clap::ArgMatches;
use serde::Deserialize;

use super::ArchiveError;
use crate::CommandError;

/// The most bytes of an answer: an envelope with some addresses.
const LIMIT: usize = 1 << 20;

/// An archiver.
pub(super) struct Archiver {
    pub(super) http: Http,
    base: Url,
}

/// What is wanted of it.
pub(super) struct Wanted {
    repo: String,
    revision: String,
    subdir: Option<String>,
    suffix: Option<Suffix>,
    region: Option<String>,
}

/// What it answers.
pub(super) enum Answer {
    /// The archive is there: a signed address, good for some minutes.
    There(Url),
    /// It is being made: the address of its task.
    Coming { status: Url },
}

/// What a task says of itself.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) state: String,
    #[serde(default)]
    pub(super) status: String,
    #[serde(default)]
    error: Option<Fault>,
    #[serde(default)]
    progress: Option<Progress>,
}

/// What a state means to whoever waits.
pub(super) enum State {
    Going,
    Done,
    Failed,
}

#[derive(Debug, Deserialize)]
struct Progress {
    #[serde(default)]
    bytes: u64,
}

#[derive(Debug, Deserialize)]
struct Fault {
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct Success<T> {
    result: T,
}

#[derive(Deserialize)]
struct Failure {
    error: Fault,
}

impl Wanted {
    pub(super) fn from_matches(matches: &ArgMatches) -> Result<Self, CommandError> {
        let text = |name| matches.get_one::<String>(name).cloned();
        let suffix = text("suffix").map(|suffix| suffix.parse()).transpose();
        Ok(Self {
            repo: text("REPO").unwrap_or_default(),
            revision: text("REV").unwrap_or_default(),
            subdir: text("subdir"),
            suffix: suffix.map_err(|error: RequestError| CommandError::Usage(error.to_string()))?,
            region: text("preferred-region"),
        })
    }

    /// The kind of archive that comes.
    pub(super) fn suffix(&self) -> Suffix {
        self.suffix.unwrap_or(Suffix::TarGz)
    }
}

impl Report {
    pub(super) fn kind(&self) -> State {
        match self.state.as_str() {
            "SUCCESS" => State::Done,
            "FAILURE" | "REVOKED" => State::Failed,
            _ => State::Going,
        }
    }

    /// Bytes that were copied so far.
    pub(super) fn bytes(&self) -> u64 {
        self.progress.as_ref().map_or(0, |progress| progress.bytes)
    }

    /// Why it failed, where that is said beside the status.
    pub(super) fn reason(&self) -> Option<String> {
        self.error
            .as_ref()
            .map(|error| error.description.clone())
            .filter(|text| !text.is_empty() && *text != self.status)
    }
}

impl Archiver {
    pub(super) fn new(http: Http, base: &str) -> Result<Self, ArchiveError> {
        let base = Url::parse(base).map_err(|error| strange(base, error.to_string()))?;
        Ok(Self { http, base })
    }

    /// Asks for an archive.
    pub(super) async fn ask(&self, wanted: &Wanted) -> Result<Answer, ArchiveError> {
        let url = self.url(wanted);
        let answer = self.http.fetch(&Request::get(url.clone()), Repeat::Safe, LIMIT).await?;
        let location = || {
            let found = answer.header("location").and_then(|text| url.join(text).ok());
            found.ok_or_else(|| strange(url.as_str(), format!("{} without a Location", answer.status)))
        };
        match answer.status {
            StatusCode::FOUND => Ok(Answer::There(location()?)),
            StatusCode::ACCEPTED => Ok(Answer::Coming { status: location()? }),
            _ => Err(refusal(&url, answer)),
        }
    }

    /// Asks how far a task is.
    pub(super) async fn status(&self, task: &Url) -> Result<Report, ArchiveError> {
        let answer = self.http.fetch(&Request::get(task.clone()), Repeat::Safe, LIMIT).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(task, answer));
        }
        let report: Success<Report> =
            serde_json::from_slice(&answer.body).map_err(|e| strange(task.as_str(), e.to_string()))?;
        Ok(report.result)
    }

    fn url(&self, wanted: &Wanted) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["archiver", "hgmo"]).extend(wanted.repo.split('/')).push(&wanted.revision);
        }
        let suffix = wanted.suffix.map(Suffix::as_str);
        let (subdir, region) = (wanted.subdir.as_deref(), wanted.region.as_deref());
        for (name, value) in [("subdir", subdir), ("suffix", suffix), ("preferred_region", region)] {
            if let Some(value) = value {
                url.query_pairs_mut().append_pair(name, value);
            }
        }
        url
    }
}

/// What an answer of another status says.
fn refusal(url: &Url, answer: HttpAnswer) -> ArchiveError {
    let said = serde_json::from_slice::<Failure>(&answer.body).map(|failure| failure.error.description);
    match (said, answer.status) {
        (Ok(description), StatusCode::BAD_REQUEST) => ArchiveError::Refused(description),
        (Ok(description), StatusCode::NOT_FOUND) => ArchiveError::Failed { status: description, reason: None },
        (_, status) if status.is_success() || status.is_redirection() => {
            strange(url.as_str(), format!("it says {status}"))
        }
        _ => match answer.ok() {
            Err(error) => error.into(),
            Ok(answer) => strange(url.as_str(), format!("it says {}", answer.status)),
        },
    }
}

fn strange(url: &str, reason: String) -> ArchiveError {
    ArchiveError::Strange { url: url.to_owned(), reason }
}
