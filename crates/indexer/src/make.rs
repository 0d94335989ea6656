//! From an archive, what is known of its object, and its metadata to what is written: the one place where records are
//! made, whoever asks.

use buildhub_releases::{Archive, Facts, Metadata, Record, Refusal};
use jiff::Timestamp;

use crate::ready::{Ready, ReadyError};

/// How records are made.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// What download addresses begin with; ends in `/`.
    pub download_url: &'a str,
    /// Whether a release of Firefox is written a second time, as one of the beta channel.
    pub release_as_beta: bool,
}

/// No record can be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// It would not pass the checks.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be written.
    #[error(transparent)]
    Ready(#[from] ReadyError),
}

impl Making<'_> {
    /// The record of an archive, or both where a release counts as beta too. Without metadata there is no build to check.
    pub fn records(
        &self,
        archive: &Archive<'_>,
        size: u64,
        date: Timestamp,
        metadata: Option<&Metadata>,
    ) -> Result<Vec<Ready>, MakeError> {
        let facts = Facts { archive_url: self.download_url, size, date };
        let record = archive.record(&facts, metadata);
        if metadata.is_some() {
            record.check()?;
        }
        self.ready(&record)
    }

    /// A record that is there already, made ready, with its second where it has one.
    pub fn ready(&self, record: &Record) -> Result<Vec<Ready>, MakeError> {
        let mut ready = vec![Ready::new(record)?];
        if let Some(beta) = record.as_beta().filter(|_| self.release_as_beta) {
            ready.push(Ready::new(&beta)?);
        }
        Ok(ready)
    }
}
