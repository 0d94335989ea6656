//! The common row, read without a state machine.
//!
//! S3 writes every column in quotes, and keys form-encoded, so that no column holds a quote:
//! `"bucket","key","1","2018-…","…"\n`. Of such a row only the quotes have to be found. Anything else is left to the
//! grammar, which would read a plain row the same way: the tests hold them against each other.

use memchr::memchr;

/// What a row at the start of the input turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// A plain row in so many bytes, its line end with it.
    Row(usize),
    /// Something for the grammar.
    Unusual,
    /// Plain as far as the input goes.
    Incomplete,
}

/// Reads a row of as many columns as there are `ranges` at the start of `input`.
#[inline]
pub(super) fn scan(input: &[u8], ranges: &mut [(usize, usize)]) -> Plain {
    // Where the column begins, and where the one before it has ended.
    let mut at = 0;
    let mut follows = None;
    for range in ranges {
        if let Some(end) = follows {
            match input.get(end) {
                Some(b',') => at = end + 1,
                Some(_) => return Plain::Unusual,
                None => return Plain::Incomplete,
            }
        }
        match input.get(at) {
            Some(b'"') => {}
            Some(_) => return Plain::Unusual,
            None => return Plain::Incomplete,
        }
        let start = at + 1;
        let Some(length) = input.get(start..).and_then(|rest| memchr(b'"', rest)) else {
            return Plain::Incomplete;
        };
        *range = (start, start + length);
        follows = Some(start + length + 1);
    }
    let Some(end) = follows else { return Plain::Unusual };
    match input.get(end) {
        Some(b'\r') if input.get(end + 1) == Some(&b'\n') => Plain::Row(end + 2),
        // Where the line feed of a `\r\n` has not come yet, it will be an empty line, and those are passed over.
        Some(b'\n' | b'\r') => Plain::Row(end + 1),
        Some(_) => Plain::Unusual,
        None => Plain::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(input: &str, count: usize) -> (Plain, Vec<&str>) {
        let mut ranges = vec![(0, 0); count];
        let found = scan(input.as_bytes(), &mut ranges);
        (found, ranges.iter().map(|(start, end)| &input[*start..*end]).collect())
    }

    #[test]
    fn a_row_in_quotes_is_read() {
        assert_eq!(columns("\"a\",\"\",\"b,c\nd\"\nrest", 3), (Plain::Row(15), vec!["a", "", "b,c\nd"]));
        assert_eq!(columns("\"a\"\r\n", 1), (Plain::Row(5), vec!["a"]));
        assert_eq!(columns("\"a\"\r", 1), (Plain::Row(4), vec!["a"]));
    }

    #[test]
    fn anything_else_is_left_to_the_grammar() {
        for unusual in ["a,b\n", "\"a\",b\n", "\"a\"\"b\",\"c\"\n", "\"a\"\n", "\"a\",\"b\",\"c\"\n", "\n", "\"a\"x,"] {
            assert_eq!(columns(unusual, 2).0, Plain::Unusual, "{unusual:?}");
        }
    }

    #[test]
    fn a_plain_row_cut_anywhere_is_incomplete() {
        let whole = "\"a\",\"bc\"\n";
        for end in 0..whole.len() {
            assert_eq!(columns(&whole[..end], 2).0, Plain::Incomplete, "{:?}", &whole[..end]);
        }
    }
}
