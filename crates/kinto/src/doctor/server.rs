//! What the server's own description tells: modes, limits, plugins.

use std::net::IpAddr;

use buildhub_http::Url;
use serde_json::Value;

use super::Patient;
use super::report::{Check, Report};

/// Batches smaller than this make a load slower than it need be. Kinto's own default.
const BATCH_MIN: usize = 25;

/// Judges the description; nothing is sent.
pub(super) fn examine(patient: &Patient<'_>, report: &mut Report) {
    let info = &patient.hello.info;
    let plugin = |name: &str| info.capabilities.get(name);
    read_only(info.settings.readonly, report);
    batches(info.settings.batch_max_requests, report);
    validation(plugin("schema").is_some(), report);
    flush(plugin("flush_endpoint").is_some(), is_this_machine(patient.probe.server()), report);
    writers(plugin("one_writer_at_a_time").is_some(), report);
    let path = (patient.settings.bucket.as_str(), patient.settings.collection.as_str());
    history(plugin("history"), path, report);
}

fn read_only(readonly: bool, report: &mut Report) {
    if readonly {
        let advice =
            "over, when maintenance is (kinto.readonly = false); a server that only serves readers is so on purpose";
        report.fault(Check::ReadOnly, "it takes no writes", advice);
    } else {
        report.ok(Check::ReadOnly, "it takes writes");
    }
}

fn batches(max: Option<usize>, report: &mut Report) {
    match max {
        Some(max) if max < BATCH_MIN => {
            let advice = format!("a load takes longer than it need: kinto.batch_max_requests = {BATCH_MIN} or more");
            report.warning(Check::Batches, format!("at most {max} records in one"), advice);
        }
        Some(max) => report.ok(Check::Batches, format!("at most {max} records in one")),
        None => report.ok(Check::Batches, "no limit is named"),
    }
}

/// Kinto names the feature `schema` when it checks records (`kinto.main`), so nothing has to be written to see it.
fn validation(on: bool, report: &mut Report) {
    if on {
        report.ok(Check::Validation, "records are checked against their collection's schema");
    } else {
        let advice = "kinto.experimental_collection_schema_validation = true";
        report.fault(Check::Validation, "records are not checked: anything can be written", advice);
    }
}

fn flush(open: bool, here: bool, report: &mut Report) {
    match (open, here) {
        (false, _) => report.ok(Check::Flush, "nobody can empty it by one request"),
        (true, true) => report.ok(Check::Flush, "anybody can empty it by one request; here, for development"),
        (true, false) => {
            let advice = "take kinto.plugins.flush out of kinto.includes, at once where the records matter";
            report.warning(Check::Flush, "anybody can empty it by one request (POST __flush__)", advice);
        }
    }
}

fn writers(guarded: bool, report: &mut Report) {
    if guarded {
        report.ok(Check::Writers, "one at a time in a collection: conditional writes hold");
    } else {
        let advice = "on PostgreSQL: kinto.includes = one_writer_at_a_time, with kinto/plugins in PYTHONPATH. A server in \
                      memory has nothing of the kind and is for development";
        report.warning(Check::Writers, "two at once can pass the same condition, and one write is lost", advice);
    }
}

fn history(plugin: Option<&Value>, (bucket, collection): (&str, &str), report: &mut Report) {
    let Some(plugin) = plugin else { return report.ok(Check::History, "not kept") };
    let names = |value: &Value, name: &str, wanted: &str| value.get(name).is_none_or(|value| value == wanted);
    let leaves_out = |resource: &Value| names(resource, "bucket", bucket) && names(resource, "collection", collection);
    let excluded = plugin.get("excluded_resources").and_then(Value::as_array);
    if excluded.is_some_and(|resources| resources.iter().any(leaves_out)) {
        return report.ok(Check::History, format!("kept, but not of {bucket}/{collection}"));
    }
    let advice =
        format!("where nobody reads it: kinto.history.exclude_resources = /buckets/{bucket}/collections/{collection}");
    report.warning(Check::History, format!("kept of {bucket}/{collection} too: every write is stored twice"), advice);
}

/// Whether the address is this machine's own, as a server for development has it.
fn is_this_machine(server: &Url) -> bool {
    server.host_str().is_some_and(|host| {
        let number = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || number.is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::State;
    use crate::doctor::report::tests_support::blank;

    #[test]
    fn a_server_elsewhere_that_anybody_can_empty_is_worth_a_warning_and_one_here_is_not() {
        for (address, state) in [
            ("https://kinto.example.com/v1", State::Warning),
            ("http://10.0.0.7:8888/v1", State::Warning),
            ("http://localhost:8888/v1", State::Ok),
            ("http://127.0.0.1:8888/v1", State::Ok),
            ("http://[::1]:8888/v1", State::Ok),
        ] {
            let mut report = blank();
            flush(true, is_this_machine(&address.parse().unwrap()), &mut report);
            assert_eq!(report.state, state, "{address}");
        }
    }

    #[test]
    fn a_history_of_every_record_is_told_from_one_that_leaves_the_builds_out() {
        let state = |plugin: Value| {
            let mut report = blank();
            history(Some(&plugin), ("build-hub", "releases"), &mut report);
            report.state
        };
        assert_eq!(state(json!({})), State::Warning);
        assert_eq!(
            state(json!({"excluded_resources": [{"bucket": "build-hub", "collection": "releases"}]})),
            State::Ok
        );
        assert_eq!(state(json!({"excluded_resources": [{"bucket": "build-hub"}]})), State::Ok);
        assert_eq!(
            state(json!({"excluded_resources": [{"bucket": "build-hub", "collection": "jobs"}]})),
            State::Warning
        );
    }
}
