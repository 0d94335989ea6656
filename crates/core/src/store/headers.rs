//! What an object is beside its bytes.

use std::collections::BTreeMap;

/// What an object is written with, and served with, beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectHeaders {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Disposition`: the name it is saved under.
    pub content_disposition: Option<String>,
    /// The user's metadata: names in lower case without `x-amz-meta-`, values in ASCII; at most 2 KB together (AWS,
    /// "Working with object metadata"). Fixed when the object is written.
    pub metadata: BTreeMap<String, String>,
}
