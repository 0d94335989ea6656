//! rpm's database of what is installed, as rpm since 4.16 has it: one file of `SQLite`.
//!
//! It has each package's header, and an index for each question that rpm asks: a table of keys, and in which header each
//! is. `rpm -qa` needs the headers; `rpm -q NAME` and `rpm -qf FILE` need the indexes. The same packages give the same
//! bytes: rows are in the order of packages, and what rpm notes of an installation is the environment's own time.

mod blob;
mod edit;
mod error;
mod index;
mod rich;
mod write;

pub use edit::{Record, list, remove};
pub use error::DatabaseError;
pub use write::write;

use crate::rpm::Package;

/// The database's file, in the folder that the definition names.
pub const FILE: &str = "rpmdb.sqlite";

/// What every database says that it was written by: some version of `SQLite` that knows all that is in it.
const WRITER: u32 = 3_040_000;

/// Takes out of a closed database which version of `SQLite` wrote it, the only byte of it that another version would write
/// otherwise ("Database File Format", section 1.3.17: an integer at offset 96, which is informative).
fn forget_writer(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    std::fs::OpenOptions::new().write(true).open(path)?.write_all_at(&WRITER.to_be_bytes(), 96)
}

/// What rpm's database says of a file: `rpmfileState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FileState {
    /// It is there.
    Normal = 0,
    /// It was left out: excluded, or a device node.
    NotInstalled = 2,
    /// A file of another colour is there instead.
    WrongColor = 4,
}

/// A package that is installed.
#[derive(Debug, Clone, Copy)]
pub struct Installed<'a> {
    /// The package.
    pub package: &'a Package,
    /// Of each of its files, in its own order.
    pub states: &'a [FileState],
}
