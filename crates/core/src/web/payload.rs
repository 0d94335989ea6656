//! Requests and answers as Lambda has them: payload format 2.0, of HTTP APIs (API Gateway, "Create AWS Lambda proxy
//! integrations for HTTP APIs") and function URLs (Lambda, "Invoking Lambda function URLs") alike.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::pairs;
use super::{Request, Response};

/// What clients reached the gateway by (AWS, "Lambda function URLs: request payload format").
const FORWARDED_PROTO: &str = "x-forwarded-proto";
/// The stage that stands in no path.
const DEFAULT_STAGE: &str = "$default";

/// A payload that is no request.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// It is something else, or of another format.
    #[error(
        "the payload is no HTTP request of format 2.0 ({reason}); a function like this stands behind an HTTP API with \
         PayloadFormatVersion 2.0, or a function URL"
    )]
    Format {
        /// What does not fit.
        reason: String,
    },
}

impl PayloadError {
    fn format(reason: impl Into<String>) -> Self {
        Self::Format { reason: reason.into() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    version: String,
    raw_path: String,
    #[serde(default)]
    raw_query_string: String,
    #[serde(default)]
    cookies: Vec<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    request_context: Context,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Context {
    http: Http,
    request_id: String,
    #[serde(default)]
    domain_name: Option<String>,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    authorizer: Option<Authorizer>,
}

/// What an authorizer of an HTTP API has found (API Gateway, "Control access to HTTP APIs with JWT authorizers", "… with
/// AWS Lambda authorizers"). Those of function URLs (`iam`) name no person, and are passed over.
#[derive(Deserialize)]
struct Authorizer {
    #[serde(default)]
    jwt: Option<Token>,
    #[serde(default)]
    lambda: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    claims: BTreeMap<String, Value>,
}

impl Authorizer {
    fn claims(self) -> BTreeMap<String, String> {
        let claims = self.jwt.map(|token| token.claims).or(self.lambda).unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        claims.into_iter().map(|(name, value)| (name, text(value))).collect()
    }
}

#[derive(Deserialize)]
struct Http {
    method: String,
}

impl Request {
    /// The request that a function was called with.
    pub fn from_payload(payload: &Value) -> Result<Self, PayloadError> {
        let payload = Payload::deserialize(payload).map_err(|error| PayloadError::format(error.to_string()))?;
        if payload.version != "2.0" {
            return Err(PayloadError::format(format!("its version is {:?}", payload.version)));
        }
        let Context { http, request_id, domain_name, stage, authorizer } = payload.request_context;
        let method =
            Method::from_bytes(http.method.as_bytes()).map_err(|_| PayloadError::format("its method is none"))?;
        let headers = headers(payload.headers, &payload.cookies);
        let host = domain_name.or_else(|| Some(headers.get(HOST)?.to_str().ok()?.to_owned())).unwrap_or_default();
        // The gateway says what it was reached by, whatever the client said. Amazon's own are reached by nothing but TLS.
        let is_plain = headers.get(FORWARDED_PROTO).is_some_and(|scheme| scheme == "http");
        let (base, path) = split_stage(&payload.raw_path, stage.as_deref(), &host);
        Ok(Self {
            method,
            path,
            base,
            query: pairs(&payload.raw_query_string),
            headers,
            body: body(payload.body, payload.is_base64_encoded)?,
            host,
            scheme: if is_plain { "http" } else { "https" },
            id: request_id,
            claims: authorizer.map(Authorizer::claims).unwrap_or_default(),
        })
    }
}

/// The stage's part of the path, as clients have to write it, and the rest. With a domain of one's own the mapping, and
/// not the stage, stands in clients' addresses, and the payload does not say what it is.
fn split_stage(path: &str, stage: Option<&str>, host: &str) -> (String, String) {
    let rest = match stage {
        None | Some(DEFAULT_STAGE) => None,
        Some(stage) => path.strip_prefix('/').and_then(|path| path.strip_prefix(stage)),
    };
    match (rest, stage) {
        (Some(rest), Some(stage)) if rest.is_empty() || rest.starts_with('/') => {
            let base = if host.ends_with(".amazonaws.com") { format!("/{stage}") } else { String::new() };
            (base, if rest.is_empty() { "/".to_owned() } else { rest.to_owned() })
        }
        _ => (String::new(), path.to_owned()),
    }
}

/// What no header can hold is left out: it came through a gateway that has its own idea of them.
fn headers(pairs: BTreeMap<String, String>, cookies: &[String]) -> HeaderMap {
    let typed = |(name, value): (String, String)| {
        Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(&value).ok()?))
    };
    let mut headers: HeaderMap = pairs.into_iter().filter_map(typed).collect();
    if !cookies.is_empty()
        && let Ok(value) = HeaderValue::from_str(&cookies.join("; "))
    {
        headers.insert(COOKIE, value);
    }
    headers
}

fn body(body: Option<String>, is_base64: bool) -> Result<Bytes, PayloadError> {
    match body {
        None => Ok(Bytes::new()),
        Some(text) if is_base64 => {
            let bytes = STANDARD.decode(text).map_err(|error| PayloadError::format(format!("its body: {error}")))?;
            Ok(bytes.into())
        }
        Some(text) => Ok(text.into()),
    }
}

/// An answer as Lambda hands it to an HTTP API or function URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cookies: Vec<String>,
    body: String,
    is_base64_encoded: bool,
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        let mut headers = BTreeMap::<String, String>::new();
        let mut cookies = Vec::new();
        for (name, value) in &response.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            if name == SET_COOKIE {
                cookies.push(value);
            } else {
                // Several of one name are one with commas (RFC 9110, section 5.3), but for cookies.
                let entry = headers.entry(name.as_str().to_owned());
                entry.and_modify(|so_far| *so_far = format!("{so_far}, {value}")).or_insert(value);
            }
        }
        let status_code = response.status.as_u16();
        match String::from_utf8(response.body.into()) {
            Ok(body) => Self { status_code, headers, cookies, body, is_base64_encoded: false },
            Err(bytes) => {
                let body = STANDARD.encode(bytes.as_bytes());
                Self { status_code, headers, cookies, body, is_base64_encoded: true }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use http::header::{ACCEPT, VARY};
    use serde_json::json;

    use super::*;

    /// What an HTTP API sends, as far as it is read.
    fn payload(raw_path: &str, stage: &str, domain: &str) -> Value {
        json!({
            "version": "2.0", "routeKey": "$default", "rawPath": raw_path, "rawQueryString": "suffix=zip&subdir=a%2Fb",
            "cookies": ["a=1", "b=2"], "headers": { "accept": "text/html", "host": "other.example" },
            "queryStringParameters": { "suffix": "zip" },
            "requestContext": { "domainName": domain, "http": { "method": "GET", "path": raw_path },
                "requestId": "JKJaXmPLvHcESHA=", "stage": stage },
            "isBase64Encoded": false
        })
    }

    #[test]
    fn a_request_is_read_with_its_query_cookies_and_name() {
        let request = Request::from_payload(&payload("/archiver/x", "$default", "api.example")).unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/archiver/x"));
        assert_eq!(request.query[1], ("subdir".to_owned(), "a/b".to_owned()));
        assert_eq!((request.header(&ACCEPT), request.header(&COOKIE)), (Some("text/html"), Some("a=1; b=2")));
        assert_eq!(request.id, "JKJaXmPLvHcESHA=");
        assert_eq!(request.absolute("/y"), "https://api.example/y");
    }

    #[test]
    fn an_address_is_of_the_scheme_that_the_gateway_was_reached_by() {
        let mut payload = payload("/x", "$default", "localhost:3000");
        for scheme in ["http", "https"] {
            payload["headers"]["x-forwarded-proto"] = json!(scheme);
            let request = Request::from_payload(&payload).unwrap();
            assert_eq!(request.absolute("/y"), format!("{scheme}://localhost:3000/y"));
        }
    }

    #[test]
    fn a_stage_is_no_part_of_the_path_but_of_addresses_unless_a_domain_of_ones_own_hides_it() {
        let read = |path, stage, domain| {
            let request = Request::from_payload(&payload(path, stage, domain)).unwrap();
            (request.path.clone(), request.absolute("/y"))
        };
        let own = "x.execute-api.eu-west-1.amazonaws.com";
        let expected = |path: &str, address: &str| (path.to_owned(), address.to_owned());
        assert_eq!(read("/prod/x", "prod", own), expected("/x", &format!("https://{own}/prod/y")));
        assert_eq!(read("/prod", "prod", own), expected("/", &format!("https://{own}/prod/y")));
        assert_eq!(read("/prod/x", "prod", "a.example"), expected("/x", "https://a.example/y"));
        assert_eq!(read("/x", "prod", "a.example"), expected("/x", "https://a.example/y"));
        assert_eq!(read("/production/x", "prod", own), expected("/production/x", &format!("https://{own}/y")));
    }

    #[test]
    fn who_asks_is_what_an_authorizer_says_and_no_header() {
        let mut payload = payload("/x", "$default", "h");
        payload["headers"]["x-remote-user"] = json!("mallory");
        assert!(Request::from_payload(&payload).unwrap().claims.is_empty());
        payload["requestContext"]["authorizer"] = json!({ "jwt": { "claims": { "email": "a@b.example", "exp": 5 } } });
        let claims = Request::from_payload(&payload).unwrap().claims;
        assert_eq!((claims["email"].as_str(), claims["exp"].as_str(), claims.len()), ("a@b.example", "5", 2));
        payload["requestContext"]["authorizer"] = json!({ "lambda": { "name": "alice" } });
        assert_eq!(Request::from_payload(&payload).unwrap().claims["name"], "alice");
        payload["requestContext"]["authorizer"] = json!({ "iam": { "userId": "AIDA" } });
        assert!(Request::from_payload(&payload).unwrap().claims.is_empty());
    }

    #[test]
    fn a_body_may_be_in_base64() {
        let mut payload = payload("/x", "$default", "h");
        payload["body"] = json!("AP8=");
        payload["isBase64Encoded"] = json!(true);
        assert_eq!(Request::from_payload(&payload).unwrap().body, [0u8, 255][..]);
        payload["body"] = json!("not base64!");
        assert!(Request::from_payload(&payload).is_err());
    }

    #[test]
    fn what_is_no_request_of_this_format_says_what_to_set() {
        let old = json!({ "version": "1.0", "path": "/x", "httpMethod": "GET" });
        for other in [old, json!({ "Records": [] }), json!(null)] {
            let error = Request::from_payload(&other).unwrap_err().to_string();
            assert!(error.contains("PayloadFormatVersion 2.0"), "{error}");
        }
    }

    #[test]
    fn an_answer_is_text_or_base64_and_its_cookies_stand_apart() {
        let answer = Response { body: "é".into(), ..Response::empty(StatusCode::OK) };
        let mut answer = answer.with(VARY, "Accept").with(SET_COOKIE, "a=1");
        answer.headers.append(VARY, HeaderValue::from_static("Origin"));
        answer.headers.append(SET_COOKIE, HeaderValue::from_static("b=2"));
        let expected = json!({ "statusCode": 200, "headers": { "vary": "Accept, Origin" }, "cookies": ["a=1", "b=2"],
            "body": "é", "isBase64Encoded": false });
        assert_eq!(serde_json::to_value(Answer::from(answer)).unwrap(), expected);
        let bytes = Response { body: Bytes::from_static(&[0, 255]), ..Response::empty(StatusCode::OK) };
        let expected = json!({ "statusCode": 200, "headers": {}, "body": "AP8=", "isBase64Encoded": true });
        assert_eq!(serde_json::to_value(Answer::from(bytes)).unwrap(), expected);
    }
}
