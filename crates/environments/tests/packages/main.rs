//! Packages made by rpmbuild, merged into trees; dnf and rpm are the judges.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod database;
mod judge;
mod merging;
mod packages;
mod scriptlets;
mod support;
