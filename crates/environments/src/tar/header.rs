//! A header as it is read.

/// A header's fields. What is text is kept as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) path: Vec<u8>,
    pub(crate) mode: u64,
    pub(crate) uid: u64,
    pub(crate) gid: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) kind: u8,
    pub(crate) link: Vec<u8>,
}

/// Why 512 bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("its checksum does not match: this is no tar archive, or it is damaged")]
    Checksum,
    #[error("its {0} is no number")]
    Number(&'static str),
}

impl Header {
    /// Reads one; `None` for the block of zeros that ends an archive.
    pub(crate) fn read(block: &[u8; 512]) -> Result<Option<Self>, HeaderError> {
        if block.iter().all(|byte| *byte == 0) {
            return Ok(None);
        }
        let field = |at: usize, size: usize| block.get(at..at + size).unwrap_or_default();
        let sum =
            block.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { u64::from(*byte) });
        if number(field(148, 8), "checksum") != Ok(sum.sum()) {
            return Err(HeaderError::Checksum);
        }
        let mut path = text(field(0, 100)).to_vec();
        let prefix = text(field(345, 155));
        // GNU's own headers ("ustar  ") have times there.
        if field(257, 6) == b"ustar\0" && !prefix.is_empty() {
            path = [prefix, b"/", &path].concat();
        }
        Ok(Some(Self {
            path,
            mode: number(field(100, 8), "mode")?,
            uid: number(field(108, 8), "owner")?,
            gid: number(field(116, 8), "group")?,
            size: number(field(124, 12), "size")?,
            mtime: time(field(136, 12))?,
            kind: field(156, 1).first().copied().unwrap_or_default(),
            link: text(field(157, 100)).to_vec(),
        }))
    }
}

/// A field up to its first zero byte.
fn text(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A number: octal digits, or GNU's binary form, whose first bit is set.
fn number(field: &[u8], name: &'static str) -> Result<u64, HeaderError> {
    u64::try_from(signed(field).ok_or(HeaderError::Number(name))?).map_err(|_| HeaderError::Number(name))
}

/// A time, which may be before 1970 in GNU's form.
fn time(field: &[u8]) -> Result<i64, HeaderError> {
    signed(field).ok_or(HeaderError::Number("time"))
}

fn signed(field: &[u8]) -> Option<i64> {
    let (first, rest) = field.split_first()?;
    if *first >= 0x80 {
        // Two's complement over the whole field but for the bit that tells it from text.
        let start = if *first == 0xff { -1 } else { i64::from(*first & 0x7f) };
        return rest.iter().try_fold(start, |value, byte| value.checked_mul(256)?.checked_add(i64::from(*byte)));
    }
    let digits = field.trim_ascii_start().split(|byte| matches!(byte, 0 | b' ')).next()?;
    digits.iter().try_fold(0_i64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(byte - b'0')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_digits_or_gnus_binary_form() {
        assert_eq!(number(b"0000644\0", ""), Ok(0o644));
        assert_eq!(number(b"   644 \0", ""), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0", ""), Ok(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 1, 2], ""), Ok(258));
        assert_eq!(number(b"00009\0\0\0", "size"), Err(HeaderError::Number("size")));
        // Larger than can be: 95 bits.
        assert_eq!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "size"), Err(HeaderError::Number("size")));
        assert_eq!(time(&[0xff; 12]), Ok(-1));
    }
}
