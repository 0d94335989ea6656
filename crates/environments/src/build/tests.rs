use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use buildhub_core::store::{FolderStore, Location, S3Settings};
use buildhub_core::{Deadline, Variables};
use buildhub_http::HttpSettings;
use buildhub_testkit::environments::{File, Metadata, Recipe, Workshop, createrepo, createrepo_by};
use buildhub_testkit::site::{ArchiveSite, Content};
use jiff::Timestamp;
use tempfile::TempDir;

use super::cut::{MARGIN, within};
use super::*;
use crate::chroot as root;
use crate::places::Places;
use crate::progress::{Nobody, Progress};
use crate::publish::Publisher;
use crate::rpm;
use crate::tree::{Spool, merge};

const ONE: NonZeroU32 = NonZeroU32::MIN;

fn builder(scratch: &Path, memory: Option<u64>) -> Builder {
    let places = Places::new(S3Settings::from_variables(&Variables::default()).unwrap(), &HttpSettings::default());
    Builder::new(places.unwrap(), Means { scratch: scratch.to_owned(), threads: ONE, memory, disk: None })
}

/// A repository of two packages and their sources, an uploaded root, and where all of it lies.
struct Offer {
    workshop: Workshop,
    scratch: TempDir,
}

impl Offer {
    fn new() -> Self {
        let workshop = Workshop::create().unwrap();
        let recipe = |name: &str| {
            Recipe::new(name)
                .file(File::new(format!("/usr/share/{name}/first"), name.repeat(100_000)))
                .file(File::new(format!("/usr/share/{name}/second"), "x".repeat(300_000)))
        };
        workshop.build_with_sources(&[recipe("tool").requires("library"), recipe("library")]).unwrap();
        for folder in [workshop.packages().to_owned(), workshop.sources()] {
            createrepo(&folder, Metadata::Gzip).unwrap();
        }
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(1_000_000);
        tar.append_data(&mut header, "usr/share/file", "y".repeat(1_000_000).as_bytes()).unwrap();
        std::fs::write(workshop.sources().with_file_name("root.tar"), tar.into_inner().unwrap()).unwrap();
        Self { workshop, scratch: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> std::path::PathBuf {
        self.workshop.packages().parent().unwrap().to_owned()
    }

    /// What is asked of it, at an address: a folder beside, or the web.
    fn order(&self, source: &str, at: &str) -> Order {
        let what = match source {
            "rpm-repo" => format!(
                "packages = [\"tool\"]\noci = true\n[[repo]]\nid = \"a\"\nurl = \"{at}RPMS\"\nsources = \"{at}SRPMS\""
            ),
            _ => format!("root = \"{at}root.tar\""),
        };
        let text = format!("[environment]\nsource = \"{source}\"\narch = \"x86_64\"\n{what}\n");
        Order::of_text(&text, "d.toml", Location::Folder(self.folder())).unwrap()
    }

    fn builder(&self) -> Builder {
        builder(self.scratch.path(), None)
    }

    async fn locked(&self, builder: &Builder, source: &str) -> (Lock, Workspace) {
        let mut work = builder.workspace().unwrap();
        let order = self.order(source, "");
        (builder.resolve(&order, &mut work, Timestamp::UNIX_EPOCH, &Nobody).await.unwrap(), work)
    }
}

/// Everything that was told, a step once.
#[derive(Default)]
struct Heard(Mutex<Vec<(String, u64, Option<u64>)>>);

impl Progress for Heard {
    fn at(&self, step: &str, done: u64, total: Option<u64>) {
        let mut all = self.0.lock().unwrap();
        if all.last().is_some_and(|(last, ..)| last == step) {
            all.pop();
        }
        all.push((step.to_owned(), done, total));
    }
}

#[tokio::test]
async fn every_long_step_tells_how_far_it_is_down_to_its_end() {
    let offer = Offer::new();
    for (source, expected) in [
        (
            "rpm-repo",
            &[
                "fetching packages",
                "merging packages",
                "compressing",
                "writing the image",
                "fetching source packages",
                "uploading",
            ][..],
        ),
        ("chroot-tar", &["fetching the root", "reading the root", "compressing", "uploading"]),
    ] {
        let (heard, out) = (Heard::default(), tempfile::tempdir().unwrap());
        let publisher = Publisher::new(Arc::new(FolderStore::new(out.path())));
        let order = offer.order(source, "");
        let now = Timestamp::UNIX_EPOCH;
        offer.builder().publish(&order, &publisher, now, Deadline::NONE, &heard).await.unwrap();
        let heard = heard.0.into_inner().unwrap();
        let ended = heard.iter().filter(|(_, done, total)| *total == Some(*done) && *done > 0);
        assert_eq!(ended.map(|(step, ..)| step.as_str()).collect::<Vec<_>>(), expected, "{heard:?}");
    }
}

#[tokio::test]
async fn work_whose_time_is_over_ends_and_says_so_whether_it_merges_reads_or_compresses() {
    let offer = Offer::new();
    let (builder, over) = (offer.builder(), Deadline::after(Duration::ZERO));
    let (lock, mut work) = offer.locked(&builder, "rpm-repo").await;
    let late = |outcome: Result<(), BuildError>| assert!(matches!(outcome, Err(BuildError::Late)), "{outcome:?}");
    late(builder.packages(&lock, &mut work, ONE, over, &Nobody).await.map(drop));
    let tree = builder.packages(&lock, &mut work, ONE, Deadline::NONE, &Nobody).await.unwrap();
    late(archive::write(&lock, tree, &mut work, ONE, over, &Nobody).await.map(drop));
    let (lock, mut work) = offer.locked(&builder, "chroot-tar").await;
    late(builder.root(&lock, &mut work, ONE, over, &Nobody).await.map(drop));
    builder.root(&lock, &mut work, ONE, Deadline::NONE, &Nobody).await.unwrap();
}

/// What waits is dropped, also an upload or a download that hangs. The list is written behind that, by whoever is in time.
#[tokio::test]
async fn what_hangs_is_given_up_when_only_the_time_for_an_answer_is_left() {
    let soon = Deadline::after(MARGIN + Duration::from_millis(20));
    let outcome = within(soon, std::future::pending::<Result<(), BuildError>>()).await;
    assert!(matches!(outcome, Err(BuildError::Late)), "{outcome:?}");
    assert!(BuildError::Late.is_transient());
}

/// Breaks off when something is done, so that it is in the midst of it.
fn after(bytes: u64) -> impl FnMut(u64) -> std::io::Result<()> {
    move |done| if done > bytes { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(()) }
}

#[tokio::test]
async fn everything_that_takes_long_can_be_broken_off_in_its_midst() {
    let offer = Offer::new();
    let builder = offer.builder();
    let (lock, mut work) = offer.locked(&builder, "rpm-repo").await;
    let files = offer.workshop.packages().read_dir().unwrap().map(|entry| entry.unwrap().path());
    let packages = files.filter(|path| path.extension().is_some_and(|end| end == "rpm"));
    let packages: Vec<_> = packages.map(|path| rpm::Package::open(&path).unwrap()).collect();
    let spool = || Spool::create(offer.scratch.path()).unwrap();
    let identity = &lock.identity;
    // In the second package, in the archive's second file, in the layer's, and in the root's contents.
    let first = packages.iter().map(rpm::Package::size).min().unwrap();
    assert!(merge(&packages, identity, &mut spool(), &mut after(first)).is_err());
    let tree = builder.packages(&lock, &mut work, ONE, Deadline::NONE, &Nobody).await.unwrap();
    let (entries, contents) = (&tree.entries, &tree.spool);
    let half = crate::archive::tar_size(entries) / 2;
    let encoder = &identity.encoder;
    assert!(crate::archive::write(entries, contents, encoder, ONE, Vec::new(), &mut after(half)).is_err());
    let folder = offer.scratch.path().join("image");
    assert!(crate::archive::write_oci(entries, contents, "x86_64", 0, &folder, &mut after(half)).is_err());
    let upload = std::fs::read(offer.folder().join("root.tar")).unwrap();
    let (lock, _) = offer.locked(&builder, "chroot-tar").await;
    let limits = root::Limits::default();
    let read = |pulse: &mut crate::progress::Pulse<'_>| {
        root::read(upload.as_slice(), &lock.identity, &limits, &mut spool(), pulse).map(drop)
    };
    assert!(read(&mut after(500_000)).is_err());
    read(&mut after(u64::MAX)).unwrap();
}

#[tokio::test]
async fn packages_whose_headers_take_more_memory_than_there_is_are_refused_by_name() {
    let offer = Offer::new();
    let encoder = crate::archive::memory(&crate::archive::encoder(), ONE).unwrap();
    // What is neither compressing nor buffers: less than two packages take.
    let builder = builder(offer.scratch.path(), Some(encoder + (32 << 20) + 6_000));
    let (lock, mut work) = offer.locked(&offer.builder(), "rpm-repo").await;
    let error = builder.packages(&lock, &mut work, ONE, Deadline::NONE, &Nobody).await.unwrap_err();
    assert!(matches!(&error, BuildError::Headers { package, .. } if package == "tool-1-1.x86_64"), "{error}");
    assert!(error.to_string().contains("up to tool-1-1.x86_64, take 1 MiB of memory, and there are 0 MiB"), "{error}");
}

/// There is a time for fetching and reading what only tells hashes, and it is asked for too.
#[tokio::test]
async fn what_there_is_no_time_for_is_refused_before_anything_is_fetched() {
    let offer = Offer::new();
    for folder in [offer.workshop.packages().to_owned(), offer.workshop.sources()] {
        std::fs::remove_dir_all(folder.join("repodata")).unwrap();
        createrepo_by("sha512", &folder, Metadata::Gzip).unwrap();
    }
    let (web, out) = (ArchiveSite::start(Content::folder(offer.folder())).await.unwrap(), tempfile::tempdir().unwrap());
    let publisher = Publisher::new(Arc::new(FolderStore::new(out.path().join("out"))));
    for (source, file) in [("rpm-repo", "/RPMS/tool-1-1.x86_64.rpm"), ("chroot-tar", "/root.tar")] {
        let (order, soon) = (offer.order(source, &web.url()), Deadline::after(Duration::from_secs(12)));
        let outcome = offer.builder().publish(&order, &publisher, Timestamp::UNIX_EPOCH, soon, &Nobody).await;
        let error = outcome.unwrap_err();
        assert!(matches!(error, BuildError::DoesNotFit { what: "time", .. }), "{error}");
        // Its size is asked for, and no more is read.
        assert!(web.requests_for(file) <= u64::from(source == "chroot-tar"), "{file}");
        assert!(!out.path().join("out").exists());
    }
}
