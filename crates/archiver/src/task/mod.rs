//! A task: who works on an archive, and what those who wait are told.
