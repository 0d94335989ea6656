//! Several events of one object: which of them count.

use std::cmp::Ordering;

use buildhub_core::event::{Change, ObjectEvent};

/// The events of one object that have to be handled, of all that came together.
///
/// Where the last thing that happened was a writing, it says all. A removal does not: of a bucket with versions it may
/// be that of an older version, and the object is there. So one of each is left then, a removal first: the object itself
/// is asked each time, and what was true in between does no harm. What is neither counts where there is nothing else.
pub fn latest(events: &[&ObjectEvent]) -> Vec<ObjectEvent> {
    let last_of = |wanted: fn(&Change) -> bool| {
        let wanted = events.iter().copied().filter(|event| wanted(&event.change));
        wanted.reduce(|last, event| if is_before(event, last) == Some(true) { last } else { event })
    };
    let removed = last_of(|change| matches!(change, Change::Removed));
    let created = last_of(|change| matches!(change, Change::Created));
    match (removed, created) {
        (None, None) => last_of(|_| true).into_iter().cloned().collect(),
        (Some(removed), Some(created)) if is_before(removed, created) == Some(true) => vec![created.clone()],
        (Some(removed), Some(created)) => {
            let mut created = created.clone();
            if is_before(&created, removed) == Some(true) {
                // Whoever does not find the object need not wait for it: it was removed since.
                created.time = None;
            }
            vec![removed.clone(), created]
        }
        (removed, created) => removed.or(created).into_iter().cloned().collect(),
    }
}

/// Whether an event was before another of the same object, where both say so.
fn is_before(one: &ObjectEvent, other: &ObjectEvent) -> Option<bool> {
    Some(compare_sequencers(one.sequencer.as_deref()?, other.sequencer.as_deref()?).is_lt())
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
    use jiff::Timestamp;

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
    fn the_last_writing_counts_in_whatever_order_they_come() {
        let (first, last) = (event(Change::Created, Some("0A")), event(Change::Created, Some("0B1")));
        assert_eq!(latest(&[&first, &last]), std::slice::from_ref(&last));
        assert_eq!(latest(&[&last, &first]), std::slice::from_ref(&last));
        let removed = event(Change::Removed, Some("0A5"));
        assert_eq!(latest(&[&last, &removed, &first]), [last]);
    }

    #[test]
    fn a_removal_after_a_writing_takes_it_not_away_for_it_may_be_of_an_older_version() {
        let time = Some(Timestamp::UNIX_EPOCH);
        let created = ObjectEvent { time, ..event(Change::Created, Some("0A")) };
        let removed = event(Change::Removed, Some("0B"));
        let without_waiting = ObjectEvent { time: None, ..created.clone() };
        assert_eq!(latest(&[&removed, &created]), [removed.clone(), without_waiting.clone()]);
        assert_eq!(latest(&[&created, &removed]), [removed, without_waiting]);
    }

    #[test]
    fn what_is_neither_a_writing_nor_a_removal_takes_no_other_event_with_it() {
        let created = event(Change::Created, Some("0A"));
        let other = event(Change::Other("ObjectTagging:Put".into()), Some("0B"));
        assert_eq!(latest(&[&created, &other]), [created]);
        assert_eq!(latest(&[&other]), std::slice::from_ref(&other));
    }

    #[test]
    fn without_an_order_one_of_each_kind_is_left_the_removal_first() {
        let time = Some(Timestamp::UNIX_EPOCH);
        let created = ObjectEvent { time, ..event(Change::Created, Some("0A")) };
        let removed = event(Change::Removed, None);
        assert_eq!(latest(&[&created, &created, &removed]), [removed, created]);
        assert!(latest(&[]).is_empty());
    }
}
