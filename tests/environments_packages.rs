//! Build environments made of packages: real packages, a signed repository, sources beside it; the command, and the
//! function under AWS's runtime emulator.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use buildhub_testkit::environments::{File, Metadata, Recipe, Signer, Workshop, createrepo, createrepo_by};
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

/// Longer than any test waits for something.
const LONG: Duration = Duration::from_mins(2);

fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mock-env-publisher")).with_file_name(name);
    assert!(path.is_file(), "there is no {}: cargo build --package {name}", path.display());
    path
}

async fn env(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(program("buildhub"));
    command.arg("env").args(args).env_clear().env("ENVIRONMENTS_URL", "out");
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    tokio::time::timeout(LONG, command.output()).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn answer(folder: &Path, args: &[&str]) -> Value {
    let output = env(folder, args).await;
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What fails, with the reason.
async fn refused(folder: &Path, args: &[&str], reason: &str) {
    let output = env(folder, args).await;
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", said(&output));
    assert!(said(&output).contains(reason), "{args:?}: {}", said(&output));
}

/// A folder with a signed repository and its sources; the packages are those of version `version`.
struct Site {
    folder: TempDir,
    signer: Signer,
    key: String,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::create("releases", "ed25519").unwrap();
        let key = signer.public_key().unwrap();
        std::fs::create_dir(folder.path().join("keys")).unwrap();
        let sha256 = std::process::Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut sha256 = sha256.unwrap();
        std::io::Write::write_all(&mut sha256.stdin.take().unwrap(), &key).unwrap();
        let digits = String::from_utf8(sha256.wait_with_output().unwrap().stdout).unwrap();
        let digits = digits.split_whitespace().next().unwrap().to_owned();
        std::fs::write(folder.path().join(format!("keys/{digits}.asc")), key).unwrap();
        Self { folder, signer, key: digits }
    }

    /// Fills it with packages, and their sources.
    fn offer(&self, version: &str) {
        let workshop = Workshop::create().unwrap();
        let tool = File::new("/usr/bin/tool", format!("#!/bin/sh\necho {version}\n")).mode(0o755);
        let recipes = [
            Recipe::new("tool").version(version).requires("lib >= 1").requires("/etc/tool.conf").file(tool),
            Recipe::new("lib")
                .file(File::new("/usr/lib64/libtool.so.1", "no library"))
                .section("%post -p /sbin/ldconfig", ""),
            Recipe::new("settings")
                .provides("/sbin/ldconfig")
                .provides("/bin/sh")
                .file(File::new("/etc/tool.conf", "a=b\n").directive("%config")),
            Recipe::new("ndk").file(File::new("/opt/ndk", "not to be passed on")),
            Recipe::new("needs-ndk").requires("ndk"),
            Recipe::new("clash").file(File::new("/etc/tool.conf", "c=d\n")),
            Recipe::new("owned").file(File::new("/srv/owned", "x").owner("somebody", "root")),
            Recipe::new("chicken").requires("egg"),
            Recipe::new("egg").requires("chicken"),
        ];
        let packages = workshop.build_with_sources(&recipes).unwrap();
        for (from, to) in [(workshop.packages().to_owned(), "repo"), (workshop.sources(), "sources")] {
            let to = self.folder.path().join(to);
            let _ = std::fs::remove_dir_all(&to);
            std::fs::create_dir(&to).unwrap();
            for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
                if entry.path().extension().is_some_and(|end| end == "rpm") {
                    let copy = to.join(entry.file_name());
                    std::fs::copy(entry.path(), &copy).unwrap();
                    self.signer.sign_package(&copy).unwrap();
                }
            }
            createrepo(&to, Metadata::Gzip).unwrap();
            self.signer.sign_file(&to.join("repodata/repomd.xml")).unwrap();
        }
        assert_eq!(packages.len(), recipes.len());
    }

    /// What is there, known by another checksum.
    fn know_by(&self, checksum: &str) {
        for repository in ["repo", "sources"].map(|name| self.folder.path().join(name)) {
            std::fs::remove_dir_all(repository.join("repodata")).unwrap();
            createrepo_by(checksum, &repository, Metadata::Xz).unwrap();
            self.signer.sign_file(&repository.join("repodata/repomd.xml")).unwrap();
        }
    }

    /// A definition beside it.
    fn define(&self, name: &str, packages: &str, more: &str) {
        let text = format!(
            "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [{packages}]\nsources = \"refuse\"\n\
             clamp_time = \"2020-01-01T00:00:00Z\"\n\
             [[repo]]\nid = \"base\"\nurl = \"repo\"\nsources = \"sources\"\nmirror = \"https://mirror.example/\"\n\
             gpg_keys = [\"sha256:{}\"]\n\
             [[exclude]]\npackage = \"ndk\"\nreason = \"not redistributable\"\n\
             [[label]]\nbranch = \"central\"\nplatform = \"linux64\"\nproduct = \"firefox\"\n{more}",
            self.key
        );
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }
}

const LDCONFIG: &str = "[[scriptlet]]\npackage = \"lib\"\nphase = \"post\"\naction = \"acknowledge\"\n";

#[tokio::test]
async fn packages_become_an_environment_whose_lock_sources_and_differences_are_published() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    site.define("linux64.toml", "\"tool\"", LDCONFIG);
    let first = answer(folder, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    let again = answer(folder, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_eq!((&first["built"], &again["built"], &again["changed"]), (&json!(true), &json!(false), &json!(false)));
    let elsewhere = answer(folder, &["build", "linux64.toml", "-o", "other", "--threads", "3", "--json"]).await;
    assert_eq!(elsewhere["sha256"], first["sha256"], "the same lock, the same bytes");

    let shown = answer(folder, &["show", "central/linux64/firefox", "--json"]).await;
    let packages = shown["made_of"]["identity"]["packages"].as_array().unwrap();
    let names: Vec<_> = packages.iter().map(|package| package["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["lib", "settings", "tool"]);
    for package in packages {
        let sha256 = package["source"]["sha256"].as_str().unwrap();
        assert!(folder.join(format!("out/srpms/{sha256}.src.rpm")).is_file(), "{package}");
    }

    answer(folder, &["fetch", "central/linux64/firefox", "--output", "root", "--json"]).await;
    let root = folder.join("root");
    assert!(root.join("usr/bin/tool").is_file() && !root.join("opt/ndk").exists());
    let repositories = std::fs::read_dir(root.join("etc/yum.repos.d")).unwrap().map(Result::unwrap);
    let text: String = repositories.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect();
    assert!(text.contains("baseurl=https://mirror.example/"), "{text}");
    let mut rpm = Command::new("rpm");
    let asked = rpm.arg("--root").arg(&root).args(["--dbpath", "/var/lib/rpm", "-q", "tool"]).output().await.unwrap();
    assert_eq!(asked.stdout, b"tool-1-1.x86_64\n", "{}", said(&asked));
    assert_eq!(answer(folder, &["verify", "central/linux64/firefox", "--json"]).await["same"], true);

    // The lock names files by their SHA-256, however their repository knows them.
    site.know_by("sha512");
    let known = answer(folder, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_eq!((&known["lock"], &known["changed"]), (&first["lock"], &json!(false)));
    let elsewhere = answer(folder, &["build", "linux64.toml", "-o", "by-sha512", "--json"]).await;
    assert_eq!(elsewhere["sha256"], first["sha256"]);
    let package = folder.join("repo/tool-1-1.x86_64.rpm");
    let mut damaged = std::fs::read(&package).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&package, &damaged).unwrap();
    refused(folder, &["lock", "linux64.toml"], "it was changed, or it is damaged").await;

    // A year later.
    site.offer("2");
    let second = answer(folder, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_eq!((&second["built"], second["name"] == first["name"]), (&json!(true), false));
    let name = first["name"].as_str().unwrap();
    let diff = answer(folder, &["diff", name, "central/linux64/firefox", "--json"]).await;
    // The others were built, and signed, again: other files of the same version.
    let changed = diff["changed"].as_array().unwrap();
    let newer: Vec<_> = changed.iter().filter(|changed| changed["rebuilt"] == false).collect();
    let expected = json!({"package": "tool.x86_64", "from": "1-1", "to": "2-1", "rebuilt": false});
    assert_eq!(newer, [&expected], "{diff}");
    assert!(folder.join("out").join(name).is_file(), "the first one is still there, by its name");
}

#[tokio::test]
async fn what_is_not_as_it_should_be_is_refused_and_nothing_is_published() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    let build = |name: &'static str| ["build", name, "--output", "out"];
    site.define("undeclared.toml", "\"tool\"", "");
    refused(folder, &build("undeclared.toml"), "lib").await;
    site.define("needed.toml", "\"needs-ndk\"", "");
    refused(folder, &build("needed.toml"), "ndk").await;
    site.define("absent.toml", "\"nothing-has-this\"", "");
    refused(folder, &build("absent.toml"), "nothing-has-this").await;
    site.define("clash.toml", "\"settings\", \"clash\"", "");
    refused(folder, &build("clash.toml"), "/etc/tool.conf of clash-1-1.x86_64 and of settings-1-1.x86_64 differ").await;
    site.define("owned.toml", "\"owned\"", "");
    refused(folder, &build("owned.toml"), "belongs to the user \"somebody\", and no package and no [[user]]").await;
    // Two that require each other are no fault.
    site.define("cycle.toml", "\"egg\"", "");
    assert!(env(folder, &["build", "cycle.toml", "--output", "cycle"]).await.status.success());
    site.define("good.toml", "\"tool\"", LDCONFIG);

    // A package that is another than its repository says, and as long.
    let package = folder.join("repo/tool-1-1.x86_64.rpm");
    let whole = std::fs::read(&package).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&package, &damaged).unwrap();
    refused(folder, &build("good.toml"), "it was changed, or it is damaged").await;
    std::fs::write(&package, &whole[..whole.len() / 2]).unwrap();
    refused(folder, &build("good.toml"), "tool-1-1.x86_64.rpm").await;
    std::fs::remove_file(&package).unwrap();
    refused(folder, &build("good.toml"), "tool-1-1.x86_64.rpm").await;
    std::fs::write(&package, &whole).unwrap();

    // Metadata that nobody signed.
    let signature = folder.join("repo/repodata/repomd.xml.asc");
    std::fs::copy(folder.join("sources/repodata/repomd.xml.asc"), &signature).unwrap();
    refused(folder, &build("good.toml"), "repomd.xml").await;
    assert!(!folder.join("out").exists());
}

/// Whoever has the lock asks for the same signatures as whoever had the definition, and needs no file of keys.
#[tokio::test]
async fn a_package_that_none_of_the_definitions_keys_signed_is_refused_of_its_definition_and_of_its_lock() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    site.define("linux64.toml", "\"tool\"", LDCONFIG);
    let lock = |file: &'static str| ["lock", "linux64.toml", "--output", file];
    assert!(env(folder, &lock("signed.json")).await.status.success());

    let package = folder.join("repo/tool-1-1.x86_64.rpm");
    let refuse_both = async |file: &'static str, reason: &str| {
        createrepo(&folder.join("repo"), Metadata::Gzip).unwrap();
        site.signer.sign_file(&folder.join("repo/repodata/repomd.xml")).unwrap();
        refused(folder, &["build", "linux64.toml", "--output", "out"], reason).await;
        assert!(env(folder, &lock(file)).await.status.success());
        refused(folder, &["build", file, "--output", "out"], reason).await;
        refused(folder, &["publish", file, "--store", "out"], reason).await;
        assert!(!folder.join("out").exists());
    };
    let whole = std::fs::read(&package).unwrap();
    Signer::unsign_package(&package).unwrap();
    refuse_both("unsigned.json", "tool-1-1.x86_64 cannot be used: it is not signed").await;
    let stranger = Signer::create("mallory", "ed25519").unwrap();
    stranger.sign_package(&package).unwrap();
    refuse_both("strange.json", "tool-1-1.x86_64 cannot be used: it is signed by the key").await;

    // A lock whose keys were taken out, or are others, is none that anything can be made of.
    let text = std::fs::read(folder.join("signed.json")).unwrap();
    let mut without: Value = serde_json::from_slice(&text).unwrap();
    for keys in [json!({}), json!({ (site.key.clone()): "bm8ga2V5" })] {
        without["provenance"]["keys"] = keys;
        std::fs::write(folder.join("without.json"), without.to_string()).unwrap();
        let output = env(folder, &["build", "without.json", "--output", "out"]).await;
        assert!(!output.status.success() && said(&output).contains(&site.key), "{}", said(&output));
        assert!(said(&output).contains("lock the definition again"), "{}", said(&output));
    }

    std::fs::write(&package, &whole).unwrap();
    std::fs::rename(folder.join("keys"), folder.join("elsewhere")).unwrap();
    let published = answer(folder, &["publish", "signed.json", "--store", "out", "--json"]).await;
    assert_eq!(published["built"], true);
}

/// Another reason makes another lock, and not another archive.
#[tokio::test]
async fn an_archive_that_two_locks_give_is_one_that_its_name_means() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    let debug = "[[label]]\nbranch = \"central\"\nplatform = \"linux64\"\nproduct = \"firefox\"\nbuild_type = \"debug\"\n\
                 channel = \"nightly\"\n";
    site.define("linux64.toml", "\"tool\"", &format!("{debug}{LDCONFIG}"));
    let publish = ["publish", "linux64.toml", "--store", "out", "--json"];
    let first = answer(folder, &publish).await;
    let text = std::fs::read_to_string(folder.join("linux64.toml")).unwrap();
    std::fs::write(folder.join("linux64.toml"), text.replace("not redistributable", "of another licence")).unwrap();
    let second = answer(folder, &publish).await;
    assert_eq!((first["name"] == second["name"], first["lock"] == second["lock"]), (true, false));
    let name = first["name"].as_str().unwrap();
    let shown = answer(folder, &["show", name, "--json"]).await;
    assert_eq!(shown["lock"], second["lock"], "the newest papers: {shown}");
    let pointer = std::fs::read(folder.join("out/latest/central/linux64/firefox/debug/nightly.json")).unwrap();
    let pointer: Value = serde_json::from_slice(&pointer).unwrap();
    assert_eq!((&pointer["name"], &pointer["lock"]), (&second["name"], &second["lock"]), "{pointer}");
    for question in
        [&["show", "central/linux64/firefox/debug/nightly", "--json"][..], &["list", "--channel", "nightly", "--json"]]
    {
        let found = answer(folder, question).await.to_string();
        assert!(found.contains(second["lock"].as_str().unwrap()), "{question:?}: {found}");
    }
    let old = answer(folder, &["show", first["lock"].as_str().unwrap(), "--json"]).await;
    assert_eq!(old["lock"], first["lock"]);
    answer(folder, &["fetch", name, "--output", "root", "--json"]).await;
    assert!(folder.join("root/usr/bin/tool").is_file());
}

#[tokio::test]
async fn packages_from_the_web_are_whole_or_nothing_is_published() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    let web = ArchiveSite::start(Content::folder(folder)).await.unwrap();
    site.define("web.toml", "\"tool\"", LDCONFIG);
    let text = std::fs::read_to_string(folder.join("web.toml")).unwrap();
    let address = |name: &str| format!("\"{}{name}\"", web.url());
    let text = text.replace("\"repo\"", &address("repo")).replace("\"sources\"", &address("sources"));
    std::fs::write(folder.join("web.toml"), text).unwrap();
    let package = "/repo/tool-1-1.x86_64.rpm";
    for (failure, reason) in [
        (Failure::Cut, "tool-1-1.x86_64.rpm"),
        (Failure::status(404), "404"),
        (Failure::status(503), "503"),
        (Failure::Html, "it was changed, or it is damaged"),
    ] {
        web.fail(package, failure);
        refused(folder, &["build", "web.toml", "--output", "out"], reason).await;
        assert!(!folder.join("out").exists());
    }
    web.heal();
    web.fail_next(1, Failure::status(503));
    let built = answer(folder, &["build", "web.toml", "--output", "out", "--json"]).await;
    assert_eq!(built["built"], true);
    let lock = answer(folder, &["show", "central/linux64/firefox", "--json"]).await;
    let addresses = lock["made_of"]["provenance"]["addresses"].as_object().unwrap();
    assert!(addresses.values().any(|address| *address == format!("{}repo/tool-1-1.x86_64.rpm", web.url())));
    assert_eq!(answer(folder, &["verify", "central/linux64/firefox", "--json"]).await["same"], true);
}

/// A root that a builder made: packages installed by rpm itself, with one of its keys, as a tar archive beside the definition.
fn upload(folder: &Path, packages: &[&str]) {
    let root = folder.join("builder");
    let repo = folder.join("repo");
    let files = packages.iter().map(|name| repo.join(format!("{name}-1-1.x86_64.rpm")));
    let key = std::fs::read_dir(folder.join("keys")).unwrap().next().unwrap().unwrap().path();
    let rpm = |args: &[&str], files: &[PathBuf]| {
        let mut rpm = std::process::Command::new("rpm");
        rpm.arg("--root").arg(&root).args(["--dbpath", "/var/lib/rpm", "--nosignature"]).args(args).args(files);
        let output = rpm.output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", said(&output));
    };
    std::fs::create_dir_all(root.join("var/lib/rpm")).unwrap();
    rpm(&["-i", "--noscripts"], &files.collect::<Vec<_>>());
    rpm(&["--import"], &[key]);
    let mut tar = std::process::Command::new("tar");
    let output = tar.arg("-C").arg(&root).args(["-cf"]).arg(folder.join("root.tar")).arg(".").output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    std::fs::remove_dir_all(root).unwrap();
}

/// Source packages belong to what rpm installed in an uploaded root as they do to packages of repositories.
#[tokio::test]
async fn source_packages_of_an_uploaded_root_are_found_verified_and_published_beside_it() {
    if std::process::Command::new("id").arg("-u").output().unwrap().stdout != b"0\n" {
        println!("not root: rpm cannot install into a root, so this is not tested");
        return;
    }
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    upload(folder, &["tool", "lib", "settings", "ndk"]);
    let define = |name: &str, policy: &str, sources: &str| {
        let text = format!(
            "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"root.tar\"\nsources = \"{policy}\"\n\
             [[repo]]\nid = \"base\"\nurl = \"repo\"\n{sources}\n\
             [[exclude]]\npackage = \"ndk\"\nreason = \"not redistributable\"\n\
             [[label]]\nbranch = \"central\"\nplatform = \"linux64\"\nproduct = \"firefox\"\n"
        );
        std::fs::write(folder.join(name), text).unwrap();
    };
    let signed = format!("sources = \"sources\"\ngpg_keys = [\"sha256:{}\"]", site.key);
    define("good.toml", "refuse", &signed);
    define("without.toml", "refuse", "");
    define("warned.toml", "warn", "");

    // Refused, or said, as the definition has it.
    refused(folder, &["build", "without.toml", "--output", "out"], "3 packages have no source package").await;
    refused(folder, &["build", "without.toml", "--output", "out"], "`sources` of a `[[repo]]`").await;
    assert!(!folder.join("out").exists());
    let warned = env(folder, &["build", "warned.toml", "--output", "warned", "--json"]).await;
    assert!(warned.status.success() && said(&warned).contains("source packages are missing"), "{}", said(&warned));
    let built: Value = serde_json::from_slice(&warned.stdout).unwrap();
    let list = std::fs::read(folder.join("warned").join(built["sources"].as_str().unwrap())).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!(
        list["missing"],
        json!(["lib-1-1.x86_64", "settings-1-1.x86_64", "tool-1-1.x86_64"]),
        "no key is missed"
    );

    let good = answer(folder, &["build", "good.toml", "--output", "out", "--json"]).await;
    assert_eq!(good["sha256"], built["sha256"], "sources are beside the archive, and not in it");
    let shown = answer(folder, &["show", "central/linux64/firefox", "--json"]).await;
    let sources = shown["made_of"]["identity"]["root_sources"].as_array().unwrap();
    let files: Vec<_> = sources.iter().map(|source| source["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["lib-1-1.src.rpm", "settings-1-1.src.rpm", "tool-1-1.src.rpm"], "not the excluded one's");
    for source in sources {
        let published = folder.join(format!("out/srpms/{}.src.rpm", source["sha256"].as_str().unwrap()));
        let original = folder.join("sources").join(source["file"].as_str().unwrap());
        assert!(std::fs::read(published).unwrap() == std::fs::read(original).unwrap(), "{source}");
        assert_eq!(source["signed_by"], json!([site.key]), "{source}");
    }
    let list = std::fs::read(folder.join("out").join(good["sources"].as_str().unwrap())).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    assert_eq!((list["missing"].clone(), list["sources"].as_array().unwrap().len()), (json!([]), 3));
    let again = answer(folder, &["build", "good.toml", "--output", "out", "--json"]).await;
    assert_eq!((&again["built"], &again["changed"]), (&json!(false), &json!(false)));
    assert_eq!(answer(folder, &["verify", "central/linux64/firefox", "--json"]).await["same"], true);

    // A lock may be anybody's: what no package in the root was built from is not published beside it.
    assert!(env(folder, &["lock", "good.toml", "--output", "good.json"]).await.status.success());
    let mut lock: Value = serde_json::from_slice(&std::fs::read(folder.join("good.json")).unwrap()).unwrap();
    *lock.pointer_mut("/identity/root_sources/0/file").unwrap() = json!("kit-1-1.src.rpm");
    std::fs::write(folder.join("edited.json"), lock.to_string()).unwrap();
    refused(folder, &["build", "edited.json", "--output", "edited"], "no package was built from it").await;

    // However their repository knows them.
    site.know_by("sha512");
    let known = answer(folder, &["build", "good.toml", "--output", "out", "--json"]).await;
    assert_eq!((&known["lock"], &known["built"]), (&good["lock"], &json!(false)));
    answer(folder, &["build", "good.toml", "--output", "by-sha512", "--json"]).await;
    assert_eq!(std::fs::read_dir(folder.join("by-sha512/srpms")).unwrap().count(), 3);
}

/// Whatever is wrong with a source package, nothing is published; of a lock as of its definition.
#[tokio::test]
async fn a_source_package_that_is_damaged_or_gone_or_that_no_key_signed_is_refused() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    site.define("linux64.toml", "\"tool\"", LDCONFIG);
    let build = ["build", "linux64.toml", "--output", "out"];
    let source = folder.join("sources/tool-1-1.src.rpm");
    let whole = std::fs::read(&source).unwrap();
    let mut damaged = whole.clone();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&source, &damaged).unwrap();
    refused(folder, &build, "it was changed, or it is damaged").await;
    std::fs::remove_file(&source).unwrap();
    refused(folder, &build, "tool-1-1.src.rpm").await;

    // Its repository knows nothing of it.
    let index = || {
        createrepo(&folder.join("sources"), Metadata::Gzip).unwrap();
        site.signer.sign_file(&folder.join("sources/repodata/repomd.xml")).unwrap();
    };
    index();
    refused(folder, &build, "1 packages have no source package").await;

    // Another one is called so, and rightly signed.
    std::fs::copy(folder.join("sources/lib-1-1.src.rpm"), &source).unwrap();
    index();
    refused(folder, &build, "the package says \"lib-1-1\"").await;

    // It is there, and signed by nobody, or by a stranger.
    std::fs::write(&source, &whole).unwrap();
    Signer::unsign_package(&source).unwrap();
    index();
    refused(folder, &build, "tool-1-1.x86_64 cannot be used: it is not signed").await;
    assert!(env(folder, &["lock", "linux64.toml", "--output", "unsigned.json"]).await.status.success());
    refused(folder, &["build", "unsigned.json", "--output", "out"], "it is not signed").await;
    Signer::create("mallory", "ed25519").unwrap().sign_package(&source).unwrap();
    index();
    refused(folder, &build, "tool-1-1.x86_64 cannot be used: it is signed by the key").await;
    assert!(!folder.join("out").exists());
}

/// Licences and source packages are published as the lock has them, which anybody may have written.
#[tokio::test]
async fn a_lock_that_says_another_licence_source_or_name_than_the_package_is_refused() {
    let site = Site::new();
    site.offer("1");
    let folder = site.folder.path();
    site.define("linux64.toml", "\"tool\"", LDCONFIG);
    assert!(env(folder, &["lock", "linux64.toml", "--output", "good.json"]).await.status.success());
    let good: Value = serde_json::from_slice(&std::fs::read(folder.join("good.json")).unwrap()).unwrap();
    for (path, value, reason) in [
        ("/identity/packages/2/licence", "Apache-2.0", "the licence of tool-1-1.x86_64 is \"Apache-2.0\""),
        ("/identity/packages/2/source/file", "other-1-1.src.rpm", "the source package of tool-1-1.x86_64"),
        ("/identity/packages/2/version", "2", "the name of tool-2-1.x86_64"),
    ] {
        let mut lock = good.clone();
        *lock.pointer_mut(path).unwrap() = json!(value);
        std::fs::write(folder.join("edited.json"), lock.to_string()).unwrap();
        refused(folder, &["build", "edited.json", "--output", "out"], reason).await;
    }
    assert!(!folder.join("out").exists());
}

/// The program, and the libraries that it needs, as a package.
fn packaged(program: &str) -> Recipe {
    let output = std::process::Command::new("ldd").arg(program).output().unwrap();
    let libraries = String::from_utf8(output.stdout).unwrap();
    let files = libraries.split_whitespace().filter(|word| word.starts_with('/')).chain([program]);
    let file = |path: &str| File::new(path, std::fs::read(path).unwrap()).mode(0o755);
    files.fold(Recipe::new("program"), |recipe, path| recipe.file(file(path)))
}

#[tokio::test]
async fn a_program_runs_inside_an_environment_of_packages_and_a_package_that_lies_about_its_size_is_refused() {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path();
    let workshop = Workshop::create().unwrap();
    let zeros = File::new("/usr/share/zeros", vec![0; 64 << 20]);
    let recipes =
        [packaged("/bin/cat").file(File::new("/etc/version", "made of packages")), Recipe::new("zeros").file(zeros)];
    workshop.build(&recipes).unwrap();
    std::fs::rename(workshop.packages(), folder.join("repo")).unwrap();
    createrepo(&folder.join("repo"), Metadata::Gzip).unwrap();
    for name in ["program", "zeros"] {
        let text = format!(
            "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"{name}\"]\n\
             [[repo]]\nid = \"base\"\nurl = \"repo\"\n\
             [[label]]\nbranch = \"{name}\"\nplatform = \"linux64\"\nproduct = \"firefox\"\n"
        );
        std::fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    answer(folder, &["build", "program.toml", "--output", "out", "--json"]).await;
    let fetched = answer(folder, &["fetch", "program/linux64/firefox", "--output", "root", "--json"]).await;
    if fetched["owners"] == true {
        let inside = Command::new("chroot").arg(folder.join("root")).args(["/bin/cat", "/etc/version"]).output().await;
        let inside = inside.unwrap();
        assert_eq!(inside.stdout, b"made of packages", "{}", said(&inside));
    }

    refused(folder, &["build", "zeros.toml", "--output", "out", "--disk", "32"], "of disk, and there are 32 MiB").await;
    // Its repository may lie, and a lock may say nothing of it.
    let output = env(folder, &["lock", "zeros.toml"]).await;
    let mut lock: Value = serde_json::from_slice(&output.stdout).unwrap();
    lock["provenance"].as_object_mut().unwrap().remove("installed").unwrap();
    std::fs::write(folder.join("zeros.json"), lock.to_string()).unwrap();
    refused(folder, &["build", "zeros.json", "--output", "out", "--disk", "32"], "bytes of disk that there are").await;
}
