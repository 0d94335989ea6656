//! The catch-up run: from the latest inventory to an up-to-date store, at a cost that follows what changed.

mod scanning;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_core::store::{Location, SharedStore};
use buildhub_core::{Deadline, Variables};
use buildhub_inventory::{Found, ManifestError, latest, manifest_in};
use futures::{Stream, StreamExt as _, pin_mut};
use jiff::Timestamp;
use xxhash_rust::xxh3::xxh3_64;

use crate::caches::{Caches, Done};
use crate::connect::{ConnectError, Connector, Target};
use crate::index::Index;
use crate::metadata::Library;
use crate::pipeline::{PipelineError, read_spools, resolve_all};
use crate::progress::{Progress, Stage};
use crate::report::Report;
use crate::resolve::{MetadataUse, Resolved, Resolver};
use crate::settings::{ArchiveSettings, FolderSettings, InventorySettings, KintoSettings, Selection};
use crate::spool::Spool;
use crate::target::{TargetError, keep};
use crate::writer::Writer;
use scanning::{Scan, Scanned};

/// Time kept back before a deadline, for the proof and the caches; less where there is little.
const MARGIN: Duration = Duration::from_secs(30);

/// Time between two keepings of the caches during a long load.
const KEEP_EVERY: Duration = Duration::from_mins(5);

/// A run that was stopped before its end. What was acknowledged until then stays, and the next run goes on from it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An inventory landed where this function does not look.
    #[error("the inventory {landed} is not below {location}; see INVENTORY_LOCATION")]
    Elsewhere {
        /// Where it landed.
        landed: String,
        /// Where inventories are expected.
        location: String,
    },
    /// There is no inventory to read.
    #[error(transparent)]
    Inventory(#[from] ManifestError),
    /// The store does not take it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Records could not be made.
    #[error(transparent)]
    Pipeline(#[from] PipelineError),
}

/// A catch-up run, ready to go.
pub struct CatchUp {
    target: Target,
    caches: Caches,
    library: Arc<Library>,
    inventory: SharedStore,
    location: Location,
    folders: Vec<String>,
    /// The one dated folder that is read, where an inventory has just landed.
    landed: Option<String>,
    archive: ArchiveSettings,
    selection: Arc<Selection>,
    temporary: PathBuf,
    deadline: Deadline,
    margin: Duration,
    progress: Arc<dyn Progress>,
}

impl std::fmt::Debug for CatchUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatchUp").field("target", &self.target).field("folders", &self.folders).finish_non_exhaustive()
    }
}

impl CatchUp {
    /// Sets up a run from its settings; ages count from `now`.
    pub async fn from_variables(
        vars: &Variables,
        now: Timestamp,
        progress: Arc<dyn Progress>,
    ) -> Result<Self, ConnectError> {
        let connector = Connector::from_variables(vars)?;
        let target = connector.target(KintoSettings::from_variables(vars)?)?;
        let archive = ArchiveSettings::from_variables(vars)?;
        let inventory = InventorySettings::from_variables(vars)?;
        let folders = FolderSettings::from_variables(vars)?;
        Ok(Self {
            caches: connector.caches(&folders, &target).await,
            library: connector.library(&archive).await?,
            inventory: connector.store(&inventory.location).await,
            location: inventory.location,
            folders: inventory.folders,
            landed: None,
            selection: Arc::new(Selection::from_variables(vars, now)?),
            temporary: folders.temporary,
            deadline: Deadline::NONE,
            margin: MARGIN,
            target,
            archive,
            progress,
        })
    }

    /// The same run, ending at a record's boundary before `deadline`.
    #[must_use]
    pub fn until(mut self, deadline: Deadline) -> Self {
        // Of a short time, a quarter: less would leave none for the work.
        self.margin = deadline.remaining().map_or(MARGIN, |left| MARGIN.min(left / 4));
        self.deadline = deadline;
        self
    }

    /// The same run over one inventory, the one that landed in `folder` of `bucket`.
    pub fn landed(mut self, bucket: &str, folder: &str) -> Result<Self, RunError> {
        let below = match &self.location {
            Location::S3 { bucket: ours, prefix } if ours == bucket => folder.strip_prefix(prefix.as_str()),
            _ => None,
        };
        let Some(below) = below else {
            let landed = format!("s3://{bucket}/{folder}");
            return Err(RunError::Elsewhere { landed, location: self.location.to_string() });
        };
        self.landed = Some(below.to_owned());
        Ok(self)
    }

    /// Runs. The report counts what was done, also when the run was stopped.
    pub async fn run(&self) -> (Report, Result<(), RunError>) {
        let began = Instant::now();
        let mut report = Report::default();
        let result = self.steps(&mut report).await;
        report.metadata = self.library.counts();
        report.complete &= result.is_ok();
        report.seconds.total = began.elapsed().as_secs_f64();
        (report, result)
    }

    async fn steps(&self, report: &mut Report) -> Result<(), RunError> {
        let opened = self.target.open(&self.caches, &*self.progress, report).await?;
        let found = self.manifests(report).await?;
        report.inventories = found.iter().map(|found| found.folder.clone()).collect();
        let before = self.caches.done().await;
        let done = self.done(&before, &found);
        if opened.unchanged && self.selection.oldest.is_none() && before == done {
            tracing::info!(inventories = ?report.inventories, "nothing changed since the last run");
            report.complete = true;
            return Ok(());
        }
        let scanned = self.scan(&found, opened.index, report).await?;
        let complete = scanned.knowledge.complete;
        self.records(scanned, report).await?;
        if complete && report.is_success() {
            keep(report, self.caches.keep_done(&done).await);
        }
        Ok(())
    }

    /// The inventories to be read: the one that landed, or the newest of each folder.
    /// One that cannot be had leaves the others alone.
    async fn manifests(&self, report: &mut Report) -> Result<Vec<Found>, ManifestError> {
        if let Some(folder) = &self.landed {
            return Ok(vec![manifest_in(&*self.inventory, folder).await?]);
        }
        let mut found = Vec::with_capacity(self.folders.len());
        let mut missing = Vec::new();
        for folder in &self.folders {
            match latest(&*self.inventory, folder).await {
                Ok(inventory) => found.push(inventory),
                Err(error) => missing.push(error),
            }
        }
        if found.is_empty() {
            return missing.into_iter().next().map_or(Ok(found), Err);
        }
        for error in missing {
            report.fault(error);
        }
        Ok(found)
    }

    /// What will have been brought in when all goes well: these inventories, and those of `before` that are not newer
    /// here.
    fn done(&self, before: &Done, found: &[Found]) -> Done {
        let settings = format!("{:?} {}", self.selection.products, self.archive.download_url);
        let settings = xxh3_64(settings.as_bytes());
        let mut inventories = if before.settings == settings { before.inventories.clone() } else { BTreeMap::new() };
        for Found { folder, .. } in found {
            let (parent, dated) = folder.trim_end_matches('/').rsplit_once('/').unwrap_or(("", folder));
            inventories.insert(parent.to_owned(), dated.to_owned());
        }
        Done { settings, inventories }
    }

    async fn scan(&self, found: &[Found], index: Index, report: &mut Report) -> Result<Scanned, RunError> {
        let began = Instant::now();
        let bytes = found.iter().map(|found| found.manifest.size()).sum();
        self.progress.begin(Stage::Inventory, Some(bytes));
        let scan = Scan {
            store: Arc::clone(&self.inventory),
            selection: Arc::clone(&self.selection),
            download_url: self.archive.download_url.clone(),
            temporary: self.temporary.clone(),
            deadline: self.deadline,
            margin: self.margin,
            progress: Arc::clone(&self.progress),
        };
        let scanned = scan.run(found, index, report).await;
        self.progress.end();
        report.judge_rows();
        report.seconds.inventory = began.elapsed().as_secs_f64();
        Ok(scanned)
    }

    /// Makes records of what is news, writes them, and proves that they are there.
    async fn records(&self, scanned: Scanned, report: &mut Report) -> Result<(), RunError> {
        let builds = scanned.spools.iter().map(Spool::len).sum();
        let since = scanned.index.timestamp();
        report.complete = scanned.complete;
        if builds == 0 {
            return Ok(());
        }
        let began = Instant::now();
        self.caches.restore_metadata(&self.library).await;
        let mut writer = self.target.writer(scanned.index).await?;
        let results = resolve_all(self.resolver(), Arc::new(scanned.knowledge), read_spools(scanned.spools));
        self.progress.begin(Stage::Records, Some(builds));
        let loaded = self.load(&mut writer, results, report).await;
        self.progress.end();
        let (mut index, counts, faults) = writer.finish();
        report.add_store(&counts);
        for fault in faults {
            report.fault(fault);
        }
        report.seconds.records = began.elapsed().as_secs_f64();
        keep(report, self.caches.keep_metadata(&self.library).await);
        if loaded.is_ok() && counts.created + counts.updated > 0 {
            self.target.prove(&mut index, since, &self.caches, &*self.progress, report).await?;
        }
        loaded
    }

    fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver {
            library: Arc::clone(&self.library),
            products: self.selection.products,
            download_url: self.archive.download_url.clone(),
            metadata: MetadataUse::Needed,
            parallel: self.archive.parallel,
        })
    }

    /// Hands records to the writer until there are no more, or no time.
    async fn load(
        &self,
        writer: &mut Writer,
        results: impl Stream<Item = Result<(u64, Resolved), PipelineError>>,
        report: &mut Report,
    ) -> Result<(), RunError> {
        pin_mut!(results);
        let mut kept = Instant::now();
        while let Some(result) = results.next().await {
            let (builds, resolved) = result?;
            report.add_resolved(&resolved);
            for ready in resolved.ready {
                if self.deadline.is_within(self.margin) {
                    report.complete = false;
                    return Ok(writer.flush().await.map_err(TargetError::from)?);
                }
                writer.offer(ready).await.map_err(TargetError::from)?;
            }
            self.progress.advance(builds);
            if kept.elapsed() > KEEP_EVERY {
                kept = Instant::now();
                keep(report, self.caches.keep_metadata(&self.library).await);
            }
        }
        Ok(writer.flush().await.map_err(TargetError::from)?)
    }
}
