//! Where a document is: `s3://BUCKET/KEY`, an address, or a file.

use std::fmt;
use std::str::FromStr;

use buildhub_core::store::{Location, Stores};
use buildhub_http::{Http, Repeat, Request, Url};
use bytes::Bytes;

use super::ConfigError;

/// Where one document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a bucket or a folder.
    Stored {
        /// The bucket and the prefix, or the folder.
        location: Location,
        /// Its name there.
        name: String,
    },
    /// At an `http://` or `https://` address.
    Web(Url),
}

/// A text that names no place of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is s3://BUCKET/KEY, an https:// address without a password, or a file's path")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        if text.starts_with("http://") || text.starts_with("https://") {
            let url = Url::parse(text).map_err(|_| PlaceError)?;
            return if url.username().is_empty() && url.password().is_none() {
                Ok(Self::Web(url))
            } else {
                Err(PlaceError)
            };
        }
        let (folder, name) = text.rsplit_once('/').unwrap_or((".", text));
        let folder = if folder.is_empty() { "/" } else { folder };
        if name.is_empty() || folder == "s3:/" {
            return Err(PlaceError);
        }
        let location = folder.parse().map_err(|_| PlaceError)?;
        Ok(Self::Stored { location, name: name.to_owned() })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored { location: location @ Location::S3 { .. }, name } => write!(f, "{location}{name}"),
            Self::Stored { location: Location::Folder(folder), name } => write!(f, "{}", folder.join(name).display()),
            Self::Web(url) => url.fmt(f),
        }
    }
}

impl Place {
    /// Reads the document, of `limit` bytes at most.
    pub(super) async fn read(&self, stores: &Stores, http: &Http, limit: usize) -> Result<Bytes, ConfigError> {
        match self {
            Self::Stored { location, name } => {
                let object = stores.open(location).await.get(name).await?;
                Ok(object.bytes(name, limit).await?)
            }
            Self::Web(url) => Ok(http.fetch(&Request::get(url.clone()), Repeat::Safe, limit).await?.ok()?.body),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_in_a_bucket_on_the_web_or_in_a_file() {
        for text in
            ["s3://bucket/config/branches.json", "s3://bucket/b.json", "/etc/b.json", "https://site.example/b.json"]
        {
            assert_eq!(text.parse::<Place>().unwrap().to_string(), text);
        }
        assert_eq!("b.json".parse::<Place>().unwrap().to_string(), "./b.json");
        for wrong in ["", "s3://bucket", "s3://", "s3://bucket/", "https://user:secret@site.example/b.json", "folder/"]
        {
            assert_eq!(wrong.parse::<Place>(), Err(PlaceError), "{wrong}");
        }
    }
}
