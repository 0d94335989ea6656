//! Why packages make no tree.

use std::fmt::{self, Write as _};

use crate::rpm::PackageError;
use crate::rpmdb::DatabaseError;
use crate::tree::repositories::RewriteError;
use crate::tree::{Path, PathError, SpoolError};

/// How many of a kind an error tells.
const TOLD: usize = 50;

/// Why packages make no tree.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A package cannot be used.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// A path in the definition is none.
    #[error("the definition: {0}")]
    Path(#[from] PathError),
    /// Something cannot be kept on disk.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The environment's own repository files cannot be rewritten.
    #[error(transparent)]
    Rewrite(#[from] RewriteError),
    /// rpm's database cannot be written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// It was broken off.
    #[error("merging packages was broken off: {0}")]
    Stopped(#[source] std::io::Error),
    /// Of the names of one file some stay out, and others are there.
    #[error(
        "{path} and {other} of the package {package} are one file, of which the definition excludes only {other}: exclude \
         both or none"
    )]
    HardlinkExcluded {
        /// The name that would stay.
        path: Path,
        /// The name that is excluded.
        other: Path,
        /// The package.
        package: String,
    },
    /// An exclusion names what is not there.
    #[error(
        "the exclusion of {rule} excludes nothing: no package has such a path. Correct it, or take it out of the definition: \
         what is published says what was left out"
    )]
    RuleForNothing {
        /// The excluded path.
        rule: String,
    },
    /// A package stays out, and is there.
    #[error("the package {package} is excluded ({reason}), and is in the lock all the same; make the lock again")]
    Excluded {
        /// Which.
        package: String,
        /// Why it stays out.
        reason: String,
    },
    /// A package is there twice.
    #[error("the package {package} is in the lock twice")]
    Twice {
        /// Which.
        package: String,
    },
    /// Packages want the same path for different files.
    #[error("packages do not fit together: {}", told(.0))]
    Conflicts(Vec<Conflict>),
    /// Packages would run something that the definition says nothing about.
    #[error(
        "packages would run what the definition says nothing of: {}; add a [[scriptlet]] with the package, the phase and \
         an action for each",
        told(.0)
    )]
    Undeclared(Vec<Undeclared>),
    /// A file belongs to somebody unknown.
    #[error(
        "{path} of the package {package} belongs to the {what} {name:?}, and no package and no [[{what}]] of the \
         definition says which number that is"
    )]
    Owner {
        /// The file.
        path: Path,
        /// The package.
        package: String,
        /// `user` or `group`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Accounts beyond all measure.
    #[error("{path} has more than {most} bytes, which no file of accounts has")]
    Accounts {
        /// The file.
        path: Path,
        /// The most bytes.
        most: u64,
    },
    /// A name has two numbers.
    #[error("the {what} {name:?} has the number {one} by {by}, and {other} by {by_other}")]
    Account {
        /// `user` or `group`.
        what: &'static str,
        /// The name.
        name: String,
        /// One number.
        one: u32,
        /// Who says so.
        by: &'static str,
        /// The other.
        other: u32,
        /// Who says so.
        by_other: &'static str,
    },
    /// An alternative's link is a file of a package.
    #[error("the alternative {link} cannot be made: a package has something else there")]
    AlternativeTaken {
        /// The link.
        link: Path,
    },
    /// A file is in what is no folder.
    #[error("{path} would be in something that is no folder")]
    NoFolder {
        /// The file.
        path: Path,
    },
    /// Links lead in a circle.
    #[error("{path} cannot be placed: the links on its way lead in a circle")]
    Circle {
        /// The path.
        path: Path,
    },
    /// Files give rights that were not declared.
    #[error(
        "files have the set-user-id or set-group-id bit, or capabilities, and are not in the definition's `setuid`: {}",
        paths.join(", ")
    )]
    Setuid {
        /// Which.
        paths: Vec<String>,
    },
}

/// A path that two packages want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The path.
    pub path: Path,
    /// The packages.
    pub packages: [String; 2],
    /// How their files differ.
    pub difference: &'static str,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, other] = &self.packages;
        write!(f, "{} of {one} and of {other} differ in their {}", self.path, self.difference)
    }
}

/// Something that a package would run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undeclared {
    /// The package's name.
    pub package: String,
    /// When.
    pub phase: &'static str,
    /// By which program.
    pub program: String,
}

impl fmt::Display for Undeclared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.package, self.phase, self.program)
    }
}

fn told(all: &[impl fmt::Display]) -> String {
    let mut text = all.iter().take(TOLD).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if all.len() > TOLD {
        let _ = write!(text, ", and {} more", all.len() - TOLD);
    }
    text
}
