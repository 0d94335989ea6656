//! From a key to what it is.

use crate::archive::Archive;
use crate::extension::Extension;
use crate::layout::{self, Located, Place};
use crate::metadata_key::{self, Form, MetadataKey};
use crate::name::{self, Name};
use crate::{Os, Products, locale, platform};

/// What a key of the archive is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key<'a> {
    /// An archive of a build: it becomes a record.
    Archive(Archive<'a>),
    /// A file that says more about builds.
    Metadata(MetadataKey<'a>),
    /// Anything else, with the reason.
    Other(NotABuild),
}

/// Why a key is no build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NotABuild {
    /// It does not start with `pub/`.
    OtherPrefix,
    /// Its product is none of those asked for.
    OtherProduct,
    /// Its extension is none of an archive.
    OtherFile,
    /// It lies where no builds are: try builds, latest, contributed, experimental.
    ExcludedFolder,
    /// Its name says that it is something else: tests, symbols, sources, stubs, language packs.
    ExcludedName,
    /// A zip on Windows; the installer stands beside it.
    WindowsZip,
    /// A nightly of a branch other than mozilla-central and comm-central.
    OtherBranch,
    /// Its folders follow no layout known.
    UnknownLayout,
    /// Its platform is none known.
    BadPlatform,
    /// Its locale is none.
    BadLocale,
    /// Its version is none.
    BadVersion,
}

impl NotABuild {
    /// Every reason, in the order in which summaries list them.
    pub const ALL: [Self; 11] = [
        Self::OtherPrefix,
        Self::OtherProduct,
        Self::OtherFile,
        Self::ExcludedFolder,
        Self::ExcludedName,
        Self::WindowsZip,
        Self::OtherBranch,
        Self::UnknownLayout,
        Self::BadPlatform,
        Self::BadLocale,
        Self::BadVersion,
    ];

    /// The name of a counter for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OtherPrefix => "other_prefix",
            Self::OtherProduct => "other_product",
            Self::OtherFile => "other_file",
            Self::ExcludedFolder => "excluded_folder",
            Self::ExcludedName => "excluded_name",
            Self::WindowsZip => "windows_zip",
            Self::OtherBranch => "other_branch",
            Self::UnknownLayout => "unknown_layout",
            Self::BadPlatform => "bad_platform",
            Self::BadLocale => "bad_locale",
            Self::BadVersion => "bad_version",
        }
    }
}

/// Says what a key is. The key is text as S3 has it, already decoded: spaces are spaces.
///
/// Nothing is allocated to say that it is no build.
///
/// ```
/// use buildhub_releases::{Key, NotABuild, Products, classify};
/// let key = "pub/firefox/releases/50.0b11/mac/el/Firefox 50.0b11.dmg";
/// let Key::Archive(archive) = classify(key, Products::default()) else { panic!("not a build") };
/// assert_eq!(archive.id(), "firefox_beta_50-0b11_macosx_el");
///
/// let sums = "pub/firefox/releases/50.0b11/SHA256SUMS";
/// assert_eq!(classify(sums, Products::default()), Key::Other(NotABuild::OtherFile));
/// ```
pub fn classify(key: &str, products: Products) -> Key<'_> {
    if !key.starts_with("pub/") {
        return Key::Other(NotABuild::OtherPrefix);
    }
    let outcome = if let Some(extension) = Extension::of(key) {
        archive(key, extension, products).map(Key::Archive)
    } else if let Some(form) = Form::of(key) {
        metadata_key::read(key, form, products).map(Key::Metadata)
    } else {
        Err(NotABuild::OtherFile)
    };
    outcome.unwrap_or_else(Key::Other)
}

fn archive(key: &str, extension: Extension, products: Products) -> Result<Archive<'_>, NotABuild> {
    let located = layout::locate(key, products)?;
    let file = located.file;
    let stem = file.strip_suffix(extension.suffix()).unwrap_or(file);
    let name = name::archive(located.product, stem).ok_or(NotABuild::ExcludedName)?;
    let coordinates = Coordinates::of(&located, name)?;
    let file_platform = match name {
        Name::Full(triple) => Some(triple.platform),
        Name::Short => None,
    };
    let is_windows = |platform| Os::of_platform(platform) == Some(Os::Win);
    if extension == Extension::Zip && (is_windows(coordinates.platform) || file_platform.is_some_and(is_windows)) {
        return Err(NotABuild::WindowsZip);
    }
    let locale = locale::parse(coordinates.locale).ok_or(NotABuild::BadLocale)?;
    Ok(Archive {
        key,
        product: located.product,
        place: located.place,
        version: coordinates.version,
        platform: platform::normalize(coordinates.platform),
        locale,
        extension,
        file,
        raw_platform: coordinates.platform,
        file_platform,
    })
}

struct Coordinates<'a> {
    version: &'a str,
    platform: &'a str,
    locale: &'a str,
}

impl<'a> Coordinates<'a> {
    /// Folders first, the file's name for what they leave out.
    fn of(located: &Located<'a>, name: Name<'a>) -> Result<Self, NotABuild> {
        if let (Some(version), Some(platform), Some(locale)) = (located.version, located.platform, located.locale) {
            return Ok(Self { version, platform, locale });
        }
        let Name::Full(triple) = name else { return Err(NotABuild::UnknownLayout) };
        layout::check_version(triple.version)?;
        let platform = match located.place {
            Place::Nightly { branch, .. } => platform::android_api(branch).unwrap_or(triple.platform),
            _ => triple.platform,
        };
        Ok(Self { version: located.version.unwrap_or(triple.version), platform, locale: triple.locale })
    }
}
