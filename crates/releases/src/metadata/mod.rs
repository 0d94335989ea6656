//! What metadata files say of builds.

mod buildhub;
mod json;
mod text;

use serde::{Deserialize, Serialize};

pub use buildhub::record_from_buildhub_json;

use crate::date;
use crate::layout;
use crate::metadata_key::Form;
use crate::record::Build;

/// What a metadata file says of a build, in the words of records.
///
/// Small: thousands are kept in memory while an inventory is read, and on disk in a cache.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Metadata {
    /// How and when the build was made; has an id, always.
    pub build: Build,
    /// Where its code came from.
    pub source: Origin,
    /// The update channel it was built for. Wins over the one that the key says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Box<str>>,
}

/// Where the code of a build came from; [`Source`](crate::Source) without the product, which the key says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Origin {
    /// The repository's path: `releases/mozilla-beta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Box<str>>,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Box<str>>,
    /// The changeset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Box<str>>,
}

/// A metadata file that cannot be used. Each names the file.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// The file's name is none of metadata.
    #[error("{key} is no metadata file: its name ends in neither .json nor .txt")]
    UnknownForm {
        /// The file.
        key: String,
    },
    /// The body is a web page, usually an error page.
    #[error("{key} is an HTML page, not metadata; look whether the archive serves it")]
    Html {
        /// The file.
        key: String,
    },
    /// The body is not JSON.
    #[error("{key} is not JSON")]
    NotJson {
        /// The file.
        key: String,
        /// What the parser met.
        source: serde_json::Error,
    },
    /// A field that every build has is absent.
    #[error("{key} has no {field}; a build is not known without it")]
    Missing {
        /// The file.
        key: String,
        /// The field.
        field: &'static str,
    },
    /// A field holds something else than it should.
    #[error("{key}: {field} is {value}; expected {expected}")]
    Unexpected {
        /// The file.
        key: String,
        /// The field.
        field: &'static str,
        /// What it holds, shortened.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
    /// A text file in neither of its two forms.
    #[error("{key} has neither form of a build's text file (build id and revision url; build id and revision)")]
    NotText {
        /// The file.
        key: String,
    },
    /// A `buildhub.json` whose url is no archive of a build.
    #[error("{key} describes {url}, which is no build ({})", .why.as_str())]
    NotABuild {
        /// The file.
        key: String,
        /// The url it describes.
        url: String,
        /// Why that is no build.
        why: crate::NotABuild,
    },
}

impl Metadata {
    /// Reads a metadata file; the name says how it is written, the folder which candidate it belongs to.
    ///
    /// The number of the build is all of `build<N>` in the key, or else what the file says.
    pub fn parse(key: &str, body: &[u8]) -> Result<Self, MetadataError> {
        let mut metadata = match Form::of(key) {
            Some(Form::Json) => json::parse(key, body)?,
            Some(Form::Buildhub) => buildhub::parse(key, body)?,
            Some(Form::Text) => text::parse(key, body)?,
            None => return Err(MetadataError::UnknownForm { key: key.to_owned() }),
        };
        if let Some(number) = number_of_key(key) {
            metadata.build.number = Some(number);
        }
        Ok(metadata)
    }
}

/// The N of `build<N>/` below a folder of candidates.
fn number_of_key(key: &str) -> Option<u32> {
    let (_, below) = key.split_once("-candidates/")?;
    let (folder, _) = below.split_once('/')?;
    layout::build_number(folder)
}

/// The path of a repository: what follows `hg.mozilla.org/`, or the whole when it is not there.
fn tree_of(repository: &str) -> &str {
    repository.split_once("hg.mozilla.org/").map_or(repository, |(_, tree)| tree)
}

/// A build with its id and the date in it. An id that is no date keeps the date the file gives, if any.
fn build(id: &str, stated_date: Option<&str>) -> Build {
    let date = date::of_build_id(id).or_else(|| stated_date.and_then(date::normalize));
    Build { id: Some(id.into()), date: date.map(String::into_boxed_str), ..Build::default() }
}

/// A text from outside, fit for a record: no NUL (Kinto on PostgreSQL refuses a whole batch for one), no space at its
/// ends; `None` when nothing is left.
fn clean(text: &str) -> Option<Box<str>> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if text.is_empty() {
        return None;
    }
    if text.contains('\0') { Some(text.replace('\0', "").into()) } else { Some(text.into()) }
}
