//! The order of two versions or two releases, by rpm's rules (rpm-version(7), "Version comparison").

use std::cmp::Ordering;

/// Compares two versions, or two releases, as rpm does.
///
/// Both are cut into runs of digits and runs of ASCII letters; whatever else stands between them only separates. Runs are
/// compared in turn: numbers by their value, letters as bytes, a number is newer than letters, and of two that are equal so
/// far the longer is newer. `~` comes before everything, the end included (a preview); `^` comes behind the end, and
/// before everything else (a snapshot taken after it).
pub fn compare(one: &str, two: &str) -> Ordering {
    let (mut one, mut two) = (one.as_bytes(), two.as_bytes());
    loop {
        one = skip(one);
        two = skip(two);
        match (one.first(), two.first()) {
            (Some(b'~'), Some(b'~')) | (Some(b'^'), Some(b'^')) => {
                one = one.get(1..).unwrap_or_default();
                two = two.get(1..).unwrap_or_default();
            }
            (Some(b'~'), _) => return Ordering::Less,
            (_, Some(b'~')) => return Ordering::Greater,
            (Some(b'^'), other) => return if other.is_none() { Ordering::Greater } else { Ordering::Less },
            (other, Some(b'^')) => return if other.is_none() { Ordering::Less } else { Ordering::Greater },
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(a), Some(b)) if a.is_ascii_digit() != b.is_ascii_digit() => {
                return a.is_ascii_digit().cmp(&b.is_ascii_digit());
            }
            (Some(a), Some(_)) => {
                let digits = a.is_ascii_digit();
                let ((run, rest), (other, other_rest)) = (cut(one, digits), cut(two, digits));
                let order = if digits { numbers(run, other) } else { run.cmp(other) };
                if order != Ordering::Equal {
                    return order;
                }
                one = rest;
                two = other_rest;
            }
        }
    }
}

/// What is left from the next letter, digit, `~` or `^` on.
fn skip(text: &[u8]) -> &[u8] {
    let at = text.iter().position(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'~' | b'^'));
    at.and_then(|at| text.get(at..)).unwrap_or_default()
}

/// The run at the beginning, and the rest.
fn cut(text: &[u8], digits: bool) -> (&[u8], &[u8]) {
    let within = |byte: &u8| if digits { byte.is_ascii_digit() } else { byte.is_ascii_alphabetic() };
    let end = text.iter().position(|byte| !within(byte)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or_default()
}

/// The order of two numbers of any length.
fn numbers(one: &[u8], two: &[u8]) -> Ordering {
    let bare = |digits: &[u8]| digits.iter().position(|digit| *digit != b'0').unwrap_or(digits.len());
    let one = one.get(bare(one)..).unwrap_or_default();
    let two = two.get(bare(two)..).unwrap_or_default();
    one.len().cmp(&two.len()).then_with(|| one.cmp(two))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_rpm_orders_them() {
        use Ordering::{Equal, Greater, Less};
        // Each as `rpm --eval '%{lua:print(rpm.vercmp(…))}'` answers.
        let cases = [
            ("1.0", "1.0", Equal),
            ("1.0", "2.0", Less),
            ("2.0.1", "2.0.1a", Less),
            ("5.5p1", "5.5p10", Less),
            ("10xyz", "10.1xyz", Less),
            ("xyz10", "xyz10.1", Less),
            ("xyz.4", "8", Less),
            ("5.5p2", "5.6p1", Less),
            ("5.6p1", "6.5p1", Less),
            ("6.0.rc1", "6.0", Greater),
            ("10b2", "10a1", Greater),
            ("1.0aa", "1.0aa", Equal),
            ("10.0001", "10.0039", Less),
            ("10.0001", "10.1", Equal),
            ("4.999.9", "5.0", Less),
            ("20101121", "20101122", Less),
            ("2_0", "2.0", Equal),
            ("a+", "a_", Equal),
            ("+", "_", Equal),
            ("1.0~rc1", "1.0", Less),
            ("1.0~rc1", "1.0~rc2", Less),
            ("1.0~rc1~git123", "1.0~rc1", Less),
            ("1.0^", "1.0", Greater),
            ("1.0^git1", "1.0^git2", Less),
            ("1.0^git1", "1.01", Less),
            ("1.0^20160101", "1.0.1", Less),
            ("1.0~rc1^git1", "1.0~rc1", Greater),
            ("1.0^git1~pre", "1.0^git1", Less),
            ("1.0.", "1.0", Equal),
            ("18446744073709551616", "18446744073709551617", Less),
        ];
        for (one, two, order) in cases {
            assert_eq!(compare(one, two), order, "{one} and {two}");
            assert_eq!(compare(two, one), order.reverse(), "{two} and {one}");
        }
    }
}
