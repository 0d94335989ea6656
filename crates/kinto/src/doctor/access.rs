//! Who asks, what they see, and who may write.

use std::collections::{BTreeMap, BTreeSet};

use buildhub_http::Answer;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::probe::Who;
use super::report::{Check, Report};
use super::{Patient, collection, paging, trial};
use crate::Fault;

const EVERYONE: &str = "system.Everyone";
const AUTHENTICATED: &str = "system.Authenticated";
const INITIALISE: &str = "buildhub init-kinto makes it, asked with the writer's credentials";

/// A bucket or a collection. Its permissions are shown to those who may write to it, and to nobody else.
#[derive(Debug, Deserialize)]
struct Object {
    data: Map<String, Value>,
    #[serde(default)]
    permissions: BTreeMap<String, Vec<String>>,
}

/// Looks at the collection as ourselves and as anybody.
pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    credentials(patient, report);
    let Some(object) = find(patient, report).await else { return };
    collection::schema(patient, &object.data, report);
    reading(patient, report).await;
    writing(patient, &object, report).await;
    paging::examine(patient, report).await;
    if patient.settings.write {
        trial::examine(patient, report).await;
    }
}

fn credentials(patient: &Patient<'_>, report: &mut Report) {
    if let Some(fault) = &patient.hello.refusal {
        let advice = "it reads users from its database: see the heartbeat";
        return report.fault(Check::Credentials, format!("it cannot tell whose they are ({fault})"), advice);
    }
    match (patient.probe.has_credentials(), &patient.hello.info.user) {
        (_, Some(user)) => report.ok(Check::Credentials, format!("it knows us as {}", user.id)),
        (false, None) => {
            let advice = "give the writer's credentials (--auth) to see whether it may write";
            report.unknown(Check::Credentials, "none were given: it is asked as anybody would", advice);
        }
        (true, None) => {
            let advice = "check user and password (or token), and that the server takes this way of signing in \
                          (multiauth.policies)";
            report.fault(Check::Credentials, "it does not know whose they are", advice);
        }
    }
}

/// The collection, if it is there and shown.
async fn find(patient: &Patient<'_>, report: &mut Report) -> Option<Object> {
    let (bucket, name) = (patient.settings.bucket.as_str(), patient.settings.collection.as_str());
    let answer = patient.probe.get(&["buckets", bucket, "collections", name], "", Who::Us).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            report.fault(Check::Collection, error.cause.to_string(), "see the server's log, and its heartbeat above");
            return None;
        }
    };
    let path = format!("{bucket}/{name}");
    match answer.status.as_u16() {
        200 => match serde_json::from_slice(&answer.body) {
            Ok(object) => {
                report.ok(Check::Collection, format!("{path} is there"));
                return Some(object);
            }
            Err(error) => {
                let advice = "something stands between that changes answers: look at the proxy";
                report.fault(Check::Collection, format!("{path}: no Kinto's answer ({error})"), advice);
            }
        },
        404 => report.fault(Check::Collection, format!("there is no {path}"), INITIALISE),
        // Kinto hides what is not there from whoever could not read it.
        401 | 403 => {
            let advice =
                format!("{INITIALISE}; if it is there, these credentials are not those of its writer or readers");
            report.fault(Check::Collection, format!("{path} is not there, or not shown to us"), advice);
        }
        _ => {
            let advice = "see the server's log, and its heartbeat above";
            report.fault(Check::Collection, format!("{path}: {}", Fault::of(&answer)), advice);
        }
    }
    None
}

async fn reading(patient: &Patient<'_>, report: &mut Report) {
    let path = patient.records();
    let answer = patient.probe.get(&path, "_limit=1", Who::Anybody).await;
    match answer.as_ref().map(|answer| answer.status.as_u16()) {
        Ok(200) => report.ok(Check::Reading, "everyone may read"),
        Ok(401 | 403) => {
            let advice = "buildhub init-kinto opens it: read permission of the collection for system.Everyone";
            report.fault(Check::Reading, "not everyone may read: people and tools see no builds", advice);
        }
        _ => report.fault(Check::Reading, failure(answer), "see the server's log, and its heartbeat above"),
    }
}

/// What went wrong, of an answer or instead of one.
pub(super) fn failure(answer: Result<Answer, buildhub_http::HttpError>) -> String {
    match answer {
        Ok(answer) => Fault::of(&answer).to_string(),
        Err(error) => error.cause.to_string(),
    }
}

async fn writing(patient: &Patient<'_>, collection: &Object, report: &mut Report) {
    let Some(user) = &patient.hello.info.user else {
        let advice = "give the writer's credentials (--auth)";
        return report.unknown(Check::Writing, "the server tells only a writer who may write", advice);
    };
    if collection.permissions.is_empty() {
        let advice = if patient.takes_any_name() {
            "are user and password the writer's, letter by letter? This server takes any (basicauth), and another \
             password is another user"
        } else {
            "ask as the writer, or let the writer add this user to the collection's write permission"
        };
        return report.fault(Check::Writing, format!("{} may not write", user.id), advice);
    }
    let bucket = patient.probe.get(&["buckets", &patient.settings.bucket], "", Who::Us).await.ok();
    let bucket = bucket.and_then(|answer| serde_json::from_slice::<Object>(&answer.body).ok());
    let all = [Some(&collection.permissions), bucket.as_ref().map(|bucket| &bucket.permissions)];
    let of =
        |name: &str| all.iter().flatten().filter_map(|those| those.get(name)).flatten().cloned().collect::<Vec<_>>();
    let writers = of("write").into_iter().chain(of("record:create")).collect();
    judge_writers(&writers, patient.takes_any_name(), report);
}

fn judge_writers(writers: &BTreeSet<String>, takes_any_name: bool, report: &mut Report) {
    let advice = "take it out of the write permissions of bucket and collection, and leave only the writer there";
    if writers.contains(EVERYONE) {
        report.fault(Check::Writing, "everyone may write, without any credentials", advice);
    } else if writers.contains(AUTHENTICATED) && takes_any_name {
        report.fault(Check::Writing, "everyone may write: any name and password make a user here (basicauth)", advice);
    } else if writers.contains(AUTHENTICATED) {
        report.warning(Check::Writing, "every user of the server may write", advice);
    } else {
        let writers: Vec<_> = writers.iter().map(String::as_str).collect();
        report.ok(Check::Writing, format!("we may, and nobody but {}", writers.join(", ")));
    }
}

impl Patient<'_> {
    /// Whether any name and password make a user.
    fn takes_any_name(&self) -> bool {
        self.hello.info.capabilities.contains_key("basicauth")
    }

    /// The records' path below the server's address.
    pub(super) fn records(&self) -> [&str; 5] {
        ["buckets", &self.settings.bucket, "collections", &self.settings.collection, "records"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::report::tests_support::blank;

    #[test]
    fn a_collection_that_anybody_can_write_to_is_a_fault() {
        let state = |writers: &[&str], takes_any_name| {
            let mut report = blank();
            judge_writers(&writers.iter().map(|writer| (*writer).to_owned()).collect(), takes_any_name, &mut report);
            report.state
        };
        assert_eq!(state(&["basicauth:x"], true), State::Ok);
        assert_eq!(state(&["basicauth:x", EVERYONE], false), State::Fault);
        assert_eq!(state(&[AUTHENTICATED], true), State::Fault);
        assert_eq!(state(&[AUTHENTICATED], false), State::Warning);
    }
}
