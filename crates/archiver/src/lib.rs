//! Source archives: a revision of a repository, copied once from its source into a bucket of every region.
//!
//! Who asks for one is sent to the copy nearest to them. Where there is none yet, asking makes a [`task`], and a worker
//! copies the archive while the one who asked looks at how far it is.
//!
//! ```text
//! request ──► key ──► is the object there? ── yes ──► a signed URL
//!                              │ no
//!                              ▼
//!                    task, by conditional write ──► queue ──► work ──► fetch ──► verify ──► copy ──► every region
//!                              ▲                                                              │
//!                              └────────── sweep: what was lost is sent again ◄───────────────┘
//! ```
//!
//! The object is the truth: a task only says who works on it, and what those who wait are told.
//!
//! | module | holds |
//! |---|---|
//! | [`variables`], [`settings`] | the settings by name, and what is made of them |
//! | [`request`] | what is asked for: repository, revision, suffix, sub-folder; its key and its task's id |
//! | [`source`] | where archives come from: a template of URLs and its hosts |
//! | [`task`] | a task's states, and its object in S3 |
//! | [`regions`] | the buckets, in their order |
//! | [`fetch`] | a source or an object read as a stream, within limits |
//! | [`verify`] | whether an archive is whole |
//! | [`copy`] | one stream into many buckets |
//! | [`work`] | one message of the queue: lease, copy, result |
//! | [`sweep`] | what nobody works on any more |
//! | [`api`] | the answers to those who ask |

pub mod api;
pub mod copy;
pub mod fetch;
pub mod regions;
pub mod request;
pub mod settings;
pub mod source;
pub mod sweep;
pub mod task;
pub mod variables;
pub mod verify;
pub mod work;
