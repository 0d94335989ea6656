//! Build environments: from what the release team edits to what a contributor unpacks and builds in. The command, and the
//! function under AWS's runtime emulator.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use buildhub_core::Variables;
use buildhub_testkit::emulator::{Emulator, FunctionError};
use buildhub_testkit::environments::{debian_root, large_name, large_repository};
use buildhub_testkit::event_source::{EventSource, Mapping};
use buildhub_testkit::moto::{Moto, Queue, QueueSettings};
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

const BUCKET: &str = "environments";
const DEFINITIONS: &str = "definitions";
/// Megabytes of files that an environment of many packages has; a thousand is one of real size
/// (`scripts/environment-of-real-size`).
const MEGABYTES: &str = "ENVIRONMENT_MEGABYTES";
/// A folder of unpacked zips: the function of that is asked instead of this build's (`scripts/zip-test`).
const ZIPS: &str = "UNPACKED_ZIPS";
/// Longer than any test waits for something.
const LONG: Duration = Duration::from_mins(2);

/// A program that stands in the same folder as the function.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_mock-env-publisher")).with_file_name(name);
    assert!(path.is_file(), "there is no {}: cargo build --package {name}", path.display());
    path
}

/// The function: this build's, or the one that was unpacked from a zip.
fn function() -> PathBuf {
    let zips = Variables::from_process().get(ZIPS).map(PathBuf::from);
    zips.map_or_else(|| program("mock-env-publisher"), |zips| zips.join("mock-env-publisher/bootstrap"))
}

fn megabytes() -> u64 {
    Variables::from_process().get(MEGABYTES).map_or(24, |text| text.parse().unwrap())
}

fn is_real_size() -> bool {
    megabytes() >= 1000
}

/// `buildhub env ARGS` in a folder, with these variables.
fn env(folder: &Path, variables: &[(String, String)], args: &[&str]) -> Command {
    let mut command = Command::new(program("buildhub"));
    command.arg("env").args(args).env_clear().env("TMPDIR", folder).envs(variables.iter().cloned());
    command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn run(mut command: Command) -> Output {
    run_to_end(&mut command).await
}

async fn run_to_end(command: &mut Command) -> Output {
    tokio::time::timeout(LONG, command.output()).await.unwrap().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs it well; what it answers as JSON.
async fn answer(folder: &Path, variables: &[(String, String)], args: &[&str]) -> Value {
    let output = run(env(folder, variables, args)).await;
    assert!(output.status.success(), "{args:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A root with a program and the libraries it needs, as a builder would upload it.
fn root(version: &str) -> Vec<u8> {
    root_with(version, &[])
}

/// The same, with more files.
fn root_with(version: &str, more: &[&str]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(true);
    let folder = |path: &str, tar: &mut tar::Builder<Vec<u8>>| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_size(0);
        tar.append_data(&mut header, path, std::io::empty()).unwrap();
    };
    for path in ["./", "./bin", "./etc", "./etc/yum.repos.d", "./opt", "./opt/ndk"] {
        folder(path, &mut tar);
    }
    let libraries = std::process::Command::new("ldd").arg("/bin/cat").output().unwrap();
    let libraries = String::from_utf8(libraries.stdout).unwrap();
    let files = libraries.split_whitespace().filter(|word| word.starts_with('/')).map(str::to_owned);
    for file in files.chain(["/bin/cat".to_owned()]) {
        tar.append_path_with_name(&file, format!(".{file}")).unwrap();
    }
    let mut text = |path: &str, text: &str| {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o640);
        header.set_mtime(1_600_000_000);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    };
    text("./etc/version", version);
    text("./etc/yum.repos.d/builds.repo", "[builds]\nbaseurl=http://10.0.0.1/\nenabled=1\n");
    text("./opt/ndk/secret", "not to be passed on");
    for path in more {
        text(path, "more");
    }
    tar.into_inner().unwrap()
}

/// A definition of a root, with who uses it.
fn definition(root: &str, branches: &[&str]) -> String {
    let labels = branches
        .iter()
        .map(|branch| format!("[[label]]\nbranch = \"{branch}\"\nplatform = \"linux64\"\nproduct = \"firefox\"\n"));
    format!(
        "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"{root}\"\noci = true\n\
         [[repo]]\nid = \"builds\"\nurl = \"http://10.0.0.1/\"\nmirror = \"https://mirror.example/\"\n\
         [[exclude]]\npath = \"/opt/ndk\"\nreason = \"not redistributable\"\n{}",
        labels.collect::<String>()
    )
}

/// A folder with definitions and roots.
fn written(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

/// All files below a folder, with their contents, but for the history, whose names are times.
fn published(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let (mut found, mut waiting) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(below) = waiting.pop() {
        for entry in std::fs::read_dir(below).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if path.is_dir() {
                if name != "history" {
                    waiting.push(path);
                }
            } else if !name.starts_with(".unfinished-") {
                let key = path.strip_prefix(folder).unwrap().display().to_string();
                found.push((key, std::fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The time that the bill of materials tells, and the one that the image does.
async fn told_by_bill_and_image(out: &Path, build: &Value) -> [String; 2] {
    let bill: Value =
        serde_json::from_slice(&std::fs::read(out.join(build["sbom"].as_str().unwrap())).unwrap()).unwrap();
    let image = out.join(build["oci"].as_str().unwrap());
    let mut skopeo = Command::new("skopeo");
    let output = run_to_end(skopeo.args(["inspect", "--config", &format!("oci:{}:latest", image.display())])).await;
    let config: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    [&bill["creationInfo"]["created"], &config["created"]].map(|created| created.as_str().unwrap().to_owned())
}

/// The image, from where it is published into a folder that container tools read; and nothing that is not what it is called.
async fn image_is_fetched(folder: &Path, ours: &[(String, String)]) {
    let args = ["fetch", "central/linux64/firefox", "--image", "--json", "--output"];
    let fetched = answer(folder, ours, &[&args[..], &["image"]].concat()).await;
    assert_eq!((&fetched["unpacked"], &fetched["path"]), (&json!(false), &json!("image")), "{fetched}");
    let mut umoci = Command::new("umoci");
    umoci.args(["unpack", "--rootless", "--image", "image:latest", "bundle"]).current_dir(folder);
    run_to_end(&mut umoci).await;
    assert_eq!(std::fs::read_to_string(folder.join("bundle/rootfs/etc/version")).unwrap(), "second");

    let layer = std::fs::read_dir(folder.join("image/blobs/sha256")).unwrap().map(Result::unwrap);
    let layer = layer.max_by_key(|entry| entry.metadata().unwrap().len()).unwrap().file_name();
    let shown = answer(folder, ours, &["show", "central/linux64/firefox", "--json"]).await;
    let published = folder.join("out/oci").join(shown["lock"].as_str().unwrap()).join("blobs/sha256").join(&layer);
    let mut bytes = std::fs::read(&published).unwrap();
    let whole = bytes.clone();
    bytes[1000] ^= 1;
    std::fs::write(&published, bytes).unwrap();
    let output = run(env(folder, ours, &[&args[..], &["damaged"]].concat())).await;
    assert!(said(&output).contains("is not what its digest says"), "{}", said(&output));
    assert!(!folder.join("damaged").exists(), "nothing of it is kept");
    std::fs::write(&published, whole).unwrap();
}

#[tokio::test]
async fn what_the_command_builds_into_a_folder_is_fetched_unpacked_entered_compared_and_verified() {
    let work = written(&[
        ("linux64.toml", definition("roots/a.tar", &["central", "beta"]).as_bytes()),
        ("roots/a.tar", &root("first")),
    ]);
    let folder = work.path();
    let ours = [("ENVIRONMENTS_URL".to_owned(), "out".to_owned())];
    let first = answer(folder, &ours, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_eq!((&first["built"], &first["changed"]), (&json!(true), &json!(true)), "{first}");
    assert_eq!(first["exclusions"][0]["reason"], "not redistributable");
    let [bill, image] = told_by_bill_and_image(&folder.join("out"), &first).await;
    assert!(bill == image && !bill.starts_with("1970"), "{bill} {image}");

    // The same again does nothing; with another number of threads elsewhere, the bytes are the same.
    let before = published(&folder.join("out"));
    let again = answer(folder, &ours, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_eq!((&again["built"], &again["changed"]), (&json!(false), &json!(false)), "{again}");
    assert!(published(&folder.join("out")) == before);
    let other = answer(folder, &ours, &["build", "linux64.toml", "-o", "other", "--threads", "3", "--json"]).await;
    assert_eq!(other["sha256"], first["sha256"]);

    // Another root under the same labels: the first stays, by its name.
    std::fs::write(folder.join("roots/a.tar"), root("second")).unwrap();
    let second = answer(folder, &ours, &["build", "linux64.toml", "--output", "out", "--json"]).await;
    assert_ne!(second["name"], first["name"]);
    let name = first["name"].as_str().unwrap();
    let listed = run(env(folder, &ours, &["list", "--all", "--json"])).await;
    let names: Vec<Value> =
        String::from_utf8(listed.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(names.len(), 2);
    assert_eq!(names[0]["name"], second["name"], "the newest first");
    let used = answer(folder, &ours, &["list", "--branch", "beta", "--json"]).await;
    assert_eq!(used["name"], second["name"]);

    let diff = answer(folder, &ours, &["diff", name, "beta/linux64/firefox", "--json"]).await;
    assert_eq!(diff["decisions"][0]["what"], "root_sha256", "{diff}");
    let shown = answer(folder, &ours, &["show", &name[..12], "--json"]).await;
    assert_eq!(shown["made_of"]["identity"]["excludes"][0]["path"], "/opt/ndk");

    let fetched = answer(folder, &ours, &["fetch", "--branch", "central", "--output", "root", "--json"]).await;
    assert_eq!(fetched["unpacked"], true);
    image_is_fetched(folder, &ours).await;
    let unpacked = folder.join("root");
    assert_eq!(std::fs::read_to_string(unpacked.join("etc/version")).unwrap(), "second");
    assert!(!unpacked.join("opt/ndk").exists(), "what may not be passed on is not there");
    let repositories = std::fs::read_to_string(unpacked.join("etc/yum.repos.d/builds.repo")).unwrap();
    assert!(repositories.contains("https://mirror.example/") && !repositories.contains("10.0.0.1"), "{repositories}");
    let version = std::fs::metadata(unpacked.join("etc/version")).unwrap();
    assert_eq!((version.permissions().mode() & 0o7777, version.mtime()), (0o640, 1_600_000_000));
    if fetched["owners"] == true {
        let mut inside = Command::new("chroot");
        inside.arg(&unpacked).args(["/bin/cat", "/etc/version"]);
        let output = run(inside).await;
        assert_eq!(output.stdout, b"second", "{}", said(&output));
    }
    let full = run(env(folder, &ours, &["fetch", "--branch", "central", "--output", "root"])).await;
    assert_eq!(full.status.code(), Some(2), "{}", said(&full));

    let verified = answer(folder, &ours, &["verify", "beta/linux64/firefox", "--json"]).await;
    assert_eq!(verified["same"], true);
    // The first one's root is no more where its lock says.
    let output = run(env(folder, &ours, &["verify", name])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("it was changed"), "{}", said(&output));
}

#[tokio::test]
async fn an_archive_that_was_damaged_on_the_way_is_not_unpacked() {
    let work = written(&[("a.toml", definition("a.tar", &["central"]).as_bytes()), ("a.tar", &root("x"))]);
    let ours = [("ENVIRONMENTS_URL".to_owned(), "out".to_owned())];
    let built = answer(work.path(), &ours, &["build", "a.toml", "--output", "out", "--json"]).await;
    let archive = work.path().join("out").join(built["name"].as_str().unwrap());
    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    let output = run(env(work.path(), &ours, &["fetch", "central/linux64/firefox", "--output", "root"])).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("is not what its name says"), "{}", said(&output));
    assert!(!work.path().join("root").exists());
}

#[tokio::test]
async fn what_cannot_be_published_is_refused_with_the_reason_and_leaves_nothing() {
    let work = written(&[
        ("wrong.toml", b"[environment]\nsource = \"chroot-tar\"\narch = \"\"\nroot = \"a.tar\"\n"),
        ("missing.toml", definition("b.tar", &[]).as_bytes()),
        ("broken.toml", definition("a.tar", &[]).as_bytes()),
        ("a.tar", &root("x")[..1_000_000]),
        ("good.toml", definition("c.tar", &[]).as_bytes()),
        ("c.tar", &root("x")),
        ("large.toml", definition("large.tar", &[]).as_bytes()),
    ]);
    // Were it read, it would be no root.
    std::fs::File::create(work.path().join("large.tar")).unwrap().set_len(1 << 30).unwrap();
    for (args, code, reason) in [
        (vec!["wrong.toml"], 2, "[environment] arch"),
        (vec!["absent.toml"], 2, "absent.toml"),
        (vec!["missing.toml"], 1, "b.tar"),
        (vec!["broken.toml"], 1, "a.tar"),
        (vec!["good.toml", "--disk", "1"], 1, "of disk, and there are 1 MiB"),
        // Its size is asked for before it is fetched to learn its hash.
        (vec!["large.toml", "--disk", "10"], 1, "of disk, and there are 10 MiB"),
        (vec!["good.toml", "--memory", "100"], 1, "of memory, and there are 100 MiB"),
    ] {
        let args: Vec<_> = ["build", "--output", "out"].into_iter().chain(args).collect();
        let output = run(env(work.path(), &[], &args)).await;
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(reason), "{args:?}: {}", said(&output));
        assert!(!work.path().join("out").exists(), "{args:?}");
    }
}

/// The key is a hash of the result, so all of it is on disk before anything is uploaded. Here there is room for what is
/// uploaded and its files, and not for the archive beside these: twice the same nine megabytes, which zstd sees and xz,
/// with a smaller window, does not.
/// Pitfall 8: a name that is known at the end.
#[tokio::test]
async fn when_compression_fails_half_way_nothing_at_all_is_published() {
    let mut random = vec![0; 9 << 20];
    fastrand::Rng::with_seed(8).fill(&mut random);
    let mut tar = tar::Builder::new(Vec::new());
    for path in ["./one", "./two"] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(random.len() as u64);
        tar.append_data(&mut header, path, random.as_slice()).unwrap();
    }
    let definition = "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"root.tar.zst\"\n";
    let work = written(&[("root.tar", &tar.into_inner().unwrap()), ("large.toml", definition.as_bytes())]);
    let mut zstd = Command::new("zstd");
    zstd.args(["-q", "-1", "--long=25", "root.tar"]).current_dir(work.path());
    assert!(run(zstd).await.status.success());
    let compressed = std::fs::metadata(work.path().join("root.tar.zst")).unwrap().len();
    assert!(compressed < 10 << 20, "{compressed}");

    let rights: &[&str] = if std::fs::metadata("/proc/self").unwrap().uid() == 0 { &[] } else { &["--map-root-user"] };
    let script = "mkdir scratch; mount -t tmpfs -o size=32m none scratch; exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(rights).args(["--mount", "sh", "-ec", script, "small"]).arg(program("buildhub"));
    command.args(["env", "build", "large.toml", "--output", "out"]).current_dir(work.path());
    command.env("TMPDIR", work.path().join("scratch")).stdin(Stdio::null()).kill_on_drop(true);
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("the archive cannot be written after"), "{}", said(&output));
    assert!(!work.path().join("out").exists());
}

#[tokio::test]
async fn processes_that_publish_at_the_same_moment_lose_nothing_of_each_other() {
    let names: Vec<String> = (0..6).map(|number| format!("d{number}")).collect();
    let files: Vec<(String, Vec<u8>)> = names
        .iter()
        .flat_map(|name| {
            let own = format!("branch-{name}");
            let definition = definition(&format!("{name}.tar"), &[&own]);
            [(format!("{name}.toml"), definition.into_bytes()), (format!("{name}.tar"), root(name))]
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let work = written(&files);
    // Two of each, so that one lock is built twice at once too.
    let all = names.iter().chain(&names).map(|name| {
        let file = format!("{name}.toml");
        let command = env(work.path(), &[], &["build", &file, "--output", "out", "--threads", "1"]);
        async move {
            let output = run(command).await;
            assert!(output.status.success(), "{}", said(&output));
        }
    });
    futures::future::join_all(all).await;
    let index: Value =
        serde_json::from_slice(&std::fs::read(work.path().join("out/environments.json")).unwrap()).unwrap();
    assert_eq!(index["environments"].as_array().unwrap().len(), 6, "{index}");
    for name in &names {
        let pointer = work.path().join(format!("out/latest/branch-{name}/linux64/firefox.json"));
        let pointer: Value = serde_json::from_slice(&std::fs::read(pointer).unwrap()).unwrap();
        assert_eq!(pointer["label"]["definition"], name.as_str());
        assert!(work.path().join("out").join(pointer["name"].as_str().unwrap()).is_file());
    }
}

/// Killed when the first, the second, … thing is there: what is there leads to nothing that is not, and the next run
/// completes it.
#[tokio::test]
async fn a_process_that_is_killed_leaves_nothing_half_and_the_next_one_completes_it() {
    let work = written(&[("a.toml", definition("a.tar", &["central"]).as_bytes()), ("a.tar", &root("x"))]);
    let built = answer(work.path(), &[], &["build", "a.toml", "--output", "clean", "--json"]).await;
    let (name, lock) = (built["name"].as_str().unwrap(), built["lock"].as_str().unwrap());
    let names = |found: Vec<(String, Vec<u8>)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let clean = names(published(&work.path().join("clean")));
    for (number, seen) in [format!("locks/{lock}.json"), name.to_owned(), format!("builds/{lock}")].iter().enumerate() {
        let out = format!("out-{number}");
        let mut process = env(work.path(), &[], &["build", "a.toml", "--output", &out]).spawn().unwrap();
        let is_there = async {
            let mut turn = tokio::time::interval(Duration::from_millis(1));
            while !work.path().join(&out).join(seen).exists() && process.try_wait().unwrap().is_none() {
                turn.tick().await;
            }
        };
        tokio::time::timeout(LONG, is_there).await.unwrap();
        process.kill().await.unwrap();
        let left = published(&work.path().join(&out));
        let has = |key: &str| left.iter().any(|(name, _)| name == key);
        assert!(!has("environments.json") || has(&format!("builds/{lock}")));
        assert!(!has(&format!("builds/{lock}")) || has(name));
        answer(work.path(), &[], &["build", "a.toml", "--output", &out, "--json"]).await;
        assert_eq!(names(published(&work.path().join(&out))), clean);
        let folders = work.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<_> = folders.filter(|name| name.starts_with("buildhub-environment-")).collect();
        assert_eq!(left, Vec::<String>::new(), "the next one removes what the killed one worked in");
    }
}

/// Buckets, a queue, and the function.
struct Cloud {
    moto: Arc<Moto>,
    function: Arc<Emulator>,
    variables: Vec<(String, String)>,
    messages: EventSource,
    _scratch: TempDir,
}

impl Cloud {
    async fn new(more: &[(&str, &str)]) -> Self {
        let moto = Arc::new(Moto::start().await.unwrap());
        moto.create_bucket(BUCKET).await.unwrap();
        moto.create_bucket(DEFINITIONS).await.unwrap();
        let patient = QueueSettings { visibility: 3600, ..QueueSettings::default() };
        let queue: Queue = moto.create_queue("environments", &patient).await.unwrap();
        let scratch = tempfile::tempdir().unwrap();
        let mut variables = moto.variables();
        let ours = [
            ("ENVIRONMENTS_STORE", format!("s3://{BUCKET}/public")),
            ("ENVIRONMENTS_DEFINITIONS", format!("s3://{DEFINITIONS}/all")),
            ("ENVIRONMENTS_QUEUE_URL", queue.url.clone()),
            ("ENVIRONMENTS_SCRATCH", scratch.path().display().to_string()),
            ("ENVIRONMENTS_DISK", "2048".to_owned()),
            ("ENVIRONMENTS_THREADS", "1".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ];
        variables.extend(ours.map(|(name, value)| (name.to_owned(), value)));
        variables.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let settings: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let function = Emulator::pool(&function(), &settings, 2).await.unwrap();
        let function = Arc::new(function);
        let mapping = Mapping { queue, batch: 1, concurrency: 2 };
        let messages = EventSource::start(&moto, &function, mapping);
        Self { moto, function, variables, messages, _scratch: scratch }
    }

    async fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        let key = format!("all/{key}");
        self.moto.put_object(DEFINITIONS, &key, bytes::Bytes::from(bytes.into())).await.unwrap();
    }

    /// A schedule's turn, and all that comes of it.
    async fn turn(&self) -> Value {
        let event = include_str!("../events/mock-env-publisher/schedule.json");
        let planned = self.function.invoke(&serde_json::from_str(event).unwrap()).await;
        let planned = planned.unwrap_or_else(|error| panic!("{error}: {}", self.function.logs().unwrap()));
        let drained = tokio::time::timeout(LONG, self.messages.drained()).await;
        assert!(drained.is_ok(), "it does not end: {}", self.function.logs().unwrap());
        planned
    }

    async fn index(&self) -> Value {
        let text = self.moto.get_object(BUCKET, "public/environments.json").await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        self.moto.object_keys(BUCKET, prefix).await.unwrap()
    }
}

/// Pitfall 10: one after another.
#[tokio::test]
async fn a_daily_turn_publishes_what_changed_and_one_that_fails_leaves_the_others_alone() {
    let cloud = Cloud::new(&[]).await;
    cloud.put("linux64.toml", definition("roots/a.tar", &["central"])).await;
    cloud.put("esr.toml", definition("roots/b.tar", &["esr60"])).await;
    cloud.put("roots/a.tar", root("a")).await;
    cloud.put("roots/b.tar", root("b")).await;
    cloud.put("lost.toml", definition("roots/none.tar", &["lost"])).await;
    cloud.put("taken.toml", definition("roots/a.tar", &["central"])).await;
    cloud.put("wrong.toml", "[environment]\nsource = 3\n").await;
    let planned = cloud.turn().await;
    assert_eq!(planned["planned"], json!(["esr.toml", "linux64.toml", "lost.toml"]));
    let refused = planned["refused"].as_object().unwrap();
    assert!(refused["taken.toml"].as_str().unwrap().contains("linux64.toml has the label"), "{refused:?}");
    assert!(refused.contains_key("wrong.toml"), "{refused:?}");
    assert!(cloud.function.logs().unwrap().contains("an environment cannot be published; the others go on"));
    let index = cloud.index().await;
    assert_eq!(index["environments"].as_array().unwrap().len(), 2, "{index}");

    // Nothing changed: nothing is written.
    let before = (cloud.keys("").await, cloud.index().await);
    cloud.turn().await;
    assert_eq!((cloud.keys("").await, cloud.index().await), before);

    // Labels alone.
    cloud.put("linux64.toml", definition("roots/a.tar", &["central", "try"])).await;
    let archives = cloud.keys("public/builds/").await;
    cloud.turn().await;
    assert_eq!(cloud.keys("public/builds/").await, archives);
    assert!(cloud.keys("public/latest/").await.iter().any(|key| key == "public/latest/try/linux64/firefox.json"));

    // A one-off, and one of those that are planned, at once.
    let one_off = json!({"name": "one-off", "definition": definition("roots/b.tar", &[]).replace("oci = true\n", "")});
    let answer = cloud.function.invoke(&one_off).await.unwrap();
    assert_eq!((&answer["built"], &answer["definition"]), (&json!(true), &json!("one-off")), "{answer}");
    let answer = cloud.function.invoke(&json!({"key": "esr.toml"})).await.unwrap();
    assert_eq!((&answer["built"], &answer["changed"]), (&json!(false), &json!(false)), "{answer}");
    let error = cloud.function.invoke(&json!({"key": "lost.toml"})).await.unwrap_err();
    assert!(matches!(&error, FunctionError::Function { kind, .. } if kind == "Build"), "{error}");

    // A contributor, from the bucket.
    let work = tempfile::tempdir().unwrap();
    let output = run(env(work.path(), &cloud.variables, &["fetch", "try/linux64/firefox", "-o", "root"])).await;
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(std::fs::read_to_string(work.path().join("root/etc/version")).unwrap(), "a");
    let output = run(env(work.path(), &cloud.variables, &["verify", "esr60/linux64/firefox"])).await;
    assert!(output.status.success(), "{}", said(&output));
}

/// As they are sent to it.
#[tokio::test]
async fn the_samples_are_one_that_is_planned_a_message_about_it_and_one_of_its_own() {
    let cloud = Cloud::new(&[]).await;
    cloud.put("linux64.toml", definition("roots/a.tar", &["central"])).await;
    cloud.put("roots/a.tar", root("a")).await;
    cloud.put("roots/reproduce-1234567.tar.zst", root_with("b", &["./builds/tokens/key"])).await;
    let invoke = async |sample: &str| cloud.function.invoke(&serde_json::from_str(sample).unwrap()).await.unwrap();
    let one = invoke(include_str!("../events/mock-env-publisher/one.json")).await;
    assert_eq!((&one["built"], &one["changed"]), (&json!(true), &json!(true)), "{one}");
    let message = invoke(include_str!("../events/mock-env-publisher/sqs.json")).await;
    assert_eq!(message, json!({ "batchItemFailures": [] }));
    let own = invoke(include_str!("../events/mock-env-publisher/one-off.json")).await;
    assert_eq!((&own["built"], &own["definition"]), (&json!(true), &json!("reproduce-1234567")), "{own}");
    let index = cloud.index().await;
    assert_eq!(index["environments"].as_array().unwrap().len(), 2, "{index}");
}

#[tokio::test]
async fn what_cannot_fit_into_the_function_is_refused_before_the_work() {
    let cloud = Cloud::new(&[("ENVIRONMENTS_DISK", "1")]).await;
    cloud.put("linux64.toml", definition("roots/a.tar", &["central"])).await;
    cloud.put("roots/a.tar", root("a")).await;
    let error = cloud.function.invoke(&json!({"key": "linux64.toml"})).await.unwrap_err().to_string();
    assert!(error.starts_with("DoesNotFit: ") && error.contains("ephemeral storage"), "{error}");
    assert_eq!(cloud.keys("").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_repository_that_is_away_makes_the_message_come_again_and_one_that_is_not_there_does_not() {
    let cloud = Cloud::new(&[("NB_RETRY_REQUEST", "0")]).await;
    let site = ArchiveSite::start(Content::tree([])).await.unwrap();
    let definition = format!(
        "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"a\"]\n\
         [[repo]]\nid = \"base\"\nurl = \"{}\"\n",
        site.url()
    );
    let body = json!({"name": "d", "definition": definition}).to_string();
    let record = json!({"messageId": "m", "receiptHandle": "r", "body": body, "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "1"}, "messageAttributes": {}, "md5OfBody": "",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:environments", "awsRegion": "us-east-1"});
    let event = json!({"Records": [record]});
    for (status, again) in [(503, json!([{"itemIdentifier": "m"}])), (404, json!([]))] {
        site.fail("/repodata/repomd.xml", Failure::status(status));
        let answer = cloud.function.invoke(&event).await.unwrap();
        assert_eq!(answer["batchItemFailures"], again, "{status}: {}", cloud.function.logs().unwrap());
    }
    assert_eq!(cloud.keys("").await, Vec::<String>::new());
}

/// The number that the template gives a parameter.
fn default_of(parameter: &str) -> u64 {
    let template = include_str!("../template.yaml");
    let (_, its) = template.split_once(&format!("\n  {parameter}:\n")).unwrap();
    let (_, default) = its.split_once("\n    Default: ").unwrap();
    default.lines().next().unwrap().parse().unwrap()
}

/// Hundreds of packages, from a repository on the web.
#[tokio::test]
async fn an_environment_of_hundreds_of_packages_is_made_in_the_memory_and_on_the_disk_that_are_stated() {
    let (megabytes, is_real) = (megabytes(), is_real_size());
    // What the template states, or as little as will do.
    let stated = (default_of("EnvironmentsMemory"), default_of("EnvironmentsStorage"));
    let (memory, disk) = if is_real { stated } else { (400, megabytes * 14 / 10 + 4) };
    // What it may take, however much there is; each thread compresses a block of its own.
    let (most_of_memory, most_of_disk) = (if is_real { 800 } else { memory }, megabytes * 14 / 10 + 4);
    let packages = 320;
    let workshop = large_repository(packages, megabytes * 1_000_000).unwrap();
    let site = ArchiveSite::start(Content::folder(workshop.packages())).await.unwrap();
    let definition = format!(
        "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"{}\"]\n\
         [[repo]]\nid = \"base\"\nurl = \"{}\"\n",
        large_name(packages - 1),
        site.url()
    );
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().display().to_string();
    let (memory_text, disk_text, threads) = (memory.to_string(), disk.to_string(), if is_real { "4" } else { "1" });
    let settings = |disk| {
        [
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_text.as_str()),
            ("AWS_LAMBDA_FUNCTION_TIMEOUT", "900"),
            ("ENVIRONMENTS_DISK", disk),
            ("ENVIRONMENTS_SCRATCH", folder.as_str()),
            ("ENVIRONMENTS_THREADS", threads),
        ]
    };
    let ask = json!({"name": "large", "definition": definition});
    let tight = (megabytes / 2).to_string();
    let cloud = Cloud::new(&settings(&tight)).await;
    let error = cloud.function.invoke(&ask).await.unwrap_err().to_string();
    assert!(error.starts_with("DoesNotFit: ") && error.contains("of disk"), "{error}");
    assert_eq!(site.requests_for(&format!("/{}-1-1.x86_64.rpm", large_name(0))), 0, "it is known before the work");

    let cloud = Cloud::new(&settings(&disk_text)).await;
    let done = std::sync::atomic::AtomicBool::new(false);
    let most = async {
        let (mut most, mut turn) = (0, tokio::time::interval(Duration::from_millis(5)));
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            most = most.max(cloud.function.disk(scratch.path()));
            turn.tick().await;
        }
        most
    };
    let began = std::time::Instant::now();
    let made = async {
        let answer = cloud.function.invoke(&ask).await;
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        answer.unwrap_or_else(|error| panic!("{error}: {}", cloud.function.logs().unwrap()))
    };
    let (answer, most_disk) = tokio::join!(made, most);
    let (took, most_memory) = (began.elapsed(), cloud.function.peak_memory() / 1024);
    println!("{} bytes of {packages} packages in {took:?}", answer["size"]);
    println!("memory {most_memory} MiB of {memory}, disk {} MiB of {disk}", most_disk >> 20);
    assert!(answer["size"].as_u64().unwrap() > megabytes * 200_000, "{answer}");
    assert!(most_memory <= most_of_memory, "{most_memory} MiB of memory");
    assert!(most_disk > megabytes * 1_000_000 && most_disk <= most_of_disk << 20, "{most_disk} bytes of disk");
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left");
    let licences = cloud.moto.get_object(BUCKET, &format!("public/{}", answer["licences"].as_str().unwrap())).await;
    let licences: Value = serde_json::from_str(&licences.unwrap()).unwrap();
    assert_eq!(licences["packages"].as_array().unwrap().len(), packages);
}

/// What debootstrap makes of Debian; all of it where [`MEGABYTES`] asks for real size.
#[tokio::test]
async fn a_debian_root_is_built_fetched_and_worked_in_by_the_command() {
    let Some(root) = debian_root() else { return };
    let excluded: &[&str] = if is_real_size() { &[] } else { &["/var/cache/apt", "/var/lib/apt", "/usr/share"] };
    let rules: Vec<_> =
        excluded.iter().map(|path| format!("[[exclude]]\npath = \"{path}\"\nreason = \"not needed\"\n")).collect();
    let setuid = "\"/usr/bin/chage\", \"/usr/bin/chfn\", \"/usr/bin/chsh\", \"/usr/bin/expiry\", \"/usr/bin/gpasswd\", \
                  \"/usr/bin/mount\", \"/usr/bin/newgrp\", \"/usr/bin/passwd\", \"/usr/bin/su\", \"/usr/bin/umount\", \
                  \"/usr/sbin/unix_chkpwd\"";
    let definition = format!(
        "[environment]\nsource = \"chroot-tar\"\narch = \"x86_64\"\nroot = \"{}\"\nsetuid = [{setuid}]\n{}\
         [[label]]\nbranch = \"debian\"\nplatform = \"linux64\"\nproduct = \"firefox\"\n",
        root.display(),
        rules.concat()
    );
    let work = written(&[("debian.toml", definition.as_bytes())]);
    let ours = [("ENVIRONMENTS_URL".to_owned(), "out".to_owned())];
    let began = std::time::Instant::now();
    let command = ["build", "debian.toml", "--output", "out", "--disk", "1000", "--memory", "1024", "--json"];
    let built = answer(work.path(), &ours, &command).await;
    println!("{} bytes in {:?}", built["size"], began.elapsed());
    let fetched = answer(work.path(), &ours, &["fetch", "--branch", "debian", "--output", "root", "--json"]).await;
    let unpacked = work.path().join("root");
    assert!(excluded.iter().all(|path| !unpacked.join(path.trim_start_matches('/')).exists()));
    if fetched["owners"] == true {
        let mut inside = Command::new("chroot");
        inside.arg(&unpacked).args(["/bin/sh", "-c", "printf $((6 * 7))"]);
        let output = run(inside).await;
        assert_eq!(output.stdout, b"42", "{}", said(&output));
        let su = std::fs::metadata(unpacked.join("usr/bin/su")).unwrap();
        assert_eq!(su.permissions().mode() & 0o7777, 0o4755);
    }
}
