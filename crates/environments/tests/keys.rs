//! Keys whose owners changed what they say of them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::process::Command;

use buildhub_environments::keys::Keys;
use tempfile::TempDir;

const DATA: &[u8] = b"what is signed";

/// A key ring.
struct Ring(TempDir);

impl Ring {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// gpg on a day.
    fn on(&self, day: &str, arguments: &[&str]) -> Vec<u8> {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.0.path()).args(["--batch", "--no-tty", "--passphrase", ""]);
        gpg.args(["--pinentry-mode", "loopback", "--faked-system-time", &format!("{day}T000000!")]);
        let output = gpg.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn fingerprint(&self) -> String {
        let listed = String::from_utf8(self.on("20210601", &["--with-colons", "--list-keys"])).unwrap();
        let line = listed.lines().find(|line| line.starts_with("fpr")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    }

    fn export(&self) -> Vec<u8> {
        self.on("20200115", &["--export"])
    }

    fn import(&self, key: &[u8]) {
        let file = self.0.path().join("key");
        std::fs::write(&file, key).unwrap();
        self.on("20200115", &["--import", file.to_str().unwrap()]);
    }

    fn sign(&self, day: &str) -> Vec<u8> {
        let file = self.0.path().join("data");
        std::fs::write(&file, DATA).unwrap();
        self.on(day, &["--output", "-", "--detach-sign", file.to_str().unwrap()])
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status();
    }
}

fn verify(key: &[u8], signature: &[u8]) -> Result<String, String> {
    let mut keys = Keys::default();
    keys.add(key).unwrap();
    keys.verify(signature, DATA).map_err(|error| error.to_string())
}

/// A key that has all that was ever said of it, as key servers hand them out.
fn together(keys: [&[u8]; 2]) -> Vec<u8> {
    let ring = Ring::new();
    for key in keys {
        ring.import(key);
    }
    let both = ring.export();
    assert!(both.len() > keys[0].len().max(keys[1].len()), "both are in it");
    both
}

/// RFC 9580, section 5.2.3.10: of several things that a key says of itself, the latest counts.
#[test]
fn a_keys_life_is_as_long_as_it_said_last_shorter_or_longer_than_before() {
    // The days on which what counts is the key's own word, and its subkey's.
    for is_subkey in [false, true] {
        let ring = Ring::new();
        let life = |is_this: bool, life: &'static str| if is_this { life } else { "never" };
        ring.on("20200101", &["--quick-gen-key", "signer", "ed25519", "sign", life(!is_subkey, "2y")]);
        let fingerprint = ring.fingerprint();
        if is_subkey {
            ring.on("20200101", &["--quick-add-key", &fingerprint, "ed25519", "sign", "2y"]);
        }
        let change = |day: &str, life: &str| {
            let every: &[&str] = if is_subkey { &["*"] } else { &[] };
            ring.on(day, &[&["--quick-set-expire", &fingerprint, life], every].concat());
            ring.export()
        };
        let (first, signature) = (ring.export(), ring.sign("20210601"));
        verify(&first, &signature).unwrap();

        let shortened = change("20200110", "30d");
        let both = together([&first, &shortened]);
        let error = verify(&both, &signature).unwrap_err();
        assert!(error.contains("the key was out of date when it signed"), "{error}");
        verify(&both, &ring.sign("20200120")).unwrap();

        let extended = change("20200115", "3y");
        assert!(verify(&shortened, &signature).is_err());
        verify(&together([&shortened, &extended]), &signature).unwrap();
    }
}
