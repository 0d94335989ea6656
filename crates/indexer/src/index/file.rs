//! The index between runs: one file, written whole, refused when anything about it is off.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `BHINDEX` and the format's version |
//! | 8 | hash of the store's address, bucket and collection |
//! | 8 | the server's time up to which all is known |
//! | 8 | number of entries |
//! | 40 each | id, source, content, `last_modified`, date, rank; little endian, in order of id |
//! | 4 | CRC-32 of everything before |

use bytes::{Buf as _, BufMut as _, Bytes};

use super::{Entry, Index};
use crate::fact::{Fact, IdHash};

/// Changes whenever the entries, their hashes or the rule of rank do: an old file is then made anew.
const MAGIC: &[u8; 8] = b"BHINDEX\x01";
const HEADER: usize = 32;
const ENTRY: usize = 40;

/// Why a stored index cannot be used; the index is then read from the store again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexFileError {
    /// Not an index, or one of another version.
    #[error("it is no index of this version")]
    Version,
    /// An index of another store.
    #[error("it belongs to another store")]
    OtherStore,
    /// Cut short or damaged.
    #[error("it is damaged (its checksum does not match)")]
    Damaged,
}

impl Index {
    /// The index as a file; `store` is the hash of what it is an index of. Merges what is pending.
    pub fn to_bytes(&mut self, store: u64) -> Bytes {
        self.merge();
        let mut out = Vec::with_capacity(HEADER + self.sorted.len() * ENTRY + 4);
        out.put_slice(MAGIC);
        out.put_u64_le(store);
        out.put_u64_le(self.timestamp);
        out.put_u64_le(self.sorted.len() as u64);
        for Entry { id, fact, last_modified } in &self.sorted {
            out.put_u64_le(id.0);
            out.put_u64_le(fact.source);
            out.put_u64_le(fact.content);
            out.put_u64_le(*last_modified);
            out.put_u32_le(fact.date);
            out.put_u32_le(fact.rank);
        }
        let checksum = crc32fast::hash(&out);
        out.put_u32_le(checksum);
        out.into()
    }

    /// Reads the file back, if it is whole and of the same store.
    pub fn from_bytes(bytes: &[u8], store: u64) -> Result<Self, IndexFileError> {
        if !bytes.starts_with(MAGIC) {
            return Err(IndexFileError::Version);
        }
        let (mut body, mut checksum) = bytes.split_last_chunk::<4>().map_or((bytes, &[][..]), |(a, b)| (a, &b[..]));
        if checksum.len() < 4 || body.len() < HEADER || crc32fast::hash(body) != checksum.get_u32_le() {
            return Err(IndexFileError::Damaged);
        }
        body.advance(MAGIC.len());
        if body.get_u64_le() != store {
            return Err(IndexFileError::OtherStore);
        }
        let timestamp = body.get_u64_le();
        let count = usize::try_from(body.get_u64_le()).map_err(|_| IndexFileError::Damaged)?;
        if body.len() != count.saturating_mul(ENTRY) {
            return Err(IndexFileError::Damaged);
        }
        let mut sorted = Vec::with_capacity(count);
        while body.has_remaining() {
            let (id, source, content, last_modified) =
                (IdHash(body.get_u64_le()), body.get_u64_le(), body.get_u64_le(), body.get_u64_le());
            let fact = Fact { source, content, date: body.get_u32_le(), rank: body.get_u32_le() };
            sorted.push(Entry { id, fact, last_modified });
        }
        Ok(Self { sorted, timestamp, ..Self::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::entry;
    use super::*;

    fn sample() -> Index {
        let mut index = Index::default();
        for id in 0..100 {
            index.insert(entry(id * 17, id + 1));
        }
        index.timestamp = 77;
        index
    }

    #[test]
    fn an_index_is_read_back_as_it_was_written() {
        let mut index = sample();
        let bytes = index.to_bytes(5);
        assert_eq!(Index::from_bytes(&bytes, 5), Ok(index));
    }

    #[test]
    fn an_index_of_another_store_is_refused() {
        assert_eq!(Index::from_bytes(&sample().to_bytes(5), 6), Err(IndexFileError::OtherStore));
    }

    #[test]
    fn a_cut_or_damaged_index_is_refused_wherever_it_happened() {
        let bytes = sample().to_bytes(5);
        for length in 0..bytes.len() {
            assert!(Index::from_bytes(&bytes[..length], 5).is_err(), "cut at {length}");
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 1;
            assert!(Index::from_bytes(&damaged, 5).is_err(), "damaged at {at}");
        }
    }
}
