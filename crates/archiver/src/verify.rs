//! Whether an archive is whole.
