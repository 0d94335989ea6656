//! Where a store is, as settings write it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A place that holds objects: `s3://bucket/prefix`, or a folder's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder of the file system.
    Folder(PathBuf),
    /// A bucket, and the prefix below which the keys stand (empty, or ending in `/`).
    S3 {
        /// The bucket's name.
        bucket: String,
        /// Empty, or ending in `/`.
        prefix: String,
    },
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// An `s3://` without a bucket.
    #[error("it is s3://BUCKET or s3://BUCKET/PREFIX")]
    NoBucket,
    /// A scheme that is not known.
    #[error("it is a folder's path or s3://BUCKET/PREFIX")]
    UnknownScheme,
}

impl FromStr for Location {
    type Err = LocationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(rest) = text.strip_prefix("s3://") else {
            return if text.contains("://") {
                Err(LocationError::UnknownScheme)
            } else {
                Ok(Self::Folder(text.into()))
            };
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(LocationError::NoBucket);
        }
        let prefix = prefix.trim_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_people_write_them() {
        let s3 = |bucket: &str, prefix: &str| Location::S3 { bucket: bucket.into(), prefix: prefix.into() };
        assert_eq!("s3://b".parse(), Ok(s3("b", "")));
        assert_eq!("s3://b/a/c/".parse(), Ok(s3("b", "a/c/")));
        assert_eq!(".".parse(), Ok(Location::Folder(".".into())));
        assert_eq!("s3://".parse::<Location>(), Err(LocationError::NoBucket));
        assert_eq!("http://x".parse::<Location>(), Err(LocationError::UnknownScheme));
    }

    proptest::proptest! {
        #[test]
        fn a_place_written_out_is_the_same_place(text in "(s3://)?[a-z./-]{0,20}") {
            if let Ok(place) = text.parse::<Location>() {
                proptest::prop_assert_eq!(place.to_string().parse(), Ok(place));
            }
        }
    }
}
