//! A header as it is written.

use super::{BLOCK, kind, padding, pax};

/// What becomes a header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) kind: u8,
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    /// Where a link leads to.
    pub(crate) link: &'a [u8],
    /// The extended attribute `security.capability`.
    pub(crate) capability: Option<&'a [u8]>,
}

/// The largest numbers of seven and of eleven octal digits.
const SEVEN: u64 = 0o777_7777;
const ELEVEN: u64 = 0o777_7777_7777;

impl Member<'_> {
    /// Its header, behind an extended one where a field cannot hold what is to be said. Owners are numbers only: names would
    /// be looked up where the archive is unpacked, and mean somebody else there.
    pub(crate) fn header(&self) -> Vec<u8> {
        let mut records = Vec::new();
        if self.path.len() > 100 {
            pax::push(&mut records, "path", self.path);
        }
        if self.link.len() > 100 {
            pax::push(&mut records, "linkpath", self.link);
        }
        for (key, value, most) in
            [("uid", u64::from(self.uid), SEVEN), ("gid", u64::from(self.gid), SEVEN), ("size", self.size, ELEVEN)]
        {
            if value > most {
                pax::push(&mut records, key, value.to_string().as_bytes());
            }
        }
        if !u64::try_from(self.mtime).is_ok_and(|time| time <= ELEVEN) {
            pax::push(&mut records, "mtime", self.mtime.to_string().as_bytes());
        }
        if let Some(capability) = self.capability {
            pax::push(&mut records, "SCHILY.xattr.security.capability", capability);
        }
        let mut bytes = Vec::new();
        if !records.is_empty() {
            let size = records.len() as u64;
            let path = [b"PaxHeaders/", last(self.path)].concat();
            let about = Member {
                path: &path,
                kind: kind::PAX,
                mode: 0o644,
                uid: 0,
                gid: 0,
                size,
                mtime: 0,
                link: b"",
                capability: None,
            };
            bytes.extend_from_slice(&about.block());
            bytes.append(&mut records);
            bytes.resize(bytes.len() + usize::try_from(padding(size)).unwrap_or_default(), 0);
        }
        bytes.extend_from_slice(&self.block());
        bytes
    }

    /// The header alone, with as much of each field as it holds.
    fn block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(BLOCK);
        text(&mut block, self.path, 100);
        octal(&mut block, u64::from(self.mode), 7);
        octal(&mut block, u64::from(self.uid).min(SEVEN), 7);
        octal(&mut block, u64::from(self.gid).min(SEVEN), 7);
        octal(&mut block, self.size.min(ELEVEN), 11);
        octal(&mut block, u64::try_from(self.mtime).unwrap_or_default().min(ELEVEN), 11);
        // The checksum counts its own field as spaces.
        block.extend_from_slice(b"        ");
        block.push(self.kind);
        text(&mut block, self.link, 100);
        block.extend_from_slice(b"ustar\x0000");
        text(&mut block, b"", 64);
        octal(&mut block, 0, 7);
        octal(&mut block, 0, 7);
        text(&mut block, b"", 155 + 12);
        let sum: u64 = block.iter().map(|byte| u64::from(*byte)).sum();
        if let Some(field) = block.get_mut(148..156) {
            field.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        block
    }
}

/// The last part of a path, short enough for a header's field.
fn last(path: &[u8]) -> &[u8] {
    let name = path.split(|byte| *byte == b'/').rfind(|part| !part.is_empty()).unwrap_or_default();
    name.get(..80).unwrap_or(name)
}

fn text(block: &mut Vec<u8>, value: &[u8], size: usize) {
    let end = block.len() + size;
    block.extend_from_slice(value.get(..size).unwrap_or(value));
    block.resize(end, 0);
}

fn octal(block: &mut Vec<u8>, value: u64, digits: usize) {
    block.extend_from_slice(format!("{value:0digits$o}\0").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tar::Header;

    const PLAIN: Member<'_> = Member {
        path: b"usr/bin/make",
        kind: kind::FILE,
        mode: 0o4755,
        uid: 1,
        gid: 2,
        size: 3,
        mtime: 4,
        link: b"",
        capability: None,
    };

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let bytes = PLAIN.header();
        let header = Header::read(bytes.as_slice().try_into().unwrap()).unwrap().unwrap();
        assert_eq!((header.path.as_slice(), header.mode, header.kind), (PLAIN.path, 0o4755, kind::FILE));
        assert_eq!((header.uid, header.gid, header.size, header.mtime), (1, 2, 3, 4));
    }

    #[test]
    fn what_a_header_cannot_hold_is_said_before_it() {
        let path = [b'p'; 101];
        let member =
            Member { path: &path, uid: u32::MAX, size: 1 << 33, mtime: -1, capability: Some(b"\n\0"), ..PLAIN };
        let bytes = member.header();
        assert_eq!(bytes.len(), 3 * 512);
        let about = Header::read(bytes[..512].try_into().unwrap()).unwrap().unwrap();
        assert_eq!(about.kind, kind::PAX);
        let records = pax::read(&bytes[512..][..usize::try_from(about.size).unwrap()]).unwrap();
        let expected: Vec<pax::Record<'_>> = vec![
            (b"path", &path),
            (b"uid", b"4294967295"),
            (b"size", b"8589934592"),
            (b"mtime", b"-1"),
            (b"SCHILY.xattr.security.capability", b"\n\0"),
        ];
        assert_eq!(records, expected);
    }
}
