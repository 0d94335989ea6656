//! What an event about an object means: the second writer beside the catch-up, on the same path.
//!
//! An event is a hint that an object may have changed. What is true is asked of the object: whether it is there, its size
//! and date ([`search`]); records are made as the catch-up makes them ([`crate::make`]) and judged by the same judge
//! ([`crate::fact`]). So events may come late, twice, or in any order, and agree with the inventory.
//!
//! | module | holds |
//! |---|---|
//! | [`order`] | which of several events of one object count |
//! | [`search`] | an archive and its metadata in three requests |
//! | [`outcome`] | what became of an event, and what comes again |

mod described;
pub mod order;
pub mod outcome;
mod removed;
pub mod search;
mod work;
mod write;

use std::num::NonZeroUsize;
use std::sync::Arc;

use buildhub_core::event::{Change, ObjectEvent};
use buildhub_core::store::Location;
use buildhub_core::{SettingError, Variables};
use buildhub_releases::{Key, classify};
use jiff::Timestamp;
use quick_cache::sync::Cache;
use tokio::sync::OnceCell;

use crate::archive::{Counted, SharedArchive};
use crate::connect::{ConnectError, Connector, Target};
use crate::make::Making;
use crate::metadata::Library;
use crate::settings::{Access, ArchiveSettings, EventSettings, KintoSettings};

pub use outcome::{EventFault, Handled, Stored};
pub use work::VISIBLE_WITHIN;
use work::Work;

/// Buckets whose connections are kept. Events come from one or two.
const MAX_BUCKETS: usize = 16;

/// What the archive that is an event's bucket depends on. Nothing secret is kept.
const OF_BUCKETS: [&str; 4] = ["DOWNLOAD_URL", "NB_PARALLEL_REQUESTS", "AWS_ENDPOINT_URL", "AWS_REGION"];

/// Handles events: settings and connections, kept from one to the next.
#[derive(Debug)]
pub struct Events {
    variables: Variables,
    settings: EventSettings,
    /// The archive of all events, where one is set; else it is the bucket that an event comes from.
    archive: Option<ArchiveSettings>,
    /// What is read in place of what the settings say.
    given: Option<SharedArchive>,
    connector: Connector,
    target: Target,
    initialised: OnceCell<()>,
    places: Cache<String, Arc<Place>>,
}

/// Where the archives of a bucket's events are read and downloaded.
#[derive(Debug)]
struct Place {
    archive: SharedArchive,
    settings: ArchiveSettings,
}

/// What became of an event, and what it cost.
#[derive(Debug)]
pub struct Answer {
    /// What became of it.
    pub result: Result<Handled, EventFault>,
    /// Requests to the archive, repetitions apart.
    pub requests: u64,
}

impl Events {
    /// Takes the settings, and refuses what no event could be handled with.
    pub fn from_variables(vars: &Variables) -> Result<Self, ConnectError> {
        let connector = Connector::from_variables(vars)?;
        let target = connector.target(KintoSettings::from_variables(vars)?)?;
        Ok(Self::new(vars, connector, target)?)
    }

    fn new(vars: &Variables, connector: Connector, target: Target) -> Result<Self, SettingError> {
        let is_fixed = vars.get("ARCHIVE_URL").is_some();
        let archive = is_fixed.then(|| ArchiveSettings::from_variables(vars)).transpose()?;
        if !is_fixed {
            // What no bucket could be used with is said at start.
            ArchiveSettings::of_bucket(vars, "bucket")?;
        }
        let settings = EventSettings::from_variables(vars)?;
        let kept = OF_BUCKETS.iter().filter_map(|name| Some(((*name).to_owned(), vars.get(name)?.to_owned())));
        let (variables, places) = (kept.collect(), Cache::new(MAX_BUCKETS));
        let initialised = OnceCell::new();
        Ok(Self { variables, settings, archive, given: None, connector, target, initialised, places })
    }

    /// The same, reading this archive, wherever an event comes from. Download addresses stay those of the settings.
    #[must_use]
    pub fn reading(self, archive: SharedArchive) -> Self {
        Self { given: Some(archive), ..self }
    }

    /// The store of the records.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Handles one event. Whatever it says, the object itself is asked.
    pub async fn handle(&self, event: &ObjectEvent, now: Timestamp) -> Answer {
        let key = self.key(event);
        let asked = match (classify(key, self.settings.products), &event.change) {
            (Key::Other(why), _) => Err(why.as_str()),
            (_, Change::Other(_)) => Err("neither written nor removed"),
            (Key::Metadata(_), Change::Removed) => Err("a removal of metadata"),
            (Key::Archive(_), Change::Removed) if !self.settings.remove_deleted => {
                Err("a removal, and REMOVE_DELETED is off")
            }
            (found, _) => Ok(found),
        };
        match asked {
            Err(reason) => Answer { result: Ok(Handled::Ignored { reason }), requests: 0 },
            Ok(found) => match Box::pin(self.place(&event.bucket)).await {
                Err(error) => Answer { result: Err(error), requests: 0 },
                Ok(place) => self.ask(&place, &found, event, now).await,
            },
        }
    }

    async fn ask(&self, place: &Place, found: &Key<'_>, event: &ObjectEvent, now: Timestamp) -> Answer {
        let archive = Arc::new(Counted::new(Arc::clone(&place.archive)));
        let parallel = NonZeroUsize::new(place.settings.parallel).unwrap_or(NonZeroUsize::MIN);
        let EventSettings { products, release_as_beta, remove_deleted } = self.settings;
        let work = Work {
            library: Library::new(Arc::clone(&archive) as SharedArchive, parallel, now),
            archive: Arc::clone(&archive),
            collection: &self.target.collection,
            making: Making { download_url: &place.settings.download_url, release_as_beta },
            products,
            remove_deleted,
            now,
        };
        let result = match (found, &event.change) {
            (Key::Archive(build), Change::Removed) => work.archive_removed(build, event).await,
            (Key::Archive(build), _) => work.archive_written(build, event).await,
            (Key::Metadata(metadata), _) => work.metadata_written(metadata, event).await,
            (Key::Other(why), _) => Ok(Handled::Ignored { reason: why.as_str() }),
        };
        Answer { result, requests: archive.requests() }
    }

    /// The key of the object within the archive: that of the event, less what `ARCHIVE_URL` names of it.
    fn key<'e>(&self, event: &'e ObjectEvent) -> &'e str {
        let key = event.key.as_str();
        match self.archive.as_ref().map(|archive| &archive.access) {
            Some(Access::Store(Location::S3 { bucket, prefix })) if *bucket == event.bucket => {
                key.strip_prefix(prefix.as_str()).unwrap_or(key)
            }
            _ => key,
        }
    }

    /// The store made ready, once, and the archive behind a bucket's events.
    async fn place(&self, bucket: &str) -> Result<Arc<Place>, EventFault> {
        if self.target.settings.initialize {
            self.initialised.get_or_try_init(|| self.initialise()).await?;
        }
        // All events share one archive where one is set.
        let name = if self.archive.is_some() { "" } else { bucket };
        let place = self.places.get_or_insert_async(name, Box::pin(self.open(bucket))).await?;
        Ok(place)
    }

    async fn initialise(&self) -> Result<(), EventFault> {
        for change in self.target.initialise().await? {
            tracing::info!(%change, "the store was brought up to date");
        }
        Ok(())
    }

    async fn open(&self, bucket: &str) -> Result<Arc<Place>, ConnectError> {
        let settings = match &self.archive {
            Some(settings) => settings.clone(),
            None => ArchiveSettings::of_bucket(&self.variables, bucket)?,
        };
        let archive = match &self.given {
            Some(archive) => Arc::clone(archive),
            None => self.connector.archive(&settings).await?,
        };
        Ok(Arc::new(Place { archive, settings }))
    }
}
