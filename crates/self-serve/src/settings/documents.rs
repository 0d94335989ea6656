//! Where branches, builders and masters are listed.

use buildhub_core::store::{S3Settings, Stores};
use buildhub_core::{SettingError, Variables};
use buildhub_http::{Http, HttpError, HttpSettings};

use crate::config::{Documents, Place, Places};

const BRANCHES: &str = "BRANCHES_URL";
const BUILDERS: &str = "BUILDERS_URL";
const MASTERS: &str = "MASTERS_URL";

/// The documents of a site, and how they are reached.
#[derive(Debug, Clone)]
pub struct DocumentsSettings {
    /// Where they are.
    pub places: Places,
    s3: S3Settings,
    http: HttpSettings,
}

impl DocumentsSettings {
    pub(super) fn from_variables(vars: &Variables, http: HttpSettings) -> Result<Self, SettingError> {
        let allowed = "it is where the list of branches is: s3://BUCKET/KEY, an https:// address or a file".to_owned();
        let branches = place(vars, BRANCHES)?.ok_or(SettingError::Missing { name: BRANCHES, allowed })?;
        let places = Places { branches, builders: place(vars, BUILDERS)?, masters: place(vars, MASTERS)? };
        Ok(Self { places, s3: S3Settings::from_variables(vars)?, http })
    }

    /// The documents. Nothing is read yet.
    pub fn open(self) -> Result<Documents, HttpError> {
        Ok(Documents::new(self.places, Stores::new(self.s3), Http::new(&self.http)?))
    }
}

fn place(vars: &Variables, name: &'static str) -> Result<Option<Place>, SettingError> {
    let Some(text) = vars.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(place) => Ok(Some(place)),
        // A password in an address is not repeated.
        Err(error) if text.contains('@') => Err(SettingError::InvalidSecret { name, allowed: format!("{error}") }),
        Err(error) => Err(SettingError::invalid(name, text, format!("{error}"))),
    }
}
