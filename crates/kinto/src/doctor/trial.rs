//! Two trial records: one that must be refused, and one that must be kept as long as its conditions say.

use std::time::{Duration, SystemTime};

use buildhub_http::{Answer, HttpError, Method};
use serde_json::{Value, json};

use super::Patient;
use super::access::failure;
use super::probe::ahead;
use super::report::{Check, Report};
use crate::Condition;

/// One name for all trials, so that they leave one tombstone and not one each.
const ID: &str = "buildhub-doctor-trial";

/// Writes, looks, and removes.
pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    let mut bad = record();
    if let Some(download) = bad.get_mut("download") {
        *download = json!({"url": "no address", "size": "no number"});
    }
    let answer = put(patient, &bad, Condition::None).await;
    let stored = is_stored(&answer);
    match status(&answer) {
        Some(400) => report.ok(Check::BadRecord, "a record that is no build was refused"),
        Some(200 | 201) => {
            let advice =
                "see the checks validation and schema: one of them is wrong, or was changed for a part of the servers";
            report.fault(Check::BadRecord, "a record that is no build was stored", advice);
        }
        // Whatever keeps us from writing is the other record's to tell.
        _ => report.unknown(Check::BadRecord, failure(answer), ""),
    }
    if good(patient, report).await || stored {
        remove(patient, report).await;
    }
}

/// Whether something is stored now, for all that can be told.
async fn good(patient: &Patient<'_>, report: &mut Report) -> bool {
    let good = record();
    let written = put(patient, &good, Condition::None).await;
    if !is_stored(&written) {
        let advice = "see the checks above: credentials, writing, read-only, schema";
        report.fault(Check::GoodRecord, format!("a trial record was not stored: {}", failure(written)), advice);
        return false;
    }
    note_time(patient, &written);
    let again = put(patient, &good, Condition::IfNoneMatch).await;
    if status(&again) == Some(412) {
        report.ok(Check::GoodRecord, "a trial record was stored, guarded by If-None-Match, and removed");
    } else {
        let advice = "does a proxy take If-None-Match out of requests? Without it a record can replace a newer one";
        let seen = format!("If-None-Match did not keep a stored record from being written again ({})", failure(again));
        report.fault(Check::GoodRecord, seen, advice);
    }
    true
}

async fn remove(patient: &Patient<'_>, report: &mut Report) {
    let path = patient.records();
    let answer = patient.probe.write(Method::DELETE, &[&path[..], &[ID]].concat(), None, Condition::None).await;
    if !matches!(status(&answer), Some(200 | 404)) {
        let seen = format!("the trial record {ID} could not be removed: {}", failure(answer));
        report.replace(Check::GoodRecord, seen, "remove it by hand: nobody built it");
    }
}

/// A record's date is the server's time: for servers whose answers carry none.
fn note_time(patient: &Patient<'_>, written: &Result<Answer, HttpError>) {
    let body = written.as_ref().ok().and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
    let date = body.as_ref().and_then(|body| body.pointer("/data/last_modified")).and_then(Value::as_u64);
    if let Some(millis) = date {
        let theirs = SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        patient.probe.notes(|notes| notes.clock_ahead_s.get_or_insert(ahead(theirs, SystemTime::now())).to_owned());
    }
}

async fn put(patient: &Patient<'_>, record: &Value, condition: Condition) -> Result<Answer, HttpError> {
    let path = patient.records();
    patient.probe.write(Method::PUT, &[&path[..], &[ID]].concat(), Some(record), condition).await
}

fn status(answer: &Result<Answer, HttpError>) -> Option<u16> {
    answer.as_ref().ok().map(|answer| answer.status.as_u16())
}

fn is_stored(answer: &Result<Answer, HttpError>) -> bool {
    matches!(status(answer), Some(200 | 201))
}

/// A record the schema takes, and nobody can take for a build.
fn record() -> Value {
    json!({
        "source": {"product": "buildhub-doctor"},
        "target": {"platform": "none", "locale": "none", "version": "0", "channel": "none"},
        "download": {"url": "https://trial.invalid/", "mimetype": "text/plain", "size": 0, "date": "1970-01-01T00:00:00Z"},
    })
}
