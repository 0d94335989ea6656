//! What can be wrong with rpm's database.

use crate::rpm::HeaderError;
use crate::tree::{Path, PathError, SpoolError};

/// Why rpm's database cannot be written, read or changed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// `SQLite` says no.
    #[error("rpm's database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// It cannot be kept on disk.
    #[error("rpm's database cannot be kept on disk: {0}")]
    Io(#[from] std::io::Error),
    /// It cannot be kept with the other files.
    #[error("rpm's database: {0}")]
    Spool(#[from] SpoolError),
    /// A header in it is none.
    #[error("rpm's database has a damaged header (number {number}): {source}")]
    Header {
        /// Its number.
        number: i64,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// A path in it, or the database's own, is none.
    #[error("rpm's database: {0}")]
    Path(#[from] PathError),
    /// It is of a kind that is not read here.
    #[error(
        "{0} is a database of rpm in a format that is not read here; in the root, `rpmdb --rebuilddb` of rpm 4.16 or later \
         makes {sqlite} of it", sqlite = super::FILE
    )]
    Format(Path),
    /// It was uploaded in the midst of a transaction.
    #[error("{0} is of a transaction that is not finished: in the root, `rpmdb --rebuilddb` ends it")]
    Unfinished(Path),
    /// It is not sound.
    #[error("rpm's database is damaged: {0}")]
    Damaged(String),
    /// What is to go is needed by what stays.
    #[error("the package {removed} cannot be left out: {by} requires {what} of it")]
    Needed {
        /// What was to go.
        removed: String,
        /// Who needs it.
        by: String,
        /// What of it.
        what: String,
    },
    /// Something is still there.
    #[error("after removing it, {0} is still there")]
    StillThere(String),
}
