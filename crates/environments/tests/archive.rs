//! An archive of a tree: the same bytes each time, and others' programs read it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod roots;

use std::num::NonZeroU32;

use buildhub_environments::archive::{self, Archive, ArchiveError, Oci};
use buildhub_environments::lock::Encoder;
use buildhub_environments::tree::{Content, Entries, Entry, Kind, Path, Spool};
use roots::{Tar, identity, is_root, pipe, read, run};

/// The encoder with small blocks and a quick preset, so that little is enough for several, and soon.
fn small_blocks() -> Encoder {
    Encoder { preset: 2, block_size: 1 << 20, ..archive::encoder() }
}

fn compress(entries: &Entries, spool: &Spool, threads: u32) -> (Archive, Vec<u8>) {
    let mut out = Vec::new();
    let threads = NonZeroU32::new(threads).unwrap();
    let mut done = 0;
    let mut pulse = |bytes| {
        done = bytes;
        Ok(())
    };
    let archive = archive::write(entries, spool, &small_blocks(), threads, &mut out, &mut pulse).unwrap();
    assert_eq!((done, archive.size), (archive.tar_size, out.len() as u64));
    assert_eq!(archive.tar_size, archive::tar_size(entries));
    (archive, out)
}

fn sha256(bytes: &[u8]) -> String {
    String::from_utf8(pipe("sha256sum", &[], bytes)).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// Three and a half blocks that compress.
fn large() -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(7);
    let words: Vec<[u8; 4096]> = (0..64).map(|_| std::array::from_fn(|_| random.u8(..))).collect();
    (0..7 << 7).flat_map(|_| words[random.usize(..64)]).collect()
}

#[test]
fn one_lock_gives_the_same_bytes_with_any_number_of_threads() {
    let tar = Tar::default().file("usr/large", &large()).folder("etc").file("etc/hosts", b"x").end();
    let (root, spool) = read(&tar, &identity()).unwrap();
    let (first, bytes) = compress(&root.entries, &spool, 1);
    assert!(bytes.len() as u64 * 2 < first.tar_size);
    for threads in [2, 3] {
        let (again, others) = compress(&root.entries, &spool, threads);
        assert_eq!(again, first);
        assert!(others == bytes, "{threads} threads give other bytes");
    }
    // The names are those of the bytes, and `xz` finds several blocks in them.
    assert_eq!(first.sha256, sha256(&bytes));
    assert_eq!(first.tar_sha256, sha256(&pipe("xz", &["-dc"], &bytes)));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.xz"), &bytes).unwrap();
    let list = run("xz", &["--robot", "--list", "a.xz"], folder.path());
    let blocks: Vec<&str> = list.lines().find(|line| line.starts_with("file")).unwrap().split('\t').collect();
    assert_eq!((blocks[2], blocks[6]), ("4", "CRC64"), "{list}");

    // The tar by itself is the same, and what was read of it is read of it again.
    let mut plain = Vec::new();
    let written = archive::write_tar(&root.entries, &spool, &mut plain, &mut |_| Ok(())).unwrap();
    assert_eq!(written, (first.tar_sha256, first.tar_size));
    let (again, _) = read(&plain, &identity()).unwrap();
    let without_place = |entries: Entries| {
        let clean = |entry: Entry| match entry.kind {
            Kind::File(content) => Entry { kind: Kind::File(Content { at: 0, ..content }), ..entry },
            _ => entry,
        };
        entries.into_iter().map(|(path, entry)| (path, clean(entry))).collect::<Entries>()
    };
    assert_eq!(without_place(again.entries), without_place(root.entries));
}

#[test]
fn gnu_tar_unpacks_an_archive_as_the_root_was() {
    let folder = tempfile::tempdir().unwrap();
    let [before, after] = ["before", "after"].map(|name| folder.path().join(name));
    std::fs::create_dir(&before).unwrap();
    std::fs::create_dir(&after).unwrap();
    let script = "d=$(printf 'd%.0s' $(seq 150)); n=$(printf 'n%.0s' $(seq 120)); mkdir -p usr/lib $d; printf x >usr/a; \
                  ln usr/a usr/z; ln -s /usr/a $d/absolute; printf 'y%.0s' $(seq 1000) >$d/$n; mkdir m; touch m.pm m/x; touch -d @7 usr/a m; \
                  touch -d @8589934592 usr/lib; chmod 1777 usr/lib; chmod 0 $d/$n";
    run("sh", &["-ec", script], &before);
    if is_root() {
        run("sh", &["-ec", "chown 3000000:7 usr/lib; chown -h 5:6 d*/absolute; setcap cap_net_raw+ep usr/a"], &before);
    }
    let upload = pipe("tar", &["-C", before.to_str().unwrap(), "-c", "--xattrs", "--xattrs-include=*", "."], b"");
    let mut identity = identity();
    identity.setuid = vec!["/usr/a".into(), "/usr/z".into()];
    let (root, spool) = read(&upload, &identity).unwrap();
    let (_, archive) = compress(&root.entries, &spool, 1);
    pipe("tar", &["-C", after.to_str().unwrap(), "-xJp", "--xattrs", "--xattrs-include=*"], &archive);
    let list = "find . -printf '%p %y %m %U %G %Ts %n %l\\n' | sed 's/[.]0*$//' | sort; find . -type f -exec sha256sum {} + | sort; \
                getcap -r .";
    let [expected, found] = [&before, &after].map(|folder| run("sh", &["-ec", list], folder));
    assert_eq!(found, expected);
}

#[test]
fn a_tree_that_nobody_could_unpack_is_not_written() {
    let spool = Spool::create(&std::env::temp_dir()).unwrap();
    let path = |text: &str| Path::new(text.as_bytes()).unwrap();
    let entry = |kind| Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, capability: None };
    let write = |entries: Entries| archive::write_tar(&entries, &spool, std::io::sink(), &mut |_| Ok(()));

    let no_folder = Entries::from([(path("a/b"), entry(Kind::File(Content::default())))]);
    assert!(matches!(write(no_folder), Err(ArchiveError::NoParent { .. })));
    for (name, target) in [("a", "b"), ("c", "gone"), ("c", "d")] {
        let link = (path(name), entry(Kind::Hardlink(path(target))));
        let entries = Entries::from([
            (path("b"), entry(Kind::File(Content::default()))),
            (path("d"), entry(Kind::Directory)),
            link,
        ]);
        assert!(matches!(write(entries), Err(ArchiveError::NoTarget { .. })), "{name} {target}");
    }
    // Contents that are not on disk.
    let lost = Entries::from([(path("a"), entry(Kind::File(Content { at: 0, size: 1 })))]);
    assert!(matches!(write(lost), Err(ArchiveError::Read { .. })));
}

#[test]
fn a_full_disk_is_an_error_that_says_so() {
    let tar = Tar::default().file("usr/large", &large()).end();
    let (root, spool) = read(&tar, &identity()).unwrap();
    let out = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let result = archive::write(&root.entries, &spool, &small_blocks(), NonZeroU32::MIN, out, &mut |_| Ok(()));
    let error = result.unwrap_err().to_string();
    assert!(error.contains("No space left on device"), "{error}");
}

/// A root with everything that a layer can have.
fn root() -> (Entries, Spool) {
    let tar = Tar::default()
        .member("./", b'5', 0o755, "", b"")
        .folder("etc")
        .member("etc/shadow", b'0', 0o600, "", b"root")
        .file("usr/a", &[b'x'; 5000])
        .link("usr/z", b'1', "usr/a")
        .link("bin", b'2', "usr/bin");
    let (root, spool) = read(&tar.end(), &identity()).unwrap();
    (root.entries, spool)
}

fn write_oci(entries: &Entries, spool: &Spool, folder: &std::path::Path) -> Oci {
    archive::write_oci(entries, spool, "x86_64", 1_700_000_000, folder, &mut |_| Ok(())).unwrap()
}

#[test]
fn skopeo_and_umoci_accept_the_image_layout_and_unpack_what_the_archive_has() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let (entries, spool) = root();
    let written = write_oci(&entries, &spool, &layout);

    // The layer is the tar of the archive.
    let (archive, bytes) = compress(&entries, &spool, 1);
    assert_eq!(written.layer_sha256, archive.tar_sha256);
    let layer = std::fs::read(layout.join("blobs/sha256").join(&written.layer_sha256)).unwrap();
    assert!(pipe("xz", &["-dc"], &bytes) == layer);

    let inspected = run("skopeo", &["inspect", "oci:layout:latest"], folder.path());
    let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
    assert_eq!(inspected["Digest"], format!("sha256:{}", written.manifest_sha256));
    assert_eq!((&inspected["Architecture"], &inspected["Created"]), (&"amd64".into(), &"2023-11-14T22:13:20Z".into()));
    let copy = ["copy", "--quiet", "--insecure-policy", "oci:layout:latest", "dir:copied"];
    run("skopeo", &copy, folder.path());
    assert!(folder.path().join("copied").join(&written.layer_sha256).is_file());

    let rootless: &[&str] = if is_root() { &[] } else { &["--rootless"] };
    run("umoci", &[&["unpack", "--image", "layout:latest"][..], rootless, &["bundle"]].concat(), folder.path());
    let list = "find . -mindepth 1 -printf '%p %y %m %s %n %l\\n' | sort";
    let unpacked = run("sh", &["-ec", list], &folder.path().join("bundle/rootfs"));
    std::fs::create_dir(folder.path().join("tar")).unwrap();
    pipe("tar", &["-C", folder.path().join("tar").to_str().unwrap(), "-xJp"], &bytes);
    assert_eq!(unpacked, run("sh", &["-ec", list], &folder.path().join("tar")));
}

#[test]
fn an_image_layout_is_the_same_bytes_each_time_and_names_nothing_before_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (entries, spool) = root();
    let [first, second] = ["a", "b"].map(|name| {
        let folder = folder.path().join(name);
        (write_oci(&entries, &spool, &folder), run("sh", &["-ec", "find . -type f | sort | xargs sha256sum"], &folder))
    });
    assert_eq!(first, second);
    let (written, sums) = first;
    assert_eq!(written.files.len(), sums.lines().count());
    assert_eq!(written.files.last().unwrap(), std::path::Path::new("index.json"));
    for line in sums.lines().filter(|line| line.contains("/blobs/")) {
        let (sum, name) = line.split_once("  ./blobs/sha256/").unwrap();
        assert_eq!(sum, name);
    }
}

#[test]
fn a_file_that_containers_would_take_for_a_removal_is_refused_in_an_image() {
    let (root, spool) = read(&Tar::default().file("usr/.wh.a", b"x").end(), &identity()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let error = archive::write_oci(&root.entries, &spool, "x86_64", 0, folder.path(), &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("/usr/.wh.a cannot be in a container's image"), "{error}");
}

/// Whatever a header says, as long as its checksum is right.
#[test]
fn a_root_whose_headers_are_mixed_up_is_refused_or_written_as_it_was_read() {
    let whole = Tar::default()
        .folder("etc")
        .about(&[("path", b"etc/hosts"), ("mtime", b"7.5"), ("linkpath", b"b")])
        .file("a", b"contents")
        .link("usr", b'2', "etc")
        .link("z", b'1', "etc/hosts")
        .member("././@LongLink", b'L', 0o644, "", b"lib/long\0")
        .file("lib/x", b"")
        .end();
    assert!(read(&whole, &identity()).is_ok());
    let mut random = fastrand::Rng::with_seed(42);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..4000 {
        let mut tar = whole.clone();
        for _ in 0..random.usize(1..4) {
            let start = random.usize(..tar.len() / 512) * 512;
            let place =
                [random.usize(..12), 100 + random.usize(..57), 156, 157 + random.usize(..8), random.usize(..512)];
            let values = *b"\0/.0157xLKgS\xff\x80a";
            tar[start + place[random.usize(..place.len())]] = values[random.usize(..values.len())];
            let block = &mut tar[start..start + 512];
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        let Ok((root, spool)) = read(&tar, &identity()) else {
            refused += 1;
            continue;
        };
        taken += 1;
        let mut written = Vec::new();
        archive::write_tar(&root.entries, &spool, &mut written, &mut |_| Ok(())).unwrap();
        let (again, other) = read(&written, &identity()).unwrap();
        let mut twice = Vec::new();
        archive::write_tar(&again.entries, &other, &mut twice, &mut |_| Ok(())).unwrap();
        assert!(written == twice);
    }
    assert!(taken > 100 && refused > 100, "{taken} {refused}");
}
