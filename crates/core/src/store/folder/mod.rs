//! A folder of the file system as an object store.

mod lock;

use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use futures::StreamExt as _;
use jiff::Timestamp;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;

use super::versioned::Kind;
use super::{
    Attributes, Entry, Listing, Object, ObjectHeaders, ObjectStore, Sent, StoreError, StoreErrorKind, Version,
    Versioned,
};

/// Bytes read from a file at a time.
const PIECE: usize = 256 * 1024;
/// How the name of a file begins while it is being written.
const UNFINISHED: &str = ".unfinished-";

/// A folder whose files are the objects; a key's `/` is a sub-folder.
#[derive(Debug, Clone)]
pub struct FolderStore {
    root: PathBuf,
}

impl FolderStore {
    /// The store below `root`. The folder is made when the first object is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file of a key, refusing one that would leave the folder.
    fn path(&self, operation: &'static str, key: &str) -> Result<PathBuf, StoreError> {
        let relative = Path::new(key);
        if relative.components().all(|part| matches!(part, Component::Normal(_))) {
            Ok(self.root.join(relative))
        } else {
            let reason = "the key leaves the folder";
            Err(StoreError::new(StoreErrorKind::Denied, operation, key, reason))
        }
    }

    /// Writes the file of a key on a thread that may block.
    async fn write<T: Send + 'static>(
        &self,
        key: &str,
        write: impl FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
    ) -> Result<Result<T, (PathBuf, std::io::Error)>, StoreError> {
        let path = self.path("write", key)?;
        let target = path.clone();
        match tokio::task::spawn_blocking(move || write(&target)).await {
            Ok(written) => Ok(written.map_err(|error| (path, error))),
            Err(stopped) => {
                let object = path.display().to_string();
                Err(StoreError::new(StoreErrorKind::Other, "write", object, stopped.to_string()))
            }
        }
    }
}

fn fault(operation: &'static str, path: &Path, error: &std::io::Error) -> StoreError {
    let kind = match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StoreErrorKind::NotFound,
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => StoreErrorKind::Denied,
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreErrorKind::Full,
        ErrorKind::Interrupted | ErrorKind::TimedOut => StoreErrorKind::Transient,
        _ => StoreErrorKind::Other,
    };
    let reason = match kind {
        StoreErrorKind::Full => format!("{error}; free some space, or name another folder"),
        _ => error.to_string(),
    };
    StoreError::new(kind, operation, path.display().to_string(), reason)
}

/// What a file held, by a version of this kind of store.
fn content(version: &Version) -> Option<Bytes> {
    match &version.0 {
        Kind::Content(bytes) => Some(bytes.clone()),
        #[cfg(feature = "aws")]
        Kind::ETag(_) => None,
    }
}

/// A folder is no object.
fn only_files(path: &Path, metadata: &std::fs::Metadata) -> Result<(), StoreError> {
    if metadata.is_dir() {
        return Err(StoreError::new(StoreErrorKind::NotFound, "read", path.display().to_string(), "it is a folder"));
    }
    Ok(())
}

fn attributes(metadata: &std::fs::Metadata) -> Attributes {
    let modified = metadata.modified().ok().and_then(|time| Timestamp::try_from(time).ok());
    Attributes { size: metadata.len(), last_modified: modified.unwrap_or(Timestamp::UNIX_EPOCH) }
}

#[async_trait]
impl ObjectStore for FolderStore {
    async fn get(&self, key: &str) -> Result<Object, StoreError> {
        let path = self.path("read", key)?;
        let file = tokio::fs::File::open(&path).await.map_err(|error| fault("read", &path, &error))?;
        let metadata = file.metadata().await.map_err(|error| fault("read", &path, &error))?;
        only_files(&path, &metadata)?;
        let body = ReaderStream::with_capacity(file, PIECE)
            .map(move |piece| piece.map_err(|error| fault("read", &path, &error)));
        Ok(Object { attributes: attributes(&metadata), body: body.boxed() })
    }

    async fn head(&self, key: &str) -> Result<Attributes, StoreError> {
        let path = self.path("read", key)?;
        let metadata = tokio::fs::metadata(&path).await.map_err(|error| fault("read", &path, &error))?;
        only_files(&path, &metadata)?;
        Ok(attributes(&metadata))
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        let written = self.write(key, move |path| write_whole(path, &bytes, true)).await?;
        written.map_err(|(path, error)| fault("write", &path, &error))
    }

    async fn create(&self, key: &str, bytes: Bytes) -> Result<bool, StoreError> {
        match self.write(key, move |path| write_whole(path, &bytes, false)).await? {
            Err((_, error)) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err((path, error)) => Err(fault("write", &path, &error)),
            Ok(()) => Ok(true),
        }
    }

    async fn create_from(
        &self,
        key: &str,
        file: &Path,
        _headers: &ObjectHeaders,
        sent: Sent<'_>,
    ) -> Result<bool, StoreError> {
        let source = std::fs::File::open(file).map_err(|error| fault("read", file, &error))?;
        let size = source.metadata().map_err(|error| fault("read", file, &error))?.len();
        match self.write(key, move |path| write_copy(path, source)).await? {
            Err((_, error)) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err((path, error)) => Err(fault("write", &path, &error)),
            Ok(()) => {
                sent(size);
                Ok(true)
            }
        }
    }

    async fn read(&self, key: &str, limit: usize) -> Result<Versioned, StoreError> {
        let bytes = self.get(key).await?.bytes(key, limit).await?;
        Ok(Versioned { version: Version(Kind::Content(bytes.clone())), bytes })
    }

    async fn replace(&self, key: &str, bytes: Bytes, version: &Version) -> Result<Option<Version>, StoreError> {
        let Some(expected) = content(version) else { return Ok(None) };
        let new = Version(Kind::Content(bytes.clone()));
        match self.write(key, move |path| lock::replace(path, &bytes, &expected)).await? {
            Ok(is_written) => Ok(is_written.then_some(new)),
            Err((path, error)) => Err(fault("write", &path, &error)),
        }
    }

    async fn remove(&self, key: &str, version: &Version) -> Result<bool, StoreError> {
        let Some(expected) = content(version) else { return Ok(false) };
        let removed = self.write(key, move |path| lock::remove(path, &expected)).await?;
        removed.map_err(|(path, error)| fault("delete", &path, &error))
    }

    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path("delete", key)?;
        match tokio::fs::remove_file(&path).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(fault("delete", &path, &error)),
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let folder = if prefix.is_empty() { self.root.clone() } else { self.path("list", prefix)? };
        let failed = |error: &std::io::Error| fault("list", &folder, error);
        let mut reader = match tokio::fs::read_dir(&folder).await {
            Ok(reader) => reader,
            // As in S3, a prefix under which nothing stands is an empty list.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Listing::default()),
            Err(error) => return Err(failed(&error)),
        };
        let mut listing = Listing::default();
        while let Some(entry) = reader.next_entry().await.map_err(|error| failed(&error))? {
            let Ok(name) = entry.file_name().into_string() else { continue };
            if name.starts_with(UNFINISHED) {
                continue;
            }
            let metadata = match tokio::fs::metadata(entry.path()).await {
                Ok(metadata) => metadata,
                // Deleted since the folder was opened.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(&error)),
            };
            if metadata.is_dir() {
                listing.folders.push(format!("{prefix}{name}/"));
            } else {
                listing.objects.push(Entry { key: format!("{prefix}{name}"), attributes: attributes(&metadata) });
            }
        }
        listing.folders.sort_unstable();
        listing.objects.sort_unstable_by(|a, b| a.key.cmp(&b.key));
        Ok(listing)
    }

    fn describe(&self) -> String {
        self.root.display().to_string()
    }
}

/// Writes beside the target and renames, so that a crash leaves the old file or the new one. Where the old one must
/// stay, `AlreadyExists` says that there is one.
fn write_whole(path: &Path, bytes: &[u8], replace: bool) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut beside = beside(path)?;
    beside.write_all(bytes)?;
    show(beside, path, replace)
}

/// Writes a copy of a file, likewise, where there is none.
fn write_copy(path: &Path, mut source: std::fs::File) -> std::io::Result<()> {
    if path.exists() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    let mut beside = beside(path)?;
    std::io::copy(&mut source, &mut beside)?;
    show(beside, path, false)
}

/// An unfinished file beside the one it is to be, for everybody to read who may read others.
fn beside(path: &Path) -> std::io::Result<NamedTempFile> {
    let folder = folder_of(path);
    std::fs::create_dir_all(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

fn show(beside: NamedTempFile, path: &Path, replace: bool) -> std::io::Result<()> {
    beside.as_file().sync_all()?;
    let kept = if replace { beside.persist(path) } else { beside.persist_noclobber(path) };
    kept.map_err(|error| error.error)?;
    // The rename itself is durable once the folder is.
    std::fs::File::open(folder_of(path))?.sync_all()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(store: &FolderStore, key: &str) -> Bytes {
        store.get(key).await.unwrap().bytes(key, 1024).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_put_is_got_and_listed() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        store.put("a/b.txt", Bytes::from_static(b"one")).await.unwrap();
        store.put("a/b.txt", Bytes::from_static(b"two")).await.unwrap();
        store.put("c.txt", Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(text(&store, "a/b.txt").await, "two");
        let listing = store.list("").await.unwrap();
        assert_eq!(listing.folders, ["a/"]);
        assert_eq!(listing.objects.iter().map(|e| e.key.as_str()).collect::<Vec<_>>(), ["c.txt"]);
        assert_eq!(store.list("a/").await.unwrap().objects[0].key, "a/b.txt");
        assert_eq!(store.head("a/b.txt").await.unwrap().size, 3);
        store.delete("a/b.txt").await.unwrap();
        store.delete("a/b.txt").await.unwrap();
        assert!(store.get("a/b.txt").await.unwrap_err().is_not_found());
    }

    #[tokio::test]
    async fn a_key_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let error = FolderStore::new(folder.path()).get("../secret").await.unwrap_err();
        assert_eq!(error.to_string(), "cannot read ../secret: the key leaves the folder");
    }

    #[tokio::test]
    async fn a_folder_is_no_object() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        store.put("a/b", Bytes::from_static(b"x")).await.unwrap();
        assert!(store.get("a").await.unwrap_err().is_not_found());
        assert!(store.head("a").await.unwrap_err().is_not_found());
    }

    #[tokio::test]
    async fn a_file_that_is_being_written_is_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        store.put("whole", Bytes::from_static(b"x")).await.unwrap();
        let _left_by_a_crash = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder.path()).unwrap();
        assert_eq!(store.list("").await.unwrap().objects.len(), 1);
    }

    #[tokio::test]
    async fn a_larger_object_than_expected_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::new(folder.path());
        store.put("big", Bytes::from(vec![0; 2000])).await.unwrap();
        let error = store.get("big").await.unwrap().bytes("big", 1000).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::TooLarge);
    }
}
