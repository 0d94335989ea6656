//! What every object store does, whichever it is: one suite, run against a folder and against an S3 server.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::atomic::{AtomicU64, Ordering};

use buildhub_core::store::{FolderStore, Listing, ObjectHeaders, S3Settings, SharedStore, StoreErrorKind, Stores};
use buildhub_testkit::moto::Moto;
use buildhub_testkit::s3::S3Server;
use bytes::Bytes;
use futures::StreamExt as _;

/// Keys that have been written wrongly somewhere: form-encoded, percent-encoded, cut at a sign.
const ODD_KEYS: [&str; 8] = [
    "win32/en-US/Firefox Setup 60.0.exe",
    "a+b/c+d.zip",
    "100%/20%41.zip",
    "café/€ – ½.txt",
    "q?a=b&c=d#e.txt",
    "quote\"'<tag>&amp;.txt",
    "tilde~(1.0rc1, en-US)!*.exe",
    " leading/ and trailing /x ",
];

/// A store and what must live as long as it.
struct Subject<G> {
    store: SharedStore,
    _guard: G,
}

fn folder() -> Subject<tempfile::TempDir> {
    let folder = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(FolderStore::new(folder.path()));
    Subject { store, _guard: folder }
}

fn settings(server: &S3Server) -> S3Settings {
    S3Settings::from_variables(&server.variables().into_iter().collect()).unwrap()
}

async fn s3(location: &str) -> Subject<S3Server> {
    let server = S3Server::start().await.unwrap();
    server.create_bucket("bucket").unwrap();
    let store = Stores::new(settings(&server)).open(&location.parse().unwrap()).await;
    Subject { store, _guard: server }
}

/// A server that looks at every condition, and compares and writes in one step.
async fn moto() -> Subject<Moto> {
    let server = Moto::start().await.unwrap();
    server.create_bucket("bucket").await.unwrap();
    let settings = S3Settings::from_variables(&server.variables().into_iter().collect()).unwrap();
    let store = Stores::new(settings).open(&"s3://bucket/deep/er".parse().unwrap()).await;
    Subject { store, _guard: server }
}

async fn put(store: &SharedStore, key: &str, text: &'static str) {
    store.put(key, Bytes::from_static(text.as_bytes())).await.unwrap();
}

async fn read(store: &SharedStore, key: &str) -> Bytes {
    store.get(key).await.unwrap().bytes(key, 64 << 20).await.unwrap()
}

fn keys(listing: &Listing) -> Vec<&str> {
    listing.objects.iter().map(|entry| entry.key.as_str()).collect()
}

async fn keeps_what_is_written(store: &SharedStore) {
    put(store, "a/b.txt", "one").await;
    put(store, "a/b.txt", "second").await;
    assert_eq!(read(store, "a/b.txt").await, "second");
    let head = store.head("a/b.txt").await.unwrap();
    assert_eq!(head.size, 6);
    let open = store.get("a/b.txt").await.unwrap();
    assert_eq!(open.attributes.size, 6);
    assert_eq!(open.attributes.last_modified.as_second(), head.last_modified.as_second());
    assert!(head.last_modified.as_second() > 1_700_000_000, "{head:?}");
    put(store, "empty", "").await;
    assert_eq!(read(store, "empty").await, "");
}

async fn creates_only_what_is_not_there(store: &SharedStore) {
    let create = |text: &'static str| store.create("once/made", Bytes::from_static(text.as_bytes()));
    assert!(create("first").await.unwrap());
    assert!(!create("second").await.unwrap());
    assert_eq!(read(store, "once/made").await, "first");
    store.delete("once/made").await.unwrap();
    assert!(create("third").await.unwrap());
    assert_eq!(read(store, "once/made").await, "third");
}

/// Small ones in one piece, large ones in parts: 40 MB are three. Who waits hears of all bytes that were sent, and of no more.
async fn makes_objects_of_files_where_there_are_none(store: &SharedStore) {
    let folder = tempfile::tempdir().unwrap();
    let headers = ObjectHeaders { content_type: Some("application/x-xz".into()), ..ObjectHeaders::default() };
    for (key, size) in [("files/none", 0), ("files/small", 70_000), ("files/large", 40_000_001)] {
        let file = folder.path().join("file");
        let bytes: Vec<u8> = (0u32..).flat_map(u32::to_le_bytes).take(size).collect();
        std::fs::write(&file, &bytes).unwrap();
        let sent = AtomicU64::new(0);
        let told = |more| {
            sent.fetch_add(more, Ordering::Relaxed);
        };
        assert!(store.create_from(key, &file, &headers, &told).await.unwrap());
        assert_eq!(sent.load(Ordering::Relaxed), size as u64);
        assert!(read(store, key).await == bytes, "{key} has all bytes in their order");
        std::fs::write(&file, b"others").unwrap();
        assert!(!store.create_from(key, &file, &headers, &told).await.unwrap());
        assert_eq!(sent.load(Ordering::Relaxed), size as u64);
        assert!(read(store, key).await == bytes, "{key} stays what it was");
    }
    let missing = folder.path().join("missing");
    let error = store.create_from("files/never", &missing, &headers, &|_| {}).await.unwrap_err();
    assert!(error.to_string().contains("cannot"), "{error}");
    assert!(store.head("files/never").await.unwrap_err().is_not_found());
}

async fn replaces_only_the_version_that_was_read(store: &SharedStore) {
    put(store, "state/a.json", "one").await;
    let one = store.read("state/a.json", 10).await.unwrap();
    assert_eq!(one.bytes, "one");
    let two = store.replace("state/a.json", Bytes::from_static(b"two"), &one.version).await.unwrap().unwrap();
    assert!(store.replace("state/a.json", Bytes::from_static(b"late"), &one.version).await.unwrap().is_none());
    assert_eq!(store.read("state/a.json", 10).await.unwrap().version, two, "a write tells the version it made");
    let three = store.replace("state/a.json", Bytes::from_static(b"three"), &two).await.unwrap().unwrap();
    assert_eq!(read(store, "state/a.json").await, "three");
    store.delete("state/a.json").await.unwrap();
    assert!(store.replace("state/a.json", Bytes::from_static(b"four"), &three).await.unwrap().is_none());
    assert!(store.read("state/a.json", 10).await.unwrap_err().is_not_found(), "what was removed is not made again");
    put(store, "state/b.json", "too long").await;
    assert_eq!(store.read("state/b.json", 3).await.unwrap_err().kind, StoreErrorKind::TooLarge);
}

/// Many add one to a number at the same time; none of the additions is lost.
async fn loses_no_update(store: &SharedStore) {
    put(store, "count", "0").await;
    let adding = futures::stream::iter(0..30).map(|writer| async move {
        loop {
            let found = store.read("count", 10).await.unwrap();
            let text = std::str::from_utf8(&found.bytes).unwrap();
            let next = text.split(' ').next().unwrap().parse::<u32>().unwrap() + 1;
            // The writer's number tells its write from another's.
            let next = Bytes::from(format!("{next} {writer}"));
            if store.replace("count", next, &found.version).await.unwrap().is_some() {
                return;
            }
        }
    });
    adding.buffer_unordered(8).collect::<Vec<_>>().await;
    assert!(read(store, "count").await.starts_with(b"30 "));
}

async fn removes_only_the_version_that_was_read(store: &SharedStore) {
    put(store, "state/old", "old").await;
    let old = store.read("state/old", 10).await.unwrap().version;
    put(store, "state/old", "new").await;
    assert!(!store.remove("state/old", &old).await.unwrap());
    assert_eq!(read(store, "state/old").await, "new");
    let new = store.read("state/old", 10).await.unwrap().version;
    assert!(store.remove("state/old", &new).await.unwrap());
    assert!(!store.remove("state/old", &new).await.unwrap());
}

async fn says_what_is_not_there(store: &SharedStore) {
    put(store, "here", "x").await;
    for error in [store.get("not/here").await.unwrap_err(), store.head("not/here").await.unwrap_err()] {
        assert_eq!(error.kind, StoreErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains("not/here"), "{error}");
    }
    assert_eq!(store.list("not/here/").await.unwrap(), Listing::default());
}

async fn forgets_what_is_deleted(store: &SharedStore) {
    put(store, "a/b", "x").await;
    store.delete("a/b").await.unwrap();
    store.delete("a/b").await.unwrap();
    assert!(store.get("a/b").await.unwrap_err().is_not_found());
}

async fn lists_one_level(store: &SharedStore) {
    for key in ["top", "d/b", "d/a", "d/sub/x", "d/sub/y", "d2/z", "dz"] {
        put(store, key, "12345").await;
    }
    let root = store.list("").await.unwrap();
    assert_eq!(root.folders, ["d/", "d2/"]);
    assert_eq!(keys(&root), ["dz", "top"]);
    let below = store.list("d/").await.unwrap();
    assert_eq!(below.folders, ["d/sub/"]);
    assert_eq!(keys(&below), ["d/a", "d/b"]);
    assert!(below.objects.iter().all(|entry| entry.attributes.size == 5));
}

async fn lists_everything_below_a_prefix(store: &SharedStore) {
    for key in ["t/a", "t/b/c", "t/b/d/e", "t/bc", "tb", "t2/x"] {
        put(store, key, "12345").await;
    }
    let below = async |prefix: &str| {
        let found = store.list_all(prefix).await.unwrap();
        assert!(found.iter().all(|entry| entry.attributes.size == 5));
        found.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    assert_eq!(below("t/").await, ["t/a", "t/b/c", "t/b/d/e", "t/bc"]);
    assert_eq!(below("t/b").await, ["t/b/c", "t/b/d/e", "t/bc"], "a prefix may end in a name");
    assert_eq!(below("t/b/").await, ["t/b/c", "t/b/d/e"]);
    assert!(below("t/x/").await.is_empty());
    let after = async |after: &str, limit| {
        let found = store.list_after("t/", after, limit).await.unwrap();
        found.into_iter().map(|entry| entry.key).collect::<Vec<_>>()
    };
    assert_eq!(after("", 2).await, ["t/a", "t/b/c"]);
    assert_eq!(after("t/b/c", 9).await, ["t/b/d/e", "t/bc"]);
    assert_eq!(after("t/b/cc", 1).await, ["t/b/d/e"], "nothing needs to be where it begins");
    assert!(after("t/bc", 1).await.is_empty());
}

async fn takes_keys_as_they_are(store: &SharedStore) {
    for key in ODD_KEYS {
        put(store, key, key).await;
    }
    for key in ODD_KEYS {
        assert_eq!(read(store, key).await, key);
        let folder = key.rfind('/').map_or("", |at| &key[..=at]);
        assert!(keys(&store.list(folder).await.unwrap()).contains(&key), "{key:?} is listed");
        store.delete(key).await.unwrap();
        assert!(store.head(key).await.unwrap_err().is_not_found(), "{key:?} is gone");
    }
}

async fn lists_every_page(store: &SharedStore) {
    let writes = futures::stream::iter(0..1500).map(|number| {
        let store = SharedStore::clone(store);
        async move { put(&store, &format!("many/{number:04}"), "x").await }
    });
    writes.buffer_unordered(16).collect::<Vec<_>>().await;
    let listing = store.list("many/").await.unwrap();
    let expected: Vec<_> = (0..1500).map(|number| format!("many/{number:04}")).collect();
    assert_eq!(keys(&listing), expected);
}

async fn streams_large_bodies(store: &SharedStore) {
    let bytes: Vec<u8> = (0u32..6_000_000).flat_map(u32::to_le_bytes).collect();
    store.put("large", bytes.clone().into()).await.unwrap();
    let mut body = store.get("large").await.unwrap().body;
    let (mut read, mut largest) = (Vec::new(), 0);
    while let Some(piece) = body.next().await {
        let piece = piece.unwrap();
        largest = largest.max(piece.len());
        read.extend_from_slice(&piece);
    }
    assert!(read == bytes, "the bytes come back in order");
    assert!(largest < 4 << 20, "no piece holds the whole: {largest}");
}

/// Each rule, against the folder, a bucket and a prefix of a bucket.
macro_rules! every_store {
    ($($rule:ident)*) => {$(
        mod $rule {
            #[tokio::test]
            async fn in_a_folder() {
                super::$rule(&super::folder().store).await;
            }
            #[tokio::test]
            async fn in_a_bucket() {
                super::$rule(&super::s3("s3://bucket").await.store).await;
            }
            #[tokio::test]
            async fn below_a_prefix_of_a_bucket() {
                super::$rule(&super::s3("s3://bucket/deep/er").await.store).await;
            }
        }
    )*};
}

every_store! {
    keeps_what_is_written
    creates_only_what_is_not_there
    makes_objects_of_files_where_there_are_none
    replaces_only_the_version_that_was_read
    says_what_is_not_there
    forgets_what_is_deleted
    lists_one_level
    lists_everything_below_a_prefix
    takes_keys_as_they_are
    lists_every_page
    streams_large_bodies
}

/// Rules of those who write at the same time, and of conditional removal: the S3 server above compares first and writes
/// later, and looks at no condition of a removal.
macro_rules! every_strict_store {
    ($($rule:ident)*) => {$(
        mod $rule {
            #[tokio::test]
            async fn in_a_folder() {
                super::$rule(&super::folder().store).await;
            }
            #[tokio::test]
            async fn in_moto() {
                super::$rule(&super::moto().await.store).await;
            }
        }
    )*};
}

every_strict_store! {
    loses_no_update
    removes_only_the_version_that_was_read
}
