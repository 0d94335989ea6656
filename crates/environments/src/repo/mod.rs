//! Repositories of packages: their metadata fetched, verified, and read as streams.
//!
//! `repomd.xml` names the other files and what they hash to; where keys are given, one of them must have signed it. So
//! one signature vouches for every package's checksum. Checksums are SHA-256 and longer; MD5 and SHA-1 are refused.
//! Metadata may be plain, or compressed by gzip, bzip2, xz or zstd. They are read an element at a time; what is kept is
//! the packages.

mod budget;
mod ceiling;
mod checksum;
mod filelists;
mod location;
mod package;
mod primary;
mod repomd;
mod xml;

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildhub_core::store::Location;
use sha2::{Digest as _, Sha256};

pub use budget::{Budget, NoRoom};
pub use checksum::{Checksum, ChecksumError, Hashing};
pub use package::{Comparison, Dependency, Package};
pub use repomd::{MetadataFile, Repomd};
pub use xml::MetadataError;

use ceiling::Ceiling;

use crate::decompress::Compression;
use crate::definition::Repo;
use crate::digest::hex;
use crate::keys::{KeyError, Keys, SignatureError};
use crate::places::{Address, AddressError, FetchError, Places};

/// Bytes that are read at a time.
const BUFFER: usize = 128 << 10;
/// Most bytes of a `repomd.xml`.
const REPOMD_MAX: usize = 4 << 20;
/// Most bytes of a signature, or of a key's file.
const SIGNATURE_MAX: usize = 1 << 20;

/// How much metadata a repository may have.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one file of metadata, as it lies in the repository.
    pub compressed: u64,
    /// Bytes of it when it is decompressed.
    pub plain: u64,
    /// Packages.
    pub packages: usize,
    /// Bytes of memory for the packages of all repositories of a definition, and for what follows from them.
    pub memory: u64,
}

impl Default for Limits {
    /// Several times what the largest public repositories have.
    fn default() -> Self {
        Self { compressed: 512 << 20, plain: 8 << 30, packages: 500_000, memory: 8 << 30 }
    }
}

/// A repository whose packages are known.
#[derive(Debug)]
pub struct Repository {
    /// Its id in the definition.
    pub id: String,
    /// Where it is.
    pub address: Address,
    /// The SHA-256 of its `repomd.xml`, in hexadecimal digits.
    pub repomd_sha256: String,
    /// The fingerprint of the key that signed its `repomd.xml`, where keys are given.
    pub signed_by: Option<String>,
    /// Its packages, in the order of its metadata.
    pub packages: Vec<Package>,
    filelists: Option<MetadataFile>,
    limits: Limits,
}

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the repository {id:?} cannot be used: {address}: {fault}")]
pub struct RepositoryError {
    /// The repository.
    pub id: String,
    /// It, or the file that is at fault.
    pub address: String,
    /// Why not.
    pub fault: Fault,
}

/// Why a repository cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// Its address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A file of it cannot be fetched.
    #[error("{0}")]
    Fetch(#[source] FetchError),
    /// It has no signature.
    #[error("keys are given, so its repomd.xml must be signed: {0}")]
    Unsigned(#[source] FetchError),
    /// A file of it is not what was announced.
    #[error(
        "{what} is {found} instead of {expected}: it is damaged, or the repository changed in the meantime; run it again"
    )]
    Changed {
        /// Its size or its checksum.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A file of it cannot be read.
    #[error("{0}")]
    Metadata(#[from] MetadataError),
    /// It has modules, of which dnf would see some and not others.
    #[error(
        "it has modules, whose streams are not told apart here: take the packages of the streams that are wanted into a \
         repository of their own, or say `ignore_modules = true` and all streams are seen, the newest first"
    )]
    Modular,
    /// Nobody who may has signed it.
    #[error("{0}")]
    Signature(#[from] SignatureError),
    /// A key of it is not there.
    #[error("the key cannot be read: {0}; it is expected beside the definition")]
    KeyMissing(#[source] FetchError),
    /// The name of a key is no hash.
    #[error("the key's name is sha256: and the hash of its file: {0}")]
    KeyName(#[source] ChecksumError),
    /// A key of it is none.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The disk does not take its metadata.
    #[error("it cannot be kept on disk: {0}")]
    Disk(#[source] std::io::Error),
}

impl RepositoryError {
    /// Whether the same may succeed later, by itself: the repository is away for a while, or was changed between the
    /// fetching of one of its files and the next.
    pub fn is_transient(&self) -> bool {
        match &self.fault {
            Fault::Fetch(error) | Fault::Unsigned(error) | Fault::KeyMissing(error) => error.is_transient(),
            // What a key's name says does not change.
            Fault::Changed { .. } => self.address.strip_suffix(".asc").is_none(),
            _ => false,
        }
    }
}

/// Reads a `repomd.xml`.
pub fn read_repomd(source: impl Read) -> Result<Repomd, MetadataError> {
    repomd::read(source)
}

/// Reads all packages of a `primary.xml`, `most` of them at most.
pub fn read_primary(source: impl Read, most: usize, budget: &mut Budget) -> Result<Vec<Package>, MetadataError> {
    primary::read(source, most, budget)
}

/// The keys of a repository.
pub async fn keys(repo: &Repo, places: &Places, beside: &Location) -> Result<Keys, RepositoryError> {
    let mut keys = Keys::default();
    for (digits, file) in key_files(repo, places, beside).await? {
        let fail =
            |error: KeyError| RepositoryError { id: repo.id.clone(), address: digits.clone(), fault: error.into() };
        keys.add(&file).map_err(fail)?;
    }
    Ok(keys)
}

/// The files of a repository's keys, in `keys/` beside the definition, by their hashes.
pub async fn key_files(
    repo: &Repo,
    places: &Places,
    beside: &Location,
) -> Result<BTreeMap<String, Vec<u8>>, RepositoryError> {
    let mut files = BTreeMap::new();
    for key in &repo.gpg_keys {
        let digits = key.strip_prefix("sha256:").unwrap_or(key);
        let refuse = |fault| RepositoryError { id: repo.id.clone(), address: key.clone(), fault };
        let checksum = Checksum::sha256(digits).map_err(|error| refuse(Fault::KeyName(error)))?;
        let address = Address::read(&format!("keys/{digits}.asc"), beside).map_err(|error| refuse(error.into()))?;
        let fail = |fault| RepositoryError { id: repo.id.clone(), address: address.to_string(), fault };
        let file = places.read(&address, SIGNATURE_MAX).await.map_err(|error| fail(Fault::KeyMissing(error)))?;
        let mut hashing = checksum.begin();
        hashing.update(&file);
        checksum.check(hashing).map_err(|found| fail(changed(&checksum, found)))?;
        files.insert(digits.to_owned(), file.to_vec());
    }
    Ok(files)
}

fn changed(checksum: &Checksum, found: String) -> Fault {
    Fault::Changed { what: "its checksum", expected: checksum.to_string(), found }
}

impl Repository {
    /// Fetches and reads a repository's metadata. Where `keys` has any, one of them must have signed. `beside` is where
    /// the definition lies. Files are kept in `folder` while they are read, packages in memory within `budget`.
    pub async fn open(
        repo: &Repo,
        places: &Places,
        beside: &Location,
        keys: &Keys,
        folder: &Path,
        limits: Limits,
        budget: &mut Budget,
    ) -> Result<Self, RepositoryError> {
        let id = repo.id.clone();
        let refuse =
            |error: AddressError| RepositoryError { id: id.clone(), address: repo.url.clone(), fault: error.into() };
        let address = Address::read(&repo.url, beside).map_err(refuse)?;
        let path = address.join("repodata/repomd.xml");
        let fail = |fault| RepositoryError { id: id.clone(), address: path.to_string(), fault };
        let bytes = places.read(&path, REPOMD_MAX).await.map_err(|error| fail(Fault::Fetch(error)))?;
        let signed_by = if keys.is_empty() { None } else { Some(signer(&id, &address, places, keys, &bytes).await?) };
        let repomd = repomd::read(bytes.as_ref()).map_err(|error| fail(error.into()))?;
        if repomd.is_modular && !repo.ignore_modules {
            return Err(fail(Fault::Modular));
        }
        let repomd_sha256 = hex(&Sha256::digest(&bytes));
        let filelists = repomd.filelists;
        let mut this = Self { id, address, repomd_sha256, signed_by, packages: Vec::new(), filelists, limits };
        let read = move |source, budget: &mut Budget| primary::read(source, limits.packages, budget);
        this.packages = this.parse(&repomd.primary, places, folder, budget, read).await?;
        Ok(this)
    }

    /// One of packages that are known already.
    pub fn of_packages(id: &str, address: Address, packages: Vec<Package>) -> Self {
        let (repomd_sha256, limits) = (String::new(), Limits::default());
        Self { id: id.to_owned(), address, repomd_sha256, signed_by: None, packages, filelists: None, limits }
    }

    /// Learns which packages have the `wanted` files, from the list of all files, where the repository has one.
    pub async fn find_files(
        &mut self,
        wanted: &HashSet<Arc<str>>,
        places: &Places,
        folder: &Path,
        budget: &mut Budget,
    ) -> Result<(), RepositoryError> {
        let Some(file) = self.filelists.clone() else { return Ok(()) };
        let mut packages = std::mem::take(&mut self.packages);
        let wanted = wanted.clone();
        let read = move |source: Source, budget: &mut Budget| {
            filelists::add(source, &wanted, &mut packages, budget)?;
            Ok(packages)
        };
        self.packages = self.parse(&file, places, folder, budget, read).await?;
        Ok(())
    }

    async fn parse<T: Send + 'static>(
        &self,
        file: &MetadataFile,
        places: &Places,
        folder: &Path,
        budget: &mut Budget,
        read: impl FnOnce(Source, &mut Budget) -> Result<T, MetadataError> + Send + 'static,
    ) -> Result<T, RepositoryError> {
        let address = self.address.join(&file.location);
        let fail = |fault| RepositoryError { id: self.id.clone(), address: address.to_string(), fault };
        if !location::is_inside(&file.location) {
            let (whose, value) = ("repomd.xml".into(), file.location.clone());
            return Err(fail(MetadataError::Value { whose, what: "a location", value }.into()));
        }
        let kept = tempfile::NamedTempFile::new_in(folder).map_err(|error| fail(Fault::Disk(error)))?;
        let fetched = places.fetch(&address, kept.path(), self.limits.compressed, &|_, _| {}).await;
        let size = fetched.map_err(|error| fail(Fault::Fetch(error)))?.size;
        if let Some(expected) = file.size.filter(|expected| *expected != size) {
            let (expected, found) = (expected.to_string(), size.to_string());
            return Err(fail(Fault::Changed { what: "its size in bytes", expected, found }));
        }
        let (path, file, plain) = (kept.path().to_owned(), file.clone(), self.limits.plain);
        let mut left = *budget;
        let parsed = tokio::task::spawn_blocking(move || {
            let source = verified(path, &file, plain)?;
            Ok((read(source, &mut left)?, left))
        });
        let (parsed, left) =
            parsed.await.map_err(|error| fail(Fault::Disk(std::io::Error::other(error))))?.map_err(fail)?;
        *budget = left;
        Ok(parsed)
    }
}

/// Metadata, decompressed.
type Source = BufReader<Box<dyn Read>>;

/// Opens a fetched file of metadata, once it is what was announced.
fn verified(path: PathBuf, file: &MetadataFile, plain: u64) -> Result<Source, Fault> {
    let checked = file.checksum.check_file(&path).map_err(Fault::Disk)?;
    checked.map_err(|found| changed(&file.checksum, found))?;
    let mut kept = BufReader::with_capacity(BUFFER, File::open(path).map_err(Fault::Disk)?);
    let compression = Compression::of(kept.fill_buf().map_err(Fault::Disk)?);
    let source = compression.open(kept).map_err(Fault::Disk)?;
    Ok(BufReader::with_capacity(BUFFER, Box::new(Ceiling::new(source, plain))))
}

/// Who of `keys` signed a `repomd.xml`.
async fn signer(
    id: &str,
    address: &Address,
    places: &Places,
    keys: &Keys,
    repomd: &[u8],
) -> Result<String, RepositoryError> {
    let path = address.join("repodata/repomd.xml.asc");
    let fail = |fault| RepositoryError { id: id.to_owned(), address: path.to_string(), fault };
    let signature = places.read(&path, SIGNATURE_MAX).await.map_err(|error| fail(Fault::Unsigned(error)))?;
    keys.verify(&signature, repomd).map_err(|error| fail(error.into()))
}
