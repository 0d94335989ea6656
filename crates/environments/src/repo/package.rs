//! A package as a repository's metadata describe it.

use std::fmt;
use std::sync::Arc;

use super::Checksum;
use crate::evr::Evr;

/// A package of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: Arc<str>,
    /// Its epoch, version and release.
    pub evr: Evr,
    /// Its architecture: `x86_64`, `noarch`.
    pub arch: Arc<str>,
    /// The checksum of its file.
    pub checksum: Checksum,
    /// The size of its file, in bytes.
    pub size: u64,
    /// Where its file is, from the repository's address on.
    pub location: Box<str>,
    /// Its licence, as it says.
    pub licence: Arc<str>,
    /// The file name of the source package it was built from.
    pub source: Option<Arc<str>>,
    /// When it was built, in seconds since 1970.
    pub built: i64,
    /// Bytes of its files together, and of what rpm's database has of it, about; where the metadata say so.
    pub installed: Option<u64>,
    /// What it provides.
    pub provides: Vec<Dependency>,
    /// What it requires.
    pub requires: Vec<Dependency>,
    /// What may not be beside it.
    pub conflicts: Vec<Dependency>,
    /// What it takes the place of.
    pub obsoletes: Vec<Dependency>,
    /// What it works better with.
    pub recommends: Vec<Dependency>,
    /// What works better with it.
    pub supplements: Vec<Dependency>,
    /// What would be preferred beside it, where there is a choice.
    pub suggests: Vec<Dependency>,
    /// Beside what it would be preferred, where there is a choice.
    pub enhances: Vec<Dependency>,
    /// The files it has, as far as the metadata that were read say.
    pub files: Vec<Arc<str>>,
}

impl fmt::Display for Package {
    /// As people name it: `make-1:4.4-1.x86_64`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}.{}", self.name, self.evr, self.arch)
    }
}

/// Something that is provided or asked for: a name (a package's, a file's, or any), perhaps with a version; or a rich
/// expression in parentheses, which stands in the name as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// The name.
    pub name: Arc<str>,
    /// Which versions of it; none is any.
    pub version: Option<(Comparison, Evr)>,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        self.version.iter().try_for_each(|(comparison, evr)| write!(f, " {comparison} {evr}"))
    }
}

/// How a version compares with another: any of less, equal, greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Comparison {
    /// Lower ones are meant.
    pub less: bool,
    /// The same is meant.
    pub equal: bool,
    /// Higher ones are meant.
    pub greater: bool,
}

impl Comparison {
    /// The very version.
    pub const EQUAL: Self = Self { less: false, equal: true, greater: false };

    /// Reads one as metadata write it (`LT`, `EQ`, …) or as people do (`<`, `=`, …).
    pub fn parse(text: &str) -> Option<Self> {
        let (less, equal, greater) = match text {
            "LT" | "<" => (true, false, false),
            "LE" | "<=" => (true, true, false),
            "EQ" | "=" | "==" => (false, true, false),
            "GE" | ">=" => (false, true, true),
            "GT" | ">" => (false, false, true),
            _ => return None,
        };
        Some(Self { less, equal, greater })
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |is: bool, text: &'static str| if is { text } else { "" };
        write!(f, "{}{}{}", part(self.less, "<"), part(self.greater, ">"), part(self.equal, "="))
    }
}
