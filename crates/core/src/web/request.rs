//! A request, wherever it came from.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// A request to one of our APIs.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path below the API's root, beginning with `/`, as it came: function URLs and sockets leave it encoded, HTTP
    /// APIs decode it. [`Request::segments`] reads both.
    pub path: String,
    /// What stands before `path` in the addresses that clients use: a stage (`/prod`), or nothing.
    pub base: String,
    /// The query's pairs in their order, decoded.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, decoded; empty where there is none.
    pub body: Bytes,
    /// The host that was asked, with its port; empty where that is not known.
    pub host: String,
    /// `https` or `http`.
    pub scheme: &'static str,
    /// What this request is called in logs and in its answer.
    pub id: String,
    /// What a gateway has verified of who asks, by name: the claims of a JWT authorizer's token, or what a Lambda
    /// authorizer says. Nothing that a client sends gets here by itself; from a socket it is empty.
    pub claims: BTreeMap<String, String>,
}

impl Request {
    /// A `GET` of a path and query as an address has them: for tests, and to begin with.
    pub fn get(path_and_query: &str) -> Self {
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        Self {
            method: Method::GET,
            path: path.to_owned(),
            base: String::new(),
            query: pairs(query),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            host: String::new(),
            scheme: "http",
            id: new_id(),
            claims: BTreeMap::new(),
        }
    }

    /// The path's segments, decoded, without the empty one before the first `/`.
    ///
    /// Bytes that are no text become U+FFFD. What was encoded twice and came through an HTTP API, which decodes once,
    /// is decoded twice: whoever allows `%` in a segment cannot rely on it.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.split('/').map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned()).collect()
    }

    /// The text of a header, if it is there and is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The whole address of a path of this API (encoded, beginning with `/`), as the client would reach it: without the
    /// host where that is not known, or is none that may stand in an address.
    pub fn absolute(&self, path: &str) -> String {
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
        if self.host.is_empty() || !self.host.chars().all(is_host) {
            return format!("{}{path}", self.base);
        }
        format!("{}://{}{}{path}", self.scheme, self.host, self.base)
    }
}

/// The pairs of a query (WHATWG URL, `application/x-www-form-urlencoded` parsing).
pub(super) fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A name for a request that has none yet.
pub(super) fn new_id() -> String {
    format!("{:032x}", fastrand::u128(..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_one_by_one_and_the_query_in_order() {
        let request = Request::get("/archiver/hgmo/a%2Fb/c%20d+e?subdir=x%2Fy&suffix=zip&subdir=z+w&flag");
        assert_eq!(request.segments(), ["archiver", "hgmo", "a/b", "c d+e"]);
        let expected = [("subdir", "x/y"), ("suffix", "zip"), ("subdir", "z w"), ("flag", "")];
        assert_eq!(request.query, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(Request::get("/").segments(), [""]);
        assert_eq!(Request::get("/a//%FF").segments(), ["a", "", "\u{FFFD}"]);
    }

    #[test]
    fn addresses_name_the_host_that_was_asked_unless_it_is_none() {
        let mut request = Request::get("/x");
        request.base = "/prod".to_owned();
        for (host, expected) in [
            ("archives.example:8080", "http://archives.example:8080/prod/status/a"),
            ("[::1]:80", "http://[::1]:80/prod/status/a"),
            ("", "/prod/status/a"),
            ("evil/path?", "/prod/status/a"),
            ("me@evil", "/prod/status/a"),
        ] {
            host.clone_into(&mut request.host);
            assert_eq!(request.absolute("/status/a"), expected);
        }
    }
}
