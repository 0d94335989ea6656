//! Candidates and releases.

use jiff::ToSpan as _;
use jiff::civil::Date;

use super::group::{Emitter, Product};
use super::metadata::{Built, buildhub_json, json};
use super::random::{of_text, revision};
use super::{Body, Kind, locales};

/// A candidate's or a release's folder.
#[derive(Debug, Clone)]
pub(super) struct Ship {
    pub(super) product: &'static Product,
    pub(super) version: String,
    /// The version updated from.
    pub(super) previous: String,
    pub(super) stage: Stage,
    pub(super) platforms: &'static [&'static str],
    /// How many locales there are.
    pub(super) locales: usize,
    pub(super) era: Era,
    /// The tree it is built from, and the channel it updates on.
    pub(super) tree: &'static str,
    pub(super) channel: &'static str,
    /// The day of the first candidate.
    pub(super) day: Date,
    pub(super) seed: u64,
}

/// How far a version has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The candidate of that number.
    Candidate(u32),
    /// Released, from the candidate of that number.
    Release(u32),
    /// Released before there were candidates: nothing describes it.
    Bare,
}

/// Which files a version has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Era {
    /// tar.bz2, dmg, exe.
    Classic,
    /// tar.xz, pkg, msix, deb, and `buildhub.json`.
    Modern,
    /// apk.
    Android,
}

impl Ship {
    pub(super) fn folder(&self) -> String {
        let Self { product, version, .. } = self;
        match self.stage {
            Stage::Candidate(build) => format!("pub/{}/candidates/{version}-candidates/build{build}/", product.folder),
            Stage::Release(_) | Stage::Bare => format!("pub/{}/releases/{version}/", product.folder),
        }
    }

    pub(super) fn visit(&self, out: &mut Emitter<'_>) {
        for platform in self.platforms {
            for locale in locales::of_platform(platform, self.locales) {
                self.visit_locale(out, platform, locale);
            }
            if self.era == Era::Android {
                self.visit_locale(out, platform, "multi");
            }
            self.visit_platform(out, platform);
        }
        for name in ["SHA256SUMS", "SHA256SUMS.asc", "SHA512SUMS", "SHA512SUMS.asc", "KEY"] {
            out.other(&[name]);
        }
        let (file, version) = (self.product.file, self.version.as_str());
        out.other(&["source/", file, "-", version, ".source.tar.xz"]);
        out.other(&["source/", file, "-", version, ".source.tar.xz.asc"]);
    }

    fn build(&self) -> Kind {
        Kind::Build { has_metadata: self.stage != Stage::Bare }
    }

    /// What every locale of a platform has: one build and six others.
    fn visit_locale(&self, out: &mut Emitter<'_>, platform: &str, locale: &str) {
        let (file, version) = (self.product.file, self.version.as_str());
        let archive = self.archive(platform, locale);
        out.emit(self.build(), &[platform, "/", locale, "/", &archive]);
        out.other(&[platform, "/", locale, "/", &archive, ".asc"]);
        out.other(&["beetmover-checksums/", platform, "/", locale, "/", file, "-", version, ".checksums.beet"]);
        if self.era == Era::Android {
            for name in [".checksums", ".checksums.asc", ".txt", ".langpack.xpi"] {
                out.other(&[platform, "/", locale, "/", file, "-", version, ".", locale, ".", abi(platform), name]);
            }
            return;
        }
        out.other(&["update/", platform, "/", locale, "/", file, "-", version, ".complete.mar"]);
        out.other(&["update/", platform, "/", locale, "/", file, "-", version, ".complete.mar.asc"]);
        out.other(&["update/", platform, "/", locale, "/", file, "-", &self.previous, "-", version, ".partial.mar"]);
        out.other(&[platform, "/xpi/", locale, ".xpi"]);
    }

    /// The archive's name.
    fn archive(&self, platform: &str, locale: &str) -> String {
        let Self { product: Product { file, title, .. }, version, .. } = self;
        match self.era {
            Era::Android => format!("{file}-{version}.{locale}.{}.apk", abi(platform)),
            _ if platform.starts_with("win") => format!("{title} Setup {version}.exe"),
            _ if platform.starts_with("mac") => format!("{title} {version}.dmg"),
            Era::Modern => format!("{file}-{version}.tar.xz"),
            Era::Classic => format!("{file}-{version}.tar.bz2"),
        }
    }

    /// What a platform has once: metadata, tests, and installers of other kinds.
    fn visit_platform(&self, out: &mut Emitter<'_>, platform: &str) {
        let Self { product: Product { file, title, .. }, version, .. } = self;
        for name in self.metadata_names(platform) {
            out.emit(Kind::Metadata, &[&name]);
        }
        if matches!(self.stage, Stage::Candidate(_)) {
            for name in [".mozinfo.json", ".common.tests.zip", ".crashreporter-symbols.zip", ".test_packages.json"] {
                out.other(&[platform, "/en-US/", file, "-", version, name]);
            }
            out.other(&["jsshell/jsshell-", platform, ".zip"]);
        }
        match (self.era, platform) {
            (Era::Classic, "win32") => {
                out.emit(self.build(), &["win32/en-US/", title, " Installer.exe"]);
                out.other(&["win32/en-US/", file, "-", version, ".sdk.zip"]);
            }
            (Era::Modern, "win64") => {
                out.emit(self.build(), &["win64/multi/", title, " Setup ", version, ".msix"]);
                out.emit(self.build(), &["win64/en-US/", title, " Setup ", version, ".msi"]);
            }
            (Era::Modern, "mac") => out.emit(self.build(), &["mac/en-US/", title, " ", version, ".pkg"]),
            (Era::Modern, "linux-x86_64") => {
                out.emit(self.build(), &["linux-x86_64/en-US/", file, "-", version, ".deb"]);
            }
            _ => {}
        }
    }

    /// The metadata files of a platform. A variant of a platform has none: it is described by the plain one's.
    fn metadata_names(&self, platform: &str) -> Vec<String> {
        let Self { product: Product { file, .. }, version, .. } = self;
        let mut names = Vec::new();
        if plain(platform) != platform {
            return names;
        }
        if matches!(self.stage, Stage::Candidate(_)) {
            if self.era == Era::Android {
                for locale in ["en-US", "multi"] {
                    names.push(format!("{platform}/{locale}/{file}-{version}.{locale}.{}.json", abi(platform)));
                }
            } else {
                names.push(format!("{platform}/en-US/{file}-{version}.json"));
            }
        }
        if self.era == Era::Modern {
            names.push(format!("{platform}/en-US/buildhub.json"));
        }
        names
    }

    /// The body of a metadata file, by its name below the folder.
    pub(super) fn metadata(&self, name: &str) -> Option<Body> {
        let platform = name.split('/').next()?;
        let platform = self.platforms.iter().find(|candidate| **candidate == platform)?;
        if !self.metadata_names(platform).iter().any(|candidate| candidate == name) {
            return None;
        }
        let built = self.built(platform);
        if name.ends_with("/buildhub.json") {
            let archive = format!("{}{platform}/en-US/{}", self.folder(), self.archive(platform, "en-US"));
            return Some(buildhub_json(&built, &archive));
        }
        Some(json(&built))
    }

    /// How a platform was built: the same for the candidate and the release made of it.
    fn built(&self, platform: &'static str) -> Built<'_> {
        let number = match self.stage {
            Stage::Candidate(build) | Stage::Release(build) => build,
            Stage::Bare => 0,
        };
        let day = self.day.saturating_add(i64::from(number).days());
        let random = of_text(self.seed, &format!("{} {} {number}", self.product.folder, self.version));
        Built {
            product: self.product.file,
            version: &self.version,
            platform,
            channel: self.channel,
            tree: self.tree,
            revision: revision(random),
            id: format!(
                "{:04}{:02}{:02}{:02}{:02}{:02}",
                day.year(),
                day.month(),
                day.day(),
                random % 24,
                random / 24 % 60,
                random / 1440 % 60
            ),
            number: Some(number),
        }
    }
}

/// The platform a variant is a variant of.
fn plain(platform: &str) -> &str {
    ["-EME-free", "-sha1"].iter().find_map(|suffix| platform.strip_suffix(suffix)).unwrap_or(platform)
}

/// What Android's files call a platform.
pub(super) fn abi(platform: &str) -> &'static str {
    match platform {
        "android-x86" => "android-i386",
        "android-aarch64" => "android-aarch64",
        _ => "android-arm",
    }
}
