//! Addresses as people write them.

use std::fmt;
use std::path::PathBuf;

use buildhub_core::store::Location;
use buildhub_http::Url;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On the web.
    Web(Url),
    /// In a bucket.
    S3 {
        /// The bucket.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// On this machine.
    File(PathBuf),
}

/// What is no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address: {allowed}")]
pub struct AddressError {
    /// What was given; not repeated where it has a login.
    pub text: String,
    /// What may stand there.
    pub allowed: &'static str,
}

const ALLOWED: &str = "it is https://…, http://…, s3://BUCKET/KEY, or a path beside the definition without ..";

impl Address {
    /// Reads an address that stands in a file which lies in `beside`.
    pub fn read(text: &str, beside: &Location) -> Result<Self, AddressError> {
        let refuse = || AddressError { text: text.to_owned(), allowed: ALLOWED };
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, key) = rest.split_once('/').filter(|(bucket, _)| !bucket.is_empty()).ok_or_else(refuse)?;
            return Ok(Self::S3 { bucket: bucket.to_owned(), key: key.to_owned() });
        }
        if text.starts_with("https://") || text.starts_with("http://") {
            let url = Url::parse(text).map_err(|_| refuse())?;
            if !url.username().is_empty() || url.password().is_some() {
                let allowed = "an address with a login would be published; give the repository another way in";
                return Err(AddressError { text: "…".to_owned(), allowed });
            }
            if url.query().is_some() || url.fragment().is_some() {
                let allowed = "what stands behind ? or # may be a key, and would be published; give it without";
                return Err(AddressError { text: "…".to_owned(), allowed });
            }
            return Ok(Self::Web(url));
        }
        if text.is_empty() || text.contains("://") || text.split('/').any(|part| part == "..") {
            return Err(refuse());
        }
        match beside {
            Location::Folder(folder) => Ok(Self::File(folder.join(text))),
            // There is no machine whose files could be meant.
            Location::S3 { .. } if text.starts_with('/') => Err(refuse()),
            Location::S3 { bucket, prefix } => {
                Ok(Self::S3 { bucket: bucket.clone(), key: format!("{prefix}{}", text.trim_start_matches("./")) })
            }
        }
    }

    /// What lies below it by a relative path.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        match self {
            Self::Web(url) => {
                let mut url = url.clone();
                let base = url.path().trim_end_matches('/').to_owned();
                url.set_path(&format!("{base}/{path}"));
                Self::Web(url)
            }
            Self::S3 { bucket, key } => {
                let folder = key.trim_end_matches('/');
                let key = if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") };
                Self::S3 { bucket: bucket.clone(), key }
            }
            Self::File(folder) => Self::File(folder.join(path)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Web(url) => f.write_str(url.as_str()),
            Self::S3 { bucket, key } => write!(f, "s3://{bucket}/{key}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, beside: &str) -> Result<String, AddressError> {
        Address::read(text, &beside.parse().unwrap()).map(|address| address.to_string())
    }

    #[test]
    fn addresses_are_read_as_people_write_them() {
        assert_eq!(read("https://a.example/b/", ".").unwrap(), "https://a.example/b/");
        assert_eq!(read("s3://b/k/e.tar", "x").unwrap(), "s3://b/k/e.tar");
        assert_eq!(read("roots/a.tar", "definitions").unwrap(), "definitions/roots/a.tar");
        assert_eq!(read("./roots/a.tar", "s3://b/definitions").unwrap(), "s3://b/definitions/roots/a.tar");
        for (text, beside) in [("", "."), ("../a", "."), ("ftp://a/b", "."), ("s3:///k", "."), ("/etc", "s3://b")] {
            assert!(read(text, beside).is_err(), "{text}");
        }
        let error = read("https://me:hush@a.example/", ".").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hush"));
        let error = read("https://a.example/root.tar?X-Amz-Signature=hush", ".").unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains("hush") && error.to_string().contains("may be a key"),
            "{error}"
        );
    }

    #[test]
    fn what_lies_below_an_address_has_one_slash_before_it() {
        let below = |text: &str| Address::read(text, &".".parse().unwrap()).unwrap().join("a/b.rpm").to_string();
        assert_eq!(below("https://a.example/x/"), "https://a.example/x/a/b.rpm");
        assert_eq!(below("https://a.example"), "https://a.example/a/b.rpm");
        assert_eq!(below("s3://b/"), "s3://b/a/b.rpm");
        assert_eq!(below("s3://b/x"), "s3://b/x/a/b.rpm");
        assert_eq!(below("repo"), "./repo/a/b.rpm");
    }
}
