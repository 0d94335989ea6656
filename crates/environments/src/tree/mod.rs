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
use std::hash::{Hash, Hasher};

pub use merge::{MergeError, Merged, merge};
pub(crate) use merge::{end_of, within};
pub use parents::add_missing_parents;
pub use spool::{Content, Spool, SpoolError};

/// A path in an environment: bytes, without a leading slash, without `.` and `..`, without a slash at its end. The root
/// itself is the empty path.
///
/// Their order is that of bytes, but that a slash comes before all others: so a folder comes right before all that is in it,
/// `a`, `a/b`, `a-b`. Who unpacks an archive gives a folder its time and mode when its last file is there, and counts on it.
#[derive(Debug, Clone)]
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
        #[cfg(test)]
        looks::add();
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

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Path {}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        const PIECE: usize = 8;
        let (mine, theirs) = (self.as_bytes(), other.as_bytes());
        // Neighbours begin alike: that is passed over in pieces, and not byte by byte.
        let alike =
            mine.chunks_exact(PIECE).zip(theirs.chunks_exact(PIECE)).take_while(|(mine, theirs)| mine == theirs);
        let alike = alike.count() * PIECE;
        let rest = |path| <[u8]>::get(path, alike..).unwrap_or_default().iter();
        // No path has a zero byte.
        let rank = |byte: &u8| if *byte == b'/' { 0 } else { *byte };
        rest(mine).map(rank).cmp(rest(theirs).map(rank))
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

/// How often paths are looked at. Whatever finds one among others, by comparing or by hashing, looks at it: so this is how
/// much work is done for many files, whoever does it and on whatever machine.
#[cfg(test)]
pub(crate) mod looks {
    use std::cell::Cell;

    thread_local! {
        static LOOKS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn add() {
        LOOKS.set(LOOKS.get() + 1);
    }

    /// Those that some work takes on this thread.
    pub(crate) fn of(work: impl FnOnce()) -> u64 {
        let before = LOOKS.get();
        work();
        LOOKS.get() - before
    }
}

#[cfg(test)]
mod many;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_comes_right_before_what_is_in_it() {
        let sorted =
            ["", "a", "a/b", "a/b/c", "a/b-c", "a-b", "a.b", "b"].map(|path| Path::new(path.as_bytes()).unwrap());
        assert!(sorted.is_sorted());
    }

    proptest::proptest! {
        /// However long the part is in which they are alike.
        #[test]
        fn paths_are_in_the_order_of_their_parts(mut one in "[ab./-]{0,24}", other in "[ab./-]{0,24}", alike in 0..24usize) {
            one.replace_range(..alike.min(one.len()), other.get(..alike.min(one.len())).unwrap_or_default());
            if let (Ok(one), Ok(other)) = (Path::new(one.as_bytes()), Path::new(other.as_bytes())) {
                let parts = |path: &Path| path.as_bytes().split(|byte| *byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
                proptest::prop_assert_eq!(one.cmp(&other), parts(&one).cmp(&parts(&other)), "{} {}", one, other);
            }
        }
    }
}
