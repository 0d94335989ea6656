//! A whole world in a temporary folder: an archive's site, its inventory, a Kinto, and the command that joins them.

#![allow(dead_code, unreachable_pub, reason = "each scenario uses its part of the harness")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::format_collect,
    reason = "a scenario that cannot be set up has failed"
)]

pub mod inventory;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use buildhub_testkit::kinto::{Backend, KintoServer};
use buildhub_testkit::sample::{Inventory, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use serde_json::Value;
use tempfile::TempDir;

/// Everything a run of the command touches.
pub struct World {
    pub kinto: KintoServer,
    pub site: ArchiveSite,
    pub sample: Arc<Sample>,
    pub folder: TempDir,
    client: reqwest::Client,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A sample archive of `rows` objects and an empty Kinto.
    pub async fn new(backend: Backend, rows: u64) -> Self {
        let sample = Arc::new(Sample::new(SampleSpec { rows, seed: 7, parts: 3 }));
        let site = ArchiveSite::start(Content::sample(Arc::clone(&sample))).await.unwrap();
        Self::with(backend, site, sample, tempfile::tempdir().unwrap()).await
    }

    /// A site with just these files, and an empty Kinto. The inventory is to be written by the scenario.
    pub async fn of_files(files: &[(&str, &str)]) -> Self {
        Self::of_files_on(Backend::Memory, files).await
    }

    /// The same, with a Kinto of that kind.
    pub async fn of_files_on(backend: Backend, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let site = ArchiveSite::start(Content::folder(folder.path().join("archive"))).await.unwrap();
        let world = Self::with(backend, site, Arc::new(Sample::new(SampleSpec::of(0))), folder).await;
        for (key, text) in files {
            world.publish(key, text);
        }
        world
    }

    /// Puts a file into the archive of a world of few files.
    pub fn publish(&self, key: &str, text: &str) {
        let path = self.folder.path().join("archive").join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn with(backend: Backend, site: ArchiveSite, sample: Arc<Sample>, folder: TempDir) -> Self {
        if sample.spec().rows > 0 {
            sample.write_inventory(&folder.path().join("bucket"), &Inventory::of("firefox")).unwrap();
        }
        let kinto = KintoServer::start(backend).await.unwrap();
        Self { kinto, site, sample, folder, client: reqwest::Client::new() }
    }

    pub fn bucket(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// `buildhub ARGS`, with the settings of this world and none of the machine's.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_buildhub"));
        command.args(args).env_clear().current_dir(self.folder.path());
        for (name, value) in self.variables() {
            command.env(name, value);
        }
        command
    }

    pub fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("SERVER_URL", self.kinto.url()),
            ("ARCHIVE_URL", self.site.url()),
            ("INVENTORY_LOCATION", self.bucket().join("public").display().to_string()),
            ("INVENTORIES", "firefox".to_owned()),
            ("CACHE_FOLDER", self.cache().display().to_string()),
            ("CSV_DOWNLOAD_DIRECTORY", self.folder.path().join("temporary").display().to_string()),
            ("NB_RETRY_REQUEST", "1".to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]
    }

    /// Runs a command to its end.
    pub async fn run(&self, args: &[&str]) -> Ran {
        run(self.command(args), "").await
    }

    /// Runs a catch-up; its report.
    pub async fn catch_up(&self) -> Value {
        let ran = self.run(&["latest-inventory-to-kinto", "--json"]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    }

    /// Every record of the store by id, without what the server adds.
    pub async fn records(&self) -> Vec<Value> {
        let mut records = Vec::new();
        let mut next = Some(self.record_url("?_limit=1000&_sort=id"));
        while let Some(url) = next.take() {
            let answer = self.client.get(url).send().await.unwrap().error_for_status().unwrap();
            next = answer.headers().get("next-page").map(|url| url.to_str().unwrap().to_owned());
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            records.extend(body["data"].as_array().unwrap().iter().cloned().map(without_servers_fields));
        }
        records
    }

    pub async fn record(&self, id: &str) -> Option<Value> {
        let answer = self.client.get(self.record_url(&format!("/{id}"))).send().await.unwrap();
        let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        body.get("data").cloned().map(without_servers_fields)
    }

    /// Writes a record as somebody else would.
    pub async fn put(&self, record: &Value) {
        let url = self.record_url(&format!("/{}", record["id"].as_str().unwrap()));
        let body = serde_json::json!({ "data": record }).to_string();
        let request = self.client.put(url).basic_auth("user", Some("pass"));
        let request = request.header("content-type", "application/json").body(body);
        request.send().await.unwrap().error_for_status().unwrap();
    }

    /// Deletes a record as somebody else would.
    pub async fn delete(&self, id: &str) {
        self.delete_as("user", "pass", id).await;
    }

    /// Deletes a record as this user.
    pub async fn delete_as(&self, user: &str, password: &str, id: &str) {
        let request = self.client.delete(self.record_url(&format!("/{id}"))).basic_auth(user, Some(password));
        request.send().await.unwrap().error_for_status().unwrap();
    }

    fn record_url(&self, rest: &str) -> String {
        format!("{}/buckets/build-hub/collections/releases/records{rest}", self.kinto.url())
    }
}

fn without_servers_fields(mut record: Value) -> Value {
    let fields = record.as_object_mut().unwrap();
    fields.remove("last_modified");
    fields.remove("schema");
    record
}

impl Ran {
    /// Standard output as one JSON value.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr))
    }

    /// Standard output as JSON lines.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Runs a command to its end, with `input` on its standard input.
pub async fn run(mut command: Command, input: impl Into<Vec<u8>>) -> Ran {
    let input = input.into();
    tokio::task::spawn_blocking(move || {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let feeding = std::thread::spawn(move || {
            // A command that refuses its settings does not read.
            let _ = stdin.write_all(&input);
        });
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap();
        output.into()
    })
    .await
    .unwrap()
}

/// Waits until `is_so`, for at most half a minute.
pub async fn until(mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..1500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come to that");
}

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}
