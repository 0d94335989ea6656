//! Objects written in parts and on condition, with headers, and addresses signed for a while: against both servers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::Duration;

use buildhub_core::store::{Created, ObjectHeaders, ObjectStore as _, PART_MIN, S3, S3Settings, S3Store};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::s3::S3Server;
use bytes::Bytes;

/// An S3 server and a bucket of it, below a prefix.
struct Subject<S> {
    store: S3Store,
    _server: S,
}

async fn open(variables: Vec<(String, String)>) -> S3Store {
    S3::connect(&S3Settings::from_variables(&variables.into_iter().collect()).unwrap()).await.bucket("bucket", "deep/")
}

async fn s3s() -> Subject<S3Server> {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    Subject { store: open(server.variables()).await, _server: server }
}

async fn moto() -> Subject<Moto> {
    let server = Moto::start().await.unwrap();
    server.create_bucket("bucket").await.unwrap();
    Subject { store: open(server.variables()).await, _server: server }
}

fn headers() -> ObjectHeaders {
    ObjectHeaders {
        content_type: Some("application/x-gzip".into()),
        content_disposition: Some("attachment; filename=ash-42bf8560b395.tar.gz".into()),
        metadata: [("sha256".to_owned(), "00ff".to_owned())].into(),
    }
}

fn bytes(length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect()
}

async fn read(store: &S3Store, key: &str) -> Bytes {
    store.get(key).await.unwrap().bytes(key, 64 << 20).await.unwrap()
}

/// Parts that arrive in another order than theirs are put together in theirs; what was there before stays.
async fn an_object_in_parts_is_there_when_it_is_complete_and_replaces_none(store: &S3Store) {
    let key = "projects/a b+c-42bf8560b395.tar.gz";
    let whole = bytes(PART_MIN + 1000);
    let upload = store.begin(key, &headers()).await.unwrap();
    let last = store.part(&upload, 2, whole.slice(PART_MIN..)).await.unwrap();
    let first = store.part(&upload, 1, whole.slice(..PART_MIN)).await.unwrap();
    assert!(store.head(key).await.unwrap_err().is_not_found());
    assert_eq!(store.complete(&upload, vec![last, first]).await.unwrap(), Created::Done);
    assert!(read(store, key).await == whole);
    let details = store.details(key).await.unwrap();
    assert_eq!(details.headers, headers());
    assert_eq!(details.attributes.size, u64::try_from(whole.len()).unwrap());

    let second = store.begin(key, &headers()).await.unwrap();
    let part = store.part(&second, 1, Bytes::from_static(b"another")).await.unwrap();
    assert_eq!(store.complete(&second, vec![part]).await.unwrap(), Created::Exists);
    store.abort(&second).await.unwrap();
    assert!(read(store, key).await == whole);
}

async fn parts_are_copied_from_another_object_without_its_bytes_coming_by(store: &S3Store) {
    let whole = bytes(PART_MIN + 77);
    let (staged, key) = (".incoming/a b/1-x", "copied");
    store.put(staged, whole.clone()).await.unwrap();
    let upload = store.begin(key, &headers()).await.unwrap();
    let (middle, end) = (u64::try_from(PART_MIN).unwrap(), u64::try_from(whole.len()).unwrap());
    let parts = vec![
        store.copy_part(&upload, 1, staged, 0..middle).await.unwrap(),
        store.copy_part(&upload, 2, staged, middle..end).await.unwrap(),
    ];
    assert_eq!(store.complete(&upload, parts).await.unwrap(), Created::Done);
    assert!(read(store, key).await == whole);
    assert_eq!(store.details(key).await.unwrap().headers, headers());
}

async fn an_object_with_headers_is_written_where_there_is_none(store: &S3Store) {
    assert_eq!(store.create_with("once", Bytes::from_static(b"one"), &headers()).await.unwrap(), Created::Done);
    assert_eq!(store.create_with("once", Bytes::from_static(b"two"), &headers()).await.unwrap(), Created::Exists);
    assert_eq!(read(store, "once").await, "one");
    assert_eq!(store.details("once").await.unwrap().headers, headers());
    assert!(store.details("never").await.unwrap_err().is_not_found());
}

async fn whoever_has_a_signed_address_reads_with_the_headers_it_was_written_with(store: &S3Store) {
    let key = "projects/ash-1.tar.gz/a b";
    store.create_with(key, Bytes::from_static(b"whole"), &headers()).await.unwrap();
    let url = store.presign_get(key, Duration::from_mins(5)).await.unwrap();
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    let http = buildhub_http::Http::new(&buildhub_http::HttpSettings::default()).unwrap();
    let request = buildhub_http::Request::get(url.parse().unwrap());
    let answer = http.fetch(&request, buildhub_http::Repeat::Never, 100).await.unwrap().ok().unwrap();
    assert_eq!(answer.body, "whole");
    assert_eq!(answer.header("content-type"), Some("application/x-gzip"));
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=ash-42bf8560b395.tar.gz"));
    assert_eq!(answer.header("x-amz-meta-sha256"), Some("00ff"));
}

macro_rules! both_servers {
    ($($rule:ident)*) => {$(
        mod $rule {
            #[tokio::test]
            async fn in_s3s() {
                super::$rule(&super::s3s().await.store).await;
            }
            #[tokio::test]
            async fn in_moto() {
                super::$rule(&super::moto().await.store).await;
            }
        }
    )*};
}

both_servers! {
    an_object_in_parts_is_there_when_it_is_complete_and_replaces_none
    parts_are_copied_from_another_object_without_its_bytes_coming_by
    an_object_with_headers_is_written_where_there_is_none
    whoever_has_a_signed_address_reads_with_the_headers_it_was_written_with
}

#[tokio::test]
async fn unfinished_uploads_are_listed_by_prefix_until_they_are_aborted() {
    let moto = moto().await;
    let store = &moto.store;
    let kept = store.begin(".incoming/task/1-a", &headers()).await.unwrap();
    let other = store.begin("elsewhere", &headers()).await.unwrap();
    let found = store.uploads(".incoming/", 10).await.unwrap();
    assert_eq!(found.iter().map(|found| &found.upload).collect::<Vec<_>>(), [&kept]);
    assert!(found[0].begun.as_second() > 0);
    assert_eq!(store.uploads("", 1).await.unwrap().len(), 1);
    store.abort(&kept).await.unwrap();
    store.abort(&other).await.unwrap();
    store.abort(&other).await.unwrap();
    assert_eq!(store.uploads("", 10).await.unwrap(), []);
    assert!(store.head("elsewhere").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn an_upload_of_too_many_parts_says_what_to_do() {
    let subject = s3s().await;
    let upload = subject.store.begin("a", &headers()).await.unwrap();
    let error = subject.store.part(&upload, 10_001, Bytes::new()).await.unwrap_err();
    assert!(error.to_string().ends_with("an upload has parts 1 to 10000; make them larger"), "{error}");
}
