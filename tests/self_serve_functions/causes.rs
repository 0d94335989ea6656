//! Why a request is refused: which reasons an address has, how a good request is spoiled by each, and what is answered.

use reqwest::Method;
use serde_json::json;

use crate::ask::{Ask, Body, Endpoint, token};
use crate::good::Known;

/// What is no value of anything.
const WRONG: &str = "!";
/// A number that nothing has.
const NOTHING: u64 = 999_999;

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Another method.
    Method,
    /// Another format than JSON or HTML.
    Format,
    /// A page of another site asks.
    Site,
    /// Nobody is named.
    Nobody,
    /// Somebody is named by somebody else than the proxy; a master with a wrong password.
    Forged,
    /// No such branch.
    Branch,
    /// A body of another kind.
    Body,
    /// A number in the address that is none.
    Number,
    /// A revision that is none.
    Revision,
    /// A pool that is none.
    Pool,
    /// A parameter that makes no sense.
    Parameter(String),
    /// A parameter that must be there.
    Missing(String),
    /// A property that is the build system's.
    Reserved,
    /// A name that is none.
    Name,
    /// Nothing has this number.
    Object,
    /// It is another branch's.
    Elsewhere,
    /// No such builder.
    Builder,
    /// Somebody else's.
    Rights,
    /// It runs.
    Running,
    /// It is over.
    Over,
    /// A key that is none.
    Key,
    /// A key that was used for something else.
    Reused,
}

/// All that an address can be refused for, in the order in which it is looked at: what the specification of the API's users
/// says of each kind of address.
pub(crate) fn of(endpoint: &Endpoint) -> Vec<Cause> {
    let mut causes = vec![Cause::Method, Cause::Format];
    if endpoint.is_write() {
        causes.push(Cause::Site);
    }
    if !endpoint.is_read() {
        causes.extend([Cause::Nobody, Cause::Forged]);
    }
    if endpoint.has("branch") {
        causes.push(Cause::Branch);
    }
    if !endpoint.is_read() {
        causes.push(Cause::Body);
    }
    let numbers = ["build_id", "request_id", "job_id"];
    if numbers.iter().any(|name| endpoint.has(name)) {
        causes.push(Cause::Number);
    }
    if endpoint.has("revision") {
        causes.push(Cause::Revision);
    }
    if endpoint.has("pool") {
        causes.push(Cause::Pool);
    }
    causes.extend(endpoint.parameters.iter().cloned().map(Cause::Parameter));
    causes.extend(required(endpoint).cloned().map(Cause::Missing));
    if endpoint.takes("properties") {
        causes.push(Cause::Reserved);
    }
    if endpoint.takes_name() {
        causes.push(Cause::Name);
    }
    // Who asks again is answered again, whatever became of that which it was about.
    if endpoint.is_write() {
        causes.extend([Cause::Key, Cause::Reused]);
    }
    if numbers.iter().any(|name| endpoint.has(name) || endpoint.takes(name)) {
        causes.push(Cause::Object);
        if endpoint.has("branch") {
            causes.push(Cause::Elsewhere);
        }
    }
    if endpoint.has("builder") {
        causes.push(Cause::Builder);
    }
    // What ends or moves something is not everybody's.
    if endpoint.method == "PUT" || endpoint.method == "DELETE" {
        causes.push(Cause::Rights);
    }
    if endpoint.method == "PUT" {
        causes.extend([Cause::Running, Cause::Over]);
    }
    causes
}

/// The parameters that something makes no sense without.
fn required(endpoint: &Endpoint) -> impl Iterator<Item = &String> {
    let is_required = |name: &str| {
        matches!(name, "build_id" | "request_id" | "buildrequestid") || (name == "priority" && endpoint.method == "PUT")
    };
    endpoint.parameters.iter().filter(move |name| is_required(name))
}

impl Cause {
    /// Makes a good request one that is refused for this reason.
    pub(crate) fn spoil(&self, ask: &mut Ask, endpoint: &Endpoint, known: &Known) {
        let header = |ask: &mut Ask, name, value: &str| drop(ask.headers.insert(name, value.to_owned()));
        let rename = |ask: &mut Ask, name: &str, value: &str| drop(ask.names.insert(name.to_owned(), value.to_owned()));
        match self {
            Self::Method => ask.method = Method::PATCH,
            Self::Format => drop(ask.query.insert("format".to_owned(), "xml".to_owned())),
            Self::Site => header(ask, "origin", "https://evil.example"),
            Self::Nobody => {
                ask.headers.remove("x-self-serve-identity");
                ask.headers.remove("authorization");
            }
            Self::Forged if endpoint.is_for_masters() => *ask = ask.clone().login("events:guessed"),
            Self::Forged => {
                let signed = token("alice", &[]);
                let (claims, _) = signed.rsplit_once('.').unwrap();
                header(ask, "x-self-serve-identity", &format!("{claims}.{}", "A".repeat(43)));
            }
            Self::Branch => rename(ask, "branch", "nope"),
            Self::Body => ask.body = Body::Other("text/xml", "<a/>"),
            Self::Number => ["build_id", "request_id", "job_id"].iter().for_each(|name| rename(ask, name, "x")),
            Self::Revision => rename(ask, "revision", "tip"),
            Self::Pool => rename(ask, "pool", "swimming"),
            Self::Parameter(name) => ask.set(name, json!(WRONG)),
            Self::Missing(name) => {
                ask.fields.remove(name);
                // A master's body is never empty.
                ask.fields.insert("other".to_owned(), json!(1));
            }
            Self::Name => ["builder", "user", "worker"].iter().for_each(|name| rename(ask, name, "a\0b")),
            Self::Reserved => ask.set("properties", json!({ "owner": "bob" })),
            Self::Object => {
                for name in ["build_id", "request_id", "job_id"] {
                    if endpoint.has(name) {
                        rename(ask, name, &NOTHING.to_string());
                    }
                }
                for name in ["build_id", "request_id"] {
                    if endpoint.takes(name) {
                        ask.set(name, json!(NOTHING));
                    }
                }
            }
            Self::Elsewhere => rename(ask, "branch", "mozilla-central"),
            Self::Builder => rename(ask, "builder", "nope"),
            Self::Rights => *ask = ask.clone().by("mallory"),
            Self::Running => rename(ask, "request_id", &known.running.0.to_string()),
            Self::Over => rename(ask, "request_id", &known.over.0.to_string()),
            Self::Key => header(ask, "idempotency-key", " "),
            Self::Reused => header(ask, "idempotency-key", "used"),
        }
    }

    /// What is answered: the status, and words of the message.
    pub(crate) fn answer(&self, endpoint: &Endpoint) -> (u16, String) {
        let masters = endpoint.is_for_masters();
        let (status, words) = match self {
            Self::Method => (405, "not allowed"),
            Self::Format => (400, "Bad format"),
            Self::Site => (403, "another site"),
            Self::Nobody | Self::Forged if masters => (401, "SELF_SERVE_EVENTS_AUTH"),
            Self::Nobody => (401, "ACCESS DENIED!"),
            Self::Forged => (401, "its signature is not the proxy's"),
            Self::Branch => (404, "Branch nope not found"),
            Self::Body => (400, "Bad body"),
            Self::Number if endpoint.is_read() => (404, "x not found"),
            Self::Number => (400, "it is a whole number"),
            Self::Revision => (400, "Bad revision"),
            Self::Pool => (400, "Bad pool"),
            Self::Parameter(_) | Self::Missing(_) if masters => (400, "Bad body: an event that names no request"),
            Self::Parameter(name) | Self::Missing(name) => return (400, format!("Bad {name}: ")),
            Self::Name => (400, "it is a name of 1 to"),
            Self::Reserved => (400, "\"owner\" is the build system's own"),
            Self::Object => return (404, format!("{NOTHING} not found")),
            Self::Elsewhere => (404, "not found on branch mozilla-central"),
            Self::Builder => (404, "Builder nope not found"),
            Self::Rights => (403, "ACCESS DENIED! Only"),
            Self::Running => (400, "Request is already running"),
            Self::Over => (400, "Request already complete"),
            Self::Key => (400, "Bad Idempotency-Key"),
            Self::Reused => (409, "take another one for something new"),
        };
        (status, words.to_owned())
    }
}
