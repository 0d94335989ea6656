//! Which archive is the record when several could be.

use crate::extension::Extension;

/// The rank of an archive among those that share an id; the greatest is the record.
///
/// An installer, a package and a zip of the same build have one id, and one record can name only one of them: the one
/// a person would want. The rank is a pure function of the url, so that two writers who see the archives in any order
/// agree, and so that the rank of what a store has follows from its `download.url`.
///
/// Compared in this order:
///
/// 1. The area: `releases` over `candidates` over anything else. (`releases/1.0rc1` and the first candidate of 1.0
///    share their ids.)
/// 2. The kind of file, best first:
///
/// | kind | why there |
/// |---|---|
/// | `.exe` | the installer for Windows |
/// | `.dmg`, then `.apk` | the same for macOS and Android |
/// | `.tar.xz`, `.tar.bz2`, `.tar.gz` | the same for Linux, the best compressed first |
/// | `.pkg`, then `.msi`, then `.msix` | for administrators |
/// | `.zip` | to unpack by hand |
/// | `.deb`, then `.aab` | for package archives and stores |
/// | `… Installer.exe` | fetches the real one: neither its size nor its date are the build's |
///
/// 3. 24 bits of the FNV-1a hash of the key, from `pub/` on: arbitrary, but the same for everybody and for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(u32);

impl Rank {
    /// The rank as a number, for an index; greater is better, and never 0.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The rank that [`as_u32`](Self::as_u32) gave.
    pub const fn from_u32(bits: u32) -> Self {
        Self(bits)
    }
}

/// The rank of a url, or of a key: what stands before `pub/` does not matter.
pub fn rank_of_url(url: &str) -> Rank {
    of_key(url.find("/pub/").and_then(|at| url.get(at + 1..)).unwrap_or(url))
}

pub(crate) fn of_key(key: &str) -> Rank {
    let file = key.rsplit_once('/').map_or(key, |(_, file)| file);
    Rank(area(key) << 30 | kind(file) << 24 | tie(key))
}

fn area(key: &str) -> u32 {
    match key.split('/').nth(2) {
        Some("releases") => 3,
        Some("candidates") => 2,
        _ => 1,
    }
}

fn kind(file: &str) -> u32 {
    match Extension::of(file) {
        Some(Extension::Exe) if file.ends_with(" Installer.exe") => 1,
        Some(Extension::Exe) => 14,
        Some(Extension::Dmg) => 13,
        Some(Extension::Apk) => 12,
        Some(Extension::TarXz) => 11,
        Some(Extension::TarBz2) => 10,
        Some(Extension::TarGz) => 9,
        Some(Extension::Pkg) => 8,
        None if file.rsplit_once('.').is_some_and(|(_, extension)| extension == "msi") => 7,
        Some(Extension::Msix) => 6,
        Some(Extension::Zip) => 5,
        Some(Extension::Deb) => 4,
        Some(Extension::Aab) => 3,
        None => 0,
    }
}

/// FNV-1a, 32 bits (RFC 9923), folded to 24 as it recommends. Spelt out because it must never change.
fn tie(key: &str) -> u32 {
    let hash = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    (hash >> 24) ^ (hash & 0x00ff_ffff)
}
