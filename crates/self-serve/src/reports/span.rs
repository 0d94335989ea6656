//! The time that a report is about.

use std::ops::Range;

/// How long it is where nothing is said, in seconds: a day.
pub const SPAN: i64 = 24 * 60 * 60;
/// The longest, in seconds: a quarter of a year.
pub const SPAN_MAX: i64 = 92 * SPAN;
/// Into how many intervals it is cut where nothing is said.
const INTERVALS: i64 = 12;
/// The most intervals.
pub const INTERVALS_MAX: i64 = 1000;

/// A span of time, in seconds since 1970, cut into intervals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// From its first second to the one behind its last.
    pub range: Range<i64>,
    /// The length of an interval, in seconds.
    pub interval: i64,
}

/// A span that there cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SpanError {
    /// It ends before it begins, or is too long.
    #[error("Bad starttime or endtime: both are seconds since 1970, the first is less, by {} days at most", SPAN_MAX / SPAN)]
    Range,
    /// Its intervals are too short, or negative.
    #[error("Bad int_size: it is 0 or more seconds, with {INTERVALS_MAX} intervals at most")]
    Interval,
}

impl Span {
    /// A span as somebody asks for it: without an end it ends with this second, without a beginning it is a day long.
    pub fn new(start: Option<i64>, end: Option<i64>, interval: i64, now: i64) -> Result<Self, SpanError> {
        let end = end.unwrap_or_else(|| start.map_or(now.saturating_add(1), |start| start.saturating_add(SPAN)));
        let start = start.unwrap_or_else(|| end.saturating_sub(SPAN));
        let length = end.checked_sub(start).filter(|length| (1..=SPAN_MAX).contains(length)).ok_or(SpanError::Range)?;
        let interval = match interval {
            0 => (length / INTERVALS).max(1),
            given if given > 0 && length.saturating_add(given - 1) / given <= INTERVALS_MAX => given,
            _ => return Err(SpanError::Interval),
        };
        Ok(Self { range: start..end, interval })
    }

    /// How many intervals there are.
    pub fn intervals(&self) -> usize {
        let length = self.range.end - self.range.start;
        usize::try_from(length.saturating_add(self.interval - 1) / self.interval).unwrap_or(0)
    }

    /// Which interval a moment is in, if any.
    pub fn interval_of(&self, moment: i64) -> Option<usize> {
        if !self.range.contains(&moment) {
            return None;
        }
        usize::try_from((moment - self.range.start) / self.interval).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_day_until_now_in_twelve_pieces_unless_somebody_says_otherwise() {
        let now = 1_700_000_000;
        let day = Span::new(None, None, 0, now).unwrap();
        assert_eq!((day.range.clone(), day.interval, day.intervals()), (now + 1 - SPAN..now + 1, 7200, 12));
        let of = [now - SPAN, now + 1 - SPAN, now, now + 1].map(|moment| day.interval_of(moment));
        assert_eq!(of, [None, Some(0), Some(11), None]);
        let given = Span::new(Some(100), Some(200), 30, now).unwrap();
        assert_eq!((given.intervals(), given.interval_of(199), given.interval_of(99)), (4, Some(3), None));
        assert_eq!(Span::new(Some(100), None, 0, now).unwrap().range, 100..100 + SPAN);
        for (start, end, interval, error) in [
            (Some(200), Some(100), 0, SpanError::Range),
            (Some(100), Some(100), 0, SpanError::Range),
            (Some(0), Some(SPAN_MAX + 1), 0, SpanError::Range),
            (Some(i64::MIN), Some(i64::MAX), 0, SpanError::Range),
            (Some(0), Some(SPAN), 1, SpanError::Interval),
            (None, None, -5, SpanError::Interval),
        ] {
            assert_eq!(Span::new(start, end, interval, now), Err(error), "{start:?} {end:?} {interval}");
        }
    }
}
