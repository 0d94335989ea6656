//! What can go wrong with a build system.

use buildhub_http::HttpError;

/// Why a build system could not be asked, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// It cannot be reached, or broke off.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It does not know who asks.
    #[error("{system} does not accept the user and the password given; see BUILDBOT_AUTH")]
    Credentials {
        /// Which one.
        system: String,
    },
    /// Who asks may not do that.
    #[error("{system} refuses to {what}: {reason}; its rules must allow it to the user of BUILDBOT_AUTH")]
    Denied {
        /// Which one.
        system: String,
        /// What was asked.
        what: String,
        /// What it says.
        reason: String,
    },
    /// It failed at it, and may not the next time.
    #[error("{system} failed to {what}: {reason}")]
    Failed {
        /// Which one.
        system: String,
        /// What was asked.
        what: String,
        /// What it says.
        reason: String,
    },
    /// It will not do that, now or later.
    #[error("{system} cannot {what}: {reason}")]
    Refused {
        /// Which one.
        system: String,
        /// What was asked.
        what: String,
        /// What it says.
        reason: String,
    },
    /// It lacks something.
    #[error("{system} lacks {missing}; put buildbot/self_serve beside its master.cfg and call it there")]
    Lacks {
        /// Which one.
        system: String,
        /// What.
        missing: String,
    },
    /// What it answers is not what it should be.
    #[error("{system} answers to {what} with what cannot be understood: {reason}")]
    Answer {
        /// Which one.
        system: String,
        /// What was asked.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl BackendError {
    /// Whether the same may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Http(error) => error.is_transient(),
            Self::Failed { .. } => true,
            Self::Credentials { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Lacks { .. }
            | Self::Answer { .. } => false,
        }
    }
}
