//! Settings, read from [`Variables`] once, at start.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use buildhub_core::store::{Location, S3Settings, SharedStore, Stores};
use buildhub_core::web::{Cors, HeaderName};
use buildhub_core::{SettingError, Variables};
use buildhub_http::HttpSettings;
use url::{Host, Url};

use crate::copy::LARGEST;
use crate::request::Suffix;
use crate::source::{Source, Template};
use crate::variables::default_of;

const BUCKETS: &str = "ARCHIVER_S3_BUCKETS";
const ENDPOINTS: &str = "ARCHIVER_S3_ENDPOINTS";
const TEMPLATE: &str = "ARCHIVER_HGMO_URL_TEMPLATE";
const HOSTS: &str = "ARCHIVER_HGMO_HOSTS";
const SUFFIXES: &str = "ARCHIVER_HGMO_SUFFIXES";
const TASKS: &str = "ARCHIVER_TASKS_FOLDER";
const QUEUE: &str = "ARCHIVER_QUEUE_URL";
const MAX_SIZE: &str = "ARCHIVER_MAX_SIZE";
const MEMORY: &str = "ARCHIVER_FAILURE_MEMORY";
const ORIGINS: &str = "ARCHIVER_CORS_ORIGINS";
const ADDRESS: &str = "ARCHIVER_URL";
const REQUEST_ID: &str = "REQUEST_ID_HEADER";

/// The longest a failure is remembered: a day, for the source may be mended.
const MEMORY_MAX: u64 = 24 * 60 * 60;

/// All that the archiver is told.
#[derive(Debug, Clone)]
pub struct ArchiverSettings {
    /// The regions, the preferred one first; at least one.
    pub regions: Vec<RegionSettings>,
    /// Where archives come from.
    pub sources: Vec<Source>,
    /// Where tasks are kept.
    pub tasks: Location,
    /// How `tasks` is reached, where it is a bucket.
    pub tasks_s3: S3Settings,
    /// The worker's queue. A process that is its own worker has none.
    pub queue: Option<String>,
    /// The largest archive that is copied, in bytes.
    pub max_size: u64,
    /// How long a failure is remembered. The default is a minute: a thousand who ask for what is not there cost the
    /// source one request in that time, and what was pushed a moment ago is found a minute later.
    pub failure_memory: Duration,
    /// Origins whose scripts may read the answers.
    pub origins: Vec<String>,
    /// The archiver's address as its users have it, without a `/` at its end; `None`: the one that was asked.
    pub address: Option<String>,
    /// The header that a request's id is in, where somebody in front gives it one.
    pub request_id: Option<HeaderName>,
    /// How sources are asked: time limits and repetitions.
    pub http: HttpSettings,
}

/// A region with a copy of every archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionSettings {
    /// Its name, as in `s3_urls`.
    pub name: String,
    /// Its bucket.
    pub bucket: String,
    /// How it is reached.
    pub s3: S3Settings,
}

impl ArchiverSettings {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let regions = regions(vars)?;
        let (tasks, tasks_s3) = tasks(vars, &regions)?;
        Ok(Self {
            regions,
            sources: vec![hgmo(vars)?],
            tasks,
            tasks_s3,
            queue: vars.get(QUEUE).map(str::to_owned),
            max_size: max_size(vars)?,
            failure_memory: failure_memory(vars)?,
            origins: Cors::origins(vars, ORIGINS)?,
            address: address(vars)?,
            request_id: request_id(vars)?,
            http: http(vars)?,
        })
    }

    /// The source of that name.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// The worker's queue, for those who cannot do without.
    pub fn queue(&self) -> Result<&str, SettingError> {
        let allowed = "it is the address of the SQS queue from which archiver-worker is called".to_owned();
        self.queue.as_deref().ok_or(SettingError::Missing { name: QUEUE, allowed })
    }

    /// The store of the tasks. Nothing is asked of it yet.
    pub async fn tasks_store(&self) -> SharedStore {
        Stores::new(self.tasks_s3.clone()).open(&self.tasks).await
    }
}

/// The archiver's address as its users have it: what `buildhub archive` asks.
pub fn address(vars: &Variables) -> Result<Option<String>, SettingError> {
    let Some(text) = vars.get(ADDRESS) else { return Ok(None) };
    let allowed = "it is an http:// or https:// address without user, password, query and fragment";
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(SettingError::InvalidSecret { name: ADDRESS, allowed: allowed.to_owned() })
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none() => {
            Ok(Some(url.as_str().trim_end_matches('/').to_owned()))
        }
        _ if text.contains('@') => Err(SettingError::InvalidSecret { name: ADDRESS, allowed: allowed.to_owned() }),
        _ => Err(SettingError::invalid(ADDRESS, text, allowed)),
    }
}

fn request_id(vars: &Variables) -> Result<Option<HeaderName>, SettingError> {
    let Some(text) = vars.get(REQUEST_ID) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| SettingError::invalid(REQUEST_ID, text, "it is the name of a header"))
}

fn regions(vars: &Variables) -> Result<Vec<RegionSettings>, SettingError> {
    let allowed = "it lists regions and their buckets: us-east-1=bucket-a,us-west-2=bucket-b";
    let Some(text) = vars.get(BUCKETS) else {
        return Err(SettingError::Missing { name: BUCKETS, allowed: allowed.to_owned() });
    };
    let buckets = pairs(vars, BUCKETS).ok_or_else(|| SettingError::invalid(BUCKETS, text, allowed))?;
    let names: BTreeSet<&str> = buckets.iter().map(|(name, _)| name.as_str()).collect();
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    let are_names = buckets.iter().all(|(name, bucket)| is_name(name) && is_name(bucket));
    if buckets.is_empty() || names.len() < buckets.len() || !are_names {
        return Err(SettingError::invalid(BUCKETS, text, format!("{allowed}, each region once")));
    }
    let endpoints = endpoints(vars, &names)?;
    let region = |(name, bucket): (String, String)| {
        let vars = vars.clone().with("AWS_REGION", &name);
        let vars = match endpoints.get(&name) {
            Some(endpoint) => vars.with("AWS_ENDPOINT_URL_S3", endpoint),
            None => vars,
        };
        Ok(RegionSettings { s3: S3Settings::from_variables(&vars)?, name, bucket })
    };
    buckets.into_iter().map(region).collect()
}

fn endpoints(vars: &Variables, regions: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, SettingError> {
    let text = vars.get(ENDPOINTS).unwrap_or_default();
    let allowed = "it lists regions of ARCHIVER_S3_BUCKETS and their servers: us-east-1=http://localhost:9000";
    let pairs = pairs(vars, ENDPOINTS).ok_or_else(|| SettingError::invalid(ENDPOINTS, text, allowed))?;
    let is_sound = |(name, url): &(String, String)| {
        regions.contains(name.as_str()) && (url.starts_with("http://") || url.starts_with("https://"))
    };
    if !pairs.iter().all(is_sound) {
        return Err(SettingError::invalid(ENDPOINTS, text, allowed));
    }
    Ok(pairs.into_iter().collect())
}

/// `name=value,name=value`, in their order.
fn pairs(vars: &Variables, name: &str) -> Option<Vec<(String, String)>> {
    let pair =
        |item: String| item.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
    vars.list(name, "").into_iter().map(pair).collect()
}

fn tasks(vars: &Variables, regions: &[RegionSettings]) -> Result<(Location, S3Settings), SettingError> {
    let here = S3Settings::from_variables(vars)?;
    let location = match (vars.get(TASKS), regions.first()) {
        (None, Some(first)) => Location::S3 { bucket: first.bucket.clone(), prefix: ".tasks/".to_owned() },
        (text, _) => {
            let text = text.unwrap_or_default();
            text.parse().map_err(|error| SettingError::invalid(TASKS, text, format!("{error}")))?
        }
    };
    // A bucket that holds archives too is reached as they are.
    let of_region =
        |region: &&RegionSettings| matches!(&location, Location::S3 { bucket, .. } if *bucket == region.bucket);
    let s3 = regions.iter().find(of_region).map_or(here, |region| region.s3.clone());
    Ok((location, s3))
}

fn hgmo(vars: &Variables) -> Result<Source, SettingError> {
    let text = vars.get(TEMPLATE).unwrap_or_else(|| default_of(TEMPLATE));
    let template: Template = text.parse().map_err(|error| match error {
        // A password in it is not repeated.
        crate::source::TemplateError::Login => {
            SettingError::InvalidSecret { name: TEMPLATE, allowed: format!("{error}") }
        }
        error => SettingError::invalid(TEMPLATE, text, format!("{error}")),
    })?;
    let named = vars.list(HOSTS, "").into_iter().map(|text| match Host::parse(&text) {
        Ok(host) => Ok(host.to_string()),
        Err(_) => Err(SettingError::invalid(HOSTS, &text, "it lists hosts, without ports")),
    });
    let mut trusted: BTreeSet<String> = named.collect::<Result<_, _>>()?;
    // The default, said once more, is not the operator's word for a machine of a private network.
    if text != default_of(TEMPLATE) {
        trusted.insert(template.host().to_owned());
    }
    let mut hosts = trusted.clone();
    hosts.insert(template.host().to_owned());
    let suffixes: Vec<Suffix> = vars
        .list(SUFFIXES, default_of(SUFFIXES))
        .iter()
        .map(|text| text.parse().map_err(|error| SettingError::invalid(SUFFIXES, text, format!("{error}"))))
        .collect::<Result<_, _>>()?;
    Ok(Source { name: "hgmo", template, hosts, trusted, suffixes })
}

fn http(vars: &Variables) -> Result<HttpSettings, SettingError> {
    let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
    let timeout = Duration::from_secs(positive(vars, "TIMEOUT_SECONDS", 300)?);
    Ok(HttpSettings { retries, timeout, ..HttpSettings::default() })
}

fn max_size(vars: &Variables) -> Result<u64, SettingError> {
    let most = LARGEST;
    match positive(vars, MAX_SIZE, 10 << 30)? {
        size if size > most => {
            let allowed = format!("it is at most {most}, which is what one upload of parts can be");
            Err(SettingError::invalid(MAX_SIZE, &size.to_string(), allowed))
        }
        size => Ok(size),
    }
}

fn failure_memory(vars: &Variables) -> Result<Duration, SettingError> {
    let allowed = format!("it is a whole number of seconds, at most {MEMORY_MAX} (a day)");
    match vars.parse(MEMORY, 60, &allowed)? {
        seconds if seconds > MEMORY_MAX => Err(SettingError::invalid(MEMORY, &seconds.to_string(), allowed)),
        seconds => Ok(Duration::from_secs(seconds)),
    }
}

fn positive(vars: &Variables, name: &'static str, default: u64) -> Result<u64, SettingError> {
    let allowed = "it is a whole number, 1 or more";
    match vars.parse(name, default, allowed)? {
        0 => Err(SettingError::invalid(name, "0", allowed)),
        number => Ok(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ArchiverSettings, SettingError> {
        let vars = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        ArchiverSettings::from_variables(&vars)
    }

    const TWO: (&str, &str) = (BUCKETS, "us-east-1=east, us-west-2=west");

    #[test]
    fn regions_come_in_their_order_each_with_its_server() {
        let settings = read(&[
            (BUCKETS, "us-west-2=west,us-east-1=east"),
            (ENDPOINTS, "us-east-1=http://localhost:9000"),
            ("AWS_ENDPOINT_URL", "http://localhost:1"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        let regions: Vec<_> = settings.unwrap().regions.into_iter().map(|r| (r.name, r.bucket, r.s3.aws)).collect();
        let expected = [("us-west-2", "west", "http://localhost:1"), ("us-east-1", "east", "http://localhost:9000")];
        for ((name, bucket, aws), expected) in regions.into_iter().zip(expected) {
            assert_eq!((name.as_str(), bucket.as_str(), aws.endpoint.as_deref().unwrap()), expected);
            assert_eq!(aws.region, name);
        }
    }

    /// Kept, row 18: the original's names.
    #[test]
    fn defaults_are_the_originals_or_say_why() {
        let settings = read(&[TWO]).unwrap();
        assert_eq!(settings.tasks.to_string(), "s3://east/.tasks/");
        assert_eq!(settings.tasks_s3.aws.region, "us-east-1");
        assert_eq!((settings.max_size, settings.failure_memory), (10 << 30, Duration::from_mins(1)));
        let hgmo = settings.source("hgmo").unwrap();
        assert_eq!(hgmo.hosts, BTreeSet::from(["hg.mozilla.org".to_owned()]));
        assert!(hgmo.trusted.is_empty(), "nobody but the operator makes a private address of it one to be asked");
        assert_eq!(hgmo.suffixes, Suffix::ALL);
        assert!(settings.queue().unwrap_err().to_string().starts_with("ARCHIVER_QUEUE_URL is not set"));
    }

    /// Kept, row 18: the original's names, and its four placeholders.
    #[test]
    fn the_operators_own_hosts_are_trusted() {
        let template = "http://localhost:8000/{repo}/archive/{rev}.{suffix}/{subdir}";
        let settings = read(&[TWO, (TEMPLATE, template), (HOSTS, "Mirror.example, [::1]")]).unwrap();
        let hosts = ["localhost", "mirror.example", "[::1]"].map(str::to_owned);
        assert_eq!(settings.sources[0].trusted, BTreeSet::from(hosts.clone()));
        assert_eq!(settings.sources[0].hosts, BTreeSet::from(hosts));
    }

    #[test]
    fn the_default_host_said_once_more_is_not_one_that_the_operator_chose() {
        let settings = read(&[TWO, (TEMPLATE, default_of(TEMPLATE))]).unwrap();
        assert_eq!(settings.sources[0].hosts, BTreeSet::from(["hg.mozilla.org".to_owned()]));
        assert!(settings.sources[0].trusted.is_empty());
    }

    #[test]
    fn tasks_beside_archives_are_reached_as_these_are() {
        let settings = read(&[TWO, (TASKS, "s3://west/t"), ("AWS_REGION", "eu-west-1")]).unwrap();
        assert_eq!(settings.tasks_s3.aws.region, "us-west-2");
        let settings = read(&[TWO, (TASKS, "s3://other/t"), ("AWS_REGION", "eu-west-1")]).unwrap();
        assert_eq!(settings.tasks_s3.aws.region, "eu-west-1");
    }

    #[test]
    fn what_cannot_be_used_is_said_by_name() {
        assert!(read(&[]).unwrap_err().to_string().starts_with("ARCHIVER_S3_BUCKETS is not set"));
        for (name, value) in [
            (BUCKETS, "us-east-1"),
            (BUCKETS, "=b"),
            (BUCKETS, "a="),
            (BUCKETS, "a=b,a=c"),
            (BUCKETS, "a=s3://b"),
            (ENDPOINTS, "eu-west-1=http://h"),
            (ENDPOINTS, "us-east-1=localhost:9000"),
            (TEMPLATE, "https://hg.mozilla.org/"),
            (HOSTS, "a.example:80"),
            (HOSTS, "http://a.example"),
            (SUFFIXES, "tar.xz"),
            (TASKS, "http://x"),
            (MAX_SIZE, "0"),
            (MAX_SIZE, "100000000000"),
            (MEMORY, "soon"),
            (MEMORY, "86401"),
            (ORIGINS, "https://a.example/"),
            (ORIGINS, "a.example"),
            (ADDRESS, "a.example"),
            (ADDRESS, "https://a.example/?b"),
            (REQUEST_ID, "X Request"),
        ] {
            let error = read(&[TWO, (name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name), "{name}={value}: {error}");
        }
    }

    #[test]
    fn addresses_with_a_login_are_refused_without_repeating_it() {
        for name in [ADDRESS, TEMPLATE] {
            let value = "https://me:hush@h/{repo}/{rev}.{suffix}/{subdir}";
            let error = read(&[TWO, (name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name) && !format!("{error} {error:?}").contains("hush"), "{error}");
        }
    }
}
