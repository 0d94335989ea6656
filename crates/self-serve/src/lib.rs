//! Builds seen and steered: people and programs ask for builds to be made again, cancelled or moved forward, and follow what
//! becomes of that.
//!
//! | module | holds |
//! |---|---|
//! | [`action`] | what may be asked for |
//! | [`access`] | who may |
//! | [`api`] | the REST API, and its pages |
//! | [`backend`] | what a build system must be able to do |
//! | [`buildbot`] | Buildbot as one |
//! | [`builds`] | what is known of requests and builds, and how that is kept true |
//! | [`config`] | branches, builders and masters, from the site's documents |
//! | [`identity`] | who asks, from a verified source |
//! | [`jobs`] | what was asked for, and what became of it |
//! | [`work`] | jobs, carried out |
//! | [`reports`] | waits, what waits and what runs, revisions from end to end |
//! | [`settings`], [`variables`] | what an operator says |

pub mod access;
pub mod action;
pub mod api;
pub mod backend;
pub mod buildbot;
pub mod builds;
pub mod config;
pub mod identity;
pub mod jobs;
mod reason;
pub mod reports;
pub mod settings;
pub mod variables;
pub mod work;
