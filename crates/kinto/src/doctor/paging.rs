//! How many records come on a page.

use super::Patient;
use super::access::failure;
use super::probe::Who;
use super::report::{Check, Report};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// What Kinto gives at most, whatever its settings say (`storage_max_fetch_size`).
const PAGE_MAX: usize = 10_000;

/// With fewer, reading a million records takes more than a thousand requests.
const PAGE_MIN: usize = 1_000;

#[derive(Deserialize)]
struct List {
    data: Vec<IgnoredAny>,
}

/// Asks for as many ids as a page may have; a page that is shorter though there are more is the server's limit.
pub(super) async fn examine(patient: &Patient<'_>, report: &mut Report) {
    let query = format!("_limit={PAGE_MAX}&_fields=id&_sort=last_modified");
    let answer = patient.probe.get(&patient.records(), &query, Who::Us).await;
    let advice = "see the server's log, and its heartbeat above";
    let answer = match answer {
        Ok(answer) if answer.status.is_success() => answer,
        other => return report.fault(Check::Pages, failure(other), advice),
    };
    let Ok(list) = serde_json::from_slice::<List>(&answer.body) else {
        return report.fault(Check::Pages, "the answer is no list of records", advice);
    };
    let records = list.data.len();
    if answer.header("next-page").is_none() {
        let seen = format!("the limit does not show: all {records} records come on one");
        return report.ok(Check::Pages, seen);
    }
    report.facts.page_max = Some(records);
    let seen = format!("{records} records on one");
    if records < PAGE_MIN {
        let advice = format!("reading everything takes many requests: kinto.paginate_by = {PAGE_MAX}");
        report.warning(Check::Pages, seen, advice);
    } else {
        report.ok(Check::Pages, seen);
    }
}
