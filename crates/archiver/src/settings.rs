//! The archiver's settings.
