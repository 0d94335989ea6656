//! Why an uploaded root cannot be used.

use crate::decompress::Compression;
use crate::rpmdb::DatabaseError;
use crate::tree::{Path, PathError, SpoolError};

/// Why an uploaded root cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChrootError {
    /// The upload ends before its time, is damaged, or its source fails.
    #[error("the uploaded root cannot be read on after {at} bytes of tar ({compression}): {source}")]
    Read {
        /// How much of the tar was read.
        at: u64,
        /// How it is compressed.
        compression: Compression,
        /// What is said.
        source: std::io::Error,
    },
    /// It is no tar archive, or a damaged one.
    #[error("the uploaded root is damaged after {at} bytes of tar: {reason}")]
    Damaged {
        /// How much of the tar was read.
        at: u64,
        /// What is wrong there.
        reason: String,
    },
    /// It ends, and its end is missing.
    #[error(
        "the uploaded root ends after {at} bytes of tar, and not with the two empty blocks that end an archive: upload it again"
    )]
    Truncated {
        /// How much there was.
        at: u64,
    },
    /// Something comes behind its end.
    #[error("something follows the end of the uploaded root, after {at} bytes of tar: upload one archive")]
    Trailing {
        /// How much of the tar there was.
        at: u64,
    },
    /// It is larger than allowed.
    #[error(
        "the uploaded root has more than {limit} {what}: leave out what no build needs; for more members and names there must be more memory"
    )]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: u64,
    },
    /// There is nothing in it.
    #[error("the uploaded root has nothing in it that is not left out")]
    Empty,
    /// A member cannot be part of an environment.
    #[error("{path} of the uploaded root is refused: {reason}")]
    Refused {
        /// The member's path, as the archive has it.
        path: String,
        /// What is wrong with it.
        reason: Refusal,
    },
    /// Files that make whoever runs them somebody else.
    #[error(
        "the uploaded root has files that run with the rights of another (set-user-id, set-group-id or capabilities) and \
         are not declared: {}. If that is meant, add their paths to `setuid` of the definition; otherwise exclude them",
        .paths.join(", ")
    )]
    Setuid {
        /// Their paths, the first hundred.
        paths: Vec<String>,
    },
    /// An exclusion names a path that is a link's, or is none.
    #[error("the exclusion of {rule} excludes nothing: {link} is a link to {target}; name the path that it leads to")]
    RuleThroughLink {
        /// The excluded path.
        rule: String,
        /// The link in it.
        link: Path,
        /// Where that leads.
        target: String,
    },
    /// An exclusion names a link to a folder, which would stay.
    #[error("the exclusion of {rule} excludes only a link: what it leads to, {target}, would stay; name that too")]
    RuleForLink {
        /// The excluded path.
        rule: String,
        /// What it leads to.
        target: Path,
    },
    /// An exclusion names what is not there.
    #[error(
        "the exclusion of {rule} excludes nothing: the uploaded root has no such path. Correct it, or take it out of the \
         definition: what is published says what was left out"
    )]
    RuleForNothing {
        /// The excluded path.
        rule: String,
    },
    /// An exclusion names a package, and nothing in the root tells which files are its.
    #[error(
        "the definition excludes the package {package}, and the uploaded root has no database of rpm in /{rpmdb} that tells \
         which files are its: exclude them by their paths"
    )]
    NoPackages {
        /// The package.
        package: String,
        /// Where the database was looked for.
        rpmdb: String,
    },
    /// Packages cannot be left out.
    #[error("the packages that the definition excludes cannot be left out of the uploaded root: {0}")]
    Packages(#[source] DatabaseError),
    /// An exclusion's path cannot be one.
    #[error("an exclusion of the definition cannot be: {0}")]
    Rule(#[source] PathError),
    /// Contents cannot be kept.
    #[error(transparent)]
    Spool(SpoolError),
}

/// What is wrong with one member.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its path begins with a slash.
    #[error("its path is absolute; make the archive by `tar -C ROOT -c .`")]
    Absolute,
    /// Its path cannot be one.
    #[error("{}", .0.reason)]
    Path(#[from] PathError),
    /// Longer than Linux allows.
    #[error("its path, or a part of it, is longer than Linux allows")]
    Long,
    /// The root itself, and no folder.
    #[error("it is the root itself, and no folder")]
    Root,
    /// Another member has this path.
    #[error("the archive has it twice")]
    Twice,
    /// It is below what is no folder.
    #[error("it is below {0}, which is no folder: who unpacks it would write through it")]
    Through(Path),
    /// A symbolic link without a target, or to what cannot be a path.
    #[error("it is a link to nothing that could be there")]
    NoTarget,
    /// A relative symbolic link out of the root.
    #[error("it is a link to {0}, which climbs out of the root; exclude it")]
    Climbs(String),
    /// A hard link out of the root.
    #[error("it is a hard link to {0}, outside of the root")]
    HardlinkOut(String),
    /// A hard link to nothing.
    #[error("it is a hard link to {0}, which the archive does not have before it")]
    HardlinkNowhere(String),
    /// A hard link to what may not be published.
    #[error("it and {other} are one file, of which the definition excludes only one: exclude both or none")]
    HardlinkExcluded {
        /// The other name.
        other: Path,
    },
    /// A hard link to what is left out for another reason.
    #[error("it is a hard link to {0}, which is left out")]
    HardlinkLeftOut(Path),
    /// A sparse file.
    #[error("it is a sparse file; make the archive without `--sparse`")]
    Sparse,
    /// Something that is not in a root.
    #[error("it is of a kind that is not in a root: type {0:?} of tar")]
    Kind(char),
    /// A link, folder or device with contents.
    #[error("it has contents and is no file")]
    Contents,
    /// An owner's number that Linux does not have.
    #[error("its owner's or group's number is larger than Linux allows")]
    Owner,
    /// Capabilities that Linux does not know.
    #[error("its capabilities are none that Linux knows")]
    Capability,
    /// Capabilities only in libarchive's own form.
    #[error(
        "its capabilities are written in libarchive's form alone; make the archive by GNU tar with `--xattrs-include='*'`"
    )]
    CapabilityForm,
}
