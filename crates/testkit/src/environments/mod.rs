//! Packages, repositories and signatures made by the tools that distributions make theirs with: `rpmbuild`,
//! `createrepo_c`, `gpg`.
//!
//! ```no_run
//! use buildhub_testkit::environments::{File, Metadata, Recipe, Workshop, createrepo};
//!
//! # fn main() -> Result<(), buildhub_testkit::environments::ToolError> {
//! let workshop = Workshop::create()?;
//! let made = workshop.build(&[
//!     Recipe::new("hello").requires("greeting >= 2").file(File::new("/usr/bin/hello", "#!/bin/sh\n").mode(0o755)),
//!     Recipe::new("greeting").version("2.1").arch("noarch"),
//! ])?;
//! createrepo(workshop.packages(), Metadata::Gzip)?;
//! # drop(made); Ok(()) }
//! ```

mod createrepo;
mod gpg;
mod large;
mod recipe;
mod rpmbuild;
mod spec;

use std::path::PathBuf;
use std::process::{Command, Output};

pub use createrepo::{Metadata, createrepo, createrepo_by};
pub use gpg::Signer;
pub use large::{large_name, large_repository};
pub use recipe::{File, Payload, Recipe};
pub use rpmbuild::Workshop;

/// A tool that could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It cannot be started.
    #[error("{tool} cannot be run: {source}; install the Debian package {package}")]
    Start {
        /// The tool.
        tool: String,
        /// The package that has it.
        package: &'static str,
        /// What the system says.
        source: std::io::Error,
    },
    /// It ended with an error.
    #[error("{tool} failed ({status}):\n{output}")]
    Failed {
        /// The tool.
        tool: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it wrote.
        output: String,
    },
    /// A file of the test cannot be written or read.
    #[error("{what}: {source}")]
    Io {
        /// What was being done.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl ToolError {
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// A Debian root as debootstrap makes it, in a tar archive that is not compressed, where `make setup` could make one: that
/// takes root's rights.
pub fn debian_root() -> Option<PathBuf> {
    Some(crate::process::root().join(".tools/debian-root/root.tar")).filter(|path| path.is_file())
}

/// Runs a tool to its end; anything but success is an error with all that it wrote.
pub fn run(command: &mut Command, package: &'static str) -> Result<Output, ToolError> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let started = command.env("LC_ALL", "C.UTF-8").output();
    let output = started.map_err(|source| ToolError::Start { tool: tool.clone(), package, source })?;
    if output.status.success() {
        return Ok(output);
    }
    let text = [output.stdout, output.stderr].concat();
    Err(ToolError::Failed { tool, status: output.status, output: String::from_utf8_lossy(&text).into_owned() })
}
