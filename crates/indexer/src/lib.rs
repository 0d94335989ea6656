//! From objects to records: the floor where what a build is, where objects are listed and where records are kept meet.
//!
//! Two writers, one path. The catch-up run ([`CatchUp`]) reads an inventory; whatever writes single records takes the
//! same decisions from [`fact::judge`]: the better archive wins, and of one archive the newest state.
//!
//! A catch-up run costs what changed:
//!
//! 1. [`index`]: what the store has, 40 bytes a record, brought up to date by what was written since the last run;
//! 2. [`scan`]: the inventory's rows, sifted on all cores; what the store has is dropped before any request;
//! 3. [`spool`]: what is left waits on disk until all candidates were seen, for a release's metadata lies with the
//!    highest of them;
//! 4. [`resolve`]: each metadata file fetched once by the [`metadata::Library`], records made and checked;
//! 5. [`writer`]: conditional batches, one at a time; what was acknowledged is proven to be there.
//!
//! | module | holds |
//! |---|---|
//! | [`variables`], [`settings`] | every setting by name; the typed structs they become |
//! | [`connect`] | settings to connections |
//! | [`archive`] | the build archive: one trait, a site and a bucket |
//! | [`catchup`], [`convert`], [`load`] | the three runs: all of it, rows to records, records to the store |
//! | [`fanout`] | the first of them, spread over many invocations |
//! | [`report`], [`gaps`], [`progress`] | what a run did, what is missing, and how far it is |
//! | [`caches`] | what is kept between runs |

pub mod archive;
pub mod caches;
pub mod catchup;
pub mod connect;
pub mod convert;
pub mod events;
pub mod fact;
pub mod fanout;
pub mod gaps;
pub mod index;
pub mod load;
pub mod make;
pub mod metadata;
mod pipeline;
pub mod progress;
pub mod ready;
pub mod removed;
pub mod report;
pub mod resolve;
pub mod scan;
pub mod settings;
pub mod spool;
pub mod target;
pub mod variables;
pub mod writer;

pub use catchup::{CatchUp, RunError};
pub use connect::{ConnectError, Connector, Target};
pub use convert::{Convert, ConvertError};
pub use load::{LineError, Load};
pub use pipeline::PipelineError;
pub use progress::{LogProgress, NoProgress, Progress, Stage};
pub use report::Report;
