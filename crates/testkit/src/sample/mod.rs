//! A build archive that does not exist: keys, dates and metadata computed from a seed.
//!
//! A sample has the layouts, products, platforms and locales of the real archive, and the same share of builds (about
//! 14 %) among tests, updates, checksums and build farm leftovers. Per million rows there are about 2,000 metadata
//! files that describe its builds. It takes no room: every answer is computed, and the same seed gives the same
//! answers for ever.
//!
//! | part | what |
//! |---|---|
//! | [`Sample::objects`] | every object: key, size, date, entity tag, and whether it is a build |
//! | [`Sample::metadata`] | the body of a metadata file |
//! | [`Sample::listing`] | a folder's listing |
//! | [`Sample::write_inventory`] | the S3 inventory that lists it |
//! | [`Sample::write_archive`] | the objects as files, for a small sample |
//!
//! # What has no metadata
//! Almost every build has its metadata. Those that have none, as in the real archive:
//! - releases older than the candidates folders: `releases/1.5.0.*` (flat) and `releases/2.0.0.*`;
//! - the `mac` builds of every other old nightly (`2011-…-03-mozilla-central`), their `.txt` being lost.
//!
//! # What shares a record
//! `Firefox Installer.exe` and `.msi` beside `Firefox Setup ….exe`, `.pkg` beside `.dmg`, `.deb` beside `.tar.xz`, and in
//! nightly folders `.zip` beside `.tar.bz2`.

mod flat;
mod group;
mod inventory;
mod listing;
mod locales;
mod metadata;
mod nightly;
mod noise;
mod plan;
mod random;
mod ship;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::Bytes;
use jiff::Timestamp;

use group::Group;
pub use inventory::Inventory;
pub use listing::{File, Listing};

/// How large a sample is, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSpec {
    /// How many objects there are, exactly. From about 2,000 on, every kind of object is among them.
    pub rows: u64,
    /// Another seed gives other sizes, dates, revisions and build ids; the layouts are the same.
    pub seed: u64,
    /// How many parts an inventory of it has.
    pub parts: usize,
}

/// A sample archive.
#[derive(Debug)]
pub struct Sample {
    spec: SampleSpec,
    groups: Vec<Group>,
    by_folder: BTreeMap<String, usize>,
}

/// What an object is, known because it was made so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A build, which becomes a record.
    Build {
        /// Whether the metadata that describes it exists.
        has_metadata: bool,
    },
    /// A file that describes builds; [`Sample::metadata`] has its body.
    Metadata,
    /// Anything else.
    Other,
}

/// One object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key, not encoded.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, in whole seconds.
    pub last_modified: Timestamp,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// What it is.
    pub kind: Kind,
}

/// The body of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Its `Content-Type`.
    pub content_type: Cow<'static, str>,
    /// Its bytes.
    pub bytes: Bytes,
}

/// How many there are of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// All objects.
    pub rows: u64,
    /// Builds.
    pub builds: u64,
    /// Builds that no metadata describes.
    pub builds_without_metadata: u64,
    /// Metadata files.
    pub metadata: u64,
}

impl SampleSpec {
    /// So many rows, of seed 1, in two parts.
    pub fn of(rows: u64) -> Self {
        Self { rows, seed: 1, parts: 2 }
    }
}

impl Sample {
    /// Plans the sample: its folders, not its objects.
    pub fn new(spec: SampleSpec) -> Self {
        let groups = plan::groups(spec);
        let by_folder = groups.iter().enumerate().map(|(at, group)| (group.folder().to_owned(), at)).collect();
        Self { spec, groups, by_folder }
    }

    /// What it was made from.
    pub fn spec(&self) -> SampleSpec {
        self.spec
    }

    /// Every object, folder by folder, in an order that is always the same and sorted by nothing.
    pub fn objects(&self) -> impl Iterator<Item = Object> + '_ {
        self.groups.iter().flat_map(Group::objects)
    }

    /// The object of that key.
    pub fn object(&self, key: &str) -> Option<Object> {
        self.group_of(key)?.objects().into_iter().find(|object| object.key == key)
    }

    /// The body of the metadata file of that key; `None` for anything else.
    pub fn metadata(&self, key: &str) -> Option<Body> {
        self.group_of(key)?.metadata(key)
    }

    /// What stands directly under a folder (a key ending in `/`); `None` when nothing does.
    pub fn listing(&self, folder: &str) -> Option<Listing> {
        listing::list(self, folder)
    }

    /// Counts everything; as much work as reading all of it.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for group in &self.groups {
            group.visit(&mut |_, kind, _| {
                summary.rows += 1;
                match kind {
                    Kind::Build { has_metadata } => {
                        summary.builds += 1;
                        summary.builds_without_metadata += u64::from(!has_metadata);
                    }
                    Kind::Metadata => summary.metadata += 1,
                    Kind::Other => {}
                }
            });
        }
        summary
    }

    /// Writes the inventory below `root`, which then holds what the inventory's bucket would.
    pub fn write_inventory(&self, root: &Path, inventory: &Inventory) -> io::Result<()> {
        inventory::write(self, root, inventory)
    }

    /// Writes every object as a file below `root`: metadata with its body, the others as holes of their size, all with
    /// their date. For small samples.
    pub fn write_archive(&self, root: &Path) -> io::Result<()> {
        for object in self.objects() {
            let path = root.join(&object.key);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let file = std::fs::File::create(&path)?;
            match self.metadata(&object.key) {
                Some(body) => io::Write::write_all(&mut &file, &body.bytes)?,
                None => file.set_len(object.size)?,
            }
            file.set_modified(object.last_modified.into())?;
        }
        Ok(())
    }

    /// The group in whose folder a key stands: the longest folder that the key begins with.
    fn group_of(&self, key: &str) -> Option<&Group> {
        let mut folder = key;
        while let Some((parent, _)) = folder.trim_end_matches('/').rsplit_once('/') {
            folder = key.get(..=parent.len())?;
            if let Some(at) = self.by_folder.get(folder) {
                return self.groups.get(*at);
            }
        }
        None
    }
}
