//! Rows of CSV, gzipped or not, under any schema: reading ends, and every row is a row or says why not.
#![no_main]

use std::io::Cursor;

use buildhub_inventory::{Rows as _, Schema, csv_rows};
use libfuzzer_sys::fuzz_target;

const SCHEMAS: [&str; 3] = [
    "Bucket, Key, Size, LastModifiedDate, ETag",
    "Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate",
    "Size, LastModifiedDate, Key",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (which, text) = input;
    let schema = Schema::parse(SCHEMAS[usize::from(which) % SCHEMAS.len()]).unwrap();
    let mut rows = csv_rows(Cursor::new(text.to_vec()), &schema, "part");
    let mut given = 0_u64;
    while let Ok(Some(row)) = rows.next() {
        given += 1;
        match row {
            Ok(row) => {
                let _ = (row.key().map(|key| key.as_str().len()), row.size(), row.last_modified());
                let _ = (row.bucket(), row.etag());
            }
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    let progress = rows.progress();
    assert!(given + progress.superseded + progress.delete_markers <= progress.rows);
});
