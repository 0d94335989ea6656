//! Releases from before there were platform folders.

use super::group::Emitter;
use super::{Kind, locales};

/// A flat release folder: nothing describes its builds.
#[derive(Debug)]
pub(super) struct Flat {
    pub(super) version: String,
    pub(super) locales: usize,
}

impl Flat {
    pub(super) fn folder(&self) -> String {
        format!("pub/firefox/releases/{}/", self.version)
    }

    pub(super) fn visit(&self, out: &mut Emitter<'_>) {
        let build = Kind::Build { has_metadata: false };
        let version = self.version.as_str();
        for (platform, extension) in [("linux-i686", ".installer.tar.gz"), ("mac", ".dmg"), ("win32", ".installer.exe")]
        {
            for locale in locales::of_platform(platform, self.locales) {
                out.emit(build, &["firefox-", version, ".", locale, ".", platform, extension]);
                out.other(&["firefox-", version, ".", locale, ".", platform, extension, ".asc"]);
            }
        }
        for locale in locales::of_platform("win32", self.locales) {
            out.other(&["Firefox Setup (", version, ", ", locale, ").exe"]);
        }
        out.other(&["MD5SUMS"]);
    }
}
