//! Questions and calls, and the session they are made in.

use std::collections::HashMap;

use buildhub_http::header::{ACCEPT, HeaderValue};
use buildhub_http::{Answer, Http, HttpError, HttpSettings, Method, Repeat, Request, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Mutex, OnceCell};

use super::answers::{self, Numbered};
use super::session::{self, Login};
use super::{SCHEDULER, faults};
use crate::backend::{self, Backend as _, BackendError};

/// The largest answer taken, in bytes: a page of [`PAGE`] builds with all their properties is a few MiB.
const ANSWER_MAX: usize = 32 << 20;
/// How many of a list one question asks for.
const PAGE: usize = 500;
/// Among how many changes of a revision, the oldest ones, its push is looked for.
const CHANGES: usize = 100;
/// The property that says who asked for something: of what is forced (Buildbot manual, "Properties"), and of what
/// `buildbot/self_serve` has made of a change that a job told of.
const ASKED_BY: &str = "owner";

/// How a master is reached.
#[derive(Debug, Clone)]
pub struct BuildbotSettings {
    /// Its address, as its `buildbotURL` has it.
    pub url: Url,
    /// Who asks; without it only what everyone may do.
    pub login: Option<Login>,
    /// Time limits, attempts and waits.
    pub http: HttpSettings,
}

/// A master. What it is asked for changes nothing a second time, so that every question and call may be repeated.
#[derive(Debug)]
pub struct Buildbot {
    http: Http,
    api: Url,
    login: Option<Login>,
    cookie: Mutex<Option<HeaderValue>>,
    /// Names of builders by their numbers, as far as they were asked for. A builder's name never changes.
    names: Mutex<HashMap<u64, String>>,
    /// Names of masters, likewise.
    masters: Mutex<HashMap<u64, String>>,
    /// That the scheduler is there, and knows all that it is told: a master drops what a scheduler does not know.
    scheduler: OnceCell<()>,
}

impl Buildbot {
    /// A master by its settings. Nothing is sent yet.
    pub fn new(settings: BuildbotSettings) -> Result<Self, BackendError> {
        let mut api = settings.url;
        if !api.path().ends_with('/') {
            api.set_path(&format!("{}/", api.path()));
        }
        // A login is answered by a redirection, whose cookies are what is wanted.
        let http = Http::new(&HttpSettings { redirects: 0, ..settings.http })?;
        Ok(Self {
            http,
            api,
            login: settings.login,
            cookie: Mutex::default(),
            names: Mutex::default(),
            masters: Mutex::default(),
            scheduler: OnceCell::new(),
        })
    }

    fn system(&self) -> String {
        format!("the Buildbot at {}", self.api)
    }

    pub(super) fn lacks(&self, missing: String) -> BackendError {
        BackendError::Lacks { system: self.system(), missing }
    }

    fn strange(&self, what: &str, reason: &dyn std::fmt::Display) -> BackendError {
        BackendError::Answer { system: self.system(), what: what.to_owned(), reason: reason.to_string() }
    }

    fn failed(&self, what: &str, reason: &str) -> BackendError {
        BackendError::Failed { system: self.system(), what: what.to_owned(), reason: reason.to_owned() }
    }

    fn address(&self, path: &str) -> Result<Url, BackendError> {
        self.api.join(path).map_err(|error| self.strange(path, &error))
    }

    /// JSON as text, for a field that takes only text.
    pub(super) fn text(&self, value: &impl Serialize, what: &str) -> Result<String, BackendError> {
        serde_json::to_string(value).map_err(|error| self.strange(what, &error))
    }

    /// The first of what a question is answered with, if there is any.
    pub(super) async fn one<T: DeserializeOwned>(&self, path: &str, plural: &str) -> Result<Option<T>, BackendError> {
        let request = self.question(path)?;
        let answer = self.http.fetch(&request, Repeat::Safe, ANSWER_MAX).await?;
        if answer.status == StatusCode::NOT_FOUND {
            // A proxy may answer so too while the master is away, and then nothing is known.
            return match serde_json::from_slice::<answers::Absent>(&answer.body) {
                Ok(absent) if absent.is_buildbots() => Ok(None),
                _ => Err(self.failed(path, "404, and not as Buildbot says that something is not there")),
            };
        }
        Ok(self.list(answer, path, plural)?.into_iter().next())
    }

    /// Everything that a question is answered with, in the order of its numbers. The path has no order, and may have a query.
    pub(super) async fn all<T: DeserializeOwned + Numbered>(
        &self,
        path: &str,
        plural: &str,
    ) -> Result<Vec<T>, BackendError> {
        let mut found = Vec::new();
        let mut last = 0;
        loop {
            // By number, not by place: of what ends meanwhile the places move.
            let (number, and) = (T::NUMBER, if path.contains('?') { '&' } else { '?' });
            let mut page: Vec<T> =
                self.page(&format!("{path}{and}{number}__gt={last}&order={number}"), plural, PAGE).await?;
            // What the answer says of the total is the page's.
            let is_last = page.len() < PAGE;
            let highest = page.iter().map(T::id).max().unwrap_or(last);
            found.append(&mut page);
            if is_last || highest <= last {
                return Ok(found);
            }
            last = highest;
        }
    }

    /// The first of what a question is answered with. The path has a query already, which says an order.
    pub(super) async fn page<T: DeserializeOwned>(
        &self,
        path: &str,
        plural: &str,
        limit: usize,
    ) -> Result<Vec<T>, BackendError> {
        let question = self.question(&format!("{path}&limit={limit}"))?;
        let answer = self.http.fetch(&question, Repeat::Safe, ANSWER_MAX).await?;
        self.list(answer, path, plural)
    }

    fn question(&self, path: &str) -> Result<Request, BackendError> {
        let url = self.address(&format!("api/v2/{path}"))?;
        Ok(Request::get(url).header(ACCEPT, HeaderValue::from_static("application/json")))
    }

    fn list<T: DeserializeOwned>(&self, answer: Answer, path: &str, plural: &str) -> Result<Vec<T>, BackendError> {
        let mut body: Value = answer.ok()?.json()?;
        let list =
            body.get_mut(plural).map(Value::take).ok_or_else(|| self.strange(path, &format!("no {plural:?}")))?;
        serde_json::from_value(list).map_err(|error| self.strange(path, &error))
    }

    /// Calls the scheduler that starts things once.
    pub(super) async fn force<T: DeserializeOwned>(&self, what: &str, parameters: &Value) -> Result<T, BackendError> {
        self.scheduler.get_or_try_init(|| self.check()).await?;
        let result = self.call(&format!("forceschedulers/{SCHEDULER}"), "force", parameters, what).await?;
        serde_json::from_value(result).map_err(|error| self.strange(what, &error))
    }

    /// Calls a method of something (JSON-RPC 2.0). A session that is over is begun anew, once.
    pub(super) async fn call(
        &self,
        path: &str,
        method: &str,
        parameters: &Value,
        what: &str,
    ) -> Result<Value, BackendError> {
        let body = self.text(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters }), what)?;
        let mut answer = self.send(path, &body, false).await?;
        if answer.status == StatusCode::FORBIDDEN && self.login.is_some() {
            answer = self.send(path, &body, true).await?;
        }
        if answer.status.is_success() {
            let mut body: Value = answer.json()?;
            return Ok(body.get_mut("result").map(Value::take).unwrap_or_default());
        }
        let Ok(fault) = answer.json::<answers::Fault>() else {
            return Err(answer.ok().err().map_or_else(|| self.strange(what, &"no result"), Into::into));
        };
        let (system, what, reason) = (self.system(), what.to_owned(), fault.error.text());
        Err(match answer.status {
            StatusCode::FORBIDDEN => BackendError::Denied { system, what, reason },
            status if faults::is_passing(status, &reason) => BackendError::Failed { system, what, reason },
            status if faults::is_lacking(status, &reason) => self.lacks(format!("what lets it {what} ({reason})")),
            _ => BackendError::Refused { system, what, reason },
        })
    }

    async fn send(&self, path: &str, body: &str, anew: bool) -> Result<Answer, BackendError> {
        let url = self.address(&format!("api/v2/{path}"))?;
        let mut request = Request::new(Method::POST, url).json(body.to_owned());
        if let Some(cookie) = self.session(anew).await? {
            request = request.header(session::HEADER, cookie);
        }
        // What is repeated here is only what never came to it: of its own faults, who asks knows which to ask for again.
        Ok(self.http.fetch(&request, Repeat::Unsent, ANSWER_MAX).await?)
    }

    /// The session's cookie, for which the user logs in where there is none yet or `anew` says so.
    async fn session(&self, anew: bool) -> Result<Option<HeaderValue>, BackendError> {
        let Some(login) = &self.login else { return Ok(None) };
        let mut cookie = self.cookie.lock().await;
        if cookie.is_none() || anew {
            let refused = || BackendError::Credentials { system: self.system() };
            let header = login.header().map_err(|_| refused())?;
            let request = Request::get(self.address("auth/login")?).authorization(header);
            let answer = self.http.fetch(&request, Repeat::Safe, ANSWER_MAX).await?;
            match answer.status {
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(refused()),
                status if status.is_redirection() || status.is_success() => {
                    let given = session::cookie(&answer);
                    *cookie = Some(given.ok_or_else(|| self.strange("a login", &"it gives no cookie"))?);
                }
                _ => return Err(answer.ok().err().map_or_else(refused, |error: HttpError| error.into())),
            }
        }
        Ok(cookie.clone())
    }

    /// The name of a builder.
    pub(super) async fn name(&self, builder: u64) -> Result<String, BackendError> {
        let mut names = self.names.lock().await;
        if let Some(name) = names.get(&builder) {
            return Ok(name.clone());
        }
        let found: Option<answers::Builder> = self.one(&format!("builders/{builder}"), "builders").await?;
        let found = found.ok_or_else(|| self.strange(&format!("builders/{builder}"), &"there is none"))?.into_builder();
        names.insert(builder, found.name.clone());
        Ok(found.name)
    }

    /// The name of a master, where it is known.
    async fn master(&self, id: Option<u64>) -> Result<Option<String>, BackendError> {
        let Some(id) = id else { return Ok(None) };
        let mut masters = self.masters.lock().await;
        if let Some(name) = masters.get(&id) {
            return Ok(Some(name.clone()));
        }
        let found: Option<answers::Master> = self.one(&format!("masters/{id}"), "masters").await?;
        Ok(found.map(|master| masters.entry(id).or_insert(master.name).clone()))
    }

    /// A request with what its set says, which is asked for where it is not known.
    pub(super) async fn whole(
        &self,
        mut found: answers::Request,
        set: Option<answers::Set>,
    ) -> Result<backend::Request, BackendError> {
        let set = match set {
            Some(set) => set,
            None => self.set(found.buildsetid).await?,
        };
        let stamp = set.source().cloned();
        let (branch, revision, repository) =
            stamp.map_or((None, None, None), |stamp| (stamp.branch, stamp.revision, stamp.repository));
        Ok(backend::Request {
            id: found.buildrequestid,
            builder: self.name(found.builderid).await?,
            branch: branch.filter(|text| !text.is_empty()),
            revision: revision.filter(|text| !text.is_empty()),
            repository: repository.unwrap_or_default(),
            reason: set.reason,
            priority: found.priority,
            submitted: found.submitted_at,
            claimed: found.claimed_at,
            completed: found.complete_at,
            author: None,
            properties: found.properties(),
        })
    }

    async fn set(&self, id: u64) -> Result<answers::Set, BackendError> {
        let path = format!("buildsets/{id}");
        self.one(&path, "buildsets").await?.ok_or_else(|| self.strange(&path, &"there is none"))
    }

    /// A request with all that is known of it: also whose change it follows from, which a master says of its builds alone.
    pub(super) async fn whole_with_author(&self, found: answers::Request) -> Result<backend::Request, BackendError> {
        let set = self.set(found.buildsetid).await?;
        let stamp = set.source().cloned();
        let mut request = self.whole(found, Some(set)).await?;
        let is_asked_for = request.properties.contains_key(ASKED_BY);
        if let Some(stamp) = stamp.filter(|_| !is_asked_for) {
            request.author = self.author(&stamp, request.submitted).await?;
        }
        Ok(request)
    }

    /// Who pushed a source, as far as the master knows. All changes of a revision share one source: who told of it by a job, as
    /// the last one before this moment, counts only where nobody pushed it, for what is made of that says itself who asked.
    async fn author(&self, stamp: &answers::Stamp, submitted: i64) -> Result<Option<String>, BackendError> {
        let Some(revision) = &stamp.revision else { return Ok(None) };
        let mut pairs = vec![("order", "changeid"), ("revision", revision)];
        pairs.extend(stamp.branch.as_deref().map(|branch| ("branch", branch)));
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let path = format!("changes?{query}");
        let mut changes: Vec<answers::Change> = self.page(&path, "changes", CHANGES).await?;
        // A master takes the first of them in that order, and tells them in the opposite one.
        changes.sort_unstable_by_key(|change| change.changeid);
        let of_it = || changes.iter().filter(|change| change.is_of(stamp));
        let told = || of_it().rfind(|change| change.when_timestamp <= submitted);
        let of = of_it().find(|change| change.is_push()).or_else(told);
        Ok(of.map(|change| change.author.clone()).filter(|author| !author.is_empty()))
    }

    /// A build with its builder's name.
    pub(super) async fn build_of(&self, mut found: answers::Build) -> Result<backend::Build, BackendError> {
        let properties = found.properties();
        let worker = properties.get("workername").and_then(Value::as_str).map(str::to_owned);
        Ok(backend::Build {
            id: found.buildid,
            request: found.buildrequestid,
            builder: self.name(found.builderid).await?,
            number: found.number,
            started: found.started_at,
            ended: found.complete_at,
            result: found.results.and_then(backend::Outcome::of),
            worker,
            master: self.master(found.masterid).await?,
            properties,
        })
    }
}
