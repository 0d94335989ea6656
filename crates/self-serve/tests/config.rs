//! Documents in a folder, as they come, change and go.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::time::Duration;

use buildhub_core::Variables;
use buildhub_core::store::{S3Settings, Stores};
use buildhub_http::{Http, HttpSettings};
use buildhub_self_serve::config::{ConfigError, Documents, Places};

fn documents(folder: &std::path::Path) -> Documents {
    let place = |name: &str| folder.join(name).to_str().unwrap().parse().unwrap();
    let places = Places { branches: place("branches.json"), builders: None, masters: Some(place("masters.json")) };
    let stores = Stores::new(S3Settings::from_variables(&Variables::default()).unwrap());
    Documents::new(places, stores, Http::new(&HttpSettings::default()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn documents_are_read_again_after_a_while_and_stay_as_they_were_when_they_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let documents = documents(folder.path());
    let names = async || documents.now().await.unwrap().branches.names().collect::<Vec<_>>().join(" ");

    assert!(matches!(documents.now().await, Err(ConfigError::Store(_))), "nothing is there, and nothing is made up");
    write("branches.json", "[]");
    write("masters.json", r#"[{"name":"m"}]"#);
    let error = documents.now().await.unwrap_err().to_string();
    assert!(error.contains("branches.json is no list of branches"), "{error}");

    write("branches.json", r#"{"a":{}}"#);
    assert_eq!(names().await, "a");
    write("branches.json", r#"{"a":{},"b":{}}"#);
    assert_eq!(names().await, "a", "they are not read for every question");
    tokio::time::advance(Duration::from_mins(6)).await;
    assert_eq!(names().await, "a b");

    write("branches.json", "{");
    tokio::time::advance(Duration::from_mins(6)).await;
    assert_eq!(names().await, "a b", "half a document takes nothing away");
    write("branches.json", r#"{"c":{}}"#);
    tokio::time::advance(Duration::from_secs(31)).await;
    assert_eq!(names().await, "c");
}
