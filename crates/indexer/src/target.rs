//! The store of the records, made ready for a load and asked for proof after it.

use std::time::Instant;

use buildhub_core::store::StoreError;
use buildhub_kinto::manifest::ManifestError;
use buildhub_kinto::{KintoError, LoadError, Loader, LoaderSettings, Manifest};

use crate::caches::Caches;
use crate::connect::Target;
use crate::index::{Index, prove, refresh};
use crate::progress::{Progress, Stage};
use crate::report::Report;
use crate::writer::Writer;

/// The store could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Kinto does not answer, or refuses.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// A load was stopped.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The manifest of bucket, collection and schema cannot be read.
    #[error("the store's manifest cannot be read: {0}")]
    Manifest(#[from] ManifestError),
}

/// What the store has, and whether that is news.
#[derive(Debug)]
pub struct Opened {
    /// What the store has.
    pub index: Index,
    /// Whether the store lost nothing of what the last run left in it.
    pub intact: bool,
}

impl Target {
    /// Brings bucket, collection, schema and permissions up to date; says what was changed.
    pub async fn initialise(&self) -> Result<Vec<String>, TargetError> {
        let manifest = manifest(&self.settings.bucket, &self.settings.collection)?;
        let changes = self.client.initialise(&manifest).await?;
        Ok(changes.iter().map(ToString::to_string).collect())
    }

    /// Makes the store ready where that is wanted, and reads what it has.
    pub async fn open(
        &self,
        caches: &Caches,
        progress: &dyn Progress,
        report: &mut Report,
    ) -> Result<Opened, TargetError> {
        // A schema that was changed may take what it refused before: what is in is then looked at again.
        let mut intact = true;
        if self.settings.initialize {
            for change in self.initialise().await? {
                intact = false;
                tracing::info!(%change, "the store was brought up to date");
            }
        }
        let since = Instant::now();
        let mut index = caches.index().await;
        progress.begin(Stage::Store, None);
        let refreshed = refresh(&mut index, &self.collection, progress).await;
        progress.end();
        let refreshed = refreshed?;
        report.store.read = refreshed.read;
        report.seconds.store = since.elapsed().as_secs_f64();
        intact &= refreshed.losses == 0;
        // A store that lost something lacks what the state says is in. First that is forgotten, then the index is kept:
        // a run that is killed in between reads the store again, and never takes a loss for granted. All before the
        // long work, so that a folder that cannot be written is found out early.
        let forgotten = if intact { Ok(()) } else { caches.forget_state().await };
        let kept = match forgotten {
            Ok(()) if refreshed.news > 0 || !intact => caches.keep_index(&mut index).await,
            other => other,
        };
        keep(report, kept);
        Ok(Opened { index, intact })
    }

    /// A writer on what the store has.
    pub async fn writer(&self, index: Index) -> Result<Writer, TargetError> {
        Ok(self.writer_with(self.loader_settings().await?, index))
    }

    /// What batches the server takes.
    pub async fn loader_settings(&self) -> Result<LoaderSettings, TargetError> {
        Ok(LoaderSettings::for_server(&self.client.info().await?, self.settings.batch_max))
    }

    /// A writer of batches whose limits are known.
    pub fn writer_with(&self, settings: LoaderSettings, index: Index) -> Writer {
        let batch_max = settings.batch_max;
        Writer::new(Loader::new(self.collection.clone(), settings), index, batch_max)
    }

    /// Proves that what the store acknowledged since `since` is there, and keeps the index.
    pub async fn prove(
        &self,
        index: &mut Index,
        since: u64,
        caches: &Caches,
        progress: &dyn Progress,
        report: &mut Report,
    ) -> Result<(), TargetError> {
        let began = Instant::now();
        progress.begin(Stage::Proof, Some(report.store.created + report.store.updated));
        let proof = prove(index, &self.collection, since, progress).await;
        progress.end();
        let proof = proof?;
        report.lost(&proof.lost);
        keep(report, caches.keep_index(index).await);
        report.seconds.proof = began.elapsed().as_secs_f64();
        Ok(())
    }
}

/// Bucket, collection, schema and permissions, as the distribution has them.
const MANIFEST: &str = include_str!("../../../kinto/initialization.json");

/// What bucket and collection of these names should be like.
pub fn manifest(bucket: &str, collection: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(MANIFEST)?.renamed(bucket, collection)
}

/// Notes that a cache could not be kept: what was done stays done, the next run has more to do.
pub(crate) fn keep(report: &mut Report, kept: Result<(), StoreError>) {
    if let Err(error) = kept {
        tracing::warn!(%error, "a cache could not be kept: the next run has more to do");
        report.fault(format!("a cache could not be kept: {error}; see CACHE_FOLDER"));
    }
}
