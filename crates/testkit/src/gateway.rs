//! API Gateway's HTTP API in front of a function: requests to a port of this machine become calls of the function, with
//! payload format 2.0, and what it answers becomes a response (AWS, "Create AWS Lambda proxy integrations for HTTP APIs").
//!
//! As the gateway does: header names in lower case, several of one name joined by commas, cookies apart, the path decoded
//! and the query not; a body in base64 unless its type is text, JSON, XML or JavaScript, so that forms come in base64; an
//! error of the function is `500 {"message":"Internal Server Error"}`. It has one route, `ANY` on every path. Its stage is
//! `$default`, which is in no path, and nothing authorizes, unless [`Settings`] say otherwise.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::emulator::Emulator;

/// What a gateway is set up with.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// The stage that stands before every path; `None`: `$default`.
    pub stage: Option<&'static str>,
    /// What an authorizer finds out from a request's headers: `requestContext.authorizer`, where it is somebody.
    pub authorizer: Option<fn(&HeaderMap) -> Option<Value>>,
}

/// What each request is answered with.
#[derive(Debug, Clone)]
struct Route {
    function: Arc<Emulator>,
    settings: Settings,
}

/// A gateway on a free port of this machine, stopped when dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    task: AbortHandle,
}

impl Gateway {
    /// Opens the gateway. As many requests are answered at the same time as the function has instances.
    pub async fn start(function: &Arc<Emulator>) -> io::Result<Self> {
        Self::with_settings(function, Settings::default()).await
    }

    /// The same, set up as is said.
    pub async fn with_settings(function: &Arc<Emulator>, settings: Settings) -> io::Result<Self> {
        let route = Route { function: Arc::clone(function), settings };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(call).with_state(route);
        let task = tokio::spawn(async { axum::serve(listener, router).await }).abort_handle();
        Ok(Self { address, task })
    }

    /// Its address, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn call(
    State(Route { function, settings }): State<Route>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    if !is_of_stage(uri.path(), settings.stage) {
        return failed(StatusCode::NOT_FOUND, "Not Found");
    }
    let answered = function.invoke(&payload(settings, &method, &uri, &headers, &body)).await;
    let answer = answered.ok().and_then(|answer| response(&answer));
    answer.unwrap_or_else(|| failed(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"))
}

fn failed(status: StatusCode, message: &str) -> Response<Body> {
    let mut failed = Response::new(Body::from(json!({ "message": message }).to_string()));
    *failed.status_mut() = status;
    failed
}

fn is_of_stage(path: &str, stage: Option<&str>) -> bool {
    stage.is_none_or(|stage| {
        let rest = path.strip_prefix('/').and_then(|path| path.strip_prefix(stage));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a body of this type reaches a function as text.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&kind.as_str())
}

fn payload(settings: Settings, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Value {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    let mut cookies = Vec::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        if name == "cookie" {
            cookies.extend(value.split("; ").map(str::to_owned));
            continue;
        }
        let all = joined.entry(name.to_string()).or_default();
        if !all.is_empty() {
            all.push(',');
        }
        all.push_str(&value);
    }
    let host = joined.get("host").cloned().unwrap_or_default();
    // What a gateway behind TLS would say is `https`; this one is not.
    joined.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let text = std::str::from_utf8(body).ok().filter(|_| body.is_empty() || is_text(headers));
    let path = percent_decode_str(uri.path()).decode_utf8_lossy();
    let authorizer = settings.authorizer.and_then(|authorizer| authorizer(headers));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "123456789012", "apiId": "local", "authorizer": authorizer, "domainName": host, "domainPrefix": "local",
            "http": { "method": method.as_str(), "path": path, "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": joined.get("user-agent") },
            "requestId": format!("local-{}", now.as_nanos()), "routeKey": "$default", "stage": settings.stage.unwrap_or("$default"),
            "time": "21/Nov/2026:02:15:51 +0000", "timeEpoch": u64::try_from(now.as_millis()).unwrap_or(0),
        },
        "cookies": cookies,
        "isBase64Encoded": text.is_none(),
        "body": text.map_or_else(|| STANDARD.encode(body), str::to_owned),
    })
}

/// Nothing where the function's answer is none that the gateway takes.
fn response(answer: &Value) -> Option<Response<Body>> {
    let text = answer.get("body").and_then(Value::as_str).unwrap_or_default();
    let encoded = answer.get("isBase64Encoded").and_then(Value::as_bool).unwrap_or(false);
    let body = if encoded { STANDARD.decode(text).ok()? } else { text.as_bytes().to_vec() };
    let mut response = Response::builder().status(u16::try_from(answer.get("statusCode")?.as_u64()?).ok()?);
    for (name, value) in answer.get("headers").and_then(Value::as_object).into_iter().flatten() {
        response = response.header(name, value.as_str()?);
    }
    for cookie in answer.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        response = response.header("set-cookie", cookie.as_str()?);
    }
    response.body(Body::from(body)).ok()
}
