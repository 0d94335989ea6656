//! Amazon S3 Inventory as types and streams.
//!
//! An inventory is a listing of a bucket that S3 delivers every day: a folder named after the day with `manifest.json`
//! and its checksum, and gzipped parts with a row for each object. This crate finds the newest whole one, verifies it,
//! and gives out its rows in bounded memory, parsing only what is asked for. It knows object stores only by
//! [`buildhub_core::store::ObjectStore`], and no AWS type.
//!
//! ```
//! use buildhub_inventory::{Rows as _, Schema, csv_rows};
//!
//! let csv = r#""delivery","pub/firefox/releases/60.0/win32/fr/Firefox+Setup+60.0.exe","37000000","2018-05-07T12:00:00.000Z","d41d8c"
//! "#;
//! let mut rows = csv_rows(csv.as_bytes(), &Schema::default_csv(), "standard input");
//! let row = rows.next()?.expect("a row")?;
//! assert_eq!(row.key()?.as_str(), "pub/firefox/releases/60.0/win32/fr/Firefox Setup 60.0.exe");
//! assert_eq!(row.size()?, 37_000_000);
//! assert!(rows.next()?.is_none());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | from | by | to |
//! |---|---|---|
//! | a prefix of a store | [`latest`] | the newest [`Manifest`], verified by `manifest.checksum` |
//! | one folder of a store | [`manifest_in`] | its [`Manifest`], verified |
//! | a manifest's [`Part`] | [`open_part`] | its [`Rows`], verified by size and MD5 when they end |
//! | a file, standard input | [`csv_rows`] | its [`Rows`] |
//!
//! A row that cannot be used is a [`RowError`] and the ones behind it are read; a part that is missing, truncated or
//! damaged is a [`PartError`] that names it. Versioned inventories give the current versions of objects that are not
//! deleted. The face of [`Rows`] has nothing of CSV in it, so that Parquet and ORC can join.
//!
//! `cargo bench -p buildhub-inventory` prints rows per second beside those of decompression alone and of the `csv`
//! crate, on the same bytes in the same run.

mod csv;
mod gzip;
mod locate;
mod manifest;
mod part;
mod row;
mod schema;
mod size;

pub use csv::{CsvRows, MAX_ROW, csv_rows};
pub use gzip::gzip_or_plain;
pub use locate::{Found, ManifestError, latest, manifest_in};
pub use manifest::{Format, Manifest, ManifestFault, Md5Error, Md5Hex, Part};
pub use part::{PartError, open_part};
pub use row::{Progress, Row, RowError, RowFault, Rows};
pub use schema::{Column, Schema, SchemaError};
