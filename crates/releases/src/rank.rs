//! Which archive is the record when several could be.

use crate::cut;
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
/// 3. 24 bits of a hash of the key, from `pub/` on: arbitrary, but the same for everybody and for ever.
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

/// The rank of a url, or of a key: what stands before the last `pub/` does not matter.
pub fn rank_of_url(url: &str) -> Rank {
    of_key(url.rfind("/pub/").and_then(|at| url.get(at + 1..)).unwrap_or(url))
}

pub(crate) fn of_key(key: &str) -> Rank {
    let file = cut::last(key, b'/').map_or(key, |(_, file)| file);
    Rank(area(key) << 30 | kind(file) << 24 | tie(key))
}

fn area(key: &str) -> u32 {
    let area = cut::first(key, b'/').and_then(|(_, rest)| cut::first(rest, b'/')).map_or("", |(_, rest)| rest);
    if area.starts_with("releases/") {
        3
    } else if area.starts_with("candidates/") {
        2
    } else {
        1
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
        Some(Extension::Msi) => 7,
        Some(Extension::Msix) => 6,
        Some(Extension::Zip) => 5,
        Some(Extension::Deb) => 4,
        Some(Extension::Aab) => 3,
        None => 0,
    }
}

/// FNV-1a with eight bytes a step instead of one (little endian, the last padded with zeros), folded to 24 bits. Spelt
/// out because it must never change.
fn tie(key: &str) -> u32 {
    let (words, rest) = key.as_bytes().as_chunks::<8>();
    let mut last = [0; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    let step = |hash: u64, word: &[u8; 8]| (hash ^ u64::from_le_bytes(*word)).wrapping_mul(0x0000_0100_0000_01b3);
    let hash = step(words.iter().fold(0xcbf2_9ce4_8422_2325, step), &last);
    // The upper bits of a product are the well mixed ones.
    u32::try_from(hash >> 40).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_ranked_as_the_table_says() {
        let best_first = [
            "Firefox Setup 60.0.exe",
            "Firefox 60.0.dmg",
            "fennec-60.0.apk",
            "firefox-60.0.tar.xz",
            "firefox-60.0.tar.bz2",
            "firefox-60.0.tar.gz",
            "Firefox 60.0.pkg",
            "Firefox Setup 60.0.msi",
            "Firefox Setup 60.0.msix",
            "firefox-60.0.zip",
            "firefox-60.0.deb",
            "fenix-60.0.aab",
            "Firefox Installer.exe",
            "firefox-60.0.rpm",
        ];
        let ranks = best_first.map(|file| rank_of_url(&format!("pub/firefox/releases/60.0/x/fr/{file}")));
        assert!(ranks.is_sorted_by(|better, worse| better > worse), "{ranks:?}");
    }

    #[test]
    fn an_area_outweighs_a_kind() {
        let ranks = ["releases/x/a.rpm", "candidates/x/a.exe", "nightly/x/a.exe"];
        let ranks = ranks.map(|rest| rank_of_url(&format!("pub/firefox/{rest}")));
        assert!(ranks.is_sorted_by(|better, worse| better > worse), "{ranks:?}");
    }

    #[test]
    fn equals_in_all_else_differ_by_their_keys_in_a_way_that_never_changes() {
        let url = "https://archive.mozilla.org/pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe";
        assert_eq!(rank_of_url(url).as_u32(), 3_456_190_505);
        assert_ne!(rank_of_url(url), rank_of_url(&url.replace("Setup", "setup")));
    }

    #[test]
    fn a_mirror_below_a_folder_named_pub_changes_no_rank() {
        let key = "pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe";
        assert_eq!(rank_of_url(&format!("https://mirror.example/pub/mozilla/{key}")), rank_of_url(key));
    }
}
