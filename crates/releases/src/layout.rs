//! The folders of the archive: from a key to the place of a file.

use crate::classify::NotABuild;
use crate::{Product, Products, cut, platform, words};

/// Where a file of a build lies, with what its folder says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `nightly/YYYY/MM/<folder>/[en-US/ or multi/]`
    Nightly {
        /// The name of the build's folder: `2018-11-10-19-37-05-mozilla-central-l10n`.
        folder: &'a str,
        /// Its first six parts, which are the time in all but the oldest: `2018-11-10-19-37-05`, but also
        /// `2011-05-05-03-mozilla-central`. The id carries it, as the original Buildhub wrote it.
        stamp: &'a str,
        /// What follows the time: `mozilla-central-l10n`.
        branch: &'a str,
        /// The level below, where there is one: `en-US` or `multi`.
        level: Option<&'a str>,
    },
    /// `candidates/<version>-candidates/build<N>/[funnelcakeNN/]<platform>/<locale>/`
    Candidate {
        /// The number of the build: 12 in `build12`.
        build: u32,
        /// `funnelcakeNN`, a build for an experiment with distribution.
        funnelcake: Option<&'a str>,
    },
    /// `releases/<version>/[funnelcakeNN/]<platform>/<locale>/`, or without platform and locale folders.
    Release {
        /// As for candidates.
        funnelcake: Option<&'a str>,
    },
}

/// A key taken apart at its slashes, its folders understood.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located<'a> {
    pub(crate) product: Product,
    pub(crate) place: Place<'a>,
    /// Version, platform and locale by folders; where one is `None`, the file's name has it.
    pub(crate) version: Option<&'a str>,
    pub(crate) platform: Option<&'a str>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) file: &'a str,
}

/// Finds the place of a key that starts with `pub/`. Allocates nothing.
pub(crate) fn locate(key: &str, products: Products) -> Result<Located<'_>, NotABuild> {
    let rest = key.strip_prefix("pub/").ok_or(NotABuild::OtherPrefix)?;
    let (folder, rest) = cut::first(rest, b'/').ok_or(NotABuild::OtherProduct)?;
    let product =
        Product::of_folder(folder).filter(|product| products.contains(*product)).ok_or(NotABuild::OtherProduct)?;
    let (area, rest) = cut::first(rest, b'/').ok_or(NotABuild::UnknownLayout)?;
    match area {
        "nightly" => nightly(product, rest),
        "candidates" => candidate(product, rest),
        "releases" => release(product, rest),
        _ => Err(NotABuild::ExcludedFolder),
    }
}

fn nightly(product: Product, rest: &str) -> Result<Located<'_>, NotABuild> {
    let (year, rest) = cut::first(rest, b'/').unwrap_or((rest, ""));
    if !is_number(year, 4) {
        return Err(NotABuild::ExcludedFolder);
    }
    let (month, rest) = cut::first(rest, b'/').ok_or(NotABuild::UnknownLayout)?;
    if !is_number(month, 2) {
        return Err(NotABuild::UnknownLayout);
    }
    let (folder, rest) = cut::first(rest, b'/').ok_or(NotABuild::UnknownLayout)?;
    let (level, file) = match cut::first(rest, b'/') {
        None => (None, rest),
        Some((level @ ("en-US" | "multi"), file)) if !cut::has(file, b'/') => (Some(level), file),
        Some(_) => return Err(NotABuild::UnknownLayout),
    };
    let branch = branch(folder).ok_or(NotABuild::UnknownLayout)?;
    if !is_branch_of(product, branch) {
        return Err(NotABuild::OtherBranch);
    }
    if !is_plain_branch(branch) && words::excludes_folder(branch) {
        return Err(NotABuild::ExcludedFolder);
    }
    let stamp = stamp(folder);
    if cut::has(stamp, b'.') {
        return Err(NotABuild::UnknownLayout);
    }
    let place = Place::Nightly { folder, stamp, branch, level };
    Ok(Located { product, place, version: None, platform: None, locale: None, file })
}

/// What follows the time in the name of a nightly's folder. The time has three to six parts: `YYYY-MM-DD`, then
/// hours, minutes and seconds in all but the first years.
fn branch(folder: &str) -> Option<&str> {
    const WIDTHS: [usize; 6] = [4, 2, 2, 2, 2, 2];
    let mut rest = folder;
    for (index, width) in WIDTHS.into_iter().enumerate() {
        match cut::first(rest, b'-') {
            Some((part, after)) if is_number(part, width) => rest = after,
            _ if index < 3 => return None,
            _ => break,
        }
    }
    let plain = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    (plain && !rest.is_empty()).then_some(rest)
}

/// Whether a branch says nothing beyond the name of its repository and whether it is localised, as nearly all do: a
/// shortcut past the search for words in it.
pub(crate) fn is_plain_branch(branch: &str) -> bool {
    matches!(branch, "mozilla-central" | "mozilla-central-l10n" | "comm-central" | "comm-central-l10n")
}

fn is_branch_of(product: Product, branch: &str) -> bool {
    if product.is_android_only() {
        let version = branch.strip_prefix(product.file_prefix()).and_then(|rest| rest.strip_prefix('-'));
        return version.is_some_and(|rest| rest.contains("-android"));
    }
    is_plain_branch(branch) || branch.contains("mozilla-central") || branch.contains("comm-central")
}

/// The first six parts of a folder's name.
fn stamp(folder: &str) -> &str {
    let sixth_dash = memchr::memchr_iter(b'-', folder.as_bytes()).nth(5);
    sixth_dash.and_then(|end| folder.get(..end)).unwrap_or(folder)
}

fn candidate(product: Product, rest: &str) -> Result<Located<'_>, NotABuild> {
    let (folder, rest) = cut::first(rest, b'/').ok_or(NotABuild::UnknownLayout)?;
    let Some(version) = folder.strip_suffix("-candidates") else { return Err(NotABuild::ExcludedFolder) };
    check_version(version)?;
    let (build, rest) = cut::first(rest, b'/').ok_or(NotABuild::UnknownLayout)?;
    let build = build_number(build).ok_or(NotABuild::UnknownLayout)?;
    let (funnelcake, rest) = funnelcake(rest);
    let (platform, locale, file) = platform_and_locale(product, rest)?;
    let place = Place::Candidate { build, funnelcake };
    Ok(Located { product, place, version: Some(version), platform, locale, file })
}

/// The number of a candidate by the name of its folder, `build<N>`: all of it, as the archive writes it, without a sign
/// or a leading zero. `None` for any other folder.
///
/// For who lists the [folder of all candidates](crate::Archive::candidates_folder) of a version.
///
/// ```
/// use buildhub_releases::build_number;
/// assert_eq!(build_number("build12"), Some(12));
/// assert_eq!(build_number("build012"), None);
/// ```
pub fn build_number(folder: &str) -> Option<u32> {
    let digits = folder.strip_prefix("build")?;
    if digits.starts_with(['0', '+']) { None } else { digits.parse().ok() }
}

fn release(product: Product, rest: &str) -> Result<Located<'_>, NotABuild> {
    let place = Place::Release { funnelcake: None };
    let Some((version, rest)) = cut::first(rest, b'/') else {
        return Ok(Located { product, place, version: None, platform: None, locale: None, file: rest });
    };
    check_version(version)?;
    if !cut::has(rest, b'/') {
        return Ok(Located { product, place, version: Some(version), platform: None, locale: None, file: rest });
    }
    let (funnelcake, rest) = funnelcake(rest);
    let (platform, locale, file) = platform_and_locale(product, rest)?;
    let place = Place::Release { funnelcake };
    Ok(Located { product, place, version: Some(version), platform, locale, file })
}

fn funnelcake(rest: &str) -> (Option<&str>, &str) {
    match cut::first(rest, b'/') {
        Some((folder, after))
            if folder.strip_prefix("funnelcake").is_some_and(|number| is_number(number, number.len())) =>
        {
            (Some(folder), after)
        }
        _ => (None, rest),
    }
}

type Coordinates<'a> = (Option<&'a str>, Option<&'a str>, &'a str);

/// `<platform>/<locale>/<file>`, or for Focus and Fenix `android/<product>-<version>-android-<abi>/<file>`, where the
/// file's name has both.
fn platform_and_locale(product: Product, rest: &str) -> Result<Coordinates<'_>, NotABuild> {
    let parts = cut::first(rest, b'/').and_then(|(first, rest)| Some((first, cut::first(rest, b'/')?)));
    let Some((first, (second, file))) = parts.filter(|(_, (_, file))| !cut::has(file, b'/')) else {
        return Err(if words::excludes_folder(rest) { NotABuild::ExcludedFolder } else { NotABuild::UnknownLayout });
    };
    if !platform::is_common(first) {
        if words::excludes_folder(first) {
            return Err(NotABuild::ExcludedFolder);
        }
        if !platform::is_platform(first) {
            return Err(NotABuild::BadPlatform);
        }
    }
    if product.is_android_only() && first == "android" {
        return Ok((None, None, file));
    }
    Ok((Some(first), Some(second), file))
}

/// The platform in the name of the folder that a build of Focus or Fenix has to itself: `android-x86` in
/// `fenix-142.0-android-x86`.
pub(crate) fn platform_of_own_folder<'a>(product: Product, version: &str, folder: &'a str) -> Option<&'a str> {
    if !product.is_android_only() {
        return None;
    }
    let rest = folder.strip_prefix(product.file_prefix())?.strip_prefix('-')?;
    let platform = rest.strip_prefix(version)?.strip_prefix('-')?;
    platform::is_platform(platform).then_some(platform)
}

/// A version as a folder or a file's name may have it: a digit, then letters, digits, dots and dashes. Versions below
/// 1 (`0.*`) and the folder `1.0rc` hold no builds.
pub(crate) fn check_version(version: &str) -> Result<(), NotABuild> {
    if !is_version(version) {
        return Err(if words::excludes_folder(version) { NotABuild::ExcludedFolder } else { NotABuild::BadVersion });
    }
    if version.starts_with("0.") || version == "1.0rc" { Err(NotABuild::ExcludedFolder) } else { Ok(()) }
}

/// Whether a text is a plausible version.
pub(crate) fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.len() <= 64
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

fn is_number(text: &str, width: usize) -> bool {
    !text.is_empty() && text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_a_candidate_has_a_number_and_nothing_else() {
        assert_eq!(build_number("build1"), Some(1));
        assert_eq!(build_number("build12"), Some(12));
        assert_eq!(build_number("build4294967295"), Some(u32::MAX));
        for other in
            ["build", "build0", "build012", "build+3", "build-3", "build 3", "build3/", "build3a", "Build3", "3"]
        {
            assert_eq!(build_number(other), None, "{other}");
        }
        assert_eq!(build_number("build4294967296"), None);
    }
}
