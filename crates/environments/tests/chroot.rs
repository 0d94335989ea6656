//! An uploaded root: what is refused, what is left out, what becomes of the rest.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod roots;

use std::collections::BTreeMap;
use std::io::Read as _;

use buildhub_environments::chroot::{ChrootError, Limits, Root};
use buildhub_environments::decompress::Compression;
use buildhub_environments::definition::Exclude;
use buildhub_environments::tree::{Entry, Kind, Path, Spool};
use buildhub_environments::{archive, legal};
use buildhub_testkit::environments::{File, Recipe, Workshop};
use roots::{Tar, exclude, identity, is_root, pipe, read, read_within, run};

fn at<'a>(root: &'a Root, path: &str) -> &'a Entry {
    root.entries.get(&Path::new(path.as_bytes()).unwrap()).unwrap_or_else(|| panic!("there is no {path}"))
}

fn paths(root: &Root) -> Vec<String> {
    root.entries.keys().map(ToString::to_string).collect()
}

fn contents(spool: &Spool, entry: &Entry) -> Vec<u8> {
    let Kind::File(content) = entry.kind else { panic!("{entry:?}") };
    let mut bytes = Vec::new();
    spool.read(content).read_to_end(&mut bytes).unwrap();
    bytes
}

fn refused(upload: &[u8]) -> String {
    read(upload, &identity()).map(|(root, _)| paths(&root)).unwrap_err().to_string()
}

#[test]
fn a_member_that_leads_out_of_the_root_is_refused() {
    for (tar, expected) in [
        (Tar::default().file("/etc/passwd", b"x"), "/etc/passwd of the uploaded root is refused: its path is absolute"),
        (Tar::default().file("etc/../../passwd", b"x"), "it leads upward"),
        (Tar::default().file("..", b"x"), "it leads upward"),
        (Tar::default().about(&[("path", b"../x")]).file("x", b"x"), "it leads upward"),
        (Tar::default().about(&[("path", b"a\0b")]).file("x", b"x"), "it has a zero byte"),
        (
            Tar::default().file("a", b"x").link("b", b'1', "/etc/shadow"),
            "a hard link to /etc/shadow, outside of the root",
        ),
        (Tar::default().file("a", b"x").link("b", b'1', "../a"), "a hard link to ../a, outside of the root"),
        (Tar::default().link("b", b'1', "a").file("a", b"x"), "which the archive does not have before it"),
        (Tar::default().folder("a").link("b", b'1', "a"), "which the archive does not have before it"),
        (Tar::default().link("a", b'1', "a"), "which the archive does not have before it"),
        (Tar::default().link("lib", b'2', "/usr/lib").file("lib/x", b"x"), "it is below /lib, which is no folder"),
        (Tar::default().file("lib/x", b"x").link("lib", b'2', "/usr/lib"), "it is below /lib, which is no folder"),
        (
            Tar::default().link("lib", b'2', "/usr/lib").file("lib/a/b/x", b"x"),
            "it is below /lib/a/b, which is no folder",
        ),
        (Tar::default().file("a", b"x").file("a/b", b"x"), "it is below /a, which is no folder"),
        (Tar::default().folder("a").link("a/b", b'2', "../../etc/shadow"), "which climbs out of the root"),
        (Tar::default().link("a", b'2', ""), "it is a link to nothing"),
        (Tar::default().about(&[("linkpath", b"a\0b")]).link("a", b'2', "b"), "it is a link to nothing"),
        (Tar::default().file("tmp/a", b"x").link("b", b'1', "tmp/a"), "it is a hard link to /tmp/a, which is left out"),
    ] {
        let error = refused(&tar.end());
        assert!(error.contains(expected), "{error:?}, not {expected:?}");
    }
}

#[test]
fn what_no_tar_makes_of_a_folder_is_refused() {
    let long = "n".repeat(256);
    for (tar, expected) in [
        (Tar::default().file("a", b"x").file("a", b"y"), "a of the uploaded root is refused: the archive has it twice"),
        (Tar::default().file("a", b"x").file("./a", b"y"), "the archive has it twice"),
        (Tar::default().file("a", b"x").folder("a"), "the archive has it twice"),
        (Tar::default().file(".", b"x"), "it is the root itself, and no folder"),
        (Tar::default().member("a", b'S', 0o644, "", b"x"), "it is a sparse file"),
        (Tar::default().about(&[("GNU.sparse.major", b"1")]).file("a", b"x"), "it is a sparse file"),
        (Tar::default().member("a", b'V', 0o644, "", b""), "type 'V' of tar"),
        (Tar::default().member("a", b'5', 0o755, "", b"x"), "it has contents and is no file"),
        (Tar::default().file("a", b"").member("b", b'1', 0o644, "a", b"x"), "it has contents and is no file"),
        (Tar::default().about(&[("path", long.as_bytes())]).file("a", b"x"), "is longer than Linux allows"),
        (Tar::default().about(&[("path", "d/".repeat(2000).as_bytes())]).folder("a"), "is longer than Linux allows"),
        (Tar::default().about(&[("uid", b"4294967296")]).file("a", b"x"), "number is larger than Linux allows"),
        (Tar::default().about(&[("uid", b"-1")]).file("a", b"x"), "says \"uid\" wrongly"),
        (Tar::default().about(&[("mtime", b"now")]).file("a", b"x"), "says \"mtime\" wrongly"),
        (Tar::default().about(&[("path", b"b")]), "ends after"),
        (Tar(Tar::default().about(&[("path", b"b")]).end()), "an extended header describes nothing"),
        (Tar::default().about(&[]).about(&[]).file("a", b"x"), "two extended headers"),
        (Tar::default().extended(b'g', &[("uid", b"7")]).file("a", b"x"), "sets \"uid\" of all members"),
        (Tar::default().member("a", b'x', 0o644, "", &vec![b'1'; 2 << 20]), "1048576 are the most"),
        (Tar::default().about(&[("SCHILY.xattr.security.capability", b"x")]).file("a", b"x"), "none that Linux knows"),
        (
            Tar::default().about(&[("LIBARCHIVE.xattr.security.capability", b"x")]).file("a", b"x"),
            "libarchive's form alone",
        ),
        (Tar(b"PK\x03\x04 this is no tar archive".repeat(40)), "this is no tar archive"),
        (Tar(b"hello".to_vec()), "ends after 0 bytes of tar"),
        (Tar(Vec::new()), "ends after 0 bytes of tar"),
        (Tar(vec![0; 1024]), "nothing in it"),
        (Tar::default().folder("."), "nothing in it"),
    ] {
        // All but the one that shall have no end.
        let bytes = if expected.starts_with("ends after") { tar.0 } else { tar.end() };
        let error = refused(&bytes);
        assert!(error.contains(expected), "{error:?}, not {expected:?}");
    }
}

#[test]
fn a_path_or_a_part_of_one_that_is_longer_than_linux_allows_is_refused() {
    let long = |path: &str| Tar::default().about(&[("path", path.as_bytes())]).file("short", b"x").end();
    let part = "p".repeat(255);
    let deep = format!("{part}/").repeat(12);
    for sound in [part.clone(), deep.trim_end_matches('/').to_owned()] {
        assert!(read(&long(&sound), &identity()).is_ok(), "{sound}");
    }
    for wrong in [format!("{part}p"), format!("a/{part}p/b"), format!("{deep}x")] {
        assert!(refused(&long(&wrong)).contains("is longer than Linux allows"), "{}", refused(&long(&wrong)));
    }
    let link = format!("{}x", "../x/".repeat(700));
    let upload = Tar::default().about(&[("linkpath", link.as_bytes())]).link("a/b", b'2', "x").end();
    assert!(refused(&upload).contains("is longer than Linux allows"), "{}", refused(&upload));
}

#[test]
fn a_root_that_is_cut_short_is_refused_wherever_it_was_cut() {
    let tar = Tar::default().folder("etc").about(&[("mtime", b"7.5")]).file("etc/hosts", &[b'x'; 700]).end();
    let uploads = [
        tar.clone(),
        pipe("gzip", &["-9"], &tar),
        pipe("bzip2", &[], &tar),
        pipe("xz", &[], &tar),
        pipe("zstd", &["-q"], &tar),
    ];
    for upload in &uploads {
        assert!(read(upload, &identity()).is_ok());
        // The second of the two blocks that end a tar is not always there.
        let end = if upload == &tar { upload.len() - 512 } else { upload.len() };
        for length in (0..end).step_by(if upload == &tar { 97 } else { 1 }) {
            let error = refused(&upload[..length]);
            assert!(error.contains("bytes of tar"), "{length}: {error}");
        }
        let mut followed = upload.clone();
        followed.extend_from_slice(b"something else");
        refused(&followed);
    }
    let error = refused(&[Tar::default().file("a", b"x").end(), Tar::default().file("b", b"x").end()].concat());
    assert!(error.contains("something follows the end"), "{error}");
}

#[test]
fn every_compression_gives_the_same_root() {
    let tar = Tar::default().folder("./").folder("./etc").file("./etc/hosts", b"localhost").end();
    let (plain, _) = read(&tar, &identity()).unwrap();
    assert_eq!(plain.compression, Compression::None);
    for (program, arguments, compression) in [
        ("gzip", &["-c"][..], Compression::Gzip),
        ("bzip2", &["-c"], Compression::Bzip2),
        ("xz", &["-9", "-c"], Compression::Xz),
        ("zstd", &["-19", "--long=27", "-c"], Compression::Zstd),
    ] {
        let upload = pipe(program, arguments, &tar);
        let (root, spool) = read(&upload, &identity()).unwrap();
        assert_eq!(root.compression, compression);
        assert_eq!(root.entries, plain.entries);
        assert_eq!(contents(&spool, at(&root, "etc/hosts")), b"localhost");
        let sha256 = String::from_utf8(pipe("sha256sum", &[], &upload)).unwrap();
        assert!(sha256.starts_with(&root.sha256), "{sha256}");
        assert_eq!(root.size, upload.len() as u64);
    }
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_disk() {
    let tar = Tar::default().file("a", &vec![0; 4 << 20]).end();
    let bomb = pipe("gzip", &["-9"], &tar);
    assert!(bomb.len() < 8 << 10);
    let limits = Limits { tar: 1 << 20, ..Limits::default() };
    let error = read_within(&bomb, &identity(), &limits).map(drop).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes of tar"), "{error}");
    // Zeros after the end are no way around it.
    let zeros = pipe("gzip", &["-9"], &vec![0; 4 << 20]);
    let error = read_within(&zeros, &identity(), &limits).map(drop).unwrap_err().to_string();
    assert!(error.contains("more than 1048576 bytes of tar"), "{error}");

    let many = (0..100).fold(Tar::default(), |tar, number| tar.file(&number.to_string(), b"")).end();
    for (limits, expected) in [
        (Limits { members: 99, ..Limits::default() }, "more than 99 members"),
        (Limits { names: 99, ..Limits::default() }, "more than 99 bytes of names"),
    ] {
        let error = read_within(&many, &identity(), &limits).map(drop).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    // What a file says of its size is not believed either.
    let mut lie = Tar::default().about(&[("size", b"18446744073709551615")]).file("a", b"x").end();
    lie.resize(1 << 20, 0);
    refused(&lie);
}

/// Pitfall 9: device nodes.
#[test]
fn device_nodes_are_left_out_and_so_is_what_only_a_running_system_has() {
    let tar = Tar::default()
        .folder("dev")
        .member("dev/null", b'3', 0o666, "", b"")
        .member("dev/loop0", b'4', 0o660, "", b"")
        .member("etc/initctl", b'6', 0o600, "", b"")
        .link("dev/fd", b'2', "/proc/self/fd")
        .file("dev/leftover", b"x")
        .link("dev/null2", b'1', "dev/null")
        .folder("proc")
        .folder("proc/1")
        .folder("tmp")
        .file("tmp/build.log", b"x")
        .folder("run/lock")
        .file("run/pid", b"1")
        .folder("var/tmp")
        .file("var/tmp/x", b"x")
        .about(&[("RHT.security.selinux", b"x"), ("SCHILY.xattr.user.a", b"x"), ("atime", b"1")])
        .file("usr/a", b"x");
    let (root, _) = read(&tar.end(), &identity()).unwrap();
    assert_eq!(
        paths(&root),
        ["/", "/dev", "/dev/fd", "/proc", "/run", "/run/lock", "/tmp", "/usr", "/usr/a", "/var", "/var/tmp"]
    );
    assert_eq!((root.left_out.devices, root.left_out.pipes, root.left_out.transient), (3, 1, 5));
    let names: Vec<&str> = root.left_out.attributes.keys().map(String::as_str).collect();
    assert_eq!(names, ["RHT.security.selinux", "SCHILY.xattr.user.a"]);
}

#[test]
fn what_is_excluded_is_gone_and_counted_and_not_there_by_another_name() {
    let tar = Tar::default()
        .file("usr/a", b"x")
        .folder("opt/sdk")
        .file("opt/sdk/key", b"secret")
        .file("opt/sdk2", b"x")
        .end();
    let mut identity = identity();
    identity.excludes = vec![exclude("/opt/sdk"), exclude("/opt/sdk/key")];
    let (root, spool) = read(&tar, &identity).unwrap();
    assert_eq!(paths(&root), ["/", "/opt", "/opt/sdk2", "/usr", "/usr/a"]);
    assert_eq!(
        root.left_out.excluded.iter().map(|rule| (rule.members, rule.bytes)).collect::<Vec<_>>(),
        [(2, 6), (0, 0)]
    );
    // What is excluded was not even kept for a while.
    assert_eq!(spool.size(), 2);

    for tar in [
        Tar::default().file("opt/sdk/key", b"secret").link("usr/key", b'1', "opt/sdk/key"),
        Tar::default().file("usr/key", b"secret").link("opt/sdk/key", b'1', "usr/key"),
    ] {
        let error = read(&tar.end(), &identity).map(drop).unwrap_err().to_string();
        assert!(error.contains("are one file, of which the definition excludes only one"), "{error}");
    }
    // What is not there cannot be left out.
    identity.excludes = vec![exclude("/opt/sdk"), exclude("/etc/nothing")];
    let error = read(&tar, &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("the exclusion of /etc/nothing excludes nothing"), "{error}");
    // Both excluded is fine, in one rule or in two.
    let both =
        Tar::default().file("opt/sdk/key", b"secret").link("etc/nothing", b'1', "opt/sdk/key").file("usr/a", b"x");
    assert_eq!(paths(&read(&both.end(), &identity).unwrap().0), ["/", "/usr", "/usr/a"]);
}

#[test]
fn a_rule_that_goes_through_a_link_is_an_error_and_not_a_rule_for_nothing() {
    let tar = Tar::default().link("lib", b'2', "usr/lib").folder("usr/lib").file("usr/lib/secret", b"x").end();
    let mut identity = identity();
    identity.excludes = vec![exclude("/lib/secret")];
    let error = read(&tar, &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("/lib is a link to usr/lib; name the path that it leads to"), "{error}");
    // Nor is the link alone.
    identity.excludes = vec![exclude("/lib")];
    let error = read(&tar, &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("excludes only a link: what it leads to, /usr/lib, would stay"), "{error}");
    for (from, to) in [("opt/ndk", "/data/ndk"), ("opt/ndk", "../data/ndk"), ("opt/ndk", "/here/ndk")] {
        let tar =
            Tar::default().link("here", b'2', "data").link(from, b'2', to).file("data/ndk/key", b"x").file("a", b"x");
        let tar = tar.end();
        identity.excludes = vec![exclude("/opt/ndk")];
        let error = read(&tar, &identity).map(drop).unwrap_err().to_string();
        assert!(error.contains("what it leads to, /data/ndk, would stay"), "{to}: {error}");
        identity.excludes.push(exclude("/data/ndk"));
        assert_eq!(paths(&read(&tar, &identity).unwrap().0), ["/", "/a", "/here"], "{to}");
    }
    // A link to a file, or to nothing, is no more than it says, also where others are on its way.
    let tar =
        Tar::default().link("lib", b'2', "nowhere").link("b", b'2', "/a").link("c", b'2', "d").link("d", b'2', "a");
    let tar = tar.file("a", b"x").file("a-folder/x", b"x").end();
    identity.excludes = vec![exclude("/lib"), exclude("/b"), exclude("/c")];
    assert_eq!(paths(&read(&tar, &identity).unwrap().0), ["/", "/a", "/a-folder", "/a-folder/x", "/d"]);
}

#[test]
fn a_file_that_runs_with_anothers_rights_is_declared_or_refused() {
    let capability: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let tar = Tar::default()
        .member("bin/su", b'0', 0o4755, "", b"x")
        .member("bin/wall", b'0', 0o2755, "", b"x")
        .member("var/mail", b'5', 0o2775, "", b"")
        .about(&[("SCHILY.xattr.security.capability", capability)])
        .file("bin/ping", b"x")
        .end();
    let Err(ChrootError::Setuid { paths }) = read(&tar, &identity()) else { panic!("it was not refused") };
    assert_eq!(paths, ["/bin/ping", "/bin/su", "/bin/wall"]);

    let mut identity = identity();
    identity.setuid = paths;
    let (root, _) = read(&tar, &identity).unwrap();
    assert_eq!(at(&root, "bin/su").mode, 0o4755);
    assert_eq!(at(&root, "bin/ping").capability.as_deref(), Some(capability));
    // Excluded, they need no declaration.
    identity.setuid.clear();
    identity.excludes = vec![exclude("/bin")];
    assert!(read(&tar, &identity).is_ok());
}

#[test]
fn times_are_clamped_and_missing_folders_are_made() {
    let tar = Tar::default().about(&[("mtime", b"99.9")]).file("a/b/old", b"").file("a/new", b"").end();
    let mut identity = identity();
    identity.clamp_time = Some(1_000_000);
    let (root, _) = read(&tar, &identity).unwrap();
    assert_eq!((at(&root, "a/b/old").mtime, at(&root, "a/new").mtime), (99, 1_000_000));
    let made = at(&root, "a/b");
    assert_eq!((&made.kind, made.mode, made.uid, made.mtime), (&Kind::Directory, 0o755, 0, 1_000_000));
}

#[test]
fn the_first_name_of_a_file_has_its_contents_in_whatever_order_they_came() {
    let tar = Tar::default()
        .file("m", b"contents")
        .link("z", b'1', "m")
        .link("a", b'1', "./z")
        .link("link", b'2', "m")
        .link("second-link", b'1', "link")
        .end();
    let (root, spool) = read(&tar, &identity()).unwrap();
    assert_eq!(contents(&spool, at(&root, "a")), b"contents");
    let first = Kind::Hardlink(Path::new(b"a").unwrap());
    assert_eq!((&at(&root, "m").kind, &at(&root, "z").kind), (&first, &first));
    assert_eq!(at(&root, "second-link").kind, at(&root, "link").kind);
}

/// A folder as `tar` sees it, in each of its formats.
#[test]
fn what_gnu_tar_makes_of_a_folder_is_read_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let long = format!("{}/{}", "d".repeat(120), "n".repeat(200));
    let script = format!(
        "mkdir -p usr/lib {d}; echo long >{long}; echo x >usr/a; ln usr/a usr/z; ln -s ../{long} usr/link; touch -d @7 usr/a; \
         chmod 1777 usr/lib; mkfifo pipe; printf 'a\\nb' >'usr/new
line'",
        d = "d".repeat(120)
    );
    run("sh", &["-ec", &script], folder.path());
    let root = is_root();
    if root {
        run("sh", &["-ec", "chown 2097152:7 usr/lib && setcap cap_net_raw+ep usr/a"], folder.path());
    }
    let mut trees = BTreeMap::new();
    for (format, attributes) in [("gnu", "--no-xattrs"), ("posix", "--xattrs-include=*")] {
        let arguments = ["-c", attributes, &format!("--format={format}"), "."];
        let upload = pipe("tar", &[&["-C", folder.path().to_str().unwrap()][..], &arguments].concat(), b"");
        let mut identity = identity();
        identity.setuid = vec!["/usr/a".into(), "/usr/z".into()];
        let (read, spool) = read(&upload, &identity).unwrap();
        assert_eq!(contents(&spool, at(&read, &long)), b"long\n");
        assert_eq!(contents(&spool, at(&read, "usr/new\nline")), b"a\nb");
        assert_eq!(at(&read, "usr/link").kind, Kind::Symlink(format!("../{long}").into_bytes().into()));
        assert_eq!(at(&read, "usr/z").kind, Kind::Hardlink(Path::new(b"usr/a").unwrap()));
        assert_eq!((at(&read, "usr/a").mtime, at(&read, "usr/lib").mode, read.left_out.pipes), (7, 0o1777, 1));
        if root {
            assert_eq!((at(&read, "usr/lib").uid, at(&read, "usr/lib").gid), (2_097_152, 7));
        }
        if root && format == "posix" {
            assert_eq!(at(&read, "usr/a").capability.as_ref().map(|bytes| bytes.len()), Some(20), "{format}");
        }
        let kinds: Vec<_> =
            read.entries.into_iter().map(|(path, entry)| (path.to_string(), entry.mode, entry.uid)).collect();
        trees.insert(format, kinds);
    }
    assert_eq!(trees["gnu"], trees["posix"]);
}

/// Installs packages into a root as rpm does, and gives it as a builder would upload it.
fn installed(root: &std::path::Path, packages: &[std::path::PathBuf], more: &str) -> Vec<u8> {
    let root_text = root.to_str().unwrap();
    let options = ["--root", root_text, "--dbpath", "/var/lib/rpm", "--nosignature", "--noscripts", "-i"];
    let files = packages.iter().map(|package| package.to_str().unwrap());
    run("rpm", &options.into_iter().chain(files).collect::<Vec<_>>(), std::path::Path::new("/"));
    run("sh", &["-ec", more], root);
    pipe("tar", &["-C", root_text, "-c", "."], b"")
}

/// Pitfall 7: what is excluded, and left behind.
#[test]
fn an_excluded_package_is_gone_with_its_files_and_its_header() {
    if !is_root() {
        return;
    }
    let workshop = Workshop::create().unwrap();
    let packages = workshop.build(&[
        Recipe::new("sdk").file(File::new("/opt/sdk/key", "secret")),
        Recipe::new("tool").requires("library").file(File::new("/usr/bin/tool", "x")),
        Recipe::new("library").file(File::new("/usr/lib/library", "x")),
    ]);
    let packages = packages.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let upload = installed(&folder.path().join("first"), &packages, "true");
    let mut identity = identity();
    let rule =
        |package: &str| Exclude { package: Some(package.into()), path: None, reason: "not redistributable".into() };
    identity.excludes = vec![rule("sdk"), rule("never-installed")];
    let (root, spool) = read(&upload, &identity).unwrap();
    assert!(!paths(&root).contains(&"/opt/sdk/key".into()), "{:?}", paths(&root));
    assert_eq!((root.left_out.packages.len(), at(&root, "usr/bin/tool").mode), (1, 0o644));

    // rpm itself no longer knows of it.
    let mut tar = Vec::new();
    archive::write_tar(&root.entries, &spool, &mut tar, &mut |_| Ok(())).unwrap();
    let after = folder.path().join("after");
    std::fs::create_dir(&after).unwrap();
    pipe("tar", &["-C", after.to_str().unwrap(), "-xp"], &tar);
    let query = ["--root", after.to_str().unwrap(), "--dbpath", "/var/lib/rpm", "-qa", "--qf", "%{NAME}\n"];
    let mut names: Vec<String> = run("rpm", &query, folder.path()).lines().map(str::to_owned).collect();
    names.sort();
    assert_eq!(names, ["library", "tool"]);
    let mut components: Vec<String> = legal::components(&identity, &root.entries, &spool)
        .unwrap()
        .into_iter()
        .map(|component| component.name)
        .collect();
    components.sort();
    assert_eq!(components, names);

    // What is needed stays, or nothing is published.
    identity.excludes = vec![rule("library")];
    let error = read(&upload, &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("library cannot be left out: tool"), "{error}");
    // Nor is its file left under another name.
    identity.excludes = vec![rule("sdk")];
    let linked = installed(&folder.path().join("second"), &packages, "ln opt/sdk/key usr/key");
    let error = read(&linked, &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("are one file, of which the definition excludes only one"), "{error}");
    // And where nothing tells which files are its, that is said.
    let error = read(&Tar::default().file("opt/sdk/key", b"x").end(), &identity).map(drop).unwrap_err().to_string();
    assert!(error.contains("no database of rpm in /var/lib/rpm"), "{error}");
}
