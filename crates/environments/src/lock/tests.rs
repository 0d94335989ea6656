use super::*;

fn lock() -> Lock {
    Lock::parse(include_bytes!("../../tests/fixtures/lock/two-packages.json"), "two-packages.json").unwrap()
}

#[test]
fn the_key_follows_what_decides_the_bytes_and_nothing_else() {
    let first = lock();
    let key = first.key().unwrap();
    assert_eq!(key.len(), 64);

    let mut moved = first.clone();
    moved.provenance.addresses.insert("0".repeat(64), "https://elsewhere.example/".into());
    assert_eq!(moved.key().unwrap(), key);

    let mut other = first;
    other.identity.packages[0].sha256 = "0".repeat(64);
    assert_ne!(other.key().unwrap(), key);
}

#[test]
fn a_lock_written_and_read_is_the_same_lock_and_the_same_bytes() {
    let bytes = lock().to_bytes().unwrap();
    let again = Lock::parse(&bytes, "again").unwrap();
    assert_eq!(again, lock());
    assert_eq!(again.to_bytes().unwrap(), bytes);
}

#[test]
fn a_lock_that_cannot_be_built_is_refused_with_its_reason() {
    let refused = |change: &dyn Fn(&mut Identity)| {
        let mut lock = lock();
        change(&mut lock.identity);
        Lock::parse(&lock.to_bytes().unwrap(), "a.json").unwrap_err().to_string()
    };
    assert!(refused(&|identity| identity.assembly = 7).contains("assembly = 7"));
    assert!(refused(&|identity| identity.packages[0].sha256 = "abc".into()).contains("\"abc\""));
    assert!(refused(&|identity| identity.packages.clear()).contains("rpm-repo has packages"));
    assert!(refused(&|identity| identity.packages.push(identity.packages[0].clone())).contains("twice"));
    assert!(Lock::parse(b"{", "a.json").unwrap_err().to_string().starts_with("a.json is no lock"));
}

/// What the error says, and what is changed.
type Evil<'a> = (&'a str, &'a dyn Fn(&mut Lock));

/// Whoever wrote it wanted something: lines in the environment's own files, files elsewhere, all the memory or disk.
#[test]
fn what_a_definition_may_not_say_a_lock_may_not_either() {
    let source = |file: &str| Some(SourcePackage::named(file));
    let rooted = |it: &mut Lock, files: &[&str]| {
        it.identity.source = SourceKind::ChrootTar;
        it.identity.packages.clear();
        it.identity.root_sha256 = Some("a".repeat(64));
        it.identity.root_sources = files.iter().map(|file| SourcePackage::named(*file)).collect();
    };
    let evil: [Evil<'_>; 19] = [
        ("[environment] arch", &|it| it.identity.arch = "../x".into()),
        ("[environment] rpmdb", &|it| it.identity.rpmdb = "../var/lib/rpm".into()),
        ("[environment] setuid", &|it| it.identity.setuid = vec!["bin/su".into()]),
        ("[[exclude]] 1 path", &|it| {
            it.identity.excludes[0] = Exclude { package: None, path: Some("/a/../b".into()), reason: "x".into() };
        }),
        ("[[exclude]] 1 package", &|it| it.identity.excludes[0].package = Some("bash".into())),
        ("[[alternative]] 1 link", &|it| {
            it.identity.alternatives.push(Alternative { link: "usr/bin/ld".into(), target: "x".into() });
        }),
        ("[[user]] 1 shell", &|it| {
            let (home, shell) = ("/".into(), "/bin/sh\nroot2::0:0::/:/bin/sh".into());
            it.identity.users.push(User { name: "a".into(), uid: 1, gid: 1, home, shell });
        }),
        ("is no package's name", &|it| it.identity.packages[0].name = "../bash".into()),
        ("no package has more", &|it| it.identity.packages[0].size = 1 << 50),
        ("is no file's name", &|it| it.identity.packages[0].source = source("a\".src.rpm")),
        ("is no file's name", &|it| it.identity.packages[0].source = source("a/b.src.rpm")),
        ("root_sources are of chroot-tar", &|it| it.identity.root_sources = source("a.src.rpm").into_iter().collect()),
        ("root_sources twice", &|it| rooted(it, &["a.src.rpm", "a.src.rpm"])),
        ("not in the order of names", &|it| rooted(it, &["b.src.rpm", "a.src.rpm"])),
        ("is no file's name", &|it| rooted(it, &["../a.src.rpm"])),
        ("mirrors has", &|it| drop(it.identity.mirrors.insert("base".into(), "https://a.example/\n[x]".into()))),
        ("mirrors has", &|it| drop(it.identity.mirrors.insert("x]".into(), "https://a.example/".into()))),
        ("is no address", &|it| drop(it.provenance.addresses.insert("a".repeat(64), "a/../b".into()))),
        ("block_size = 1099511627776", &|it| it.identity.encoder.block_size = 1 << 40),
    ];
    for (said, change) in evil {
        let mut lock = lock();
        change(&mut lock);
        let error = Lock::parse(&lock.to_bytes().unwrap(), "a.json").unwrap_err().to_string();
        assert!(error.starts_with("a.json") && error.contains(said), "{said}: {error}");
    }
    let login =
        |it: &mut Lock| drop(it.provenance.addresses.insert("a".repeat(64), "https://me:hush@a.example/".into()));
    let mut lock = lock();
    login(&mut lock);
    assert!(!Lock::parse(&lock.to_bytes().unwrap(), "a.json").unwrap_err().to_string().contains("hush"));
}

#[test]
fn a_diff_tells_packages_added_removed_and_changed_and_decisions() {
    let first = lock();
    assert!(Diff::between(&first, &first).unwrap().is_empty());
    let mut second = first.clone();
    let gone = second.identity.packages.remove(0);
    second.identity.packages[0].release = "99".into();
    second.identity.packages[0].sha256 = "1".repeat(64);
    let mut come = gone.clone();
    come.name = "zzz".into();
    second.identity.packages.push(come.clone());
    second.identity.encoder.preset = 3;
    second.identity.excludes.push(Exclude { package: Some("ndk".into()), path: None, reason: "no".into() });
    let diff = Diff::between(&first, &second).unwrap();
    assert_eq!((diff.removed.clone(), diff.added.clone()), (vec![gone.nevra()], vec![come.nevra()]));
    assert_eq!((diff.changed.len(), diff.changed[0].rebuilt), (1, false));
    assert_eq!(diff.decisions.iter().map(|it| it.what.as_str()).collect::<Vec<_>>(), ["encoder", "excludes"]);
    let text = diff.to_string();
    assert!(text.contains(&format!("- {}\n", gone.nevra())) && text.contains("+ zzz-"), "{text}");

    let mut rebuilt = first.clone();
    rebuilt.identity.packages[0].sha256 = "2".repeat(64);
    assert!(Diff::between(&first, &rebuilt).unwrap().changed[0].rebuilt);
}
