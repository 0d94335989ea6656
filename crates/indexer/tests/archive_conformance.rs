//! What every archive does, whichever way it is read: one suite over a site, an S3 bucket and a folder, all of which
//! show the same files.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use buildhub_core::store::{FolderStore, S3Settings, Stores};
use buildhub_http::{Http, HttpSettings};
use buildhub_indexer::archive::{
    BucketArchive, FileFacts, Folder, MAX_FILE, SharedArchive, SiteArchive, beginning_with, below,
};
use buildhub_testkit::s3::S3Server;
use buildhub_testkit::sample::{Kind, Sample, SampleSpec};
use buildhub_testkit::site::{ArchiveSite, Content};
use jiff::Timestamp;
use tempfile::TempDir;

/// Names that somebody has encoded wrongly once: for a form, twice, or not at all.
const ODD_NAMES: [&str; 9] = [
    "Firefox Setup 60.0.exe",
    "a+b.zip",
    "100%25.txt",
    "100%.txt",
    "Firefox – café €.dmg",
    "what?.json",
    "half#way.json",
    "quote\"'<tag>&amp;;,=@:$!*(1.0rc1, en-US).exe",
    "\\back[slash]{brace}|pipe^~`.txt",
];

const DATE: i64 = 1_526_000_000;

/// The three ways to read one archive, and what must live as long as they do.
struct World {
    archives: Vec<(&'static str, SharedArchive)>,
    _folder: TempDir,
    _servers: (ArchiveSite, S3Server),
}

impl World {
    /// An archive of these files.
    async fn of(fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("archive");
        std::fs::create_dir(&root).unwrap();
        fill(&root);
        let site = ArchiveSite::start(Content::folder(&root)).await.unwrap();
        let s3 = S3Server::start().await.unwrap();
        s3.link_bucket("builds", &root).unwrap();
        let settings = S3Settings::from_variables(&s3.variables().into_iter().collect()).unwrap();
        let bucket = Stores::new(settings).open(&"s3://builds".parse().unwrap()).await;
        let http = Http::new(&HttpSettings { retries: 0, ..HttpSettings::default() }).unwrap();
        let archives: Vec<(&str, SharedArchive)> = vec![
            ("site", Arc::new(SiteArchive::new(http, site.url().parse().unwrap()))),
            ("bucket", Arc::new(BucketArchive::new(bucket))),
            ("folder", Arc::new(BucketArchive::new(Arc::new(FolderStore::new(&root))))),
        ];
        Self { archives, _folder: folder, _servers: (site, s3) }
    }
}

/// Writes a file with [`DATE`] and some milliseconds more, which no archive may show.
fn write(root: &Path, key: &str, bytes: &[u8]) {
    let path = root.join(key);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let date = SystemTime::UNIX_EPOCH + Duration::from_secs(DATE.unsigned_abs()) + Duration::from_millis(300);
    std::fs::File::options().write(true).open(path).unwrap().set_modified(date).unwrap();
}

fn facts(size: u64) -> FileFacts {
    FileFacts { size, date: Timestamp::from_second(DATE).unwrap() }
}

/// Archives list in no order that is promised.
fn sorted(mut folder: Folder) -> Folder {
    folder.folders.sort();
    folder.files.sort_by(|a, b| a.0.cmp(&b.0));
    folder
}

#[tokio::test]
async fn a_file_is_read_and_described() {
    let world = World::of(|root| write(root, "pub/firefox/a.json", b"{\"buildid\": 1}")).await;
    for (name, archive) in &world.archives {
        assert_eq!(archive.get("pub/firefox/a.json").await.unwrap().unwrap(), "{\"buildid\": 1}", "{name}");
        assert_eq!(archive.head("pub/firefox/a.json").await.unwrap(), Some(facts(14)), "{name}: in whole seconds");
    }
}

#[tokio::test]
async fn what_is_not_there_is_no_fault() {
    let world = World::of(|root| write(root, "pub/firefox/a.json", b"x")).await;
    for (name, archive) in &world.archives {
        for key in ["pub/firefox/b.json", "pub/firefox/a.json/b", "nowhere/at all.json"] {
            assert_eq!(archive.get(key).await.unwrap(), None, "{name} {key}");
            assert_eq!(archive.head(key).await.unwrap(), None, "{name} {key}");
        }
        for folder in ["pub/thunderbird/", "nowhere/", "pub/fire/"] {
            assert_eq!(archive.list(folder).await.unwrap(), Folder::default(), "{name} {folder}");
        }
    }
}

#[tokio::test]
async fn odd_names_are_read_described_and_listed_as_they_are() {
    let fill = |root: &Path| {
        for name in ODD_NAMES {
            write(root, &format!("pub/odd folder + 1%/{name}"), name.as_bytes());
        }
    };
    let world = World::of(fill).await;
    for (kind, archive) in &world.archives {
        for name in ODD_NAMES {
            let key = format!("pub/odd folder + 1%/{name}");
            assert_eq!(archive.get(&key).await.unwrap().unwrap(), name.as_bytes(), "{kind} {name}");
            assert_eq!(archive.head(&key).await.unwrap(), Some(facts(name.len() as u64)), "{kind} {name}");
        }
        let mut expected: Vec<_> =
            ODD_NAMES.iter().map(|name| ((*name).to_owned(), facts(name.len() as u64))).collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        let listing = sorted(archive.list("pub/odd folder + 1%/").await.unwrap());
        assert_eq!(listing, Folder { folders: Vec::new(), files: expected }, "{kind}");
        assert_eq!(archive.list("pub/").await.unwrap().folders, ["odd folder + 1%"], "{kind}");
    }
}

#[tokio::test]
async fn a_listing_has_the_folders_and_files_directly_below() {
    let fill = |root: &Path| {
        for key in ["pub/a.txt", "pub/build1/x/deep.txt", "pub/build12/y.txt", "pub/build1/z.txt", "public.txt"] {
            write(root, key, b"1");
        }
    };
    let world = World::of(fill).await;
    for (name, archive) in &world.archives {
        let listing = sorted(archive.list("pub/").await.unwrap());
        assert_eq!(listing.folders, ["build1", "build12"], "{name}");
        assert_eq!(listing.files, [("a.txt".to_owned(), facts(1))], "{name}");
        let root = sorted(archive.list("").await.unwrap());
        assert_eq!((root.folders.as_slice(), root.files.len()), (&["pub".to_owned()][..], 1), "{name}");
    }
}

#[tokio::test]
async fn an_empty_file_is_one_and_a_file_too_large_for_metadata_is_refused_by_name() {
    let fill = |root: &Path| {
        write(root, "empty.json", b"");
        std::fs::File::create(root.join("large.json")).unwrap().set_len(MAX_FILE as u64 + 1).unwrap();
    };
    let world = World::of(fill).await;
    for (name, archive) in &world.archives {
        assert_eq!(archive.get("empty.json").await.unwrap().unwrap(), "", "{name}");
        assert_eq!(archive.head("empty.json").await.unwrap(), Some(facts(0)), "{name}");
        let error = archive.get("large.json").await.unwrap_err().to_string();
        assert!(error.contains("large.json") && error.contains("larger than"), "{name}: {error}");
    }
}

#[tokio::test]
async fn the_sample_is_the_same_whichever_way_it_is_read() {
    const FOLDERS: usize = 60;
    let sample = Sample::new(SampleSpec::of(2_000));
    let world = World::of(|root| sample.write_archive(root).unwrap()).await;
    let [(_, site), others @ ..] = world.archives.as_slice() else { panic!("there are archives") };

    let mut queue = vec!["pub/".to_owned()];
    let mut seen = 0;
    while let Some(folder) = queue.pop()
        && seen < FOLDERS
    {
        seen += 1;
        let listing = sorted(site.list(&folder).await.unwrap());
        assert_ne!(listing, Folder::default(), "{folder}");
        for (name, other) in others {
            assert_eq!(sorted(other.list(&folder).await.unwrap()), listing, "{name} {folder}");
        }
        queue.extend(listing.folders.iter().map(|name| format!("{folder}{name}/")));
    }
    assert_eq!(seen, FOLDERS);

    let metadata: Vec<_> = sample.objects().filter(|object| object.kind == Kind::Metadata).collect();
    assert!(metadata.len() > 30);
    for object in &metadata {
        let body = site.get(&object.key).await.unwrap().unwrap();
        let head = site.head(&object.key).await.unwrap().unwrap();
        assert_eq!((head.size, head.date), (body.len() as u64, object.last_modified));
        for (name, other) in others {
            assert_eq!(other.get(&object.key).await.unwrap().unwrap(), body, "{name} {}", object.key);
            assert_eq!(other.head(&object.key).await.unwrap(), Some(head), "{name} {}", object.key);
        }
    }
}

#[tokio::test]
async fn everything_below_a_folder_is_listed_the_same_whether_at_once_or_folder_by_folder() {
    let keys = ["pub/v/mac/fr/a.dmg", "pub/v/mac/fr/b.json", "pub/v/mac/x.txt", "pub/v/mac-EME-free/fr/a.dmg"];
    let world = World::of(|root| keys.iter().for_each(|key| write(root, key, b"1"))).await;
    for (name, archive) in &world.archives {
        let mut found = below(&**archive, "pub/v/mac/").await.unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected: Vec<_> = keys[..3].iter().map(|key| ((*key).to_owned(), facts(1))).collect();
        assert_eq!(found, expected, "{name}");
        assert!(below(&**archive, "pub/v/linux/").await.unwrap().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_files_of_a_folder_that_begin_alike_are_listed_without_what_lies_deeper() {
    let keys = ["pub/n/firefox.mac.dmg", "pub/n/firefox.mac.json", "pub/n/firefox.win.json", "pub/n/firefox.mac/x"];
    let world = World::of(|root| keys.iter().for_each(|key| write(root, key, b"1"))).await;
    for (name, archive) in &world.archives {
        let mut found = beginning_with(&**archive, "pub/n/firefox.mac").await.unwrap();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let expected: Vec<_> = keys[..2].iter().map(|key| ((*key).to_owned(), facts(1))).collect();
        assert_eq!(found, expected, "{name}");
    }
}
