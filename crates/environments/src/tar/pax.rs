//! Records of an extended header: `LENGTH KEY=VALUE\n`, where a value may be any bytes.

/// Records that are no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its extended header is damaged")]
pub(crate) struct PaxError;

/// One record's key and value.
pub(crate) type Record<'a> = (&'a [u8], &'a [u8]);

/// The records.
pub(crate) fn read(mut bytes: &[u8]) -> Result<Vec<Record<'_>>, PaxError> {
    let mut records = Vec::new();
    // GNU tar fills the last block with zeros and counts them, in archives with volume labels.
    while bytes.first().is_some_and(|byte| *byte != 0) {
        let (record, rest) = split(bytes).ok_or(PaxError)?;
        records.push(record);
        bytes = rest;
    }
    Ok(records)
}

fn split(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let length: usize = std::str::from_utf8(bytes.get(..space)?).ok()?.parse().ok()?;
    let (record, rest) = bytes.split_at_checked(length)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    Some(((record.get(..equals)?, record.get(equals + 1..)?), rest))
}

/// Adds a record.
pub(crate) fn push(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    // The length counts its own digits.
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written_whatever_its_value_and_length() {
        for size in (0..120).chain([985, 986, 987, 988, 989, 990, 9980, 9990]) {
            let value: Vec<u8> = (0..size).map(|at| if at % 3 == 0 { b'\n' } else { 0 }).collect();
            let mut records = Vec::new();
            push(&mut records, "SCHILY.xattr.security.capability", &value);
            push(&mut records, "path", b"a=b");
            let expected: Vec<Record<'_>> = vec![(b"SCHILY.xattr.security.capability", &value), (b"path", b"a=b")];
            assert_eq!(read(&records), Ok(expected));
        }
    }

    #[test]
    fn a_damaged_record_is_an_error() {
        for bytes in [
            &b"9 path=a"[..],
            b"8 path=ab\n",
            b"x path=a\n",
            b"999 path=a\n",
            b"4 a\n",
            b"12",
            b"18446744073709551616 a=\n",
        ] {
            assert_eq!(read(bytes), Err(PaxError), "{bytes:?}");
        }
    }
}
