//! The end of a zip archive, by which all that is in it is found (PKWARE, "APPNOTE.TXT - .ZIP File Format
//! Specification", 4.3).
//!
//! The last record says where the directory lies and how much is in it. In a whole archive the directory ends where that
//! record begins. One that broke off has no such record; one that lost bytes in between has its directory elsewhere.

use std::collections::VecDeque;

/// How much of the end is kept: the longest last record with its comment (22 + 65,535 bytes), those of large archives, and
/// a directory of some ten thousand files. Of a larger directory the place is checked, not what is in it.
const KEPT: usize = 1 << 20;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const ENTRY: [u8; 4] = *b"PK\x01\x02";
const END: [u8; 4] = *b"PK\x05\x06";
const END_64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR_64: [u8; 4] = *b"PK\x06\x07";

/// Bytes of the last record without its comment, of a large archive's record and of what tells where that is, and of an
/// entry of the directory without what is of no fixed length.
const END_SIZE: usize = 22;
const END_64_SIZE: usize = 56;
const LOCATOR_64_SIZE: usize = 20;
const ENTRY_SIZE: usize = 46;

/// The beginning and the end of an archive that goes by.
#[derive(Debug, Default)]
pub(super) struct Tail {
    first: Vec<u8>,
    kept: VecDeque<u8>,
}

/// Where the directory is said to lie.
struct Directory {
    entries: u64,
    size: u64,
    offset: u64,
    /// Where it must end, counted in what is kept.
    end: usize,
}

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let missing = LOCAL.len().saturating_sub(self.first.len());
        self.first.extend(bytes.iter().take(missing));
        let news = bytes.get(bytes.len().saturating_sub(KEPT)..).unwrap_or_default();
        let over = (self.kept.len() + news.len()).saturating_sub(KEPT);
        self.kept.drain(..over.min(self.kept.len()));
        self.kept.extend(news);
    }

    /// Whether the archive, of `size` bytes, is whole; else what is wrong with it.
    pub(super) fn finish(mut self, size: u64) -> Result<(), &'static str> {
        if ![LOCAL, END, END_64].iter().any(|signature| self.first == *signature) {
            return Err("it does not begin as a zip archive does");
        }
        let kept: &[u8] = self.kept.make_contiguous();
        let directory = last_record(kept).ok_or("it has no last record: it breaks off")?;
        let before = size - kept.len() as u64;
        if directory.offset.checked_add(directory.size) != Some(before + directory.end as u64) {
            return Err("its directory does not lie where its last record says: bytes are missing, or too many");
        }
        let Some(begin) = directory.offset.checked_sub(before).and_then(|begin| usize::try_from(begin).ok()) else {
            return Ok(());
        };
        let entries = kept.get(begin..directory.end).and_then(count);
        if entries == Some(directory.entries) { Ok(()) } else { Err("its directory is not what its last record says") }
    }
}

/// The directory of the last record whose comment ends where the archive does.
fn last_record(kept: &[u8]) -> Option<Directory> {
    let furthest = kept.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    let places = (furthest..=kept.len().checked_sub(END_SIZE)?).rev();
    places.into_iter().find_map(|at| {
        let record = kept.get(at..)?;
        let is_last = record.starts_with(&END) && END_SIZE + usize::from(u16_at(record, 20)?) == record.len();
        if !is_last {
            return None;
        }
        let small = Directory {
            entries: u16_at(record, 10)?.into(),
            size: u32_at(record, 12)?.into(),
            offset: u32_at(record, 16)?.into(),
            end: at,
        };
        Some(large(kept, at).unwrap_or(small))
    })
}

/// What a large archive says in front of the last record, which has no room for it.
fn large(kept: &[u8], last: usize) -> Option<Directory> {
    let locator = kept.get(last.checked_sub(LOCATOR_64_SIZE)?..last)?;
    let end = last.checked_sub(LOCATOR_64_SIZE + END_64_SIZE)?;
    let record = kept.get(end..)?;
    if !locator.starts_with(&LOCATOR_64) || !record.starts_with(&END_64) {
        return None;
    }
    Some(Directory { entries: u64_at(record, 32)?, size: u64_at(record, 40)?, offset: u64_at(record, 48)?, end })
}

/// How many entries a directory has; `None` where it does not consist of entries.
fn count(mut directory: &[u8]) -> Option<u64> {
    let mut entries = 0;
    while !directory.is_empty() {
        if !directory.starts_with(&ENTRY) {
            return None;
        }
        let variable =
            [28, 30, 32].into_iter().map(|at| u16_at(directory, at).map(usize::from)).sum::<Option<usize>>()?;
        directory = directory.get(ENTRY_SIZE + variable..)?;
        entries += 1;
    }
    Some(entries)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}
