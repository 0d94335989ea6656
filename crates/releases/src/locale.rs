//! Locales as the archive writes them.

use std::borrow::Cow;

/// Folder names that look like a language and are none.
const NO_LANGUAGES: [&str; 7] = ["xpi", "sdk", "src", "log", "test", "stub", "asan"];

/// The locale a folder or a part of a file name stands for, or `None` when it stands for none.
///
/// `multi`, or a language tag: two to four letters, then optionally a script (`Hant`), a region (`TW`, `419`) and
/// variants (`valencia`), as RFC 5646 writes them; `ja-JP-mac` is the archive's own. Case is kept as it is, only a
/// two-letter region is raised: `pt-br` is `pt-BR`. Private tags (`x-testing`) are none.
pub(crate) fn parse(text: &str) -> Option<Cow<'_, str>> {
    if text == "en-US" || text == "multi" {
        return Some(Cow::Borrowed(text));
    }
    let mut subtags = text.split('-');
    let language = subtags.next()?;
    if !is_language(language) {
        return None;
    }
    let mut raise = None;
    let mut position = language.len();
    for (index, subtag) in subtags.enumerate() {
        let start = position + 1;
        position = start + subtag.len();
        if index == 0 && subtag.len() == 2 && subtag.bytes().all(|byte| byte.is_ascii_lowercase()) {
            raise = Some(start..position);
        } else if index > 2 || !is_subtag(subtag) {
            return None;
        }
    }
    let Some(range) = raise else { return Some(Cow::Borrowed(text)) };
    let mut raised = text.to_owned();
    raised.get_mut(range)?.make_ascii_uppercase();
    Some(Cow::Owned(raised))
}

fn is_language(text: &str) -> bool {
    (2..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase()) && !NO_LANGUAGES.contains(&text)
}

/// A script, region or variant: two to eight letters or digits, of which a short one is a region in capitals, a
/// number, or the archive's `mac`.
fn is_subtag(text: &str) -> bool {
    match text.len() {
        2 => text.bytes().all(|byte| byte.is_ascii_uppercase()),
        3 => text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) || text == "mac",
        4..=8 => text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_of_the_archive_are_taken_as_they_are() {
        for locale in ["en-US", "multi", "fr", "fr-FR", "ast", "ja-JP-mac", "ja-JPM", "sr-Latn", "sr-Latn-RS", "pt-BR"]
        {
            assert_eq!(parse(locale).as_deref(), Some(locale));
        }
    }

    #[test]
    fn defect_09_regions_by_number_variants_and_scripts_are_locales_and_source_is_none() {
        for locale in ["es-419", "ca-valencia", "zh-Hant-TW"] {
            assert_eq!(parse(locale).as_deref(), Some(locale));
        }
        for no_locale in ["source", "xpi", "update", "x-testing", "zh%2dcn", "é", "", "-", "fr-", "EN", "en-US-a-b-c-d"]
        {
            assert_eq!(parse(no_locale), None, "{no_locale}");
        }
    }

    #[test]
    fn a_region_in_small_letters_is_raised() {
        assert_eq!(parse("pt-br").as_deref(), Some("pt-BR"));
        assert_eq!(parse("ja-jp-mac").as_deref(), Some("ja-JP-mac"));
    }
}
