//! The tree as an OCI image layout, from the same tar (OCI Image Format Specification 1.1, "Image Layout").
//!
//! The layer is the tar itself, not compressed: so its digest is the tar's own SHA-256, no second encoder decides about
//! bytes, and every reader takes it. `skopeo copy` compresses it on the way to a registry. The image is tagged `latest`,
//! which readers take where nothing is asked for.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path as FilePath, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{ArchiveError, write_tar};
use crate::digest::hex;
use crate::progress::Pulse;
use crate::tree::{Entries, Path, Spool};

/// Where an image layout keeps what has a digest.
const BLOBS: &str = "blobs/sha256";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An image layout that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oci {
    /// The SHA-256 of the image's manifest: what a registry calls the image.
    pub manifest_sha256: String,
    /// The SHA-256 of its configuration: what container tools call its id.
    pub config_sha256: String,
    /// The SHA-256 of its layer, which is the tar's.
    pub layer_sha256: String,
    /// All files, below the folder, in the order in which they are published: what another names comes before it.
    pub files: Vec<PathBuf>,
}

/// Why there is no image layout.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// Container tools would take the file for the removal of another.
    #[error(
        "{0} cannot be in a container's image, where `.wh.` means that a file is removed: exclude it, or publish without `oci`"
    )]
    Whiteout(Path),
    /// The time cannot be told.
    #[error("{0} seconds since 1970 is no time: correct the definition's `clamp_time`")]
    Time(i64),
    /// The layer cannot be written.
    #[error(transparent)]
    Layer(#[from] ArchiveError),
    /// It cannot be made JSON.
    #[error("the image layout's JSON cannot be made: {0}")]
    Json(#[source] serde_json::Error),
    /// A file of the layout cannot be written.
    #[error("{} of the image layout cannot be written: {source}", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Writes the tree as an image layout into `folder`, which is made. `arch` is rpm's name of the architecture; `created` is
/// the time that the image tells, in seconds since 1970. `pulse` hears how many bytes of the layer are written.
pub fn write_oci(
    entries: &Entries,
    spool: &Spool,
    arch: &str,
    created: i64,
    folder: &FilePath,
    pulse: &mut Pulse<'_>,
) -> Result<Oci, OciError> {
    if let Some(path) = entries.keys().find(|path| is_whiteout(path)) {
        return Err(OciError::Whiteout(path.clone()));
    }
    let created = Timestamp::from_second(created).map_err(|_| OciError::Time(created))?;
    let mut layout = Layout { folder, files: Vec::new() };
    let (layer_sha256, layer_size) = layout.layer(entries, spool, pulse)?;
    let platform = platform(arch);
    let mut config = json!({
        "config": {},
        "created": created.to_string(),
        "history": [{ "created": created.to_string(), "created_by": "buildhub" }],
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer_sha256}")] },
    });
    merge(&mut config, &platform);
    let (config_sha256, config) = layout.blob(CONFIG, &config)?;
    let layer = json!({ "mediaType": LAYER, "digest": format!("sha256:{layer_sha256}"), "size": layer_size });
    let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
    let (manifest_sha256, mut manifest) = layout.blob(MANIFEST, &manifest)?;
    let about = json!({ "platform": platform, "annotations": { "org.opencontainers.image.ref.name": "latest" } });
    merge(&mut manifest, &about);
    layout.file("oci-layout", &canonical(&json!({ "imageLayoutVersion": "1.0.0" }))?)?;
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest] });
    layout.file("index.json", &canonical(&index)?)?;
    Ok(Oci { manifest_sha256, config_sha256, layer_sha256, files: layout.files })
}

/// Whether the last part of a path says that a file of a layer below is removed.
fn is_whiteout(path: &Path) -> bool {
    path.as_bytes().rsplit(|byte| *byte == b'/').next().is_some_and(|name| name.starts_with(b".wh."))
}

/// Go's name of an architecture, which images have, by rpm's.
fn platform(arch: &str) -> Value {
    let (architecture, variant) = match arch {
        "x86_64" | "amd64" => ("amd64", None),
        "aarch64" => ("arm64", Some("v8")),
        "i386" | "i486" | "i586" | "i686" => ("386", None),
        "armv7hl" | "armv7l" | "armhf" => ("arm", Some("v7")),
        other => (other, None),
    };
    let mut platform = json!({ "architecture": architecture, "os": "linux" });
    if let Some(variant) = variant {
        merge(&mut platform, &json!({ "variant": variant }));
    }
    platform
}

fn merge(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.clone());
    }
}

/// A layout that is being written.
struct Layout<'a> {
    folder: &'a FilePath,
    files: Vec<PathBuf>,
}

impl Layout<'_> {
    /// Writes the layer, whose digest is known only then.
    fn layer(&mut self, entries: &Entries, spool: &Spool, pulse: &mut Pulse<'_>) -> Result<(String, u64), OciError> {
        let blobs = self.folder.join(BLOBS);
        fs::create_dir_all(&blobs).map_err(failed(&blobs))?;
        let unnamed = blobs.join("layer");
        let file = File::create(&unnamed).map_err(failed(&unnamed))?;
        let (sha256, size) = write_tar(entries, spool, BufWriter::with_capacity(1 << 20, file), pulse)?;
        let name = blobs.join(&sha256);
        fs::rename(&unnamed, &name).map_err(failed(&name))?;
        self.files.push(FilePath::new(BLOBS).join(&sha256));
        Ok((sha256, size))
    }

    /// Writes JSON by its digest, and gives that and what names it.
    fn blob(&mut self, media_type: &str, value: &Value) -> Result<(String, Value), OciError> {
        let bytes = canonical(value)?;
        let sha256 = hex(&Sha256::digest(&bytes));
        self.file(&format!("{BLOBS}/{sha256}"), &bytes)?;
        let size = bytes.len();
        let descriptor = json!({ "mediaType": media_type, "digest": format!("sha256:{sha256}"), "size": size });
        Ok((sha256, descriptor))
    }

    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), OciError> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(failed(&path))?;
        self.files.push(name.into());
        Ok(())
    }
}

/// JSON whose bytes follow from what it says (RFC 8785).
fn canonical(value: &Value) -> Result<Vec<u8>, OciError> {
    serde_json_canonicalizer::to_vec(value).map_err(OciError::Json)
}

fn failed(path: &FilePath) -> impl Fn(io::Error) -> OciError + '_ {
    |source| OciError::Write { path: path.to_owned(), source }
}
