//! HTTP APIs: requests and answers as values, wherever they come from and go to.
//!
//! A request comes from Lambda ([`payload`], for HTTP APIs and function URLs) or from a socket ([`server`]); an API sees
//! a [`Request`] and gives a [`Response`], so that a test, a function and a command call the same thing. What all APIs do
//! alike is [`Door`]'s: methods, cross-origin rules, `HEAD`, `OPTIONS`.
//!
//! An answer is an envelope: `{"result": …, "request_id": …}`, or `{"error": {"code", "name", "description"},
//! "request_id": …}`. A browser gets the same as a small page.
//!
//! | module | holds |
//! |---|---|
//! | [`request`] | [`Request`]: method, path, query, headers, body, and where it was sent to |
//! | [`response`] | [`Response`], and the envelopes |
//! | [`door`] | [`Door`], [`Cors`], [`Handler`] |
//! | [`multipart`] | bodies of forms |
//! | [`page`] | [`Page`]: HTML with everything escaped |
//! | [`payload`] | Lambda's payload format 2.0 |
//! | [`server`] | sockets (feature `server`) |
//!
//! ```
//! use buildhub_core::web::{Request, Response};
//! use http::StatusCode;
//!
//! let request = Request::get("/archiver/status/a%20b?verbose=1");
//! assert_eq!(request.segments(), ["archiver", "status", "a b"]);
//! let answer = Response::result(&request, StatusCode::OK, "Tasks", &serde_json::json!({ "state": "PENDING" }));
//! assert!(answer.text().starts_with(r#"{"result":{"state":"PENDING"},"#));
//! ```

mod accept;
pub mod door;
pub mod multipart;
pub mod page;
pub mod payload;
pub mod request;
pub mod response;
#[cfg(feature = "server")]
pub mod server;

pub use door::{Cors, Door, Handler};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use page::Page;
pub use payload::{Answer, PayloadError};
pub use request::Request;
pub use response::Response;
#[cfg(feature = "server")]
pub use server::{Limits, Server};
