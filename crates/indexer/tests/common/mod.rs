//! A small archive in memory, whose files come and go, and what a catch-up makes of it.

#![allow(dead_code, unreachable_pub, reason = "each test uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use buildhub_core::event::{Change, ObjectEvent};
use buildhub_core::{ObjectKey, Variables};
use buildhub_indexer::NoProgress;
use buildhub_indexer::archive::{Archive, ArchiveError, FileFacts, Folder};
use buildhub_indexer::events::Events;
use buildhub_indexer::fact::{Verdict, judge};
use buildhub_indexer::index::Index;
use buildhub_indexer::metadata::Library;
use buildhub_indexer::ready::Ready;
use buildhub_indexer::resolve::{Knowledge, MetadataUse, Resolver};
use buildhub_indexer::scan::Sieve;
use buildhub_indexer::settings::Selection;
use buildhub_inventory::{Schema, csv_rows};
use buildhub_kinto::Query;
use buildhub_testkit::kinto::KintoServer;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// What download addresses begin with.
pub const URL: &str = "https://archive.example/";

/// A moment: so many minutes after a day's beginning.
pub fn minute(number: i64) -> Timestamp {
    let start: Timestamp = "2018-11-15T00:00:00Z".parse().unwrap();
    start + SignedDuration::from_mins(number)
}

/// A moment: so many seconds after a day's beginning.
pub fn second(number: i64) -> Timestamp {
    minute(0) + SignedDuration::from_secs(number)
}

/// A file as it lies there.
#[derive(Debug, Clone)]
pub struct File {
    pub facts: FileFacts,
    pub body: Bytes,
    /// While it is out of sight nothing shows it.
    pub is_visible: bool,
}

/// An archive in memory. It lists all at once, as a bucket does, or folder by folder, as a site.
#[derive(Debug, Default)]
pub struct Memory {
    files: Mutex<BTreeMap<String, File>>,
    is_site: bool,
    requests: Mutex<Vec<String>>,
}

impl Memory {
    pub fn new(is_site: bool) -> Arc<Self> {
        Arc::new(Self { is_site, ..Self::default() })
    }

    pub fn files(&self) -> MutexGuard<'_, BTreeMap<String, File>> {
        self.files.lock().unwrap()
    }

    /// Puts a file of that body there, or of that size.
    pub fn put(&self, key: &str, date: Timestamp, body: &str) {
        let facts = FileFacts { size: body.len() as u64, date };
        self.files().insert(key.to_owned(), File { facts, body: Bytes::from(body.to_owned()), is_visible: true });
    }

    /// What was asked so far, and forgets it.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    fn ask(&self, what: &str, key: &str) -> Vec<(String, File)> {
        self.requests.lock().unwrap().push(format!("{what} {key}"));
        let seen = self.files();
        seen.iter().filter(|(_, file)| file.is_visible).map(|(key, file)| (key.clone(), file.clone())).collect()
    }

    fn one(&self, what: &str, key: &str) -> Option<File> {
        self.ask(what, key).into_iter().find(|(found, _)| found == key).map(|(_, file)| file)
    }
}

#[async_trait]
impl Archive for Memory {
    async fn get(&self, key: &str) -> Result<Option<Bytes>, ArchiveError> {
        Ok(self.one("get", key).map(|file| file.body))
    }

    async fn head(&self, key: &str) -> Result<Option<FileFacts>, ArchiveError> {
        Ok(self.one("head", key).map(|file| file.facts))
    }

    async fn list(&self, folder: &str) -> Result<Folder, ArchiveError> {
        let mut listing = Folder::default();
        for (key, file) in self.ask("list", folder) {
            let Some(rest) = key.strip_prefix(folder) else { continue };
            match rest.split_once('/') {
                None => listing.files.push((rest.to_owned(), file.facts)),
                Some((name, _)) if listing.folders.last().is_none_or(|last| last != name) => {
                    listing.folders.push(name.to_owned());
                }
                Some(_) => {}
            }
        }
        Ok(listing)
    }

    async fn list_all(&self, prefix: &str) -> Result<Option<Vec<(String, FileFacts)>>, ArchiveError> {
        if self.is_site {
            return Ok(None);
        }
        let files = self.ask("list all", prefix).into_iter().filter(|(key, _)| key.starts_with(prefix));
        Ok(Some(files.map(|(key, file)| (key, file.facts)).collect()))
    }
}

/// Settings of a handler whose records go into a collection of its own.
pub fn variables(kinto: &KintoServer, collection: &str) -> Variables {
    Variables::default()
        .with("SERVER_URL", kinto.url())
        .with("COLLECTION", collection)
        .with("ARCHIVE_URL", URL)
        .with("PRODUCTS", "firefox, thunderbird, mobile, devedition, focus, fenix")
}

/// A handler of the events of `archive`.
pub fn events(vars: &Variables, archive: &Arc<Memory>) -> Events {
    Events::from_variables(vars).unwrap().reading(Arc::clone(archive) as Arc<dyn Archive>)
}

/// An event as S3 sends it.
pub fn event(change: Change, key: &str, time: Timestamp) -> ObjectEvent {
    let (bucket, key) = ("builds".to_owned(), ObjectKey::plain(key.to_owned()));
    ObjectEvent { change, bucket, key, time: Some(time), sequencer: None }
}

/// The records of the store by their ids, without what the store adds.
pub async fn stored(events: &Events) -> BTreeMap<String, Value> {
    let records = events.target().collection.list::<Value>(Query::new()).await.unwrap();
    let records = records.into_iter().map(|record| {
        let mut data = record.data;
        data.as_object_mut().unwrap().retain(|name, _| name != "last_modified" && name != "schema");
        (record.id, data)
    });
    records.collect()
}

/// The records that a catch-up over the same archive writes into an empty store.
pub async fn caught_up(vars: &Variables, archive: &Arc<Memory>) -> BTreeMap<String, Value> {
    let selection = Selection::from_variables(vars, minute(0)).unwrap();
    let rows: Vec<String> = archive
        .files()
        .iter()
        .map(|(key, file)| {
            let form = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
            format!("\"b\",\"{form}\",\"{}\",\"{}\",\"\"\n", file.facts.size, file.facts.date)
        })
        .collect();
    let index = Index::default();
    let mut sieve = Sieve::new(&selection, URL, Some(&index));
    let schema = Schema::default_csv();
    let mut rows = csv_rows(std::io::Cursor::new(rows.concat().into_bytes()), &schema, "rows");
    let mut builds = Vec::new();
    let mut take = |news: buildhub_indexer::scan::News| {
        builds.push(news.build);
        Ok(())
    };
    sieve.sift(&mut rows, &NoProgress, &|| false, &mut take).unwrap();
    let library = Library::new(Arc::clone(archive) as Arc<dyn Archive>, NonZeroUsize::MIN, minute(0));
    let resolver = Resolver {
        library: Arc::new(library),
        products: selection.products,
        download_url: URL.to_owned(),
        release_as_beta: selection.release_as_beta,
        metadata: MetadataUse::Needed,
        parallel: 1,
    };
    let knowledge = Knowledge { learned: sieve.learned, complete: true };
    let made = resolver.resolve(&builds, &knowledge).await.unwrap();
    assert!(made.faults.is_empty(), "{:?}", made.faults);
    let mut best: BTreeMap<String, Ready> = BTreeMap::new();
    for ready in made.ready {
        let offered = judge(best.get(&ready.id).map(|other| &other.fact), &ready.fact);
        if matches!(offered, Verdict::New | Verdict::Changed) {
            best.insert(ready.id.clone(), ready);
        }
    }
    best.into_iter().map(|(id, ready)| (id, serde_json::from_str(ready.json.get()).unwrap())).collect()
}

/// Metadata as the build system writes it; `revision` tells one file from another.
pub fn json(channel: &str, revision: &str) -> String {
    serde_json::json!({ "buildid": "20181114190000", "moz_source_repo": "https://hg.mozilla.org/releases/mozilla-release",
                        "moz_source_stamp": revision, "moz_update_channel": channel })
    .to_string()
}

/// A `buildhub.json` of an archive, dated an hour before anything was stored.
pub fn buildhub_json(url: &str, channel: &str, revision: &str) -> String {
    dated_buildhub_json(url, channel, revision, "2018-11-14T23:00:00.123Z")
}

/// A `buildhub.json` of an archive of that date.
pub fn dated_buildhub_json(url: &str, channel: &str, revision: &str, date: &str) -> String {
    serde_json::json!({
        "build": { "id": "20181114190000", "date": "2018-11-14T19:00:00Z" },
        "source": { "product": "firefox", "repository": "https://hg.mozilla.org/releases/mozilla-release",
                    "tree": "releases/mozilla-release", "revision": revision },
        "target": { "channel": channel },
        "download": { "url": url, "size": 7, "date": date, "mimetype": "x" },
    })
    .to_string()
}
