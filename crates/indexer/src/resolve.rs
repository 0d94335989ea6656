//! Builds to records: metadata looked up, checks applied.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use buildhub_releases::{Archive, Key, Metadata, Products, classify};
use futures::{StreamExt as _, stream};

use crate::fact::{IdHash, Verdict, judge, seconds};
use crate::gaps::{GapReason, Gaps};
use crate::make::{MakeError, Making};
use crate::metadata::{Library, LibraryError, Lookup};
use crate::ready::Ready;
use crate::scan::Learned;
use crate::spool::Pending;

/// What is done about metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataUse {
    /// A build without it makes no record.
    #[default]
    Needed,
    /// A build without it makes a record without `build`.
    Optional,
    /// None is asked for.
    Unused,
}

/// What an inventory taught, and whether it was all of it.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// What the keys taught.
    pub learned: Learned,
    /// Whether every row was read: what was not seen is then known not to exist, and is not asked for.
    pub complete: bool,
}

/// Makes records of builds. Cheap to share.
#[derive(Debug)]
pub struct Resolver {
    /// Where metadata comes from.
    pub library: Arc<Library>,
    /// Product folders that count.
    pub products: Products,
    /// What download addresses begin with.
    pub download_url: String,
    /// Whether a release of Firefox counts as beta too.
    pub release_as_beta: bool,
    /// What is done about metadata.
    pub metadata: MetadataUse,
    /// Lists of addresses tried at the same time; the library bounds the requests themselves.
    pub parallel: usize,
}

/// What became of some builds.
#[derive(Debug, Default)]
pub struct Resolved {
    /// Records to be written.
    pub ready: Vec<Ready>,
    /// Builds of which a better archive is among them.
    pub outranked: u64,
    /// Builds that make no record for want of metadata.
    pub without_metadata: u64,
    /// Builds whose record does not pass the checks, each with its reason.
    pub refused: Vec<String>,
    /// Builds that make no record.
    pub missing: Gaps,
    /// Why builds could not be resolved, each reason with the number of them.
    pub faults: Vec<String>,
}

impl Resolved {
    fn miss(&mut self, reason: GapReason, archive: &Archive<'_>, build: &Pending) {
        self.missing.note(reason, IdHash::of(&archive.id()), seconds(build.date));
    }

    /// Of several archives of one build the best stays. An inventory lists them close together, so that they meet here;
    /// those that do not are told apart when they are written.
    fn keep_best(&mut self) {
        let mut places: HashMap<IdHash, usize> = HashMap::with_capacity(self.ready.len());
        let mut best: Vec<Ready> = Vec::with_capacity(self.ready.len());
        for ready in std::mem::take(&mut self.ready) {
            if let Some(other) = places.get(&ready.hash).and_then(|place| best.get_mut(*place)) {
                self.outranked += 1;
                if judge(Some(&other.fact), &ready.fact) == Verdict::Changed {
                    *other = ready;
                }
            } else {
                places.insert(ready.hash, best.len());
                best.push(ready);
            }
        }
        self.ready = best;
    }
}

/// What was found under a list of addresses.
type Found = Result<Lookup, LibraryError>;

/// Which list of addresses an archive has, unless that could not be found out.
type Place = Result<usize, LibraryError>;

impl Resolver {
    /// Makes the records of `builds`. An error only when the archive answers nothing any more.
    pub async fn resolve(&self, builds: &[Pending], knowledge: &Knowledge) -> Result<Resolved, LibraryError> {
        let archives = builds.iter().filter_map(|build| match classify(&build.key, self.products) {
            Key::Archive(archive) => Some((archive, build)),
            // Only archives were let through; another key cannot make a record.
            _ => None,
        });
        let archives: Vec<_> = archives.collect();
        let (lists, list_of) = self.addresses(&archives, knowledge).await?;
        let found = self.look_up(&lists).await?;
        let mut resolved = Resolved::default();
        // One address may stand for hundreds of builds: it is one fault, not hundreds.
        let mut left_out = BTreeMap::<String, u64>::new();
        for ((archive, build), place) in archives.iter().zip(list_of) {
            let (keys, found) = match &place {
                Ok(at) => (lists.get(*at), found.get(*at).cloned().unwrap_or(Ok(Lookup::Missing))),
                Err(error) => (None, Err(error.clone())),
            };
            let listed = keys.and_then(|keys| keys.first()).filter(|_| knowledge.complete);
            let reason = match (found, listed) {
                (Ok(Lookup::Found(metadata)), _) => {
                    self.record(archive, build, Some(&*metadata), &mut resolved);
                    continue;
                }
                (Ok(Lookup::Missing), Some(key)) => {
                    format!("the archive has no {key}, which its inventory lists; see ARCHIVE_URL")
                }
                (Ok(Lookup::Missing | Lookup::Malformed), _) => {
                    self.record(archive, build, None, &mut resolved);
                    continue;
                }
                (Err(error), _) => error.to_string(),
            };
            resolved.miss(GapReason::OutOfReach, archive, build);
            *left_out.entry(reason).or_default() += 1;
        }
        let faults = left_out.into_iter().map(|(error, builds)| format!("{error}; builds left out for it: {builds}"));
        resolved.faults.extend(faults);
        resolved.keep_best();
        Ok(resolved)
    }

    /// The distinct lists of addresses the archives' metadata may have, and for each archive the place of its own.
    async fn addresses(
        &self,
        archives: &[(Archive<'_>, &Pending)],
        knowledge: &Knowledge,
    ) -> Result<(Vec<Vec<String>>, Vec<Place>), LibraryError> {
        let mut places = HashMap::new();
        let mut list_of = Vec::with_capacity(archives.len());
        for (archive, _) in archives {
            let mut keys = match self.highest_build(archive, knowledge).await {
                Ok(_) if self.metadata == MetadataUse::Unused => Vec::new(),
                Ok(highest) => archive.metadata_keys(highest),
                Err(out_of_reach @ LibraryError::OutOfReach(_)) => return Err(out_of_reach),
                Err(error) => {
                    list_of.push(Err(error));
                    continue;
                }
            };
            if knowledge.complete {
                keys.retain(|key| knowledge.learned.metadata_date(key).is_some());
            }
            let next = places.len();
            list_of.push(Ok(*places.entry(keys).or_insert(next)));
        }
        let mut lists = vec![Vec::new(); places.len()];
        for (keys, place) in places {
            if let Some(list) = lists.get_mut(place) {
                *list = keys;
            }
        }
        Ok((lists, list_of))
    }

    /// For a release the highest build of its version's candidates: as the inventory taught, and by a listing where not
    /// all of it was read.
    async fn highest_build(&self, archive: &Archive<'_>, knowledge: &Knowledge) -> Result<Option<u32>, LibraryError> {
        let Some((product, version)) = archive.release_of() else { return Ok(None) };
        if self.metadata == MetadataUse::Unused {
            return Ok(None);
        }
        let seen = knowledge.learned.highest_build(product, version);
        match archive.candidates_folder() {
            Some(folder) if !knowledge.complete => Ok(seen.max(self.library.highest_build(&folder).await?)),
            _ => Ok(seen),
        }
    }

    async fn look_up(&self, lists: &[Vec<String>]) -> Result<Vec<Found>, LibraryError> {
        let asked = (0..lists.len()).map(|at| async move {
            let keys = lists.get(at).map_or(&[][..], Vec::as_slice);
            self.library.first(keys).await
        });
        let asked = stream::iter(asked).buffered(self.parallel.max(1));
        let found: Vec<Found> = asked.collect().await;
        match found.iter().find_map(|found| found.as_ref().err()) {
            Some(out_of_reach @ LibraryError::OutOfReach(_)) => Err(out_of_reach.clone()),
            _ => Ok(found),
        }
    }

    fn record(&self, archive: &Archive<'_>, build: &Pending, metadata: Option<&Metadata>, resolved: &mut Resolved) {
        if metadata.is_none() && self.metadata == MetadataUse::Needed {
            resolved.without_metadata += 1;
            resolved.miss(GapReason::WithoutMetadata, archive, build);
            return;
        }
        let making = Making { download_url: &self.download_url, release_as_beta: self.release_as_beta };
        match making.records(archive, build.size, build.date, metadata) {
            Ok(ready) => resolved.ready.extend(ready),
            Err(MakeError::Refused(refusal)) => {
                resolved.miss(GapReason::Refused, archive, build);
                resolved.refused.push(format!("{}: {refusal}", archive.key));
            }
            Err(MakeError::Ready(error)) => resolved.faults.push(error.to_string()),
        }
    }
}
