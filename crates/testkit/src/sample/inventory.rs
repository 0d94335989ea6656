//! The S3 inventory of a sample.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use md5::{Digest as _, Md5};
use serde_json::json;

use super::group::{Attributes, Group, write_etag};
use super::{Kind, Sample, SampleSpec};

/// What an inventory is called and where it lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inventory {
    /// Put before every key of the destination bucket, `public/`; the manifest's keys are without it.
    pub prefix: String,
    /// The bucket that is listed, `net-mozaws-prod-delivery-firefox`.
    pub source_bucket: String,
    /// The bucket the inventory is delivered to.
    pub destination_bucket: String,
    /// The inventory's name, `delivery-firefox`.
    pub name: String,
    /// When it is delivered.
    pub created: Timestamp,
}

impl Inventory {
    /// The inventory `firefox` or `archive`, as Mozilla has them, delivered on 15 November 2030: younger than every
    /// object of a sample.
    pub fn of(name: &str) -> Self {
        Self {
            prefix: "public/".to_owned(),
            source_bucket: format!("net-mozaws-prod-delivery-{name}"),
            destination_bucket: "net-mozaws-prod-delivery-inventory-us-east-1".to_owned(),
            name: format!("delivery-{name}"),
            created: Timestamp::constant(1_920_931_200, 0),
        }
    }

    /// The folder of all deliveries, with the prefix: where to look for the newest.
    pub fn folder(&self) -> String {
        format!("{}{}", self.prefix, self.base())
    }

    /// The folder of this delivery, with the prefix.
    pub fn delivery(&self) -> String {
        format!("{}{}/", self.folder(), self.created.strftime("%Y-%m-%dT%H-%MZ"))
    }

    fn base(&self) -> String {
        format!("inventories/{}/{}/", self.source_bucket, self.name)
    }
}

pub(super) fn write(sample: &Sample, root: &Path, inventory: &Inventory) -> io::Result<()> {
    let data = format!("{}data/", inventory.base());
    std::fs::create_dir_all(root.join(&inventory.prefix).join(&data))?;
    // Beside the dated folders there are others.
    let hive = root.join(inventory.folder()).join("hive");
    std::fs::create_dir_all(&hive)?;
    std::fs::write(hive.join("symlink.txt"), "")?;

    let mut writer = Parts::new(sample, root.join(&inventory.prefix), data);
    for group in &sample.groups {
        writer.group(group, &inventory.source_bucket)?;
    }
    let files = writer.finish()?;
    let manifest = json!({
        "sourceBucket": inventory.source_bucket,
        "destinationBucket": format!("arn:aws:s3:::{}", inventory.destination_bucket),
        "version": "2016-11-30",
        "creationTimestamp": inventory.created.as_millisecond().to_string(),
        "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag",
        "files": files,
    })
    .to_string();
    let delivery = root.join(inventory.delivery());
    std::fs::create_dir_all(&delivery)?;
    std::fs::write(delivery.join("manifest.json"), &manifest)?;
    // Last, as S3 does: who sees it may read the manifest.
    std::fs::write(delivery.join("manifest.checksum"), hex(&Md5::digest(manifest.as_bytes())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// Rows on their way into several gzipped files of about the same length.
struct Parts<'a> {
    sample: &'a Sample,
    root: std::path::PathBuf,
    data: String,
    /// Rows in each part but the last.
    rows: u64,
    open: Option<Open>,
    line: Vec<u8>,
    done: Vec<serde_json::Value>,
}

struct Open {
    key: String,
    rows: u64,
    encoder: GzEncoder<Hashed>,
}

impl<'a> Parts<'a> {
    fn new(sample: &'a Sample, root: std::path::PathBuf, data: String) -> Self {
        let parts = sample.spec.parts.max(1) as u64;
        let rows = sample.spec.rows.div_ceil(parts).max(1);
        Self { sample, root, data, rows, open: None, line: Vec::new(), done: Vec::new() }
    }

    fn group(&mut self, group: &Group, bucket: &str) -> io::Result<()> {
        let mut outcome = Ok(());
        let day = group.day().to_string();
        group.visit(&mut |key, kind, number| {
            if outcome.is_ok() {
                outcome = self.row(group, bucket, &day, key, kind, number);
            }
        });
        outcome
    }

    fn row(&mut self, group: &Group, bucket: &str, day: &str, key: &str, kind: Kind, number: u64) -> io::Result<()> {
        let Attributes { size, second, etag } = group.attributes(kind, number);
        self.line.clear();
        write!(self.line, "\"{bucket}\",\"")?;
        form_encode(key, &mut self.line);
        // A spreadsheet has been at a few of the real ones.
        if size % 9_973 == 0 && size % 10 == 0 {
            write!(self.line, "\",\"{}E+1", size / 10)?;
        } else {
            write!(self.line, "\",\"{size}")?;
        }
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(self.line, "\",\"{day}T{hour:02}:{minute:02}:{second:02}.000Z\",\"")?;
        let mut tag = String::with_capacity(36);
        write_etag(&mut tag, etag);
        self.line.extend_from_slice(tag.as_bytes());
        self.line.extend_from_slice(b"\"\n");
        let rows = self.rows;
        let open = match &mut self.open {
            Some(open) => open,
            none => none.insert(Open::new(self.sample, &self.root, &self.data, self.done.len())?),
        };
        open.encoder.write_all(&self.line)?;
        open.rows += 1;
        if open.rows == rows {
            self.close()?;
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        if let Some(Open { key, encoder, .. }) = self.open.take() {
            let Hashed { mut file, hasher, size } = encoder.finish()?;
            file.flush()?;
            self.done.push(json!({ "key": key, "size": size, "MD5checksum": hex(&hasher.finalize()) }));
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Vec<serde_json::Value>> {
        self.close()?;
        Ok(self.done)
    }
}

impl Open {
    fn new(sample: &Sample, root: &Path, data: &str, number: usize) -> io::Result<Self> {
        // S3 names parts by UUIDs; another sample does not overwrite this one's.
        let SampleSpec { seed, rows, .. } = sample.spec;
        let key = format!("{data}{seed:08x}-{rows:012x}-{number:04}.csv.gz");
        let file = BufWriter::new(File::create(root.join(&key))?);
        let encoder = GzEncoder::new(Hashed { file, hasher: Md5::new(), size: 0 }, Compression::new(1));
        Ok(Self { key, rows: 0, encoder })
    }
}

/// A file that knows its MD5 and size.
struct Hashed {
    file: BufWriter<File>,
    hasher: Md5,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or_default());
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Encodes a key as S3 does in CSV: a space is `+`, and all but letters, digits and `/.-_*` are escapes.
fn form_encode(key: &str, line: &mut Vec<u8>) {
    for byte in key.bytes() {
        match byte {
            b' ' => line.push(b'+'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'*' => line.push(byte),
            other => {
                let digit = |value: u8| if value < 10 { b'0' + value } else { b'A' + value - 10 };
                line.extend([b'%', digit(other >> 4), digit(other & 15)]);
            }
        }
    }
}
