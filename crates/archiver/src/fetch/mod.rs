//! A source or an object, read as a stream within limits.
//!
//! Only the hosts of a source are asked, redirections included, and only machines of the public Internet, unless the
//! operator's own settings name the host. What is read is bounded in size and time. Repetitions until there is an answer
//! are the HTTP layer's; a body that breaks off is the caller's affair, for only the caller knows what became of its
//! beginning.

mod body;
mod fault;
mod hosts;

use std::time::Duration;

use buildhub_core::store::{ObjectHeaders, ObjectStore as _, S3Store};
use buildhub_http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, HeaderMap, HeaderName, HeaderValue, IF_RANGE, LOCATION, RANGE,
};
use buildhub_http::{Guard, Http, HttpError, HttpSettings, Repeat, Request, Streamed, Url};
use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

pub use fault::{Fault, FetchError};
pub use hosts::Hosts;

use crate::request::Suffix;

/// Redirections that are followed for one archive.
const REDIRECTS: usize = 5;
/// The most bytes of a `Content-Disposition` that are passed on.
const DISPOSITION_MAX: usize = 512;

/// Limits of what is read.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes.
    pub size: u64,
    /// The longest it may take, to the last byte.
    pub time: Duration,
}

impl Default for Limits {
    /// 10 GiB, and six hours: at half a megabyte a second, which is slow, that much is through in less.
    fn default() -> Self {
        Self { size: 10 << 30, time: Duration::from_hours(6) }
    }
}

/// Asks one source.
#[derive(Debug, Clone)]
pub struct Fetcher {
    http: Http,
    hosts: Hosts,
    limits: Limits,
}

/// The bytes of an archive, as they come.
pub type Body = BoxStream<'static, Result<Bytes, FetchError>>;

/// An archive that is being read.
pub struct Opened {
    /// What it is served with, in so far as it goes with it into S3.
    pub headers: ObjectHeaders,
    /// Its size, where that is known beforehand.
    pub size: Option<u64>,
    /// What tells it from any other, where its reading can be taken up again in the middle: a strong `ETag` of a server
    /// that knows ranges (RFC 9110, sections 8.8.3 and 14.3).
    pub validator: Option<String>,
    /// Its bytes, in order.
    pub body: Body,
}

/// Where a reading is taken up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The first byte that is wanted.
    pub from: u64,
    /// What the beginning's server said of it ([`Opened::validator`]).
    pub validator: String,
}

impl Fetcher {
    /// A reader of what lies on `hosts`. Its redirections are followed here, whatever the settings say.
    pub fn new(settings: &HttpSettings, hosts: Hosts, limits: Limits) -> Result<Self, HttpError> {
        let settings = HttpSettings { redirects: 0, ..settings.clone() };
        let judge = hosts.clone();
        let guard = Guard::new(move |host, address| judge.admits(host, address));
        Ok(Self { http: Http::guarded(&settings, &guard)?, hosts, limits })
    }

    /// Opens an archive of that kind. Returns when its head is there.
    pub async fn open(&self, url: &Url, suffix: Suffix) -> Result<Opened, FetchError> {
        self.begin(url, suffix, None).await
    }

    /// Opens the rest of an archive that was begun: [`Fault::Changed`] where it is another one by now, or where the
    /// server does not know ranges after all.
    pub async fn resume(&self, url: &Url, suffix: Suffix, rest: &Rest) -> Result<Opened, FetchError> {
        self.begin(url, suffix, Some(rest)).await
    }

    async fn begin(&self, url: &Url, suffix: Suffix, rest: Option<&Rest>) -> Result<Opened, FetchError> {
        let answer = self.follow(url, rest).await?;
        let failed = |fault| FetchError::new(url, fault);
        check(answer.headers(), suffix).map_err(failed)?;
        let from = rest.map_or(0, |rest| rest.from);
        if let Some(rest) = rest {
            check_range(&answer, rest).map_err(failed)?;
        }
        let size = length(answer.headers()).and_then(|length| length.checked_add(from));
        if size.is_some_and(|size| size > self.limits.size) {
            return Err(failed(Fault::TooLarge { limit: self.limits.size }));
        }
        let headers = headers(answer.headers(), suffix);
        let validator = validator(answer.headers(), rest);
        Ok(Opened { headers, size, validator, body: body::limited(url, answer, from, &self.limits) })
    }

    /// The answer at the end of the redirections.
    async fn follow(&self, url: &Url, rest: Option<&Rest>) -> Result<Streamed, FetchError> {
        let failed = |fault| FetchError::new(url, fault);
        let mut at = url.clone();
        for _ in 0..=REDIRECTS {
            self.hosts.check(url, &at).map_err(failed)?;
            let request = request(&at, rest).map_err(failed)?;
            let answer = self.http.stream(&request, Repeat::Safe).await;
            let answer = answer.map_err(|error| failed(Fault::of(&error)))?;
            if !answer.status().is_redirection() {
                return Fault::of_status(&answer).map_or(Ok(answer), |fault| Err(failed(fault)));
            }
            let location = text(answer.headers(), &LOCATION).and_then(|location| at.join(location).ok());
            at = location.ok_or_else(|| failed(Fault::refused("it redirects to nowhere")))?;
        }
        Err(failed(Fault::refused("it redirects too often")))
    }
}

/// Opens an object of ours, to be copied to where it is missing.
pub async fn object(store: &S3Store, key: &str) -> Result<Opened, FetchError> {
    let of = format!("{}{key}", store.describe());
    let failed = |error: &_| FetchError { url: of.clone(), fault: Fault::of_store(error) };
    let details = store.details(key).await.map_err(|error| failed(&error))?;
    let object = store.get(key).await.map_err(|error| failed(&error))?;
    let size = object.attributes.size;
    let body = object
        .body
        .map(move |piece| piece.map_err(|error| FetchError { url: of.clone(), fault: Fault::of_store(&error) }));
    Ok(Opened { headers: details.headers, size: Some(size), validator: None, body: body.boxed() })
}

fn request(url: &Url, rest: Option<&Rest>) -> Result<Request, Fault> {
    let request = Request::get(url.clone()).header(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let Some(rest) = rest else { return Ok(request) };
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::Changed);
    let range = value(&format!("bytes={}-", rest.from))?;
    Ok(request.header(RANGE, range).header(IF_RANGE, value(&rest.validator)?))
}

/// Whether the answer can be an archive of that kind.
fn check(headers: &HeaderMap, suffix: Suffix) -> Result<(), Fault> {
    if let Some(encoding) =
        text(headers, &CONTENT_ENCODING).filter(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    {
        return Err(Fault::WrongType { found: format!("Content-Encoding: {encoding}"), expected: "no encoding" });
    }
    // Without a type, what is in it tells.
    let Some(found) = text(headers, &CONTENT_TYPE) else { return Ok(()) };
    let essence = found.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let others: &[&str] = match suffix {
        Suffix::TarGz => &["application/gzip", "application/x-gtar", "application/x-tar-gz", "application/x-tgz"],
        Suffix::TarBz2 => &["application/bzip2", "application/x-bzip", "application/x-bzip2-compressed-tar"],
        Suffix::Zip => &["application/x-zip", "application/x-zip-compressed"],
    };
    let is_known = essence == suffix.content_type() || essence == "application/octet-stream";
    if is_known || others.contains(&essence.as_str()) {
        return Ok(());
    }
    Err(Fault::WrongType { found: found.to_owned(), expected: suffix.content_type() })
}

/// Whether the answer is the rest that was asked for, of the same archive.
fn check_range(answer: &Streamed, rest: &Rest) -> Result<(), Fault> {
    let range = text(answer.headers(), &CONTENT_RANGE).unwrap_or_default();
    let is_rest = answer.status().as_u16() == 206 && range.starts_with(&format!("bytes {}-", rest.from));
    let is_same = text(answer.headers(), &ETAG).is_none_or(|etag| etag == rest.validator);
    if is_rest && is_same { Ok(()) } else { Err(Fault::Changed) }
}

/// What goes into S3 with the archive: the type that Mercurial gives it, whatever the server calls it, and the name it is
/// saved under.
fn headers(headers: &HeaderMap, suffix: Suffix) -> ObjectHeaders {
    let disposition = text(headers, &CONTENT_DISPOSITION).filter(|text| text.len() <= DISPOSITION_MAX);
    ObjectHeaders {
        content_type: Some(suffix.content_type().to_owned()),
        content_disposition: disposition.map(str::to_owned),
        ..ObjectHeaders::default()
    }
}

fn validator(headers: &HeaderMap, rest: Option<&Rest>) -> Option<String> {
    if let Some(rest) = rest {
        return Some(rest.validator.clone());
    }
    let knows_ranges = text(headers, &ACCEPT_RANGES).is_some_and(|unit| unit.eq_ignore_ascii_case("bytes"));
    let etag = text(headers, &ETAG).filter(|etag| knows_ranges && etag.starts_with('"'))?;
    Some(etag.to_owned())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, &CONTENT_LENGTH)?.parse().ok()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
