//! The members of a tar archive, one after another, with what extended headers say of them.

use std::io::{self, Read};

use super::source::Bounded;
use super::{ChrootError, Refusal};
use crate::decompress::Compression;
use crate::tar::{BLOCK, Header, kind, padding, pax};

/// The most that extended headers may say about one member.
const ABOUT: u64 = 1 << 20;

/// A member's header.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) header: Header,
    /// `security.capability`.
    pub(super) capability: Option<Box<[u8]>>,
    /// Names of attributes that are left out.
    pub(super) attributes: Vec<String>,
}

/// An archive that is read. As a reader it gives the contents of the present member.
pub(super) struct Members<R> {
    tar: Bounded<R>,
    compression: Compression,
    /// What is left of the present member's contents, and what fills its last block.
    left: u64,
    padding: u64,
}

/// What extended headers said before a member.
#[derive(Default)]
struct About {
    pax: Option<Vec<u8>>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<R: Read> Members<R> {
    pub(super) fn new(tar: Bounded<R>, compression: Compression) -> Self {
        Self { tar, compression, left: 0, padding: 0 }
    }

    /// The next member; `None` at the archive's end.
    pub(super) fn next(&mut self) -> Result<Option<Member>, ChrootError> {
        let mut about = About::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return if about.is_empty() {
                    Ok(None)
                } else {
                    Err(self.damaged("an extended header describes nothing"))
                };
            };
            // What follows a header that is not of a file is not contents, but for extended headers.
            (self.left, self.padding) = (header.size, padding(header.size));
            let slot = match header.kind {
                kind::PAX => &mut about.pax,
                kind::GNU_LONG_NAME => &mut about.path,
                kind::GNU_LONG_LINK => &mut about.link,
                kind::PAX_GLOBAL => {
                    self.global()?;
                    continue;
                }
                _ => return self.member(header, about).map(Some),
            };
            if slot.is_some() {
                return Err(self.damaged("two extended headers of one kind describe one member"));
            }
            *slot = Some(self.about()?);
        }
    }

    /// After the end: nothing but zeros.
    pub(super) fn end(&mut self) -> Result<(), ChrootError> {
        let mut buffer = [0; 16 << 10];
        loop {
            let read = match self.tar.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.failed(error)),
            };
            if buffer.iter().take(read).any(|byte| *byte != 0) {
                return Err(ChrootError::Trailing { at: self.tar.at() });
            }
        }
    }

    /// What a failure to read means.
    pub(super) fn failed(&self, source: io::Error) -> ChrootError {
        let at = self.tar.at();
        match self.tar.limit() {
            Some(limit) => ChrootError::TooLarge { what: "bytes of tar", limit },
            None if source.kind() == io::ErrorKind::UnexpectedEof && self.compression == Compression::None => {
                ChrootError::Truncated { at }
            }
            None => ChrootError::Read { at, compression: self.compression, source },
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> ChrootError {
        ChrootError::Damaged { at: self.tar.at(), reason: reason.into() }
    }

    /// The next header; `None` for the end, whose second block may be missing, as in archives of some programs.
    fn header(&mut self) -> Result<Option<Header>, ChrootError> {
        let mut block = [0; BLOCK];
        let (mut filled, at) = (0, self.tar.at());
        while filled < block.len() {
            match self.tar.read(block.get_mut(filled..).unwrap_or_default()) {
                Ok(0) => return Err(ChrootError::Truncated { at }),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Header::read(&block).map_err(|error| ChrootError::Damaged { at, reason: error.to_string() })
    }

    /// Passes over what is left of a member.
    fn skip(&mut self) -> Result<(), ChrootError> {
        let left = std::mem::take(&mut self.left).saturating_add(std::mem::take(&mut self.padding));
        let skipped = io::copy(&mut (&mut self.tar).take(left), &mut io::sink()).map_err(|error| self.failed(error))?;
        if skipped < left { Err(ChrootError::Truncated { at: self.tar.at() }) } else { Ok(()) }
    }

    /// An extended header's contents.
    fn about(&mut self) -> Result<Vec<u8>, ChrootError> {
        let size = self.left;
        if size > ABOUT {
            return Err(self.damaged(format!("an extended header of {size} bytes; {ABOUT} are the most")));
        }
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    /// What is said of all following members may be a comment, as git makes it, and nothing that changes them.
    fn global(&mut self) -> Result<(), ChrootError> {
        let bytes = self.about()?;
        let records = pax::read(&bytes).map_err(|error| self.damaged(error.to_string()))?;
        match records.iter().find(|(key, _)| *key != b"comment") {
            Some((key, _)) => {
                let key = String::from_utf8_lossy(key);
                Err(self.damaged(format!(
                    "a global extended header sets {key:?} of all members: make the archive without it"
                )))
            }
            None => Ok(()),
        }
    }

    fn member(&mut self, mut header: Header, about: About) -> Result<Member, ChrootError> {
        let zero = |mut bytes: Vec<u8>| {
            // GNU's names end with a zero byte.
            bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
            bytes
        };
        if let Some(path) = about.path {
            header.path = zero(path);
        }
        if let Some(link) = about.link {
            header.link = zero(link);
        }
        let mut member = Member { header, capability: None, attributes: Vec::new() };
        let bytes = about.pax.unwrap_or_default();
        for (key, value) in pax::read(&bytes).map_err(|error| self.damaged(error.to_string()))? {
            member.tell(key, value).map_err(|wrong| match wrong {
                Wrong::Value => {
                    self.damaged(format!("an extended header says {:?} wrongly", String::from_utf8_lossy(key)))
                }
                Wrong::Refused(reason) => ChrootError::Refused { path: lossy(&member.header.path), reason },
            })?;
        }
        if member.attributes.iter().any(|name| name == LIBARCHIVE_CAPABILITY) && member.capability.is_none() {
            return Err(ChrootError::Refused { path: lossy(&member.header.path), reason: Refusal::CapabilityForm });
        }
        (self.left, self.padding) = (member.header.size, padding(member.header.size));
        Ok(member)
    }
}

const LIBARCHIVE_CAPABILITY: &str = "LIBARCHIVE.xattr.security.capability";

/// What a record can be wrong in.
enum Wrong {
    Value,
    Refused(Refusal),
}

impl Member {
    /// One record of an extended header.
    fn tell(&mut self, key: &[u8], value: &[u8]) -> Result<(), Wrong> {
        let text = || std::str::from_utf8(value).map_err(|_| Wrong::Value);
        let number = || text()?.parse().map_err(|_| Wrong::Value);
        match key {
            b"path" => self.header.path = value.to_vec(),
            b"linkpath" => self.header.link = value.to_vec(),
            b"size" => self.header.size = number()?,
            b"uid" => self.header.uid = number()?,
            b"gid" => self.header.gid = number()?,
            b"mtime" => self.header.mtime = seconds(text()?).ok_or(Wrong::Value)?,
            b"SCHILY.xattr.security.capability" => self.capability = Some(value.into()),
            b"atime" | b"ctime" | b"uname" | b"gname" | b"comment" | b"charset" | b"hdrcharset" => {}
            _ if key.starts_with(b"GNU.sparse.") => return Err(Wrong::Refused(Refusal::Sparse)),
            _ => self.attributes.push(lossy(key)),
        }
        Ok(())
    }
}

/// Whole seconds of a decimal number, downward.
fn seconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let below = whole.starts_with('-') && fraction.bytes().any(|byte| byte != b'0');
    seconds.checked_sub(i64::from(below))
}

impl About {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.path.is_none() && self.link.is_none()
    }
}

pub(super) fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let read = self.tar.read(bytes.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_second_are_dropped_downward() {
        assert_eq!(seconds("1350244992.023960108"), Some(1_350_244_992));
        assert_eq!(seconds("12"), Some(12));
        assert_eq!(seconds("-1.5"), Some(-2));
        assert_eq!(seconds("-0.5"), Some(-1));
        assert_eq!(seconds("-1.0"), Some(-1));
        for wrong in ["", ".5", "1.x", "1e9", "9223372036854775808"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
