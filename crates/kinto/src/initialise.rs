//! Brings a server to the state a manifest wants.

use std::collections::BTreeMap;
use std::fmt;

use buildhub_http::{Method, Repeat, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::client::{parse, success};
use crate::collection::check_id;
use crate::{Client, Condition, KintoError, Manifest};

/// How often one object is looked at again when others change it meanwhile.
const ATTEMPTS: u32 = 5;

type Permissions = BTreeMap<String, Vec<String>>;

/// Something that was not as the manifest wants it, and now is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// An object was made.
    Created {
        /// `bucket "build-hub"`.
        object: String,
    },
    /// Fields or permissions of an object were changed.
    Updated {
        /// `collection "releases"`.
        object: String,
        /// The fields (`schema`) and permissions (`permissions.read`) that differed.
        fields: Vec<String>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created { object } => write!(f, "created {object}"),
            Self::Updated { object, fields } => write!(f, "updated {object}: {}", fields.join(", ")),
        }
    }
}

/// What a manifest wants of one object.
struct Wanted<'a> {
    object: String,
    path: Vec<&'a str>,
    data: &'a Map<String, Value>,
    permissions: &'a Permissions,
}

/// An object as the server has it.
#[derive(Deserialize)]
struct Found {
    data: Map<String, Value>,
    #[serde(default)]
    permissions: Permissions,
}

/// What a look at an object shows.
enum Look {
    Found(Found),
    Absent,
    /// 403: Kinto hides what does not exist from whoever could not read it. The attempt to make it tells.
    Hidden,
}

/// What is to be sent.
#[derive(Serialize)]
struct Body<'a> {
    data: BTreeMap<&'a str, &'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    permissions: Permissions,
}

impl Client {
    /// Makes what a manifest names and is not there, and changes what is there and differs. Other fields, other
    /// principals and other objects stay as they are. Returns what it did: nothing, when all was as wanted, and then
    /// nothing was written either.
    pub async fn initialise(&self, manifest: &Manifest) -> Result<Vec<Change>, KintoError> {
        let mut changes = Vec::new();
        for (id, bucket) in &manifest.buckets {
            check_id("bucket", id)?;
            let (data, permissions) = (&bucket.data, &bucket.permissions);
            let wanted = Wanted { object: format!("bucket {id:?}"), path: vec!["buckets", id], data, permissions };
            changes.extend(self.ensure(&wanted).await?);
            for (name, collection) in &bucket.collections {
                check_id("collection", name)?;
                let path = vec!["buckets", id, "collections", name];
                let (data, permissions) = (&collection.data, &collection.permissions);
                let wanted = Wanted { object: format!("collection {name:?}"), path, data, permissions };
                changes.extend(self.ensure(&wanted).await?);
            }
        }
        Ok(changes)
    }

    /// Looks, and writes under the condition that nobody else has written since.
    async fn ensure(&self, wanted: &Wanted<'_>) -> Result<Option<Change>, KintoError> {
        let what = format!("initialise {}", wanted.object);
        for _ in 0..ATTEMPTS {
            let look = self.look(wanted).await?;
            let hidden = matches!(look, Look::Hidden);
            let (request, change) = match look {
                Look::Absent | Look::Hidden => {
                    (wanted.creation(self), Change::Created { object: wanted.object.clone() })
                }
                Look::Found(found) => {
                    let body = wanted.difference(&found);
                    let fields = body.names();
                    if fields.is_empty() {
                        return Ok(None);
                    }
                    let change = Change::Updated { object: wanted.object.clone(), fields };
                    (wanted.update(self, &found, &body), change)
                }
            };
            let answer = self.fetch(&request, Repeat::Safe).await?;
            if answer.status.as_u16() != 412 {
                success(&what, answer)?;
                return Ok(Some(change));
            }
            // It is there, and not ours to see: enough when nothing but its being there is wanted.
            if hidden {
                return if wanted.is_bare() { Ok(None) } else { Err(KintoError::Forbidden { what }) };
            }
        }
        Err(KintoError::Contended { what, attempts: ATTEMPTS })
    }

    async fn look(&self, wanted: &Wanted<'_>) -> Result<Look, KintoError> {
        let what = format!("read {}", wanted.object);
        let answer = self.fetch(&self.request(Method::GET, &wanted.path), Repeat::Safe).await?;
        match answer.status.as_u16() {
            403 => Ok(Look::Hidden),
            404 => Ok(Look::Absent),
            _ => parse(&what, &success(&what, answer)?.body).map(Look::Found),
        }
    }
}

impl Wanted<'_> {
    /// Whether nothing is wanted but that the object is there.
    fn is_bare(&self) -> bool {
        self.data.is_empty() && self.permissions.is_empty()
    }

    fn creation(&self, client: &Client) -> Request {
        let data = self.data.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let body = Body { data, permissions: self.permissions.clone() };
        Condition::IfNoneMatch.on(client.request(Method::PUT, &self.path).json(body.json()))
    }

    /// Only the fields that differ: `PATCH` leaves the others alone.
    fn update(&self, client: &Client, found: &Found, body: &Body<'_>) -> Request {
        let last_modified = found.data.get("last_modified").and_then(Value::as_u64);
        let condition = last_modified.map_or(Condition::None, Condition::IfMatch);
        condition.on(client.request(Method::PATCH, &self.path).json(body.json()))
    }

    fn difference(&self, found: &Found) -> Body<'_> {
        let differs = |(name, value): &(&String, &Value)| found.data.get(*name) != Some(*value);
        let data = self.data.iter().filter(differs).map(|(name, value)| (name.as_str(), value)).collect();
        let mut permissions = Permissions::new();
        for (name, wanted) in self.permissions {
            let mut all = found.permissions.get(name).cloned().unwrap_or_default();
            let missing: Vec<_> = wanted.iter().filter(|principal| !all.contains(principal)).cloned().collect();
            if !missing.is_empty() {
                all.extend(missing);
                permissions.insert(name.clone(), all);
            }
        }
        Body { data, permissions }
    }
}

impl Body<'_> {
    fn names(&self) -> Vec<String> {
        let permissions = self.permissions.keys().map(|name| format!("permissions.{name}"));
        self.data.keys().map(|name| (*name).to_owned()).chain(permissions).collect()
    }

    fn json(&self) -> Vec<u8> {
        // Valid JSON in, valid JSON out: writing to memory cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
