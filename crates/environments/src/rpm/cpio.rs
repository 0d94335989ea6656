//! The archive inside a package: cpio in the "new" format, and rpm's own, which leaves names and sizes to the header.
//!
//! A member of the new format begins with `070701` (or `070702`) and thirteen numbers of eight hexadecimal digits; its
//! name follows, and its contents; each begins at a multiple of four bytes (cpio(5)). A member of rpm's format, made where a file
//! is larger than 4 GiB, begins with `07070X` and one number: which of the header's files it is.

use std::io::{self, Read};

/// Bytes of a header of the new format, behind its magic.
const NUMBERS: usize = 13 * 8;
/// Most bytes of a name, its zero byte included: rpm's own limit.
const NAME_MAX: u64 = 4096;
/// The name of what ends an archive.
const TRAILER: &[u8] = b"TRAILER!!!";

/// What cannot be read as an archive.
#[derive(Debug, thiserror::Error)]
pub enum CpioError {
    /// It cannot be read on: it ends too early, or its compression is broken.
    #[error("after {at} bytes it cannot be read on: {source}")]
    Read {
        /// Bytes that were read.
        at: u64,
        /// Why not.
        source: io::Error,
    },
    /// Something else than a member begins.
    #[error("after {at} bytes begins something that is no member of a cpio archive")]
    Member {
        /// Bytes that were read.
        at: u64,
    },
}

/// A member of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// By its name, and how many bytes it has here. Of a file's several names only one has bytes.
    Named(Vec<u8>, u64),
    /// By its number in the header, which knows how many bytes it has.
    Numbered(usize),
}

/// An archive, read a member at a time.
#[derive(Debug)]
pub struct Archive<R> {
    source: R,
    at: u64,
    left: u64,
}

impl<R: Read> Archive<R> {
    /// Reads from the first byte of one.
    pub fn new(source: R) -> Self {
        Self { source, at: 0, left: 0 }
    }

    /// The next member; what was not read of the one before is passed over.
    pub fn member(&mut self) -> Result<Option<Member>, CpioError> {
        let left = self.left;
        self.skip(left)?;
        self.left = 0;
        self.align()?;
        let begins = self.at;
        let fault = || CpioError::Member { at: begins };
        let mut magic = [0; 6];
        self.fill(&mut magic)?;
        match &magic {
            b"070701" | b"070702" => {}
            b"07070X" => {
                let mut digits = [0; 8];
                self.fill(&mut digits)?;
                self.align()?;
                return number(&digits).map(|it| Some(Member::Numbered(it as usize))).ok_or_else(fault);
            }
            _ => return Err(fault()),
        }
        let mut digits = [0; NUMBERS];
        self.fill(&mut digits)?;
        let nth = |index: usize| digits.get(index * 8..index * 8 + 8).and_then(number).map(u64::from);
        let (size, name_size) = nth(6).zip(nth(11)).ok_or_else(fault)?;
        if !(1..=NAME_MAX).contains(&name_size) {
            return Err(fault());
        }
        let mut name = vec![0; usize::try_from(name_size).unwrap_or_default()];
        self.fill(&mut name)?;
        if name.pop() != Some(0) || name.contains(&0) {
            return Err(fault());
        }
        self.align()?;
        self.left = size;
        Ok((name != TRAILER).then_some(Member::Named(name, size)))
    }

    /// The contents of the member that was last given. How many bytes a [numbered](Member::Numbered) one has must be said.
    pub fn contents(&mut self, size: u64) -> impl Read + '_ {
        self.left = size;
        Contents(self)
    }

    /// What the archive is read from, to be read to its end.
    pub fn into_inner(self) -> R {
        self.source
    }

    fn align(&mut self) -> Result<(), CpioError> {
        let over = self.at % 4;
        if over == 0 { Ok(()) } else { self.skip(4 - over) }
    }

    fn skip(&mut self, count: u64) -> Result<(), CpioError> {
        let skipped = io::copy(&mut (&mut self.source).take(count), &mut io::sink());
        let skipped = skipped.map_err(|source| CpioError::Read { at: self.at, source })?;
        self.at += skipped;
        if skipped < count {
            return Err(CpioError::Read { at: self.at, source: io::ErrorKind::UnexpectedEof.into() });
        }
        Ok(())
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Result<(), CpioError> {
        self.source.read_exact(buffer).map_err(|source| CpioError::Read { at: self.at, source })?;
        self.at += buffer.len() as u64;
        Ok(())
    }
}

struct Contents<'a, R>(&'a mut Archive<R>);

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.0.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.0.source.read(buffer.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.at += read as u64;
        self.0.left -= read as u64;
        Ok(read)
    }
}

/// Eight hexadecimal digits. A sign is none.
fn number(digits: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u32::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(name: &str, contents: &[u8]) -> Vec<u8> {
        let mut bytes = b"070701".to_vec();
        for index in 0..13 {
            let value = match index {
                6 => contents.len(),
                11 => name.len() + 1,
                _ => 0,
            };
            bytes.extend(format!("{value:08x}").into_bytes());
        }
        bytes.extend(name.bytes().chain([0]));
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(contents);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn members_are_read_one_after_another_whether_their_contents_are_or_not() {
        let bytes = [member("./a", b"hello"), member("./b/c", b""), member("./d", b"xyz"), member("TRAILER!!!", b"")];
        let mut archive = Archive::new(io::Cursor::new(bytes.concat()));
        assert_eq!(archive.member().unwrap(), Some(Member::Named(b"./a".into(), 5)));
        assert_eq!(archive.member().unwrap(), Some(Member::Named(b"./b/c".into(), 0)));
        assert_eq!(archive.member().unwrap(), Some(Member::Named(b"./d".into(), 3)));
        assert_eq!(io::read_to_string(archive.contents(3)).unwrap(), "xyz");
        assert_eq!(archive.member().unwrap(), None);
    }

    /// A file of more than 4 GiB is what it takes to have rpmbuild write this format.
    #[test]
    fn members_of_large_files_have_a_number_instead_of_a_name_and_a_size() {
        let mut bytes = [&b"07070X00000002\0\0hello\0\0\0"[..], b"07070X0000000a\0\0"].concat();
        bytes.extend(member("TRAILER!!!", b""));
        let mut archive = Archive::new(io::Cursor::new(bytes));
        assert_eq!(archive.member().unwrap(), Some(Member::Numbered(2)));
        assert_eq!(io::read_to_string(archive.contents(5)).unwrap(), "hello");
        assert_eq!(archive.member().unwrap(), Some(Member::Numbered(10)));
        assert_eq!(io::read_to_string(archive.contents(0)).unwrap(), "");
        assert_eq!(archive.member().unwrap(), None);
    }

    #[test]
    fn an_archive_that_ends_too_early_is_an_error_and_no_end() {
        let whole = [member("./a", b"hello"), member("TRAILER!!!", b"")].concat();
        for end in 0..whole.len() - 4 {
            let mut archive = Archive::new(whole.get(..end).unwrap());
            let outcome = loop {
                match archive.member() {
                    Ok(Some(_)) => {}
                    other => break other,
                }
            };
            assert!(outcome.is_err(), "cut after {end} bytes");
        }
    }

    #[test]
    fn a_name_without_an_end_or_a_number_with_a_sign_is_no_member() {
        for (from, to) in [("0000000a", "+000000a"), ("070701", "070707"), ("0000000b", "00002000")] {
            let text = String::from_utf8(member("TRAILER!!!", b"")).unwrap().replacen(from, to, 1);
            let mut archive = Archive::new(io::Cursor::new(text.clone().into_bytes()));
            if text.contains(to) {
                assert!(matches!(archive.member(), Err(CpioError::Member { at: 0 })), "{to}");
            }
        }
    }
}
