//! A run's folder, in `CACHE_FOLDER`: what its workers share, and what each of them leaves behind.
//!
//! | object | written by | holds |
//! |---|---|---|
//! | `plan.json` | the planner, once | what is to be done |
//! | `queued` | the planner, at its end | nothing: all parts are on their queue |
//! | `index.bin` | the planner | what the store had when the run began |
//! | `checkpoints/PART-HOP.json` | a worker whose time was over | how far it came |
//! | `metadata/PART.jsonl.gz` | the worker of a part | metadata it found |
//! | `parts/PART.json` | the worker of a part, at its end | what it did |
//! | `batches/ID.json` | the writer of a batch | what the store acknowledged |
//! | `report.json` | the last one | the run's report; the run is over |

use buildhub_core::store::{SharedStore, StoreError, StoreErrorKind};
use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::fact::IdHash;
use crate::gaps::Gaps;
use crate::removed::Removed;
use crate::report::{Report, StoreCounts};

/// The largest object of a run that is read back: a plan of the largest manifest, an index of 20 million records.
const MAX_OBJECT: usize = 1 << 30;

/// Objects read at the same time.
const PARALLEL: usize = 16;

/// What a run is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Tells this plan from one that another planner made at the same moment.
    pub planner: u64,
    /// When the run began.
    pub began: Timestamp,
    /// Everything that decides what becomes of a row, beside the row itself.
    pub work: String,
    /// The dated folders of its inventories.
    pub inventories: Vec<String>,
    /// The parts to be read.
    pub parts: Vec<PlannedPart>,
    /// Most records in a batch.
    pub batch_max: usize,
    /// What was found wrong before the run began.
    pub faults: Vec<String>,
    /// Of those, what no run can mend.
    pub lasting: Vec<String>,
    /// Builds of the parts that are in already which may have no record.
    pub missing: Gaps,
    /// Records that were removed since the inventories were made.
    pub removed: Removed,
    /// Records read to know what the store has.
    pub records_read: u64,
    /// How long that took, in milliseconds.
    #[serde(default)]
    pub reading: u64,
}

/// A part in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPart {
    /// Which of the plan's inventories it is of.
    pub inventory: usize,
    /// Its key in the manifest.
    pub key: String,
}

/// What was done of a part.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct PartRecord {
    /// What was read of it, counted by the last invocation that read it.
    pub read: Report,
    /// What became of its news, counted by all.
    pub work: Report,
    /// Builds that may have no record.
    pub missing: Gaps,
    /// How many builds of it are news.
    #[serde(default)]
    pub news: u64,
    /// How many of its news were looked at: where the next invocation goes on.
    pub built: u64,
    /// The batches that were queued, by name.
    pub batches: Vec<String>,
    /// How many invocations worked on it.
    pub hops: u32,
    /// How long they did, in seconds.
    pub seconds: f64,
}

/// What the store acknowledged of a batch.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct BatchRecord {
    /// What was counted.
    pub store: StoreCounts,
    /// How long its writing took, in seconds.
    #[serde(default)]
    pub seconds: f64,
    /// The records that are there since, with the moment of their writing.
    pub written: Vec<(IdHash, u64)>,
    /// Builds whose record is not.
    pub missing: Gaps,
    /// Why not; no run with the same inventory would bring them in.
    pub lasting: Vec<String>,
    /// Why not, for other reasons.
    pub faults: Vec<String>,
}

/// An object of a run cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The store does not give or take it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is not what was written.
    #[error("{object} cannot be understood: {source}")]
    Malformed {
        /// The object.
        object: String,
        /// Why not.
        source: serde_json::Error,
    },
}

impl FolderError {
    /// Whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_not_found())
    }

    /// Whether asking again would end the same: there is no such object, or none that can be understood.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::Malformed { .. }) || self.is_not_found()
    }
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    store: SharedStore,
    prefix: String,
}

/// The last part of a key, without its extension.
fn stem(key: &str) -> &str {
    let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

impl RunFolder {
    /// The folder of a run below `runs` (ending in `/`).
    pub fn new(store: SharedStore, runs: &str, run: &str) -> Self {
        Self { store, prefix: format!("{runs}{run}/") }
    }

    /// The plan; an error where there is no such run.
    pub async fn plan(&self) -> Result<Plan, FolderError> {
        self.read("plan.json").await
    }

    /// Writes the plan, unless the run has one; says whether it is this one now.
    pub async fn create_plan(&self, plan: &Plan) -> Result<bool, FolderError> {
        if self.create("plan.json", plan).await? {
            return Ok(true);
        }
        // A write whose answer was lost is repeated, and finds itself.
        Ok(self.plan().await? == *plan)
    }

    /// Whether all parts were put on their queue.
    pub async fn is_queued(&self) -> Result<bool, FolderError> {
        self.has("queued").await
    }

    /// Notes that all parts are on their queue.
    pub async fn set_queued(&self) -> Result<(), FolderError> {
        Ok(self.store.put(&self.key("queued"), Bytes::new()).await?)
    }

    /// The index as it was when the run began.
    pub async fn index(&self) -> Result<Bytes, FolderError> {
        let key = self.key("index.bin");
        Ok(self.store.get(&key).await?.bytes(&key, MAX_OBJECT).await?)
    }

    /// Writes the index.
    pub async fn put_index(&self, index: Bytes) -> Result<(), FolderError> {
        Ok(self.store.put(&self.key("index.bin"), index).await?)
    }

    /// How far a part was when its last invocation's time was over.
    pub async fn checkpoint(&self, part: usize, hop: u32) -> Result<PartRecord, FolderError> {
        self.read(&format!("checkpoints/{part:05}-{hop:03}.json")).await
    }

    /// Writes how far a part is, for its invocation number `hop`.
    pub async fn put_checkpoint(&self, part: usize, hop: u32, record: &PartRecord) -> Result<(), FolderError> {
        self.write(&format!("checkpoints/{part:05}-{hop:03}.json"), record).await
    }

    /// Writes the metadata that the worker of a part found.
    pub async fn put_metadata(&self, part: usize, file: Bytes) -> Result<(), FolderError> {
        Ok(self.store.put(&self.key(&format!("metadata/{part:05}.jsonl.gz")), file).await?)
    }

    /// All metadata that workers found, a file each.
    pub async fn metadata(&self) -> Result<Vec<Bytes>, FolderError> {
        let keys = self.store.list(&self.key("metadata/")).await?.objects.into_iter().map(|entry| entry.key);
        let read = stream::iter(keys)
            .map(|key| async move { Ok::<_, FolderError>(self.store.get(&key).await?.bytes(&key, MAX_OBJECT).await?) });
        read.buffered(PARALLEL).try_collect().await
    }

    /// Whether a part is done.
    pub async fn has_part(&self, part: usize) -> Result<bool, FolderError> {
        self.has(&format!("parts/{part:05}.json")).await
    }

    /// Writes what was done of a part, unless another worker has.
    pub async fn create_part(&self, part: usize, record: &PartRecord) -> Result<bool, FolderError> {
        self.create(&format!("parts/{part:05}.json"), record).await
    }

    /// How many parts are done.
    pub async fn parts_done(&self) -> Result<usize, FolderError> {
        Ok(self.store.list(&self.key("parts/")).await?.objects.len())
    }

    /// What was done of each part that is done.
    pub async fn parts(&self) -> Result<Vec<(usize, PartRecord)>, FolderError> {
        let records = self.all("parts/").await?;
        Ok(records.into_iter().filter_map(|(stem, record)| Some((stem.parse().ok()?, record))).collect())
    }

    /// Whether a batch is written.
    pub async fn has_batch(&self, id: &str) -> Result<bool, FolderError> {
        self.has(&format!("batches/{id}.json")).await
    }

    /// Notes what the store acknowledged of a batch. The first note stays: what follows is a repetition.
    pub async fn create_batch(&self, id: &str, record: &BatchRecord) -> Result<bool, FolderError> {
        self.create(&format!("batches/{id}.json"), record).await
    }

    /// What the store acknowledged, by batch.
    pub async fn batches(&self) -> Result<Vec<(String, BatchRecord)>, FolderError> {
        self.all("batches/").await
    }

    /// Whether the run is over.
    pub async fn is_over(&self) -> Result<bool, FolderError> {
        self.has("report.json").await
    }

    /// Ends the run, unless it is over.
    pub async fn create_report<T: Serialize + Sync>(&self, report: &T) -> Result<bool, FolderError> {
        self.create("report.json", report).await
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn object(&self, key: &str) -> String {
        format!("{}/{key}", self.store.describe().trim_end_matches('/'))
    }

    async fn has(&self, name: &str) -> Result<bool, FolderError> {
        match self.store.head(&self.key(name)).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, FolderError> {
        self.read_key(&self.key(name)).await
    }

    async fn read_key<T: DeserializeOwned>(&self, key: &str) -> Result<T, FolderError> {
        let bytes = self.store.get(key).await?.bytes(key, MAX_OBJECT).await?;
        serde_json::from_slice(&bytes).map_err(|source| FolderError::Malformed { object: self.object(key), source })
    }

    /// All objects of a folder, by the stems of their names.
    async fn all<T: DeserializeOwned + Send>(&self, folder: &str) -> Result<Vec<(String, T)>, FolderError> {
        let keys = self.store.list(&self.key(folder)).await?.objects.into_iter().map(|entry| entry.key);
        let read = stream::iter(keys).map(|key| async move { Ok((stem(&key).to_owned(), self.read_key(&key).await?)) });
        read.buffered(PARALLEL).try_collect().await
    }

    fn text<T: Serialize>(&self, name: &str, value: &T) -> Result<Bytes, FolderError> {
        let text = serde_json::to_vec(value);
        text.map(Bytes::from).map_err(|error| {
            let object = self.object(&self.key(name));
            StoreError::new(StoreErrorKind::Other, "write", object, error.to_string()).into()
        })
    }

    async fn write<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), FolderError> {
        Ok(self.store.put(&self.key(name), self.text(name, value)?).await?)
    }

    async fn create<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<bool, FolderError> {
        Ok(self.store.create(&self.key(name), self.text(name, value)?).await?)
    }
}
