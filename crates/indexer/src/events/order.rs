//! Several events of one object: which of them count.

use std::cmp::Ordering;

use buildhub_core::event::{Change, ObjectEvent};

/// The events of one object that have to be handled, of all that came together.
///
/// Where each has a sequencer the last one says all. Otherwise one of each kind of change is left, a removal first:
/// the object itself is asked each time, so what was true in between does no harm.
pub fn latest(events: &[&ObjectEvent]) -> Vec<ObjectEvent> {
    let last = events.iter().try_fold(None, |last: Option<&ObjectEvent>, event| {
        let sequencer = event.sequencer.as_deref()?;
        let is_later = last
            .and_then(|last| last.sequencer.as_deref())
            .is_none_or(|last| compare_sequencers(sequencer, last).is_ge());
        Some(Some(if is_later { *event } else { last? }))
    });
    if let Some(Some(last)) = last {
        return vec![last.clone()];
    }
    let last_of = |wanted: fn(&Change) -> bool| events.iter().rev().find(|event| wanted(&event.change));
    let kinds = [
        last_of(|change| matches!(change, Change::Removed)),
        last_of(|change| matches!(change, Change::Created)),
        last_of(|change| matches!(change, Change::Other(_))),
    ];
    kinds.into_iter().flatten().map(|event| (*event).clone()).collect()
}

/// The order of two sequencers of one key: hexadecimal texts, the shorter one filled up with zeros at its right end
/// (AWS, "Event message structure").
pub fn compare_sequencers(a: &str, b: &str) -> Ordering {
    let width = a.len().max(b.len());
    let digits = |text: &str| {
        let digits = text.bytes().map(|byte| byte.to_ascii_uppercase()).chain(std::iter::repeat(b'0'));
        digits.take(width).collect::<Vec<_>>()
    };
    digits(a).cmp(&digits(b))
}

#[cfg(test)]
mod tests {
    use buildhub_core::ObjectKey;

    use super::*;

    fn event(change: Change, sequencer: Option<&str>) -> ObjectEvent {
        let (bucket, key) = ("builds".to_owned(), ObjectKey::plain("k"));
        ObjectEvent { change, bucket, key, time: None, sequencer: sequencer.map(str::to_owned) }
    }

    #[test]
    fn sequencers_are_hexadecimal_and_the_shorter_one_is_filled_up_at_its_end() {
        assert_eq!(compare_sequencers("0055AED6DCD90281E5", "0055AED6DCD90281E6"), Ordering::Less);
        assert_eq!(compare_sequencers("0055aed6", "0055AED6"), Ordering::Equal);
        assert_eq!(compare_sequencers("1", "09"), Ordering::Greater);
        assert_eq!(compare_sequencers("09", "090000"), Ordering::Equal);
        assert_eq!(compare_sequencers("09", "090001"), Ordering::Less);
    }

    #[test]
    fn the_last_of_several_events_counts_in_whatever_order_they_come() {
        let (created, removed) = (event(Change::Created, Some("0A")), event(Change::Removed, Some("0B1")));
        assert_eq!(latest(&[&created, &removed]), std::slice::from_ref(&removed));
        assert_eq!(latest(&[&removed, &created]), [removed]);
    }

    #[test]
    fn without_an_order_one_of_each_kind_is_left_the_removal_first() {
        let (created, removed) = (event(Change::Created, Some("0A")), event(Change::Removed, None));
        let other = event(Change::Other("ObjectRestore:Post".into()), None);
        assert_eq!(latest(&[&created, &created, &other, &removed]), [removed, created, other]);
        assert!(latest(&[]).is_empty());
    }
}
