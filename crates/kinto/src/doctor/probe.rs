//! Requests, each made once, and what their answers say by the way.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use buildhub_http::header::{DATE, HeaderValue};
use buildhub_http::{Answer, Http, HttpError, HttpSettings, Method, Repeat, Request, Url};
use serde_json::Value;

use crate::{ClientSettings, Condition, KintoError};

/// Longest time for a connection, and for an answer: whoever asks what is wrong wants to hear it soon.
const CONNECT_MAX: Duration = Duration::from_secs(5);
const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Largest answer, in bytes: 10,000 ids are less than one.
const ANSWER_BYTES: usize = 4 << 20;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The credentials given.
    Us,
    /// Nobody in particular.
    Anybody,
}

/// What answers said beside their content.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// How long each took.
    pub(super) took: Vec<Duration>,
    /// How far the server's clock is ahead of ours, in seconds, as the first answer that says so has it.
    pub(super) clock_ahead_s: Option<f64>,
    /// Seconds for which clients are asked to stay away.
    pub(super) backoff: Option<String>,
    /// The operator's message.
    pub(super) alert: Option<String>,
}

/// Asks one server.
pub(super) struct Probe {
    http: Http,
    server: Url,
    auth: Option<HeaderValue>,
    notes: Mutex<Notes>,
}

impl Probe {
    /// Nothing is sent yet.
    pub(super) fn new(settings: &ClientSettings) -> Result<Self, KintoError> {
        let (server, auth) = settings.checked()?;
        let http = HttpSettings {
            connect_timeout: settings.http.connect_timeout.min(CONNECT_MAX),
            timeout: settings.http.timeout.min(ANSWER_MAX),
            read_timeout: settings.http.read_timeout.min(ANSWER_MAX),
            retries: 0,
            redirects: 0,
            ..settings.http.clone()
        };
        Ok(Self { http: Http::new(&http)?, server, auth, notes: Mutex::default() })
    }

    pub(super) fn server(&self) -> &Url {
        &self.server
    }

    /// Whether there are credentials to send.
    pub(super) fn has_credentials(&self) -> bool {
        self.auth.is_some()
    }

    /// What the answers so far said by the way.
    pub(super) fn notes<T>(&self, read: impl FnOnce(&mut Notes) -> T) -> T {
        read(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is at a path below the server's address.
    pub(super) async fn get(&self, path: &[&str], query: &str, who: Who) -> Result<Answer, HttpError> {
        let mut request = self.request(Method::GET, path, who);
        request.url.set_query((!query.is_empty()).then_some(query));
        self.send(&request).await
    }

    /// Writes or deletes, with our credentials.
    pub(super) async fn write(
        &self,
        method: Method,
        path: &[&str],
        data: Option<&Value>,
        condition: Condition,
    ) -> Result<Answer, HttpError> {
        let request = condition.on(self.request(method, path, Who::Us));
        let request = match data {
            Some(data) => request.json(serde_json::json!({ "data": data }).to_string()),
            None => request,
        };
        self.send(&request).await
    }

    fn request(&self, method: Method, path: &[&str], who: Who) -> Request {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        let request = Request::new(method, url);
        match &self.auth {
            Some(auth) if who == Who::Us => request.authorization(auth.clone()),
            _ => request,
        }
    }

    async fn send(&self, request: &Request) -> Result<Answer, HttpError> {
        let (begun, clock) = (Instant::now(), SystemTime::now());
        let answer = self.http.fetch(request, Repeat::Never, ANSWER_BYTES).await?;
        let took = begun.elapsed();
        self.notes(|notes| notes.take(&answer, clock + took / 2, took));
        Ok(answer)
    }
}

impl Notes {
    /// `clock` is ours at the moment when the server answered, as near as can be told.
    fn take(&mut self, answer: &Answer, clock: SystemTime, took: Duration) {
        self.took.push(took);
        let text = |name| answer.header(name).map(str::to_owned);
        self.backoff = text("backoff").or(self.backoff.take());
        self.alert = text("alert").or(self.alert.take());
        let date = answer.header(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok());
        if let (None, Some(date)) = (self.clock_ahead_s, date) {
            // A date has whole seconds, the rest cut off: on average half a one.
            self.clock_ahead_s = Some(ahead(date + Duration::from_millis(500), clock));
        }
    }

    /// The median time of an answer.
    pub(super) fn median(&self) -> Option<Duration> {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() / 2).copied()
    }
}

/// How far a clock is ahead of another, in seconds.
pub(super) fn ahead(theirs: SystemTime, ours: SystemTime) -> f64 {
    match theirs.duration_since(ours) {
        Ok(ahead) => ahead.as_secs_f64(),
        Err(behind) => -behind.duration().as_secs_f64(),
    }
}
