//! Sends requests, waits, and sends them again where that is allowed.

use std::error::Error as _;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use tokio::time::Instant;

use crate::error::{Cause, HttpError, printable};
use crate::guard::{Forbidden, Guard};
use crate::{Answer, HttpSettings, Repeat, Request, Streamed, schedule};

/// Reads from an answer's headers how long its server wants to be left alone before the next request of any kind.
type Heed = dyn Fn(&HeaderMap) -> Option<Duration> + Send + Sync;

/// A client. Clones are cheap and share connections and pauses.
#[derive(Clone)]
pub struct Http {
    client: Client,
    settings: Arc<HttpSettings>,
    guard: Option<Guard>,
    heed: Option<Arc<Heed>>,
    /// No request leaves before this moment.
    not_before: Arc<Mutex<Option<Instant>>>,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Http {
    /// A client with these limits. Must run where TLS can be set up; a system without certificates still reaches
    /// `http://` addresses.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpError> {
        Self::make(settings, None)
    }

    /// A client with these limits that connects to no machine but those its guard admits. It goes through no proxy, for a
    /// proxy would look hosts up by itself.
    pub fn guarded(settings: &HttpSettings, guard: &Guard) -> Result<Self, HttpError> {
        Self::make(settings, Some(guard.clone()))
    }

    fn make(settings: &HttpSettings, guard: Option<Guard>) -> Result<Self, HttpError> {
        // Whoever comes first in the process installs a provider; a second one is no fault, for it is the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = builder(settings, guard.as_ref());
        let builder = match settings.trust.tls() {
            Ok(tls) => builder.tls_backend_preconfigured(tls),
            Err(reason) => without_certificates(builder, &reason),
        };
        let client = builder.build().map_err(|error| HttpError {
            method: reqwest::Method::GET,
            url: "(no address)".to_owned(),
            attempts: 0,
            cause: Cause::Unusable(error),
        })?;
        Ok(Self { client, settings: Arc::new(settings.clone()), guard, heed: None, not_before: Arc::default() })
    }

    /// The same client, asking `heed` of every answer's headers how long to wait before the next request of any kind
    /// (a service's own header, such as Kinto's `Backoff`).
    #[must_use]
    pub fn heeding(mut self, heed: impl Fn(&HeaderMap) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.heed = Some(Arc::new(heed));
        self
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// Sends a request and reads its answer whole, at most `limit` bytes. A fault while reading counts as a fault of
    /// the attempt, and so does an answer that is not whole within [`HttpSettings::timeout`].
    ///
    /// The last answer is returned whatever its status, so that the caller can read what the server said.
    pub async fn fetch(&self, request: &Request, repeat: Repeat<'_>, limit: usize) -> Result<Answer, HttpError> {
        let timeout = self.settings.timeout;
        let once = async |attempt| {
            let end = Instant::now() + timeout;
            let answer = self.attempt(request, attempt).await?;
            tokio::time::timeout_at(end, answer.whole(limit)).await.unwrap_or_else(|_| {
                Err(HttpError::new(&request.method, &request.url, attempt, Cause::Timeout { limit: timeout }))
            })
        };
        let judge = |answer: &Answer| {
            let again = repeat.after_status(answer.status.as_u16()) || repeat.after_answer(answer);
            again.then(|| (answer.status.to_string(), schedule::retry_after(&answer.headers, SystemTime::now())))
        };
        self.persist(request, repeat, once, judge).await
    }

    /// Sends a request and returns its answer once the head is there; the body is read by the caller, for as long as
    /// its pieces come in time ([`HttpSettings::read_timeout`]).
    /// [`Repeat::SafeAnd`] counts as [`Repeat::Safe`] here, for there is no whole answer to judge.
    pub async fn stream(&self, request: &Request, repeat: Repeat<'_>) -> Result<Streamed, HttpError> {
        let once = async |attempt| self.attempt(request, attempt).await;
        let judge = |answer: &Streamed| {
            let again = repeat.after_status(answer.status().as_u16());
            again.then(|| (answer.status().to_string(), schedule::retry_after(answer.headers(), SystemTime::now())))
        };
        self.persist(request, repeat, once, judge).await
    }

    /// Waits as before repetition `number` (0 for the first): for callers whose operation has rounds of its own, such
    /// as looking again after a conflict.
    pub async fn back_off(&self, number: u32) {
        self.settings.backoff().pause(number).await;
    }

    /// Lets no request of this client (or its clones) leave before `wait` has passed, or
    /// [`HttpSettings::wait_max`] if that is shorter: then a warning says so.
    pub fn pause(&self, wait: Duration) {
        let limit = self.settings.wait_max;
        if wait > limit {
            let (asked_s, paused_s) = (wait.as_secs(), limit.as_secs());
            tracing::warn!(asked_s, paused_s, "the server asks for a longer pause than this client makes: cut short");
        }
        let until = Instant::now() + wait.min(limit);
        let mut not_before = self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        if not_before.is_none_or(|at| at < until) {
            *not_before = Some(until);
        }
    }

    /// Attempts until one is good, may not be repeated, or none is left. `judge` says of an answer whether it calls
    /// for another attempt: why, and what its `Retry-After` asks.
    async fn persist<T, F>(
        &self,
        request: &Request,
        repeat: Repeat<'_>,
        once: impl Fn(u32) -> F,
        judge: impl Fn(&T) -> Option<(String, Option<Duration>)>,
    ) -> Result<T, HttpError>
    where
        F: Future<Output = Result<T, HttpError>>,
    {
        let mut attempt = 1;
        loop {
            // Here, so that no pause counts towards an attempt's time.
            self.wait_for_pause().await;
            let result = once(attempt).await;
            let last = attempt > self.settings.retries;
            let (reason, asked) = match &result {
                Ok(answer) => match judge(answer) {
                    Some(again) if !last => again,
                    _ => return result,
                },
                Err(error) if !last && may_repeat(error, repeat) => (error.cause.to_string(), None),
                Err(_) => return result,
            };
            drop(result);
            self.wait(request, attempt, &reason, asked).await?;
            attempt += 1;
        }
    }

    /// Waits before the attempt after `attempt`: what the server asks for, plus the backoff's jitter.
    async fn wait(
        &self,
        request: &Request,
        attempt: u32,
        reason: &str,
        asked: Option<Duration>,
    ) -> Result<(), HttpError> {
        let limit = self.settings.wait_max;
        if let Some(asked) = asked.filter(|asked| *asked > limit) {
            let cause = Cause::AskedToWait { asked, limit };
            return Err(HttpError::new(&request.method, &request.url, attempt, cause));
        }
        let wait = asked.unwrap_or_default() + self.settings.backoff().jittered(attempt - 1);
        let url = printable(&request.url);
        tracing::warn!(method = %request.method, url, attempt, reason, wait_ms = wait.as_millis(), "request repeated");
        tokio::time::sleep(wait).await;
        Ok(())
    }

    async fn attempt(&self, request: &Request, attempt: u32) -> Result<Streamed, HttpError> {
        if let Some(Err(forbidden)) = self.guard.as_ref().map(|guard| guard.check(&request.url)) {
            return Err(HttpError::new(&request.method, &request.url, attempt, Cause::Forbidden(forbidden)));
        }
        let sent = Instant::now();
        let limit = self.settings.timeout;
        let head = match tokio::time::timeout(limit, self.client.execute(ready(request))).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.cause(error)),
            Err(_) => Err(Cause::Timeout { limit }),
        };
        let outcome = head.as_ref().map_or_else(Cause::to_string, |response| response.status().to_string());
        let url = printable(&request.url);
        let took = sent.elapsed().as_millis();
        tracing::debug!(method = %request.method, url, attempt, outcome, head_ms = took, "request sent");
        let response = head.map_err(|cause| HttpError::new(&request.method, &request.url, attempt, cause))?;
        if let Some(wait) = self.heed.as_ref().and_then(|heed| heed(response.headers())) {
            self.pause(wait);
        }
        let (method, url) = (request.method.clone(), request.url.clone());
        Ok(Streamed::new(response, method, url, attempt, self.settings.read_timeout))
    }

    fn cause(&self, error: reqwest::Error) -> Cause {
        let error = error.without_url();
        if let Some(forbidden) = forbidden(&error) {
            return Cause::Forbidden(forbidden);
        }
        match () {
            () if error.is_connect() && error.is_timeout() => {
                Cause::ConnectTimeout { limit: self.settings.connect_timeout }
            }
            () if error.is_connect() => Cause::Connect(error),
            () if error.is_builder() || error.is_redirect() => Cause::Unusable(error),
            () => Cause::Broken(error),
        }
    }

    async fn wait_for_pause(&self) {
        loop {
            let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(at) if at > Instant::now() => tokio::time::sleep_until(at).await,
                _ => return,
            }
        }
    }
}

/// The request as the transport takes it.
fn ready(request: &Request) -> reqwest::Request {
    let mut ready = reqwest::Request::new(request.method.clone(), request.url.clone());
    *ready.headers_mut() = request.headers.clone();
    if !request.body.is_empty() {
        *ready.body_mut() = Some(request.body.clone().into());
    }
    ready
}

fn may_repeat(error: &HttpError, repeat: Repeat<'_>) -> bool {
    match &error.cause {
        Cause::Connect(_) | Cause::ConnectTimeout { .. } => repeat.after_fault(true),
        Cause::Broken(_) | Cause::Timeout { .. } => repeat.after_fault(false),
        _ => false,
    }
}

/// The guard's own reason, where it kept a connection from being made.
fn forbidden(error: &reqwest::Error) -> Option<Forbidden> {
    let mut reasons = std::iter::successors(error.source(), |error| (*error).source());
    reasons.find_map(|reason| reason.downcast_ref::<Forbidden>()).cloned()
}

fn builder(settings: &HttpSettings, guard: Option<&Guard>) -> ClientBuilder {
    let builder = Client::builder()
        .connect_timeout(settings.connect_timeout)
        .user_agent(&settings.user_agent)
        .pool_max_idle_per_host(settings.idle_connections)
        .redirect(if settings.redirects == 0 { Policy::none() } else { Policy::limited(settings.redirects) })
        // One layer repeats, and it is this one.
        .retry(reqwest::retry::never());
    match guard {
        Some(guard) => builder.no_proxy().dns_resolver(guard.clone()),
        None => builder,
    }
}

/// A client that trusts nobody: the way out on a system without a certificate store, where `https://` cannot work
/// but a Kinto on the same machine can.
fn without_certificates(builder: ClientBuilder, reason: &rustls::Error) -> ClientBuilder {
    tracing::warn!(%reason, "no certificates found: https will fail until the system has some (ca-certificates)");
    builder.tls_certs_only([])
}
