//! What comes of a copy.

use std::time::Duration;

use buildhub_core::store::{Part, Upload};
use serde::{Deserialize, Serialize};

use crate::fetch::FetchError;
use crate::verify::{Damage, Whole};

/// A copy that is over, or over for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The archive is there, in one region or more.
    Copied(Copied),
    /// Its time is over; another goes on from here.
    Paused(Checkpoint),
    /// The source broke off, and gives the rest another time; another goes on from here.
    BrokenOff(Checkpoint, FetchError),
}

/// An archive that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its size and hash.
    pub whole: Whole,
    /// What came of it in each region, in their order. At least one has it.
    pub regions: Vec<RegionCopied>,
}

/// What came of a copy in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionCopied {
    /// The region's name.
    pub region: String,
    /// What came of it.
    pub end: RegionEnd,
}

/// What came of a copy in one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegionEnd {
    /// It was written.
    Done,
    /// Somebody else had written it: it was left alone.
    Exists,
    /// It is not there.
    Failed(String),
}

impl RegionEnd {
    /// Whether the archive is there.
    pub fn is_there(&self) -> bool {
        matches!(self, Self::Done | Self::Exists)
    }
}

/// How far a copy is, for another to go on with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Bytes that every region of it has.
    pub bytes: u64,
    /// What the regions have.
    pub regions: Vec<Staged>,
    /// Whether that is all of it. Then it was not checked yet, for which there was no time left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_all: bool,
}

/// What a region has of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// The region's name.
    pub region: String,
    /// The upload that it is put together by.
    pub upload: Upload,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A copy that failed: the archive is in no region, unless somebody else has put it there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CopyError {
    /// It cannot be read, or not to its end.
    #[error(transparent)]
    Source(#[from] FetchError),
    /// What was read is not whole.
    #[error("what was read is no whole archive: {0}")]
    Damaged(#[from] Damage),
    /// No region took it.
    #[error("no region took it: {}", reasons.iter().map(|(region, reason)| format!("{region}: {reason}")).collect::<Vec<_>>().join("; "))]
    Regions {
        /// What happened in each, by its name.
        reasons: Vec<(String, String)>,
    },
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
    /// It was not through in time, and cannot go on later.
    #[error("it was not through in time: {bytes} bytes in {took:?}")]
    OutOfTime {
        /// Bytes that were read.
        bytes: u64,
        /// In how long.
        took: Duration,
    },
    /// A fault of this program.
    #[error("checking it failed: {0}")]
    Broken(String),
}
