//! Settings by concern, read from [`Variables`] once, at start.

use std::path::PathBuf;
use std::time::Duration;

use buildhub_core::store::Location;
use buildhub_core::{Secret, SettingError, Variables};
use buildhub_http::HttpSettings;
use buildhub_releases::Products;
use jiff::{SignedDuration, Timestamp};
use url::Url;

use crate::variables::default_of;

/// How requests are made: timeouts and retries, the same towards every server.
pub fn http(vars: &Variables) -> Result<HttpSettings, SettingError> {
    let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
    let seconds = positive(vars, "TIMEOUT_SECONDS", 300)?;
    Ok(HttpSettings { retries, timeout: Duration::from_secs(seconds), ..HttpSettings::default() })
}

/// The store of the records.
#[derive(Debug, Clone)]
pub struct KintoSettings {
    /// Address of the server, with its version (`…/v1`).
    pub server: Url,
    /// Bucket of the records.
    pub bucket: String,
    /// Collection of the records.
    pub collection: String,
    /// `user:password` or `Bearer TOKEN`.
    pub auth: Secret,
    /// Records in a batch, where fewer than the server takes are wanted.
    pub batch_max: Option<usize>,
    /// Whether bucket, collection and schema are brought up to date before loading.
    pub initialize: bool,
}

impl KintoSettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let batch_max = match vars.get("BATCH_MAX_REQUESTS") {
            None => None,
            Some(_) => usize::try_from(positive(vars, "BATCH_MAX_REQUESTS", 1)?).ok(),
        };
        Ok(Self {
            server: web_address(vars, "SERVER_URL")?,
            bucket: text(vars, "BUCKET"),
            collection: text(vars, "COLLECTION"),
            auth: Secret::new(text(vars, "AUTH")),
            batch_max,
            initialize: vars.flag("INITIALIZE_SERVER", true)?,
        })
    }
}

/// The build archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveSettings {
    /// Where metadata is read.
    pub access: Access,
    /// What the records' download addresses begin with; ends in `/`.
    pub download_url: String,
    /// Metadata files fetched at the same time.
    pub parallel: usize,
}

/// The two ways to read an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A site with JSON listings; the address ends in `/`.
    Site(Url),
    /// A bucket (or a folder), directly.
    Store(Location),
}

impl ArchiveSettings {
    /// The archive that is a bucket, whatever `ARCHIVE_URL` says.
    pub fn of_bucket(vars: &Variables, bucket: &str) -> Result<Self, SettingError> {
        Self::from_variables(&vars.clone().with("ARCHIVE_URL", format!("s3://{bucket}/")))
    }

    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let archive = text(vars, "ARCHIVE_URL");
        let access = if archive.starts_with("http://") || archive.starts_with("https://") {
            Access::Site(web_address(vars, "ARCHIVE_URL")?)
        } else {
            Access::Store(location(vars, "ARCHIVE_URL")?)
        };
        let download_url = match (vars.get("DOWNLOAD_URL"), &access) {
            (Some(_), _) => web_address(vars, "DOWNLOAD_URL")?.into(),
            (None, Access::Site(url)) => url.to_string(),
            (None, Access::Store(Location::S3 { bucket, prefix })) => bucket_address(vars, bucket, prefix),
            (None, Access::Store(Location::Folder(_))) => {
                let allowed = "with an archive in a folder it is the address under which people find it".to_owned();
                return Err(SettingError::Missing { name: "DOWNLOAD_URL", allowed });
            }
        };
        let parallel = positive(vars, "NB_PARALLEL_REQUESTS", 8)?;
        Ok(Self { access, download_url, parallel: usize::try_from(parallel.min(256)).unwrap_or(256) })
    }
}

/// Where anybody finds the objects of a bucket (AWS, "Virtual hosting of general purpose buckets").
fn bucket_address(vars: &Variables, bucket: &str, prefix: &str) -> String {
    match vars.get("AWS_ENDPOINT_URL") {
        Some(endpoint) => format!("{}/{bucket}/{prefix}", endpoint.trim_end_matches('/')),
        None => format!("https://{bucket}.s3.{}.amazonaws.com/{prefix}", text(vars, "AWS_REGION")),
    }
}

/// The inventories and what of them is read.
#[derive(Debug, Clone)]
pub struct InventorySettings {
    /// Where the inventories' own keys begin.
    pub location: Location,
    /// Folders of dated inventories below it, each ending in `/`.
    pub folders: Vec<String>,
}

impl InventorySettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let pattern = text(vars, "INVENTORY_PREFIX");
        let pattern = if pattern.ends_with('/') { pattern } else { format!("{pattern}/") };
        let folders = if pattern.contains("{inventory}") {
            let names = vars.list("INVENTORIES", default_of("INVENTORIES"));
            names.iter().map(|name| pattern.replace("{inventory}", name)).collect()
        } else {
            vec![pattern]
        };
        if folders.is_empty() {
            let allowed = "it lists at least one inventory";
            return Err(SettingError::invalid("INVENTORIES", vars.get("INVENTORIES").unwrap_or(""), allowed));
        }
        Ok(Self { location: location(vars, "INVENTORY_LOCATION")?, folders })
    }
}

/// What of the objects is looked at.
#[derive(Debug, Clone)]
pub struct Selection {
    /// Product folders that are read.
    pub products: Products,
    /// Objects older than this are passed over.
    pub oldest: Option<Timestamp>,
    /// Whether a release of Firefox is written a second time, as one of the beta channel.
    pub release_as_beta: bool,
    /// Whether the record of an archive that was removed is removed, and stays so.
    pub remove_deleted: bool,
}

impl Selection {
    /// Reads it; ages count from `now`.
    pub fn from_variables(vars: &Variables, now: Timestamp) -> Result<Self, SettingError> {
        let names = vars.list("PRODUCTS", default_of("PRODUCTS"));
        let products = Products::parse(names.iter().map(String::as_str))
            .map_err(|error| SettingError::invalid("PRODUCTS", &names.join(", "), error.to_string()))?;
        let hours: u32 = vars.parse("MIN_AGE_LAST_MODIFIED_HOURS", 0, "it is a whole number of hours, 0 for none")?;
        let oldest = (hours > 0).then(|| now - SignedDuration::from_hours(hours.into()));
        let release_as_beta = vars.flag("RELEASE_AS_BETA", false)?;
        let remove_deleted = vars.flag("REMOVE_DELETED", false)?;
        Ok(Self { products, oldest, release_as_beta, remove_deleted })
    }
}

/// What is done on events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventSettings {
    /// Product folders that are looked at.
    pub products: Products,
    /// Whether a release of Firefox is written a second time, as one of the beta channel.
    pub release_as_beta: bool,
    /// Whether the record of an archive that was removed is removed.
    pub remove_deleted: bool,
}

impl EventSettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let selection = Selection::from_variables(vars, Timestamp::UNIX_EPOCH)?;
        let Selection { products, release_as_beta, remove_deleted, .. } = selection;
        Ok(Self { products, release_as_beta, remove_deleted })
    }
}

/// Folders of the program's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderSettings {
    /// Where caches live between runs.
    pub cache: Location,
    /// Where temporary files are made.
    pub temporary: PathBuf,
}

impl FolderSettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let temporary = vars.get("CSV_DOWNLOAD_DIRECTORY").or_else(|| vars.get("TMPDIR")).unwrap_or("/tmp");
        Ok(Self { cache: location(vars, "CACHE_FOLDER")?, temporary: temporary.into() })
    }
}

fn text(vars: &Variables, name: &'static str) -> String {
    vars.get(name).unwrap_or_else(|| default_of(name)).to_owned()
}

fn positive(vars: &Variables, name: &'static str, default: u64) -> Result<u64, SettingError> {
    let allowed = "it is a whole number, 1 or more";
    match vars.parse(name, default, allowed)? {
        0 => Err(SettingError::invalid(name, "0", allowed)),
        number => Ok(number),
    }
}

fn location(vars: &Variables, name: &'static str) -> Result<Location, SettingError> {
    let text = text(vars, name);
    text.parse().map_err(|error| SettingError::invalid(name, &text, format!("{error}")))
}

/// An `http` or `https` address whose path ends in `/` where that makes it a folder of more. It may hold no login, for
/// addresses are printed and logged.
fn web_address(vars: &Variables, name: &'static str) -> Result<Url, SettingError> {
    let text = text(vars, name);
    let allowed = "it is an http:// or https:// address";
    let slashed = if name == "SERVER_URL" || text.ends_with('/') { text.clone() } else { format!("{text}/") };
    match Url::parse(&slashed) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => Err(login_in_address(name)),
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        _ if text.contains('@') => Err(login_in_address(name)),
        _ => Err(SettingError::invalid(name, &text, allowed)),
    }
}

/// Does not repeat the address, which may hold a password.
fn login_in_address(name: &'static str) -> SettingError {
    let allowed = "it is an http:// or https:// address without a user or password (those of the store stand in AUTH)";
    SettingError::InvalidSecret { name, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_original() {
        let none = vars(&[]);
        let kinto = KintoSettings::from_variables(&none).unwrap();
        assert_eq!(kinto.server.as_str(), "http://localhost:8888/v1");
        assert_eq!(
            (kinto.bucket.as_str(), kinto.collection.as_str(), kinto.initialize),
            ("build-hub", "releases", true)
        );
        let archive = ArchiveSettings::from_variables(&none).unwrap();
        assert_eq!((archive.download_url.as_str(), archive.parallel), ("https://archive.mozilla.org/", 8));
        let inventory = InventorySettings::from_variables(&none).unwrap();
        assert_eq!(inventory.folders[0], "inventories/net-mozaws-prod-delivery-firefox/delivery-firefox/");
        assert_eq!(inventory.folders[1], "inventories/net-mozaws-prod-delivery-archive/delivery-archive/");
        let http = http(&none).unwrap();
        assert_eq!((http.retries, http.timeout), (3, Duration::from_mins(5)));
    }

    #[test]
    fn an_archive_in_a_bucket_is_downloaded_from_the_bucket() {
        let archive =
            ArchiveSettings::from_variables(&vars(&[("ARCHIVE_URL", "s3://builds"), ("AWS_REGION", "eu-west-1")]));
        assert_eq!(archive.unwrap().download_url, "https://builds.s3.eu-west-1.amazonaws.com/");
    }

    #[test]
    fn ages_count_from_now() {
        let now = "2018-01-02T00:00:00Z".parse().unwrap();
        let selection = Selection::from_variables(&vars(&[("MIN_AGE_LAST_MODIFIED_HOURS", "24")]), now).unwrap();
        assert_eq!(selection.oldest, Some("2018-01-01T00:00:00Z".parse().unwrap()));
        assert_eq!(Selection::from_variables(&vars(&[]), now).unwrap().oldest, None);
    }

    #[test]
    fn what_cannot_be_used_is_said_by_name() {
        let failed = |pairs: &[(&str, &str)]| KintoSettings::from_variables(&vars(pairs)).unwrap_err().to_string();
        assert!(failed(&[("SERVER_URL", "localhost:8888")]).starts_with("SERVER_URL=\"localhost:8888\""));
        assert!(failed(&[("BATCH_MAX_REQUESTS", "0")]).starts_with("BATCH_MAX_REQUESTS=\"0\""));
        assert!(failed(&[("SERVER_URL", "http://:8888")]).starts_with("SERVER_URL=\"http://:8888\""));
        let products = Selection::from_variables(&vars(&[("PRODUCTS", "firefux")]), Timestamp::UNIX_EPOCH);
        assert!(products.unwrap_err().to_string().contains("firefux"));
    }

    #[test]
    fn an_address_holds_no_login_and_one_that_does_is_not_repeated() {
        for address in [
            "http://me:hush@host/v1",
            "https://hush@host",
            "http://:hush@host",
            "htp://me:hush@host/v1",
            "me:hush@host",
        ] {
            let error = KintoSettings::from_variables(&vars(&[("SERVER_URL", address)])).unwrap_err();
            assert!(matches!(error, SettingError::InvalidSecret { name: "SERVER_URL", .. }), "{address}");
            assert!(error.to_string().contains("AUTH") && !format!("{error} {error:?}").contains("hush"), "{error}");
        }
        for name in ["ARCHIVE_URL", "DOWNLOAD_URL"] {
            let error = ArchiveSettings::from_variables(&vars(&[(name, "https://me:hush@host/")])).unwrap_err();
            assert!(error.to_string().starts_with(name) && !format!("{error:?}").contains("hush"), "{error}");
        }
        let plain = ArchiveSettings::from_variables(&vars(&[("ARCHIVE_URL", "https://host/a@b/")])).unwrap();
        assert_eq!(plain.download_url, "https://host/a@b/");
    }
}
