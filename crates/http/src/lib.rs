//! The one HTTP layer of Buildhub: every request has a time limit, a retry rule and an error that names it.
//!
//! The operation says what may be repeated ([`Repeat`]); this layer says when: exponential backoff with full jitter,
//! `Retry-After` (seconds and HTTP-date, [RFC 9110 §10.2.3]) obeyed up to a bound. Bodies are read with a limit, so no
//! answer can fill the memory. TLS is rustls on ring, with the system's certificates.
//!
//! ```no_run
//! use buildhub_http::{Http, HttpSettings, Repeat, Request};
//!
//! # async fn example() -> Result<(), buildhub_http::HttpError> {
//! let http = Http::new(&HttpSettings::default())?;
//! let request = Request::get("https://archive.mozilla.org/pub/firefox/releases/".parse().unwrap());
//! let answer = http.fetch(&request, Repeat::Safe, 1 << 20).await?.ok()?;
//! println!("{} bytes", answer.body.len());
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | [`Http`]: sends requests, waits, repeats |
//! | [`request`] | [`Request`], [`Repeat`] |
//! | [`answer`] | [`Answer`] (read whole) and [`Streamed`] (read as it comes) |
//! | [`schedule`] | [`Backoff`]: how long to wait before the next attempt |
//! | [`Trust`] | whose certificates are believed |
//! | [`guard`] | [`Guard`]: which machines may be connected to |
//! | [`error`] | [`HttpError`] |
//!
//! [RFC 9110 §10.2.3]: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3

pub mod answer;
pub mod client;
pub mod error;
pub mod guard;
pub mod request;
pub mod schedule;
mod settings;
mod trust;

pub use answer::{Answer, Streamed};
pub use client::Http;
pub use error::{Cause, HttpError};
pub use guard::{Forbidden, Guard};
pub use request::{Repeat, Request};
pub use reqwest::{Method, StatusCode, header};
pub use schedule::Backoff;
pub use settings::HttpSettings;
pub use trust::Trust;
pub use url::Url;
