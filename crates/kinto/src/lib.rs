//! A client for [Kinto](https://docs.kinto-storage.org/), the JSON store, that loses nothing.
//!
//! ```no_run
//! use buildhub_kinto::{Client, ClientSettings, Condition, Query};
//! use serde_json::{Value, json};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = ClientSettings::new("http://localhost:8888/v1".parse()?, "user:pass".parse()?);
//! let records = Client::new(&settings)?.collection("build-hub", "releases")?;
//! records.put("firefox_60-0", &json!({"target": {"version": "60.0"}}), Condition::IfNoneMatch).await?;
//! let found = records.list::<Value>(Query::new().eq("target.version", "60.0")).await?;
//! println!("{} records", found.len());
//! # Ok(())
//! # }
//! ```
//!
//! | module | holds |
//! |---|---|
//! | [`client`] | [`Client`]: server info, heartbeat; [`ClientSettings`] |
//! | [`auth`] | [`Auth`]: who asks |
//! | [`collection`] | [`Collection`]: one record read, written or deleted under a [`Condition`] |
//! | [`query`] | [`Query`]: filters, fields, order, `_since` |
//! | [`pages`] | lists as streams of [`Page`]s, deleted records included |
//! | [`batch`] | [`Write`]s and what became of them: [`Outcome`] |
//! | [`loader`] | [`Loader`]: any number of writes, in batches, by the rule below |
//! | [`upsert`] | a single write that looks first and loses no race |
//! | [`manifest`], [`initialise`] | buckets, collections, schema and permissions, made or brought up to date |
//! | [`doctor`] | what is wrong with a server, in plain words |
//! | [`error`] | [`KintoError`], and Kinto's own [`Fault`] |
//!
//! # The loss rule
//!
//! A batch in which one item is answered 409 or 5xx has stored nothing, whatever its other items say: Kinto rolls the
//! whole transaction back but keeps the answers it had written (`kinto.core.views.batch`: the transaction is aborted on
//! 409, and a 5xx makes `pyramid_tm` veto the commit). So such a batch is sent again, whole. [`Loader`] does that, keeps
//! one batch in flight, and cuts in halves a batch that keeps failing until the record that breaks it is found.

pub mod auth;
pub mod batch;
pub mod client;
pub mod collection;
pub mod doctor;
pub mod error;
pub mod initialise;
pub mod loader;
pub mod manifest;
pub mod pages;
pub mod query;
pub mod upsert;

pub use auth::{Auth, AuthError};
pub use batch::{Outcome, Write};
pub use client::{Client, ClientSettings, Heartbeat, ServerInfo};
pub use collection::{Collection, Condition, Deletion, Stored};
pub use error::{Fault, KintoError};
pub use initialise::Change;
pub use loader::{LoadError, Loader, LoaderSettings};
pub use manifest::Manifest;
pub use pages::{Entry, Page};
pub use query::Query;
pub use upsert::{Decision, Upserted};
