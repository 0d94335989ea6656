//! What the tests share: packages, a lock, a tree and its contents, a tree on disk.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use buildhub_environments::definition::{Action, Scriptlet, SourceKind, SourcesPolicy};
use buildhub_environments::digest::hex;
use buildhub_environments::lock::{Encoder, Identity};
use buildhub_environments::rpm::Package;
use buildhub_environments::tree::{self, Entries, Entry, Kind, MergeError, Merged, Spool};
use buildhub_testkit::environments::{Recipe, Workshop, run};

/// A lock that says nothing but what it must.
pub(crate) fn identity() -> Identity {
    Identity {
        assembly: 1,
        source: SourceKind::RpmRepo,
        arch: "x86_64".into(),
        packages: Vec::new(),
        root_sha256: None,
        root_sources: Vec::new(),
        excludes: Vec::new(),
        scriptlets: Vec::new(),
        alternatives: Vec::new(),
        users: Vec::new(),
        groups: Vec::new(),
        clamp_time: None,
        rpmdb: "var/lib/rpm".into(),
        setuid: Vec::new(),
        mirrors: BTreeMap::new(),
        oci: false,
        sources: SourcesPolicy::Warn,
        encoder: Encoder { name: "liblzma".into(), version: "5.8".into(), preset: 6, block_size: 1 << 20 },
    }
}

pub(crate) fn scriptlet(package: &str, phase: &str, action: Action) -> Scriptlet {
    Scriptlet { package: package.into(), phase: phase.into(), action }
}

/// Packages that were merged, and their contents.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) merged: Merged,
    pub(crate) spool: Spool,
}

impl Tree {
    pub(crate) fn of(packages: &[PathBuf], identity: &Identity) -> Result<Self, MergeError> {
        let packages: Vec<_> = packages.iter().map(|path| Package::open(path).unwrap()).collect();
        let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
        let merged = tree::merge(&packages, identity, &mut spool, &mut |_| Ok(()))?;
        Ok(Self { merged, spool })
    }

    pub(crate) fn build(recipes: &[Recipe], identity: &Identity) -> Result<Self, MergeError> {
        let workshop = Workshop::create().unwrap();
        Self::of(&workshop.build(recipes).unwrap(), identity)
    }

    pub(crate) fn entries(&self) -> &Entries {
        &self.merged.entries
    }

    pub(crate) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries().get(&at(path))
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(contents(self.entries(), &self.spool, path)).unwrap()
    }

    pub(crate) fn link(&self, path: &str) -> String {
        match &self.get(path).unwrap_or_else(|| panic!("no {path}")).kind {
            Kind::Symlink(target) => String::from_utf8(target.to_vec()).unwrap(),
            other => panic!("{path} is {other:?}"),
        }
    }
}

pub(crate) fn at(path: &str) -> tree::Path {
    tree::Path::new(path.as_bytes()).unwrap()
}

pub(crate) fn contents(entries: &Entries, spool: &Spool, path: &str) -> Vec<u8> {
    let mut entry = entries.get(&at(path)).unwrap_or_else(|| panic!("no {path}"));
    if let Kind::Hardlink(to) = &entry.kind {
        entry = &entries[to];
    }
    let Kind::File(content) = &entry.kind else { panic!("{path} is {:?}", entry.kind) };
    let mut bytes = Vec::new();
    spool.read(*content).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Writes a tree to disk as whoever unpacks it would. As root.
pub(crate) fn unpack(entries: &Entries, spool: &Spool, root: &Path) {
    for (path, entry) in entries {
        let to = root.join(path.to_string().trim_start_matches('/'));
        match &entry.kind {
            Kind::Directory => std::fs::create_dir_all(&to).unwrap(),
            Kind::File(content) => {
                std::io::copy(&mut spool.read(*content), &mut std::fs::File::create(&to).unwrap()).map(drop).unwrap();
            }
            Kind::Symlink(target) => symlink(String::from_utf8(target.to_vec()).unwrap(), &to).unwrap(),
            Kind::Hardlink(first) => {
                std::fs::hard_link(root.join(first.to_string().trim_start_matches('/')), &to).unwrap();
            }
        }
        lchown(&to, Some(entry.uid), Some(entry.gid)).unwrap();
        if !matches!(entry.kind, Kind::Symlink(_)) {
            std::fs::set_permissions(&to, std::fs::Permissions::from_mode(entry.mode.into())).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(entry.mtime.unsigned_abs());
            std::fs::File::open(&to).unwrap().set_modified(time).unwrap();
        }
        if let Some(capability) = &entry.capability {
            let program = "import os,sys; os.setxattr(sys.argv[1], 'security.capability', bytes.fromhex(sys.argv[2]))";
            run(Command::new("python3").args(["-c", program]).arg(&to).arg(hex(capability)), "python3").unwrap();
        }
    }
}
