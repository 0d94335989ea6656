//! Words that say that a file or a folder is no build.

/// Whether a folder's name, or several of them, has a word that no folder of builds has: places of experiments,
/// repacks, sources and tests. `test` covers `testing` and `latest`.
pub(crate) fn excludes_folder(text: &str) -> bool {
    has_any(text, |rest| match rest {
        [b'a', ..] => rest.starts_with(b"archived"),
        [b'c', ..] => rest.starts_with(b"contrib"),
        [b'd', ..] => rest.starts_with(b"debug") || rest.starts_with(b"dominspector"),
        [b'e', ..] => rest.starts_with(b"experimental"),
        [b'n', ..] => rest.starts_with(b"namoroka"),
        [b'p', ..] => rest.starts_with(b"partner-repacks"),
        [b's', ..] => rest.starts_with(b"sha1-installers") || rest.starts_with(b"stylo-bindings"),
        [b't', ..] => rest.starts_with(b"test") || rest.starts_with(b"tinderbox") || rest.starts_with(b"try-builds"),
        _ => false,
    })
}

/// Whether a file's name has a word that no archive of a build has, in capitals or not: development kits, tests,
/// symbols, stubs, sources, instrumented builds, language packs.
pub(crate) fn excludes_file(text: &str) -> bool {
    has_any(text, |rest| match rest {
        [b'a' | b'A', ..] => starts(rest, b"asan"),
        [b'c' | b'C', ..] => starts(rest, b"crashreporter"),
        [b'g' | b'G', ..] => starts(rest, b"gtk2+xft"),
        [b'l' | b'L', ..] => starts(rest, b"langpack"),
        [b's' | b'S', ..] => starts(rest, b"sdk") || starts(rest, b"stub") || starts(rest, b"source"),
        [b't' | b'T', ..] => starts(rest, b"tests"),
        [b'(' | b')', ..] => true,
        _ => false,
    })
}

fn has_any(text: &str, found_at: impl Fn(&[u8]) -> bool) -> bool {
    let mut rest = text.as_bytes();
    while let Some((_, after)) = rest.split_first() {
        if found_at(rest) {
            return true;
        }
        rest = after;
    }
    false
}

fn starts(rest: &[u8], word: &[u8]) -> bool {
    rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_no_builds_are_known_by_a_word() {
        for folder in
            ["latest-mozilla-central", "contrib-localized", "mozilla-central-debug", "x-testing", "win32/test"]
        {
            assert!(excludes_folder(folder), "{folder}");
        }
        for folder in ["mozilla-central-android-api-15-old-id-l10n", "win32-EME-free", "linux-x86_64/de", "60.0esr"] {
            assert!(!excludes_folder(folder), "{folder}");
        }
    }

    #[test]
    fn files_of_no_builds_are_known_by_a_word() {
        for file in ["firefox-60.0.sdk.tar.bz2", "Firefox Setup Stub 60.0.exe", "firefox.gtk2+xft.tar.gz", "a (1).exe"]
        {
            assert!(excludes_file(file), "{file}");
        }
        assert!(!excludes_file("firefox-60.0.en-US.linux-x86_64.tar.bz2"));
    }
}
