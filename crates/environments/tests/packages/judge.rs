//! `dnf --installroot` installs the same packages; what is different is named here, each with its reason.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use buildhub_environments::definition::Action;
use buildhub_environments::digest::hex;
use buildhub_environments::tree::Kind;
use buildhub_testkit::environments::{File, Metadata, Payload, Recipe, Workshop, createrepo, run};

use crate::support::{Tree, contents, identity, scriptlet};

/// Paths of dnf's root that the merged one has not, or has otherwise. A `/` at the end means all below.
const DIFFERENCES: [(&str, &str); 9] = [
    ("etc/dnf/", "dnf makes its own folders in a root that it installs into"),
    ("var/cache/dnf/", "dnf's cache"),
    ("var/lib/dnf/", "dnf's history"),
    ("var/log/dnf", "dnf's log"),
    ("var/log/hawkey.log", "dnf's log"),
    ("root/.rpmdb/", "Debian's rpm has its database there"),
    ("var/lib/rpm/", "the merged root has its database where distributions of rpm have it"),
    ("var/made-by-a-scriptlet", "nothing of a package is run; the definition acknowledges it"),
    ("dev/node", "device nodes are left out: the runtime supplies them"),
];

/// One thing in a root: all of it that two roots must agree on.
#[derive(Debug, PartialEq, Eq, Clone)]
struct Thing {
    kind: &'static str,
    mode: u32,
    owner: (u32, u32),
    link: Option<String>,
    contents: Option<Vec<u8>>,
    /// The first of the names that a file with several names has.
    same_as: Option<String>,
    capability: Option<String>,
}

fn recipes() -> Vec<Recipe> {
    let passwd = "root:x:0:0:root:/root:/bin/bash\nbuilder:x:1000:1001::/home/builder:/bin/bash\n";
    vec![
        Recipe::new("filesystem")
            .file(File::folder("/usr/bin"))
            .file(File::folder("/usr/lib"))
            .file(File::folder("/tmp").mode(0o1777))
            .file(File::symlink("/bin", "usr/bin"))
            .file(File::symlink("/lib", "usr/lib")),
        Recipe::new("setup")
            .payload(Payload::Zstd)
            .requires("filesystem")
            .file(File::new("/etc/passwd", passwd).directive("%config(noreplace)"))
            .file(File::new("/etc/group", "root:x:0:\nbuilders:x:1001:\n").directive("%config(noreplace)")),
        Recipe::new("tool")
            .payload(Payload::Gzip)
            .requires("filesystem")
            .file(File::new("/usr/bin/tool", "#!/bin/sh\necho tool\n").mode(0o755))
            .file(File::hardlink("/usr/bin/another-name", "/usr/bin/tool"))
            .file(File::hardlink("/usr/bin/zz-last-name", "/usr/bin/tool"))
            .file(File::new("/usr/bin/mighty", "x").mode(0o755).directive("%caps(cap_net_raw,cap_sys_admin+ep)"))
            .file(File::new("/usr/bin/as-root", "x").mode(0o4755))
            .file(File::new("/usr/share/doc/tool/README", "read").directive("%doc"))
            .file(File::new("/usr/share/empty", "")),
        Recipe::new("library")
            .payload(Payload::Xz)
            .requires("filesystem")
            .file(File::new("/lib/library.txt", "behind a link"))
            .file(File::symlink("/usr/lib/library.link", "library.txt"))
            .file(File::symlink("/usr/lib/dangling", "/nowhere/at/all")),
        Recipe::new("daemon")
            .payload(Payload::Bzip2)
            .requires("setup")
            .file(File::folder("/var/lib/daemon").mode(0o750).owner("builder", "builders"))
            .file(File::new("/var/lib/daemon/state", "state").mode(0o640).owner("builder", "builders"))
            .file(File::new("/etc/daemon.conf", "a=1\n").mode(0o600).directive("%config(noreplace)"))
            .file(File::new("/var/log/daemon.log", "").directive("%ghost")),
        Recipe::new("shared-a")
            .payload(Payload::Lzma)
            .file(File::folder("/usr/share/common"))
            .file(File::new("/usr/share/common/both", "the same")),
        Recipe::new("shared-b")
            .payload(Payload::None)
            .file(File::folder("/usr/share/common"))
            .file(File::new("/usr/share/common/both", "the same"))
            .file(File::new("/usr/share/common/name with blanks", "blanks")),
        Recipe::new("devices").listed("%dev(c,1,3) %attr(0666,root,root) /dev/node"),
        Recipe::new("scripts")
            .requires("filesystem")
            .section("%post -p <lua>", "f = io.open('/var/made-by-a-scriptlet', 'w') f:write('x') f:close()"),
    ]
}

#[test]
fn dnf_makes_the_same_root_but_for_what_is_named() {
    let workshop = Workshop::create().unwrap();
    let recipes = recipes();
    let packages = workshop.build(&recipes).unwrap();
    createrepo(workshop.packages(), Metadata::Gzip).unwrap();
    let root = tempfile::tempdir().unwrap();
    let names = ["filesystem", "setup", "tool", "library", "daemon", "shared-a", "shared-b", "devices", "scripts"];
    let mut dnf = Command::new("dnf");
    dnf.arg(format!("--installroot={}", root.path().display()));
    dnf.arg(format!("--repofrompath=made,file://{}", workshop.packages().display()));
    dnf.args(["--repo=made", "--nogpgcheck", "--setopt=reposdir=/nowhere", "--releasever=1", "-y", "install"]);
    run(dnf.args(names), "dnf").unwrap();

    let mut identity = identity();
    identity.scriptlets.push(scriptlet("scripts", "post", Action::Acknowledge));
    identity.setuid = vec!["/usr/bin/as-root".into(), "/usr/bin/mighty".into()];
    let tree = Tree::of(&packages, &identity).unwrap();

    let (theirs, ours) = (on_disk(root.path()), merged(&tree));
    let known = |path: &str| DIFFERENCES.iter().any(|(known, _)| path.starts_with(known));
    let all: BTreeSet<&str> = theirs.keys().chain(ours.keys()).map(String::as_str).collect();
    // A folder that only such things are in is one of them.
    let only_known_inside = |folder: &str| {
        let mut inside = all.iter().filter(|path| path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')));
        inside.clone().any(|path| known(path))
            && inside.all(|path| known(path) || theirs.get(*path).is_some_and(is_folder))
    };
    let expected =
        |path: &str| known(path) || (!ours.contains_key(path) || !theirs.contains_key(path)) && only_known_inside(path);
    let paths: BTreeSet<_> = all.iter().copied().filter(|path| !expected(path)).collect();
    for path in &paths {
        assert_eq!(theirs.get(*path), ours.get(*path), "{path}: dnf's is on the left");
    }
    assert!(paths.len() >= 29, "{paths:?}");
    for (known, reason) in DIFFERENCES {
        let is_there = |root: &BTreeMap<String, Thing>| root.keys().any(|path| path.starts_with(known));
        assert!(is_there(&theirs) || is_there(&ours), "{known} is no difference any more: {reason}");
    }
    assert_eq!(tree.merged.special, 1);
}

fn is_folder(thing: &Thing) -> bool {
    thing.kind == "folder"
}

/// A root on disk. As root.
fn on_disk(root: &Path) -> BTreeMap<String, Thing> {
    let list = run(Command::new("find").arg(root).args(["-mindepth", "1", "-printf", "%P\\n"]), "findutils").unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let mut paths: Vec<_> = list.lines().map(str::to_owned).collect();
    paths.sort();
    let mut first: BTreeMap<u64, String> = BTreeMap::new();
    let capabilities = capabilities(root);
    let thing = |path: &String, first: &mut BTreeMap<u64, String>| {
        let full = root.join(path);
        let about = full.symlink_metadata().unwrap();
        let is_file = about.is_file();
        Thing {
            kind: if about.is_dir() {
                "folder"
            } else if is_file {
                "file"
            } else if about.is_symlink() {
                "link"
            } else {
                "special"
            },
            mode: about.mode() & 0o7777,
            owner: (about.uid(), about.gid()),
            link: about.is_symlink().then(|| full.read_link().unwrap().to_str().unwrap().to_owned()),
            contents: is_file.then(|| std::fs::read(&full).unwrap()),
            same_as: (is_file && about.nlink() > 1)
                .then(|| first.entry(about.ino()).or_insert_with(|| path.clone()).clone()),
            capability: capabilities.get(path).cloned(),
        }
    };
    paths.iter().map(|path| (path.clone(), thing(path, &mut first))).collect()
}

fn capabilities(root: &Path) -> BTreeMap<String, String> {
    let program = "import os,sys\nfor d,_,fs in os.walk(sys.argv[1]):\n for f in fs:\n  p=os.path.join(d,f)\n  \
                   if 'security.capability' in os.listxattr(p, follow_symlinks=False): print(os.path.relpath(p, sys.argv[1]), \
                   os.getxattr(p,'security.capability').hex())";
    let list = run(Command::new("python3").args(["-c", program]).arg(root), "python3").unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    list.lines().filter_map(|line| line.rsplit_once(' ')).map(|(path, hex)| (path.into(), hex.into())).collect()
}

fn merged(tree: &Tree) -> BTreeMap<String, Thing> {
    let several: BTreeSet<_> = tree
        .entries()
        .values()
        .filter_map(|entry| match &entry.kind {
            Kind::Hardlink(first) => Some(first.clone()),
            _ => None,
        })
        .collect();
    let things = tree.entries().iter().filter(|(path, _)| !path.as_bytes().is_empty()).map(|(path, entry)| {
        let name = path.to_string().trim_start_matches('/').to_owned();
        let (kind, link, same_as) = match &entry.kind {
            Kind::Directory => ("folder", None, None),
            Kind::Symlink(target) => ("link", Some(String::from_utf8(target.to_vec()).unwrap()), None),
            Kind::File(_) => ("file", None, several.contains(path).then(|| name.clone())),
            Kind::Hardlink(first) => ("file", None, Some(first.to_string().trim_start_matches('/').to_owned())),
        };
        let contents = (kind == "file").then(|| contents(tree.entries(), &tree.spool, &name));
        let thing = Thing {
            kind,
            mode: entry.mode.into(),
            owner: (entry.uid, entry.gid),
            link,
            contents,
            same_as,
            capability: entry.capability.as_deref().map(hex),
        };
        (name, thing)
    });
    things.collect()
}
