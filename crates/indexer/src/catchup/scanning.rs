//! All parts of the inventories, read side by side on threads of their own.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildhub_core::Deadline;
use buildhub_core::store::{SharedStore, StoreErrorKind};
use buildhub_inventory::{Found, Part, PartError, Schema, open_part};
use tokio::runtime::Handle;

use crate::catchup::State;
use crate::index::Index;
use crate::progress::Progress;
use crate::removed::Removed;
use crate::report::{Builds, Read, Report};
use crate::resolve::Knowledge;
use crate::scan::{Learned, ScanError, Sieve};
use crate::settings::Selection;
use crate::spool::Spool;

/// Parts read at the same time, at most: one for each core, and no more than a store likes.
const MAX_THREADS: usize = 4;

/// How often a part is read again whose connection broke.
const MAX_TRIES: u32 = 3;

/// What scanning needs. Shared between the threads.
pub(crate) struct Scan {
    pub(crate) store: SharedStore,
    pub(crate) selection: Arc<Selection>,
    pub(crate) download_url: String,
    /// What is held back for having been removed meanwhile.
    pub(crate) removed: Arc<Removed>,
    pub(crate) temporary: PathBuf,
    /// When to stop, whatever is left to read.
    pub(crate) until: Deadline,
    pub(crate) progress: Arc<dyn Progress>,
}

/// What scanning found.
pub(crate) struct Scanned {
    /// What the keys taught.
    pub(crate) knowledge: Knowledge,
    /// The builds that are news.
    pub(crate) spools: Vec<Spool>,
    /// Keys of the parts that were read whole.
    pub(crate) parts: HashSet<String>,
    /// Whether there was time for all of it.
    pub(crate) complete: bool,
}

struct Job {
    part: Part,
    schema: Schema,
}

/// What one thread found in the parts it read.
#[derive(Default)]
struct Share {
    learned: Learned,
    read: Read,
    builds: Builds,
    spool: Option<Spool>,
    faults: Vec<String>,
    /// Parts read whole, by key.
    parts: Vec<String>,
    /// Parts that could not be read, by key, each with its reason.
    failed: Vec<(String, String)>,
    unfinished: bool,
}

impl Scan {
    /// Reads the parts of all inventories. A part that cannot be read is a fault of the report; the others go on.
    /// What `passed` has is passed over.
    pub(crate) async fn run(self, found: &[Found], passed: &State, index: &Arc<Index>, report: &mut Report) -> Scanned {
        let all: usize = found.iter().map(|found| found.manifest.parts.len()).sum();
        let jobs: VecDeque<Job> = found.iter().flat_map(|found| jobs(found, passed)).collect();
        let is_whole = jobs.len() == all;
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(jobs.len());
        let shared = Arc::new((self, Arc::clone(index), Mutex::new(jobs)));
        let handle = Handle::current();
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                let (shared, handle) = (Arc::clone(&shared), handle.clone());
                // What it logs is of the same invocation.
                let invocation = tracing::Span::current();
                tokio::task::spawn_blocking(move || {
                    let (scan, index, jobs) = &*shared;
                    invocation.in_scope(|| scan.work(index, jobs, &handle))
                })
            })
            .collect();
        let mut scanned = Scanned {
            knowledge: Knowledge { learned: Learned::default(), complete: is_whole },
            spools: Vec::new(),
            parts: HashSet::new(),
            complete: true,
        };
        for worker in workers {
            match worker.await {
                Ok(share) => scanned.add(share, report),
                Err(stopped) => {
                    scanned.knowledge.complete = false;
                    report.fault(format!("a thread that read the inventory stopped: {stopped}"));
                }
            }
        }
        if let Some((_, _, jobs)) = Arc::into_inner(shared) {
            let left = jobs.into_inner().unwrap_or_else(PoisonError::into_inner).len();
            if left > 0 && scanned.complete {
                scanned.knowledge.complete = false;
                report.fault(format!("{left} parts of the inventory were not read, for the reasons above"));
            }
        }
        scanned
    }

    fn work(&self, index: &Index, jobs: &Mutex<VecDeque<Job>>, handle: &Handle) -> Share {
        let mut share = Share::default();
        match Spool::new(&self.temporary) {
            Ok(spool) => share.spool = Some(spool),
            Err(error) => {
                share.faults.push(error.to_string());
                return share;
            }
        }
        loop {
            if share.unfinished || share.spool.is_none() {
                return share;
            }
            let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(job) = next else { return share };
            let mut tries = 1;
            while let Err(error) = self.part(&job, index, handle, &mut share) {
                if tries < MAX_TRIES && is_transient(&error) {
                    tries += 1;
                    tracing::warn!(%error, "a part of the inventory is read again");
                } else {
                    share.failed.push((job.part.key.clone(), error.to_string()));
                    break;
                }
            }
        }
    }

    /// Reads one part. Nothing of it counts unless it proved to be whole, or there was no time for the rest.
    fn part(&self, job: &Job, index: &Index, handle: &Handle, share: &mut Share) -> Result<(), ScanError> {
        let Some(spool) = share.spool.as_mut() else { return Ok(()) };
        let mark = spool.mark()?;
        let mut rows = open_part(Arc::clone(&self.store), handle.clone(), "", &job.part, &job.schema);
        let mut sieve = Sieve::new(&self.selection, &self.download_url, Some(index)).without(&self.removed);
        let stop = || self.until.remaining() == Some(Duration::ZERO);
        let sifted = sieve.sift(&mut rows, &*self.progress, &stop, &mut |news| Ok(spool.push(&news.build)?));
        match sifted {
            Ok(ended) => {
                share.unfinished = !ended;
                share.parts.extend(ended.then(|| job.part.key.clone()));
                share.learned.absorb(sieve.learned);
                share.read.add(&sieve.read);
                share.builds.add(&sieve.builds);
                Ok(())
            }
            Err(error) => {
                if let Err(broken) = spool.roll_back(mark) {
                    // A list that may hold rows of a damaged part is not used.
                    share.spool = None;
                    share.failed.push((job.part.key.clone(), error.to_string()));
                    return Err(broken.into());
                }
                Err(error)
            }
        }
    }
}

impl Scanned {
    fn add(&mut self, share: Share, report: &mut Report) {
        report.read.add(&share.read);
        report.builds.add(&share.builds);
        self.parts.extend(share.parts);
        self.complete &= !share.unfinished;
        self.knowledge.complete &= share.faults.is_empty() && share.failed.is_empty() && !share.unfinished;
        self.knowledge.learned.absorb(share.learned);
        self.spools.extend(share.spool.filter(|spool| !spool.is_empty()));
        share.faults.into_iter().for_each(|fault| report.fault(fault));
        share.failed.into_iter().for_each(|(part, reason)| report.failed_part(&part, reason));
    }
}

/// The parts of an inventory that are to be read.
fn jobs(found: &Found, passed: &State) -> Vec<Job> {
    let Found { manifest, .. } = found;
    let wanted = manifest.parts.iter().filter(|part| !passed.has(found, part));
    wanted.map(|part| Job { part: part.clone(), schema: manifest.schema.clone() }).collect()
}

/// Whether the next reading may go better: the connection broke, or the bytes came otherwise than they are stored.
fn is_transient(error: &ScanError) -> bool {
    match error {
        ScanError::Part(PartError::Store { source, .. }) => source.kind == StoreErrorKind::Transient,
        ScanError::Part(PartError::Size { .. } | PartError::Checksum { .. } | PartError::Interrupted { .. }) => true,
        _ => false,
    }
}
