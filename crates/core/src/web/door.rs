//! What all APIs do alike, around what each of them says.

use std::fmt;

use async_trait::async_trait;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, CONTENT_TYPE, LINK,
    LOCATION, ORIGIN, RETRY_AFTER, VARY,
};
use http::{HeaderName, HeaderValue, Method, StatusCode};

use url::Url;

use super::{Request, Response};
use crate::{SettingError, Variables};

/// Seconds for which a browser remembers what it may do.
const REMEMBERED: &str = "600";
/// Headers that scripts of other origins may set, beside those that they always may.
const SETTABLE: [HeaderName; 2] = [ACCEPT, CONTENT_TYPE];
/// Headers that scripts of other origins may read, beside those that they always may.
const READABLE: [HeaderName; 3] = [LINK, LOCATION, RETRY_AFTER];

/// Something that answers requests.
#[async_trait]
pub trait Handler: fmt::Debug + Send + Sync + 'static {
    /// Answers one. It never fails: a fault is an answer too.
    async fn handle(&self, request: Request) -> Response;
}

/// Which origins' scripts may read the answers (WHATWG Fetch, "CORS protocol"). None, at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// These origins may, each written as a browser writes it (`https://host`); `*` stands for all.
    pub fn new(origins: impl IntoIterator<Item = String>) -> Self {
        Self { origins: origins.into_iter().collect() }
    }

    /// The origins that a setting lists, as browsers write them; none where it is not set.
    pub fn origins(vars: &Variables, name: &'static str) -> Result<Vec<String>, SettingError> {
        let origins = vars.list(name, "");
        let is_origin = |text: &String| {
            text == "*" || Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == *text)
        };
        if origins.iter().all(is_origin) {
            return Ok(origins);
        }
        let allowed = "it lists origins as browsers write them (https://HOST, without a / at the end), or is *";
        Err(SettingError::invalid(name, vars.get(name).unwrap_or_default(), allowed))
    }

    /// What `Access-Control-Allow-Origin` says to an origin.
    fn allowed(&self, origin: &str) -> Option<&str> {
        self.origins.iter().map(String::as_str).find(|allowed| *allowed == "*" || *allowed == origin)
    }
}

/// Methods, `OPTIONS`, `HEAD`, and the rules for other origins.
#[derive(Debug, Clone, Default)]
pub struct Door {
    cors: Cors,
}

impl Door {
    /// A door with these rules for other origins.
    pub fn new(cors: Cors) -> Self {
        Self { cors }
    }

    /// Answers a request for a resource that allows these methods: `OPTIONS` here, others by `handle`, which is begun only
    /// then. `HEAD` is allowed where `GET` is, and gets its answer without the body.
    pub async fn answer(
        &self,
        request: &Request,
        methods: &[Method],
        handle: impl Future<Output = Response>,
    ) -> Response {
        let allowed = allowed(methods);
        let is_head = request.method == Method::HEAD && methods.contains(&Method::GET);
        let mut answer = if request.method == Method::OPTIONS {
            self.options(request, &allowed)
        } else if is_head || methods.contains(&request.method) {
            handle.await
        } else {
            let description = format!("{} is not allowed here; {allowed} are", request.method);
            Response::error(request, StatusCode::METHOD_NOT_ALLOWED, &description).with(ALLOW, &allowed)
        };
        self.dress(request, &mut answer);
        if is_head {
            answer.body.clear();
        }
        answer
    }

    fn options(&self, request: &Request, allowed: &str) -> Response {
        let answer = Response::empty(StatusCode::NO_CONTENT).with(ALLOW, allowed);
        let is_preflight = request.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight || self.origin(request).is_none() {
            return answer;
        }
        let answer = answer.with(ACCESS_CONTROL_ALLOW_METHODS, allowed).with(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
        answer.with(ACCESS_CONTROL_ALLOW_HEADERS, &listed(&SETTABLE))
    }

    /// Adds what every answer has.
    fn dress(&self, request: &Request, answer: &mut Response) {
        answer.headers.append(VARY, HeaderValue::from_static("Accept"));
        if self.cors.origins.is_empty() {
            return;
        }
        answer.headers.append(VARY, HeaderValue::from_static("Origin"));
        if let Some(Ok(origin)) = self.origin(request).map(HeaderValue::from_str) {
            answer.headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            if let Ok(names) = HeaderValue::from_str(&listed(&READABLE)) {
                answer.headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names);
            }
        }
    }

    fn origin(&self, request: &Request) -> Option<&str> {
        self.cors.allowed(request.header(&ORIGIN)?)
    }
}

fn allowed(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if methods.contains(&Method::GET) && !methods.contains(&Method::HEAD) {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}

fn listed(names: &[HeaderName]) -> String {
    names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(door: &Door, method: Method, headers: &[(HeaderName, &'static str)]) -> Response {
        let mut request = Request::get("/");
        request.method = method;
        request.headers = headers.iter().map(|(name, text)| (name.clone(), HeaderValue::from_static(text))).collect();
        let said = async { Response::result(&request, StatusCode::OK, "", &"said").with(LOCATION, "/there") };
        door.answer(&request, &[Method::GET], said).await
    }

    #[tokio::test]
    async fn head_is_get_without_the_body_and_other_methods_are_refused() {
        let door = Door::default();
        let get = ask(&door, Method::GET, &[]).await;
        let head = ask(&door, Method::HEAD, &[]).await;
        assert_eq!((get.status, &get.headers), (head.status, &head.headers));
        assert!(!get.body.is_empty() && head.body.is_empty());
        let post = ask(&door, Method::POST, &[]).await;
        assert_eq!((post.status, post.header(&ALLOW)), (StatusCode::METHOD_NOT_ALLOWED, Some("GET, HEAD, OPTIONS")));
        let options = ask(&door, Method::OPTIONS, &[]).await;
        assert_eq!((options.status, options.header(&ALLOW)), (StatusCode::NO_CONTENT, Some("GET, HEAD, OPTIONS")));
    }

    #[tokio::test]
    async fn other_origins_read_answers_only_where_they_are_listed() {
        let door = Door::new(Cors::new(["https://tree.example".to_owned()]));
        let known = [(ORIGIN, "https://tree.example"), (ACCESS_CONTROL_REQUEST_METHOD, "GET")];
        let answer = ask(&door, Method::GET, &known).await;
        assert_eq!(answer.header(&ACCESS_CONTROL_ALLOW_ORIGIN), Some("https://tree.example"));
        assert_eq!(answer.header(&ACCESS_CONTROL_EXPOSE_HEADERS), Some("link, location, retry-after"));
        let answer = ask(&door, Method::OPTIONS, &known).await;
        assert_eq!(answer.header(&ACCESS_CONTROL_ALLOW_METHODS), Some("GET, HEAD, OPTIONS"));
        let unknown = [(ORIGIN, "https://evil.example"), (ACCESS_CONTROL_REQUEST_METHOD, "GET")];
        for door in [&door, &Door::default()] {
            for method in [Method::GET, Method::OPTIONS] {
                let answer = ask(door, method, &unknown).await;
                assert!(!answer.headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN));
                assert!(!answer.headers.contains_key(ACCESS_CONTROL_ALLOW_METHODS));
            }
        }
        let varies: Vec<_> = answer.headers.get_all(VARY).iter().collect();
        assert_eq!(varies, ["Accept", "Origin"], "a cache must not give one origin's answer to another");
    }

    #[tokio::test]
    async fn all_origins_may_be_let_in() {
        let door = Door::new(Cors::new(["*".to_owned()]));
        let answer = ask(&door, Method::GET, &[(ORIGIN, "https://any.example")]).await;
        assert_eq!(answer.header(&ACCESS_CONTROL_ALLOW_ORIGIN), Some("*"));
    }
}
