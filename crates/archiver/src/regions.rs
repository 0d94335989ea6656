//! The buckets, in their order.
//!
//! Each region has the same keys. The first of the settings is the one that is asked where nobody says which is near.

use std::sync::Arc;
use std::time::Duration;

use buildhub_core::store::{Details, S3, S3Store, StoreError, StoreErrorKind};
use futures::future;
use futures::stream::{FuturesOrdered, StreamExt as _};
use tokio::sync::OnceCell;

use crate::settings::RegionSettings;

/// How long a bucket may take to say whether it has an object. One that is slower is passed over.
const LOOK: Duration = Duration::from_secs(2);

/// A region: its bucket, and its name.
#[derive(Debug, Clone)]
pub struct Region {
    /// Its name, as in `s3_urls`.
    pub name: String,
    /// Its bucket.
    pub store: S3Store,
    /// Set when the bucket was seen to be there: it is asked for once, with the first object that is missing.
    has_bucket: Arc<OnceCell<()>>,
}

/// All regions, in the order of the settings.
#[derive(Debug, Clone)]
pub struct Regions {
    regions: Vec<Region>,
    patience: Duration,
}

/// What a region said when it was asked for an object.
#[derive(Debug)]
pub enum Look {
    /// It has it.
    There(Details),
    /// It has none.
    Missing,
    /// It did not say, or not in time.
    Silent(String),
}

/// Where an object was found.
#[derive(Debug)]
pub enum Found<'a> {
    /// There, the first that had it, in the order of preference.
    In(&'a Region, Details),
    /// In none that answered. Those that did not answer may have it.
    Nowhere,
    /// No region answered: nothing is known.
    Silent {
        /// What each of them said instead, by its name.
        reasons: Vec<(String, String)>,
    },
}

impl Region {
    /// An object of it, if it has it. A bucket that is not there lacks no object: that is an error.
    async fn look(&self, key: &str) -> Result<Option<Details>, StoreError> {
        match self.store.details(key).await {
            Ok(details) => Ok(Some(details)),
            Err(error) if error.is_not_found() => {
                self.has_bucket.get_or_try_init(|| self.store.check_bucket()).await?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

impl Regions {
    /// Opens the buckets. Nothing is asked of them yet.
    pub async fn open(settings: &[RegionSettings]) -> Self {
        let opened = settings.iter().map(|region| async {
            let store = S3::connect(&region.s3).await.bucket(&region.bucket, "");
            Region { name: region.name.clone(), store, has_bucket: Arc::default() }
        });
        Self { regions: future::join_all(opened).await, patience: LOOK }
    }

    /// The same regions, waiting another time for each to say whether it has an object.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter()
    }

    /// The region of that name.
    pub fn get(&self, name: &str) -> Option<&Region> {
        self.regions.iter().find(|region| region.name == name)
    }

    /// The one that is asked first: the preferred one where there is such a region, else the first.
    pub fn nearest(&self, preferred: Option<&str>) -> Option<&Region> {
        preferred.and_then(|name| self.get(name)).or(self.regions.first())
    }

    /// Looks for an object: in the nearest region, and where that does not have it, in the others at the same time.
    pub async fn find(&self, key: &str, preferred: Option<&str>) -> Found<'_> {
        let Some(nearest) = self.nearest(preferred) else { return Found::Nowhere };
        let mut reasons = Vec::new();
        match self.look(nearest, key).await {
            Look::There(details) => return Found::In(nearest, details),
            Look::Missing => {}
            Look::Silent(reason) => reasons.push((nearest.name.clone(), reason)),
        }
        let mut looks = FuturesOrdered::new();
        for region in self.regions.iter().filter(|region| region.name != nearest.name) {
            looks.push_back(self.look_at(region, key));
        }
        while let Some((region, look)) = looks.next().await {
            match look {
                Look::There(details) => return Found::In(region, details),
                Look::Missing => {}
                Look::Silent(reason) => reasons.push((region.name.clone(), reason)),
            }
        }
        if reasons.len() < self.regions.len() { Found::Nowhere } else { Found::Silent { reasons } }
    }

    /// Asks every region for an object, all at the same time; the answers in the regions' order.
    pub async fn look_everywhere(&self, key: &str) -> Vec<(&Region, Look)> {
        let mut looks = Vec::with_capacity(self.regions.len());
        for region in &self.regions {
            looks.push(self.look_at(region, key));
        }
        future::join_all(looks).await
    }

    async fn look_at<'a>(&'a self, region: &'a Region, key: &str) -> (&'a Region, Look) {
        (region, self.look(region, key).await)
    }

    async fn look(&self, region: &Region, key: &str) -> Look {
        let region_name = &region.name;
        let reason = match tokio::time::timeout(self.patience, region.look(key)).await {
            Ok(Ok(Some(details))) => return Look::There(details),
            Ok(Ok(None)) => return Look::Missing,
            Ok(Err(error)) if error.kind == StoreErrorKind::Transient => error.to_string(),
            Ok(Err(error)) => {
                tracing::error!(region = region_name, %error, "a region cannot be asked until a person mends that");
                return Look::Silent(error.to_string());
            }
            Err(_) => format!("no answer within {:?}", self.patience),
        };
        tracing::warn!(region = region_name, reason, "a region did not say whether it has an archive");
        Look::Silent(reason)
    }
}
