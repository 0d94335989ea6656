//! How fast a root becomes an archive, compared with `tar` and `xz -T0 -6` of the same root, and in how much memory.
//!
//! ```text
//! cargo run --release -p buildhub-environments --example assemble [ROOT.tar [THREADS]]
//! ```
//!
//! `scripts/bench-environment` uses it too: `assemble repository FOLDER PACKAGES MEGABYTES` makes packages.
//!
//! The root is a tar archive (by itself the one that `make setup` makes). Each side is a process of its own under GNU
//! `time`, from the uploaded tar to the compressed archive: here it is read, judged, kept on disk, sorted, written, hashed
//! and compressed; there it is unpacked, packed again and compressed. Both write into a folder of their own in `TMPDIR`.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::panic, reason = "a measurement prints, and may fail")]

use std::fs::File;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use buildhub_environments::archive;
use buildhub_environments::chroot::{self, ChrootError, Limits};
use buildhub_environments::lock::Lock;
use buildhub_environments::tree::Spool;
use buildhub_testkit::environments::{debian_root, large_repository};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["repository", folder, packages, megabytes] => {
            repository(Path::new(folder), packages.parse().unwrap(), megabytes.parse().unwrap());
        }
        ["assemble", root, threads, out] => assemble(Path::new(root), threads.parse().unwrap(), Path::new(out)),
        rest => {
            let root = rest.first().map(PathBuf::from).or_else(debian_root).unwrap();
            let cores = available_parallelism().unwrap().get().to_string();
            compare(&root, rest.get(1).copied().unwrap_or(&cores));
        }
    }
}

/// Makes a repository of many packages.
fn repository(folder: &Path, packages: usize, megabytes: u64) {
    let workshop = large_repository(packages, megabytes * 1_000_000).unwrap();
    std::fs::rename(workshop.packages(), folder).unwrap();
}

/// Reads a root and writes its archive, and tells how long each took.
fn assemble(tar: &Path, threads: NonZeroU32, out: &Path) {
    let lock: Lock = serde_json::from_slice(include_bytes!("../tests/fixtures/lock/two-packages.json")).unwrap();
    let mut identity = lock.identity;
    identity.excludes.clear();
    let folder = out.parent().unwrap();
    let read = |identity: &_, spool: &mut Spool| {
        let begun = Instant::now();
        let root = chroot::read(File::open(tar).unwrap(), identity, &Limits::default(), spool, &mut |_| Ok(()));
        (root, begun.elapsed())
    };
    let mut spool = Spool::create(folder).unwrap();
    let (mut root, mut took) = read(&identity, &mut spool);
    if let Err(ChrootError::Setuid { paths }) = root {
        // Not measured: who would not have declared them.
        identity.setuid = paths;
        spool = Spool::create(folder).unwrap();
        (root, took) = read(&identity, &mut spool);
    }
    let root = root.unwrap();
    println!("read {} files: {}", root.entries.len(), speed(root.size, took));
    let begun = Instant::now();
    let encoder = archive::encoder();
    let archive =
        archive::write(&root.entries, &spool, &encoder, threads, File::create(out).unwrap(), &mut |_| Ok(())).unwrap();
    println!("compressed by {threads} threads: {}", speed(archive.tar_size, begun.elapsed()));
    println!("stated memory of the encoder: {} MB", archive::memory(&encoder, threads).unwrap() / 1_000_000);
}

fn speed(bytes: u64, took: Duration) -> String {
    let milliseconds = u64::try_from(took.as_millis()).unwrap().max(1);
    let tenths = bytes / 100 / milliseconds;
    format!("{} MB in {:.2} s, {}.{} MB/s", bytes / 1_000_000, took.as_secs_f64(), tenths / 10, tenths % 10)
}

fn compare(root: &Path, threads: &str) {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours.tar.xz");
    let program = std::env::current_exe().unwrap();
    println!("buildhub:");
    timed(
        Command::new("time")
            .args(["-f", "in all %e s, processor %U s, memory %M KB"])
            .arg(program)
            .arg("assemble")
            .arg(root)
            .arg(threads)
            .arg(&ours),
    );
    println!("tar and xz -T{threads} -6:");
    let script =
        "mkdir tree && tar -C tree -xpf \"$0\" && tar -C tree --sort=name -c . | xz -T\"$1\" -6 >theirs.tar.xz";
    let mut command = Command::new("time");
    command.args(["-f", "in all %e s, processor %U s, memory of the largest %M KB", "sh", "-ec", script]);
    timed(command.arg(std::fs::canonicalize(root).unwrap()).arg(threads).current_dir(&folder));
    for name in ["ours.tar.xz", "theirs.tar.xz"] {
        println!("{name}: {} bytes", std::fs::metadata(folder.path().join(name)).unwrap().len());
    }
}

fn timed(command: &mut Command) {
    assert!(command.status().unwrap().success());
}
