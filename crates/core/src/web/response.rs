//! Answers, and the envelopes around what they say.

use bytes::Bytes;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::accept::prefers_html;
use super::page::Page;
use super::request::Request;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// A page of ours loads nothing, runs nothing but the one script that looks again, and is shown in no frame.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-+c/QyKrwPZv/AOKwY4s0dWNy9Ggy/xlvczjvR14W7J0='; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// An answer.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Bytes,
}

#[derive(Serialize)]
struct Success<'a, T> {
    result: &'a T,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Failure<'a> {
    error: Fault<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct Fault<'a> {
    code: u16,
    name: &'a str,
    description: &'a str,
}

impl Response {
    /// An answer without a body.
    pub fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new() }
    }

    /// `{"result": …, "request_id": …}`, or for a browser a page with that title and the same in it.
    pub fn result<T: Serialize>(request: &Request, status: StatusCode, title: &str, result: &T) -> Self {
        let page = || {
            let envelope = Success { result, request_id: &request.id };
            Page::new(title).preformatted(&serde_json::to_string_pretty(&envelope).unwrap_or_default())
        };
        Self::result_or(request, status, result, page)
    }

    /// `{"result": …, "request_id": …}`, or for a browser a page of its own.
    pub fn result_or<T: Serialize>(
        request: &Request,
        status: StatusCode,
        result: &T,
        page: impl FnOnce() -> Page,
    ) -> Self {
        if prefers_html(&request.headers) {
            return Self::page(status, page());
        }
        Self::json(status, &Success { result, request_id: &request.id })
    }

    /// `{"error": {"code", "name", "description"}, "request_id": …}`, or a page that says the same. The description says
    /// what a person can do.
    pub fn error(request: &Request, status: StatusCode, description: &str) -> Self {
        let name = status.canonical_reason().unwrap_or("Error");
        if prefers_html(&request.headers) {
            let page = Page::new(&format!("{} {name}", status.as_u16())).paragraph(description);
            return Self::page(status, page.small(&format!("Request {}", request.id)));
        }
        let error = Fault { code: status.as_u16(), name, description };
        Self::json(status, &Failure { error, request_id: &request.id })
    }

    /// 302 to an address, which must be one that a header can hold. The body does not repeat it to programs: a signed
    /// address is a secret while it lasts, and bodies are logged more often than headers.
    pub fn redirect(request: &Request, title: &str, address: &str) -> Self {
        let page = || Page::new(title).link(address, "Go on");
        let answer = Self::result_or(request, StatusCode::FOUND, &serde_json::json!({}), page);
        answer.with(LOCATION, address)
    }

    /// A page.
    pub fn page(status: StatusCode, page: Page) -> Self {
        let mut answer = Self { body: page.into_html().into(), ..Self::empty(status) };
        answer.headers.insert(CONTENT_TYPE, HTML);
        answer.headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        answer.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    /// A value as JSON, without an envelope.
    pub fn json<T: Serialize>(status: StatusCode, body: &T) -> Self {
        let mut answer = Self::empty(status);
        match serde_json::to_vec(body) {
            Ok(body) => answer.body = body.into(),
            // Maps with keys that are no text; none of ours has any.
            Err(error) => {
                tracing::error!(%error, "an answer cannot be written");
                answer.status = StatusCode::INTERNAL_SERVER_ERROR;
            }
        }
        answer.headers.insert(CONTENT_TYPE, JSON);
        answer.headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        answer
    }

    /// The same answer with a header; a value that no header can hold leaves it out.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        } else {
            tracing::error!(%name, "a header cannot be sent, its value has characters that none may have");
        }
        self
    }

    /// The text of a header, if it is there and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text; bytes that are none become U+FFFD.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;
    use serde_json::json;

    use super::*;

    fn request(accept: &'static str) -> Request {
        let mut request = Request::get("/");
        request.headers.insert(ACCEPT, HeaderValue::from_static(accept));
        "one".clone_into(&mut request.id);
        request
    }

    #[test]
    fn a_program_gets_the_envelope() {
        let answer = Response::result(&request("*/*"), StatusCode::ACCEPTED, "", &json!({}));
        assert_eq!(answer.text(), r#"{"result":{},"request_id":"one"}"#);
        assert_eq!(answer.header(&CONTENT_TYPE), Some("application/json"));
        let answer = Response::error(&request("*/*"), StatusCode::BAD_REQUEST, "no <such> thing");
        let expected =
            r#"{"error":{"code":400,"name":"Bad Request","description":"no <such> thing"},"request_id":"one"}"#;
        assert_eq!(answer.text(), expected);
    }

    #[test]
    fn a_browser_gets_a_page_with_everything_escaped() {
        let answer = Response::error(&request("text/html"), StatusCode::NOT_FOUND, "<script>&\"'");
        let page = answer.text();
        assert!(page.contains("404 Not Found") && page.contains("&lt;script&gt;&amp;&quot;&#39;"), "{page}");
        let answer = Response::result(&request("text/html"), StatusCode::OK, "T", &json!({ "url": "<b>" }));
        assert!(answer.text().contains("&lt;b&gt;") && !answer.text().contains("<b>"), "{}", answer.text());
        assert_eq!(answer.header(&CONTENT_TYPE), Some("text/html; charset=utf-8"));
    }

    #[test]
    fn a_redirection_leads_on_and_tells_programs_its_address_in_the_header_alone() {
        let address = "https://bucket.example/a.zip?X-Amz-Signature=1&a=2";
        let answer = Response::redirect(&request("*/*"), "", address);
        assert_eq!((answer.status, answer.header(&LOCATION)), (StatusCode::FOUND, Some(address)));
        assert_eq!(answer.text(), r#"{"result":{},"request_id":"one"}"#);
        let page = Response::redirect(&request("text/html"), "", address);
        assert!(page.text().contains(r#"href="https://bucket.example/a.zip?X-Amz-Signature=1&amp;a=2""#));
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_left_out() {
        let answer = Response::empty(StatusCode::OK).with(LOCATION, "a\r\nSet-Cookie: b");
        assert!(answer.headers.is_empty());
    }
}
