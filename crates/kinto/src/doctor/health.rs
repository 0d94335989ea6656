//! Heartbeat, latency, clock, and what the operator has to say.

use std::collections::BTreeMap;

use super::Patient;
use super::probe::Who;
use super::report::{Check, Report};
use crate::Fault;

/// How long half of the answers may take, in milliseconds, before somebody should look.
const SLOW_MS: u128 = 1_000;

/// How far clocks may be apart, in seconds. Kinto's dates of records are its own clock's, and what is signed with a
/// time (Amazon's requests among it) is refused from five minutes on.
const CLOCK_MAX_S: f64 = 10.0;

/// Asks for the heartbeat.
pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    let answer = match patient.probe.get(&["__heartbeat__"], "", Who::Anybody).await {
        Ok(answer) => answer,
        Err(error) => {
            let advice = "its description came, so it runs: one of its parts keeps it waiting. See its log";
            return report.fault(Check::Heartbeat, error.cause.to_string(), advice);
        }
    };
    // `null` is a part that has nothing to check (`kinto.core.views.heartbeat`).
    let Ok(parts) = serde_json::from_slice::<BTreeMap<String, Option<bool>>>(&answer.body) else {
        let advice = "nothing may stand between a monitor and /__heartbeat__; see the server's log";
        return report.fault(Check::Heartbeat, format!("no heartbeat ({})", Fault::of(&answer)), advice);
    };
    let ill: Vec<_> = parts.iter().filter(|(_, well)| **well == Some(false)).map(|(part, _)| part.as_str()).collect();
    if ill.is_empty() {
        let well: Vec<_> = parts.keys().map(String::as_str).collect();
        return report.ok(Check::Heartbeat, format!("well: {}", well.join(", ")));
    }
    let advice = "is what it keeps its data in running and in reach (storage and permission: PostgreSQL, KINTO_STORAGE_URL, \
                  KINTO_PERMISSION_URL; cache: KINTO_CACHE_URL), and migrated (kinto migrate)? See its log";
    report.fault(Check::Heartbeat, format!("not well: {}", ill.join(", ")), advice);
}

/// What all the answers together say. Comes last.
pub(super) fn conclude(patient: &Patient<'_>, report: &mut Report) {
    let (median, ahead, backoff, alert) =
        patient.probe.notes(|notes| (notes.median(), notes.clock_ahead_s, notes.backoff.clone(), notes.alert.clone()));
    if let Some(median) = median {
        latency(median.as_millis(), report);
    }
    clock(ahead, report);
    messages(backoff.as_deref(), alert.as_deref(), report);
}

fn latency(millis: u128, report: &mut Report) {
    report.facts.latency_ms = u64::try_from(millis).ok();
    let seen = format!("half of the answers came within {millis} ms");
    if millis < SLOW_MS {
        report.ok(Check::Latency, seen);
    } else {
        let advice =
            "is it far away or overloaded? Questions about a large collection want the indexes of kinto/bin/index";
        report.warning(Check::Latency, seen, advice);
    }
}

fn clock(ahead: Option<f64>, report: &mut Report) {
    report.facts.clock_ahead_s = ahead.map(|seconds| (seconds * 10.0).round() / 10.0);
    let Some(ahead) = ahead else {
        let advice = "its answers carry no Date; a trial record shows it (--write)";
        return report.unknown(Check::Clock, "it does not show its time", advice);
    };
    if ahead.abs() <= CLOCK_MAX_S {
        return report.ok(Check::Clock, "agrees with this machine's");
    }
    let (seconds, side) = (ahead.abs(), if ahead > 0.0 { "ahead of" } else { "behind" });
    let advice = "one of the two is wrong: let both follow a time server. Records are dated by the server's clock";
    report.warning(Check::Clock, format!("{seconds:.0} s {side} this machine's"), advice);
}

fn messages(backoff: Option<&str>, alert: Option<&str>, report: &mut Report) {
    let said = [("Backoff", backoff), ("Alert", alert)];
    let said: Vec<_> = said.iter().filter_map(|(name, text)| text.map(|text| format!("{name}: {text}"))).collect();
    if said.is_empty() {
        return report.ok(Check::Messages, "none");
    }
    let advice = match backoff {
        Some(_) => {
            "it asks to be left alone for so many seconds (kinto.backoff): Buildhub waits so long after each answer"
        }
        None => "its operator has a message: read it",
    };
    report.warning(Check::Messages, said.join("; "), advice);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::report::tests_support::blank;

    #[test]
    fn a_server_that_takes_seconds_is_worth_a_look() {
        let mut report = blank();
        latency(999, &mut report);
        assert_eq!(report.state, State::Ok);
        latency(1_000, &mut report);
        assert_eq!((report.state, report.facts.latency_ms), (State::Warning, Some(1_000)));
    }

    #[test]
    fn a_server_that_hides_its_time_is_not_accused() {
        let mut report = blank();
        clock(None, &mut report);
        assert_eq!(report.state, State::Unknown);
    }
}
