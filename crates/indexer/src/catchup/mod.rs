//! The catch-up run: from the latest inventory to an up-to-date store, at a cost that follows what changed.

pub(crate) mod scanning;
mod state;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use buildhub_core::store::{Location, SharedStore};
use buildhub_core::{Deadline, Variables};
use buildhub_inventory::{Found, ManifestError, latest, manifest_in};
use futures::{Stream, StreamExt as _, pin_mut};
use jiff::Timestamp;

use crate::caches::Caches;
use crate::connect::{ConnectError, Connector, Target};
use crate::fanout::RunReport;
use crate::gaps::GapReason;
use crate::index::Index;
use crate::metadata::Library;
use crate::pipeline::{PipelineError, read_spools, resolve_all};
use crate::progress::{Progress, Stage};
use crate::removed::{self, Removed, removed_since};
use crate::report::Report;
use crate::resolve::{Knowledge, MetadataUse, Resolved, Resolver};
use crate::settings::{ArchiveSettings, FolderSettings, InventorySettings, KintoSettings, Selection};
use crate::spool::Spool;
use crate::target::{TargetError, keep};
use crate::writer::Writer;
use scanning::Scan;
pub(crate) use scanning::Scanned;
pub use state::State;

/// Time kept back before a deadline, for the proof and the caches; less where there is little.
const MARGIN: Duration = Duration::from_secs(30);

/// Changes whenever the same inventory would make other records: then all of it is looked at again.
const RULES: u32 = 1;

/// Time between two keepings of the caches during a long load.
const KEEP_EVERY: Duration = Duration::from_mins(5);

/// A run that was stopped before its end. What was acknowledged until then stays, and the next run goes on from it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Something could not be set up.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An inventory landed where this function does not look.
    #[error("the inventory {landed} is not directly below {expected}; see INVENTORY_LOCATION and INVENTORY_PREFIX")]
    Elsewhere {
        /// Where it landed.
        landed: String,
        /// Where inventories are expected.
        expected: String,
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

/// A catch-up run, ready to go. Cheap to clone.
#[derive(Clone)]
pub struct CatchUp {
    pub(crate) target: Target,
    pub(crate) caches: Caches,
    pub(crate) library: Arc<Library>,
    pub(crate) inventory: SharedStore,
    location: Location,
    folders: Vec<String>,
    /// The one dated folder that is read, where an inventory has just landed.
    landed: Option<String>,
    archive: ArchiveSettings,
    selection: Arc<Selection>,
    temporary: PathBuf,
    /// When the run began: ages count from here.
    now: Timestamp,
    pub(crate) deadline: Deadline,
    margin: Duration,
    pub(crate) progress: Arc<dyn Progress>,
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
            caches: connector.caches(&folders, &target, Some(&archive)).await,
            library: connector.library(&archive, now).await?,
            inventory: connector.store(&inventory.location).await,
            location: inventory.location,
            folders: inventory.folders,
            landed: None,
            selection: Arc::new(Selection::from_variables(vars, now)?),
            temporary: folders.temporary,
            now,
            deadline: Deadline::NONE,
            margin: MARGIN,
            target,
            archive,
            progress,
        })
    }

    /// The same run, beginning at another moment, with nothing learned of the archive yet.
    #[must_use]
    pub(crate) fn at(&self, now: Timestamp) -> Self {
        let library = Arc::new(self.library.renewed(now));
        let oldest = self.selection.oldest.map(|oldest| oldest + now.duration_since(self.now));
        let selection = Arc::new(Selection { oldest, ..(*self.selection).clone() });
        Self { library, selection, now, ..self.clone() }
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
        let is_ours = |below: &&str| {
            let parent = below.trim_end_matches('/').rsplit_once('/').map_or("", |(parent, _)| parent);
            self.folders.iter().any(|folder| folder.trim_end_matches('/') == parent)
        };
        let Some(below) = below.filter(is_ours) else {
            let landed = format!("s3://{bucket}/{folder}");
            let expected = self.folders.iter().map(|folder| format!("{}{folder}", self.location));
            return Err(RunError::Elsewhere { landed, expected: expected.collect::<Vec<_>>().join(" or ") });
        };
        self.landed = Some(below.to_owned());
        Ok(self)
    }

    /// Runs. The report counts what was done, also when the run was stopped.
    pub async fn run(&self) -> (Report, Result<(), RunError>) {
        let began = Instant::now();
        let mut report = Report::default();
        // Steps stop themselves when only the margin is left. A step that hangs is dropped when most of that is gone,
        // so that there is an answer in any case: what it had begun, the next run finds done or not done.
        let result = self.deadline.allow(self.margin / 3, self.steps(&mut report)).await.unwrap_or_else(|| {
            tracing::warn!("the time was over in the middle of a step; the next run goes on");
            Ok(false)
        });
        report.metadata = self.library.counts();
        report.complete = matches!(result, Ok(true));
        report.seconds.total = began.elapsed().as_secs_f64();
        (report, result.map(drop))
    }

    /// Keeps the report of a run in `CACHE_FOLDER`, beside those of runs that were spread over many invocations.
    pub async fn keep_report(&self, report: &RunReport) {
        if let Err(error) = self.caches.run(&report.run).create_report(report).await {
            tracing::warn!(%error, "the report of the run cannot be kept");
        }
    }

    /// Says whether there was time for all of it.
    async fn steps(&self, report: &mut Report) -> Result<bool, RunError> {
        let opened = self.target.open(&self.caches, &*self.progress, report).await?;
        let found = self.manifests(report).await?;
        report.inventories = found.iter().map(|found| found.folder.clone()).collect();
        let is_limited = self.is_limited();
        let known = if opened.intact && !is_limited { self.caches.state().await } else { State::default() };
        let mut state = known.for_work(&self.describe()).of(&found);
        for fault in state.faults() {
            report.lasting(fault);
        }
        report.missing = state.missing().clone();
        if opened.intact && !is_limited && found.iter().all(|found| state.has_all(found)) {
            tracing::info!(inventories = ?report.inventories, "nothing changed since the last run");
            report.count_gaps(&opened.index, self.now);
            return Ok(true);
        }
        let index = Arc::new(opened.index);
        let removed = Arc::new(self.removed_since(&found).await?);
        let Scanned { mut knowledge, spools, parts, complete } =
            self.scan(&found, &state, &index, removed, report).await;
        let index = Arc::unwrap_or_clone(index);
        knowledge.complete &= self.folders.len() == found.len();
        let all_written = self.records(knowledge, spools, index, report).await?;
        if all_written && !is_limited && self.may_count(report) {
            for inventory in &found {
                state.add(inventory, |part| parts.contains(&part.key));
            }
            state.set_faults(&report.faults, &report.missing);
            keep(report, self.caches.keep_state(&state).await);
        }
        Ok(complete && all_written)
    }

    /// Whether what this run looked at need not be looked at again: all is in, but for what no other run would bring in
    /// from the same inventory either.
    fn may_count(&self, report: &Report) -> bool {
        report.fault_count == report.lasting_count && self.library.counts().failed == 0
    }

    /// Whether what events removed stays removed.
    pub(crate) fn are_removals_kept(&self) -> bool {
        self.selection.remove_deleted
    }

    /// Whether the answer depends on the clock, so that nothing may be passed over for having been looked at.
    pub(crate) fn is_limited(&self) -> bool {
        self.selection.oldest.is_some()
    }

    /// Everything that decides what becomes of a row, beside the row itself.
    pub(crate) fn describe(&self) -> String {
        let Selection { products, release_as_beta, remove_deleted, .. } = &*self.selection;
        let rules = format!("{RULES} {products:?} {release_as_beta} {remove_deleted}");
        format!("{rules} {:?} {} {:?}", self.archive, self.location, self.folders)
    }

    /// The inventories to be read: the one that landed, or the newest of each folder.
    /// One that cannot be had leaves the others alone.
    pub(crate) async fn manifests(&self, report: &mut Report) -> Result<Vec<Found>, ManifestError> {
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

    pub(crate) async fn scan(
        &self,
        found: &[Found],
        passed: &State,
        index: &Arc<Index>,
        removed: Arc<Removed>,
        report: &mut Report,
    ) -> Scanned {
        let began = Instant::now();
        let bytes = found.iter().map(|found| found.manifest.size()).sum();
        self.progress.begin(Stage::Inventory, Some(bytes));
        let scan = Scan {
            store: Arc::clone(&self.inventory),
            selection: Arc::clone(&self.selection),
            download_url: self.archive.download_url.clone(),
            removed,
            temporary: self.temporary.clone(),
            // Half of the time, so that some is left for what was found.
            until: match self.deadline.remaining() {
                Some(left) => Deadline::after(left.saturating_sub(self.margin) / 2),
                None => Deadline::NONE,
            },
            progress: Arc::clone(&self.progress),
        };
        let scanned = scan.run(found, passed, index, report).await;
        self.progress.end();
        report.judge_rows();
        report.seconds.inventory = began.elapsed().as_secs_f64();
        scanned
    }

    /// The records that were removed since these inventories were made, where removals count.
    pub(crate) async fn removed_since(&self, found: &[Found]) -> Result<Removed, TargetError> {
        match removed::beginning(found.iter().map(|found| found.manifest.created), self.now) {
            Some(moment) if self.selection.remove_deleted => Ok(removed_since(&self.target.collection, moment).await?),
            _ => Ok(Removed::default()),
        }
    }

    /// Makes records of what is news, writes them, and proves that they are there. Says whether there was time for all.
    async fn records(
        &self,
        knowledge: Knowledge,
        spools: Vec<Spool>,
        index: Index,
        report: &mut Report,
    ) -> Result<bool, RunError> {
        let builds = spools.iter().map(Spool::len).sum();
        if builds == 0 {
            report.count_gaps(&index, self.now);
            return Ok(true);
        }
        let began = Instant::now();
        let since = index.timestamp();
        self.caches.restore_metadata(&self.library, &knowledge.learned).await;
        let mut writer = self.target.writer(index).await?;
        let results = resolve_all(self.resolver(), Arc::new(knowledge), read_spools(spools));
        self.progress.begin(Stage::Records, Some(builds));
        let loaded = self.load(&mut writer, results, builds, report).await;
        self.progress.end();
        report.seconds.records = began.elapsed().as_secs_f64();
        keep(report, self.caches.keep_metadata(&self.library).await);
        let mut index = writer.finish(report);
        // What a store acknowledged before it failed is found out by the next run.
        if !matches!(loaded, Err(RunError::Target(_))) && report.store.created + report.store.updated > 0 {
            self.target.prove(&mut index, since, &self.caches, &*self.progress, report).await?;
        }
        report.count_gaps(&index, self.now);
        loaded
    }

    pub(crate) fn resolver(&self) -> Arc<Resolver> {
        Arc::new(Resolver {
            library: Arc::clone(&self.library),
            products: self.selection.products,
            download_url: self.archive.download_url.clone(),
            release_as_beta: self.selection.release_as_beta,
            metadata: MetadataUse::Needed,
            parallel: self.archive.parallel,
        })
    }

    /// Hands records to the writer until there are no more, or no time; says which.
    async fn load(
        &self,
        writer: &mut Writer,
        results: impl Stream<Item = Result<(u64, Resolved), PipelineError>>,
        builds: u64,
        report: &mut Report,
    ) -> Result<bool, RunError> {
        pin_mut!(results);
        let mut kept = Instant::now();
        let mut left = builds;
        let all = loop {
            let Some(next) = self.deadline.allow(self.margin, results.next()).await else { break false };
            let Some(result) = next else { break true };
            let (builds, mut resolved) = result.inspect_err(|error| report.missing.note_number(error.gap(), left))?;
            report.add_resolved(&mut resolved);
            left = left.saturating_sub(builds);
            if !self.offer(writer, resolved, report).await? {
                break false;
            }
            self.progress.advance(builds);
            if kept.elapsed() > KEEP_EVERY {
                kept = Instant::now();
                keep(report, self.caches.keep_metadata(&self.library).await);
            }
        };
        report.missing.note_number(GapReason::NotReached, left);
        writer.flush().await.map_err(TargetError::from)?;
        Ok(all)
    }

    /// Offers records until there is no time; says whether there was for all.
    async fn offer(&self, writer: &mut Writer, resolved: Resolved, report: &mut Report) -> Result<bool, RunError> {
        let mut records = resolved.ready.into_iter();
        while let Some(ready) = records.next() {
            if self.deadline.is_within(self.margin) {
                for left in std::iter::once(ready).chain(records) {
                    report.missing.note(GapReason::NotReached, left.hash, left.fact.date);
                }
                return Ok(false);
            }
            writer.offer(ready).await.map_err(TargetError::from)?;
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoProgress;

    #[tokio::test]
    async fn an_age_counts_from_the_moment_of_each_run() {
        let (start, hour) = (Timestamp::UNIX_EPOCH, jiff::SignedDuration::from_hours(1));
        let vars = Variables::default().with("MIN_AGE_LAST_MODIFIED_HOURS", "1");
        let base = CatchUp::from_variables(&vars, start + hour, Arc::new(NoProgress)).await.unwrap();
        assert_eq!(base.selection.oldest, Some(start));
        let later = base.at(start + hour * 25);
        assert_eq!(later.selection.oldest, Some(start + hour * 24));
        assert_eq!(later.at(start + hour).selection.oldest, Some(start));
    }
}
