//! What people write: an environment's definition, in TOML.
//!
//! Labels say who uses an environment. They do not change what it is, so they have no part in its lock.

mod check;
mod decisions;
mod error;
mod values;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub(crate) use check::{MIRROR, anywhere, is_mirror, shown};
pub(crate) use decisions::Decisions;
pub use decisions::PHASES;
pub use error::DefinitionError;
pub(crate) use values::{WORD, is_package, is_sha256, is_word};

/// An environment as its release team describes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// What it is made of.
    pub environment: Environment,
    /// Where packages come from (`rpm-repo`) and source packages, and the public mirrors that are written into the
    /// environment.
    #[serde(default, rename = "repo")]
    pub repos: Vec<Repo>,
    /// What stays out, and why.
    #[serde(default, rename = "exclude")]
    pub excludes: Vec<Exclude>,
    /// What stands in for scriptlets.
    #[serde(default, rename = "scriptlet")]
    pub scriptlets: Vec<Scriptlet>,
    /// Links that stand in for alternatives.
    #[serde(default, rename = "alternative")]
    pub alternatives: Vec<Alternative>,
    /// Users that the environment has beside those its files bring.
    #[serde(default, rename = "user")]
    pub users: Vec<User>,
    /// Groups, likewise.
    #[serde(default, rename = "group")]
    pub groups: Vec<Group>,
    /// Who uses it.
    #[serde(default, rename = "label")]
    pub labels: Vec<Label>,
}

impl Definition {
    /// Reads a definition and checks it. `file` is what errors call it.
    pub fn parse(text: &str, file: &str) -> Result<Self, DefinitionError> {
        let syntax = |error: toml::de::Error| DefinitionError::Syntax {
            file: file.to_owned(),
            reason: error.to_string().trim_end().to_owned(),
        };
        let definition: Self = toml::from_str(text).map_err(syntax)?;
        check::check(&definition, file)?;
        Ok(definition)
    }
}

/// The table `[environment]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Where its files come from.
    pub source: SourceKind,
    /// The architecture, by rpm's name: `x86_64`, `aarch64`.
    pub arch: String,
    /// What is asked for of the repositories (`rpm-repo`): names, `name-version`, files, or anything provided.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Whether what packages recommend is taken too (`rpm-repo`).
    #[serde(default)]
    pub weak: bool,
    /// The uploaded root (`chroot-tar`): a path beside the definition, or an `s3://` or `https://` address. A tar archive,
    /// plain or compressed by gzip, bzip2, xz or zstd.
    pub root: Option<String>,
    /// The root's SHA-256 where only one root will do.
    pub root_sha256: Option<String>,
    /// No file is dated later than this. Without it: the newest package's build time (`rpm-repo`), the files' own times
    /// (`chroot-tar`).
    pub clamp_time: Option<Timestamp>,
    /// Where rpm's database is in the environment, without a leading slash.
    #[serde(default = "rpmdb")]
    pub rpmdb: String,
    /// Files of these absolute paths may have the set-user-id or set-group-id bit, and in an uploaded root capabilities;
    /// others are refused.
    #[serde(default)]
    pub setuid: Vec<String>,
    /// Whether an OCI image layout is published beside the archive.
    #[serde(default)]
    pub oci: bool,
    /// What happens where a source package is missing.
    #[serde(default)]
    pub sources: SourcesPolicy,
}

fn rpmdb() -> String {
    "var/lib/rpm".into()
}

/// Where an environment's files come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceKind {
    /// Packages of repositories, resolved and merged.
    RpmRepo,
    /// A root that a builder uploaded.
    ChrootTar,
}

/// What happens where the source package of a published package is not at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourcesPolicy {
    /// Nothing is published.
    Refuse,
    /// It is published, and the list of sources says what is missing.
    #[default]
    Warn,
}

/// A repository of packages, by its `repodata/repomd.xml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repo {
    /// A short name, unique in the definition: `base`.
    pub id: String,
    /// Its address: the folder that `repodata/` is in. `https://`, `http://`, `s3://`, or a path beside the definition.
    pub url: String,
    /// Keys of which one must have signed metadata, packages and source packages, each `sha256:` and the hash of its file; the file is
    /// `keys/<hash>.asc` beside the definition. None: nothing is asked of signatures.
    #[serde(default)]
    pub gpg_keys: Vec<String>,
    /// The repository of source packages that belongs to it, an address likewise. In it those are looked for that packages,
    /// or rpm's database in an uploaded root, say they were built from.
    pub sources: Option<String>,
    /// The public address that the environment's own repository file names instead of `url`.
    pub mirror: Option<String>,
    /// Whether a repository that has modules is used as if it had none. dnf hides the packages of streams that are not
    /// enabled; here all are seen, and the newest wins.
    #[serde(default)]
    pub ignore_modules: bool,
}

/// Something that stays out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// A package's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// Or an absolute path: it and all below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why; published.
    pub reason: String,
}

/// What stands in for a package's scriptlet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scriptlet {
    /// The package's name.
    pub package: String,
    /// When rpm would run it: `pre`, `post`, `preun`, `postun`, `pretrans`, `posttrans`, `preuntrans`, `postuntrans`,
    /// `verify`, `trigger`, `filetrigger`, `transfiletrigger`.
    pub phase: String,
    /// What is done instead.
    pub action: Action,
}

/// What is done instead of a scriptlet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Nothing: whoever wrote the definition looked at it and says that the environment works without.
    Acknowledge,
    /// `ldconfig`: links from the names that programs ask for to the libraries.
    Ldconfig,
    /// The users and groups it would make are those of the definition.
    Users,
    /// The alternatives it would register become links: those of the definition's `[[alternative]]`.
    Alternatives,
}

/// A link that stands in for what `alternatives` would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alternative {
    /// The absolute path of the link: `/usr/bin/ld`.
    pub link: String,
    /// What it leads to: `/usr/bin/ld.bfd`.
    pub target: String,
}

/// A user: a line of `etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
    /// Its home.
    #[serde(default = "home")]
    pub home: String,
    /// Its shell.
    #[serde(default = "shell")]
    pub shell: String,
}

fn home() -> String {
    "/".into()
}

fn shell() -> String {
    "/sbin/nologin".into()
}

/// A group: a line of `etc/group`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The number.
    pub gid: u32,
}

/// Who uses an environment. Each part is a word of letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Label {
    /// The branch: `mozilla-central`.
    pub branch: String,
    /// The platform: `linux64`.
    pub platform: String,
    /// The product: `firefox`.
    pub product: String,
    /// The build type, where there are several: `opt`, `debug`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_type: Option<String>,
    /// The channel, where there are several: `nightly`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
}

impl fmt::Display for Label {
    /// `mozilla-central/linux64/firefox`, then build type and channel where they are said; a `-` stands for a build type
    /// that is not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.branch, self.platform, self.product)?;
        match (&self.build_type, &self.channel) {
            (None, None) => Ok(()),
            (Some(build_type), None) => write!(f, "/{build_type}"),
            (build_type, Some(channel)) => write!(f, "/{}/{channel}", build_type.as_deref().unwrap_or("-")),
        }
    }
}

#[cfg(test)]
mod tests;
