//! What values may be, each by itself.

pub(crate) const WORD: &str = "it is a word of letters, digits, '.', '_' and '-' that begins with a letter or a digit";
pub(super) const ABSOLUTE: &str = "it is an absolute path without . and ..";

/// Whether a text is 64 hexadecimal digits, lower case.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text may stand in an object's key, and is neither `-` nor hidden.
pub(crate) fn is_word(text: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= 100 && text.bytes().all(is_of) && text.starts_with(|first: char| first.is_ascii_alphanumeric())
}

/// Whether a text may be a package's name.
pub(crate) fn is_package(text: &str) -> bool {
    let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+~^".contains(&byte);
    !text.is_empty() && text.bytes().all(is_of)
}

/// Whether a path is absolute, and means one place only.
pub(crate) fn is_absolute(path: &str) -> bool {
    let parts = || path.trim_end_matches('/').split('/').skip(1);
    path == "/"
        || path.starts_with('/')
            && !path.contains(['\0', '\n'])
            && parts().all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Whether a text may stand between the colons of `etc/passwd`.
pub(crate) fn is_one_field(text: &str) -> bool {
    !text.contains(':')
}

/// Whether a text is one line.
pub(crate) fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r', '\0'])
}
