//! API Gateway's HTTP API in front of a function: requests to a port of this machine become calls of the function, with
//! payload format 2.0, and what it answers becomes a response (AWS, "Create AWS Lambda proxy integrations for HTTP APIs").
//!
//! As the gateway does: header names in lower case, several of one name joined by commas, cookies apart, a body that is
//! no text in base64; an error of the function is `500 {"message":"Internal Server Error"}`. It has one route, `ANY` on
//! every path, and no stage in the path.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::emulator::Emulator;

/// A gateway on a free port of this machine, stopped when dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    task: AbortHandle,
}

impl Gateway {
    /// Opens the gateway. As many requests are answered at the same time as the function has instances.
    pub async fn start(function: &Arc<Emulator>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(call).with_state(Arc::clone(function));
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
    State(function): State<Arc<Emulator>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let answered = function.invoke(&payload(&method, &uri, &headers, &body)).await;
    answered.ok().and_then(|answer| response(&answer)).unwrap_or_else(|| {
        let mut failed = Response::new(Body::from(r#"{"message":"Internal Server Error"}"#));
        *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        failed
    })
}

fn payload(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Value {
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
    let text = std::str::from_utf8(body);
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": uri.path(),
        "rawQueryString": uri.query().unwrap_or_default(),
        "headers": joined,
        "requestContext": {
            "accountId": "123456789012", "apiId": "local", "domainName": host, "domainPrefix": "local",
            "http": { "method": method.as_str(), "path": uri.path(), "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1", "userAgent": joined.get("user-agent") },
            "requestId": format!("local-{}", now.as_nanos()), "routeKey": "$default", "stage": "$default",
            "time": "21/Nov/2026:02:15:51 +0000", "timeEpoch": u64::try_from(now.as_millis()).unwrap_or(0),
        },
        "cookies": cookies,
        "isBase64Encoded": text.is_err(),
        "body": text.map_or_else(|_| STANDARD.encode(body), str::to_owned),
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
