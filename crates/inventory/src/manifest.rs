//! What an inventory consists of: `manifest.json`.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde::Deserialize;

use crate::schema::{Schema, SchemaError};

/// An inventory's manifest (AWS, "Locating your inventory list").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The bucket that was listed.
    pub source_bucket: String,
    /// Where the inventory was delivered, as AWS writes it (an ARN).
    pub destination_bucket: String,
    /// The version of the inventory's format, `2016-11-30`.
    pub version: String,
    /// When the listing began: later changes may be missing from it.
    pub created: Timestamp,
    /// How the parts are written.
    pub format: Format,
    /// The columns of the parts.
    pub schema: Schema,
    /// The parts, in the manifest's order. No order of rows is promised within or between them.
    pub parts: Vec<Part>,
}

/// How the parts of an inventory are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// Comma-separated values, gzipped.
    Csv,
}

/// One object of an inventory, with rows in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The key as the manifest gives it; a place's prefix may have to be put before it.
    pub key: String,
    /// The size in bytes, as stored (compressed).
    pub size: u64,
    /// The MD5 of the bytes as stored.
    pub md5: Md5Hex,
}

/// An MD5 checksum. Not a safeguard against malice, only against accidents.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Md5Hex([u8; 16]);

/// A text that is no MD5 checksum.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no MD5 checksum of 32 hexadecimal digits")]
pub struct Md5Error {
    /// The text, cut to a sane length.
    pub text: String,
}

/// A manifest whose text cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFault {
    /// It is not JSON, or lacks something.
    #[error("it is not a manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// `creationTimestamp` is no time in milliseconds.
    #[error("creationTimestamp {0:?} is not a number of milliseconds since 1970")]
    Created(String),
    /// Parts in a format that cannot be read.
    #[error("its parts are {0:?}; only CSV can be read: configure the inventory's output format as CSV")]
    Format(String),
    /// Columns that cannot be read.
    #[error("fileSchema: {0}")]
    Schema(#[from] SchemaError),
    /// A part's checksum is none.
    #[error("MD5checksum of {key}: {source}")]
    Checksum {
        /// The part.
        key: String,
        /// Why it is none.
        source: Md5Error,
    },
}

/// The manifest as S3 writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    source_bucket: String,
    destination_bucket: String,
    version: String,
    creation_timestamp: String,
    file_format: String,
    file_schema: String,
    files: Vec<WrittenPart>,
}

#[derive(Deserialize)]
struct WrittenPart {
    key: String,
    size: u64,
    #[serde(rename = "MD5checksum")]
    md5: String,
}

impl Manifest {
    /// Reads the bytes of a `manifest.json`.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestFault> {
        let written: Written = serde_json::from_slice(bytes)?;
        // The format first: the schema of a Parquet inventory is written in another language.
        if written.file_format != "CSV" {
            return Err(ManifestFault::Format(written.file_format));
        }
        Ok(Self {
            created: milliseconds(&written.creation_timestamp)
                .ok_or(ManifestFault::Created(written.creation_timestamp))?,
            source_bucket: written.source_bucket,
            destination_bucket: written.destination_bucket,
            version: written.version,
            format: Format::Csv,
            schema: Schema::parse(&written.file_schema)?,
            parts: written.files.into_iter().map(part).collect::<Result<_, _>>()?,
        })
    }

    /// The size of all parts together, in bytes as stored: what a progress bar runs to.
    pub fn size(&self) -> u64 {
        self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.size))
    }
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    Timestamp::from_millisecond(text.parse().ok()?).ok()
}

fn part(written: WrittenPart) -> Result<Part, ManifestFault> {
    let WrittenPart { key, size, md5 } = written;
    match md5.parse() {
        Ok(md5) => Ok(Part { key, size, md5 }),
        Err(source) => Err(ManifestFault::Checksum { key, source }),
    }
}

impl Md5Hex {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Md5::digest(bytes).into())
    }

    /// The checksum of what was fed to `hasher`.
    pub(crate) fn finish(hasher: Md5) -> Self {
        Self(hasher.finalize().into())
    }
}

impl FromStr for Md5Hex {
    type Err = Md5Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let value = if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            u128::from_str_radix(text, 16).ok()
        } else {
            None
        };
        value.map(|value| Self(value.to_be_bytes())).ok_or_else(|| Md5Error { text: text.chars().take(64).collect() })
    }
}

impl fmt::Display for Md5Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Md5Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = include_str!("../tests/fixtures/manifest.json");

    #[test]
    fn a_manifest_as_s3_writes_it_is_read() {
        let manifest = Manifest::parse(MANIFEST.as_bytes()).unwrap();
        assert_eq!(manifest.source_bucket, "net-mozaws-prod-delivery-firefox");
        assert_eq!(manifest.created.to_string(), "2018-11-15T00:00:00Z");
        assert_eq!(manifest.schema, Schema::default_csv());
        assert_eq!(manifest.parts.len(), 2);
        assert_eq!(manifest.parts[1].size, 1_048_576);
        assert_eq!(manifest.parts[1].md5.to_string(), "0cc175b9c0f1b6a831c399e269772661");
        assert_eq!(manifest.size(), 1_051_576);
    }

    #[test]
    fn another_format_than_csv_is_named() {
        let parquet = MANIFEST.replace(r#""CSV""#, r#""Parquet""#).replace("Bucket, Key", "message s3.inventory {");
        let error = Manifest::parse(parquet.as_bytes()).unwrap_err();
        assert!(error.to_string().starts_with(r#"its parts are "Parquet"; only CSV can be read"#), "{error}");
    }

    #[test]
    fn what_is_wrong_in_a_manifest_is_named() {
        let fault = |from: &str, to: &str| {
            let text = MANIFEST.replace(from, to);
            assert_ne!(text, MANIFEST, "{from} is in the fixture");
            Manifest::parse(text.as_bytes()).unwrap_err().to_string()
        };
        assert!(fault("1542240000000", "yesterday").contains(r#""yesterday""#));
        assert!(fault("LastModifiedDate", "Colour").starts_with(r#"fileSchema: the column "Colour" is not known"#));
        assert!(fault("0cc175b9c0f1b6a831c399e269772661", "+cc1").contains(r#"part-2.csv.gz: "+cc1" is no MD5"#));
        assert!(fault(r#""files""#, r#""parts""#).contains("missing field `files`"));
        assert!(fault("{", "<html>").starts_with("it is not a manifest"));
    }

    #[test]
    fn a_checksum_is_written_as_it_was_read() {
        let text = "0cc175b9c0f1b6a831c399e269772661";
        assert_eq!(Md5Hex::of(b"a"), text.parse().unwrap());
        assert_eq!(Md5Hex::of(b"a").to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(Md5Hex::of(b"a")));
        assert!("+cc175b9c0f1b6a831c399e269772661".parse::<Md5Hex>().is_err());
    }
}
