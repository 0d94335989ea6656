//! Real servers and generated archives for Buildhub's tests, benchmarks and local runs.
//!
//! Nothing that tests use imitates a server that can be run: a test that needs Kinto starts Kinto. Every server picks a free
//! port, is ready when its `start` returns, and is stopped by its process id (or task) when its value is dropped.

pub mod browser;
pub mod buildbot;
pub mod emulator;
pub mod environments;
pub mod event_source;
pub mod gateway;
pub mod kinto;
pub mod mercurial;
pub mod moto;
pub mod process;
pub mod s3;
pub mod sample;
pub mod sentry;
pub mod sink;
pub mod site;
pub mod source;
pub mod token;
