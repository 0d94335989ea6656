//! This crate beside the original Buildhub (1.4.1), on 1,711 keys.
//!
//! `original.ndjson.gz` has the original's answers, defects included. Where ours differ, `disagreements.tsv` says why:
//! one rule a line, of four columns:
//!
//! 1. what is compared,
//! 2. which keys, as a pattern over the decoded key in which `*` stands for anything,
//! 3. on how many keys the two disagree,
//! 4. the reason: a numbered defect of the original, or an improvement.
//!
//! Not compared: `is_release_build_metadata`, `archive_url` and `archive_url_release`, which serve listings that this
//! crate does without.
//!
//! A disagreement belongs to the first rule that fits it. Each must have one, and every rule must cover exactly as many
//! as it says, so that neither a new disagreement nor one that has gone can hide.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a fixture that is not as said fails the test"
)]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use buildhub_releases::{Archive, Facts, Form, Key, Metadata, Place, Products, classify};
use serde_json::{Value, json};

const BASE: &str = "https://archive.mozilla.org/";

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

fn rows() -> Vec<Value> {
    let mut text = String::new();
    flate2::read::GzDecoder::new(&fixture("original.ndjson.gz")[..]).read_to_string(&mut text).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A key as a CSV inventory has it, decoded: `+` is a space, `%XX` a byte.
fn decode(raw: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = raw.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = || u8::from_str_radix(std::str::from_utf8(after.get(..2)?).ok()?, 16).ok();
        match (first, hex()) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

struct Disagreement {
    what: &'static str,
    key: String,
    ours: Value,
    theirs: Value,
}

impl std::fmt::Display for Disagreement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, key, ours, theirs } = self;
        write!(f, "{what}\t{key}\tours {ours}, theirs {theirs}")
    }
}

struct Comparison {
    key: String,
    found: Vec<Disagreement>,
}

impl Comparison {
    fn compare(&mut self, what: &'static str, ours: Value, theirs: &Value) {
        if ours != *theirs {
            self.found.push(Disagreement { what, key: self.key.clone(), ours, theirs: theirs.clone() });
        }
    }
}

fn compare(row: &Value, bodies: &serde_json::Map<String, Value>) -> Vec<Disagreement> {
    let key = decode(row["key"].as_str().unwrap());
    let mut comparison = Comparison { key: key.clone(), found: Vec::new() };
    let ours = classify(&key, Products::default());
    comparison.compare("is_build", json!(matches!(ours, Key::Archive(_))), &row["is_build_url"]["ok"]);
    compare_metadata_kinds(&mut comparison, &ours, row);
    if let (Key::Archive(archive), Some(true)) = (&ours, row["is_build_url"]["ok"].as_bool()) {
        compare_records(&mut comparison, archive, row);
        compare_addresses(&mut comparison, archive, row);
        let has_record = row["record_from_url"]["ok"].is_object();
        for (name, body) in bodies.iter().filter(|_| has_record) {
            compare_merged(&mut comparison, archive, body, &row["merged"][name]);
        }
    }
    comparison.found
}

fn compare_metadata_kinds(comparison: &mut Comparison, ours: &Key<'_>, row: &Value) {
    let (mut nightly, mut candidate) = (false, false);
    if let Key::Metadata(found) = ours
        && found.form == Form::Json
    {
        nightly = matches!(found.place, Place::Nightly { .. });
        candidate = matches!(found.place, Place::Candidate { .. });
    }
    comparison.compare("is_nightly_metadata", json!(nightly), &row["is_nightly_build_metadata"]["ok"]);
    comparison.compare("is_candidate_metadata", json!(candidate), &row["is_rc_build_metadata"]["ok"]);
}

fn facts() -> Facts<'static> {
    Facts { archive_url: BASE, size: 1, date: jiff::Timestamp::UNIX_EPOCH }
}

fn compare_records(comparison: &mut Comparison, archive: &Archive<'_>, row: &Value) {
    let record = serde_json::to_value(archive.record(&facts(), None)).unwrap();
    let theirs = &row["record_from_url"]["ok"];
    if theirs.is_null() {
        comparison.compare("record", json!("a record"), theirs);
        return;
    }
    comparison.compare("id", record["id"].clone(), &theirs["id"]);
    comparison.compare("product", record["source"]["product"].clone(), &theirs["source"]["product"]);
    comparison.compare("url", record["download"]["url"].clone(), &theirs["download"]["url"]);
    comparison.compare("mimetype", record["download"]["mimetype"].clone(), &theirs["download"]["mimetype"]);
    for (what, field) in
        [("channel", "channel"), ("version", "version"), ("platform", "platform"), ("locale", "locale"), ("os", "os")]
    {
        comparison.compare(what, record["target"][field].clone(), &theirs["target"][field]);
    }
}

/// Where the original looked for metadata first: among our addresses?
fn compare_addresses(comparison: &mut Comparison, archive: &Archive<'_>, row: &Value) {
    let theirs = match archive.place {
        Place::Nightly { .. } => row["localize_nightly_url"]["ok"].as_str().map(|url| {
            let extension = archive.extension.suffix();
            format!("{}.json", url.strip_suffix(extension).unwrap_or(url).trim_end_matches(".installer"))
        }),
        Place::Candidate { .. } => row["localize_release_candidate_url"]["ok"].as_str().map(|url| {
            let (folder, _) = url.rsplit_once('/').unwrap();
            folder.to_owned()
        }),
        Place::Release { .. } => return,
    };
    let theirs = theirs.unwrap_or_default();
    let keys = archive.metadata_keys(None);
    let found = keys.iter().any(|key| format!("{BASE}{key}").starts_with(&theirs));
    if !found {
        comparison.compare("address", json!(keys), &json!(theirs));
    }
}

/// The record with metadata, field by field, and whether it is accepted.
fn compare_merged(comparison: &mut Comparison, archive: &Archive<'_>, body: &Value, theirs: &Value) {
    if theirs["merge_error"].is_string() {
        let id = body["buildid"].as_str().unwrap();
        comparison.compare("merged", json!(id), &theirs["merge_error"]);
        return;
    }
    let metadata = match body {
        Value::Null => None,
        body => Some(Metadata::parse("firefox-60.0.json", body.to_string().as_bytes()).unwrap()),
    };
    let record = archive.record(&facts(), metadata.as_ref());
    let check = if record.check().is_ok() { "ok" } else { "ValueError" };
    let record = serde_json::to_value(record).unwrap();
    comparison.compare("merged: build", record["build"].clone(), &theirs["build"]);
    comparison.compare("merged: source", record["source"].clone(), &theirs["source"]);
    comparison.compare("merged: channel", record["target"]["channel"].clone(), &theirs["channel"]);
    comparison.compare("merged: check", json!(check), &theirs["check"]);
}

struct Rule {
    what: String,
    pattern: String,
    count: usize,
    reason: String,
}

fn rules() -> Vec<Rule> {
    let text = String::from_utf8(fixture("disagreements.tsv")).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let columns: Vec<_> = line.split('\t').collect();
            assert_eq!(columns.len(), 4, "four columns: {line}");
            let known = columns[3].starts_with("defect ") || columns[3].starts_with("improvement: ");
            assert!(known, "a reason is a numbered defect or an improvement: {line}");
            Rule {
                what: columns[0].to_owned(),
                pattern: columns[1].to_owned(),
                count: columns[2].parse().unwrap(),
                reason: columns[3].to_owned(),
            }
        })
        .collect()
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

/// What an archive may ask for, a reader of listings must know when it sees it.
#[test]
fn every_address_of_metadata_of_a_vector_is_known_as_metadata() {
    let mut addresses = 0;
    for row in rows() {
        let key = decode(row["key"].as_str().unwrap());
        let Key::Archive(archive) = classify(&key, Products::default()) else { continue };
        for address in archive.metadata_keys(Some(7)) {
            let found = classify(&address, Products::default());
            let is_known = matches!(&found, Key::Metadata(found) if found.describes(&archive, Some(7)));
            assert!(is_known, "{key}: {address}: {found:?}");
            addresses += 1;
        }
    }
    assert!(addresses > 1000, "{addresses}");
}

#[test]
fn every_disagreement_with_the_original_is_listed_with_its_reason() {
    let Value::Object(bodies) = serde_json::from_slice(&fixture("metadata-inputs.json")).unwrap() else { panic!() };
    let found: Vec<_> = rows().iter().flat_map(|row| compare(row, &bodies)).collect();
    let rules = rules();
    let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for disagreement in &found {
        let fits = |rule: &Rule| rule.what == disagreement.what && matches(&rule.pattern, &disagreement.key);
        match rules.iter().position(fits) {
            Some(rule) => *counts.entry(rule).or_default() += 1,
            None => faults.push(format!("not listed: {disagreement}")),
        }
    }
    for (at, rule) in rules.iter().enumerate() {
        let count = counts.get(&at).copied().unwrap_or_default();
        if count != rule.count {
            let Rule { what, pattern, count: said, reason } = rule;
            faults.push(format!("{what} {pattern} ({reason}): {said} disagreements listed, {count} found"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
