//! What every Buildhub function needs, whatever it does: settings read once and typed, object keys decoded at the
//! door, object stores behind one trait, a deadline to work within, logs and metrics.
//!
//! The default features bring no AWS SDK and no telemetry back end, so that the data crates stay light:
//!
//! | feature | brings |
//! |---|---|
//! | `aws` | [`store::S3Store`], an Amazon S3 bucket as an [`store::ObjectStore`] |
//! | `telemetry` | [`telemetry`]: log subscriber, crash reports |

pub mod deadline;
pub mod key;
pub mod secret;
pub mod store;
pub mod variables;

pub use deadline::Deadline;
pub use key::ObjectKey;
pub use secret::Secret;
pub use variables::{SettingError, Variables};
