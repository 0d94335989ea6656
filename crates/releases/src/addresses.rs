//! Where the metadata of an archive can lie.

use crate::archive::Archive;
use crate::layout::Place;
use crate::{Product, layout, platform};

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
        // The name of the build of one locale, in the folder of those that are not localised.
        let beside = |level: &str, locale: &str, suffix: &str| {
            let platform = self.file_platform.unwrap_or(self.raw_platform);
            [parent, base, "/", level, self.prefix(), "-", self.version, ".", locale, ".", platform, suffix].concat()
        };
        // Builds whose metadata the localised ones share, by locale; a build of many locales before a single one.
        let locales: &[&str] = match self.product {
            Product::Fennec => &["multi", "en-US"],
            Product::Focus | Product::Fenix => &["multi"],
            _ => &["en-US"],
        };
        let forms = forms_of_year(folder);
        let in_level = level.map(|level| if level == "en-US" { ("en-US/", "en-US") } else { ("multi/", "multi") });
        let in_level = in_level.map(|(folder, locale)| beside(folder, locale, ".json"));
        let in_base = forms.iter().flat_map(|form| locales.iter().map(|locale| beside("", locale, form)));
        in_level.into_iter().chain(in_base).take(4).collect()
    }

    fn candidate_keys(&self, build: u32) -> Vec<String> {
        let Some(folder) = self.folder() else { return Vec::new() };
        let mut keys = Vec::with_capacity(4);
        if let Some(platforms) = self.platforms_folder() {
            let folder = self.candidate_folder(build);
            // A repack that keeps metadata of its own is rare; the plain platform's is nearly always there.
            for platform in [platform::plain(self.raw_platform), self.raw_platform] {
                if keys.is_empty() || platform != platform::plain(platform) {
                    keys.push([&folder, platform, "/en-US/", &self.candidate_file("en-US")].concat());
                }
            }
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
        let has_own_folder = self.is_in_own_folder() || self.platforms_folder().is_some();
        let beside = self.folder().filter(|_| has_own_folder).map(|folder| format!("{folder}buildhub.json"));
        if let Some(beside) = beside.filter(|beside| !keys.contains(beside)) {
            keys.push(beside);
        }
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
                [self.prefix(), "-", self.version, ".", locale, ".", platform, ".json"].concat()
            }
            _ => [self.prefix(), "-", self.version, ".json"].concat(),
        }
    }

    fn prefix(&self) -> &'static str {
        self.product.file_prefix()
    }

    /// The folder of the archive, with its trailing slash.
    fn folder(&self) -> Option<&str> {
        self.key.strip_suffix(self.file)
    }

    /// Whether the build has a folder to itself, named after it, as those of Focus and Fenix do.
    fn is_in_own_folder(&self) -> bool {
        let folder = self.folder().and_then(|folder| folder.trim_end_matches('/').rsplit('/').next());
        folder.is_some_and(|name| layout::platform_of_own_folder(self.product, self.version, name).is_some())
    }

    /// The folder that holds one folder per platform; `None` where there is none.
    fn platforms_folder(&self) -> Option<&str> {
        let mut levels = self.folder()?.trim_end_matches('/').rsplitn(3, '/');
        let (_, platform, _) = (levels.next()?, levels.next()?, levels.next()?);
        // The folder `android` of Focus and Fenix holds builds for every architecture, one of which has that name too.
        if platform != self.raw_platform || self.product.is_android_only() && platform == "android" {
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

/// The forms that metadata of nightlies had in the year of a folder, the richest that is likely first.
fn forms_of_year(folder: &str) -> &'static [&'static str] {
    let year: u16 = folder.get(..4).and_then(|year| year.parse().ok()).unwrap_or_default();
    if year < FIRST_JSON_YEAR {
        &[".txt", ".json"]
    } else if year < FIRST_BUILDHUB_YEAR {
        &[".json", ".txt"]
    } else {
        &[".json", ".buildhub.json", ".txt"]
    }
}

#[cfg(test)]
mod tests {
    use crate::{Key, Product, classify};

    fn keys(key: &str, highest_build: Option<u32>) -> Vec<String> {
        match classify(key, Product::ALL.into_iter().collect()) {
            Key::Archive(archive) => archive.metadata_keys(highest_build),
            found => panic!("{key}: {found:?}"),
        }
    }

    #[test]
    fn a_nightly_has_its_metadata_beside_the_en_us_build() {
        let found = keys(
            "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central-l10n/firefox-65.0a1.az.win64.installer.exe",
            None,
        );
        let stem = "pub/firefox/nightly/2018/11/2018-11-10-19-37-05-mozilla-central/firefox-65.0a1.en-US.win64";
        assert_eq!(found, [format!("{stem}.json"), format!("{stem}.buildhub.json"), format!("{stem}.txt")]);
    }

    #[test]
    fn the_first_nightlies_have_text_before_json() {
        let stem = "pub/firefox/nightly/2010/07/2010-07-04-05-mozilla-central/firefox-4.0b2pre.en-US.linux-i686";
        assert_eq!(keys(&format!("{stem}.tar.bz2"), None), [format!("{stem}.txt"), format!("{stem}.json")]);
    }

    #[test]
    fn a_nightly_of_fennec_shares_that_of_the_build_with_many_locales() {
        let folder = "pub/mobile/nightly/2017/08/2017-08-09-10-03-39-mozilla-central-android-api-15";
        let found = keys(&format!("{folder}-l10n/fennec-57.0a1.fr.android-arm.apk"), None);
        assert_eq!(found[0], format!("{folder}/fennec-57.0a1.multi.android-arm.json"));
        assert_eq!(found[1], format!("{folder}/fennec-57.0a1.en-US.android-arm.json"));

        let old = "pub/mobile/nightly/2010/09/2010-09-01-03-mozilla-central-maemo5-gtk/fennec-4.0b1pre";
        let found = keys(&format!("{old}.multi.maemo5-gtk.tar.bz2"), None);
        let expected =
            ["multi.maemo5-gtk.txt", "en-US.maemo5-gtk.txt", "multi.maemo5-gtk.json", "en-US.maemo5-gtk.json"];
        assert_eq!(found, expected.map(|end| format!("{old}.{end}")));

        let below = keys(&format!("{folder}/en-US/fennec-57.0a1.en-US.android-arm.apk"), None);
        assert_eq!(below[0], format!("{folder}/en-US/fennec-57.0a1.en-US.android-arm.json"));
    }

    #[test]
    fn a_candidate_has_its_metadata_in_the_en_us_folder() {
        let folder = "pub/firefox/candidates/49.0.1-candidates/build3/funnelcake90/win32";
        let found = keys(&format!("{folder}/fr/Firefox Setup 49.0.1.exe"), None);
        assert_eq!(found, [format!("{folder}/en-US/firefox-49.0.1.json")]);

        let folder = "pub/mobile/candidates/64.0-candidates/build1/android-api-16";
        let found = keys(&format!("{folder}/multi/fennec-64.0.multi.android-arm.apk"), None);
        let expected = [
            "en-US/fennec-64.0.en-US.android-arm.json",
            "multi/fennec-64.0.multi.android-arm.json",
            "en-US/buildhub.json",
            "multi/buildhub.json",
        ];
        assert_eq!(found, expected.map(|name| format!("{folder}/{name}")));
    }

    #[test]
    fn a_repack_asks_for_the_metadata_of_the_plain_build_first() {
        let folder = "pub/firefox/candidates/51.0-candidates/build1";
        let found = keys(&format!("{folder}/linux-x86_64-EME-free/zh-TW/firefox-51.0.tar.bz2"), None);
        let expected = ["linux-x86_64", "linux-x86_64-EME-free"];
        assert_eq!(found, expected.map(|platform| format!("{folder}/{platform}/en-US/firefox-51.0.json")));

        let release = keys("pub/firefox/releases/51.0/win32-sha1/fr/Firefox Setup 51.0.exe", Some(2));
        assert_eq!(release, ["pub/firefox/candidates/51.0-candidates/build2/win32/en-US/firefox-51.0.json"]);
    }

    #[test]
    fn a_release_has_its_metadata_with_the_highest_candidate() {
        let release = "pub/firefox/releases/64.0/mac/fr/Firefox 64.0.dmg";
        let candidate = "pub/firefox/candidates/64.0-candidates/build12/mac/en-US";
        let own = "pub/firefox/releases/64.0/mac";
        let beside = [format!("{own}/en-US/buildhub.json"), format!("{own}/fr/buildhub.json")];
        assert_eq!(keys(release, None), beside);
        let [en_us, fr] = beside;
        let with = [format!("{candidate}/firefox-64.0.json"), format!("{candidate}/buildhub.json"), en_us, fr];
        assert_eq!(keys(release, Some(12)), with);
    }

    #[test]
    fn a_flat_release_finds_its_candidate_by_the_platform_in_its_name() {
        let release = "pub/firefox/releases/3.0/firefox-3.0.fr.linux-i686.tar.gz";
        let expected = "pub/firefox/candidates/3.0-candidates/build3/linux-i686/en-US/firefox-3.0.json";
        assert_eq!(keys(release, Some(3)), [expected]);
        assert!(keys(release, None).is_empty());
    }

    #[test]
    fn fenix_has_its_metadata_in_its_own_folder() {
        let folder = "pub/fenix/candidates/142.0-candidates/build1/android/fenix-142.0-android-x86";
        let found = keys(&format!("{folder}/fenix-142.0.multi.android-x86.apk"), None);
        assert_eq!(
            found,
            ["fenix-142.0.multi.android-x86.json", "buildhub.json"].map(|name| format!("{folder}/{name}"))
        );

        let folder = "pub/fenix/releases/107.0b6/android/fenix-107.0b6-android";
        let found = keys(&format!("{folder}/fenix-107.0b6.multi.android.aab"), Some(1));
        assert_eq!(found, [format!("{folder}/buildhub.json")]);
        let flat = keys("pub/fenix/releases/142.0/fenix-142.0.multi.android-x86.apk", Some(1));
        assert!(flat.is_empty(), "{flat:?}");
    }
}
