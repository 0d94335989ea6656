//! The names of files.

use crate::Product;
use crate::{cut, layout, platform, words};

/// `<version>.<locale>.<platform>`, what a name that stands alone says of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Triple<'a> {
    pub(crate) version: &'a str,
    pub(crate) locale: &'a str,
    pub(crate) platform: &'a str,
}

/// What an archive's name can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name<'a> {
    /// `firefox-65.0a1.en-US.win32`
    Full(Triple<'a>),
    /// `firefox-60.0`, `Firefox Setup 60.0`, `Firefox Installer`: the folders say the rest.
    Short,
}

/// Reads the name of an archive without its extension; `None` when it is not named after the product.
pub(crate) fn archive(product: Product, stem: &str) -> Option<Name<'_>> {
    let prefix = product.file_prefix();
    let (start, rest) = stem.split_at_checked(prefix.len())?;
    if !start.eq_ignore_ascii_case(prefix) {
        return None;
    }
    if let Some(rest) = rest.strip_prefix('-') {
        return dashed(rest);
    }
    spaced(rest.strip_prefix(' ')?).then_some(Name::Short)
}

/// What follows `firefox-`: a triple, or a version and nothing else.
fn dashed(rest: &str) -> Option<Name<'_>> {
    let rest = rest.strip_suffix(".installer").unwrap_or(rest);
    if let Some(triple) = triple(rest) {
        let is_plain = platform::is_common(triple.platform) || !words::excludes_file(triple.platform);
        return is_plain.then_some(Name::Full(triple));
    }
    let is_version = layout::is_version(rest) && rest.split('.').all(starts_with_digit);
    (is_version && !words::excludes_file(rest)).then_some(Name::Short)
}

/// What follows `Firefox `: `Installer`, or words (`Setup`) and a version.
fn spaced(rest: &str) -> bool {
    let rest = rest.trim_start_matches(' ');
    if rest == "Installer" {
        return true;
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b'-');
    starts_with_digit(rest.trim_start_matches(|c: char| c.is_ascii_alphabetic() || c == ' '))
        && rest.bytes().all(is_plain)
        && !words::excludes_file(rest)
}

fn starts_with_digit(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
}

/// Splits `<version>.<locale>.<platform>`. Locale and version are only cut, not judged.
pub(crate) fn triple(text: &str) -> Option<Triple<'_>> {
    let (rest, platform) = cut::last(text, b'.')?;
    if !platform::is_common(platform) && !platform::is_platform(platform) {
        return None;
    }
    let (version, locale) = cut::last(rest, b'.')?;
    layout::is_version(version).then_some(Triple { version, locale, platform })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_is_taken_apart_from_its_end() {
        let expected = Triple { version: "56.0a1", locale: "ja-JP-mac", platform: "win64-x86_64" };
        assert_eq!(archive(Product::Firefox, "firefox-56.0a1.ja-JP-mac.win64-x86_64"), Some(Name::Full(expected)));
        assert_eq!(
            archive(Product::Firefox, "firefox-56.0a1.ja-JP-mac.win64-x86_64.installer"),
            Some(Name::Full(expected))
        );
    }

    #[test]
    fn short_names_are_known() {
        for stem in [
            "firefox-60.0",
            "firefox-3.0.19-real-real",
            "Firefox 60.0",
            "Firefox  Setup 3.6 Beta 1",
            "Firefox Installer",
        ] {
            assert_eq!(archive(Product::Firefox, stem), Some(Name::Short), "{stem}");
        }
        assert_eq!(archive(Product::Devedition, "Firefox Setup 54.0b12"), Some(Name::Short));
    }

    #[test]
    fn what_is_not_named_after_the_product_and_a_version_is_none() {
        for stem in [
            "jsshell-win32",
            "starfox-60.0",
            "firefox-60.0.generated-files",
            "Firefox Installer.fr",
            "firefox",
            "firefox-",
            "é",
        ] {
            assert_eq!(archive(Product::Firefox, stem), None, "{stem}");
        }
    }
}
