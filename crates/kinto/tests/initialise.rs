//! A manifest against a real Kinto: it changes what differs, and nothing else.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod common;

use buildhub_kinto::{Change, KintoError, Manifest};
use buildhub_testkit::kinto::Backend;
use common::{MANIFEST, client_as, server};

fn manifest(text: &str) -> Manifest {
    Manifest::parse(text).unwrap()
}

#[tokio::test]
async fn initialising_twice_changes_nothing_the_second_time() {
    let server = server(Backend::Memory).await;
    let client = client_as(&server, "user:pass");
    let wanted = manifest(MANIFEST);
    let shown = |changes: Vec<Change>| changes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let first = shown(client.initialise(&wanted).await.unwrap());
    assert_eq!(first, [r#"created bucket "build-hub""#, r#"created collection "releases""#]);
    assert_eq!(client.initialise(&wanted).await.unwrap(), []);
    let other = manifest(MANIFEST).renamed("mine", "builds").unwrap();
    assert_eq!(
        shown(client.initialise(&other).await.unwrap()),
        [r#"created bucket "mine""#, r#"created collection "builds""#]
    );
}

#[tokio::test]
async fn only_what_differs_is_changed_and_the_rest_stays() {
    let mut server = server(Backend::Postgresql).await;
    let client = client_as(&server, "user:pass");
    let before = r#"{"buckets": {"b": {"data": {"note": "ours"}, "permissions": {"read": ["basicauth:x"]},
        "collections": {"c": {"data": {"sort": "id", "displayFields": ["id"]}}}}}}"#;
    client.initialise(&manifest(before)).await.unwrap();
    let wanted = r#"{"buckets": {"b": {"permissions": {"read": ["system.Everyone"]},
        "collections": {"c": {"data": {"displayFields": ["id", "target.version"]}}}}}}"#;
    let changes = client.initialise(&manifest(wanted)).await.unwrap();
    let shown: Vec<_> = changes.iter().map(ToString::to_string).collect();
    assert_eq!(shown, [r#"updated bucket "b": permissions.read"#, r#"updated collection "c": displayFields"#]);

    // What the first manifest said and the second does not is still so: neither asks for a change.
    server.restart(&[("readonly", "true"), ("retry_after_seconds", "0")]).await.unwrap();
    assert_eq!(client.initialise(&manifest(wanted)).await.unwrap(), []);
    let kept = r#"{"buckets": {"b": {"data": {"note": "ours"}, "permissions": {"read": ["basicauth:x"]},
        "collections": {"c": {"data": {"sort": "id"}}}}}}"#;
    assert_eq!(client.initialise(&manifest(kept)).await.unwrap(), []);
    let error = client.initialise(&manifest(MANIFEST)).await.unwrap_err();
    assert!(matches!(error, KintoError::ReadOnly { .. }), "{error}");
}

#[tokio::test]
async fn a_user_without_the_right_is_told_so() {
    let server = server(Backend::Memory).await;
    client_as(&server, "user:pass").initialise(&manifest(MANIFEST)).await.unwrap();
    let error = client_as(&server, "other:pass").initialise(&manifest(MANIFEST)).await.unwrap_err();
    assert!(matches!(error, KintoError::Forbidden { .. }), "{error}");
    let error = client_as(&server, "").initialise(&manifest(MANIFEST)).await.unwrap_err();
    assert!(matches!(error, KintoError::Unauthorized { .. }), "{error}");
}
