//! The API over a real Buildbot and a real Kinto: every address, each of its errors, and what a master sees afterwards.
//!
//! README.md has a table of the addresses; a test says which of its rows it tries. That table is what the API itself lists.
//!
//! | module | holds |
//! |---|---|
//! | `reads`, `writes` | what is seen, and what is asked for |
//! | `reports` | waits and revisions from end to end |
//! | `paging` | lists that are longer than one answer |
//! | `permissions` | who may do what |
//! | `keys` | what is asked for again with one `Idempotency-Key` |
//! | `tricks` | what links, forms and pages of other sites try |
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod keys;
mod paging;
mod permissions;
mod reads;
mod reports;
#[path = "../support/mod.rs"]
mod support;
mod tricks;
mod writes;

use std::collections::BTreeSet;

use buildhub_core::web::Method;
use buildhub_core::web::header::{ACCEPT, LOCATION};
use buildhub_testkit::buildbot::Settings;
use support::site::Site;

/// Addresses, row 1: what can be asked, as the table of the README has it.
#[tokio::test]
async fn every_address_is_listed_and_nothing_is_at_others() {
    let site = Site::start(Settings::default()).await;
    let listed = site.get("/self-serve").await;
    let listed: BTreeSet<String> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|known| format!("{} {}", known["method"].as_str().unwrap(), known["path"].as_str().unwrap()))
        .collect();
    let (_, table) = include_str!("../../../../README.md").split_once("| # | address |").unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let told: BTreeSet<String> = rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(told, listed, "the README's table");

    let page = site.ask(Method::GET, "/self-serve").header(ACCEPT, "text/html").answer().await;
    for address in &listed {
        assert!(page.text().contains(address), "{address}");
    }
    let moved = site.ask(Method::GET, "/self-serve/try/?date=2026-01-01").answer().await;
    assert_eq!((moved.status.as_u16(), moved.header(&LOCATION)), (301, Some("/self-serve/try?date=2026-01-01")));
    let asked = site.ask(Method::POST, "/self-serve/try/rev/abcdef012345/nightly/").answer().await;
    let again = Some("/self-serve/try/rev/abcdef012345/nightly");
    assert_eq!((asked.status.as_u16(), asked.header(&LOCATION)), (308, again), "a POST stays one");
    // Nobody is led to another machine.
    let away = site.ask(Method::GET, "//evil.example/").answer().await;
    assert_eq!((away.status.as_u16(), away.header(&LOCATION)), (301, Some("/evil.example")));
    assert_eq!(site.ask(Method::GET, "/self-serve/try/nothing").refusal().await.0, 404);
    assert_eq!(site.ask(Method::GET, "/self-serve?format=xml").refusal().await.0, 400);
}
