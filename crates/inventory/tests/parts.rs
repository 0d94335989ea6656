//! Inventories in a store: found, verified, and read to their end or refused by name.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests stop at what they did not expect"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use buildhub_core::store::{FolderStore, SharedStore};
use buildhub_inventory::{
    ManifestError, Md5Hex, Part, PartError, Row, RowError, Rows, Schema, latest, manifest_in, open_part,
};
use buildhub_testkit::sample::{Inventory, Kind, Object, Sample, SampleSpec};
use tempfile::TempDir;
use tokio::runtime::Handle;

/// A bucket with one sample inventory.
struct Bucket {
    folder: TempDir,
    sample: Sample,
    inventory: Inventory,
}

impl Bucket {
    fn of(rows: u64, parts: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sample = Sample::new(SampleSpec { rows, seed: 7, parts });
        let inventory = Inventory::of("firefox");
        sample.write_inventory(folder.path(), &inventory).unwrap();
        Self { folder, sample, inventory }
    }

    fn store(&self) -> SharedStore {
        Arc::new(FolderStore::new(self.folder.path()))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.path().join(key)
    }

    /// Delivers the same inventory once more, under another day.
    fn deliver(&self, day: &str) -> PathBuf {
        let folder = self.path(&format!("{}{day}/", self.inventory.folder()));
        copy(&self.path(&self.inventory.delivery()), &folder);
        folder
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["manifest.json", "manifest.checksum"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

fn object(row: &Row<'_>) -> Result<Object, RowError> {
    Ok(Object {
        key: row.key()?.to_string(),
        size: row.size()?,
        last_modified: row.last_modified()?,
        etag: row.etag().unwrap_or_default().into_owned(),
        kind: Kind::Other,
    })
}

/// Reads a part as a program would: on a thread that may block.
async fn read(store: SharedStore, part: Part) -> Result<Vec<Object>, PartError> {
    let handle = Handle::current();
    let reading = tokio::task::spawn_blocking(move || {
        let mut rows = open_part(store, handle, "public/", &part, &Schema::default_csv());
        let mut objects = Vec::new();
        while let Some(row) = rows.next()? {
            // What comes of damaged bytes before the damage is noticed may be anything.
            objects.extend(row.and_then(|row| object(&row)));
        }
        assert_eq!(rows.progress().bytes, part.size);
        assert_eq!(rows.progress().rows, objects.len() as u64);
        Ok(objects)
    });
    reading.await.unwrap()
}

#[tokio::test]
async fn every_object_of_the_archive_comes_out_of_its_inventory() {
    let bucket = Bucket::of(5_000, 3);
    let found = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap();
    assert_eq!(found.folder, bucket.inventory.delivery());
    assert_eq!(found.manifest.parts.len(), 3);
    let mut objects = Vec::new();
    for part in found.manifest.parts {
        objects.extend(read(bucket.store(), part).await.unwrap());
    }
    let expected: Vec<Object> = bucket.sample.objects().map(|object| Object { kind: Kind::Other, ..object }).collect();
    assert_eq!(objects, expected);
}

#[tokio::test]
async fn the_newest_whole_inventory_is_taken() {
    let bucket = Bucket::of(100, 1);
    let folder = bucket.inventory.folder();
    bucket.deliver("2031-01-01T00-00Z");
    // Two that are being delivered, and folders that are none.
    std::fs::remove_file(bucket.deliver("2031-01-02T00-00Z").join("manifest.checksum")).unwrap();
    std::fs::remove_file(bucket.deliver("2031-01-03T00-00Z").join("manifest.json")).unwrap();
    bucket.deliver("zzzz");
    let found = latest(&*bucket.store(), folder.trim_end_matches('/')).await.unwrap();
    assert_eq!(found.folder, format!("{folder}2031-01-01T00-00Z/"));
    let older = manifest_in(&*bucket.store(), &bucket.inventory.delivery()).await.unwrap();
    assert_eq!(older.manifest, found.manifest);
}

#[tokio::test]
async fn where_there_is_no_inventory_the_place_is_named() {
    let bucket = Bucket::of(100, 1);
    let error = latest(&*bucket.store(), "public/inventories/elsewhere").await.unwrap_err();
    assert!(matches!(error, ManifestError::NoInventory { folders: 0, .. }));
    assert!(error.to_string().contains("/public/inventories/elsewhere/: none of its 0 folders"), "{error}");
    std::fs::remove_file(bucket.path(&bucket.inventory.delivery()).join("manifest.json")).unwrap();
    let error = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap_err();
    assert!(matches!(error, ManifestError::NoInventory { folders: 1, .. }), "{error}");
}

#[tokio::test]
async fn defect_13_a_damaged_manifest_is_refused_and_never_passed_over() {
    let bucket = Bucket::of(100, 1);
    let newer = bucket.deliver("2031-01-01T00-00Z");
    let manifest = newer.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("CSV", "CSv")).unwrap();
    let error = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap_err();
    assert!(matches!(error, ManifestError::Checksum { .. }), "{error}");
    assert!(error.to_string().contains("2031-01-01T00-00Z/manifest.json is damaged: its MD5 is "), "{error}");

    std::fs::write(newer.join("manifest.checksum"), "<html>").unwrap();
    let error = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap_err();
    assert!(error.to_string().contains(r#"manifest.checksum holds no checksum: "<html>" is no MD5"#), "{error}");
}

#[tokio::test]
async fn a_manifest_that_cannot_be_understood_is_named() {
    let bucket = Bucket::of(100, 1);
    let folder = bucket.deliver("2031-01-01T00-00Z");
    let text = std::fs::read_to_string(folder.join("manifest.json")).unwrap().replace("ETag", "Colour");
    std::fs::write(folder.join("manifest.json"), &text).unwrap();
    // A last line end is no part of the checksum.
    std::fs::write(folder.join("manifest.checksum"), format!("{}\n", Md5Hex::of(text.as_bytes()))).unwrap();
    let error = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap_err();
    assert!(matches!(error, ManifestError::Manifest { .. }), "{error}");
    assert!(error.to_string().contains(r#"manifest.json: fileSchema: the column "Colour" is not known"#), "{error}");
}

/// A bucket's only part, and its file.
async fn only_part(bucket: &Bucket) -> (Part, PathBuf) {
    let found = latest(&*bucket.store(), &bucket.inventory.folder()).await.unwrap();
    let part = found.manifest.parts[0].clone();
    let file = bucket.path(&format!("public/{}", part.key));
    (part, file)
}

/// The part as it would have to be in the manifest for these bytes.
fn said_of(part: &Part, bytes: &[u8]) -> Part {
    Part { size: bytes.len() as u64, md5: Md5Hex::of(bytes), ..part.clone() }
}

#[tokio::test]
async fn defect_13_a_part_of_several_members_is_read_whole() {
    let bucket = Bucket::of(3_000, 1);
    let (part, file) = only_part(&bucket).await;
    let once = std::fs::read(&file).unwrap();
    let twice = [once.as_slice(), once.as_slice()].concat();
    std::fs::write(&file, &twice).unwrap();
    let objects = read(bucket.store(), said_of(&part, &twice)).await.unwrap();
    assert_eq!(objects.len(), 6_000);
}

#[tokio::test]
async fn defect_13_a_truncated_part_is_refused_by_name() {
    let bucket = Bucket::of(3_000, 1);
    let (part, file) = only_part(&bucket).await;
    let whole = std::fs::read(&file).unwrap();
    let half = &whole[..whole.len() / 2];
    std::fs::write(&file, half).unwrap();
    let error = read(bucket.store(), part.clone()).await.unwrap_err();
    assert!(matches!(error, PartError::Size { found, .. } if found == half.len() as u64), "{error}");
    assert!(error.to_string().contains(&format!("inventory part public/{} is damaged", part.key)), "{error}");

    // A manifest made of a truncated part would not help.
    let error = read(bucket.store(), said_of(&part, half)).await.unwrap_err();
    assert!(matches!(error, PartError::Gzip { .. }), "{error}");
    assert!(error.to_string().contains("is truncated or damaged"), "{error}");
}

#[tokio::test]
async fn defect_13_a_part_that_is_not_what_was_written_is_refused_by_name() {
    let bucket = Bucket::of(3_000, 1);
    let (part, file) = only_part(&bucket).await;
    let whole = std::fs::read(&file).unwrap();

    // The time in gzip's header: decompression does not notice.
    let mut touched = whole.clone();
    touched[4] ^= 1;
    std::fs::write(&file, &touched).unwrap();
    let error = read(bucket.store(), part.clone()).await.unwrap_err();
    assert!(matches!(error, PartError::Checksum { found, .. } if found == Md5Hex::of(&touched)), "{error}");

    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 0xff;
    std::fs::write(&file, &damaged).unwrap();
    let error = read(bucket.store(), part.clone()).await.unwrap_err();
    assert!(matches!(error, PartError::Gzip { .. } | PartError::Checksum { .. }), "{error}");

    let longer = [whole.as_slice(), b"garbage"].concat();
    std::fs::write(&file, &longer).unwrap();
    let error = read(bucket.store(), part.clone()).await.unwrap_err();
    assert!(matches!(error, PartError::Size { .. }), "{error}");
    let error = read(bucket.store(), said_of(&part, &longer)).await.unwrap_err();
    assert!(matches!(error, PartError::Gzip { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_part_is_refused_by_name_with_what_to_do() {
    let bucket = Bucket::of(100, 1);
    let (part, file) = only_part(&bucket).await;
    std::fs::remove_file(&file).unwrap();
    let error = read(bucket.store(), part.clone()).await.unwrap_err();
    assert!(matches!(&error, PartError::Store { source, .. } if source.is_not_found()), "{error}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("inventory part public/{}: cannot read ", part.key)), "{text}");
    assert!(
        text.ends_with("check the prefix put before its key, or take a newer inventory if this one expired"),
        "{text}"
    );
}

#[tokio::test]
async fn a_part_may_be_given_up_in_its_middle() {
    let bucket = Bucket::of(50_000, 1);
    let (part, _) = only_part(&bucket).await;
    let (store, handle) = (bucket.store(), Handle::current());
    let kept = Arc::clone(&store);
    tokio::task::spawn_blocking(move || {
        let mut rows = open_part(store, handle, "public/", &part, &Schema::default_csv());
        assert!(rows.next().unwrap().is_some());
    })
    .await
    .unwrap();
    // The fetching task held the store; it lets go of it when it is stopped.
    while Arc::strong_count(&kept) > 1 {
        tokio::task::yield_now().await;
    }
}
