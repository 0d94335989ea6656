//! Versions and their order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version of a product, ordered as releases follow one another.
///
/// Versions in text order are wrong: `9.0` would follow `50.0`. The order here, with what decides:
///
/// | | |
/// |---|---|
/// | `99.0 < 100.0`, `50.0 = 50.0.0 < 50.0.1` | numbers as numbers, missing ones are 0 |
/// | `57.0a1 < 57.0a2 < 57.0b1 < 57.0b11 < 57.0` | alphas, then betas, then the version itself |
/// | `4.0b2pre < 4.0b2`, `60.0rc1 < 60.0rc2 < 60.0`, `60.0b9rc1 < 60.0b9` | `pre` and `rc` (a candidate) come before what they lead to |
/// | `60.0 < 60.0esrrc1 < 60.0esr < 60.0.1` | an ESR follows the release it grew from |
/// | `3.6.3 < 3.6.3plugin1`, `38.0.5b1 < 38.0.5b1-2`, `3.0.19 < 3.0.19-real-real` | any other suffix is a later respin |
/// | `49.0.1rc3 < 49.0.1rc3-funnelcake90 < 49.0.1` | the same |
///
/// The order is total. Two versions are equal when neither comes first, so `50.0 = 50.0.0`; both print as they were
/// written.
///
/// ```
/// use buildhub_releases::Version;
/// let mut versions: Vec<Version> = ["50.0", "50.0b11", "9.0", "50.0b9"].iter().flat_map(|v| v.parse()).collect();
/// versions.sort();
/// assert_eq!(versions.iter().map(Version::to_string).collect::<Vec<_>>(), ["9.0", "50.0b9", "50.0b11", "50.0"]);
/// ```
#[derive(Debug, Clone)]
pub struct Version {
    text: Box<str>,
    /// Without trailing zeros.
    numbers: Vec<u64>,
    suffixes: Vec<Suffix>,
}

/// One part of what follows the numbers.
#[derive(Debug, Clone)]
struct Suffix {
    kind: Kind,
    /// Only for [`Kind::Other`].
    word: Box<str>,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Alpha,
    Beta,
    Pre,
    Candidate,
    /// The version ends here.
    End,
    Esr,
    Other,
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is no version: it must start with a digit and have only letters, digits, dots and dashes, 64 at most"
)]
pub struct VersionError {
    /// The text as it was given.
    pub text: String,
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !crate::layout::is_version(text) {
            return Err(VersionError { text: text.to_owned() });
        }
        let (mut numbers, mut rest) = (Vec::new(), text);
        loop {
            let (number, after) = leading_number(rest);
            numbers.push(number);
            rest = after;
            match after.strip_prefix('.') {
                Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => rest = next,
                _ => break,
            }
        }
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Ok(Self { text: text.into(), numbers, suffixes: suffixes(rest) })
    }
}

fn suffixes(mut rest: &str) -> Vec<Suffix> {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(['.', '-']);
        if rest.is_empty() {
            return found;
        }
        let (kind, word, after) = leading_word(rest);
        let (number, after) = leading_number(after);
        found.push(Suffix { kind, word: word.to_ascii_lowercase().into(), number });
        rest = after;
    }
}

/// The word at the start: a known one even where another follows without a gap (`esrrc1`), else all letters.
fn leading_word(rest: &str) -> (Kind, &str, &str) {
    for (word, kind) in [("esr", Kind::Esr), ("pre", Kind::Pre), ("rc", Kind::Candidate)] {
        if let Some(after) = rest.strip_prefix(word) {
            return (kind, "", after);
        }
    }
    let end = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    match word {
        "a" => (Kind::Alpha, "", after),
        "b" => (Kind::Beta, "", after),
        _ => (Kind::Other, word, after),
    }
}

/// The digits at the start as a number; 0 when there are none, the greatest there is when they are too many.
fn leading_number(rest: &str) -> (u64, &str) {
    let end = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let number = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u64::MAX) };
    (number, after)
}

impl Version {
    /// The version as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What a suffix is compared by: its kind, then its word, then its number.
    fn suffix(&self, index: usize) -> (Kind, &str, u64) {
        self.suffixes.get(index).map_or((Kind::End, "", 0), |suffix| (suffix.kind, &*suffix.word, suffix.number))
    }

    /// The first number: 50 of `50.0b11`.
    pub fn major(&self) -> u64 {
        self.numbers.first().copied().unwrap_or_default()
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A shorter list of numbers is one that ends in zeros.
        self.numbers.cmp(&other.numbers).then_with(|| {
            // Where one has ended and the other goes on, the end takes part.
            let length = self.suffixes.len().max(other.suffixes.len());
            (0..length).map(|index| self.suffix(index)).cmp((0..length).map(|index| other.suffix(index)))
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn versions_are_ordered_as_releases_follow_one_another() {
        let ordered = [
            "1.0rc1",
            "1.0",
            "1.5.0.4",
            "3.0.19",
            "3.0.19-real-real",
            "3.6.3",
            "3.6.3plugin1",
            "4.0b2pre",
            "4.0b2",
            "4.0b5pre",
            "9.0",
            "38.0.5b1",
            "38.0.5b1-2",
            "38.0.5",
            "49.0.1rc3",
            "49.0.1rc3-funnelcake90",
            "49.0.1",
            "50.0a1",
            "50.0a2",
            "50.0b9",
            "50.0b11rc1",
            "50.0b11rc12",
            "50.0b11",
            "50.0rc1",
            "50.0",
            "50.0esrrc1",
            "50.0esr",
            "50.0.1",
            "99.0",
            "100.0a1",
            "100.0",
        ];
        for (index, smaller) in ordered.iter().enumerate() {
            for greater in ordered.iter().skip(index + 1) {
                assert!(version(smaller) < version(greater), "{smaller} < {greater}");
            }
        }
    }

    #[test]
    fn missing_numbers_are_zero_and_the_text_stays() {
        assert_eq!(version("50.0"), version("50"));
        assert_eq!(version("50.0"), version("50.0.0"));
        assert_eq!(version("50.0.0").to_string(), "50.0.0");
        assert_eq!(version("50.0.0").major(), 50);
    }

    #[test]
    fn what_is_no_version_says_so() {
        for text in ["", "b9", "60.0,1", "60 0", "é", ".1", "-1"] {
            assert!(text.parse::<Version>().unwrap_err().to_string().contains("no version"), "{text}");
        }
        assert!("9".repeat(64).parse::<Version>().is_ok());
        assert!("9".repeat(65).parse::<Version>().is_err());
    }

    #[test]
    fn defect_06_the_version_is_kept_to_its_last_letter() {
        assert_eq!(version("52.0a").to_string(), "52.0a");
        assert!(version("52.0a") < version("52.0") && version("4.0") < version("4.0-d"));
    }
}
