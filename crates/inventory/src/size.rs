//! Sizes as inventories write them.

/// A whole number of bytes: digits, or a spreadsheet's `2E+10`, which stands in Mozilla's inventories.
///
/// Exact: no float is involved, and what is not whole, negative or beyond 64 bits is none.
pub(crate) fn parse(text: &[u8]) -> Option<u64> {
    let exponent_at = text.iter().position(|byte| matches!(byte, b'E' | b'e'));
    let Some(at) = exponent_at else { return digits(text, 0) };
    let (mantissa, exponent) = (text.get(..at)?, text.get(at + 1..)?);
    let exponent = digits(exponent.strip_prefix(b"+").unwrap_or(exponent), 0)?;
    let mut point = mantissa.splitn(2, |byte| *byte == b'.');
    let whole = digits(point.next()?, 0)?;
    let mut fraction = point.next().unwrap_or(b"");
    while let Some(shorter) = fraction.strip_suffix(b"0") {
        fraction = shorter;
    }
    let value = if fraction.is_empty() { whole } else { digits(fraction, whole)? };
    let zeros = exponent.checked_sub(u64::try_from(fraction.len()).ok()?)?;
    if value == 0 {
        return Some(0);
    }
    value.checked_mul(10_u64.checked_pow(u32::try_from(zeros).ok()?)?)
}

/// Reads decimal digits, at least one, behind those of `before`.
fn digits(text: &[u8], before: u64) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(before, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_digits_or_a_spreadsheets_notation() {
        for (text, size) in [
            ("0", 0),
            ("86180614", 86_180_614),
            ("2E+10", 20_000_000_000),
            ("2e10", 20_000_000_000),
            ("1.5E+3", 1500),
            ("1.2340E+03", 1234),
            ("0E+99", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(size), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_number_of_bytes_is_none() {
        for text in [
            "",
            "-1",
            "+1",
            "1.5",
            "1.55E+1",
            "E+3",
            "1E",
            "1E-3",
            "inf",
            "NaN",
            " 1",
            "1 ",
            "0x10",
            "1E+20",
            "1..0E+3",
            "18446744073709551616",
            "9E+99999999999999999999",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_size_is_read_back_however_it_is_written(mantissa in 0u64..10_000_000, zeros in 0u32..11) {
            let size = mantissa * 10_u64.pow(zeros);
            prop_assert_eq!(parse(size.to_string().as_bytes()), Some(size));
            let scientific = format!("{mantissa}E+{zeros:02}");
            prop_assert_eq!(parse(scientific.as_bytes()), Some(size));
            // As the standard library writes it: 1.234e9.
            let exponential = format!("{size:e}");
            prop_assert_eq!(parse(exponential.as_bytes()), Some(size));
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..30)) {
            let _ = parse(&text);
        }
    }
}
