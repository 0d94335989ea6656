//! What a server should hold before records come: buckets, collections, their settings and permissions.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

/// The wanted state of a server, in the form kinto-wizard reads too:
///
/// ```json
/// {"buckets": {"build-hub": {"permissions": {}, "collections": {"releases": {
///     "data": {"schema": {"type": "object"}}, "permissions": {"read": ["system.Everyone"]}}}}}}
/// ```
///
/// What a manifest does not name is left alone on the server.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Buckets by id.
    pub buckets: BTreeMap<String, BucketManifest>,
}

/// The wanted state of a bucket.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketManifest {
    /// Its own fields.
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Who may do what: principals by permission.
    #[serde(default)]
    pub permissions: BTreeMap<String, Vec<String>>,
    /// Collections by id.
    #[serde(default)]
    pub collections: BTreeMap<String, CollectionManifest>,
}

/// The wanted state of a collection.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CollectionManifest {
    /// Its own fields: `schema`, `uiSchema`, `displayFields`, …
    #[serde(default)]
    pub data: Map<String, Value>,
    /// Who may do what: principals by permission.
    #[serde(default)]
    pub permissions: BTreeMap<String, Vec<String>>,
}

/// A manifest that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The text is not a manifest.
    #[error("the manifest cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// Renaming needs to know which bucket and which collection is meant.
    #[error("the manifest has {buckets} buckets and {collections} collections; only one collection can be renamed")]
    NotOne {
        /// How many buckets.
        buckets: usize,
        /// How many collections in all.
        collections: usize,
    },
}

impl Manifest {
    /// Reads a manifest.
    pub fn parse(json: &str) -> Result<Self, ManifestError> {
        Ok(serde_json::from_str(json)?)
    }

    /// A manifest of one collection, under other names.
    pub fn renamed(self, bucket: &str, collection: &str) -> Result<Self, ManifestError> {
        let buckets = self.buckets.len();
        let collections = self.buckets.values().map(|bucket| bucket.collections.len()).sum();
        let Some((_, mut only)) = self.buckets.into_iter().next().filter(|_| (buckets, collections) == (1, 1)) else {
            return Err(ManifestError::NotOne { buckets, collections });
        };
        only.collections = only.collections.into_values().map(|it| (collection.to_owned(), it)).collect();
        Ok(Self { buckets: BTreeMap::from([(bucket.to_owned(), only)]) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = r#"{"buckets": {"a": {"collections": {"b": {"data": {"sort": "id"}}}}}}"#;

    #[test]
    fn a_manifest_of_one_collection_can_be_renamed() {
        let renamed = Manifest::parse(ONE).unwrap().renamed("x", "y").unwrap();
        assert_eq!(renamed.buckets["x"].collections["y"].data["sort"], "id");
        assert_eq!(renamed.buckets.len(), 1);
    }

    #[test]
    fn a_field_a_manifest_does_not_know_is_refused_rather_than_passed_over() {
        assert!(Manifest::parse(r#"{"buckets": {"a": {"groups": {}}}}"#).is_err());
    }

    #[test]
    fn a_manifest_of_several_collections_cannot_be_renamed() {
        let two = Manifest::parse(r#"{"buckets": {"a": {"collections": {"b": {}, "c": {}}}}}"#).unwrap();
        assert!(matches!(two.renamed("x", "y"), Err(ManifestError::NotOne { buckets: 1, collections: 2 })));
    }
}
