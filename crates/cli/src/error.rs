//! Why a command could not be performed.

use std::io::ErrorKind;

use buildhub_core::SettingError;
use buildhub_core::aws::secrets::SecretError;
use buildhub_indexer::target::TargetError;
use buildhub_indexer::{ConnectError, ConvertError, LineError, RunError};
use buildhub_kinto::KintoError;

use crate::commands::archive::ArchiveError;
use crate::commands::env::EnvError;
use crate::commands::self_serve::SelfServeError;
use crate::commands::serve::ServeError;

/// Why a command was stopped.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A secret that is named by its ARN cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Something could not be set up.
    #[error(transparent)]
    Connect(ConnectError),
    /// A catch-up run was stopped.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A conversion was stopped.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// A load was stopped.
    #[error(transparent)]
    Load(#[from] LineError),
    /// The store could not be made ready.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The store does not answer, or refuses.
    #[error(transparent)]
    Kinto(#[from] KintoError),
    /// There is no archive.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Something about environments cannot be done.
    #[error(transparent)]
    Env(#[from] EnvError),
    /// Self-serve has no answer.
    #[error(transparent)]
    SelfServe(#[from] SelfServeError),
    /// Nothing can be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The result cannot be written.
    #[error("cannot write the result: {0}")]
    Output(#[source] std::io::Error),
    /// No threads can be had.
    #[error("cannot start: {0}")]
    Runtime(#[source] std::io::Error),
}

impl From<ConnectError> for CommandError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Setting(error) => Self::Setting(error),
            other => Self::Connect(other),
        }
    }
}

impl CommandError {
    /// Whether the command line or a setting is at fault.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Usage(_) | Self::Setting(_) | Self::Archive(ArchiveError::Refused(_)) => true,
            Self::Env(error) => error.is_usage(),
            Self::SelfServe(error) => error.is_usage(),
            Self::Secret(error) => !matches!(error, SecretError::Unreadable { .. }),
            _ => false,
        }
    }

    /// Whether whoever read the result has gone, as `head` does: nobody is left to be told.
    pub fn is_unheard(&self) -> bool {
        match self {
            Self::Output(error) | Self::Convert(ConvertError::Output(error)) => error.kind() == ErrorKind::BrokenPipe,
            _ => false,
        }
    }

    /// 2 where the command line or a setting is wrong, else 1.
    pub fn exit_code(&self) -> u8 {
        if self.is_usage() { 2 } else { 1 }
    }
}
