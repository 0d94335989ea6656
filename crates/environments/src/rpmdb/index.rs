//! What is in each index, for one header: rpm's own rules (`tag2index`).

use std::collections::HashSet;

use super::rich;
use crate::rpm::{Header, HeaderError, tags};

/// How an index's keys are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Text,
    Bytes,
}

/// An index: a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Index {
    /// The table's name.
    pub(super) table: &'static str,
    pub(super) tag: u32,
    pub(super) keys: Keys,
    /// Whether there is an index over keys, and one over headers.
    pub(super) by_key: bool,
    pub(super) by_header: bool,
}

const fn texts(table: &'static str, tag: u32) -> Index {
    Index { table, tag, keys: Keys::Text, by_key: true, by_header: true }
}

/// All of them, in the order in which rpm makes them.
pub(super) const ALL: [Index; 18] = [
    Index { by_header: false, ..texts("Name", tags::NAME) },
    texts("Basenames", tags::BASE_NAMES),
    Index { by_header: false, ..texts("Group", tags::GROUP) },
    texts("Requirename", tags::REQUIRE_NAME),
    texts("Providename", tags::PROVIDE_NAME),
    texts("Conflictname", tags::CONFLICT_NAME),
    texts("Obsoletename", tags::OBSOLETE_NAME),
    texts("Triggername", tags::TRIGGER_NAME),
    texts("Dirnames", tags::DIR_NAMES),
    Index { keys: Keys::Bytes, by_key: false, by_header: false, ..texts("Installtid", tags::INSTALL_TID) },
    Index { keys: Keys::Bytes, by_key: false, by_header: false, ..texts("Sigmd5", tags::SIGMD5) },
    Index { by_header: false, ..texts("Sha1header", tags::SHA1_HEADER) },
    texts("Filetriggername", tags::FILE_TRIGGER_NAME),
    texts("Transfiletriggername", tags::TRANS_FILE_TRIGGER_NAME),
    texts("Recommendname", tags::RECOMMEND_NAME),
    texts("Suggestname", tags::SUGGEST_NAME),
    texts("Supplementname", tags::SUPPLEMENT_NAME),
    texts("Enhancename", tags::ENHANCE_NAME),
];

/// `RPMSENSE_SCRIPT_PRE`, `_POST`, `_RPMLIB`, `_KEYRING`, `_PRETRANS`, `_POSTTRANS`: needed to install only …
const INSTALL_ONLY: u64 = 0x200 | 0x400 | 0x100_0000 | 0x400_0000 | 0x80 | 0x20;
/// … unless it is needed to remove, too: `_SCRIPT_PREUN`, `_POSTUN`.
const ERASE: u64 = 0x800 | 0x1000;

/// The rows of one index for one header: key, and which of the tag's values it is.
pub(super) fn rows(header: &Header, index: Index) -> Result<Vec<(Vec<u8>, u32)>, HeaderError> {
    let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut rows = Vec::new();
    match index.tag {
        // In the machine's order of bytes, which is little-endian wherever this runs.
        tags::INSTALL_TID => {
            let times = header.numbers(index.tag)?.enumerate();
            rows.extend(
                times.map(|(at, time)| (u32::try_from(time).unwrap_or_default().to_le_bytes().to_vec(), number(at))),
            );
        }
        tags::SIGMD5 => rows.extend(header.bytes(index.tag)?.map(|bytes| (bytes.to_vec(), 0))),
        tags::GROUP => rows.push((header.text(index.tag)?.unwrap_or(b"Unknown").to_vec(), 0)),
        tags::REQUIRE_NAME => {
            let mut flags = header.numbers(tags::REQUIRE_FLAGS)?;
            let needed = header.texts(index.tag)?.enumerate().filter(|_| {
                let flags = flags.next().unwrap_or_default();
                flags & INSTALL_ONLY == 0 || flags & ERASE != 0
            });
            needed.for_each(|(at, name)| dependency(&mut rows, name, number(at)));
        }
        tags::CONFLICT_NAME
        | tags::SUGGEST_NAME
        | tags::SUPPLEMENT_NAME
        | tags::RECOMMEND_NAME
        | tags::ENHANCE_NAME => {
            header.texts(index.tag)?.enumerate().for_each(|(at, name)| dependency(&mut rows, name, number(at)));
        }
        tags::TRIGGER_NAME => {
            let mut seen = HashSet::new();
            let names = header.texts(index.tag)?.enumerate().filter(|(_, name)| seen.insert(*name));
            rows.extend(names.map(|(at, name)| (name.to_vec(), number(at))));
        }
        tags::FILE_TRIGGER_NAME | tags::TRANS_FILE_TRIGGER_NAME => {
            // The number is that of the trigger, of which one may have several names.
            let indexes = index.tag + 1;
            let numbers = header.numbers(indexes)?.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
            rows.extend(header.texts(index.tag)?.map(<[u8]>::to_vec).zip(numbers));
        }
        tag => rows.extend(header.texts(tag)?.enumerate().map(|(at, text)| (text.to_vec(), number(at)))),
    }
    Ok(rows)
}

/// A name, and the names in it where it has conditions.
fn dependency(rows: &mut Vec<(Vec<u8>, u32)>, name: &[u8], at: u32) {
    rows.push((name.to_vec(), at));
    if name.starts_with(b"(") {
        rows.extend(rich::keys(name).into_iter().map(|key| (key, at)));
    }
}
