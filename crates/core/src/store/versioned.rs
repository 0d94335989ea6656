//! Objects that several writers change: a write says which version it is made from.

use bytes::Bytes;

/// An object's bytes, and the version of it that they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned {
    /// All bytes of the object.
    pub bytes: Bytes,
    /// What tells this version from others.
    pub version: Version,
}

/// What tells one version of an object from others: the condition of its next write.
///
/// It follows from the bytes (an `ETag` of S3 does, where nothing was uploaded in parts): an object that is written
/// with bytes it once had is that version again. Who cannot bear that puts something into each write that no other has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(super) Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the server calls it, quotes included (RFC 9110 §8.8.3).
    #[cfg(feature = "aws")]
    ETag(String),
    /// What it holds. Such objects are small.
    Content(Bytes),
}
