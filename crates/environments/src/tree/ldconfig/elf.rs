//! As much of ELF as it takes to find what a library is called (`elf(5)`): its SONAME.

use std::io::Read as _;

use crate::tree::{Content, Spool, SpoolError};

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_STRTAB: u64 = 5;
const DT_SONAME: u64 = 14;
/// Most program headers, and most bytes of a dynamic section.
const HEADERS_MAX: u64 = 256;
const DYNAMIC_MAX: u64 = 1 << 20;
/// Most bytes of a name.
const NAME_MAX: u64 = 256;

/// How a file writes numbers.
#[derive(Clone, Copy)]
struct Layout {
    is_64: bool,
    is_little: bool,
}

impl Layout {
    fn number(self, bytes: &[u8], at: usize, width: usize) -> Option<u64> {
        let bytes = bytes.get(at..at.checked_add(width)?)?;
        let add = |sum: u64, byte: &u8| (sum << 8) | u64::from(*byte);
        Some(if self.is_little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) })
    }

    /// A number that is as wide as an address.
    fn word(self, bytes: &[u8], at: usize) -> Option<u64> {
        self.number(bytes, at, if self.is_64 { 8 } else { 4 })
    }
}

/// What a shared library is called; nothing where a file is none, or is damaged.
pub(super) fn soname(spool: &Spool, file: Content) -> Result<Option<Vec<u8>>, SpoolError> {
    let head = read(spool, file, 0, 64)?;
    let layout = match head.get(..6) {
        Some([0x7f, b'E', b'L', b'F', class @ (1 | 2), order @ (1 | 2)]) => {
            Layout { is_64: *class == 2, is_little: *order == 1 }
        }
        _ => return Ok(None),
    };
    let Some((at, size, count)) = program_headers(layout, &head) else { return Ok(None) };
    let table = read(spool, file, at, size * count)?;
    let mut loads = Vec::new();
    let mut dynamic = None;
    for header in table.chunks_exact(usize::try_from(size).unwrap_or(usize::MAX)) {
        let Some((kind, segment)) = segment(layout, header) else { continue };
        match kind {
            PT_LOAD => loads.push(segment),
            PT_DYNAMIC => dynamic = Some(segment),
            _ => {}
        }
    }
    let Some(dynamic) = dynamic else { return Ok(None) };
    let section = read(spool, file, dynamic.offset, dynamic.size.min(DYNAMIC_MAX))?;
    let Some((strings, name)) = names(layout, &section) else { return Ok(None) };
    let load = loads.iter().find(|load| strings >= load.address && strings - load.address < load.size);
    let at = load.and_then(|load| (strings - load.address).checked_add(load.offset)?.checked_add(name));
    let Some(at) = at else { return Ok(None) };
    let text = read(spool, file, at, NAME_MAX)?;
    let name = text.split(|byte| *byte == 0).next().filter(|name| name.len() < text.len() && !name.is_empty());
    // A name with a slash is a path that somebody wants to be opened, and no name in this folder.
    Ok(name.filter(|name| !name.contains(&b'/') && *name != b"." && *name != b"..").map(<[u8]>::to_vec))
}

/// A part of the file that is loaded.
struct Segment {
    offset: u64,
    address: u64,
    size: u64,
}

/// Where the program headers are, how large one is, how many there are. Only shared objects (`ET_DYN`) have what we look for.
fn program_headers(layout: Layout, head: &[u8]) -> Option<(u64, u64, u64)> {
    let shared = layout.number(head, 16, 2)? == 3;
    let (at, rest) = if layout.is_64 { (layout.word(head, 32)?, 54) } else { (layout.word(head, 28)?, 42) };
    let (size, count) = (layout.number(head, rest, 2)?, layout.number(head, rest + 2, 2)?);
    (shared && size >= 32 && count <= HEADERS_MAX).then_some((at, size, count))
}

fn segment(layout: Layout, header: &[u8]) -> Option<(u64, Segment)> {
    let kind = layout.number(header, 0, 4)?;
    let (offset, address, size) = if layout.is_64 { (8, 16, 32) } else { (4, 8, 16) };
    let word = |at| layout.word(header, at);
    Some((kind, Segment { offset: word(offset)?, address: word(address)?, size: word(size)? }))
}

/// Where the table of strings is loaded, and where in it the SONAME is.
fn names(layout: Layout, section: &[u8]) -> Option<(u64, u64)> {
    let width = if layout.is_64 { 8 } else { 4 };
    let find = |tag| {
        let pairs = section.chunks_exact(width * 2);
        let mut live = pairs.take_while(|pair| layout.word(pair, 0) != Some(0));
        live.find(|pair| layout.word(pair, 0) == Some(tag)).and_then(|pair| layout.word(pair, width))
    };
    Some((find(DT_STRTAB)?, find(DT_SONAME)?))
}

/// Some bytes of a file; fewer where it ends.
fn read(spool: &Spool, file: Content, at: u64, size: u64) -> Result<Vec<u8>, SpoolError> {
    let left = file.size.saturating_sub(at);
    let part = Content { at: file.at.saturating_add(at), size: size.min(left) };
    let mut bytes = Vec::new();
    spool.read(part).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
    Ok(bytes)
}
