//! What a bucket's faults look like from outside: their kind, their name, and what they tell a person to do.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::net::SocketAddr;

use buildhub_core::Variables;
use buildhub_core::store::{ObjectStore as _, S3, S3Settings, S3Store, StoreErrorKind};
use buildhub_testkit::s3::S3Server;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

fn variables(server: &S3Server) -> Variables {
    server.variables().into_iter().collect()
}

async fn bucket(variables: Variables, name: &str) -> S3Store {
    S3::connect(&S3Settings::from_variables(&variables).unwrap()).await.bucket(name, "")
}

#[tokio::test]
async fn a_public_bucket_is_read_and_listed_without_credentials_but_not_written() {
    let server = S3Server::start().await.unwrap();
    std::fs::write(server.create_bucket("public").unwrap().join("a.txt"), "hello").unwrap();
    let unsigned = Variables::default().with("AWS_ENDPOINT_URL", server.endpoint()).with("AWS_NO_SIGN_REQUEST", "true");
    let store = bucket(unsigned, "public").await;
    assert_eq!(store.get("a.txt").await.unwrap().bytes("a.txt", 10).await.unwrap(), "hello");
    assert_eq!(store.list("").await.unwrap().objects.len(), 1);
    let error = store.put("b.txt", Bytes::from_static(b"x")).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(error.to_string().starts_with("cannot write s3://public/b.txt: the server answered 403"), "{error}");
}

#[tokio::test]
async fn a_private_bucket_without_credentials_says_what_to_check() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("private-caches").unwrap();
    let unsigned = Variables::default().with("AWS_ENDPOINT_URL", server.endpoint()).with("AWS_NO_SIGN_REQUEST", "true");
    let error = bucket(unsigned, "private-caches").await.get("a.txt").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(error.to_string().contains("check the credentials and the policy"), "{error}");
}

#[tokio::test]
async fn a_wrong_secret_is_denied() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    let wrong = variables(&server).with("AWS_SECRET_ACCESS_KEY", "another");
    let error = bucket(wrong, "bucket").await.list("").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(!error.to_string().contains("another"), "{error}");
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    let server = S3Server::start().await.unwrap();
    let error = bucket(variables(&server), "nowhere").await.list("inventories/").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoBucket);
    let expected = "cannot list s3://nowhere/inventories/: there is no such bucket; make it, or correct the setting that \
                    names it";
    assert_eq!(error.to_string(), expected);
    // To the HEAD of an object it is a missing object.
    let nowhere = bucket(variables(&server), "nowhere").await;
    assert!(nowhere.head("key").await.unwrap_err().is_not_found());
    let error = nowhere.check_bucket().await.unwrap_err();
    assert_eq!((error.kind, error.object.as_str()), (StoreErrorKind::NoBucket, "s3://nowhere/"));
    server.create_bucket("nowhere").unwrap();
    nowhere.check_bucket().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_not_there_is_a_fault_that_may_pass() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let variables =
        Variables::default().with("AWS_ENDPOINT_URL", format!("http://{closed}")).with("AWS_NO_SIGN_REQUEST", "1");
    let error = bucket(variables, "bucket").await.head("a").await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient);
    assert!(error.to_string().starts_with("cannot read s3://bucket/a: "), "{error}");
}

#[tokio::test]
async fn an_object_whose_connection_breaks_is_read_to_its_end() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    let bytes: Vec<u8> = (0u32..500_000).flat_map(u32::to_le_bytes).collect();
    bucket(variables(&server), "bucket").await.put("part.csv.gz", bytes.clone().into()).await.unwrap();

    let proxy = breaking_proxy(server.endpoint(), 3, 400_000).await;
    let broken = variables(&server).with("AWS_ENDPOINT_URL", format!("http://{proxy}"));
    let store = bucket(broken, "bucket").await;
    let read = store.get("part.csv.gz").await.unwrap().bytes("part.csv.gz", bytes.len()).await.unwrap();
    assert!(read == bytes, "every byte once, in order");
}

#[tokio::test]
async fn an_object_whose_connection_breaks_every_time_is_given_up() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    bucket(variables(&server), "bucket").await.put("part", vec![7; 9_000_000].into()).await.unwrap();

    let proxy = breaking_proxy(server.endpoint(), usize::MAX, 400_000).await;
    let broken = variables(&server).with("AWS_ENDPOINT_URL", format!("http://{proxy}"));
    let error =
        bucket(broken, "bucket").await.get("part").await.unwrap().bytes("part", 9_000_000).await.map(drop).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient);
    assert!(error.to_string().starts_with("cannot read s3://bucket/part: it broke off after "), "{error}");
}

#[tokio::test]
async fn an_object_that_changed_while_its_connection_broke_is_not_mixed_with_the_new_one() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    let plain = bucket(variables(&server), "bucket").await;
    plain.put("part", vec![1; 2_000_000].into()).await.unwrap();

    let proxy = breaking_proxy(server.endpoint(), 1, 400_000).await;
    let broken = variables(&server).with("AWS_ENDPOINT_URL", format!("http://{proxy}"));
    let open = bucket(broken, "bucket").await.get("part").await.unwrap();
    plain.put("part", vec![2; 2_000_000].into()).await.unwrap();
    let error = open.bytes("part", 2_000_000).await.map(|_| "both objects mixed").unwrap_err();
    assert!(error.to_string().starts_with("cannot read s3://bucket/part: it changed while it was read"), "{error}");
}

#[tokio::test]
async fn a_server_that_passes_over_ranges_does_not_have_its_beginning_taken_for_the_rest() {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("public").unwrap();
    bucket(variables(&server), "public").await.put("part", vec![7; 2_000_000].into()).await.unwrap();

    let whole = proxy_without_ranges(server.endpoint()).await;
    let proxy = breaking_proxy(format!("http://{whole}"), 1, 400_000).await;
    let unsigned =
        Variables::default().with("AWS_ENDPOINT_URL", format!("http://{proxy}")).with("AWS_NO_SIGN_REQUEST", "true");
    let open = bucket(unsigned, "public").await.get("part").await.unwrap();
    let error = open.bytes("part", 4_000_000).await.map(|read| read.len()).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient);
    assert!(
        error.to_string().starts_with("cannot read s3://public/part: the server did not go on at byte "),
        "{error}"
    );
}

/// Passes connections on to a server that never learns that a part of an object is wanted.
async fn proxy_without_ranges(endpoint: String) -> SocketAddr {
    let server = endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut client, _) = listener.accept().await.unwrap();
            let mut server = TcpStream::connect(&server).await.unwrap();
            tokio::spawn(async move {
                let mut head = vec![0; 16_384];
                let read = client.read(&mut head).await?;
                head.truncate(read);
                let head = String::from_utf8_lossy(&head).replace("\r\nrange:", "\r\nx-was:");
                server.write_all(head.as_bytes()).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    address
}

/// Passes connections on to a server, and breaks each of the first `breaks` after `limit` bytes of answer.
async fn breaking_proxy(endpoint: String, breaks: usize, limit: u64) -> SocketAddr {
    let server = endpoint.strip_prefix("http://").unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (client, _) = listener.accept().await.unwrap();
            let server = TcpStream::connect(&server).await.unwrap();
            let limit = if number < breaks { limit } else { u64::MAX };
            tokio::spawn(pass_on(client, server, limit));
        }
    });
    address
}

async fn pass_on(mut client: TcpStream, mut server: TcpStream, limit: u64) {
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut answer = from_server.take(limit);
    tokio::select! {
        _ = tokio::io::copy(&mut answer, &mut to_client) => {}
        Err(_) = tokio::io::copy(&mut from_client, &mut to_server) => {}
    }
}
