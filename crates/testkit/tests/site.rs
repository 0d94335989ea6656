//! The archive site answers as the archive does, and goes wrong as ordered.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use buildhub_testkit::sample::{Body, Kind, Listing, Object, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content, Failure};
use reqwest::{Client, StatusCode};

fn client() -> Client {
    // The client asks for a TLS provider though nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().unwrap()
}

async fn sample_site() -> (Sample, ArchiveSite) {
    let spec = SampleSpec::of(2_000);
    (Sample::new(spec), ArchiveSite::start(Content::sample(Sample::new(spec))).await.unwrap())
}

fn url(site: &ArchiveSite, key: &str) -> String {
    format!("{}{}", site.url(), key.replace(' ', "%20"))
}

fn metadata(sample: &Sample) -> Object {
    sample.objects().find(|object| object.kind == Kind::Metadata).unwrap()
}

#[tokio::test]
async fn every_metadata_file_is_served_and_nothing_else() {
    let (sample, site) = sample_site().await;
    let client = client();
    for object in sample.objects().step_by(7) {
        let response = client.get(url(&site, &object.key)).send().await.unwrap();
        let body = sample.metadata(&object.key);
        assert_eq!(body.is_some(), object.kind == Kind::Metadata, "{}", object.key);
        match body {
            Some(body) => {
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(response.headers()["content-type"], body.content_type.as_ref());
                assert_eq!(response.bytes().await.unwrap(), body.bytes);
            }
            None => assert_eq!(response.status(), StatusCode::NOT_FOUND, "{}", object.key),
        }
    }
}

#[tokio::test]
async fn every_object_can_be_asked_for_its_size_and_date() {
    let (sample, site) = sample_site().await;
    let build = sample.objects().find(|object| object.key.ends_with("Firefox Setup 45.0.exe")).unwrap();
    let response = client().head(url(&site, &build.key)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], build.size.to_string());
    let date = build.last_modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    assert_eq!(response.headers()["last-modified"], date);
    let missing = client().head(format!("{}pub/nowhere.zip", site.url())).send().await.unwrap();
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn walking_the_listings_finds_every_object_once() {
    let (sample, site) = sample_site().await;
    let client = client();
    let (mut found, mut folders) = (Vec::new(), vec!["pub/".to_owned()]);
    while let Some(folder) = folders.pop() {
        let text = client.get(url(&site, &folder)).send().await.unwrap().text().await.unwrap();
        let listing: serde_json::Value = serde_json::from_str(&text).unwrap();
        for prefix in listing["prefixes"].as_array().unwrap() {
            folders.push(format!("{folder}{}", prefix.as_str().unwrap()));
        }
        for file in listing["files"].as_array().unwrap() {
            let key = format!("{folder}{}", file["name"].as_str().unwrap());
            found.push((key, file["size"].as_u64().unwrap(), file["last_modified"].as_str().unwrap().to_owned()));
        }
    }
    found.sort();
    let mut expected: Vec<_> =
        sample.objects().map(|object| (object.key, object.size, object.last_modified.to_string())).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_a_404() {
    let (_, site) = sample_site().await;
    for path in ["pub/firefox/candidates/1.0-candidates/", "pub/firefox/cand/", "nowhere/"] {
        assert_eq!(client().get(url(&site, path)).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_path() {
    let (sample, site) = sample_site().await;
    let (client, key) = (client(), metadata(&sample).key);
    for _ in 0..3 {
        client.get(url(&site, &key)).send().await.unwrap();
    }
    client.get(url(&site, "pub/a b.json")).send().await.unwrap();
    assert_eq!(site.requests(), 4);
    assert_eq!(site.requests_for(&format!("/{key}")), 3);
    assert_eq!(site.requests_for("/pub/a b.json"), 1);
    site.reset_counts();
    site.count_paths(false);
    client.get(url(&site, &key)).send().await.unwrap();
    assert_eq!(site.requests(), 1);
    assert!(site.requests_by_path().is_empty());
}

#[tokio::test]
async fn it_fails_as_ordered() {
    let (sample, site) = sample_site().await;
    let (client, key) = (client(), metadata(&sample).key);
    let status = async || client.get(url(&site, &key)).send().await.unwrap().status();

    site.fail_next(2, Failure::status(503));
    assert_eq!((status().await, status().await, status().await).0, 503);
    site.fail_next(2, Failure::status(503));
    assert_eq!([status().await, status().await, status().await].map(|status| status.as_u16()), [503, 503, 200]);

    let path = format!("/{key}");
    site.fail(&path, Failure::Status { status: StatusCode::TOO_MANY_REQUESTS, retry_after: Some(7) });
    let response = client.get(url(&site, &key)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["retry-after"]), (429, &"7".parse().unwrap()));

    site.fail(&path, Failure::Html);
    let response = client.get(url(&site, &key)).send().await.unwrap();
    assert_eq!((response.status().as_u16(), &response.headers()["content-type"]), (200, &"text/html".parse().unwrap()));

    site.fail(&path, Failure::Cut);
    let response = client.get(url(&site, &key)).send().await;
    assert!(response.is_err() || response.unwrap().bytes().await.is_err());

    site.fail(&path, Failure::Slow(Duration::from_hours(1)));
    let waiting = tokio::time::timeout(Duration::from_millis(50), client.get(url(&site, &key)).send());
    assert!(waiting.await.is_err());

    site.heal();
    assert_eq!(status().await, 200);
}

#[tokio::test]
async fn a_site_that_is_dropped_is_gone_with_its_connections() {
    let (sample, site) = sample_site().await;
    let (client, address) = (client(), url(&site, &metadata(&sample).key));
    assert!(client.get(&address).send().await.is_ok());
    drop(site);
    // Dropping asks the task to stop; it does so when it is next run.
    while client.get(&address).send().await.is_ok() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let site = ArchiveSite::start(Content::computed(|path| {
        Some(Body { content_type: "text/plain".into(), bytes: path.to_owned().into() })
    }))
    .await
    .unwrap();
    let address = site.url().trim_start_matches("http://").trim_end_matches('/').to_owned();
    let answers = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        let mut requests = Vec::new();
        for number in 0..10 {
            let connection = if number == 9 { "Connection: close\r\n" } else { "" };
            write!(requests, "GET /page-{number}; HTTP/1.1\r\nHost: x\r\n{connection}\r\n").unwrap();
        }
        stream.write_all(&requests).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    })
    .await
    .unwrap();
    let order: Vec<usize> = (0..10).map(|number| answers.find(&format!("/page-{number};")).unwrap()).collect();
    assert!(order.is_sorted(), "{answers}");
}

#[tokio::test]
async fn a_tree_is_read_from_a_file() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tree.json");
    let site = ArchiveSite::start(Content::from_file(&file).unwrap()).await.unwrap();
    let text = client().get(url(&site, "pub/")).send().await.unwrap().text().await.unwrap();
    assert_eq!(text, r#"{"prefixes": ["firefox/"], "files": []}"#);
    assert_eq!(client().get(url(&site, "pub/firefox/")).send().await.unwrap().status(), StatusCode::NOT_FOUND);
}

#[test]
fn a_listing_is_in_the_archives_form() {
    let sample = Sample::new(SampleSpec::of(2_000));
    let Listing { prefixes, files } = sample.listing("pub/firefox/candidates/45.0-candidates/build2/").unwrap();
    assert_eq!(
        prefixes,
        [
            "beetmover-checksums/",
            "jsshell/",
            "linux-i686/",
            "linux-x86_64/",
            "mac/",
            "source/",
            "update/",
            "win32/",
            "win64/"
        ]
    );
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>()[..2], ["KEY", "SHA256SUMS"]);
    let builds = sample.listing("pub/firefox/candidates/45.0-candidates/").unwrap();
    assert_eq!(builds.prefixes, ["build1/", "build2/"]);
    assert_eq!(
        sample.listing("pub/").unwrap().prefixes,
        ["devedition/", "firefox/", "mobile/", "security/", "thunderbird/"]
    );
}
