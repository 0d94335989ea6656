//! What became of an event.

use buildhub_kinto::KintoError;
use serde::Serialize;

use crate::archive::ArchiveError;
use crate::connect::ConnectError;
use crate::metadata::LibraryError;
use crate::ready::ReadyError;
use crate::target::TargetError;

/// What was done: the event needs not come again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Handled {
    /// The records that it concerns are as they should be.
    Stored(Stored),
    /// An archive whose metadata is not there (yet): the metadata's own event makes the record.
    WithoutMetadata,
    /// Metadata whose archives are not there (yet): their own events make the records.
    WithoutArchives,
    /// It is of no concern.
    Ignored {
        /// Why.
        reason: &'static str,
    },
    /// The archive is gone, and so are its records now.
    Removed {
        /// How many; 0 where there were none of this object.
        records: u64,
    },
    /// It says that the object was written, but by now the object is gone.
    Gone,
}

/// What became of the records of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Stored {
    /// Written, where the store had none.
    pub created: u64,
    /// Written over an older state, or a worse archive of the same build.
    pub updated: u64,
    /// Found to be so already.
    pub unchanged: u64,
    /// Found to be of a better archive, or of a newer state of this one.
    pub kept: u64,
    /// Refused by our checks or by the store's schema, each with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
}

impl Stored {
    /// Adds what became of other records.
    pub fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.kept += other.kept;
        self.refused.extend(other.refused);
    }

    /// Whether there was no record at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Why an event could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum EventFault {
    /// The object it names cannot be seen yet.
    #[error("{key} cannot be seen yet, {seconds} s after its event; it is looked for again when the event comes again")]
    NotYet {
        /// The object's key.
        key: String,
        /// How old the event is.
        seconds: i64,
    },
    /// The archive cannot be asked.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The store cannot be asked, or takes nothing from us.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// The store cannot be made ready.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// No connection can be made to the archive.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// There was no time left for it.
    #[error("there was no time left to handle it; it is handled when it comes again")]
    Late,
    /// The program itself broke on it.
    #[error(
        "the program broke on it, as its log says; it is tried again, and what never works ends among the dead letters"
    )]
    Broken,
    /// It makes no record that is accepted, however often it comes.
    #[error("{0}")]
    Refused(String),
}

impl From<ArchiveError> for EventFault {
    fn from(error: ArchiveError) -> Self {
        Self::Library(error.into())
    }
}

impl From<ReadyError> for EventFault {
    fn from(error: ReadyError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl EventFault {
    /// Whether every event will fail like this until a person repairs it: credentials, permissions, a collection or an
    /// address that is wrong.
    pub fn needs_a_person(&self) -> bool {
        let (Self::Kinto(error) | Self::Target(TargetError::Kinto(error))) = self else {
            return matches!(self, Self::Target(TargetError::Manifest(_)));
        };
        matches!(
            error,
            KintoError::Unauthorized { .. }
                | KintoError::Forbidden { .. }
                | KintoError::Missing { .. }
                | KintoError::NotKinto { .. }
        )
    }

    /// Whether it may pass, so that the event should come again. What is wrong with the event itself never passes; what
    /// is wrong with everybody (a password, a server that is away) is repaired by a person, and nothing is lost until
    /// then.
    pub fn is_transient(&self) -> bool {
        match self {
            // The settings were found to be good at start: what is wrong is the bucket's name in the event.
            Self::Refused(_) | Self::Connect(ConnectError::Setting(_)) | Self::Kinto(KintoError::BadId { .. }) => false,
            Self::NotYet { .. }
            | Self::Library(_)
            | Self::Kinto(_)
            | Self::Target(_)
            | Self::Connect(_)
            | Self::Late
            | Self::Broken => true,
        }
    }
}
