//! Packages of an environment, whoever installed them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::lock::{self, SourcePackage};
use crate::rpmdb::Record;

/// What installs packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Manager {
    /// rpm.
    Rpm,
    /// dpkg.
    Dpkg,
}

/// A package of an environment. Its order is that of documents: by name, then version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// The whole version as its manager writes it: `1:2.3-4`.
    pub version: String,
    /// Its architecture.
    pub arch: String,
    /// What installs it.
    pub manager: Manager,
    /// Its licence, as it says.
    pub licence: Option<String>,
    /// The source package that it was built from.
    pub source: Option<SourcePackage>,
    /// The SHA-256 of its file, where that is known.
    pub sha256: Option<String>,
}

impl Component {
    /// Those of a lock.
    pub fn of_lock(packages: &[lock::Package]) -> Vec<Self> {
        packages.iter().map(Self::of_package).collect()
    }

    fn of_package(package: &lock::Package) -> Self {
        let lock::Package { name, epoch, version, release, arch, sha256, licence, source, .. } = package;
        Self {
            name: name.clone(),
            version: rpm_version(*epoch, version, release),
            arch: arch.clone(),
            manager: Manager::Rpm,
            licence: Some(licence.clone()).filter(|licence| !licence.is_empty()),
            source: source.clone(),
            sha256: Some(sha256.clone()),
        }
    }

    /// One of rpm's database in a root. It names its source package by the file; those that are at hand are `sources`, by
    /// that name.
    pub(super) fn of_record(record: Record, sources: &BTreeMap<&str, &SourcePackage>) -> Self {
        let Record { name, epoch, version, release, arch, licence, source } = record;
        let at_hand = |file: String| match sources.get(file.as_str()) {
            Some(source) => (*source).clone(),
            None => SourcePackage::named(file),
        };
        Self {
            name,
            version: rpm_version(epoch, &version, &release),
            arch: arch.unwrap_or_else(|| "noarch".into()),
            manager: Manager::Rpm,
            licence,
            source: source.map(at_hand),
            sha256: None,
        }
    }

    /// Its package URL (purl), by which other tools know it.
    pub fn purl(&self) -> String {
        let escape = |text: &str| {
            text.bytes().fold(String::new(), |mut url, byte| {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => url.push(char::from(byte)),
                    byte => {
                        let _ = write!(url, "%{byte:02X}");
                    }
                }
                url
            })
        };
        let (name, arch) = (escape(&self.name), escape(&self.arch));
        match (self.manager, self.version.split_once(':')) {
            (Manager::Rpm, Some((epoch, version))) => {
                format!("pkg:rpm/{name}@{}?arch={arch}&epoch={}", escape(version), escape(epoch))
            }
            (Manager::Rpm, None) => format!("pkg:rpm/{name}@{}?arch={arch}", escape(&self.version)),
            (Manager::Dpkg, _) => format!("pkg:deb/debian/{name}@{}?arch={arch}", escape(&self.version)),
        }
    }
}

/// `epoch:version-release`, without an epoch of 0.
fn rpm_version(epoch: u32, version: &str, release: &str) -> String {
    if epoch == 0 { format!("{version}-{release}") } else { format!("{epoch}:{version}-{release}") }
}

impl std::fmt::Display for Component {
    /// As its manager writes it: `make-4.4-1.x86_64`, `make_4.4-1_amd64`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, version, arch, .. } = self;
        match self.manager {
            Manager::Rpm => write!(f, "{name}-{version}.{arch}"),
            Manager::Dpkg => write!(f, "{name}_{version}_{arch}"),
        }
    }
}
