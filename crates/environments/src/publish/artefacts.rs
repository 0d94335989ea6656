//! Artefacts: everything of a build that never changes, and at its end the record that all of it is there.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use buildhub_core::store::ObjectHeaders;
use bytes::Bytes;
use futures::TryStreamExt as _;
use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, BufReader};

use super::index::Build;
use super::{PublishError, Publisher, json, layout};
use crate::lock::Lock;
use crate::progress::Progress;

/// The most bytes of a paper.
const PAPER_LIMIT: usize = 64 << 20;

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
        let key = made.lock.key()?;
        let (name, lock) = (layout::archive(&made.sha256), Bytes::from(made.lock.to_bytes()?));
        let image = made.oci.as_ref().map(|folder| Image::read(folder, &layout::oci(&key))).transpose()?;
        let files = [&made.archive].into_iter().chain(made.source_files.iter().map(|source| &source.path));
        let files = files.chain(image.iter().flat_map(|image| image.files.iter().map(|(_, path)| path)));
        let upload = Upload {
            progress,
            done: AtomicU64::new(0),
            total: files.map(|path| size(path)).fold(0, u64::saturating_add),
        };
        upload.told(0);
        self.store.create(&layout::lock(&key), lock).await?;
        self.file(&name, &made.archive, headers("application/x-xz", Some(&name)), &upload).await?;
        for (paper, bytes) in [
            (layout::licences(&key), &made.licences),
            (layout::sbom(&key), &made.sbom),
            (layout::sources(&key), &made.sources),
        ] {
            self.paper(&key, &paper, bytes).await?;
        }
        for source in &made.source_files {
            let key = layout::source_package(&source.sha256);
            self.file(&key, &source.path, headers("application/x-rpm", Some(&source.name)), &upload).await?;
        }
        for (key, path) in image.iter().flat_map(|image| &image.files) {
            let kind = if key.contains("/blobs/") { "application/octet-stream" } else { "application/json" };
            self.file(key, path, headers(kind, None), &upload).await?;
        }
        self.complete(made, key, name, image.map(|image| image.prefix), now).await
    }

    /// Writes a paper. One that is there was left by whoever did not come to the end, with another version of this program
    /// perhaps: then it is replaced.
    async fn paper(&self, lock: &str, key: &str, bytes: &Bytes) -> Result<(), PublishError> {
        if self.store.create(key, bytes.clone()).await? {
            return Ok(());
        }
        let there = self.store.read(key, PAPER_LIMIT).await?;
        // Those of a build that is complete are its own, whoever else made it again at the same time.
        if there.bytes != *bytes && self.completed(lock).await?.is_none() {
            tracing::warn!(key, "a paper of a build that was not completed is replaced");
            // Where somebody else was faster, it is theirs.
            self.store.replace(key, bytes.clone(), &there.version).await?;
        }
        Ok(())
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

    /// Makes an object of a file. One that is there already, of a publisher who died or who is at it too, must have the
    /// same bytes.
    async fn file(
        &self,
        key: &str,
        file: &Path,
        headers: ObjectHeaders,
        upload: &Upload<'_>,
    ) -> Result<(), PublishError> {
        if !self.store.create_from(key, file, &headers, &|more| upload.told(more)).await? {
            self.same(key, file).await?;
            upload.told(size(file));
        }
        Ok(())
    }

    /// Whether an object has the bytes of a file.
    async fn same(&self, key: &str, file: &Path) -> Result<(), PublishError> {
        let unreadable = |source| PublishError::Folder { folder: file.display().to_string(), source };
        let object = self.store.get(key).await?;
        let (there, here) = (object.attributes.size, tokio::fs::metadata(file).await.map_err(unreadable)?.len());
        if there != here {
            return Err(self.damaged(key, &format!("it has {there} bytes, and those of its name have {here}")));
        }
        let mut ours = BufReader::new(tokio::fs::File::open(file).await.map_err(unreadable)?);
        let (mut body, mut at, mut buffer) = (object.body, 0_u64, Vec::new());
        while let Some(theirs) = body.try_next().await? {
            buffer.resize(theirs.len(), 0);
            ours.read_exact(&mut buffer).await.map_err(unreadable)?;
            if let Some(differs) = buffer.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs) {
                let at = at.saturating_add(differs as u64);
                return Err(self.damaged(key, &format!("from byte {at} on it is other than what was built here")));
            }
            at = at.saturating_add(theirs.len() as u64);
        }
        if at == here {
            return Ok(());
        }
        Err(self.damaged(key, &format!("it ended after {at} bytes, and those of its name have {here}")))
    }
}

/// How much was uploaded, for whoever waits.
struct Upload<'a> {
    progress: &'a dyn Progress,
    done: AtomicU64,
    total: u64,
}

impl Upload<'_> {
    fn told(&self, more: u64) {
        let done = self.done.fetch_add(more, Ordering::Relaxed).saturating_add(more);
        // Parts that came to nothing, since another was first, are not counted twice.
        self.progress.at("uploading", done.min(self.total), Some(self.total));
    }
}

/// An OCI image layout, blobs first, and what names them last: the folder that it is published in, and each file with its
/// key.
struct Image {
    prefix: String,
    files: Vec<(String, PathBuf)>,
}

impl Image {
    fn read(folder: &Path, prefix: &str) -> Result<Self, PublishError> {
        let unreadable = |source| PublishError::Folder { folder: folder.display().to_string(), source };
        let mut files = files_below(folder).map_err(unreadable)?;
        files.sort_by_key(|path| (!path.starts_with("blobs"), path.clone()));
        let files = files.into_iter().map(|path| (format!("{prefix}{}", path.display()), folder.join(path)));
        Ok(Self { prefix: prefix.to_owned(), files: files.collect() })
    }
}

/// Bytes of a file, for whoever waits.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
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
