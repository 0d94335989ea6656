//! What the law asks of whoever publishes: which licence each package has, where its source is, what was left out and why.
//!
//! Three documents, each canonical JSON (RFC 8785), the same bytes for the same lock: the list of licences, the bill of
//! materials ([SPDX 2.3](https://spdx.github.io/spdx-spec/v2.3/)), and the list of source packages. They are made of
//! [`Component`]s, which are packages of rpm (from the lock, or from the database in a root) or of dpkg (from a Debian root).
//!
//! **The same place.** Licences such as the GPL let a publisher who offers binaries by a server offer the sources by the
//! same server. So a source package counts as offered when it is at hand by its hash, for then it is published too, as
//! `srpms/<sha256>.src.rpm`; a link to somebody else's server does not count. What happens with the others is the
//! definition's choice ([`SourcesPolicy`]). Source packages of dpkg, which are several files each, are listed and never at
//! hand. Keys that rpm keeps among its packages have no source, and are none.

mod component;
mod dpkg;
mod licence;
mod sbom;
mod sources;

use serde::Serialize;

pub use component::{Component, Manager};
pub use dpkg::{DpkgError, components as dpkg};
pub use sources::{Source, Sources};

use crate::definition::{Exclude, SourceKind, SourcesPolicy};
use crate::lock::Identity;
use crate::rpmdb::{self, DatabaseError};
use crate::tree::{Entries, Spool};

/// The documents of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// The list of licences.
    pub licences: Vec<u8>,
    /// The bill of materials.
    pub sbom: Vec<u8>,
    /// The list of source packages.
    pub sources: Vec<u8>,
    /// Packages whose source is not offered, and that are published nevertheless.
    pub missing: Vec<String>,
}

/// Why there are no documents, and so no environment.
#[derive(Debug, thiserror::Error)]
pub enum LegalError {
    /// Sources are missing, and the definition wants them all.
    #[error(
        "{} packages have no source package that could be published with them: {}{}. {advice}exclude them, or allow it \
         (`sources = \"warn\"`)",
        .packages.len(), .packages.iter().take(20).cloned().collect::<Vec<_>>().join(", "),
        if .packages.len() > 20 { ", …" } else { "" }
    )]
    Missing {
        /// The packages.
        packages: Vec<String>,
        /// What else can be done, where there is something.
        advice: &'static str,
    },
    /// Nothing tells which packages a root is of, and the definition wants all sources.
    #[error(
        "which packages the uploaded root is of is not known: it has no package in a database of rpm (/{rpmdb}) or of dpkg \
         (/{}). Say where rpm's is (`rpmdb`), do not exclude it, or allow it (`sources = \"warn\"`)",
        dpkg::STATUS
    )]
    Unknown {
        /// Where rpm's was looked for.
        rpmdb: String,
    },
    /// The environment's time cannot be told.
    #[error("{0} seconds since 1970 is no time: correct the definition's `clamp_time`")]
    Time(i64),
    /// They cannot be made JSON.
    #[error("the environment's documents cannot be written: {0}")]
    Json(#[source] serde_json::Error),
}

/// Why the packages of an environment cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum ComponentsError {
    /// dpkg's database in its root.
    #[error(transparent)]
    Dpkg(#[from] DpkgError),
    /// rpm's database in its root.
    #[error(transparent)]
    Rpm(#[from] DatabaseError),
}

/// The packages of an environment: those of its lock, or those that the databases in its root have.
pub fn components(identity: &Identity, entries: &Entries, spool: &Spool) -> Result<Vec<Component>, ComponentsError> {
    match identity.source {
        SourceKind::RpmRepo => Ok(Component::of_lock(&identity.packages)),
        SourceKind::ChrootTar => {
            let sources = identity.root_sources.iter().map(|source| (source.file.as_str(), source)).collect();
            let installed = rpmdb::list(entries, spool, &identity.rpmdb)?.unwrap_or_default();
            let packages = installed.into_iter().filter(|record| !record.is_key());
            let mut components: Vec<_> = packages.map(|record| Component::of_record(record, &sources)).collect();
            components.extend(dpkg(entries, spool)?);
            Ok(components)
        }
    }
}

/// What the documents say of a root with files, and without packages that these could be of.
const UNKNOWN: &str =
    "No database of rpm or dpkg in it has a package: whose the files are, and under which licences, is not known.";

/// Makes the documents of the environment whose lock has this key. `created` is the time that they tell, in seconds since
/// 1970.
pub fn documents(
    key: &str,
    identity: &Identity,
    created: i64,
    components: &[Component],
) -> Result<Documents, LegalError> {
    let mut components: Vec<&Component> = components.iter().collect();
    components.sort();
    components.dedup();
    let sources = sources::sources(&components);
    let missing = sources.missing.clone();
    let is_unknown = identity.source == SourceKind::ChrootTar && components.is_empty();
    if is_unknown && identity.sources == SourcesPolicy::Refuse {
        return Err(LegalError::Unknown { rpmdb: identity.rpmdb.clone() });
    }
    if identity.sources == SourcesPolicy::Refuse && !missing.is_empty() {
        let advice = match identity.source {
            SourceKind::RpmRepo => "Name the repository of sources in the definition (`sources` of a `[[repo]]`), ",
            SourceKind::ChrootTar => {
                "Name the repository of sources in the definition (`sources` of a `[[repo]]`; those of what dpkg installed \
                 are not looked for), "
            }
        };
        return Err(LegalError::Missing { packages: missing, advice });
    }
    let packages = components.iter().map(|component| Line::new(component)).collect();
    let note = is_unknown.then_some(UNKNOWN);
    let licences = Licences { environment: key, arch: &identity.arch, packages, excluded: &identity.excludes, note };
    Ok(Documents {
        licences: json(&licences)?,
        sbom: json(&sbom::sbom(key, identity, created, &components, note)?)?,
        sources: json(&sources)?,
        missing,
    })
}

fn json(document: &impl Serialize) -> Result<Vec<u8>, LegalError> {
    serde_json_canonicalizer::to_vec(document).map_err(LegalError::Json)
}

/// The list of licences.
#[derive(Serialize)]
struct Licences<'a> {
    /// The key of its lock.
    environment: &'a str,
    arch: &'a str,
    packages: Vec<Line<'a>>,
    /// What was left out, and why.
    excluded: &'a [Exclude],
    /// That the packages are not known, where they are not.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

/// A package's line in it.
#[derive(Serialize)]
struct Line<'a> {
    package: String,
    /// As the package says, where it says anything.
    licence: Option<&'a str>,
    /// The same, where it is an SPDX expression.
    spdx: Option<&'a str>,
    /// Whether a licence in it is copyleft; unknown where it is no SPDX expression.
    copyleft: Option<bool>,
    source: Option<&'a str>,
}

impl<'a> Line<'a> {
    fn new(component: &'a Component) -> Self {
        let licence = component.licence.as_deref();
        let spdx = licence.and_then(licence::expression);
        Self {
            package: component.to_string(),
            licence,
            copyleft: spdx.as_ref().map(licence::is_copyleft),
            spdx: licence.filter(|_| spdx.is_some()),
            source: component.source.as_ref().map(|source| source.file.as_str()),
        }
    }
}

#[cfg(test)]
mod tests;
