//! One object of an inventory, and what gives them out.

use std::borrow::Cow;

use buildhub_core::ObjectKey;
use jiff::Timestamp;
use memchr::memchr2;

use crate::part::PartError;
use crate::size;

/// A source of rows, whatever they are written in.
///
/// Not an iterator, because a row borrows the reader's buffer: nothing is copied for a row nobody wants.
///
/// ```
/// # use buildhub_inventory::{Rows, PartError};
/// fn count_archives(rows: &mut dyn Rows) -> Result<usize, PartError> {
///     let mut archives = 0;
///     while let Some(row) = rows.next()? {
///         // A bad row is reported; the ones after it are read.
///         match row.and_then(|row| row.key()) {
///             Ok(key) if key.as_str().ends_with(".tar.xz") => archives += 1,
///             Ok(_) => {}
///             Err(bad) => eprintln!("{bad}"),
///         }
///     }
///     Ok(archives)
/// }
/// ```
pub trait Rows: Send {
    /// The next row that counts: superseded versions and delete markers are passed over (and counted, see
    /// [`Progress`]). `None` at the end, when checksum and size of the whole part have been found right.
    ///
    /// The outer error ends the part, and rows already given out may have come from a damaged one: read the part
    /// again. The inner error is that of one row; the next call goes on behind it.
    fn next(&mut self) -> Result<Option<Result<Row<'_>, RowError>>, PartError>;

    /// What has been read so far.
    fn progress(&self) -> Progress;
}

impl<T: Rows + ?Sized> Rows for Box<T> {
    fn next(&mut self) -> Result<Option<Result<Row<'_>, RowError>>, PartError> {
        (**self).next()
    }

    fn progress(&self) -> Progress {
        (**self).progress()
    }
}

/// How far a source of rows has been read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Rows read: given out, bad, superseded and delete markers together.
    pub rows: u64,
    /// Bytes taken from the source, as stored (compressed): comparable with [`crate::Part::size`].
    pub bytes: u64,
    /// Rows passed over because a newer version of the object exists.
    pub superseded: u64,
    /// Rows passed over because the object is deleted.
    pub delete_markers: u64,
}

/// One object, as an inventory lists it. Nothing is parsed that is not asked for.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    pub(crate) part: &'a str,
    pub(crate) number: u64,
    pub(crate) cells: Cells<'a>,
}

/// The texts of a row. A format with typed columns would make this an enum.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cells<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) size: &'a [u8],
    pub(crate) last_modified: &'a [u8],
    pub(crate) bucket: Option<&'a [u8]>,
    pub(crate) etag: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// The object's key, decoded.
    pub fn key(&self) -> Result<ObjectKey<'a>, RowError> {
        let Ok(text) = std::str::from_utf8(self.cells.key) else {
            return Err(self.bad(RowFault::Key { value: shown(self.cells.key), reason: "is not UTF-8" }));
        };
        // Nine keys in ten hold nothing to decode; one look tells.
        if memchr2(b'+', b'%', self.cells.key).is_none() {
            return Ok(ObjectKey::plain(text));
        }
        ObjectKey::form_encoded(text).map_err(|_| {
            let reason = "is not UTF-8 once its percent-escapes are decoded";
            self.bad(RowFault::Key { value: shown(self.cells.key), reason })
        })
    }

    /// The object's size in bytes.
    pub fn size(&self) -> Result<u64, RowError> {
        size::parse(self.cells.size).ok_or_else(|| self.bad(RowFault::Size { value: shown(self.cells.size) }))
    }

    /// When the object was last written.
    pub fn last_modified(&self) -> Result<Timestamp, RowError> {
        std::str::from_utf8(self.cells.last_modified)
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or_else(|| self.bad(RowFault::LastModified { value: shown(self.cells.last_modified) }))
    }

    /// The bucket, where the inventory has that column.
    pub fn bucket(&self) -> Option<Cow<'a, str>> {
        self.cells.bucket.map(String::from_utf8_lossy)
    }

    /// The object's entity tag, where the inventory has that column.
    pub fn etag(&self) -> Option<Cow<'a, str>> {
        self.cells.etag.map(String::from_utf8_lossy)
    }

    /// The row's number in its part, counted from 1.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The part the row is from, as a person would name it.
    pub fn part(&self) -> &'a str {
        self.part
    }

    fn bad(&self, fault: RowFault) -> RowError {
        RowError { part: self.part.to_owned(), row: self.number, fault }
    }
}

/// A row that cannot be used. The ones after it can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {row} of {part}: {fault}")]
pub struct RowError {
    /// The part.
    pub part: String,
    /// The row's number in it, counted from 1.
    pub row: u64,
    /// What is wrong.
    pub fault: RowFault,
}

/// What can be wrong with a row. Values are cut to 200 characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// More or fewer columns than the schema has.
    #[error("it has {found} columns where the schema has {expected}; its first is {first:?}")]
    Columns {
        /// As many as the schema has.
        expected: usize,
        /// As many as the row has.
        found: usize,
        /// The first column's text.
        first: String,
    },
    /// A row that never ends.
    #[error("it is longer than {limit} bytes and begins {start:?}; reading goes on at the line after its first")]
    TooLong {
        /// The most a row may have.
        limit: usize,
        /// How it begins.
        start: String,
    },
    /// A key that is no text.
    #[error("Key {value:?} {reason}")]
    Key {
        /// As it stands there.
        value: String,
        /// Why it cannot be read.
        reason: &'static str,
    },
    /// A size that is none.
    #[error("Size {value:?} is not a whole number of bytes")]
    Size {
        /// As it stands there.
        value: String,
    },
    /// A date that is none.
    #[error("LastModifiedDate {value:?} is not a time like 2018-11-15T00:00:00.000Z")]
    LastModified {
        /// As it stands there.
        value: String,
    },
    /// `IsLatest` or `IsDeleteMarker` that is neither true nor false.
    #[error("{column} {value:?} is neither true nor false")]
    Flag {
        /// The column.
        column: &'static str,
        /// As it stands there.
        value: String,
    },
}

/// Bytes for a person's eye, cut to a sane length.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 200;
    // At most four bytes a character.
    let start = bytes.get(..LONGEST * 4).unwrap_or(bytes);
    let text = String::from_utf8_lossy(start);
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < bytes.len() && (text.chars().nth(LONGEST).is_some() || start.len() < bytes.len()) {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'a>(key: &'a [u8], size: &'a [u8], last_modified: &'a [u8]) -> Row<'a> {
        Row { part: "part-1", number: 7, cells: Cells { key, size, last_modified, ..Cells::default() } }
    }

    #[test]
    fn a_row_is_parsed_as_it_is_asked() {
        let row = row(b"pub/a+b%28c%29.zip", b"2E+10", b"2018-11-15T01:02:03.000Z");
        assert_eq!(row.key().unwrap().as_str(), "pub/a b(c).zip");
        assert_eq!(row.size().unwrap(), 20_000_000_000);
        assert_eq!(row.last_modified().unwrap().to_string(), "2018-11-15T01:02:03Z");
        assert_eq!(row.bucket(), None);
    }

    #[test]
    fn a_bad_value_is_named_with_part_row_and_column() {
        let row = row(b"a\xff", b"12 MB", b"yesterday");
        assert_eq!(row.key().unwrap_err().to_string(), "row 7 of part-1: Key \"a\u{fffd}\" is not UTF-8");
        assert_eq!(
            row.size().unwrap_err().to_string(),
            r#"row 7 of part-1: Size "12 MB" is not a whole number of bytes"#
        );
        assert_eq!(
            row.last_modified().unwrap_err().to_string(),
            r#"row 7 of part-1: LastModifiedDate "yesterday" is not a time like 2018-11-15T00:00:00.000Z"#
        );
    }

    #[test]
    fn an_escape_that_decodes_to_no_text_is_named() {
        let error = row(b"a%FF", b"", b"").key().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"row 7 of part-1: Key "a%FF" is not UTF-8 once its percent-escapes are decoded"#
        );
    }

    #[test]
    fn a_hostile_value_is_cut() {
        assert_eq!(shown(&[b'x'; 200]), "x".repeat(200));
        assert_eq!(shown(&[b'x'; 201]), format!("{}…", "x".repeat(200)));
        assert_eq!(shown("€".repeat(300).as_bytes()).chars().count(), 201);
        assert_eq!(shown(&vec![0xff; 100_000]).chars().count(), 201);
    }
}
