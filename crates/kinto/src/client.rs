//! The server as a whole.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildhub_http::header::{HeaderMap, HeaderValue};
use buildhub_http::{Answer, Http, HttpSettings, Method, Repeat, Request, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::{Auth, Collection, Fault, KintoError};

/// What a [`Client`] is made of.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// The server, with the version of its interface: `http://localhost:8888/v1`.
    pub server: Url,
    /// Who asks.
    pub auth: Auth,
    /// Time limits, attempts and waits.
    pub http: HttpSettings,
    /// The largest answer taken, in bytes. A page of 10,000 whole records is about 10 MB.
    pub answer_max: usize,
}

impl ClientSettings {
    /// Settings with the defaults of [`HttpSettings`], and answers of at most 64 MiB.
    pub fn new(server: Url, auth: Auth) -> Self {
        Self { server, auth, http: HttpSettings::default(), answer_max: 64 << 20 }
    }

    /// The server's address and what credentials are sent as, if requests can be made of them.
    pub(crate) fn checked(&self) -> Result<(Url, Option<HeaderValue>), KintoError> {
        let what = format!("use {}", self.server);
        if self.server.cannot_be_a_base() || !matches!(self.server.scheme(), "http" | "https") {
            return Err(KintoError::NotKinto { what, reason: "it is no http or https address".into() });
        }
        let auth = self.auth.header().map_err(|_| KintoError::Unauthorized { what })?;
        Ok((self.server.clone(), auth))
    }
}

/// A Kinto server. Clones are cheap and share connections, and the pauses the server asks for.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    http: Http,
    server: Url,
    auth: Option<HeaderValue>,
    answer_max: usize,
}

/// What a server says of itself (`GET /v1/`).
#[derive(Debug, Clone, Deserialize)]
pub struct ServerInfo {
    /// Kinto's version: `26.5.0`.
    pub project_version: String,
    /// The version of its interface: `1.23`.
    pub http_api_version: String,
    /// Limits and modes.
    pub settings: ServerSettings,
    /// The plugins, by name.
    #[serde(default)]
    pub capabilities: BTreeMap<String, Value>,
    /// Who the server takes us for; `None` when it takes us for nobody.
    pub user: Option<ServerUser>,
}

/// Limits and modes of a server.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerSettings {
    /// Most requests in a batch.
    pub batch_max_requests: Option<usize>,
    /// Whether it takes no writes.
    #[serde(default)]
    pub readonly: bool,
}

/// Who the server takes us for.
#[derive(Debug, Clone, Deserialize)]
pub struct ServerUser {
    /// The principal, as permissions name it.
    pub id: String,
}

/// The health of a server's parts (`GET /v1/__heartbeat__`). On a server that takes writes it tries one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Each part, and whether it is well.
    pub parts: BTreeMap<String, bool>,
}

impl Heartbeat {
    /// Whether all parts are well.
    pub fn is_healthy(&self) -> bool {
        self.parts.values().all(|well| *well)
    }
}

impl Client {
    /// A client for one server. Nothing is sent yet.
    pub fn new(settings: &ClientSettings) -> Result<Self, KintoError> {
        let (server, auth) = settings.checked()?;
        // A redirection would turn a write into something else; the caller is told the new address instead.
        let http = Http::new(&HttpSettings { redirects: 0, ..settings.http.clone() })?;
        let alerts = Mutex::new(String::new());
        let http = http.heeding(move |headers| heed(headers, &alerts));
        let inner = Inner { http, server, auth, answer_max: settings.answer_max };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What the server says of itself.
    pub async fn info(&self) -> Result<ServerInfo, KintoError> {
        let what = "read the server's description";
        let answer = self.call(what, &self.request(Method::GET, &[""]), Repeat::Safe).await?;
        parse(what, &answer.body)
    }

    /// The health of the server's parts, asked once: a server that cannot answer is an error, one that is not well
    /// says so.
    pub async fn heartbeat(&self) -> Result<Heartbeat, KintoError> {
        let request = self.request(Method::GET, &["__heartbeat__"]);
        let answer = self.fetch(&request, Repeat::Never).await?;
        match serde_json::from_slice(&answer.body) {
            Ok(parts) => Ok(Heartbeat { parts }),
            Err(_) => Err(KintoError::from_fault("ask for the heartbeat".into(), Fault::of(&answer))),
        }
    }

    /// A collection of a bucket. Nothing is sent yet.
    pub fn collection(&self, bucket: &str, collection: &str) -> Result<Collection, KintoError> {
        Collection::new(self.clone(), bucket, collection)
    }

    /// The server's address.
    pub fn server(&self) -> &Url {
        &self.inner.server
    }

    /// A request to a path below the server's address.
    pub(crate) fn request(&self, method: Method, path: &[&str]) -> Request {
        let mut url = self.inner.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        self.signed(Request::new(method, url))
    }

    /// The request with our credentials.
    pub(crate) fn signed(&self, request: Request) -> Request {
        match &self.inner.auth {
            Some(auth) => request.authorization(auth.clone()),
            None => request,
        }
    }

    /// The answer, whatever its status.
    pub(crate) async fn fetch(&self, request: &Request, repeat: Repeat<'_>) -> Result<Answer, KintoError> {
        Ok(self.inner.http.fetch(request, repeat, self.inner.answer_max).await?)
    }

    /// Waits before looking again after a conflict: who met once should not meet again.
    pub(crate) async fn back_off(&self, number: u32) {
        self.inner.http.back_off(number).await;
    }

    /// Lets no request leave before `wait` has passed.
    pub(crate) fn pause(&self, wait: Duration) {
        self.inner.http.pause(wait);
    }

    /// The answer of a request that must succeed. `what` names it in an error.
    pub(crate) async fn call(&self, what: &str, request: &Request, repeat: Repeat<'_>) -> Result<Answer, KintoError> {
        success(what, self.fetch(request, repeat).await?)
    }
}

/// The answer, if it is a success.
pub(crate) fn success(what: &str, answer: Answer) -> Result<Answer, KintoError> {
    if answer.status.is_success() {
        Ok(answer)
    } else {
        Err(KintoError::from_fault(what.to_owned(), Fault::of(&answer)))
    }
}

/// Reads an answer's JSON as what it should be.
pub(crate) fn parse<'a, T: Deserialize<'a>>(what: &str, body: &'a [u8]) -> Result<T, KintoError> {
    serde_json::from_slice(body)
        .map_err(|error| KintoError::NotKinto { what: what.to_owned(), reason: error.to_string() })
}

/// Obeys `Backoff` and passes `Alert` on to the log, each alert once (Kinto's documentation, "Backoff indicators" and
/// "Deprecation").
fn heed(headers: &HeaderMap, last_alert: &Mutex<String>) -> Option<Duration> {
    if let Some(alert) = headers.get("alert").and_then(|value| value.to_str().ok()) {
        let mut last = last_alert.lock().unwrap_or_else(PoisonError::into_inner);
        if *last != alert {
            tracing::warn!(alert, "Kinto's operator has a message");
            alert.clone_into(&mut last);
        }
    }
    let seconds = headers.get("backoff")?.to_str().ok()?.trim().parse().ok()?;
    tracing::warn!(seconds, "Kinto asks to be left alone for a while (Backoff)");
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_is_obeyed_and_an_alert_kept_so_that_it_is_told_once() {
        let alerts = Mutex::new(String::new());
        let mut headers = HeaderMap::new();
        assert_eq!(heed(&headers, &alerts), None);
        headers.insert("backoff", HeaderValue::from_static("30"));
        headers.insert("alert", HeaderValue::from_static("{\"code\": \"soft-eol\"}"));
        assert_eq!(heed(&headers, &alerts), Some(Duration::from_secs(30)));
        assert_eq!(*alerts.lock().unwrap(), "{\"code\": \"soft-eol\"}");
        headers.insert("backoff", HeaderValue::from_static("soon"));
        assert_eq!(heed(&headers, &alerts), None);
    }
}
