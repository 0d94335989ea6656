//! A Debian root of real size: uploaded, judged, written, unpacked, and worked in.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]

mod roots;

use std::fs::File;
use std::num::NonZeroU32;
use std::path::Path;

use buildhub_environments::archive::{self, Archive};
use buildhub_environments::chroot::{self, ChrootError, Limits, Root};
use buildhub_environments::legal;
use buildhub_environments::lock::{Encoder, Identity};
use buildhub_environments::tree::Spool;
use buildhub_testkit::environments::debian_root;
use roots::{exclude, identity, is_root, run};

fn upload(tar: &Path, identity: &Identity, spool: &mut Spool) -> Result<Root, ChrootError> {
    chroot::read(File::open(tar).unwrap(), identity, &Limits::default(), spool, &mut |_| Ok(()))
}

/// Compressed quickly; the preset changes nothing else.
fn write(root: &Root, spool: &Spool, threads: u32, name: &Path) -> Archive {
    let encoder = Encoder { preset: 0, ..archive::encoder() };
    let out = File::create(name).unwrap();
    let threads = NonZeroU32::new(threads).unwrap();
    archive::write(&root.entries, spool, &encoder, threads, out, &mut |_| Ok(())).unwrap()
}

#[test]
fn a_debian_root_is_published_unpacked_and_worked_in() {
    let Some(tar) = debian_root() else {
        assert!(!is_root(), "there is no Debian root: run `make setup`");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mut spool = Spool::create(folder.path()).unwrap();

    // Nobody is surprised by who may become whom.
    let mut identity = identity();
    identity.excludes = vec![exclude("/var/cache/apt"), exclude("/var/log")];
    let Err(ChrootError::Setuid { paths }) = upload(&tar, &identity, &mut spool) else { panic!("it was not refused") };
    assert!(paths.contains(&"/bin/su".into()) || paths.contains(&"/usr/bin/su".into()), "{paths:?}");
    identity.setuid = paths;

    let mut spool = Spool::create(folder.path()).unwrap();
    let root = upload(&tar, &identity, &mut spool).unwrap();
    assert!(root.entries.len() > 5_000 && root.left_out.excluded.iter().all(|rule| rule.members > 0));
    let first = write(&root, &spool, 1, &at("first.tar.xz"));
    assert_eq!(write(&root, &spool, 3, &at("second.tar.xz")), first);
    run("cmp", &["first.tar.xz", "second.tar.xz"], folder.path());

    // What was uploaded, but for what was left out, is what is unpacked.
    let script = "mkdir -p before after; tar -C after -xJpf first.tar.xz; tar -C before -xpf \"$0\" \
                  --exclude=./var/cache/apt --exclude=./var/log --exclude='./proc/*' --exclude='./sys/*' --exclude='./tmp/*'; \
                  find before/dev before/run ! -type d ! -type l -delete; \
                  find before/dev before/run after/dev after/run -type d -exec touch -d @0 {} +";
    run("sh", &["-ec", script, tar.to_str().unwrap()], folder.path());
    let list = "find . -mindepth 1 -printf '%P %y %m %U %G %n %l %Ts\\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum";
    let [before, after] = ["before", "after"].map(|name| run("sh", &["-ec", list], &at(name)));
    let differ = before.lines().zip(after.lines()).find(|(before, after)| before != after);
    assert_eq!((differ, before.lines().count()), (None, after.lines().count()));

    // Its programs run, and its packages are those that the documents name.
    // Devices are what the runtime supplies; one that programs cannot do without is this machine's.
    let script = "touch after/dev/null; mount --bind /dev/null after/dev/null; exec chroot after \"$@\"";
    let rights: &[&str] = if is_root() { &[] } else { &["-r"] };
    let inside = |arguments: &[&str]| {
        let enter = [rights, &["--mount", "sh", "-ec", script, "enter"]].concat();
        run("env", &[&["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "unshare"], &enter[..], arguments].concat(), folder.path())
    };
    assert_eq!(inside(&["perl", "-e", "print 6 * 7"]), "42");
    assert_eq!(inside(&["dpkg", "--audit"]), "");
    let mut installed: Vec<String> = inside(&["dpkg-query", "-W", "-f", "${Package}_${Version}_${Architecture}\\n"])
        .lines()
        .map(str::to_owned)
        .collect();
    let components = legal::dpkg(&root.entries, &spool).unwrap();
    let mut listed: Vec<String> = components.iter().map(ToString::to_string).collect();
    installed.sort();
    listed.sort();
    assert_eq!(listed, installed);
    assert!(components.iter().filter(|component| component.licence.is_some()).count() > components.len() / 3);
    assert_eq!(legal::documents("5e", &identity, 0, &components).unwrap().missing.len(), components.len());
}
