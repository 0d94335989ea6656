//! Settings, read from [`Variables`] once, at start.

mod api;
mod documents;

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use buildhub_core::{SettingError, Variables};
use buildhub_http::{HttpSettings, Url};
use buildhub_kinto::manifest::ManifestError;
use buildhub_kinto::{Auth, Client, ClientSettings, KintoError, Manifest};

use crate::backend::{Backend, BackendError};
use crate::buildbot::{Buildbot, BuildbotSettings};
use crate::variables::default_of;

pub use documents::DocumentsSettings;

const SERVER: &str = "SERVER_URL";
const AUTH: &str = "AUTH";
const SYSTEM: &str = "SELF_SERVE_BACKEND";
const BUILDBOT: &str = "BUILDBOT_URL";
const LOGIN: &str = "BUILDBOT_AUTH";
const QUEUE: &str = "SELF_SERVE_QUEUE_URL";
const INITIALISE: &str = "INITIALIZE_SERVER";
const BUCKET: &str = "SELF_SERVE_BUCKET";

/// Bucket, collections, schemas and permissions: only whoever writes them may read them.
const MANIFEST: &str = include_str!("../self-serve.json");

/// How long one request to a Kinto or a master may take where nothing else is said. Neither has anything to say that takes
/// minutes, and whoever waits for a page does not.
const PATIENCE: NonZeroU64 = NonZeroU64::new(30).unwrap();

/// How long an answer may pause once it has begun. Of a Buildbot that has much to do the end of one now and then does not
/// arrive, though the master takes it for sent; the same question asked again is answered.
const PAUSE: Duration = Duration::from_secs(10);

/// What the API and the agent both stand on. Their clients share the system's certificates, read once.
#[derive(Debug, Clone)]
pub struct Connections {
    /// The store.
    pub store: StoreSettings,
    /// The build system.
    pub backend: BackendSettings,
    /// The site's documents.
    pub documents: DocumentsSettings,
}

impl Connections {
    /// Reads them.
    pub fn from_variables(vars: &Variables) -> Result<Self, SettingError> {
        let http = http(vars)?;
        Ok(Self {
            store: StoreSettings::from_variables(vars, http.clone())?,
            backend: BackendSettings::from_variables(vars, http.clone())?,
            documents: DocumentsSettings::from_variables(vars, http)?,
        })
    }
}

/// The store of jobs and of what is known of builds.
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// How the server is reached.
    pub kinto: ClientSettings,
    /// Its bucket.
    pub bucket: String,
    /// Whether bucket, collections and schemas are brought up to date by whoever sweeps.
    pub initialise: bool,
}

impl StoreSettings {
    fn from_variables(vars: &Variables, http: HttpSettings) -> Result<Self, SettingError> {
        let server = address(vars, SERVER, Some("http://localhost:8888/v1"))?;
        let allowed = || "it is user:password, or Bearer TOKEN".to_owned();
        let auth: Auth = vars
            .get(AUTH)
            .unwrap_or("user:pass")
            .parse()
            .map_err(|_| SettingError::InvalidSecret { name: AUTH, allowed: allowed() })?;
        let kinto = ClientSettings { http, ..ClientSettings::new(server, auth) };
        let bucket = vars.get(BUCKET).unwrap_or(default_of(BUCKET)).to_owned();
        Ok(Self { kinto, bucket, initialise: vars.flag(INITIALISE, true)? })
    }

    /// What the bucket should hold before records come.
    pub fn manifest(&self) -> Result<Manifest, ManifestError> {
        let buckets = Manifest::parse(MANIFEST)?.buckets;
        Ok(Manifest { buckets: buckets.into_values().map(|bucket| (self.bucket.clone(), bucket)).collect() })
    }

    /// A client. Nothing is sent yet.
    pub fn client(&self) -> Result<Client, KintoError> {
        Client::new(&self.kinto)
    }
}

/// The build system that is steered.
#[derive(Debug, Clone)]
pub enum BackendSettings {
    /// A Buildbot.
    Buildbot(BuildbotSettings),
}

impl BackendSettings {
    fn from_variables(vars: &Variables, http: HttpSettings) -> Result<Self, SettingError> {
        match vars.get(SYSTEM).unwrap_or(default_of(SYSTEM)) {
            "buildbot" => {}
            other => return Err(SettingError::invalid(SYSTEM, other, "there is one kind: buildbot")),
        }
        let url = address(vars, BUILDBOT, None)?;
        let login = vars.get(LOGIN).map(str::parse).transpose();
        let login = login.map_err(|error| SettingError::InvalidSecret { name: LOGIN, allowed: format!("{error}") })?;
        Ok(Self::Buildbot(BuildbotSettings { url, login, http }))
    }

    /// The build system. Nothing is sent yet.
    pub fn open(self) -> Result<Arc<dyn Backend>, BackendError> {
        match self {
            Self::Buildbot(settings) => Ok(Arc::new(Buildbot::new(settings)?)),
        }
    }
}

/// The queue of jobs, for those who cannot do without.
pub fn queue(vars: &Variables) -> Result<String, SettingError> {
    let allowed = "it is the address of the SQS FIFO queue from which self-serve-agent is called".to_owned();
    vars.get(QUEUE).map(str::to_owned).ok_or(SettingError::Missing { name: QUEUE, allowed })
}

fn http(vars: &Variables) -> Result<HttpSettings, SettingError> {
    let retries = vars.parse("NB_RETRY_REQUEST", 3, "it is a whole number, 0 or more")?;
    let allowed = "it is a whole number, 1 or more";
    let seconds: NonZeroU64 = vars.parse("TIMEOUT_SECONDS", PATIENCE, allowed)?;
    let timeout = Duration::from_secs(seconds.get());
    Ok(HttpSettings { retries, timeout, read_timeout: PAUSE.min(timeout), ..HttpSettings::default() })
}

/// An address without a user and a password, which an error may therefore repeat.
fn address(vars: &Variables, name: &'static str, default: Option<&str>) -> Result<Url, SettingError> {
    let allowed = "it is an http:// or https:// address without user and password";
    let Some(text) = vars.get(name).or(default) else {
        return Err(SettingError::Missing { name, allowed: allowed.to_owned() });
    };
    match text.parse::<Url>() {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            Err(SettingError::InvalidSecret { name, allowed: allowed.to_owned() })
        }
        Ok(url) if matches!(url.scheme(), "http" | "https") && !url.cannot_be_a_base() => Ok(url),
        _ if text.contains('@') => Err(SettingError::InvalidSecret { name, allowed: allowed.to_owned() }),
        _ => Err(SettingError::invalid(name, text, allowed)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vars(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn without_settings_it_is_the_kinto_next_door_and_a_buildbot_must_be_named() {
        let steered = [(BUILDBOT, "http://localhost:8010"), (LOGIN, "a:b"), ("BRANCHES_URL", "branches.json")];
        let Connections { store, backend: BackendSettings::Buildbot(buildbot), .. } =
            Connections::from_variables(&vars(&steered)).unwrap();
        assert_eq!((store.kinto.server.as_str(), store.bucket.as_str()), ("http://localhost:8888/v1", "self-serve"));
        assert_eq!(store.kinto.http.timeout, Duration::from_secs(30));
        let elsewhere = StoreSettings { bucket: "x".to_owned(), ..store }.manifest().unwrap();
        assert_eq!((elsewhere.buckets.len(), elsewhere.buckets["x"].collections.len()), (1, 5));
        assert!(buildbot.login.is_some());
        let error = Connections::from_variables(&vars(&steered[..2])).unwrap_err().to_string();
        assert!(error.starts_with("BRANCHES_URL is not set"), "{error}");
        let error = Connections::from_variables(&vars(&[])).unwrap_err().to_string();
        assert!(error.starts_with("BUILDBOT_URL is not set"), "{error}");
        assert!(queue(&vars(&[])).unwrap_err().to_string().starts_with("SELF_SERVE_QUEUE_URL is not set"));
    }

    #[test]
    fn as_long_as_an_operator_says_is_waited_and_no_shorter() {
        let vars = vars(&[(BUILDBOT, "http://h"), ("BRANCHES_URL", "branches.json"), ("TIMEOUT_SECONDS", "45")]);
        let Connections { store, backend: BackendSettings::Buildbot(buildbot), .. } =
            Connections::from_variables(&vars).unwrap();
        assert_eq!([store.kinto.http.timeout, buildbot.http.timeout], [Duration::from_secs(45); 2]);
        assert_eq!(buildbot.http.read_timeout, Duration::from_secs(10), "an answer that stops is not waited for");
    }

    #[test]
    fn what_cannot_be_used_is_said_by_name_and_no_secret_is_repeated() {
        for (name, value) in [
            (SERVER, "localhost"),
            (SERVER, "http://me:hush@h/v1"),
            (BUILDBOT, "ftp://h"),
            (BUILDBOT, "http://me:hush@h/"),
            (SYSTEM, "jenkins"),
            (LOGIN, "hush"),
            ("MASTERS_URL", "https://me:hush@h/masters.json"),
            ("BUILDERS_URL", "folder/"),
            ("TIMEOUT_SECONDS", "soon"),
            ("TIMEOUT_SECONDS", "0"),
        ] {
            let vars = vars(&[(BUILDBOT, "http://h"), ("BRANCHES_URL", "branches.json"), (name, value)]);
            let error = Connections::from_variables(&vars).unwrap_err();
            let said = format!("{error} {error:?}");
            assert!(said.starts_with(name) && !said.contains("hush"), "{name}={value}: {said}");
        }
    }
}
