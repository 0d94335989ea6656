//! Inventories and sites of a few files, for the scenarios that need just those.

use std::io::Write as _;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest as _, Md5};
use serde_json::json;

/// Where inventories lie in the bucket.
pub const FOLDER: &str = "public/inventories/net-mozaws-prod-delivery-firefox/delivery-firefox";

/// A row: key (form-encoded), size, date.
pub type Row<'a> = (&'a str, u64, &'a str);

/// Writes an inventory of these rows in one part. Returns the part's path.
pub fn write(bucket: &Path, dated: &str, rows: &[Row<'_>]) -> std::path::PathBuf {
    let text: String = rows
        .iter()
        .map(|(key, size, date)| {
            format!("\"builds\",\"{key}\",\"{size}\",\"{date}\",\"d41d8cd98f00b204e9800998ecf8427e\"\n")
        })
        .collect();
    write_parts(bucket, dated, &[&gzip(text.as_bytes())]).remove(0)
}

/// Writes an inventory of these parts, as they are. Returns their paths.
pub fn write_parts(bucket: &Path, dated: &str, parts: &[&[u8]]) -> Vec<std::path::PathBuf> {
    let data = bucket.join(FOLDER).join("data");
    let folder = bucket.join(FOLDER).join(dated);
    std::fs::create_dir_all(&data).unwrap();
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    let mut paths = Vec::new();
    for (number, bytes) in parts.iter().enumerate() {
        let path = data.join(format!("{dated}-{number}.csv.gz"));
        std::fs::write(&path, bytes).unwrap();
        let key = path.strip_prefix(bucket.join("public")).unwrap().display().to_string();
        files.push(json!({ "key": key, "size": bytes.len(), "MD5checksum": md5(bytes) }));
        paths.push(path);
    }
    let manifest = json!({
        "sourceBucket": "builds", "destinationBucket": "arn:aws:s3:::inventories", "version": "2016-11-30",
        "creationTimestamp": "1530000000000", "fileFormat": "CSV",
        "fileSchema": "Bucket, Key, Size, LastModifiedDate, ETag", "files": files,
    });
    let manifest = serde_json::to_vec_pretty(&manifest).unwrap();
    std::fs::write(folder.join("manifest.json"), &manifest).unwrap();
    std::fs::write(folder.join("manifest.checksum"), md5(&manifest)).unwrap();
    paths
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The metadata of a build, as the archive has it.
pub fn metadata(buildid: &str, revision: &str) -> String {
    json!({
        "buildid": buildid, "moz_source_repo": "https://hg.mozilla.org/releases/mozilla-release",
        "moz_source_stamp": revision, "moz_update_channel": "release", "as": "$(CC)", "ld": "ld",
    })
    .to_string()
}
