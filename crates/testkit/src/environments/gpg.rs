//! Keys, and what is signed with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::{ToolError, run};

/// An `OpenPGP` key, in a key ring of its own that is gone when this is dropped.
#[derive(Debug)]
pub struct Signer {
    home: TempDir,
}

impl Signer {
    /// A new key for `name@signer.example`. `algorithm` by gpg's name: `ed25519`, `rsa3072`, `nistp256`.
    pub fn create(name: &str, algorithm: &str) -> Result<Self, ToolError> {
        let home = tempfile::Builder::new().prefix("gpg").tempdir().map_err(ToolError::io("make a key ring"))?;
        let signer = Self { home };
        let user = format!("{name}@signer.example");
        run(
            signer.gpg().args(["--passphrase", "", "--quick-generate-key", &user, algorithm, "sign", "never"]),
            "gnupg",
        )?;
        Ok(signer)
    }

    /// The public key in ASCII armour.
    pub fn public_key(&self) -> Result<Vec<u8>, ToolError> {
        Ok(run(self.gpg().args(["--armor", "--export"]), "gnupg")?.stdout)
    }

    /// Signs a file; the signature, in ASCII armour, is the file beside it with `.asc` behind its name.
    pub fn sign_file(&self, file: &Path) -> Result<PathBuf, ToolError> {
        run(self.gpg().args(["--yes", "--armor", "--detach-sign"]).arg(file), "gnupg")?;
        let mut signature = file.as_os_str().to_owned();
        signature.push(".asc");
        Ok(signature.into())
    }

    /// Takes a package's signatures away.
    pub fn unsign_package(package: &Path) -> Result<(), ToolError> {
        run(Command::new("rpmsign").arg("--delsign").arg(package), "rpm").map(drop)
    }

    /// Signs a package, in place.
    pub fn sign_package(&self, package: &Path) -> Result<(), ToolError> {
        let mut rpmsign = Command::new("rpmsign");
        rpmsign.env("GNUPGHOME", self.home.path()).arg("--addsign");
        // Not every distribution has it where rpm looks for it.
        rpmsign.args(["--define", "_gpg_name @signer.example", "--define", "__gpg /usr/bin/gpg"]).arg(package);
        run(&mut rpmsign, "rpm").map(drop)
    }

    fn gpg(&self) -> Command {
        let mut gpg = Command::new("gpg");
        gpg.args(["--batch", "--quiet", "--no-tty", "--homedir"]).arg(self.home.path());
        gpg
    }
}

impl Drop for Signer {
    /// gpg leaves an agent behind for each key ring.
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output();
    }
}
