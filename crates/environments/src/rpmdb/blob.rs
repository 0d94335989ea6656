//! A header as rpm keeps it: the package's own, and behind it what is known since it was installed.

use super::{FileState, Installed};
use crate::rpm::{Header, HeaderError, tags};

/// Types of values that are added: `RPM_CHAR_TYPE` and so on.
const CHAR: u32 = 1;
const INT32: u32 = 4;
const STRING: u32 = 6;
const BIN: u32 = 7;
/// Both colours: `rpmtsColor` of a machine that runs 32-bit and 64-bit programs.
const COLORS: u32 = 3;

/// A header that something is added to. The package's own part stays as it was signed: entries are appended behind its
/// entries, and data behind its data.
struct Growing {
    entries: Vec<u8>,
    count: u32,
    data: Vec<u8>,
}

impl Growing {
    fn of(header: &Header) -> Self {
        let (counts, rest) = header.blob().split_at_checked(8).unwrap_or_default();
        let count = counts.get(..4).and_then(|it| it.try_into().ok()).map(u32::from_be_bytes).unwrap_or_default();
        let (entries, data) = rest.split_at_checked(count as usize * 16).unwrap_or_default();
        Self { entries: entries.to_vec(), count, data: data.to_vec() }
    }

    fn add(&mut self, tag: u32, kind: u32, count: usize, value: &[u8]) {
        if kind == INT32 {
            self.data.resize(self.data.len().next_multiple_of(4), 0);
        }
        let number = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        for word in [tag, kind, number(self.data.len()), number(count)] {
            self.entries.extend(word.to_be_bytes());
        }
        self.count += 1;
        self.data.extend(value);
    }

    fn finish(self) -> Vec<u8> {
        let size = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        [&self.count.to_be_bytes()[..], &size.to_be_bytes(), &self.entries, &self.data].concat()
    }
}

/// The header of an installed package.
pub(super) fn installed(of: Installed<'_>, time: u32) -> Result<Vec<u8>, HeaderError> {
    let Installed { package, states } = of;
    let signature = package.signature();
    let mut header = Growing::of(package.header());
    for (from, to) in [(tags::SIG_LEGACY_SIZE, tags::SIGSIZE), (tags::LONG_SIGSIZE, tags::LONG_SIGSIZE)] {
        // A size of eight bytes is only there where four do not suffice.
        if let Some(size) = signature.number(from)?.and_then(|size| u32::try_from(size).ok()) {
            header.add(to, INT32, 1, &size.to_be_bytes());
            break;
        }
    }
    for (from, to) in [
        (tags::SIG_LEGACY_MD5, tags::SIGMD5),
        (tags::DSA_HEADER, tags::DSA_HEADER),
        (tags::RSA_HEADER, tags::RSA_HEADER),
    ] {
        if let Some(bytes) = signature.bytes(from)? {
            header.add(to, BIN, bytes.len(), bytes);
        }
    }
    for tag in [tags::SHA1_HEADER, tags::SHA256_HEADER] {
        if let Some(text) = signature.text(tag)? {
            header.add(tag, STRING, 1, &[text, &[0]].concat());
        }
    }
    header.add(tags::INSTALL_TIME, INT32, 1, &time.to_be_bytes());
    if !states.is_empty() {
        let states: Vec<u8> = states.iter().map(|state| *state as u8).collect();
        header.add(tags::FILE_STATES, CHAR, states.len(), &states);
    }
    header.add(tags::INSTALL_COLOR, INT32, 1, &COLORS.to_be_bytes());
    header.add(tags::INSTALL_TID, INT32, 1, &time.to_be_bytes());
    Ok(header.finish())
}

/// Keeps the meaning of the numbers in sight where they are written.
const _: () = assert!(FileState::NotInstalled as u8 == 2 && FileState::WrongColor as u8 == 4);
