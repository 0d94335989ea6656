//! Tar archives made by hand, byte for byte, and what a lock says of them.
#![allow(dead_code, clippy::print_stderr, reason = "each test uses some of it, and says what it passes over")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use buildhub_environments::archive;
use buildhub_environments::chroot::{self, ChrootError, Limits, Root};
use buildhub_environments::definition::{Exclude, SourceKind, SourcesPolicy};
use buildhub_environments::lock::Identity;
use buildhub_environments::tree::Spool;

/// A tar archive that is being made. Nothing is checked: it may be as hostile as one likes.
#[derive(Default, Clone)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    pub(crate) fn file(self, path: &str, contents: &[u8]) -> Self {
        self.member(path, b'0', 0o644, "", contents)
    }

    pub(crate) fn folder(self, path: &str) -> Self {
        self.member(path, b'5', 0o755, "", b"")
    }

    pub(crate) fn link(self, path: &str, kind: u8, target: &str) -> Self {
        self.member(path, kind, 0o777, target, b"")
    }

    pub(crate) fn member(mut self, path: &str, kind: u8, mode: u32, link: &str, contents: &[u8]) -> Self {
        let mut block = [0; 512];
        let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, path.as_bytes());
        put(
            100,
            format!("{mode:07o}\0{:07o}\0{:07o}\0{:011o}\0{:011o}\0", 0, 0, contents.len(), 1_500_000_000).as_bytes(),
        );
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self.0.extend_from_slice(contents);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    /// What an extended header says of the next member.
    pub(crate) fn about(self, records: &[(&str, &[u8])]) -> Self {
        self.extended(b'x', records)
    }

    pub(crate) fn extended(self, kind: u8, records: &[(&str, &[u8])]) -> Self {
        let mut bytes = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let length = (rest..rest + 20).find(|length| *length == rest + length.to_string().len()).unwrap();
            bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        self.member("about", kind, 0o644, "", &bytes)
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A `chroot-tar` lock that declares nothing.
pub(crate) fn identity() -> Identity {
    Identity {
        assembly: 1,
        source: SourceKind::ChrootTar,
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
        mirrors: std::collections::BTreeMap::new(),
        oci: false,
        sources: SourcesPolicy::Warn,
        encoder: archive::encoder(),
    }
}

pub(crate) fn exclude(path: &str) -> Exclude {
    Exclude { package: None, path: Some(path.into()), reason: "not redistributable".into() }
}

/// Reads an upload.
pub(crate) fn read(upload: &[u8], identity: &Identity) -> Result<(Root, Spool), ChrootError> {
    read_within(upload, identity, &Limits::default())
}

pub(crate) fn read_within(upload: &[u8], identity: &Identity, limits: &Limits) -> Result<(Root, Spool), ChrootError> {
    let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
    let root = chroot::read(upload, identity, limits, &mut spool, &mut |_| Ok(()))?;
    Ok((root, spool))
}

/// What a program makes of its standard input.
pub(crate) fn pipe(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program);
    let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).unwrap());
        child.wait_with_output().unwrap()
    });
    assert!(output.status.success(), "{program} {arguments:?}");
    output.stdout
}

/// Runs a program that has to succeed, and gives what it writes.
pub(crate) fn run(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Whether files may be given to others and have capabilities; without it a test of these says so and is passed over.
pub(crate) fn is_root() -> bool {
    let root = run("id", &["-u"], Path::new("/")).trim() == "0";
    if !root {
        eprintln!("not root: owners and capabilities cannot be set, so what depends on them is not tested");
    }
    root
}
