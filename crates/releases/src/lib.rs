//! What a build is: from the key of an archive to the record of a build.
//!
//! The archive of Mozilla holds every build ever published as files in folders. Which of some tens of millions of
//! keys are builds, what each is (product, version, channel, platform, locale), where more is written about it, and
//! what its record looks like: that is this crate. It is pure. It reads no file, opens no connection, and the same key
//! gives the same answer for ever.
//!
//! ```
//! use buildhub_releases::{Facts, Key, Metadata, Products, classify};
//!
//! let key = "pub/firefox/candidates/50.0b11-candidates/build2/mac/el/Firefox 50.0b11.dmg";
//! let Key::Archive(archive) = classify(key, Products::default()) else { panic!("{key} is a build") };
//! assert_eq!(archive.id(), "firefox_beta_50-0b11rc2_macosx_el");
//!
//! // Where more is written about it. Fetching is somebody else's trade.
//! let keys = archive.metadata_keys(None);
//! assert_eq!(keys[0], "pub/firefox/candidates/50.0b11-candidates/build2/mac/en-US/firefox-50.0b11.json");
//! let body = br#"{"buildid": "20161027110534", "moz_source_stamp": "829a3f99f260",
//!                 "moz_source_repo": "https://hg.mozilla.org/releases/mozilla-beta"}"#;
//! let metadata = Metadata::parse(&keys[0], body)?;
//!
//! let facts = Facts {
//!     archive_url: "https://archive.mozilla.org/",
//!     size: 86_180_614,
//!     date: "2016-10-28T00:56:42Z".parse()?,
//! };
//! let record = archive.record(&facts, Some(&metadata));
//! record.check()?;
//! assert_eq!(record.source.tree.as_deref(), Some("releases/mozilla-beta"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The parts
//!
//! | module | what it knows |
//! |---|---|
//! | `product` | products, their folders and names; sets of them |
//! | `classify` | what a key is, and why it is no build |
//! | `layout` | the folders: nightlies, candidates, releases |
//! | `name` | the names of files |
//! | `cut` | cutting texts at a byte, fast |
//! | `words` | words that mark what is no build |
//! | `locale`, `platform`, `extension`, `channel`, `date` | one coordinate each |
//! | `archive` | an archive: its id and its record |
//! | `rank` | which archive is the record when several share an id |
//! | `addresses` | where the metadata of an archive can lie |
//! | `metadata_key` | keys of metadata files, and which archives they describe |
//! | `metadata` | their contents: JSON, text, `buildhub.json` |
//! | `record`, `check` | the record, and what is demanded of it |
//! | `version` | versions and their order |
//!
//! Everything public is at the top of the crate.
//!
//! # Compatibility
//!
//! Ids, channels, urls and mime types are those of the original Buildhub (1.4.1), so that records of both can live in
//! one collection. Where it was wrong this crate is not: `tests/fixtures/disagreements.tsv` lists each difference
//! with its reason, and a test compares the two on 1,700 keys.

mod addresses;
mod archive;
mod channel;
mod check;
mod classify;
mod cut;
mod date;
mod extension;
mod layout;
mod locale;
mod metadata;
mod metadata_key;
mod name;
mod platform;
mod product;
mod rank;
mod record;
mod version;
mod words;

pub use archive::{Archive, Facts};
pub use channel::CHANNELS;
pub use check::Refusal;
pub use classify::{Key, NotABuild, classify};
pub use extension::Extension;
pub use layout::{Place, build_number};
pub use metadata::{Metadata, MetadataError, Origin, record_from_buildhub_json};
pub use metadata_key::{Form, MetadataKey, Reach};
pub use platform::Os;
pub use product::{Product, Products, UnknownProduct};
pub use rank::{Rank, rank_of_url};
pub use record::{Build, Download, Record, Source, Target};
pub use version::{Version, VersionError};
