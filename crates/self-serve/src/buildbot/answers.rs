//! What a master's API answers.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::backend;

/// Something that a master numbers, from 1.
pub(super) trait Numbered {
    /// What its number is called.
    const NUMBER: &'static str;

    fn id(&self) -> u64;
}

macro_rules! numbered {
    ($($kind:ty: $field:ident),+ $(,)?) => {$(
        impl Numbered for $kind {
            const NUMBER: &'static str = stringify!($field);

            fn id(&self) -> u64 {
                self.$field
            }
        }
    )+};
}

numbered!(Builder: builderid, Request: buildrequestid, Set: bsid, Build: buildid);

/// A scheduler that can be called.
#[derive(Debug, Deserialize)]
pub(super) struct Scheduler {
    pub(super) label: String,
}

impl Scheduler {
    /// Which version of `buildbot/self_serve` it is of, where it says so.
    pub(super) fn version(&self) -> Option<u32> {
        self.label.strip_prefix(super::SCHEDULER)?.trim().parse().ok()
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Builder {
    builderid: u64,
    name: String,
    #[serde(default)]
    tags: Vec<String>,
    /// None: it was configured once, and is no more.
    #[serde(default)]
    pub(super) masterids: Vec<u64>,
}

impl Builder {
    pub(super) fn into_builder(self) -> backend::Builder {
        backend::Builder { id: self.builderid, name: self.name, tags: self.tags }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Master {
    pub(super) name: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Request {
    pub(super) buildrequestid: u64,
    pub(super) builderid: u64,
    pub(super) buildsetid: u64,
    pub(super) priority: i64,
    pub(super) submitted_at: i64,
    pub(super) claimed_at: Option<i64>,
    pub(super) complete_at: Option<i64>,
    properties: Option<Properties>,
}

impl Request {
    pub(super) fn properties(&mut self) -> Map<String, Value> {
        values(self.properties.take())
    }
}

/// A request of which only the number was asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Number {
    pub(super) buildrequestid: u64,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Set {
    pub(super) bsid: u64,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) sourcestamps: Vec<Stamp>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Stamp {
    pub(super) ssid: u64,
    pub(super) branch: Option<String>,
    pub(super) revision: Option<String>,
    #[serde(default)]
    pub(super) repository: Option<String>,
    #[serde(default)]
    codebase: String,
}

impl Set {
    /// The source that it is known by: the only one, or that of the codebase that has no name, or else of the first by name.
    /// A master says them in any order.
    pub(super) fn source(&self) -> Option<&Stamp> {
        self.sourcestamps.iter().min_by(|one, other| one.codebase.cmp(&other.codebase))
    }
}

/// What schedulers make requests of.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) changeid: u64,
    pub(super) author: String,
    pub(super) when_timestamp: i64,
    sourcestamp: ChangedStamp,
    #[serde(default)]
    properties: Properties,
}

#[derive(Debug, Deserialize)]
struct ChangedStamp {
    ssid: u64,
}

impl Change {
    /// Whether it is of that source.
    pub(super) fn is_of(&self, stamp: &Stamp) -> bool {
        self.sourcestamp.ssid == stamp.ssid
    }

    /// Whether no job told of it.
    pub(super) fn is_push(&self) -> bool {
        !self.properties.contains_key(super::PIECE)
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct Build {
    pub(super) buildid: u64,
    pub(super) buildrequestid: u64,
    pub(super) builderid: u64,
    pub(super) number: u64,
    pub(super) started_at: i64,
    pub(super) complete_at: Option<i64>,
    pub(super) results: Option<i64>,
    pub(super) masterid: Option<u64>,
    properties: Option<Properties>,
}

impl Build {
    pub(super) fn properties(&mut self) -> Map<String, Value> {
        values(self.properties.take())
    }
}

/// Each with its value and where it comes from.
type Properties = Map<String, Value>;

fn values(properties: Option<Properties>) -> Map<String, Value> {
    let value = |pair: Value| match pair {
        Value::Array(parts) => parts.into_iter().next().unwrap_or_default(),
        other => other,
    };
    properties.unwrap_or_default().into_iter().map(|(name, pair)| (name, value(pair))).collect()
}

/// That something is not there, as a question is answered.
#[derive(Debug, Deserialize)]
pub(super) struct Absent {
    error: String,
}

impl Absent {
    /// Whether it is what Buildbot says.
    pub(super) fn is_buildbots(&self) -> bool {
        self.error.starts_with("not found")
    }
}

/// What is wrong, as JSON-RPC says it: a text, or an object of a text for each parameter.
#[derive(Debug, Deserialize)]
pub(super) struct Fault {
    pub(super) error: Wrong,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Wrong {
    /// Of a call.
    Call {
        /// What it says.
        message: Value,
    },
    /// Of a question.
    Question(String),
}

impl Wrong {
    pub(super) fn text(self) -> String {
        match self {
            Self::Question(text) | Self::Call { message: Value::String(text) } => text,
            Self::Call { message } => message.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_told_in_whichever_of_its_forms_it_comes() {
        for (json, expected) in [
            (r#"{"error":"not found while getting x"}"#, "not found while getting x"),
            (
                r#"{"error":{"code":-32600,"message":"you need to have role 'admins'"}}"#,
                "you need to have role 'admins'",
            ),
            (r#"{"error":{"code":-32602,"message":{"priority":"an integer"}}}"#, r#"{"priority":"an integer"}"#),
        ] {
            let fault: Fault = serde_json::from_str(json).unwrap();
            assert_eq!(fault.error.text(), expected);
        }
    }

    #[test]
    fn a_scheduler_says_its_version_and_whatever_is_called_otherwise_has_none() {
        let version = |label: &str| Scheduler { label: label.to_owned() }.version();
        assert_eq!(["self-serve 2", "self-serve 10"].map(version), [Some(2), Some(10)]);
        assert_eq!(["self-serve", "", "self-serve two", "force 2"].map(version), [None; 4]);
    }

    #[test]
    fn a_request_of_several_codebases_is_known_by_the_same_one_each_time() {
        let stamp = |codebase: &str| json!({ "ssid": 1, "branch": codebase, "revision": null, "codebase": codebase });
        for (stamps, expected) in [(["lib", ""], ""), (["", "lib"], ""), (["web", "lib"], "lib")] {
            let set = json!({ "bsid": 1, "sourcestamps": stamps.map(stamp) });
            let set: Set = serde_json::from_value(set).unwrap();
            assert_eq!(set.source().unwrap().branch.as_deref(), Some(expected));
        }
    }

    #[test]
    fn properties_lose_their_sources() {
        let json = r#"{"buildrequestid":1,"builderid":2,"buildsetid":3,"priority":0,"submitted_at":1,"claimed_at":null,
            "complete_at":null,"properties":{"a":[[1,2],"here"],"b":["x","there"]}}"#;
        let mut request: Request = serde_json::from_str(json).unwrap();
        assert_eq!(Value::Object(request.properties()), json!({ "a": [1, 2], "b": "x" }));
    }
}
