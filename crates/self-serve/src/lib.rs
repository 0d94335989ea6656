//! Builds seen and steered: people and programs ask for builds to be made again, cancelled or moved forward, and follow what
//! becomes of that.
//!
//! | module | holds |
//! |---|---|
//! | [`action`] | what may be asked for |
//! | [`access`] | who may |
//! | [`backend`] | what a build system must be able to do |
//! | [`buildbot`] | Buildbot as one |
//! | [`config`] | branches, builders and masters, from the site's documents |
//! | [`jobs`] | what was asked for, and what became of it |

pub mod access;
pub mod action;
pub mod backend;
pub mod buildbot;
pub mod config;
pub mod jobs;
