//! A record ready to be written: its JSON, and the fact that decides whether it is.

use buildhub_releases::{Record, rank_of_url};
use jiff::Timestamp;
use serde_json::value::RawValue;
use xxhash_rust::xxh3::xxh3_64;

use crate::fact::{Fact, IdHash, seconds, source_hash};
use crate::index::Entry;

/// A record on its way out.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The record's id.
    pub id: String,
    /// The same as a number.
    pub hash: IdHash,
    /// What it is of.
    pub fact: Fact,
    /// The record as JSON.
    pub json: Box<RawValue>,
}

/// A record that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// It cannot be written as JSON.
    #[error("the record {id} cannot be written as JSON: {source}")]
    Json {
        /// The record.
        id: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// Its date cannot be compared with another's.
    #[error("the record {id} has download.date {date:?}, which is no time like 2018-11-15T00:00:00Z")]
    Date {
        /// The record.
        id: String,
        /// As it stands there.
        date: String,
    },
}

impl Ready {
    /// Makes a record ready.
    pub fn new(record: &Record) -> Result<Self, ReadyError> {
        let written = serde_json::value::to_raw_value(record);
        let json = written.map_err(|source| ReadyError::Json { id: record.id.clone(), source })?;
        let download = &record.download;
        let date: Timestamp = download
            .date
            .parse()
            .map_err(|_| ReadyError::Date { id: record.id.clone(), date: download.date.clone() })?;
        let fact = Fact {
            source: source_hash("", &download.url, download.size, date),
            content: xxh3_64(json.get().as_bytes()),
            date: seconds(date),
            rank: rank_of_url(&download.url).as_u32(),
        };
        Ok(Self { id: record.id.clone(), hash: IdHash::of(&record.id), fact, json })
    }
}

/// What the index keeps of a stored record. One that is no record of ours gives way to any that is.
pub fn entry_of(id: &str, last_modified: u64, json: &str) -> Entry {
    let ours = serde_json::from_str(json).ok().and_then(|record: Record| Ready::new(&record).ok());
    let strange = Fact { source: 0, content: 0, date: 0, rank: 0 };
    Entry { id: IdHash::of(id), fact: ours.map_or(strange, |ready| ready.fact), last_modified }
}
