//! Part of Buildhub.
