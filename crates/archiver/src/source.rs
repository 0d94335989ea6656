//! Where archives come from.
