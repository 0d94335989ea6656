//! Every file of an environment, once: the meeting point of packages, roots and what is made for them.
//!
//! Contents lie in a [`Spool`] on disk, so that memory holds names and numbers only, and files can be written in another
//! order than they were read.

mod ldconfig;
pub mod merge;
mod parents;
pub mod repositories;
mod spool;

use std::cmp::Ordering;
use std::collections::BTreeMap;

pub(crate) use merge::within;
pub use merge::{MergeError, Merged, merge};
pub use parents::add_missing_parents;
pub use spool::{Content, Spool, SpoolError};

/// A path in an environment: bytes, without a leading slash, without `.` and `..`, without a slash at its end. The root
/// itself is the empty path.
///
/// Their order is that of bytes, but that a slash comes before all others: so a folder comes right before all that is in it,
/// `a`, `a/b`, `a-b`. Who unpacks an archive gives a folder its time and mode when its last file is there, and counts on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path(Box<[u8]>);

/// What cannot be a path in an environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} cannot be a path in an environment: {reason}")]
pub struct PathError {
    /// What was given, bytes that are no text replaced.
    pub path: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Path {
    /// Makes one of what a tar archive or a package names it: a leading `/` or `./` and slashes at the end are dropped.
    pub fn new(bytes: &[u8]) -> Result<Self, PathError> {
        let refuse = |reason| Err(PathError { path: String::from_utf8_lossy(bytes).into_owned(), reason });
        if bytes.contains(&0) {
            return refuse("it has a zero byte");
        }
        let mut clean = Vec::with_capacity(bytes.len());
        for part in bytes.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => return refuse("it leads upward"),
                part => {
                    if !clean.is_empty() {
                        clean.push(b'/');
                    }
                    clean.extend_from_slice(part);
                }
            }
        }
        Ok(Self(clean.into()))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The folder it is in; the root is in none.
    pub fn parent(&self) -> Option<Self> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Some(Self(self.0.get(..end).unwrap_or_default().into()))
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        // No path has a zero byte.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        self.0.iter().map(rank).cmp(other.0.iter().map(rank))
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::fmt::Display for Path {
    /// With a leading slash, as it is called inside the environment.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "/{}", String::from_utf8_lossy(&self.0))
    }
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What kind of thing.
    pub kind: Kind,
    /// Permissions: the lower twelve bits of a mode.
    pub mode: u16,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    /// The extended attribute `security.capability`, as the kernel keeps it.
    pub capability: Option<Box<[u8]>>,
}

/// The kinds of thing in an environment. Device nodes, pipes and sockets are none: the runtime supplies them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Directory,
    /// A file, by its contents.
    File(Content),
    /// A link to whatever is at these bytes.
    Symlink(Box<[u8]>),
    /// Another name of the file at this path, which comes before it in the order of paths.
    Hardlink(Path),
}

/// Everything of an environment, in the order of paths.
pub type Entries = BTreeMap<Path, Entry>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_right_before_what_is_in_it() {
        let sorted =
            ["", "a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "b"].map(|path| Path::new(path.as_bytes()).unwrap());
        assert!(sorted.is_sorted());
    }
}
