//! Size, date and metadata of one archive, in at most three requests.
//!
//! Metadata may lie at up to four addresses, the first of which counts that has any, and for a release they are known
//! only when its version's candidates were listed. So a listing of one folder, narrowed to what is looked for, takes
//! the place of several questions where there are more addresses than requests left:
//!
//! | archive | requests |
//! |---|---|
//! | at most two addresses | its head, then one address after the other |
//! | a nightly of many forms | its head (with others in its folder: a listing of just those), a listing, the file |
//! | a candidate since `buildhub.json` | a listing of its folder, one of the `en-US` folder, the file |
//! | a release | its head or its folder, the candidates of its version, the file beside the highest of them |
//!
//! Three requests do not reach all that an inventory would find: of a release whose highest candidate has no metadata,
//! a file that lies elsewhere; behind a file that cannot be used, the next; of a repack, a file of its own where the plain
//! build has none. Such a file has an event of its own, which makes the records of all archives there are by then, and
//! what comes after it in spite of that is brought in by the inventory.

use std::collections::HashMap;

use buildhub_releases::Archive as Build;

use super::outcome::EventFault;
use crate::archive::{Archive, ArchiveError, FileFacts, beginning_with};
use crate::metadata::{Library, Lookup};

/// The most requests to the archive that an event of a build makes.
pub const MOST_REQUESTS: usize = 3;

/// What was found of an archive that is there.
#[derive(Debug)]
pub struct Found {
    /// The object's own size and date.
    pub facts: FileFacts,
    /// Its metadata.
    pub metadata: Lookup,
}

/// Looks for an archive and its metadata; `None` where the archive is not there.
pub async fn search(archive: &dyn Archive, library: &Library, build: &Build<'_>) -> Result<Option<Found>, EventFault> {
    let keys = build.metadata_keys(None);
    let mut seen = Seen::default();
    let beside = keys.iter().map(String::as_str).filter(|key| folder_of(key) == folder_of(build.key));
    let beside: Vec<&str> = beside.chain([build.key]).collect();
    let facts = if beside.len() == 1 || candidates_of(build).is_none() && keys.len() < MOST_REQUESTS {
        archive.head(build.key).await?
    } else {
        seen.look(archive, common_prefix(&beside)).await?;
        seen.files.get(build.key).copied()
    };
    let Some(facts) = facts else { return Ok(None) };
    Ok(Some(Found { facts, metadata: metadata_of(archive, library, build, seen).await? }))
}

/// The candidates whose listing tells where an archive's metadata lies, where that depends on it.
fn candidates_of(build: &Build<'_>) -> Option<String> {
    build.candidates_folder().filter(|_| build.metadata_keys(None) != build.metadata_keys(Some(1)))
}

/// The metadata of an archive that is there, in two requests.
pub(super) async fn metadata_of(
    archive: &dyn Archive,
    library: &Library,
    build: &Build<'_>,
    mut seen: Seen,
) -> Result<Lookup, EventFault> {
    let mut keys = build.metadata_keys(None);
    let mut left = MOST_REQUESTS - 1;
    let mut likely = keys.first().cloned();
    if let Some(folder) = candidates_of(build) {
        left -= 1;
        let highest = library.highest_build(&folder).await?;
        keys = build.metadata_keys(highest);
        // Beside the highest candidate it nearly always is; where there is none, what was seen comes first.
        likely = highest.and(keys.first().cloned());
    }
    seen.leave_out_absent(&mut keys);
    if keys.len() > left && left > 1 && keys.first().is_some_and(|key| !seen.has(key)) {
        left -= 1;
        let folder = keys.first().map_or("", |key| folder_of(key)).to_owned();
        let together: Vec<&str> = keys.iter().map(String::as_str).filter(|key| folder_of(key) == folder).collect();
        seen.look(archive, common_prefix(&together)).await?;
        seen.leave_out_absent(&mut keys);
    }
    keys.sort_by_key(|key| (likely.as_ref() != Some(key), !seen.has(key)));
    keys.truncate(left);
    Ok(library.first(&keys).await?)
}

/// What listings told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    prefixes: Vec<String>,
    files: HashMap<String, FileFacts>,
}

impl Seen {
    async fn look(&mut self, archive: &dyn Archive, prefix: &str) -> Result<(), ArchiveError> {
        self.files.extend(beginning_with(archive, prefix).await?);
        self.prefixes.push(prefix.to_owned());
        Ok(())
    }

    fn has(&self, key: &str) -> bool {
        self.files.contains_key(key)
    }

    fn leave_out_absent(&self, keys: &mut Vec<String>) {
        let is_told =
            |prefix: &String, key: &str| key.strip_prefix(prefix.as_str()).is_some_and(|rest| !rest.contains('/'));
        keys.retain(|key| self.has(key) || !self.prefixes.iter().any(|prefix| is_told(prefix, key)));
    }
}

/// A key up to its last slash, which is part of it.
fn folder_of(key: &str) -> &str {
    key.rfind('/').and_then(|at| key.get(..=at)).unwrap_or_default()
}

/// What all keys begin with.
fn common_prefix<'k>(keys: &[&'k str]) -> &'k str {
    let Some((first, others)) = keys.split_first() else { return "" };
    let same = |other: &str| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let mut length = others.iter().map(|other| same(other)).min().unwrap_or(first.len());
    while !first.is_char_boundary(length) {
        length -= 1;
    }
    first.get(..length).unwrap_or_default()
}
