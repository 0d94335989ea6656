//! Settings, read from [`Variables`] once, at start.

use std::num::NonZeroU32;
use std::path::PathBuf;

use buildhub_core::store::Location;
use buildhub_core::{SettingError, Variables};

use crate::places::Address;

const STORE: &str = "ENVIRONMENTS_STORE";
const URL: &str = "ENVIRONMENTS_URL";
const DEFINITIONS: &str = "ENVIRONMENTS_DEFINITIONS";
const QUEUE: &str = "ENVIRONMENTS_QUEUE_URL";
const SCRATCH: &str = "ENVIRONMENTS_SCRATCH";
const THREADS: &str = "ENVIRONMENTS_THREADS";
const MEMORY: &str = "ENVIRONMENTS_MEMORY";
const DISK: &str = "ENVIRONMENTS_DISK";
/// What Lambda says of its function, in MB (AWS, "Defined runtime environment variables").
const LAMBDA_MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";

/// What making an environment may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Means {
    /// Where files lie meanwhile.
    pub scratch: PathBuf,
    /// Threads that compress, at most.
    pub threads: NonZeroU32,
    /// Bytes of memory, if they are limited.
    pub memory: Option<u64>,
    /// Bytes of disk, if they are limited.
    pub disk: Option<u64>,
}

impl Means {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let scratch = vars.get(SCRATCH).or_else(|| vars.get("TMPDIR")).unwrap_or("/tmp").into();
        let processors = std::thread::available_parallelism().ok().and_then(|count| u32::try_from(count.get()).ok());
        let processors = processors.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let threads = vars.parse(THREADS, processors, "it is a whole number, 1 or more")?;
        let lambda = megabytes(vars, LAMBDA_MEMORY)?;
        Ok(Self { scratch, threads, memory: megabytes(vars, MEMORY)?.or(lambda), disk: megabytes(vars, DISK)? })
    }
}

fn megabytes(vars: &Variables, name: &'static str) -> Result<Option<u64>, SettingError> {
    let allowed = "it is a whole number of MiB, 1 or more";
    if vars.get(name).is_none() {
        return Ok(None);
    }
    match vars.parse::<u64>(name, 0, allowed)? {
        0 => Err(SettingError::invalid(name, "0", allowed)),
        number => Ok(Some(number.saturating_mul(1 << 20))),
    }
}

/// Where environments are published.
pub fn store(vars: &Variables) -> Result<Location, SettingError> {
    location(vars, STORE)?.ok_or_else(|| missing(STORE, "it is s3://BUCKET/PREFIX or a folder, where all is published"))
}

/// Where definitions are, for whoever plans.
pub fn definitions(vars: &Variables) -> Result<Location, SettingError> {
    let allowed = "it is s3://BUCKET/PREFIX or a folder, where definitions are";
    location(vars, DEFINITIONS)?.ok_or_else(|| missing(DEFINITIONS, allowed))
}

/// The queue of environments that are to be made.
pub fn queue(vars: &Variables) -> Result<String, SettingError> {
    let queue = vars.get(QUEUE).map(str::to_owned);
    queue.ok_or_else(|| missing(QUEUE, "it is the address of the SQS queue from which mock-env-publisher is called"))
}

/// Where published environments are read.
pub fn published(vars: &Variables) -> Result<Address, SettingError> {
    let allowed = "it is https://HOST/PATH, s3://BUCKET/PREFIX or a folder, where environments are published";
    let (name, text) = match (vars.get(URL), vars.get(STORE)) {
        (Some(text), _) => (URL, text),
        (None, Some(text)) => (STORE, text),
        (None, None) => return Err(missing(URL, allowed)),
    };
    // An S3 address names a folder here: the bucket alone will do.
    let whole = if text.starts_with("s3://") { format!("{}/", text.trim_end_matches('/')) } else { text.to_owned() };
    Address::read(&whole, &Location::Folder(PathBuf::new()))
        .map_err(|error| SettingError::invalid(name, &error.text, allowed))
}

fn location(vars: &Variables, name: &'static str) -> Result<Option<Location>, SettingError> {
    let Some(text) = vars.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| SettingError::invalid(name, text, format!("{error}")))
}

fn missing(name: &'static str, allowed: &str) -> SettingError {
    SettingError::Missing { name, allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_function_may_use_the_memory_that_it_has_unless_it_is_told_otherwise() {
        let means = |pairs| Means::from_variables(&vars(pairs)).unwrap();
        assert_eq!(means(&[]).memory, None);
        assert_eq!(means(&[(LAMBDA_MEMORY, "1769")]).memory, Some(1769 << 20));
        let told = means(&[(LAMBDA_MEMORY, "1769"), (MEMORY, "100"), (DISK, "2"), (THREADS, "3"), (SCRATCH, "/x")]);
        let expected = Means {
            scratch: "/x".into(),
            threads: NonZeroU32::new(3).unwrap(),
            memory: Some(100 << 20),
            disk: Some(2 << 20),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn what_is_published_is_read_where_it_is_written_unless_another_address_is_named() {
        let read = |pairs| published(&vars(pairs)).map(|address| address.join("environments.json").to_string());
        assert_eq!(read(&[(STORE, "s3://b")]).unwrap(), "s3://b/environments.json");
        assert_eq!(read(&[(STORE, "out")]).unwrap(), "out/environments.json");
        let both = [(STORE, "s3://b/p"), (URL, "https://a.example/p/")];
        assert_eq!(read(&both).unwrap(), "https://a.example/p/environments.json");
        assert!(read(&[]).unwrap_err().to_string().starts_with("ENVIRONMENTS_URL is not set"));
    }

    #[test]
    fn what_cannot_be_used_is_said_by_name() {
        for name in [THREADS, MEMORY, DISK] {
            for value in ["0", "many"] {
                let error = Means::from_variables(&vars(&[(name, value)])).unwrap_err();
                assert!(error.to_string().starts_with(name), "{error}");
            }
        }
        assert!(store(&vars(&[(STORE, "ftp://x")])).unwrap_err().to_string().starts_with(STORE));
        assert!(definitions(&vars(&[])).unwrap_err().to_string().starts_with(DEFINITIONS));
        assert!(queue(&vars(&[])).unwrap_err().to_string().starts_with(QUEUE));
        assert!(published(&vars(&[(URL, "ftp://x")])).unwrap_err().to_string().starts_with(URL));
    }
}
