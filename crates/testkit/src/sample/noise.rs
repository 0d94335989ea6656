//! What is in the archive and is no build, whatever its name.

use super::group::Emitter;
use super::{Kind, locales};

/// A folder of it.
#[derive(Debug)]
pub(super) struct Noise {
    /// How many objects there are.
    pub(super) rows: u64,
}

impl Noise {
    pub(super) fn visit(&self, out: &mut Emitter<'_>) {
        let mut number = 0;
        while number < self.rows {
            let turn = usize::try_from(number).unwrap_or(0);
            let locale = locales::LOCALES.get(turn % locales::LOCALES.len()).unwrap_or(&"en-US");
            let end = ENDS.get(turn % ENDS.len()).unwrap_or(&".txt");
            let count = number.to_string();
            out.emit(Kind::Other, &["firefox-40.0a1.", locale, ".", &count, end]);
            number += 1;
        }
    }
}

/// How the names end: many would be builds elsewhere.
const ENDS: [&str; 12] = [
    ".linux-x86_64.tar.bz2",
    ".win32.installer.exe",
    ".mac.dmg",
    ".linux-x86_64.json",
    ".linux-x86_64.txt",
    ".linux-x86_64.checksums",
    ".win32.complete.mar",
    ".linux-x86_64.crashreporter-symbols.zip",
    ".win64.common.tests.zip",
    ".linux-x86_64.tests.tar.gz",
    ".mac.mozinfo.json",
    ".linux-x86_64.xpt_artifacts.zip",
];
