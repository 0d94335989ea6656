//! Metadata between runs: gzipped JSON lines, `{"key", "asked", "metadata"}`, after a first line with the format's
//! version. `asked` is when it was fetched, in seconds since 1970.
//!
//! Gzip's checksum and length tell a damaged or cut file, which is then not used at all.

use std::io::{BufRead as _, BufReader, Write as _};

use buildhub_releases::Metadata;
use bytes::Bytes;
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::{Answer, Library, Lookup};

/// Changes whenever what a line holds does.
const VERSION: &str = r#"{"buildhub-metadata":1}"#;

/// The file is not used and made anew.
#[derive(Debug, thiserror::Error)]
pub enum MetadataCacheError {
    /// Not such a file, or one of another version.
    #[error("it is no metadata cache of this version")]
    Version,
    /// Cut short or damaged.
    #[error("it is damaged: {0}")]
    Damaged(#[from] std::io::Error),
    /// A line cannot be read or written.
    #[error("a line of it cannot be used: {0}")]
    Line(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct LineOut<'a> {
    key: &'a str,
    asked: u32,
    metadata: &'a Metadata,
}

#[derive(Deserialize)]
struct LineIn {
    key: String,
    asked: u32,
    metadata: Metadata,
}

impl Library {
    /// What was found, as a file. What was not found is not in it: a file may come later.
    pub fn to_bytes(&self) -> Result<Bytes, MetadataCacheError> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        writeln!(out, "{VERSION}")?;
        for (key, answer) in self.answers.iter() {
            if let Lookup::Found(metadata) = &answer.lookup {
                serde_json::to_writer(&mut out, &LineOut { key: &key, asked: answer.asked, metadata })?;
                out.write_all(b"\n")?;
            }
        }
        Ok(out.finish()?.into())
    }

    /// Takes over what an earlier run found, as far as it `is_current` (by key and time of asking); nothing when the
    /// file is off. Returns how many.
    pub fn take_over(&self, file: &[u8], is_current: impl Fn(&str, u32) -> bool) -> Result<usize, MetadataCacheError> {
        let mut lines = BufReader::new(GzDecoder::new(file)).lines();
        if lines.next().transpose()?.as_deref() != Some(VERSION) {
            return Err(MetadataCacheError::Version);
        }
        let read: Vec<LineIn> =
            lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<Result<_, MetadataCacheError>>()?;
        let mut count = 0;
        for LineIn { key, asked, metadata } in read.into_iter().filter(|line| is_current(&line.key, line.asked)) {
            self.answers.insert(key, Answer { lookup: Lookup::Found(metadata.into()), asked });
            count += 1;
        }
        Ok(count)
    }
}
