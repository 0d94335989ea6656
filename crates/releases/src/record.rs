//! The record of a build, in the shape of the collection's schema.

use serde::{Deserialize, Serialize};

use crate::Os;

/// A record: one archive of one build.
///
/// Serialises to exactly what the collection's schema allows: absent facts are left out. Reading is tolerant: the
/// fields a store adds (`last_modified`, `schema`) are passed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The id, see [`Archive::id`](crate::Archive::id).
    pub id: String,
    /// Where the code came from.
    pub source: Source,
    /// For whom it was built.
    pub target: Target,
    /// How it was built; `None` while no metadata is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// What can be downloaded.
    pub download: Download,
}

impl Record {
    /// The same build as one of the beta channel, for a release of Firefox; `None` for any other.
    ///
    /// People on beta get the release candidates and the release too, so who asks for the builds of beta (crash
    /// statistics, above all) wants them among these. Its id says beta, which no other archive's can with a version
    /// that is none of beta's.
    pub fn as_beta(&self) -> Option<Self> {
        let rest = self.id.strip_prefix("firefox_")?;
        let is_beta_by_key = rest.starts_with("beta_");
        if self.source.product != "firefox" || self.target.channel != "release" || is_beta_by_key {
            return None;
        }
        let target = Target { channel: "beta".to_owned(), ..self.target.clone() };
        Some(Self { id: beta_id(rest), target, ..self.clone() })
    }
}

/// The id of a release of Firefox as one of the beta channel, from what follows the product in its own.
pub(crate) fn beta_id(rest: &str) -> String {
    format!("firefox_beta_{rest}")
}

/// Where the code of a build came from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Source {
    /// `firefox`, `thunderbird`, `fennec`, `devedition`, …
    pub product: String,
    /// The repository's path: `releases/mozilla-beta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Box<str>>,
    /// The repository: `https://hg.mozilla.org/releases/mozilla-beta`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Box<str>>,
    /// The changeset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Box<str>>,
}

/// For whom a build is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// `macosx`, `win64`, `linux-x86_64`, `android-api-15`, …
    pub platform: String,
    /// The operating system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<Os>,
    /// `50.0b11`, `50.0b11rc2`, `57.0a1`; see [`Version`](crate::Version) for the order.
    pub version: String,
    /// `release`, `beta`, `nightly`, …
    pub channel: String,
    /// `en-US`, `ja-JP-mac`, `multi`, …
    pub locale: String,
}

/// How and when a build was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Build {
    /// The build id: the time of the build, 14 digits as a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Box<str>>,
    /// The time of the build, UTC: `2016-10-27T11:05:34Z`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<Box<str>>,
    /// Which candidate of its version it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The assembler.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub assembler: Option<Box<str>>,
    /// The linker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ld: Option<Box<str>>,
    /// The C compiler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cc: Option<Box<str>>,
    /// The C++ compiler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cxx: Option<Box<str>>,
    /// The machine it was built on: `x86_64-pc-linux-gnu`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Box<str>>,
    /// The machine it was built for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<str>>,
}

/// What can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Download {
    /// The archive's address, spaces as they are in the key.
    pub url: String,
    /// See [`Extension::mimetype`](crate::Extension::mimetype).
    pub mimetype: String,
    /// Bytes.
    pub size: u64,
    /// When the object was stored, UTC: `2016-10-28T00:56:42Z`.
    pub date: String,
}
