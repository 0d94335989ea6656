//! Where a definition's addresses lead: the web, a bucket, or files beside the definition.

mod address;
mod fetch;

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use buildhub_core::SettingError;
use buildhub_core::Variables;
use buildhub_core::store::{S3Settings, StoreError, Stores};
use buildhub_http::{Guard, Http, HttpError, HttpSettings};

pub use address::{Address, AddressError};
pub use fetch::Fetched;

/// Reads what addresses lead to.
#[derive(Debug)]
pub struct Places {
    stores: Arc<Stores>,
    http: Http,
}

/// Why something cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A bucket, or a folder, does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The web does not.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is larger than it may be.
    #[error("{address} is larger than the {limit} bytes it may have")]
    TooLarge {
        /// What was read.
        address: String,
        /// The most bytes.
        limit: u64,
    },
    /// It is shorter than its server said.
    #[error("{address} broke off after {size} bytes of {expected}")]
    Short {
        /// What was read.
        address: String,
        /// Bytes that came.
        size: u64,
        /// Bytes that were to come.
        expected: u64,
    },
    /// The disk does not take it.
    #[error("{address} cannot be kept in {file}: {source}")]
    Disk {
        /// What was read.
        address: String,
        /// Where it was to be kept.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

impl FetchError {
    /// Whether there is nothing at the address.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Store(error) => error.is_not_found(),
            Self::Http(error) => error.status().is_some_and(|status| matches!(status.as_u16(), 404 | 410)),
            _ => false,
        }
    }

    /// Whether it may be otherwise later.
    pub fn is_transient(&self) -> bool {
        use buildhub_core::store::StoreErrorKind;
        match self {
            Self::Store(error) => error.kind == StoreErrorKind::Transient,
            Self::Http(error) => error.is_transient(),
            Self::Short { .. } => true,
            Self::TooLarge { .. } | Self::Disk { .. } => false,
        }
    }

    fn disk(address: &Address, file: &Path, source: io::Error) -> Self {
        Self::Disk { address: address.to_string(), file: file.display().to_string(), source }
    }
}

/// Why nothing can be reached.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// A setting is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The web cannot be asked.
    #[error(transparent)]
    Http(#[from] HttpError),
}

impl Places {
    /// Buckets are reached by `s3`, the web by `http`. No machine of this link is connected to: clouds keep a machine's
    /// credentials there.
    pub fn new(s3: S3Settings, http: &HttpSettings) -> Result<Self, HttpError> {
        Ok(Self {
            stores: Arc::new(Stores::new(s3)),
            http: Http::guarded(http, &Guard::new(|_, address| is_beyond(address)))?,
        })
    }

    /// As the settings say.
    pub fn from_variables(vars: &Variables) -> Result<Self, PlacesError> {
        let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
        let seconds = vars.parse("TIMEOUT_SECONDS", 300, "it is a whole number of seconds")?;
        let timeout = std::time::Duration::from_secs(seconds);
        let http = HttpSettings { retries, timeout, ..HttpSettings::default() };
        Ok(Self::new(S3Settings::from_variables(vars)?, &http)?)
    }

    /// The stores, for those who write.
    pub fn stores(&self) -> &Arc<Stores> {
        &self.stores
    }

    /// The web, for those who ask more of it than files.
    pub fn http(&self) -> &Http {
        &self.http
    }
}

/// Whether an address is of another link than this machine's.
fn is_beyond(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_link_local(),
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => !address.is_link_local(),
            // Amazon's instances find their credentials at fd00:ec2::254, and functions at fd00:ec2::23.
            None => !address.is_unicast_link_local() && !address.segments().starts_with(&[0xfd00, 0xec2]),
        },
    }
}

#[cfg(test)]
mod tests;
