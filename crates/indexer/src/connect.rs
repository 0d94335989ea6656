//! From settings to connections: the only place that decides which implementation stands behind a trait.

use std::num::NonZeroUsize;
use std::sync::Arc;

use buildhub_core::store::{S3Settings, SharedStore, Stores};
use buildhub_core::{SettingError, Variables};
use buildhub_http::{Http, HttpError, HttpSettings};
use buildhub_kinto::{Auth, Client, ClientSettings, Collection, KintoError};

use jiff::Timestamp;

use crate::archive::{BucketArchive, SharedArchive, SiteArchive};
use crate::caches::Caches;
use crate::metadata::Library;
use crate::settings::{Access, ArchiveSettings, FolderSettings, KintoSettings};

/// Something could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// No HTTP client can be made.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// No Kinto client can be made.
    #[error(transparent)]
    Kinto(#[from] KintoError),
}

/// Makes connections. The S3 client is made when the first location needs it.
#[derive(Debug)]
pub struct Connector {
    http: HttpSettings,
    stores: Stores,
}

/// The store of the records.
#[derive(Debug, Clone)]
pub struct Target {
    /// The server.
    pub client: Client,
    /// The records.
    pub collection: Collection,
    /// What was set.
    pub settings: KintoSettings,
}

impl Connector {
    /// Reads what all connections share.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        Ok(Self { http: crate::settings::http(vars)?, stores: Stores::new(S3Settings::from_variables(vars)?) })
    }

    /// What a client of the store is made of.
    pub fn kinto(&self, settings: &KintoSettings) -> Result<ClientSettings, ConnectError> {
        let auth: Auth = settings.auth.expose().parse().map_err(|_| SettingError::InvalidSecret {
            name: "AUTH",
            allowed: "it is user:password, or Bearer TOKEN".into(),
        })?;
        let http = self.http.clone();
        Ok(ClientSettings { http, ..ClientSettings::new(settings.server.clone(), auth) })
    }

    /// The store of the records.
    pub fn target(&self, settings: KintoSettings) -> Result<Target, ConnectError> {
        let kinto = self.kinto(&settings)?;
        let client = Client::new(&kinto)?;
        let collection = client.collection(&settings.bucket, &settings.collection).map_err(bad_id)?;
        Ok(Target { client, collection, settings })
    }

    /// A place that holds objects.
    pub async fn store(&self, location: &buildhub_core::store::Location) -> SharedStore {
        self.stores.open(location).await
    }

    /// The build archive.
    pub async fn archive(&self, settings: &ArchiveSettings) -> Result<SharedArchive, ConnectError> {
        Ok(match &settings.access {
            Access::Site(url) => Arc::new(SiteArchive::new(Http::new(&self.http)?, url.clone())),
            Access::Store(location) => Arc::new(BucketArchive::new(self.store(location).await)),
        })
    }

    /// The library of the archive's metadata.
    pub async fn library(&self, settings: &ArchiveSettings, now: Timestamp) -> Result<Arc<Library>, ConnectError> {
        let parallel = NonZeroUsize::new(settings.parallel).unwrap_or(NonZeroUsize::MIN);
        Ok(Arc::new(Library::new(self.archive(settings).await?, parallel, now)))
    }

    /// What is kept between runs for the records of `target`, made from those of `archive`.
    pub async fn caches(&self, folders: &FolderSettings, target: &Target, archive: Option<&ArchiveSettings>) -> Caches {
        let folder = self.store(&folders.cache).await;
        let KintoSettings { server, bucket, collection, .. } = &target.settings;
        let archive = archive.map(|archive| format!("{:?} {}", archive.access, archive.download_url));
        Caches::new(folder, &format!("{server}\n{bucket}\n{collection}"), &archive.unwrap_or_default())
    }
}

/// A bucket or a collection that Kinto cannot have is a setting that cannot be used.
fn bad_id(error: KintoError) -> ConnectError {
    match &error {
        KintoError::BadId { kind, id } => {
            let name = if *kind == "bucket" { "BUCKET" } else { "COLLECTION" };
            let allowed = "it has letters, digits, - and _, the first a letter or digit";
            SettingError::invalid(name, id, allowed).into()
        }
        _ => error.into(),
    }
}
