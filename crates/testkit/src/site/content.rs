//! What a site shows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::Deserialize;

use crate::sample::{Body, File, Listing, Sample};

/// What a site shows.
#[derive(Clone)]
pub struct Content(Shown);

/// Computes the page of a path.
type Pages = dyn Fn(&str) -> Option<Body> + Send + Sync;

#[derive(Clone)]
enum Shown {
    Sample(Arc<Sample>),
    Tree(Arc<HashMap<String, Body>>),
    Computed(Arc<Pages>),
    Folder(Arc<PathBuf>),
}

/// What a `HEAD` request is told.
pub(super) struct Found {
    pub(super) size: u64,
    pub(super) last_modified: Option<Timestamp>,
    pub(super) content_type: Cow<'static, str>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Shown::Sample(_) => "Content(sample)",
            Shown::Tree(_) => "Content(tree)",
            Shown::Computed(_) => "Content(computed)",
            Shown::Folder(_) => "Content(folder)",
        })
    }
}

/// A page in a tree's file.
#[derive(Deserialize)]
struct Page {
    content_type: String,
    body: String,
}

impl Content {
    /// A sample: its metadata files and listings. Its archives can be asked for with `HEAD` and have no bytes.
    pub fn sample(sample: impl Into<Arc<Sample>>) -> Self {
        Self(Shown::Sample(sample.into()))
    }

    /// What a function gives for a path (decoded, with its first `/`); `None` is a 404.
    pub fn computed(pages: impl Fn(&str) -> Option<Body> + Send + Sync + 'static) -> Self {
        Self(Shown::Computed(Arc::new(pages)))
    }

    /// The files of a folder, with their sizes and dates, and its listings. What does not exist when it is asked for is
    /// a 404.
    pub fn folder(root: impl Into<PathBuf>) -> Self {
        Self(Shown::Folder(Arc::new(root.into())))
    }

    /// Pages by their paths (decoded, with their first `/`).
    pub fn tree(pages: impl IntoIterator<Item = (String, Body)>) -> Self {
        Self(Shown::Tree(Arc::new(pages.into_iter().collect())))
    }

    /// The tree of a JSON file: an object from paths to `{"content_type": …, "body": …}`.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let pages: HashMap<String, Page> = serde_json::from_slice(&std::fs::read(path)?)?;
        Ok(Self::tree(pages.into_iter().map(|(path, page)| {
            (path, Body { content_type: page.content_type.into(), bytes: Bytes::from(page.body) })
        })))
    }

    pub(super) fn get(&self, path: &str) -> Option<Body> {
        match &self.0 {
            Shown::Sample(sample) => {
                let key = path.strip_prefix('/')?;
                if key.ends_with('/') { listing(sample, key) } else { sample.metadata(key) }
            }
            Shown::Tree(pages) => pages.get(path).cloned(),
            Shown::Computed(pages) => pages(path),
            Shown::Folder(root) => folder_page(root, path.strip_prefix('/')?),
        }
    }

    pub(super) fn head(&self, path: &str) -> Option<Found> {
        let page = self.get(path);
        let object = match &self.0 {
            Shown::Sample(sample) => sample.object(path.strip_prefix('/')?),
            _ => None,
        };
        let last_modified = match &self.0 {
            Shown::Folder(root) => modified(&std::fs::metadata(root.join(path.strip_prefix('/')?)).ok()?),
            _ => object.as_ref().map(|object| object.last_modified),
        };
        match (page, object) {
            (Some(page), _) => {
                Some(Found { size: page.bytes.len() as u64, last_modified, content_type: page.content_type })
            }
            (None, Some(object)) => {
                Some(Found { size: object.size, last_modified, content_type: "application/octet-stream".into() })
            }
            (None, None) => None,
        }
    }
}

fn listing(sample: &Sample, folder: &str) -> Option<Body> {
    let bytes = serde_json::to_vec(&sample.listing(folder)?).ok()?;
    Some(Body { content_type: "application/json".into(), bytes: bytes.into() })
}

/// A file's bytes, or a folder's listing.
fn folder_page(root: &Path, key: &str) -> Option<Body> {
    if Path::new(key).components().any(|part| !matches!(part, Component::Normal(_))) {
        return None;
    }
    let path = root.join(key);
    if !key.is_empty() && !key.ends_with('/') {
        let bytes = std::fs::read(path).ok()?;
        return Some(Body { content_type: "application/octet-stream".into(), bytes: bytes.into() });
    }
    let mut listing = Listing { prefixes: Vec::new(), files: Vec::new() };
    for entry in std::fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let (name, metadata) = (entry.file_name().into_string().ok()?, entry.metadata().ok()?);
        if metadata.is_dir() {
            listing.prefixes.push(format!("{name}/"));
        } else {
            listing.files.push(File { name, size: metadata.len(), last_modified: modified(&metadata)? });
        }
    }
    let bytes = serde_json::to_vec(&listing).ok()?;
    Some(Body { content_type: "application/json".into(), bytes: bytes.into() })
}

fn modified(metadata: &std::fs::Metadata) -> Option<Timestamp> {
    Timestamp::try_from(metadata.modified().ok()?).ok()
}
