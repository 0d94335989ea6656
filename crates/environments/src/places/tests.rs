use std::time::Duration;

use buildhub_testkit::source::{Archive, Misdeed, SourceServer};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::*;

fn places() -> Places {
    let http = HttpSettings { backoff_base: Duration::from_millis(1), retries: 1, ..HttpSettings::default() };
    Places::new(S3Settings::from_variables(&Variables::default()).unwrap(), &http).unwrap()
}

async fn source() -> (SourceServer, Address, Bytes) {
    let bytes: Bytes = (0u32..100_000).flat_map(u32::to_le_bytes).collect();
    let source = SourceServer::start(Archive::of(bytes.clone(), "application/x-tar")).await.unwrap();
    let address = Address::Web(source.url().parse().unwrap());
    (source, address, bytes)
}

async fn fetch(address: &Address, limit: u64) -> Result<Vec<u8>, FetchError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let fetched = places().fetch(address, &file, limit, &|_, _| {}).await?;
    let found = std::fs::read(file).unwrap();
    assert_eq!(fetched.size, found.len() as u64);
    assert_eq!(fetched.sha256, crate::digest::hex(&Sha256::digest(&found)));
    Ok(found)
}

#[tokio::test]
async fn a_download_that_breaks_off_is_begun_anew_and_none_of_it_is_doubled() {
    let (source, address, bytes) = source().await;
    source.next([Misdeed::Cut(100_000), Misdeed::Cut(300_000)]);
    assert!(fetch(&address, 1 << 20).await.unwrap() == bytes);
    assert_eq!(source.requests(), 3);
    source.next([Misdeed::Cut(100_000), Misdeed::Cut(1), Misdeed::Cut(2), Misdeed::Cut(3)]);
    assert!(fetch(&address, 1 << 20).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_download_has_no_more_bytes_than_it_may_whatever_is_announced() {
    let (source, address, bytes) = source().await;
    let error = fetch(&address, 1000).await.unwrap_err().to_string();
    assert!(error.ends_with("is larger than the 1000 bytes it may have"), "{error}");
    source.next([Misdeed::Endless]);
    assert!(matches!(fetch(&address, 1 << 20).await.unwrap_err(), FetchError::TooLarge { .. }));
    assert!(matches!(places().read(&address, 1000).await.unwrap_err(), FetchError::TooLarge { .. }));
    assert_eq!(places().size(&address).await.unwrap(), None, "it comes without a length");
    let announced = Archive { has_length: true, ..Archive::of(bytes.clone(), "application/x-tar") };
    let source = SourceServer::start(announced).await.unwrap();
    let address = Address::Web(source.url().parse().unwrap());
    assert_eq!(places().size(&address).await.unwrap(), Some(bytes.len() as u64));
    assert!(matches!(fetch(&address, 1000).await.unwrap_err(), FetchError::TooLarge { .. }));
}

#[tokio::test]
async fn what_is_not_there_is_told_apart_from_what_fails() {
    let (source, address, _) = source().await;
    source.next([Misdeed::Status(404, None)]);
    assert!(fetch(&address, 1000).await.unwrap_err().is_not_found());
    let nowhere = Address::File("/nowhere/at/all".into());
    assert!(fetch(&nowhere, 1000).await.unwrap_err().is_not_found());
}

/// Clouds keep a machine's credentials there.
#[tokio::test]
async fn no_machine_of_this_link_is_connected_to() {
    for host in ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"] {
        let address = Address::Web(format!("http://{host}/latest/").parse().unwrap());
        let error = fetch(&address, 1000).await.unwrap_err().to_string();
        assert!(error.contains("may not be connected to"), "{host}: {error}");
    }
}
