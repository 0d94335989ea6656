//! The image layout of an environment, fetched from where it is published: each file by the digest that names it (OCI Image
//! Format Specification 1.1, "Image Layout" and "Content Descriptors").

use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::catalogue::Catalogue;
use crate::definition::is_sha256;
use crate::places::FetchError;

/// The most bytes of a file of JSON in it.
const JSON: usize = 1 << 20;
/// Where what has a digest is.
const BLOBS: &str = "blobs/sha256";

/// Why an image is not fetched.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// Something of it cannot be read.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// What was read is not what is named.
    #[error("{address} is not what its digest says: {reason}; nothing of it is kept")]
    Damaged {
        /// What was read.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is not laid out as images are.
    #[error("{address} is no image layout: {reason}")]
    Strange {
        /// What was read.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It cannot be kept.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

#[derive(Deserialize)]
struct Index {
    manifests: Vec<Descriptor>,
}

#[derive(Deserialize)]
struct Manifest {
    config: Descriptor,
    layers: Vec<Descriptor>,
}

/// What names a file.
#[derive(Deserialize)]
struct Descriptor {
    digest: String,
    size: u64,
}

impl Catalogue<'_> {
    /// Fetches the image layout below a key (`oci/<lock>/`) into a folder: how many bytes it has. Its index is written last, so
    /// that a folder with one is a whole layout. `advance` hears how many bytes of a file are there, and of how many.
    pub async fn image(
        &self,
        prefix: &str,
        folder: &Path,
        advance: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<u64, ImageError> {
        let blobs = folder.join(BLOBS);
        std::fs::create_dir_all(&blobs).map_err(|source| ImageError::Write { path: blobs.clone(), source })?;
        let layout = self.read(&format!("{prefix}oci-layout")).await?;
        let bytes = self.read(&format!("{prefix}index.json")).await?;
        let index: Index = self.parse(&format!("{prefix}index.json"), &bytes)?;
        let mut size = (layout.len() + bytes.len()) as u64;
        for descriptor in &index.manifests {
            let key = self.blob(prefix, descriptor, &blobs, advance).await?;
            let path = blobs.join(&key);
            let manifest = std::fs::read(&path).map_err(|source| ImageError::Write { path, source })?;
            let manifest: Manifest = self.parse(&format!("{prefix}{BLOBS}/{key}"), &manifest)?;
            size += descriptor.size;
            for descriptor in std::iter::once(&manifest.config).chain(&manifest.layers) {
                self.blob(prefix, descriptor, &blobs, advance).await?;
                size += descriptor.size;
            }
        }
        for (name, bytes) in [("oci-layout", layout), ("index.json", bytes)] {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|source| ImageError::Write { path, source })?;
        }
        Ok(size)
    }

    /// Fetches what has a digest, under the name that it has by that.
    async fn blob(
        &self,
        prefix: &str,
        descriptor: &Descriptor,
        blobs: &Path,
        advance: &(dyn Fn(u64, Option<u64>) + Send + Sync),
    ) -> Result<String, ImageError> {
        let name = descriptor.digest.strip_prefix("sha256:").filter(|name| is_sha256(name));
        let name = name.ok_or_else(|| ImageError::Strange {
            address: self.address(prefix).to_string(),
            reason: format!("{:?} is no SHA-256", descriptor.digest),
        })?;
        let (address, path) = (self.address(&format!("{prefix}{BLOBS}/{name}")), blobs.join(name));
        let fetched = self.places().fetch(&address, &path, descriptor.size, advance).await?;
        if fetched.sha256 == name && fetched.size == descriptor.size {
            return Ok(name.to_owned());
        }
        // By its name it would be taken for something else.
        let removed = std::fs::remove_file(&path);
        let reason = format!("it has {} bytes, and its SHA-256 is {}", fetched.size, fetched.sha256);
        removed.map_err(|source| ImageError::Write { path, source })?;
        Err(ImageError::Damaged { address: address.to_string(), reason })
    }

    async fn read(&self, key: &str) -> Result<Bytes, ImageError> {
        Ok(self.places().read(&self.address(key), JSON).await?)
    }

    fn parse<T: DeserializeOwned>(&self, key: &str, bytes: &[u8]) -> Result<T, ImageError> {
        serde_json::from_slice(bytes)
            .map_err(|error| ImageError::Strange { address: self.address(key).to_string(), reason: error.to_string() })
    }
}
