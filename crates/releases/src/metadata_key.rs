//! Keys of the files that say more about builds.

use crate::archive::Archive;
use crate::classify::NotABuild;
use crate::layout::{self, Located, Place};
use crate::name::{self, Triple};
use crate::{Product, Products, cut, locale, platform};

/// How a metadata file is written, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `<name>.json`: what the build system knows of a build.
    Json,
    /// `<name>.txt`: build id and revision.
    Text,
    /// `buildhub.json` or `<name>.buildhub.json`: a whole record.
    Buildhub,
}

impl Form {
    /// The form of a file, `None` when its extension is none of metadata.
    pub fn of(key: &str) -> Option<Self> {
        // By the very end, as for archives: nearly all keys come here, and nearly none has one of these.
        match key.as_bytes() {
            [.., b'.', b't', b'x', b't'] => Some(Self::Text),
            [stem @ .., b'.', b'j', b's', b'o', b'n'] => Some(match stem {
                b"buildhub" | [.., b'/' | b'.', b'b', b'u', b'i', b'l', b'd', b'h', b'u', b'b'] => Self::Buildhub,
                _ => Self::Json,
            }),
            _ => None,
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Json => ".json",
            Self::Text => ".txt",
            Self::Buildhub => ".buildhub.json",
        }
    }
}

/// The key of a file that can be metadata of builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataKey<'a> {
    /// The key itself.
    pub key: &'a str,
    /// How the file is written.
    pub form: Form,
    /// The product of its builds.
    pub product: Product,
    /// Where it lies.
    pub place: Place<'a>,
    /// The version of its builds, without `rc<N>`.
    pub version: &'a str,
    /// The platform as folder or file name writes it: `mac`, `android-arm`.
    pub platform: &'a str,
    /// The locale of the build it lies beside; other locales of that build share it when it is `en-US` or `multi`.
    pub locale: &'a str,
}

impl MetadataKey<'_> {
    /// What a candidate's metadata teaches: product, version and the number of a build that exists.
    pub fn candidate_of(&self) -> Option<(Product, &str, u32)> {
        match self.place {
            Place::Candidate { build, .. } => Some((self.product, self.version, build)),
            _ => None,
        }
    }

    /// Whether an archive would look here. A release does once `highest_build` is known to it.
    pub fn describes(&self, archive: &Archive<'_>, highest_build: Option<u32>) -> bool {
        archive.metadata_keys(highest_build).iter().any(|key| key == self.key)
    }

    /// The folders that hold the archives this file describes, each with its trailing slash.
    ///
    /// A nightly's: its own folder and the one of localised builds beside it (`-l10n`). For a candidate or a release:
    /// the platform's folder, below which each locale has a folder of its own; for Focus and Fenix the build's own.
    pub fn folders(&self) -> Vec<String> {
        let own = self.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        match self.place {
            Place::Nightly { level, .. } => {
                let folder = match level {
                    Some(level) => own.strip_suffix(level).unwrap_or(own).trim_end_matches('/'),
                    None => own,
                };
                let localized = folder.strip_suffix("-l10n").unwrap_or(folder);
                let mut folders = vec![format!("{own}/"), format!("{localized}-l10n/")];
                if level.is_some() {
                    folders.push(format!("{folder}/"));
                }
                folders
            }
            Place::Candidate { .. } | Place::Release { .. } => {
                let (platforms, last) = own.rsplit_once('/').unwrap_or((own, own));
                let is_own = layout::platform_of_own_folder(self.product, self.version, last).is_some();
                vec![format!("{}/", if is_own { own } else { platforms })]
            }
        }
    }
}

/// Where archives lie that a metadata file describes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach<'a> {
    /// Below this folder (it ends in `/`).
    Below(String),
    /// Below those folders of `parent` that are the platform's or of a repack of it, and right in `parent`, where the
    /// oldest releases lie.
    Platforms {
        /// The folder that holds one folder per platform; ends in `/`.
        parent: String,
        /// The platform, as folders write it.
        platform: &'a str,
    },
}

impl Reach<'_> {
    /// Whether a folder of the parent, by its name, is the platform's or of a repack of it.
    pub fn includes(&self, name: &str) -> bool {
        match self {
            Self::Below(_) => true,
            Self::Platforms { platform, .. } => name == *platform || platform::plain(name) == *platform,
        }
    }
}

impl MetadataKey<'_> {
    /// Where the archives lie that this file may describe: for a nightly's its folder and the localised one beside it,
    /// for that of an `en-US` build the platform's folders, for any other the build's own folder.
    pub fn reach(&self) -> Vec<Reach<'_>> {
        let own = self.key.rsplit_once('/').map_or("", |(folder, _)| folder);
        if let Place::Nightly { level, .. } = self.place {
            let below = level.and_then(|level| own.strip_suffix(level)).unwrap_or(own);
            let base = below.trim_end_matches('/').trim_end_matches("-l10n");
            return vec![Reach::Below(format!("{base}/")), Reach::Below(format!("{base}-l10n/"))];
        }
        let parent = own.rsplit_once('/').and_then(|(platforms, _)| platforms.rsplit_once('/'));
        match parent {
            Some((parent, _)) if self.locale == "en-US" && !self.product.is_android_only() => {
                vec![Reach::Platforms { parent: format!("{parent}/"), platform: self.platform }]
            }
            _ => vec![Reach::Below(format!("{own}/"))],
        }
    }

    /// Where the releases lie that a candidate's metadata describes once its build is the highest of its version; `None`
    /// for what is no candidate's, or never serves a release.
    pub fn release_reach(&self) -> Option<Reach<'_>> {
        let Place::Candidate { funnelcake, .. } = self.place else { return None };
        if self.locale != "en-US" || self.product.is_android_only() {
            return None;
        }
        let (level, slash) = funnelcake.map_or(("", ""), |level| (level, "/"));
        let parent = format!("pub/{}/releases/{}/{level}{slash}", self.product.folder(), self.version);
        Some(Reach::Platforms { parent, platform: self.platform })
    }

    /// The folder whose listing names the candidates of this version (`build1/`, `build2/`, …): the highest of them is
    /// the one whose metadata serves the release. `None` for nightlies.
    pub fn candidates_folder(&self) -> Option<String> {
        match self.place {
            Place::Nightly { .. } => None,
            Place::Candidate { .. } | Place::Release { .. } => {
                Some(format!("pub/{}/candidates/{}-candidates/", self.product.folder(), self.version))
            }
        }
    }
}

/// Reads a key whose extension is one of metadata. Allocates nothing.
pub(crate) fn read(key: &str, form: Form, products: Products) -> Result<MetadataKey<'_>, NotABuild> {
    let located = layout::locate(key, products)?;
    let Triple { version, platform, locale } = described(key, &located, form).ok_or(NotABuild::OtherFile)?;
    if locale::parse(locale).is_none() {
        return Err(NotABuild::BadLocale);
    }
    layout::check_version(version)?;
    Ok(MetadataKey { key, form, product: located.product, place: located.place, version, platform, locale })
}

fn described<'a>(key: &'a str, located: &Located<'a>, form: Form) -> Option<Triple<'a>> {
    match located.place {
        Place::Nightly { .. } => nightly(located, form),
        Place::Candidate { .. } => candidate(key, located, form),
        Place::Release { .. } => bare(key, located, form),
    }
}

/// A nightly's lies beside the en-US (or multi-locale) build and has its full name.
fn nightly<'a>(located: &Located<'a>, form: Form) -> Option<Triple<'a>> {
    let triple = named(located, form)?;
    (triple.locale == "en-US" || triple.locale == "multi").then_some(triple)
}

/// A candidate's is `<product>-<version>.json`, the same with locale and platform, or `buildhub.json`.
fn candidate<'a>(key: &'a str, located: &Located<'a>, form: Form) -> Option<Triple<'a>> {
    if let Some(triple) = bare(key, located, form) {
        return Some(triple);
    }
    if form == Form::Text {
        return None;
    }
    if located.platform.is_none() {
        return named(located, form);
    }
    let (version, platform, locale) = (located.version?, located.platform?, located.locale?);
    if locale != "en-US" && locale != "multi" {
        return None;
    }
    let rest = named_after(located, form)?;
    let named_by_locale = || name::triple(rest).is_some_and(|triple| triple.locale == locale);
    (rest == version || named_by_locale()).then_some(Triple { version, locale, platform })
}

/// `buildhub.json`, the folders saying what it describes. Where there is none for the locale, the build is for many.
fn bare<'a>(key: &'a str, located: &Located<'a>, form: Form) -> Option<Triple<'a>> {
    if form != Form::Buildhub || located.file != "buildhub.json" {
        return None;
    }
    let version = located.version?;
    if let (Some(platform), Some(locale)) = (located.platform, located.locale) {
        return Some(Triple { version, locale, platform });
    }
    let folder = cut::last(key, b'/').and_then(|(own, _)| cut::last(own, b'/'))?.1;
    let platform = layout::platform_of_own_folder(located.product, version, folder)?;
    Some(Triple { version, locale: "multi", platform })
}

/// `<product>-<version>.<locale>.<platform><suffix>`
fn named<'a>(located: &Located<'a>, form: Form) -> Option<Triple<'a>> {
    let triple = name::triple(named_after(located, form)?)?;
    let excluded = triple.platform.ends_with("_info") || triple.platform.contains("asan");
    (!excluded && platform::is_platform(triple.platform)).then_some(triple)
}

/// What stands between `<product>-` and the suffix.
fn named_after<'a>(located: &Located<'a>, form: Form) -> Option<&'a str> {
    let stem = located.file.strip_suffix(form.suffix())?;
    stem.strip_prefix(located.product.file_prefix())?.strip_prefix('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_said_by_the_end_of_the_name() {
        for (key, form) in [
            ("buildhub.json", Form::Buildhub),
            ("a/buildhub.json", Form::Buildhub),
            ("a/firefox-60.0.buildhub.json", Form::Buildhub),
            ("a/mybuildhub.json", Form::Json),
            ("a/buildhub/b.json", Form::Json),
            (".json", Form::Json),
            ("a/b.txt", Form::Text),
            ("a/buildhub.txt", Form::Text),
        ] {
            assert_eq!(Form::of(key), Some(form), "{key}");
        }
        for key in ["", "json", "a.json.asc", "a_json", "a.jsonx", "a/txt", "a.JSON"] {
            assert_eq!(Form::of(key), None, "{key}");
        }
    }
}
