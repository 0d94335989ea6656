//! Versions of packages: epoch, version, release, and rpm's order of them.

mod compare;

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

pub use compare::compare;

/// Epoch, version and release of a package, or of a dependency on one, which may have no release.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Evr {
    /// The epoch; none is 0.
    pub epoch: u32,
    /// The version.
    pub version: Arc<str>,
    /// The release. A dependency without one means any.
    pub release: Option<Arc<str>>,
}

impl Evr {
    /// Reads `[epoch:]version[-release]`. An epoch that is no number is part of the version.
    pub fn parse(text: &str) -> Self {
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => epoch.parse().map_or((0, text), |epoch| (epoch, rest)),
            None => (0, text),
        };
        let (version, release) = match rest.split_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        Self { epoch, version: version.into(), release: release.map(Into::into) }
    }

    /// The order of two, as of two packages: one without a release comes before the same with one.
    pub fn order(&self, other: &Self) -> Ordering {
        self.order_of_versions(other).then_with(|| match (&self.release, &other.release) {
            (Some(one), Some(two)) => compare(one, two),
            (one, two) => one.is_some().cmp(&two.is_some()),
        })
    }

    /// The order of epochs and versions only.
    pub fn order_of_versions(&self, other: &Self) -> Ordering {
        self.epoch.cmp(&other.epoch).then_with(|| compare(&self.version, &other.version))
    }
}

impl fmt::Display for Evr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.epoch != 0 {
            write!(f, "{}:", self.epoch)?;
        }
        f.write_str(&self.version)?;
        self.release.iter().try_for_each(|release| write!(f, "-{release}"))
    }
}
