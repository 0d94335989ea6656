//! What the tests against a real Kinto share.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::time::Duration;

use buildhub_kinto::{Client, ClientSettings, Collection, Loader, LoaderSettings, Manifest, Write};
use buildhub_testkit::kinto::{Backend, KintoServer};
use serde_json::{Value, json};

/// The collection the distribution makes.
pub const MANIFEST: &str = include_str!("../../../../kinto/initialization.json");

/// A server that asks nobody to wait, so that tests about order and not about time are quick.
pub async fn server(backend: Backend) -> KintoServer {
    server_with(backend, &[]).await
}

pub async fn server_with(backend: Backend, settings: &[(&str, &str)]) -> KintoServer {
    let settings: Vec<_> = [("retry_after_seconds", "0")].iter().chain(settings).copied().collect();
    KintoServer::with_settings(backend, &settings).await.unwrap()
}

pub fn settings(url: &str, auth: &str) -> ClientSettings {
    let mut settings = ClientSettings::new(url.parse().unwrap(), auth.parse().unwrap());
    settings.http.backoff_base = Duration::from_millis(5);
    settings.http.timeout = Duration::from_mins(1);
    settings
}

pub fn client_as(server: &KintoServer, auth: &str) -> Client {
    Client::new(&settings(&server.url(), auth)).unwrap()
}

/// The collection of the distribution, made by the user the tests are.
pub async fn releases(server: &KintoServer) -> Collection {
    let client = client_as(server, "user:pass");
    client.initialise(&Manifest::parse(MANIFEST).unwrap()).await.unwrap();
    client.collection("build-hub", "releases").unwrap()
}

pub async fn loader(collection: &Collection) -> Loader {
    let info = collection.client().info().await.unwrap();
    Loader::new(collection.clone(), LoaderSettings::for_server(&info, None))
}

/// A record the schema takes.
pub fn record(version: &str) -> Value {
    json!({
        "source": {"product": "firefox"},
        "target": {"platform": "win32", "os": "win", "locale": "en-US", "version": version, "channel": "release"},
        "build": {"id": "20161027110534"},
        "download": {"url": "https://archive.mozilla.org/a.exe", "mimetype": "application/msdos-windows", "size": 1,
                     "date": "2016-10-28T00:56:42Z"}
    })
}

pub fn write(number: usize) -> Write {
    Write::of(id(number), &record(&format!("{number}.0"))).unwrap()
}

pub fn id(number: usize) -> String {
    format!("firefox_{number}-0_win32_en-us")
}

/// All ids of the collection, in order.
pub async fn stored_ids(collection: &Collection) -> Vec<String> {
    let query = buildhub_kinto::Query::new().fields(["id"]);
    let mut ids: Vec<_> = collection.list::<Value>(query).await.unwrap().into_iter().map(|it| it.id).collect();
    ids.sort();
    ids
}
