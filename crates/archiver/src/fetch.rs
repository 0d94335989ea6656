//! A source or an object, read as a stream within limits.
