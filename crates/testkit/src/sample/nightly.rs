//! Nightly builds.

use super::group::{Emitter, Product};
use super::metadata::{Built, json, txt_one_line, txt_two_lines};
use super::random::{of_text, revision};
use super::ship::abi;
use super::{Body, Kind, locales};

/// A nightly's folder, or that of its localised twin (`…-l10n/`).
#[derive(Debug, Clone)]
pub(super) struct Nightly {
    pub(super) product: &'static Product,
    pub(super) version: String,
    /// The folder, without `-l10n/`.
    pub(super) base: String,
    pub(super) platforms: &'static [&'static str],
    /// Other locales than the first; 0 in the base folder.
    pub(super) locales: usize,
    pub(super) form: Form,
    /// 14 digits; 12 in a few old ones.
    pub(super) id: String,
    pub(super) tree: &'static str,
    pub(super) channel: &'static str,
    /// A platform whose metadata is lost.
    pub(super) lost: Option<&'static str>,
    pub(super) seed: u64,
}

/// How its metadata is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `….json`.
    Json,
    /// `….txt`: two lines, or one on Windows.
    Txt,
}

impl Nightly {
    pub(super) fn folder(&self) -> String {
        format!("{}{}/", self.base, if self.locales > 0 { "-l10n" } else { "" })
    }

    fn is_android(&self) -> bool {
        self.platforms.iter().all(|platform| platform.starts_with("android"))
    }

    /// The locale of the base folder.
    fn first(&self) -> &'static str {
        if self.is_android() { "multi" } else { "en-US" }
    }

    /// The end of a file's name.
    fn suffix<'a>(&self, platform: &'a str) -> &'a str {
        if self.is_android() { abi(platform) } else { platform }
    }

    pub(super) fn visit(&self, out: &mut Emitter<'_>) {
        for platform in self.platforms {
            if self.locales == 0 {
                self.visit_base(out, platform);
            } else {
                for locale in locales::of_platform(platform, self.locales + 1).skip(1) {
                    self.visit_locale(out, platform, locale);
                }
            }
        }
    }

    fn build(&self, platform: &str) -> Kind {
        Kind::Build { has_metadata: self.lost != Some(platform) }
    }

    fn stem(&self, platform: &str, locale: &str) -> String {
        format!("{}-{}.{locale}.{}", self.product.file, self.version, self.suffix(platform))
    }

    fn visit_base(&self, out: &mut Emitter<'_>, platform: &'static str) {
        let stem = self.stem(platform, self.first());
        out.emit(self.build(platform), &[&stem, extension(platform)]);
        if self.lost != Some(platform) {
            out.emit(Kind::Metadata, &[&self.metadata_name(platform)]);
        }
        match platform {
            // The same build in another wrapping.
            "linux-x86_64" => out.emit(self.build(platform), &[&stem, ".zip"]),
            _ if platform.starts_with("win") => out.other(&[&stem, ".zip"]),
            _ => {}
        }
        for name in BESIDE_BASE {
            out.other(&[&stem, name]);
        }
        out.other(&["jsshell-", platform, ".zip"]);
    }

    fn visit_locale(&self, out: &mut Emitter<'_>, platform: &'static str, locale: &str) {
        let stem = self.stem(platform, locale);
        out.emit(self.build(platform), &[&stem, extension(platform)]);
        out.other(&[&stem, extension(platform), ".asc"]);
        for name in BESIDE_LOCALE {
            out.other(&[&stem, name]);
        }
    }

    fn metadata_name(&self, platform: &str) -> String {
        let extension = if self.form == Form::Json { "json" } else { "txt" };
        format!("{}.{extension}", self.stem(platform, self.first()))
    }

    /// The body of a metadata file, by its name below the folder.
    pub(super) fn metadata(&self, name: &str) -> Option<Body> {
        if self.locales > 0 {
            return None;
        }
        let platform = self.platforms.iter().find(|platform| self.metadata_name(platform) == name)?;
        if self.lost == Some(*platform) {
            return None;
        }
        let built = self.built(platform);
        Some(match self.form {
            Form::Json => json(&built),
            Form::Txt if platform.starts_with("win") => txt_one_line(&built),
            Form::Txt => txt_two_lines(&built),
        })
    }

    fn built(&self, platform: &'static str) -> Built<'_> {
        Built {
            product: self.product.file,
            version: &self.version,
            platform,
            channel: self.channel,
            tree: self.tree,
            revision: revision(of_text(self.seed, &self.base)),
            id: self.id.clone(),
            number: None,
        }
    }
}

fn extension(platform: &str) -> &'static str {
    if platform.starts_with("android") {
        ".apk"
    } else if platform.starts_with("win") {
        ".installer.exe"
    } else if platform.starts_with("mac") {
        ".dmg"
    } else {
        ".tar.bz2"
    }
}

/// What stands beside a build of the base folder.
const BESIDE_BASE: [&str; 11] = [
    ".checksums",
    ".checksums.asc",
    ".common.tests.zip",
    ".complete.mar",
    ".cppunittest.tests.zip",
    ".crashreporter-symbols.zip",
    ".langpack.xpi",
    ".mozinfo.json",
    ".test_packages.json",
    ".web-platform.tests.tar.gz",
    "_info.txt",
];

/// What stands beside a localised build, with its signature.
const BESIDE_LOCALE: [&str; 4] = [".checksums", ".complete.mar", ".complete.mar.asc", ".langpack.xpi"];
