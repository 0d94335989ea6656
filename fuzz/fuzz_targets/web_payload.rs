//! What a function behind an HTTP API is called with, and what comes of it.
#![no_main]

use buildhub_core::web::{Answer, Door, Method, Request, Response, StatusCode};
use futures::FutureExt as _;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(payload) = serde_json::from_slice(bytes) else { return };
    let request = match Request::from_payload(&payload) {
        Ok(request) => request,
        Err(error) => return assert!(error.to_string().contains("2.0")),
    };
    assert!(!request.segments().is_empty());
    let address = request.absolute("/status/a");
    assert!(address.ends_with("/status/a"));
    let said = async { Response::result(&request, StatusCode::OK, &request.path, &request.query) };
    let answer = Door::default().answer(&request, &[Method::GET], said).now_or_never();
    serde_json::to_vec(&Answer::from(answer.unwrap())).unwrap();
});
