//! Platforms and operating systems.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::layout;

/// The operating system of a build, `target.os`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Os {
    /// Linux.
    Linux,
    /// Windows.
    Win,
    /// macOS.
    Mac,
    /// Android, the early `eabi-*` builds included.
    Android,
    /// Nokia's Maemo.
    Maemo,
}

impl Os {
    /// The operating system of a platform, judged by how its name starts; `None` when it is no platform.
    ///
    /// ```
    /// use buildhub_releases::Os;
    /// assert_eq!(Os::of_platform("win64-aarch64"), Some(Os::Win));
    /// assert_eq!(Os::of_platform("eabi-arm"), Some(Os::Android));
    /// assert_eq!(Os::of_platform("darwin"), None);
    /// ```
    pub fn of_platform(platform: &str) -> Option<Self> {
        match platform.as_bytes() {
            [b'l', b'i', b'n', b'u', b'x', ..] => Some(Self::Linux),
            [b'w', b'i', b'n', ..] => Some(Self::Win),
            [b'm', b'a', b'c', ..] => Some(Self::Mac),
            [b'm', b'a', b'e', b'm', b'o', ..] => Some(Self::Maemo),
            [b'a', b'n', b'd', b'r', b'o', b'i', b'd', ..] | [b'e', b'a', b'b', b'i', ..] => Some(Self::Android),
            _ => None,
        }
    }

    /// The name in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Win => "win",
            Self::Mac => "mac",
            Self::Android => "android",
            Self::Maemo => "maemo",
        }
    }
}

/// Whether a folder or a part of a file name is a platform that the schema allows: a known start, then letters,
/// digits, `_` and `-` only.
pub(crate) fn is_platform(text: &str) -> bool {
    Os::of_platform(text).is_some()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether a text is one of the platforms that nearly all builds are for: a shortcut past the search for words in it.
pub(crate) fn is_common(text: &str) -> bool {
    matches!(text, "linux-i686" | "linux-x86_64" | "mac" | "win32" | "win64")
}

/// The platform as records have it: `mac` is `macosx`, capitals become small (`win32-EME-free`).
pub(crate) fn normalize(raw: &str) -> Cow<'_, str> {
    if raw == "mac" {
        return Cow::Borrowed("macosx");
    }
    if let Some(rest) = raw.strip_prefix("mac-") {
        return Cow::Owned(format!("macosx-{}", rest.to_ascii_lowercase()));
    }
    if raw.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(raw.to_ascii_lowercase());
    }
    Cow::Borrowed(raw)
}

/// The platform whose metadata serves a variant that has none of its own: `-EME-free` and `-sha1` builds are the
/// plain ones, repacked.
pub(crate) fn plain(raw: &str) -> &str {
    ["-EME-free", "-sha1"].into_iter().find_map(|suffix| raw.strip_suffix(suffix)).unwrap_or(raw)
}

/// The `android-api-NN` that the branch of a nightly's folder carries.
pub(crate) fn android_api(branch: &str) -> Option<&str> {
    if layout::is_plain_branch(branch) {
        return None;
    }
    let start = branch.find("android-api-")?;
    let rest = branch.get(start..)?;
    let digits = rest.get("android-api-".len()..)?;
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 { None } else { rest.get(.."android-api-".len() + length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_10_win_does_not_match_darwin() {
        assert_eq!(Os::of_platform("darwin"), None);
        assert!(!is_platform("solaris-sparc"));
    }

    #[test]
    fn platforms_are_written_as_records_have_them() {
        for (raw, normal) in [
            ("mac", "macosx"),
            ("mac-EME-free", "macosx-eme-free"),
            ("macosx", "macosx"),
            ("win32-EUballot", "win32-euballot"),
            ("linux-x86_64", "linux-x86_64"),
        ] {
            assert_eq!(normalize(raw), normal);
        }
    }

    #[test]
    fn the_android_api_is_read_from_the_folder() {
        assert_eq!(android_api("2018-mozilla-central-android-api-15-old-id-l10n"), Some("android-api-15"));
        assert_eq!(android_api("mozilla-central-android-api-"), None);
        assert_eq!(android_api("mozilla-central-android-x86"), None);
    }
}
