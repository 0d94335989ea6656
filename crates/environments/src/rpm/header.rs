//! rpm's header: a list of tagged values. A package has two of them, its database one for each package.
//!
//! Two numbers, how many entries and how many bytes of data; the entries, sixteen bytes each (tag, type, offset, count);
//! the data. All numbers are big-endian. In a package eight bytes of magic stand before it.

use std::io::Read;

/// What stands before a header in a package: magic, version, four bytes of nothing.
pub(crate) const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];
/// Most entries of a header: rpm's own limit.
const ENTRIES_MAX: usize = 0xffff;
/// Bytes of an entry.
const ENTRY: usize = 16;

/// How large a header may be.
#[derive(Debug, Clone, Copy)]
pub struct Ceiling {
    /// Bytes of its data.
    pub data: usize,
}

impl Ceiling {
    /// For what describes a package: 64 MiB, some 400,000 files.
    pub const MAIN: Self = Self { data: 64 << 20 };
    /// For signatures: 16 MiB. Signatures of single files are among them.
    pub const SIGNATURE: Self = Self { data: 16 << 20 };
}

/// A header that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// It ends too early, or cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// There is none.
    #[error("there is no header where one should begin")]
    Magic,
    /// It is larger than any.
    #[error("it says that it has {entries} entries and {data} bytes, and may have {ENTRIES_MAX} and {most}")]
    TooLarge {
        /// How many entries.
        entries: usize,
        /// How many bytes of data.
        data: usize,
        /// How many it may have.
        most: usize,
    },
    /// A value is not where its entry says, or not of a type that there is.
    #[error("the value of its tag {tag} is not inside it, or of an unknown type")]
    Value {
        /// The tag.
        tag: u32,
    },
    /// A value is of another type than the tag has.
    #[error("the value of its tag {tag} is not {expected}")]
    Type {
        /// The tag.
        tag: u32,
        /// What was expected.
        expected: &'static str,
    },
    /// Something that every package has is not there.
    #[error("it has no {what} (tag {tag})")]
    Missing {
        /// The tag.
        tag: u32,
        /// What it is.
        what: &'static str,
    },
}

/// The types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
enum Type {
    Char = 1,
    Int8 = 2,
    Int16 = 3,
    Int32 = 4,
    Int64 = 5,
    String = 6,
    Bin = 7,
    StringArray = 8,
    I18nString = 9,
}

impl Type {
    fn of(number: u32) -> Option<Self> {
        use Type::{Bin, Char, I18nString, Int8, Int16, Int32, Int64, String, StringArray};
        [Char, Int8, Int16, Int32, Int64, String, Bin, StringArray, I18nString]
            .into_iter()
            .find(|kind| *kind as u32 == number)
    }

    /// Bytes of one value; 0 for text, which ends with a zero byte.
    fn width(self) -> usize {
        match self {
            Self::Char | Self::Int8 | Self::Bin => 1,
            Self::Int16 => 2,
            Self::Int32 => 4,
            Self::Int64 => 8,
            Self::String | Self::StringArray | Self::I18nString => 0,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Index {
    tag: u32,
    kind: Type,
    count: usize,
    /// Where its data begin and end in the blob.
    start: usize,
    end: usize,
}

/// A header, whose values all lie inside it.
#[derive(Debug, Clone)]
pub struct Header {
    blob: Vec<u8>,
    entries: Vec<Index>,
}

impl Header {
    /// Reads one as it is in a package, with its magic.
    pub fn read(from: &mut impl Read, ceiling: Ceiling) -> Result<Self, HeaderError> {
        let mut start = [0; 16];
        from.read_exact(&mut start)?;
        let (magic, counts) = start.split_at(8);
        if magic.get(..4) != MAGIC.get(..4) {
            return Err(HeaderError::Magic);
        }
        let (entries, data) = sizes(counts, ceiling)?;
        let mut blob = counts.to_vec();
        let length = (entries * ENTRY + data) as u64;
        // What is not there takes no memory: the vector grows with what is read.
        if from.take(length).read_to_end(&mut blob)? as u64 != length {
            return Err(HeaderError::Read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Self::checked(blob, entries)
    }

    /// Reads one as it is in rpm's database, without magic.
    pub fn parse(blob: Vec<u8>, ceiling: Ceiling) -> Result<Self, HeaderError> {
        let (entries, data) = sizes(blob.get(..8).unwrap_or_default(), ceiling)?;
        if blob.len() != 8 + entries * ENTRY + data {
            return Err(HeaderError::Read(std::io::ErrorKind::UnexpectedEof.into()));
        }
        Self::checked(blob, entries)
    }

    fn checked(blob: Vec<u8>, count: usize) -> Result<Self, HeaderError> {
        let data_at = 8 + count * ENTRY;
        let mut entries = Vec::with_capacity(count);
        for entry in blob.get(8..data_at).unwrap_or_default().chunks_exact(ENTRY) {
            let number = |at: usize| u32_at(entry, at).unwrap_or_default();
            let tag = number(0);
            let fault = || HeaderError::Value { tag };
            let kind = Type::of(number(4)).ok_or_else(fault)?;
            let offset = usize::try_from(number(8).cast_signed()).map_err(|_| fault())?;
            let count = usize::try_from(number(12)).map_err(|_| fault())?;
            let start = data_at.checked_add(offset).ok_or_else(fault)?;
            let rest = blob.get(start..).ok_or_else(fault)?;
            let length = length(kind, count, rest).ok_or_else(fault)?;
            entries.push(Index { tag, kind, count, start, end: start + length });
        }
        Ok(Self { blob, entries })
    }

    /// As it is in rpm's database.
    pub fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// Of a tag that is there twice, the later counts: rpm writes what it adds behind what was signed.
    fn find(&self, tag: u32) -> Option<&Index> {
        self.entries.iter().rfind(|entry| entry.tag == tag)
    }

    fn data(&self, entry: &Index) -> &[u8] {
        self.blob.get(entry.start..entry.end).unwrap_or_default()
    }

    /// Whether it has a tag.
    pub fn has(&self, tag: u32) -> bool {
        self.find(tag).is_some()
    }

    /// A tag's text: of several, the first.
    pub fn text(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        Ok(self.texts(tag)?.next())
    }

    /// A tag's text as UTF-8, what is none replaced.
    pub fn string(&self, tag: u32) -> Result<Option<String>, HeaderError> {
        Ok(self.text(tag)?.map(|text| String::from_utf8_lossy(text).into_owned()))
    }

    /// Likewise, of a tag that every package has.
    pub fn required(&self, tag: u32, what: &'static str) -> Result<String, HeaderError> {
        self.string(tag)?.ok_or(HeaderError::Missing { tag, what })
    }

    /// All texts of a tag.
    pub fn texts(&self, tag: u32) -> Result<impl Iterator<Item = &[u8]>, HeaderError> {
        let (count, data) = match self.find(tag) {
            None => (0, &[][..]),
            Some(entry) if entry.kind.width() == 0 => (entry.count, self.data(entry)),
            Some(_) => return Err(HeaderError::Type { tag, expected: "text" }),
        };
        Ok(data.split(|byte| *byte == 0).take(count))
    }

    /// All numbers of a tag, whatever their width.
    pub fn numbers(&self, tag: u32) -> Result<impl Iterator<Item = u64>, HeaderError> {
        let (width, data) = match self.find(tag) {
            None => (1, &[][..]),
            Some(entry) if entry.kind.width() > 0 && entry.kind != Type::Bin => (entry.kind.width(), self.data(entry)),
            Some(_) => return Err(HeaderError::Type { tag, expected: "numbers" }),
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Ok(data.chunks_exact(width).map(number))
    }

    /// The first number of a tag.
    pub fn number(&self, tag: u32) -> Result<Option<u64>, HeaderError> {
        Ok(self.numbers(tag)?.next())
    }

    /// A tag's bytes.
    pub fn bytes(&self, tag: u32) -> Result<Option<&[u8]>, HeaderError> {
        match self.find(tag) {
            None => Ok(None),
            Some(entry) if entry.kind == Type::Bin => Ok(Some(self.data(entry))),
            Some(_) => Err(HeaderError::Type { tag, expected: "bytes" }),
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes)
}

fn sizes(counts: &[u8], ceiling: Ceiling) -> Result<(usize, usize), HeaderError> {
    let size = |at| u32_at(counts, at).and_then(|size| usize::try_from(size).ok());
    let (Some(entries), Some(data)) = (size(0), size(4)) else {
        return Err(HeaderError::Read(std::io::ErrorKind::UnexpectedEof.into()));
    };
    if entries > ENTRIES_MAX || data > ceiling.data {
        return Err(HeaderError::TooLarge { entries, data, most: ceiling.data });
    }
    Ok((entries, data))
}

/// Bytes that values take at the beginning of `rest`; none where they do not end inside it, or where there is no value.
fn length(kind: Type, count: usize, rest: &[u8]) -> Option<usize> {
    if count == 0 || (kind == Type::String && count != 1) {
        return None;
    }
    if kind.width() > 0 {
        return count.checked_mul(kind.width()).filter(|length| *length <= rest.len());
    }
    let mut ends = rest.iter().enumerate().filter(|(_, byte)| **byte == 0);
    ends.nth(count - 1).map(|(at, _)| at + 1)
}
