//! Self-serve's API, asked.

use buildhub_core::SettingError;
use buildhub_http::header::{ACCEPT, HeaderName, HeaderValue, LINK};
use buildhub_http::{Answer, Http, Method, Repeat, Request, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;

use super::SelfServeError;
use crate::CommandError;

/// The most bytes of an answer: a list of a thousand builds has one MiB or two.
const LIMIT: usize = 64 << 20;
/// The most answers of one list: of a hundred times a thousand builds nobody reads the last.
const PAGES_MAX: usize = 100;
/// How many of a list one answer has at most.
const PAGE: usize = 1000;
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
    query: Vec<(String, String)>,
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
    pub(super) fn with(mut self, name: &str, value: Option<&str>) -> Self {
        self.query.extend(value.map(|value| (name.to_owned(), value.to_owned())));
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
        Ok(self.page(&self.url(path)).await?.0)
    }

    /// Reads lists to their ends, whichever number of answers they are told in, or so many of each; and whether there may
    /// be more.
    pub(super) async fn all(&self, path: Path, limit: Option<usize>) -> Result<(Value, bool), SelfServeError> {
        let pages = limit.map_or(PAGES_MAX, |limit| limit.div_ceil(PAGE));
        // No more than that, and some fewer where pages of one size do not come to it.
        let each = limit.map(|limit| (limit / pages.max(1)).to_string());
        let first = self.url(&path.with("num", each.as_deref()));
        let (mut found, mut next) = self.page(&first).await?;
        for _ in 1..pages {
            let Some(url) = next else { return Ok((found, false)) };
            let (more, following) = self.page(&url).await?;
            append(&mut found, more);
            next = following;
        }
        match next {
            Some(_) if limit.is_none() => {
                Err(strange(&first, format!("the list does not end within {PAGES_MAX} answers; see --limit")))
            }
            more => Ok((found, more.is_some())),
        }
    }

    /// One answer, and where it goes on.
    async fn page(&self, url: &Url) -> Result<(Value, Option<Url>), SelfServeError> {
        let answer = self.http.fetch(&self.request(Method::GET, url.clone()), Repeat::Safe, LIMIT).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(url, answer));
        }
        let next = answer.headers.get(LINK).and_then(|link| link.to_str().ok()).and_then(next);
        let next = next.map(|next| url.join(next).map_err(|error| strange(url, error.to_string()))).transpose()?;
        // Who asks shows a token, and no other machine is to see it.
        if let Some(next) = next.as_ref().filter(|next| next.origin() != url.origin()) {
            return Err(strange(url, format!("it goes on at {next}, which is another site")));
        }
        let found = serde_json::from_slice(&answer.body).map_err(|error| strange(url, error.to_string()))?;
        Ok((found, next))
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

/// The address of what follows, as self-serve writes it into `Link` (RFC 8288).
fn next(link: &str) -> Option<&str> {
    link.strip_prefix('<')?.strip_suffix(">; rel=\"next\"")
}

/// Puts the lists of an answer behind those of the ones before.
fn append(found: &mut Value, more: Value) {
    match (found, more) {
        (Value::Array(items), Value::Array(mut more)) => items.append(&mut more),
        (Value::Object(fields), Value::Object(more)) => {
            for (name, value) in more {
                append(fields.entry(name).or_insert(Value::Null), value);
            }
        }
        (nothing @ Value::Null, more) => *nothing = more,
        _ => {}
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_put_together_by_their_names_and_what_is_no_list_stays() {
        let mut found = json!({ "builds": [2], "pending": [5], "branch": "try", "all": { "a": [1] } });
        append(&mut found, json!({ "builds": [1], "running": [], "branch": "try", "all": { "a": [2], "b": [3] } }));
        let expected = json!({ "builds": [2, 1], "pending": [5], "running": [], "branch": "try", "all": { "a": [1, 2], "b": [3] } });
        assert_eq!(found, expected);
        let mut found = json!([3, 2]);
        append(&mut found, json!([1]));
        assert_eq!(found, json!([3, 2, 1]));
        assert_eq!(next("</x?before=1>; rel=\"next\""), Some("/x?before=1"));
        assert_eq!([next(""), next("</x>; rel=\"prev\"")], [None, None]);
    }
}
