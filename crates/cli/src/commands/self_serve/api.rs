//! Self-serve's API, asked.

use buildhub_core::SettingError;
use buildhub_http::header::{ACCEPT, HeaderName, HeaderValue};
use buildhub_http::{Answer, Http, Method, Repeat, Request, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::SelfServeError;
use crate::CommandError;

/// The most bytes of an answer: a list of a thousand builds has one MiB or two.
const LIMIT: usize = 64 << 20;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A self-serve.
pub(super) struct Api {
    http: Http,
    base: Url,
    token: Option<HeaderValue>,
}

/// An address below its base.
pub(super) struct Path {
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
}

/// Something that is asked for.
pub(super) struct Wish {
    pub(super) method: Method,
    pub(super) path: Path,
    pub(super) body: Value,
}

#[derive(Deserialize)]
struct Accepted {
    request_id: u64,
}

#[derive(Deserialize)]
struct Refused {
    msg: String,
}

impl Path {
    pub(super) fn new(segments: &[&str]) -> Self {
        Self { segments: Vec::new(), query: Vec::new() }.and(segments)
    }

    /// The same, with more segments.
    pub(super) fn and(mut self, segments: &[&str]) -> Self {
        self.segments.extend(segments.iter().map(|&segment| segment.to_owned()));
        self
    }

    /// The same, with a parameter where there is one.
    pub(super) fn with(mut self, name: &'static str, value: Option<&str>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_owned())));
        self
    }
}

impl Api {
    pub(super) fn new(http: Http, base: Url, token: Option<&str>) -> Result<Self, CommandError> {
        let token = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}"))?;
            value.set_sensitive(true);
            Ok::<_, buildhub_http::header::InvalidHeaderValue>(value)
        });
        let allowed = || "it is a token without white space".to_owned();
        let token = token
            .transpose()
            .map_err(|_| SettingError::InvalidSecret { name: "SELF_SERVE_TOKEN", allowed: allowed() })?;
        Ok(Self { http, base, token })
    }

    /// Reads something.
    pub(super) async fn get(&self, path: &Path) -> Result<Value, SelfServeError> {
        let url = self.url(path);
        let answer = self.http.fetch(&self.request(Method::GET, url.clone()), Repeat::Safe, LIMIT).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(&url, answer));
        }
        serde_json::from_slice(&answer.body).map_err(|error| strange(&url, error.to_string()))
    }

    /// Asks for something: the job's number. With its key it is one job, however often it has to be sent.
    pub(super) async fn ask(&self, wish: Wish, key: Option<&str>) -> Result<u64, SelfServeError> {
        let url = self.url(&wish.path);
        let key = key.map_or_else(|| format!("{:032x}", fastrand::u128(..)), str::to_owned);
        let key = HeaderValue::from_str(&key).map_err(|_| strange(&url, "the key is no header".to_owned()))?;
        let request = self.request(wish.method, url.clone()).header(IDEMPOTENCY_KEY, key).json(wish.body.to_string());
        let answer = self.http.fetch(&request, Repeat::Safe, LIMIT).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Err(refusal(&url, answer));
        }
        let accepted: Accepted =
            serde_json::from_slice(&answer.body).map_err(|error| strange(&url, error.to_string()))?;
        Ok(accepted.request_id)
    }

    fn request(&self, method: Method, url: Url) -> Request {
        let request = Request::new(method, url).header(ACCEPT, HeaderValue::from_static("application/json"));
        match &self.token {
            Some(token) => request.authorization(token.clone()),
            None => request,
        }
    }

    fn url(&self, path: &Path) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(&path.segments);
        }
        if !path.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&path.query);
        }
        url
    }
}

/// What an answer of another status says.
fn refusal(url: &Url, answer: Answer) -> SelfServeError {
    let status = answer.status;
    match (serde_json::from_slice::<Refused>(&answer.body), answer.ok()) {
        (Ok(Refused { msg }), _) => SelfServeError::Refused { status, message: msg },
        (Err(_), Err(error)) => error.into(),
        (Err(_), Ok(_)) => strange(url, format!("it says {status}")),
    }
}

pub(super) fn strange(url: &Url, reason: String) -> SelfServeError {
    SelfServeError::Strange { url: url.to_string(), reason }
}
