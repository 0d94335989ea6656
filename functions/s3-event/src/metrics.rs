//! The items of an invocation as CloudWatch metrics.

use std::time::Duration;

use buildhub_core::metrics::{self, Metrics};
use buildhub_indexer::events::{Handled, Stored};
use jiff::Timestamp;

use crate::item::{Failure, Item, Outcome};

/// Writes the numbers of an invocation to standard output, where Lambda's log takes them from.
pub(crate) fn emit(items: &[Item], at: Timestamp) {
    numbers(items).emit(at);
}

fn numbers(items: &[Item]) -> Metrics {
    let mut numbers = Metrics::new("s3-event");
    let of = |wanted: fn(&Outcome) -> bool| items.iter().filter(|item| wanted(&item.outcome)).count() as u64;
    let mut stored = Stored::default();
    let mut removed = 0;
    // Several events of one object are one piece of work; only the first of them made requests or records.
    for item in items {
        match &item.outcome {
            Outcome::Handled(Handled::Stored(one)) if item.is_first => stored.add(one.clone()),
            Outcome::Handled(Handled::Removed { records }) if item.is_first => removed += records,
            _ => {}
        }
    }
    for (metric, count) in [
        (&metrics::EVENTS_RECEIVED, items.len() as u64),
        (&metrics::EVENTS_IGNORED, of(|outcome| matches!(outcome, Outcome::Handled(Handled::Ignored { .. })))),
        (&metrics::EVENTS_RETRIED, of(Outcome::is_retry)),
        (&metrics::EVENTS_REFUSED, of(|outcome| matches!(outcome, Outcome::Failed(Failure::Refused { .. })))),
        (&metrics::RECORDS_CREATED, stored.created),
        (&metrics::RECORDS_UPDATED, stored.updated),
        (&metrics::RECORDS_UNCHANGED, stored.unchanged),
        (&metrics::RECORDS_REFUSED, stored.refused.len() as u64),
        (&metrics::RECORDS_REMOVED, removed),
        (&metrics::METADATA_MISSING, of(|outcome| matches!(outcome, Outcome::Handled(Handled::WithoutMetadata)))),
        (&metrics::ARCHIVE_REQUESTS, items.iter().map(|item| item.requests).sum()),
    ] {
        numbers.count(metric, count);
    }
    if let Some(delay) = items.iter().filter_map(|item| item.delay).max() {
        numbers.duration(&metrics::EVENT_DELAY, Duration::from_millis(delay));
    }
    numbers
}
