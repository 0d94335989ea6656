//! An archive read over the web: files, and JSON listings of folders.

use async_trait::async_trait;
use buildhub_http::{Answer, Http, HttpError, Repeat, Request, StatusCode, header};
use bytes::Bytes;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use url::Url;

use super::{Archive, ArchiveError, FileFacts, Folder, MAX_FILE};

/// What stands for itself in a path: unreserved characters (RFC 3986 §2.3) and the slashes between segments.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A site such as `https://archive.mozilla.org/`.
#[derive(Debug, Clone)]
pub struct SiteArchive {
    http: Http,
    base: Url,
}

/// A folder as the site lists it: `{"prefixes": ["x/"], "files": [{"name", "size", "last_modified"}]}`.
#[derive(Deserialize)]
struct Listing {
    prefixes: Vec<String>,
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    name: String,
    size: u64,
    last_modified: Timestamp,
}

impl SiteArchive {
    /// The archive below `base`, whose path ends in `/`.
    pub fn new(http: Http, base: Url) -> Self {
        Self { http, base }
    }

    fn address(&self, key: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{}", self.base.path(), utf8_percent_encode(key, PATH)));
        url
    }

    /// The answer, or `None` where the site says that there is nothing.
    async fn ask(&self, operation: &'static str, request: Request) -> Result<Option<Answer>, ArchiveError> {
        let url = request.url.clone();
        let answer = self.http.fetch(&request, Repeat::Safe, MAX_FILE).await;
        match answer {
            Ok(answer) if matches!(answer.status, StatusCode::NOT_FOUND | StatusCode::GONE) => Ok(None),
            Ok(answer) => answer.ok().map(Some).map_err(|error| fault(operation, &url, &error)),
            Err(error) => Err(fault(operation, &url, &error)),
        }
    }
}

fn fault(operation: &'static str, url: &Url, error: &HttpError) -> ArchiveError {
    ArchiveError { operation, address: url.to_string(), reason: error.to_string() }
}

#[async_trait]
impl Archive for SiteArchive {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError> {
        let answer = self.ask("read", Request::get(self.address(key))).await?;
        Ok(answer.map(|answer| answer.body))
    }

    async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError> {
        let url = self.address(key);
        let Some(answer) = self.ask("read", Request::head(url.clone())).await? else { return Ok(None) };
        let size = answer.header("content-length").and_then(|text| text.parse().ok());
        let date = answer.header("last-modified").and_then(|text| rfc2822::parse(text).ok());
        let facts = size.zip(date).map(|(size, date)| FileFacts { size, date: date.timestamp() });
        facts.map(Some).ok_or_else(|| ArchiveError {
            operation: "read",
            address: url.to_string(),
            reason: "its answer to HEAD has no Content-Length or no Last-Modified".to_owned(),
        })
    }

    async fn list(&self, folder: &str) -> Result<Folder, ArchiveError> {
        let url = self.address(folder);
        let json = header::HeaderValue::from_static("application/json");
        let request = Request::get(url.clone()).header(header::ACCEPT, json);
        let Some(answer) = self.ask("list", request).await? else { return Ok(Folder::default()) };
        let listing: Listing = answer.json().map_err(|error| fault("list", &url, &error))?;
        let files = listing.files.into_iter().map(|file| {
            let date = Timestamp::from_second(file.last_modified.as_second()).unwrap_or(file.last_modified);
            (file.name, FileFacts { size: file.size, date })
        });
        let folders = listing.prefixes.into_iter().map(|name| name.trim_end_matches('/').to_owned());
        Ok(Folder { folders: folders.collect(), files: files.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_encoded_into_addresses() {
        let http = Http::new(&buildhub_http::HttpSettings::default()).unwrap();
        let site = SiteArchive::new(http, "http://localhost/pub/".parse().unwrap());
        let url = site.address("win32/Firefox Setup 60.0 #1?+é%.exe");
        assert_eq!(url.as_str(), "http://localhost/pub/win32/Firefox%20Setup%2060.0%20%231%3F%2B%C3%A9%25.exe");
    }
}
