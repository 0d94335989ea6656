//! Dates: from build ids, and as records write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A time as records write it: UTC, whole seconds, `2016-10-28T00:56:42Z`.
pub(crate) fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// The date in a build id, which is a time in UTC written without separators.
///
/// 14 digits in all but the oldest; those have 12 (no seconds), 10 (no minutes) or 8 (no hour). A missing part is
/// zero. `None` when the id is none of these or names no time that exists.
pub(crate) fn of_build_id(id: &str) -> Option<String> {
    if !matches!(id.len(), 8 | 10 | 12 | 14) || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| id.get(range).map_or(Some(0), |digits| digits.parse::<i8>().ok());
    let year: i16 = id.get(..4)?.parse().ok()?;
    let time = DateTime::new(year, part(4..6)?, part(6..8)?, part(8..10)?, part(10..12)?, part(12..14)?, 0).ok()?;
    // No build is older than the project or younger than four-digit years.
    if !(1998..=9999).contains(&year) {
        return None;
    }
    Some(rfc3339(time.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

/// A date from outside, with or without fraction and offset, as records write it. Without an offset it is UTC.
pub(crate) fn normalize(text: &str) -> Option<String> {
    Some(rfc3339(parse(text)?))
}

/// Parses what [`normalize`] does.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    Some(text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_id_is_a_date() {
        assert_eq!(of_build_id("20161027110534").as_deref(), Some("2016-10-27T11:05:34Z"));
        assert_eq!(of_build_id("2008120122").as_deref(), Some("2008-12-01T22:00:00Z"));
        assert_eq!(of_build_id("20041107").as_deref(), Some("2004-11-07T00:00:00Z"));
    }

    #[test]
    fn defect_17_a_build_id_of_12_digits_ends_in_minutes() {
        assert_eq!(of_build_id("201706121152").as_deref(), Some("2017-06-12T11:52:00Z"));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for id in
            ["", "2016", "20161327110534", "20160230000000", "00000000000000", "2016102711053", "+0161027", "à0161027"]
        {
            assert_eq!(of_build_id(id), None, "{id}");
        }
    }

    #[test]
    fn fractions_and_offsets_are_normalized() {
        for text in
            ["2018-09-01T03:02:03.987654+02:00", "2018-09-01T01:02:03Z", "2018-09-01T01:02:03.5", "2018-09-01 01:02:03"]
        {
            assert_eq!(normalize(text).as_deref(), Some("2018-09-01T01:02:03Z"), "{text}");
        }
        assert_eq!(normalize("yesterday"), None);
    }
}
