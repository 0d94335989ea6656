//! Which inventory to read: the newest whole one.

use buildhub_core::store::{ObjectStore, StoreError};

use crate::manifest::{Manifest, ManifestFault, Md5Error, Md5Hex};

/// Enough for some 70,000 parts of about 220 bytes each; the real inventories have some hundred. A manifest is in memory
/// as a whole, beside the parts that are read from it.
const MANIFEST_LIMIT: usize = 16 * 1024 * 1024;
/// `manifest.checksum` holds 32 digits.
const CHECKSUM_LIMIT: usize = 1024;

/// An inventory and the folder it was found in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The folder's whole key, ending in `/`.
    pub folder: String,
    /// Its manifest, verified against `manifest.checksum`.
    pub manifest: Manifest,
}

/// Why no manifest could be read.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// No dated folder under the prefix holds a manifest.
    #[error(
        "there is no inventory under {place}: none of its {folders} folders named like 2018-11-15T00-00Z/ holds \
         manifest.json and manifest.checksum; check the prefix, or wait for the first delivery"
    )]
    NoInventory {
        /// Store and prefix.
        place: String,
        /// How many dated folders there are.
        folders: usize,
    },
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `manifest.checksum` does not hold a checksum.
    #[error("{object} holds no checksum: {source}")]
    BadChecksum {
        /// The object.
        object: String,
        /// Why it is none.
        source: Md5Error,
    },
    /// The manifest is not the one its checksum was made of.
    #[error(
        "{object} is damaged: its MD5 is {found}, manifest.checksum says {expected}; fetch it again, or deliver it again"
    )]
    Checksum {
        /// The manifest.
        object: String,
        /// What `manifest.checksum` says.
        expected: Md5Hex,
        /// What the bytes give.
        found: Md5Hex,
    },
    /// The manifest cannot be understood.
    #[error("{object}: {source}")]
    Manifest {
        /// The manifest.
        object: String,
        /// What is wrong with it.
        source: ManifestFault,
    },
}

impl ManifestError {
    /// Whether a file of the folder is simply not there (yet).
    fn is_not_delivered(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_not_found())
    }
}

/// The newest inventory under `prefix` (`…/delivery-firefox/`; a missing last `/` is added).
///
/// Only folders named as S3 names them, `YYYY-MM-DDTHH-MMZ/`, are looked at; `hive/` and `data/` stand beside them. A
/// folder without `manifest.json` or `manifest.checksum` is an inventory being delivered: it is logged and the one
/// before it is taken. A damaged manifest is an error, never passed over.
pub async fn latest(store: &dyn ObjectStore, prefix: &str) -> Result<Found, ManifestError> {
    let prefix = as_folder(prefix);
    let mut dated = store.list(&prefix).await?.folders;
    dated.retain(|folder| folder.strip_prefix(prefix.as_str()).is_some_and(is_dated));
    // Fixed width and big units first: the order of the text is the order of time.
    dated.sort_unstable();
    for folder in dated.iter().rev() {
        match manifest_in(store, folder).await {
            Err(error) if error.is_not_delivered() => {
                tracing::info!(folder, %error, "inventory not delivered yet; looking at the one before");
            }
            outcome => return outcome,
        }
    }
    Err(ManifestError::NoInventory { place: object(store, &prefix), folders: dated.len() })
}

/// The inventory of one folder (a missing last `/` is added), verified against its `manifest.checksum`.
pub async fn manifest_in(store: &dyn ObjectStore, folder: &str) -> Result<Found, ManifestError> {
    let folder = as_folder(folder);
    let expected = checksum(store, &format!("{folder}manifest.checksum")).await?;
    let key = format!("{folder}manifest.json");
    let bytes = store.get(&key).await?.bytes(&key, MANIFEST_LIMIT).await?;
    let found = Md5Hex::of(&bytes);
    if found != expected {
        return Err(ManifestError::Checksum { object: object(store, &key), expected, found });
    }
    match Manifest::parse(&bytes) {
        Ok(manifest) => Ok(Found { folder, manifest }),
        Err(source) => Err(ManifestError::Manifest { object: object(store, &key), source }),
    }
}

async fn checksum(store: &dyn ObjectStore, key: &str) -> Result<Md5Hex, ManifestError> {
    let bytes = store.get(key).await?.bytes(key, CHECKSUM_LIMIT).await?;
    String::from_utf8_lossy(&bytes)
        .trim()
        .parse()
        .map_err(|source| ManifestError::BadChecksum { object: object(store, key), source })
}

fn as_folder(prefix: &str) -> String {
    if prefix.is_empty() || prefix.ends_with('/') { prefix.to_owned() } else { format!("{prefix}/") }
}

fn object(store: &dyn ObjectStore, key: &str) -> String {
    format!("{}/{key}", store.describe().trim_end_matches('/'))
}

/// Whether a folder's name is `YYYY-MM-DDTHH-MMZ/`.
fn is_dated(name: &str) -> bool {
    let shape = b"dddd-dd-ddTdd-ddZ/";
    name.len() == shape.len()
        && name.bytes().zip(shape).all(|(byte, as_shown)| match as_shown {
            b'd' => byte.is_ascii_digit(),
            other => byte == *other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_of_seventy_thousand_parts_is_within_the_limit() {
        let entry = r#"    {
      "key": "inventories/net-mozaws-prod-delivery-firefox/delivery-firefox/data/0f8fad5b-d9cb-469f-a165-70867728950e.csv.gz",
      "size": 2147483647,
      "MD5checksum": "92eb5ffee6ae2fec3ad71c777531578f"
    },
"#;
        assert!(70_000 * entry.len() < MANIFEST_LIMIT, "{} bytes a part", entry.len());
    }

    #[test]
    fn only_dated_folders_are_inventories() {
        assert!(is_dated("2018-11-15T00-00Z/"));
        for other in ["hive/", "data/", "2018-11-15/", "2018-11-15T00-00Z", "2018-11-15t00-00z/", ""] {
            assert!(!is_dated(other), "{other}");
        }
    }
}
