//! Where the metadata of an archive can lie.

use crate::archive::Archive;
use crate::layout::Place;
use crate::{Product, platform};

/// The first year whose nightlies have JSON beside them more often than not.
const FIRST_JSON_YEAR: u16 = 2011;
/// The year in which builds began to write `buildhub.json`.
const FIRST_BUILDHUB_YEAR: u16 = 2018;
/// The version at which they did.
const FIRST_BUILDHUB_VERSION: u32 = 60;

impl Archive<'_> {
    /// The keys at which the metadata of this archive can lie, the most likely and richest first, at most four.
    ///
    /// Localised builds share the metadata of the en-US build (for Fennec's nightlies, of the multi-locale one), so the
    /// same few keys come up again and again: fetch each once.
    ///
    /// A release's lies with its highest candidate. While that is not known (`highest_build` is `None`), only places
    /// that do without it are given; see [`release_of`](Self::release_of) and
    /// [`candidates_folder`](Self::candidates_folder). For other archives `highest_build` plays no part.
    pub fn metadata_keys(&self, highest_build: Option<u32>) -> Vec<String> {
        let mut keys = match self.place {
            Place::Nightly { folder, level, .. } => self.nightly_keys(folder, level),
            Place::Candidate { build, .. } => self.candidate_keys(build),
            Place::Release { .. } => self.release_keys(highest_build),
        };
        keys.dedup();
        keys.truncate(4);
        keys
    }

    /// For a release, the folder whose listing names the candidates of its version (`build1/`, `build2/`, …).
    pub fn candidates_folder(&self) -> Option<String> {
        let (product, version) = self.release_of()?;
        Some(format!("pub/{}/candidates/{version}-candidates/", product.folder()))
    }

    fn nightly_keys(&self, folder: &str, level: Option<&str>) -> Vec<String> {
        let Some((parent, _)) = self.key.split_once(folder) else { return Vec::new() };
        let base = folder.strip_suffix("-l10n").unwrap_or(folder);
        let stem = |locale: &str| {
            let platform = self.file_platform.unwrap_or(self.raw_platform);
            format!("{}-{}.{locale}.{platform}", self.product.file_prefix(), self.version)
        };
        let shared = match self.product {
            Product::Fennec | Product::Focus | Product::Fenix => "multi",
            _ => "en-US",
        };
        let path = format!("{parent}{base}/{}", stem(shared));
        let json = format!("{path}.json");
        if let Some(level) = level {
            return vec![format!("{parent}{base}/{level}/{}.json", stem(level)), json];
        }
        let year: u16 = folder.get(..4).and_then(|year| year.parse().ok()).unwrap_or_default();
        let text = format!("{path}.txt");
        let mut keys = if year < FIRST_JSON_YEAR {
            vec![text, json]
        } else if year < FIRST_BUILDHUB_YEAR {
            vec![json, text]
        } else {
            vec![json, format!("{path}.buildhub.json"), text]
        };
        if self.product == Product::Fennec {
            keys.insert(1, format!("{parent}{base}/{}.json", stem("en-US")));
        }
        keys
    }

    fn candidate_keys(&self, build: u32) -> Vec<String> {
        let Some(folder) = self.folder() else { return Vec::new() };
        let mut keys = Vec::with_capacity(4);
        if let Some(platforms) = self.platforms_folder() {
            let folder = self.candidate_folder(build);
            // A repack that keeps metadata of its own is rare; the plain platform's is nearly always there.
            for platform in [platform::plain(self.raw_platform), self.raw_platform] {
                keys.push(format!("{folder}{platform}/en-US/{}", self.candidate_file("en-US")));
            }
            keys.dedup();
            if self.locale == "multi" && self.file_platform.is_some() {
                keys.push(format!("{platforms}{}/multi/{}", self.raw_platform, self.candidate_file("multi")));
            }
            if self.has_buildhub() {
                keys.push(format!("{folder}{}/en-US/buildhub.json", platform::plain(self.raw_platform)));
            }
        } else if let Some(platform) = self.file_platform {
            keys.push(format!("{folder}{}-{}.{}.{platform}.json", self.prefix(), self.version, self.locale));
        }
        if self.has_buildhub() {
            self.push_beside(&mut keys);
        }
        keys
    }

    fn release_keys(&self, highest_build: Option<u32>) -> Vec<String> {
        let mut keys = Vec::with_capacity(4);
        let platform = platform::plain(self.raw_platform);
        let android_only = self.product.is_android_only();
        if let Some(build) = highest_build.filter(|_| !android_only) {
            let folder = self.candidate_folder(build);
            keys.push(format!("{folder}{platform}/en-US/{}", self.candidate_file("en-US")));
            if self.has_buildhub() {
                keys.push(format!("{folder}{platform}/en-US/buildhub.json"));
            }
        }
        if self.has_buildhub() {
            if let Some(platforms) = self.platforms_folder() {
                keys.push(format!("{platforms}{platform}/en-US/buildhub.json"));
            }
            self.push_beside(&mut keys);
        }
        keys
    }

    /// `buildhub.json` in the archive's own folder, if it is not listed yet.
    fn push_beside(&self, keys: &mut Vec<String>) {
        // A file that lies flat beside those of other platforms cannot share one name with them.
        let has_own_folder = self.product.is_android_only() || self.platforms_folder().is_some();
        let beside = self.folder().filter(|_| has_own_folder).map(|folder| format!("{folder}buildhub.json"));
        keys.extend(beside.filter(|beside| !keys.contains(beside)).into_iter().collect::<Vec<_>>());
    }

    /// `pub/<product>/candidates/<version>-candidates/build<N>/[funnelcakeNN/]`
    fn candidate_folder(&self, build: u32) -> String {
        let funnelcake = match self.place {
            Place::Candidate { funnelcake, .. } | Place::Release { funnelcake } => funnelcake,
            Place::Nightly { .. } => None,
        };
        let (level, slash) = funnelcake.map_or(("", ""), |level| (level, "/"));
        let (product, version) = (self.product.folder(), self.version);
        format!("pub/{product}/candidates/{version}-candidates/build{build}/{level}{slash}")
    }

    /// `<product>-<version>.json`; Fennec's has locale and platform too.
    fn candidate_file(&self, locale: &str) -> String {
        match self.file_platform {
            Some(platform) if self.product == Product::Fennec => {
                format!("{}-{}.{locale}.{platform}.json", self.prefix(), self.version)
            }
            _ => format!("{}-{}.json", self.prefix(), self.version),
        }
    }

    fn prefix(&self) -> &'static str {
        self.product.file_prefix()
    }

    /// The folder of the archive, with its trailing slash.
    fn folder(&self) -> Option<&str> {
        self.key.strip_suffix(self.file)
    }

    /// The folder that holds one folder per platform; `None` where there is none.
    fn platforms_folder(&self) -> Option<&str> {
        let mut levels = self.folder()?.trim_end_matches('/').rsplitn(3, '/');
        let (_, platform, _) = (levels.next()?, levels.next()?, levels.next()?);
        if platform != self.raw_platform {
            return None;
        }
        let own = self.folder()?.len();
        let below = self.folder()?.trim_end_matches('/').rsplit('/').next()?.len() + platform.len() + 2;
        self.key.get(..own - below)
    }

    fn has_buildhub(&self) -> bool {
        let major = self.version.split(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
        major.is_some_and(|major: u32| major >= FIRST_BUILDHUB_VERSION)
    }
}
