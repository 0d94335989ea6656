//! Repositories that are damaged, changed, weak, or signed by somebody else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::metadata::{self, digits, package};
use super::places;
use buildhub_core::store::Location;
use buildhub_environments::definition::Repo;
use buildhub_environments::repo::{self, Budget, Limits, Repository};

/// A folder with a repository `repo` in it.
fn folder(ending: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    metadata::write(&folder.path().join("repo"), &[package("a"), package("b")], ending);
    folder
}

fn open(folder: &Path, gpg_keys: &[&str], limits: Limits) -> Result<Repository, String> {
    opened(folder, gpg_keys, limits, false)
}

fn opened(folder: &Path, gpg_keys: &[&str], limits: Limits, ignore_modules: bool) -> Result<Repository, String> {
    let gpg_keys = gpg_keys.iter().map(ToString::to_string).collect();
    let repo = Repo { id: "base".into(), url: "repo/".into(), gpg_keys, sources: None, mirror: None, ignore_modules };
    let (places, beside) = (places(), Location::Folder(folder.into()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let keys = repo::keys(&repo, &places, &beside).await.map_err(|error| error.to_string())?;
        let opened =
            Repository::open(&repo, &places, &beside, &keys, folder, limits, &mut Budget::new(limits.memory)).await;
        opened.map_err(|error| error.to_string())
    })
}

fn refusal(folder: &Path, gpg_keys: &[&str]) -> String {
    open(folder, gpg_keys, Limits::default()).unwrap_err()
}

#[test]
fn metadata_that_are_not_what_was_announced_are_refused() {
    for ending in super::ENDINGS {
        let folder = folder(ending);
        let primary = folder.path().join(format!("repo/repodata/primary.xml{ending}"));
        assert_eq!(open(folder.path(), &[], Limits::default()).unwrap().packages.len(), 2);
        let whole = fs::read(&primary).unwrap();

        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        fs::write(&primary, changed).unwrap();
        let error = refusal(folder.path(), &[]);
        assert!(error.contains("primary.xml") && error.contains("its checksum is"), "{error}");

        fs::write(&primary, &whole[..whole.len() - 1]).unwrap();
        assert!(refusal(folder.path(), &[]).contains("its size in bytes is"), "{}", refusal(folder.path(), &[]));

        fs::remove_file(&primary).unwrap();
        assert!(refusal(folder.path(), &[]).contains("primary.xml"));
    }
}

/// `modifyrepo_c --mdtype modules` adds such an entry.
#[test]
fn a_repository_with_modules_is_refused_until_the_definition_says_what_that_means() {
    let folder = folder(super::ENDINGS[0]);
    let file = folder.path().join("repo/repodata/repomd.xml");
    let modules = format!(
        "<data type=\"modules\"><checksum type=\"sha256\">{}</checksum><location href=\"repodata/modules.yaml\"/></data></repomd>",
        "0".repeat(64)
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("</repomd>", &modules)).unwrap();
    let error = refusal(folder.path(), &[]);
    assert!(error.contains("it has modules") && error.contains("ignore_modules = true"), "{error}");
    assert_eq!(opened(folder.path(), &[], Limits::default(), true).unwrap().packages.len(), 2);
}

#[test]
fn what_is_compressed_wrong_is_refused_though_its_checksum_is_right() {
    for ending in super::ENDINGS {
        let folder = folder(ending);
        let repodata = folder.path().join("repo/repodata");
        let primary = repodata.join(format!("primary.xml{ending}"));
        let whole = fs::read(&primary).unwrap();
        let cut = &whole[..whole.len() - 20];
        fs::write(&primary, cut).unwrap();
        let repomd = fs::read_to_string(repodata.join("repomd.xml")).unwrap();
        let size = |bytes: &[u8]| format!("<size>{}</size>", bytes.len());
        let repomd = repomd.replace(&digits(&whole), &digits(cut)).replace(&size(&whole), &size(cut));
        fs::write(repodata.join("repomd.xml"), repomd).unwrap();
        let error = refusal(folder.path(), &[]);
        assert!(error.contains("primary.xml") && !error.contains("checksum"), "{error}");
    }
}

#[test]
fn there_is_an_end_to_how_much_metadata_a_repository_may_have() {
    let folder = folder(".xz");
    for (limits, word) in [
        (Limits { compressed: 100, ..Limits::default() }, "larger than"),
        (Limits { plain: 1000, ..Limits::default() }, "more of it than may be"),
        (Limits { packages: 1, ..Limits::default() }, "more than 1 packages"),
        (Limits { memory: 2000, ..Limits::default() }, "raise ENVIRONMENTS_MEMORY"),
    ] {
        let error = open(folder.path(), &[], limits).unwrap_err();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn a_repository_with_weak_checksums_is_refused() {
    let folder = folder("");
    let path = folder.path().join("repo/repodata/repomd.xml");
    let repomd = fs::read_to_string(&path).unwrap();
    for weak in ["sha", "sha1", "md5"] {
        fs::write(&path, repomd.replace("type=\"sha256\"", &format!("type=\"{weak}\""))).unwrap();
        let error = refusal(folder.path(), &[]);
        assert!(error.contains("createrepo_c --checksum sha256"), "{error}");
    }
}

/// A person with a key.
struct Signer {
    home: tempfile::TempDir,
    public: Vec<u8>,
}

impl Signer {
    fn new(name: &str, algorithm: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut signer = Self { home, public: Vec::new() };
        signer.gpg(&["--quick-gen-key", name, algorithm, "sign", "never"]);
        signer.public = signer.gpg(&["--armor", "--export", name]);
        signer
    }

    fn gpg(&self, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path()).args(["--batch", "--no-tty", "--passphrase", ""]);
        let output = command.args(["--pinentry-mode", "loopback"]).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Signs a repository.
    fn sign(&self, folder: &Path, more: &[&str]) {
        let repomd: PathBuf = folder.join("repo/repodata/repomd.xml");
        let signature = format!("{}.asc", repomd.display());
        let _ = fs::remove_file(&signature);
        let mut arguments = more.to_vec();
        let repomd = repomd.display().to_string();
        arguments.extend(["--armor", "--output", &signature, "--detach-sign", &repomd]);
        self.gpg(&arguments);
    }

    /// Puts the key beside the definition; its name.
    fn offer(&self, folder: &Path) -> String {
        let digits = digits(&self.public);
        fs::create_dir_all(folder.join("keys")).unwrap();
        fs::write(folder.join(format!("keys/{digits}.asc")), &self.public).unwrap();
        format!("sha256:{digits}")
    }
}

impl Drop for Signer {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).status();
    }
}

#[test]
fn a_repository_is_used_only_if_a_key_that_the_definition_names_has_signed_it() {
    let (folder, ours, theirs) = (folder(".gz"), Signer::new("ours", "rsa3072"), Signer::new("theirs", "ed25519"));
    let (key, other) = (ours.offer(folder.path()), theirs.offer(folder.path()));
    let (path, all) = (folder.path(), Limits::default());

    let error = refusal(path, &[&key]);
    assert!(error.contains("repomd.xml.asc") && error.contains("must be signed"), "{error}");

    ours.sign(path, &[]);
    let signed_by = open(path, &[&key], all).unwrap().signed_by.unwrap();
    let listed = String::from_utf8(ours.gpg(&["--with-colons", "--list-keys"])).unwrap();
    assert!(listed.to_lowercase().contains(&signed_by), "{listed} {signed_by}");
    assert_eq!(open(path, &[&other, &key], all).unwrap().signed_by, Some(signed_by.clone()));
    assert_eq!(open(path, &[], all).unwrap().signed_by, None);

    let error = refusal(path, &[&other]);
    assert!(error.contains(&signed_by) && error.contains("none of those that the definition names"), "{error}");

    theirs.sign(path, &[]);
    open(path, &[&other], all).unwrap();

    ours.sign(path, &[]);
    let repomd = path.join("repo/repodata/repomd.xml");
    let whole = fs::read_to_string(&repomd).unwrap();
    fs::write(&repomd, whole.replace("<revision>1<", "<revision>2<")).unwrap();
    assert!(refusal(path, &[&key]).contains("does not hold"), "{}", refusal(path, &[&key]));
    fs::write(&repomd, whole).unwrap();

    ours.sign(path, &["--digest-algo", "SHA1"]);
    assert!(refusal(path, &[&key]).contains("too weak"), "{}", refusal(path, &[&key]));

    fs::write(path.join("repo/repodata/repomd.xml.asc"), "no signature").unwrap();
    assert!(refusal(path, &[&key]).contains("no OpenPGP signature"), "{}", refusal(path, &[&key]));
}

#[test]
fn a_key_is_what_its_name_says_and_none_is_taken_after_it_was_revoked() {
    let (folder, signer) = (folder(""), Signer::new("signer", "ed25519"));
    let key = signer.offer(folder.path());
    signer.sign(folder.path(), &[]);
    open(folder.path(), &[&key], Limits::default()).unwrap();

    let file = folder.path().join(format!("keys/{}.asc", &key["sha256:".len()..]));
    fs::write(&file, b"another").unwrap();
    assert!(refusal(folder.path(), &[&key]).contains("its checksum is"));
    fs::remove_file(&file).unwrap();
    assert!(refusal(folder.path(), &[&key]).contains("beside the definition"));
    assert!(refusal(folder.path(), &["sha256:12"]).contains("no checksum"));

    // gpg keeps a revocation for each key it makes, with a colon before it so that none is used by accident.
    let revocations = fs::read_dir(signer.home.path().join("openpgp-revocs.d")).unwrap();
    let path = revocations.map(|entry| entry.unwrap().path()).next().unwrap();
    let usable = fs::read_to_string(&path).unwrap().replace(":-----BEGIN", "-----BEGIN");
    fs::write(&path, usable).unwrap();
    signer.gpg(&["--import", path.to_str().unwrap()]);
    let mut revoked = Signer { home: tempfile::tempdir().unwrap(), public: Vec::new() };
    revoked.public = signer.gpg(&["--armor", "--export", "signer"]);
    let key = revoked.offer(folder.path());
    assert!(refusal(folder.path(), &[&key]).contains("revoked"), "{}", refusal(folder.path(), &[&key]));
}
