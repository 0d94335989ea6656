//! A folder of packages as a repository.

use std::path::Path;
use std::process::Command;

use super::{ToolError, run};

/// How a repository's metadata is compressed. Debian 12's `createrepo_c` knows no zstd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Metadata {
    #[default]
    Gzip,
    Bzip2,
    Xz,
}

/// Makes `repodata/` in a folder of packages: a repository whose address is that folder. The same packages give the same
/// metadata.
pub fn createrepo(folder: &Path, compressed: Metadata) -> Result<(), ToolError> {
    createrepo_by("sha256", folder, compressed)
}

/// The same, with another checksum by which metadata and packages are known: `sha512`.
pub fn createrepo_by(checksum: &str, folder: &Path, compressed: Metadata) -> Result<(), ToolError> {
    let compressed = match compressed {
        Metadata::Gzip => "gz",
        Metadata::Bzip2 => "bz2",
        Metadata::Xz => "xz",
    };
    let mut createrepo = Command::new("createrepo_c");
    createrepo.args(["--quiet", "--no-database", "--revision=1", "--set-timestamp-to-revision"]);
    createrepo.arg(format!("--checksum={checksum}"));
    createrepo.arg(format!("--general-compress-type={compressed}")).arg(folder);
    run(&mut createrepo, "createrepo-c").map(drop)
}
