//! Artefacts: everything of a build that never changes, and at its end the record that all of it is there.

use std::path::{Path, PathBuf};

use buildhub_core::store::ObjectHeaders;
use bytes::Bytes;
use jiff::Timestamp;

use super::index::Build;
use super::{PublishError, Publisher, json, layout};
use crate::lock::Lock;
use crate::progress::Progress;

/// What was built of a lock, on this machine.
#[derive(Debug, Clone)]
pub struct Artefacts {
    /// The lock.
    pub lock: Lock,
    /// The archive.
    pub archive: PathBuf,
    /// Its SHA-256.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// The list of licences, as JSON.
    pub licences: Bytes,
    /// The bill of materials, as JSON.
    pub sbom: Bytes,
    /// The list of source packages, as JSON.
    pub sources: Bytes,
    /// Source packages that are published beside it.
    pub source_files: Vec<SourceFile>,
    /// The folder of an OCI image layout.
    pub oci: Option<PathBuf>,
}

/// A source package on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// Its SHA-256.
    pub sha256: String,
    /// The name that it is downloaded under.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

impl Publisher {
    /// Writes what of a build is not there yet, and then its completion record.
    pub async fn artefacts(
        &self,
        made: &Artefacts,
        now: Timestamp,
        progress: &dyn Progress,
    ) -> Result<Build, PublishError> {
        const STEP: &str = "uploading";
        let key = made.lock.key()?;
        let (name, total) = (layout::archive(&made.sha256), Some(made.size));
        progress.at(STEP, 0, total);
        self.store.create(&layout::lock(&key), made.lock.to_bytes()?.into()).await?;
        self.file(&name, &made.archive, headers("application/x-xz", Some(&name))).await?;
        progress.at(STEP, made.size, total);
        for (key, bytes) in [
            (layout::licences(&key), &made.licences),
            (layout::sbom(&key), &made.sbom),
            (layout::sources(&key), &made.sources),
        ] {
            self.store.create(&key, bytes.clone()).await?;
        }
        for source in &made.source_files {
            let key = layout::source_package(&source.sha256);
            self.file(&key, &source.path, headers("application/x-rpm", Some(&source.name))).await?;
        }
        let oci = match &made.oci {
            Some(folder) => Some(self.image(&layout::oci(&key), folder).await?),
            None => None,
        };
        self.complete(made, key, name, oci, now).await
    }

    async fn complete(
        &self,
        made: &Artefacts,
        lock: String,
        name: String,
        oci: Option<String>,
        now: Timestamp,
    ) -> Result<Build, PublishError> {
        let identity = &made.lock.identity;
        let record = Build {
            name,
            sha256: made.sha256.clone(),
            size: made.size,
            created: now,
            source: identity.source,
            arch: identity.arch.clone(),
            licences: layout::licences(&lock),
            sbom: layout::sbom(&lock),
            sources: layout::sources(&lock),
            oci,
            exclusions: identity.excludes.clone(),
            lock,
        };
        let key = layout::build(&record.lock);
        if self.store.create(&key, json(&key, &record)?).await? {
            return Ok(record);
        }
        // Another publisher of the same lock was first.
        match self.completed(&record.lock).await? {
            Some(theirs) if theirs.sha256 == record.sha256 => Ok(theirs),
            Some(theirs) => {
                Err(PublishError::Differs { lock: record.lock, ours: record.sha256, theirs: theirs.sha256 })
            }
            None => Err(self.contended(&key)),
        }
    }

    /// Makes an object of a file. One that is there must be as long.
    async fn file(&self, key: &str, file: &Path, headers: ObjectHeaders) -> Result<(), PublishError> {
        if self.store.create_from(key, file, &headers).await? {
            return Ok(());
        }
        let there = self.store.head(key).await?.size;
        let here = tokio::fs::metadata(file).await.map_or(there, |file| file.len());
        if there == here {
            return Ok(());
        }
        Err(self.damaged(key, &format!("it has {there} bytes, and those of its name have {here}")))
    }

    /// Writes an OCI image layout: blobs first, and what names them last.
    async fn image(&self, prefix: &str, folder: &Path) -> Result<String, PublishError> {
        let unreadable = |source| PublishError::Folder { folder: folder.display().to_string(), source };
        let mut files = files_below(folder).map_err(unreadable)?;
        files.sort_by_key(|path| (!path.starts_with("blobs"), path.clone()));
        for path in files {
            let key = format!("{prefix}{}", path.display());
            let kind = if path.starts_with("blobs") { "application/octet-stream" } else { "application/json" };
            self.file(&key, &folder.join(&path), headers(kind, None)).await?;
        }
        Ok(prefix.to_owned())
    }
}

/// The files below a folder, by their relative paths.
fn files_below(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (mut found, mut waiting) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(below) = waiting.pop() {
        for entry in std::fs::read_dir(folder.join(&below))? {
            let entry = entry?;
            let path = below.join(entry.file_name());
            if entry.file_type()?.is_dir() { waiting.push(path) } else { found.push(path) }
        }
    }
    Ok(found)
}

fn headers(kind: &str, name: Option<&str>) -> ObjectHeaders {
    let content_disposition = name.map(|name| format!("attachment; filename=\"{name}\""));
    ObjectHeaders { content_type: Some(kind.to_owned()), content_disposition, ..ObjectHeaders::default() }
}
