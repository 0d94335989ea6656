//! Rows to builds: what of an inventory is news, and what the keys alone teach on the way.

use std::collections::HashMap;

use buildhub_inventory::{PartError, Row, RowError, Rows};
use buildhub_releases::{Archive, Key, Product, classify};
use foldhash::fast::FixedState;
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::fact::{Fact, IdHash, Verdict, judge, seconds, source_hash};
use crate::index::Index;
use crate::progress::Progress;
use crate::removed::Removed;
use crate::report::{Builds, Read, Skipped};
use crate::settings::Selection;
use crate::spool::{Pending, SpoolError};

/// Bad rows that are logged one by one; the rest are only counted.
const LOGGED_ROWS: u64 = 20;

/// Rows between two looks at the clock.
const ROWS_BETWEEN_CHECKS: u64 = 4096;

/// What the keys of an inventory teach about each other.
#[derive(Debug, Default)]
pub struct Learned {
    /// The highest candidate build of each version, by product.
    highest: HashMap<Product, HashMap<Box<str>, u32, FixedState>, FixedState>,
    /// Metadata files: hashes of their keys, and their dates in seconds since 1970.
    metadata: HashMap<u64, u32, FixedState>,
}

impl Learned {
    /// The highest build among the candidates of a version that were seen.
    pub fn highest_build(&self, product: Product, version: &str) -> Option<u32> {
        self.highest.get(&product)?.get(version).copied()
    }

    /// The date of the metadata file of this key, in seconds since 1970, if there is one.
    pub fn metadata_date(&self, key: &str) -> Option<u32> {
        self.metadata.get(&xxh3_64(key.as_bytes())).copied()
    }

    /// Takes over what another part of the inventory taught.
    pub fn absorb(&mut self, other: Self) {
        for (product, versions) in other.highest {
            for (version, build) in versions {
                self.learn_build(product, &version, build);
            }
        }
        self.metadata.extend(other.metadata);
    }

    fn learn_build(&mut self, product: Product, version: &str, build: u32) {
        let versions = self.highest.entry(product).or_default();
        match versions.get_mut(version) {
            Some(highest) => *highest = build.max(*highest),
            None => {
                versions.insert(version.into(), build);
            }
        }
    }
}

/// Sifts rows: one for each part, so that parts are read side by side.
#[derive(Debug)]
pub struct Sieve<'a> {
    selection: &'a Selection,
    download_url: &'a str,
    index: Option<&'a Index>,
    removed: Option<&'a Removed>,
    /// What was learned so far.
    pub learned: Learned,
    /// What was read so far.
    pub read: Read,
    /// What became of the builds so far.
    pub builds: Builds,
    skipped: Skipped,
    id: String,
}

/// A build that is news.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// The build.
    pub build: Pending,
    /// Whether its metadata's address waits for the end of the inventory (a release's does).
    pub waits: bool,
}

/// A part of the inventory could not be sifted to its end.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The part is damaged, missing, or out of reach.
    #[error(transparent)]
    Part(#[from] PartError),
    /// What waits cannot be kept.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// Whoever takes the builds has gone, and says itself why.
    #[error("the work was stopped")]
    Stopped,
}

impl<'a> Sieve<'a> {
    /// A sieve that lets through what `selection` names and `index` does not know. Without an index all of it passes,
    /// and where metadata lies is not learned.
    pub fn new(selection: &'a Selection, download_url: &'a str, index: Option<&'a Index>) -> Self {
        Self {
            selection,
            download_url,
            index,
            removed: None,
            learned: Learned::default(),
            read: Read::default(),
            builds: Builds::default(),
            skipped: Skipped::default(),
            id: String::with_capacity(128),
        }
    }

    /// The same sieve, holding back what was removed since the inventory was made.
    #[must_use]
    pub fn without(self, removed: &'a Removed) -> Self {
        Self { removed: Some(removed), ..self }
    }

    /// Reads `rows` to their end and hands what is news to `take`. Says whether the end was reached: `stop` is asked
    /// now and then whether there is no time left.
    pub fn sift(
        &mut self,
        rows: &mut dyn Rows,
        progress: &dyn Progress,
        stop: &dyn Fn() -> bool,
        take: &mut dyn FnMut(News) -> Result<(), ScanError>,
    ) -> Result<bool, ScanError> {
        let mut bytes = 0;
        let mut until_check = ROWS_BETWEEN_CHECKS;
        let ended = loop {
            let Some(row) = rows.next()? else { break true };
            match row.and_then(|row| self.row(&row)) {
                Ok(Some(news)) => take(news)?,
                Ok(None) => {}
                Err(error) => self.bad_row(&error),
            }
            until_check -= 1;
            if until_check == 0 {
                until_check = ROWS_BETWEEN_CHECKS;
                let read = rows.progress().bytes;
                progress.advance(read - std::mem::replace(&mut bytes, read));
                if stop() {
                    break false;
                }
            }
        };
        let end = rows.progress();
        progress.advance(end.bytes - bytes);
        self.read.rows += end.rows;
        self.read.bytes += end.bytes;
        self.read.superseded += end.superseded + end.delete_markers;
        self.read.parts += u64::from(ended);
        self.read.skipped = self.skipped.by_name();
        Ok(ended)
    }

    fn row(&mut self, row: &Row<'_>) -> Result<Option<News>, RowError> {
        let key = row.key()?;
        match classify(key.as_str(), self.selection.products) {
            Key::Other(reason) => self.skipped.count(reason),
            Key::Metadata(metadata) => {
                self.read.metadata_files += 1;
                if self.index.is_some() {
                    let date = seconds(row.last_modified()?);
                    self.learned.metadata.insert(xxh3_64(key.as_str().as_bytes()), date);
                }
                if let Some((product, version, build)) = metadata.candidate_of() {
                    self.learned.learn_build(product, version, build);
                }
            }
            Key::Archive(archive) => return self.archive(&archive, row),
        }
        Ok(None)
    }

    fn archive(&mut self, archive: &Archive<'_>, row: &Row<'_>) -> Result<Option<News>, RowError> {
        if let Some((product, version, build)) = archive.candidate_of() {
            self.learned.learn_build(product, version, build);
        }
        let (size, date) = (row.size()?, whole_seconds(row.last_modified()?));
        self.builds.seen += 1;
        if self.selection.oldest.is_some_and(|oldest| date < oldest) {
            self.read.too_old += 1;
            return Ok(None);
        }
        if !self.is_news(archive, size, date) {
            return Ok(None);
        }
        let build = Pending { key: archive.key.to_owned(), size, date };
        Ok(Some(News { build, waits: archive.release_of().is_some() }))
    }

    /// Whether the store would take this archive; what it would not is counted.
    fn is_news(&mut self, archive: &Archive<'_>, size: u64, date: Timestamp) -> bool {
        let Some(index) = self.index else { return true };
        self.id.clear();
        archive.write_id(&mut self.id);
        let id = IdHash::of(&self.id);
        let entry = index.get(id);
        let stored = entry.map(|entry| &entry.fact);
        let is_held_back = self.removed.is_some_and(|removed| match entry {
            None => removed.hides(id, seconds(date)),
            Some(entry) => entry.fact.rank < archive.rank().as_u32() && removed.is_since(entry.last_modified),
        });
        if is_held_back {
            self.builds.removed += 1;
            return false;
        }
        let source = source_hash(self.download_url, archive.key, size, date);
        let offered = Fact { source, content: 0, date: seconds(date), rank: archive.rank().as_u32() };
        let verdict = judge(stored, &offered);
        // The second record of a release is as much of a reason to go on as the first.
        let beta = if self.selection.release_as_beta { archive.beta_id() } else { None };
        let is_beta_wanted = beta.is_some_and(|id| {
            let stored = index.get(IdHash::of(&id)).map(|entry| &entry.fact);
            matches!(judge(stored, &offered), Verdict::New | Verdict::Changed)
        });
        if is_beta_wanted {
            return true;
        }
        let count = match verdict {
            Verdict::New | Verdict::Changed => return true,
            Verdict::Same => &mut self.builds.known,
            Verdict::Older => &mut self.builds.older,
            Verdict::Outranked => &mut self.builds.outranked,
        };
        *count += 1;
        false
    }

    fn bad_row(&mut self, error: &RowError) {
        self.read.bad_rows += 1;
        if self.read.bad_rows <= LOGGED_ROWS {
            tracing::warn!(%error, "a row of the inventory is left out");
        }
    }
}

/// Dates are compared and written in whole seconds.
fn whole_seconds(date: Timestamp) -> Timestamp {
    Timestamp::from_second(date.as_second()).unwrap_or(date)
}
