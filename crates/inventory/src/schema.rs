//! Which column of an inventory holds what.

use std::fmt;

/// A column of an inventory that this crate reads, or one that it knows and leaves alone.
///
/// The names are those of AWS, "Amazon S3 Inventory list" (User Guide).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The bucket the object stands in.
    Bucket,
    /// The object's key, form-encoded in CSV.
    Key,
    /// Whether this is the current version of the object (versioned inventories).
    IsLatest,
    /// Whether this version says that the object was deleted (versioned inventories).
    IsDeleteMarker,
    /// The size in bytes.
    Size,
    /// When the object was last written.
    LastModifiedDate,
    /// The object's entity tag.
    ETag,
    /// A column of S3's that nothing here needs.
    Ignored,
}

/// Every column an S3 inventory may have, by its name in `fileSchema`.
const KNOWN: &[(&str, Column)] = &[
    ("Bucket", Column::Bucket),
    ("Key", Column::Key),
    ("VersionId", Column::Ignored),
    ("IsLatest", Column::IsLatest),
    ("IsDeleteMarker", Column::IsDeleteMarker),
    ("Size", Column::Size),
    ("LastModifiedDate", Column::LastModifiedDate),
    ("ETag", Column::ETag),
    ("StorageClass", Column::Ignored),
    ("IsMultipartUploaded", Column::Ignored),
    ("ReplicationStatus", Column::Ignored),
    ("EncryptionStatus", Column::Ignored),
    ("ObjectLockRetainUntilDate", Column::Ignored),
    ("ObjectLockMode", Column::Ignored),
    ("ObjectLockLegalHoldStatus", Column::Ignored),
    ("IntelligentTieringAccessTier", Column::Ignored),
    ("BucketKeyStatus", Column::Ignored),
    ("ChecksumAlgorithm", Column::Ignored),
    ("ObjectAccessControlList", Column::Ignored),
    ("ObjectOwner", Column::Ignored),
    ("LifecycleExpirationDate", Column::Ignored),
];

/// The columns nothing can be done without.
const REQUIRED: &[(&str, Column)] =
    &[("Key", Column::Key), ("Size", Column::Size), ("LastModifiedDate", Column::LastModifiedDate)];

/// The columns of an inventory, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<Column>,
}

/// A `fileSchema` that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A column that S3 does not document.
    #[error("the column {name:?} is not known; S3's are {}", Names(KNOWN))]
    Unknown {
        /// Its name as written.
        name: String,
    },
    /// A column without which no record can be made.
    #[error("there is no column {name}; add it to the inventory's configuration (needed are {})", Names(REQUIRED))]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A column that stands there twice.
    #[error("the column {name} stands there twice")]
    Twice {
        /// Its name.
        name: String,
    },
}

impl Schema {
    /// The columns of CSV that comes without a manifest, as on standard input:
    /// `Bucket, Key, Size, LastModifiedDate, ETag`.
    pub fn default_csv() -> Self {
        let columns = vec![Column::Bucket, Column::Key, Column::Size, Column::LastModifiedDate, Column::ETag];
        Self { columns }
    }

    /// Reads a CSV manifest's `fileSchema`: names in any order, divided by commas.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let mut columns = Vec::new();
        for name in text.split(',').map(str::trim) {
            let column = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, column)| *column);
            let column = column.ok_or_else(|| SchemaError::Unknown { name: name.to_owned() })?;
            if column != Column::Ignored && columns.contains(&column) {
                return Err(SchemaError::Twice { name: name.to_owned() });
            }
            columns.push(column);
        }
        for (name, column) in REQUIRED {
            if !columns.contains(column) {
                return Err(SchemaError::Missing { name });
            }
        }
        Ok(Self { columns })
    }

    /// The columns, in the order of a row.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Where in a row a column stands (counted from 0), if the inventory has it.
    pub fn position(&self, column: Column) -> Option<usize> {
        self.columns.iter().position(|candidate| *candidate == column)
    }
}

/// The names of a table of columns, as a sentence lists them.
struct Names(&'static [(&'static str, Column)]);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, _)) in self.0.iter().enumerate() {
            write!(f, "{}{name}", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_may_stand_in_any_order() {
        let schema = Schema::parse("ETag, LastModifiedDate,Size , Key, StorageClass").unwrap();
        assert_eq!(schema.position(Column::Key), Some(3));
        assert_eq!(schema.position(Column::Size), Some(2));
        assert_eq!(schema.position(Column::Bucket), None);
        assert_eq!(schema.columns().len(), 5);
    }

    #[test]
    fn the_default_is_what_the_manifests_of_the_archive_say() {
        assert_eq!(Schema::parse("Bucket, Key, Size, LastModifiedDate, ETag").unwrap(), Schema::default_csv());
    }

    #[test]
    fn an_unknown_column_is_named_with_those_that_are_allowed() {
        let error = Schema::parse("Bucket, Key, Colour").unwrap_err();
        assert_eq!(error, SchemaError::Unknown { name: "Colour".into() });
        assert!(
            error.to_string().starts_with(r#"the column "Colour" is not known; S3's are Bucket, Key, VersionId, "#)
        );
    }

    #[test]
    fn a_schema_without_key_size_or_date_is_refused() {
        assert_eq!(Schema::parse("Bucket, Size"), Err(SchemaError::Missing { name: "Key" }));
        assert_eq!(Schema::parse("Key, LastModifiedDate"), Err(SchemaError::Missing { name: "Size" }));
        let error = Schema::parse("Bucket, Key, Size").unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no column LastModifiedDate; add it to the inventory's configuration \
             (needed are Key, Size, LastModifiedDate)"
        );
    }

    #[test]
    fn an_ambiguous_schema_is_refused() {
        assert_eq!(Schema::parse("Key, Key, Size"), Err(SchemaError::Twice { name: "Key".into() }));
        assert!(matches!(Schema::parse(""), Err(SchemaError::Unknown { .. })));
    }
}
