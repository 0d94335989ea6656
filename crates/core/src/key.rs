//! Object keys, decoded at the door.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;

/// The key of an object as S3 has it: text, fully decoded.
///
/// Every source of keys has a rule for writing them; the constructor named after the source applies it, once. Past the
/// door nobody decodes. Nothing is allocated when there is nothing to decode.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey<'a>(Cow<'a, str>);

/// A key that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key {raw:?} is not UTF-8 once its percent-escapes are decoded")]
pub struct KeyError {
    /// The key as it came, before decoding.
    pub raw: String,
}

impl<'a> ObjectKey<'a> {
    /// A key as S3 has it: from `EventBridge`, a listing, or our own code.
    pub fn plain(key: impl Into<Cow<'a, str>>) -> Self {
        Self(key.into())
    }

    /// A form-encoded key, as CSV inventories and S3 notifications carry it: `+` is a space, `%XX` a byte
    /// (AWS, "Amazon S3 Inventory list": *object key names in CSV are URL-encoded*). A `%` that starts no escape
    /// stands for itself.
    pub fn form_encoded(raw: &'a str) -> Result<Self, KeyError> {
        let spaced: Cow<'a, str> =
            if raw.contains('+') { Cow::Owned(raw.replace('+', " ")) } else { Cow::Borrowed(raw) };
        if !spaced.contains('%') {
            return Ok(Self(spaced));
        }
        let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| KeyError { raw: raw.to_owned() })?;
        Ok(Self(Cow::Owned(decoded.into_owned())))
    }

    /// The key's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key with a life of its own.
    pub fn into_owned(self) -> ObjectKey<'static> {
        ObjectKey(Cow::Owned(self.0.into_owned()))
    }
}

impl AsRef<str> for ObjectKey<'_> {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ObjectKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(raw: &str) -> String {
        ObjectKey::form_encoded(raw).unwrap().to_string()
    }

    #[test]
    fn form_encoded_keys_are_decoded() {
        assert_eq!(form("win32/Firefox+Setup+60.0.exe"), "win32/Firefox Setup 60.0.exe");
        assert_eq!(form("win32/Firefox%20Setup%2060.0.exe"), "win32/Firefox Setup 60.0.exe");
        assert_eq!(form("a%2Bb%28c%29"), "a+b(c)");
        assert_eq!(form("caf%C3%A9/%E2%82%AC.zip"), "café/€.zip");
    }

    #[test]
    fn nothing_is_allocated_where_there_is_nothing_to_decode() {
        let key = ObjectKey::form_encoded("pub/firefox/a.zip").unwrap();
        assert!(matches!(key.0, Cow::Borrowed(_)));
    }

    #[test]
    fn a_percent_sign_that_starts_no_escape_stands_for_itself() {
        assert_eq!(form("100%.zip"), "100%.zip");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_with_the_key_as_it_came() {
        let error = ObjectKey::form_encoded("a%FFb").unwrap_err();
        assert_eq!(error.raw, "a%FFb");
    }
}
