//! The events that the original Buildhub (1.4.1) was given, with the records it wrote, given to this one.
//!
//! `original-events.ndjson.gz` has one scenario a line: the event as delivered, and what the original created.
//! `original-archive.json.gz` is the archive it looked into: listings, and bodies of metadata files. The object of an
//! event was just written, with the event's size and time. Where the records differ, `event-disagreements.tsv` says why:
//! one rule a line, of four columns:
//!
//! 1. `missing` (we write no such record), `further` (the original wrote none), or the path of a field that differs,
//! 2. which, as a pattern over `SCENARIO -> ID` in which `*` stands for anything,
//! 3. how often,
//! 4. the reason: a numbered defect of the original, or an improvement.
//!
//! Each disagreement belongs to the first rule that fits it. Each must have one, and every rule must cover exactly as many
//! as it says.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod common;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use buildhub_core::event::{Envelope, ObjectEvent};
use buildhub_indexer::archive::FileFacts;
use buildhub_indexer::events::search::MOST_REQUESTS;
use buildhub_releases::{Key, Products, classify};
use buildhub_testkit::kinto::{Backend, KintoServer};
use bytes::Bytes;
use common::{File, Memory, events, stored, variables};
use jiff::SignedDuration;
use serde_json::Value;

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn unpacked(name: &str) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&fixture(name)[..]).read_to_string(&mut text).unwrap();
    text
}

/// The original's archive: what its listings show, with the bodies of those files it could read.
fn archive() -> Arc<Memory> {
    let pages: BTreeMap<String, Value> = serde_json::from_str(&unpacked("original-archive.json.gz")).unwrap();
    let archive = Memory::new(true);
    for (folder, page) in pages.iter().filter(|(path, _)| path.ends_with('/')) {
        let listing: Value = serde_json::from_str(page["body"].as_str().unwrap()).unwrap();
        for file in listing["files"].as_array().unwrap() {
            let path = format!("{folder}{}", file["name"].as_str().unwrap());
            let body = pages.get(&path).map_or("", |page| page["body"].as_str().unwrap());
            let facts = FileFacts {
                size: file["size"].as_u64().unwrap(),
                date: file["last_modified"].as_str().unwrap().parse().unwrap(),
            };
            let key = path.trim_start_matches('/').to_owned();
            archive.files().insert(key, File { facts, body: Bytes::from(body.to_owned()), is_visible: true });
        }
    }
    archive
}

/// The object of an event, as the event says it was just written.
fn write(archive: &Memory, event: &Value, read: &ObjectEvent) {
    let Some(size) = event.pointer("/s3/object/size").and_then(Value::as_u64) else { return };
    let time = read.time.unwrap();
    let date = jiff::Timestamp::from_second(time.as_second()).unwrap();
    let mut files = archive.files();
    let body = files.get(read.key.as_str()).map(|file| file.body.clone()).unwrap_or_default();
    let is_metadata = matches!(classify(read.key.as_str(), Products::default()), Key::Metadata(_));
    // Metadata that could not be read then cannot be now.
    if !is_metadata || !body.is_empty() {
        files.insert(read.key.to_string(), File { facts: FileFacts { size, date }, body, is_visible: true });
    }
}

/// The notification inside SNS, or the event itself.
fn inner(event: &Value) -> Value {
    match event.pointer("/Records/0/Sns/Message").and_then(Value::as_str) {
        Some(message) => serde_json::from_str(message).unwrap(),
        None => event.clone(),
    }
}

/// Where two records differ: the paths of fields.
fn differences(ours: &Value, theirs: &Value, path: &str, found: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                differences(a.get(name).unwrap_or(&Value::Null), b.get(name).unwrap_or(&Value::Null), &path, found);
            }
        }
        (a, b) if a != b => found.push(path.to_owned()),
        _ => {}
    }
}

struct Rule {
    what: String,
    pattern: String,
    count: u64,
}

fn rules() -> Vec<Rule> {
    let text = String::from_utf8(fixture("event-disagreements.tsv")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let rules = lines.map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        assert_eq!(columns.len(), 4, "four columns: {line}");
        let known = columns[3].starts_with("defect ") || columns[3].starts_with("improvement: ");
        assert!(known, "a reason is a numbered defect or an improvement: {line}");
        Rule { what: columns[0].to_owned(), pattern: columns[1].to_owned(), count: columns[2].parse().unwrap() }
    });
    rules.collect()
}

/// Whether a text matches a pattern in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => {
            let Some(after) = text.strip_prefix(start) else { return false };
            (0..=after.len()).filter(|at| after.is_char_boundary(*at)).any(|at| matches(rest, &after[at..]))
        }
    }
}

#[tokio::test]
async fn every_disagreement_with_the_original_about_events_has_its_reason() {
    let kinto = KintoServer::start(Backend::Memory).await.unwrap();
    let mut disagreements = Vec::new();
    for (number, line) in unpacked("original-events.ndjson.gz").lines().enumerate() {
        let scenario: Value = serde_json::from_str(line).unwrap();
        let name = scenario["name"].as_str().unwrap();
        let vars = variables(&kinto, &format!("scenario{number}")).with("ARCHIVE_URL", "https://archive.mozilla.org/");
        let vars = vars.with("PRODUCTS", "firefox, thunderbird, mobile, devedition");
        let archive = archive();
        let handler = events(&vars, &archive);
        handler.target().initialise().await.unwrap();
        let Envelope::Objects(objects) = Envelope::read(&scenario["event"]).unwrap() else { panic!("{name}") };
        let said = inner(&scenario["event"]);
        for (event, said) in objects.iter().zip(said["Records"].as_array().unwrap()) {
            let Ok(event) = event else { continue };
            write(&archive, said, event);
            let now = event.time.unwrap() + SignedDuration::from_hours(1);
            let answer = handler.handle(event, now).await;
            assert!(answer.result.is_ok(), "{name}: {:?}", answer.result);
            let bound = match classify(event.key.as_str(), Products::default()) {
                Key::Archive(_) => MOST_REQUESTS as u64,
                Key::Metadata(_) => u64::MAX,
                Key::Other(_) => 0,
            };
            assert!(answer.requests <= bound, "{name}: {} requests", answer.requests);
            assert_eq!(answer.requests, archive.take_requests().len() as u64, "{name}");
        }
        let mut ours = stored(&handler).await;
        let mut theirs = BTreeMap::new();
        for created in scenario["created"].as_array().unwrap() {
            let record = created["data"].clone();
            theirs.insert(record["id"].as_str().unwrap().to_owned(), record);
        }
        for (id, theirs) in theirs {
            match ours.remove(&id) {
                None => disagreements.push(("missing".to_owned(), format!("{name} -> {id}"))),
                Some(ours) => {
                    let mut fields = Vec::new();
                    differences(&ours, &theirs, "", &mut fields);
                    disagreements.extend(fields.into_iter().map(|field| (field, format!("{name} -> {id}"))));
                }
            }
        }
        disagreements.extend(ours.into_keys().map(|id| ("further".to_owned(), format!("{name} -> {id}"))));
    }
    let rules = rules();
    let mut counts = vec![0; rules.len()];
    let mut faults = Vec::new();
    for (what, which) in disagreements {
        match rules.iter().position(|rule| rule.what == what && matches(&rule.pattern, &which)) {
            Some(at) => counts[at] += 1,
            None => faults.push(format!("{what}\t{which}")),
        }
    }
    for (rule, count) in rules.iter().zip(counts) {
        if rule.count != count {
            faults.push(format!("{} {}: {} listed, {count} found", rule.what, rule.pattern, rule.count));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
