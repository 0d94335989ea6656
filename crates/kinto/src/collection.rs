//! One collection: its records, one at a time.

use buildhub_http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH};
use buildhub_http::{Answer, Method, Repeat, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::batch::{self, Outcome};
use crate::client::{parse, success};
use crate::{Client, Fault, KintoError};

/// Under which condition a write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Condition {
    /// Under any.
    #[default]
    None,
    /// Only if the record was last modified at this moment.
    IfMatch(u64),
    /// Only if there is no such record (a deleted one does not count).
    IfNoneMatch,
}

impl Condition {
    /// The header that carries it: its name and value. The quotes of an entity tag are part of it (RFC 9110 §8.8.3).
    pub(crate) fn header(self) -> Option<(HeaderName, String)> {
        match self {
            Self::None => None,
            Self::IfMatch(last_modified) => Some((IF_MATCH, format!("\"{last_modified}\""))),
            Self::IfNoneMatch => Some((IF_NONE_MATCH, "*".to_owned())),
        }
    }

    pub(crate) fn on(self, request: Request) -> Request {
        match self.header().map(|(name, value)| (name, HeaderValue::from_str(&value))) {
            Some((name, Ok(value))) => request.header(name, value),
            _ => request,
        }
    }
}

/// A record as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored<T> {
    /// Its id.
    pub id: String,
    /// When it was last written, in milliseconds; unique within its collection, and its entity tag.
    pub last_modified: u64,
    /// The record, read from an object that also holds `id`, `last_modified` and, where schemas are checked, `schema`.
    pub data: T,
}

/// What became of a deletion.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Deletion {
    /// The record is gone; a tombstone of this moment is left.
    Deleted {
        /// The tombstone's moment, in milliseconds.
        last_modified: u64,
    },
    /// There was none.
    Absent,
    /// It is another than the condition says; this is it.
    Conflict {
        /// The record that stands there.
        existing: Option<Value>,
    },
}

/// A collection of records.
#[derive(Debug, Clone)]
pub struct Collection {
    pub(crate) client: Client,
    pub(crate) bucket: String,
    pub(crate) name: String,
}

/// The fields every record and tombstone has.
#[derive(Deserialize)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) last_modified: u64,
    #[serde(default)]
    pub(crate) deleted: bool,
}

#[derive(Deserialize)]
struct One<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Collection {
    pub(crate) fn new(client: Client, bucket: &str, name: &str) -> Result<Self, KintoError> {
        check_id("bucket", bucket)?;
        check_id("collection", name)?;
        Ok(Self { client, bucket: bucket.to_owned(), name: name.to_owned() })
    }

    /// The client it belongs to.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The bucket's id.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The collection's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// One record, if it is there.
    pub async fn get<T: DeserializeOwned>(&self, id: &str) -> Result<Option<Stored<T>>, KintoError> {
        let what = self.what("read", id);
        let answer = self.client.fetch(&self.record(Method::GET, id)?, Repeat::Safe).await?;
        if is_absent(&answer) {
            return Ok(None);
        }
        let answer = success(&what, answer)?;
        let one: One<'_> = parse(&what, &answer.body)?;
        let head = parse(&what, one.data.get().as_bytes())?;
        stored(&what, head, one.data).map(Some)
    }

    /// Writes one record whole. Writing what is already there changes its date: do not write is the only way to
    /// change nothing.
    pub async fn put<T: Serialize>(&self, id: &str, data: &T, condition: Condition) -> Result<Outcome, KintoError> {
        let what = self.what("write", id);
        let data =
            serde_json::value::to_raw_value(data).map_err(|source| KintoError::Json { what: what.clone(), source })?;
        let body = batch::envelope(&data);
        let request = condition.on(self.record(Method::PUT, id)?).json(body);
        // A 409 has stored nothing, like a 503: both are repeated.
        let again = |answer: &Answer| answer.status.as_u16() == 409;
        let answer = self.client.fetch(&request, Repeat::SafeAnd(&again)).await?;
        batch::outcome(&what, answer.status.as_u16(), &answer.body, &data, answer.attempts > 1)
    }

    /// Deletes one record, leaving a tombstone.
    pub async fn delete(&self, id: &str, condition: Condition) -> Result<Deletion, KintoError> {
        let what = self.what("delete", id);
        let request = condition.on(self.record(Method::DELETE, id)?);
        let again = |answer: &Answer| answer.status.as_u16() == 409;
        let answer = self.client.fetch(&request, Repeat::SafeAnd(&again)).await?;
        if is_absent(&answer) {
            return Ok(Deletion::Absent);
        }
        if answer.status.as_u16() == 412 {
            return Ok(Deletion::Conflict { existing: Fault::of(&answer).existing().cloned() });
        }
        let answer = success(&what, answer)?;
        let one: One<'_> = parse(&what, &answer.body)?;
        let head: Head = parse(&what, one.data.get().as_bytes())?;
        Ok(Deletion::Deleted { last_modified: head.last_modified })
    }

    /// How many records there are.
    pub async fn count(&self) -> Result<u64, KintoError> {
        let (what, answer) = self.head().await?;
        let count = answer.header("total-objects").or_else(|| answer.header("total-records"));
        number(what, "Total-Objects", count)
    }

    /// The moment of the last change to any record, in milliseconds: what [`Query::since`](crate::Query::since) takes
    /// to ask for everything that changes from now on.
    pub async fn timestamp(&self) -> Result<u64, KintoError> {
        let (what, answer) = self.head().await?;
        etag(&what, &answer)
    }

    async fn head(&self) -> Result<(String, Answer), KintoError> {
        let what = self.what("list", "");
        let answer = self.client.fetch(&self.list_request(Method::HEAD), Repeat::Safe).await?;
        // An answer to HEAD has no body to say so, but only the bucket or the collection can be missing here.
        if answer.status.as_u16() == 404 {
            return Err(KintoError::Missing { what, missing: format!("collection {:?}", self.name) });
        }
        success(&what, answer).map(|answer| (what, answer))
    }

    pub(crate) fn list_request(&self, method: Method) -> Request {
        self.client.request(method, &["buckets", &self.bucket, "collections", &self.name, "records"])
    }

    fn record(&self, method: Method, id: &str) -> Result<Request, KintoError> {
        check_id("record", id)?;
        let path = ["buckets", &self.bucket, "collections", &self.name, "records", id];
        Ok(self.client.request(method, &path))
    }

    /// What is being done, for an error: `write build-hub/releases/firefox_60-0`.
    pub(crate) fn what(&self, verb: &str, id: &str) -> String {
        format!("{verb} {}/{}/{id}", self.bucket, self.name)
    }
}

/// The moment an answer's entity tag stands for.
pub(crate) fn etag(what: &str, answer: &Answer) -> Result<u64, KintoError> {
    let tag = answer.header(ETAG.as_str()).map(|tag| tag.trim_matches('"'));
    number(what.to_owned(), "ETag", tag)
}

fn number(what: String, header: &str, text: Option<&str>) -> Result<u64, KintoError> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| KintoError::NotKinto { what, reason: format!("no {header} with a number") })
}

/// A record from its JSON, whose fixed fields are read already.
pub(crate) fn stored<T: DeserializeOwned>(what: &str, head: Head, data: &RawValue) -> Result<Stored<T>, KintoError> {
    let data = parse(what, data.get().as_bytes())?;
    Ok(Stored { id: head.id, last_modified: head.last_modified, data })
}

/// Whether the record itself is what is missing, not its collection.
fn is_absent(answer: &Answer) -> bool {
    answer.status.as_u16() == 404 && {
        let fault = Fault::of(answer);
        fault.errno != Fault::MISSING_PARENT && fault.errno != 0
    }
}

/// Refuses an id that Kinto would (`kinto.core.storage.generators`: `^[a-zA-Z0-9][a-zA-Z0-9_-]*$`).
pub(crate) fn check_id(kind: &'static str, id: &str) -> Result<(), KintoError> {
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-') {
        Ok(())
    } else {
        Err(KintoError::BadId { kind, id: id.to_owned() })
    }
}
