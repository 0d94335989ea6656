//! A request that can be spoiled.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use buildhub_testkit::token;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::cloud::SECRET;

/// What can be asked, as the API lists it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Endpoint {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) parameters: Vec<String>,
}

impl Endpoint {
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.path.contains(&format!("{{{part}}}"))
    }

    pub(crate) fn takes(&self, parameter: &str) -> bool {
        self.parameters.iter().any(|known| known == parameter)
    }

    /// Whether somebody or something is named by it that is not looked up in a list.
    pub(crate) fn takes_name(&self) -> bool {
        ["builder", "user", "worker"].iter().any(|part| self.has(part))
    }

    pub(crate) fn is_read(&self) -> bool {
        self.method == "GET"
    }

    /// Masters ask this, and nobody else.
    pub(crate) fn is_for_masters(&self) -> bool {
        self.path == "/self-serve/events"
    }

    /// What becomes a job.
    pub(crate) fn is_write(&self) -> bool {
        !self.is_read() && !self.is_for_masters()
    }
}

/// How a body is written.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    Form,
    Json,
    Other(&'static str, &'static str),
}

/// A request by its parts.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    /// The address; its `{names}` are in `names`.
    pub(crate) path: String,
    pub(crate) names: BTreeMap<String, String>,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) fields: Map<String, Value>,
    pub(crate) body: Body,
    pub(crate) headers: BTreeMap<&'static str, String>,
}

/// Who asks: what a proxy says of them in the next hour.
pub(crate) fn token(name: &str, groups: &[&str]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    token::signed(name, groups, SECRET, i64::try_from(now).unwrap() + 3600)
}

/// As text: a text without its quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Ask {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.parse().unwrap(),
            path: path.to_owned(),
            names: BTreeMap::new(),
            query: BTreeMap::new(),
            fields: Map::new(),
            body: Body::Form,
            headers: [("accept", "application/json".to_owned())].into(),
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.insert(name, value.to_owned());
        self
    }

    pub(crate) fn by(self, name: &str) -> Self {
        self.header("x-self-serve-identity", &token(name, &[]))
    }

    pub(crate) fn sheriff(self) -> Self {
        self.header("x-self-serve-identity", &token("sheriff", &["sheriffs"]))
    }

    pub(crate) fn login(self, login: &str) -> Self {
        self.header("authorization", &format!("Basic {}", BASE64_STANDARD.encode(login)))
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Gives a parameter: a `GET` has it in its query, all others in their body.
    pub(crate) fn set(&mut self, name: &str, value: Value) {
        if self.method == Method::GET {
            self.query.insert(name.to_owned(), text(&value));
        } else {
            self.fields.insert(name.to_owned(), value);
        }
    }

    fn url(&self, base: &str) -> Url {
        let mut url = Url::parse(base).unwrap();
        {
            let mut segments = url.path_segments_mut().unwrap();
            segments.pop_if_empty();
            for segment in self.path.trim_start_matches('/').split('/') {
                match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => segments.push(self.names.get(name).unwrap_or_else(|| panic!("no value of {name}"))),
                    None => segments.push(segment),
                };
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    pub(crate) async fn send(&self, client: &reqwest::Client, base: &str) -> Answer {
        let mut request = client.request(self.method.clone(), self.url(base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request = match &self.body {
            Body::Other(kind, body) => request.header("content-type", *kind).body(*body),
            _ if self.fields.is_empty() => request,
            Body::Json => {
                request.header("content-type", "application/json").body(Value::from(self.fields.clone()).to_string())
            }
            Body::Form => {
                let pairs = self.fields.iter().map(|(name, value)| (name, text(value)));
                let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                request.header("content-type", "application/x-www-form-urlencoded").body(form)
            }
        };
        let answer = request.send().await.unwrap();
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            text: answer.text().await.unwrap(),
        }
    }
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// A header's text; empty where it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}
