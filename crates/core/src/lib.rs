//! What every Buildhub function needs, whatever it does: settings read once and typed, object keys decoded at the
//! door, object stores behind one trait, a deadline to work within, logs and metrics.
//!
//! The default features bring no AWS SDK and no telemetry back end, so that the data crates stay light:
//!
//! | feature | brings |
//! |---|---|
//! | `aws` | `store::S3Store`, an Amazon S3 bucket as a [`store::ObjectStore`]; `queue::Queues`, Amazon SQS behind [`queue::Queue`]; `aws`, what they share, and secrets by ARN |
//! | `telemetry` | `telemetry`: log subscriber, crash reports |
//! | `lambda` | `lambda`, the `main` of every function; and both of the above |
//! | `web` | `web`, HTTP APIs as functions of a request |
//! | `server` | `web::server`, sockets for them |
//!
//! | module | holds |
//! |---|---|
//! | [`variables`], [`secret`] | settings by name, and those that must not print |
//! | [`key`] | object keys, decoded by the rule of their source |
//! | [`store`] | folders and buckets |
//! | [`queue`] | where messages are sent |
//! | [`deadline`] | how long a piece of work may go on |
//! | [`event`], [`trigger`] | what a function is called with |
//! | [`metrics`] | numbers for CloudWatch |
//!
//! ```
//! use buildhub_core::Variables;
//! use buildhub_core::store::Location;
//!
//! let variables = Variables::default().with("CACHE_FOLDER", "s3://caches/buildhub");
//! let caches: Location = variables.parse("CACHE_FOLDER", Location::Folder(".".into()), "it is a folder or s3://…")?;
//! assert_eq!(caches.to_string(), "s3://caches/buildhub/");
//! # Ok::<(), buildhub_core::SettingError>(())
//! ```

#[cfg(feature = "aws")]
pub mod aws;
pub mod deadline;
pub mod event;
pub mod key;
#[cfg(feature = "lambda")]
pub mod lambda;
pub mod metrics;
pub mod queue;
pub mod secret;
pub mod store;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod trigger;
pub mod variables;
#[cfg(feature = "web")]
pub mod web;

pub use deadline::Deadline;
pub use key::ObjectKey;
pub use secret::Secret;
pub use variables::{SettingError, Variables};
