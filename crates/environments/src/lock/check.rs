//! What a lock's values may be. It may come from anybody, and decides about files, addresses, memory and disk.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ASSEMBLY, Encoder, Identity, Lock, LockError, Package, Provenance, SourcePackage};
use crate::definition::{self, Decisions, MIRROR, SourceKind, is_mirror, is_package, is_sha256, is_word};
use crate::places::Address;

/// The most bytes of a package's file.
const PACKAGE: u64 = 16 << 30;
/// The highest preset.
const PRESET: u32 = 9;
/// Blocks that are smaller gain nothing, and larger ones need memory that nobody has.
const BLOCKS: std::ops::RangeInclusive<u64> = 64 << 10..=1 << 30;

impl Lock {
    /// Checks everything that types do not: what a definition may not say, a lock may not either. `file` is what errors
    /// call it.
    pub fn check(&self, file: &str) -> Result<(), LockError> {
        let refuse = |reason: String| Err(LockError::Value { file: file.to_owned(), reason });
        let identity = &self.identity;
        // First, since whatever other rules there are may be others than these.
        if let Some(reason) = rules(identity) {
            return refuse(reason);
        }
        decisions(identity).check(file)?;
        match files(identity).or_else(|| places(identity, &self.provenance)).or_else(|| encoder(&identity.encoder)) {
            Some(reason) => refuse(reason),
            // Before anything is fetched: without its keys nothing can be made of it.
            None => self.signers().map(drop),
        }
    }
}

fn rules(identity: &Identity) -> Option<String> {
    let found = identity.assembly;
    (found != ASSEMBLY).then(|| format!("assembly = {found} was locked by other rules; this program knows {ASSEMBLY}"))
}

fn decisions(identity: &Identity) -> Decisions<'_> {
    Decisions {
        source: identity.source,
        arch: &identity.arch,
        rpmdb: &identity.rpmdb,
        setuid: &identity.setuid,
        wanted: identity.packages.iter().map(|package| package.name.as_str()).collect(),
        excludes: &identity.excludes,
        scriptlets: &identity.scriptlets,
        alternatives: &identity.alternatives,
        users: &identity.users,
        groups: &identity.groups,
    }
}

/// What it is made of.
fn files(identity: &Identity) -> Option<String> {
    let root = identity.root_sha256.as_deref();
    let packages = &identity.packages;
    let is_whole = match identity.source {
        SourceKind::RpmRepo => root.is_none() && !packages.is_empty(),
        SourceKind::ChrootTar => packages.is_empty() && root.is_some_and(is_sha256),
    };
    if !is_whole {
        return Some("rpm-repo has packages and no root_sha256, chroot-tar a root_sha256 and no packages".to_owned());
    }
    if let Some(time) = identity.clamp_time.filter(|time| Timestamp::from_second(*time).is_err()) {
        return Some(format!("clamp_time = {time} is no time"));
    }
    let mut seen = BTreeSet::new();
    let wrong = packages.iter().find_map(|it| {
        let nevra = it.nevra();
        package(it).or_else(|| (!seen.insert(nevra.clone())).then(|| format!("the package {nevra} stands there twice")))
    });
    wrong.or_else(|| root_sources(identity))
}

/// Those of a root, which its packages name.
fn root_sources(identity: &Identity) -> Option<String> {
    if identity.source == SourceKind::RpmRepo && !identity.root_sources.is_empty() {
        return Some("root_sources are of chroot-tar alone; a package of rpm-repo has its own".to_owned());
    }
    let sources = &identity.root_sources;
    let wrong = sources.iter().find_map(|it| source(it, "the root"));
    // In one order alone, so that the same root has one key.
    wrong.or_else(|| {
        let of_order = sources.iter().zip(sources.iter().skip(1)).find(|(one, next)| one.file >= next.file);
        of_order.map(|(_, next)| format!("{:?} stands in root_sources twice, or not in the order of names", next.file))
    })
}

fn package(package: &Package) -> Option<String> {
    let Package { name, version, release, arch, sha256, size, source, signed_by, .. } = package;
    let is_release = release.is_empty() || is_package(release);
    if !(is_package(name) && is_package(version) && is_release && is_word(arch)) {
        return Some(format!("{:?} is no package's name, version, release and architecture", package.nevra()));
    }
    if *size > PACKAGE {
        return Some(format!("{} has {size} bytes, and no package has more than {PACKAGE}", package.nevra()));
    }
    let wrong = source.as_ref().and_then(|it| self::source(it, &package.nevra()));
    wrong.or_else(|| hashes([sha256].into_iter().chain(signed_by)))
}

fn source(source: &SourcePackage, of: &str) -> Option<String> {
    let SourcePackage { file, sha256, signed_by } = source;
    if !is_package(file) {
        return Some(format!("{file:?}, which {of} was built from, is no file's name"));
    }
    hashes(sha256.iter().chain(signed_by))
}

fn hashes<'a>(mut hashes: impl Iterator<Item = &'a String>) -> Option<String> {
    let hash = hashes.find(|hash| !is_sha256(hash))?;
    Some(format!("sha256 = {hash:?} is not 64 hexadecimal digits, lower case"))
}

/// Where its files are, and what its own files say of where more are.
fn places(identity: &Identity, provenance: &Provenance) -> Option<String> {
    if let Some((id, mirror)) = identity.mirrors.iter().find(|(id, mirror)| !is_word(id) || !is_mirror(mirror)) {
        let mirror = definition::shown(mirror);
        return Some(format!(
            "mirrors has {id:?} = {mirror:?}: the first is a repository's id, and of the second {MIRROR}"
        ));
    }
    let mut addresses = provenance.addresses.iter();
    addresses.find_map(|(sha256, address)| {
        if !is_sha256(sha256) {
            return Some(format!("addresses has {sha256:?}, which is not 64 hexadecimal digits, lower case"));
        }
        Some(Address::read(address, &definition::anywhere()).err()?.to_string())
    })
}

fn encoder(encoder: &Encoder) -> Option<String> {
    let Encoder { preset, block_size, .. } = encoder;
    let is_sound = *preset <= PRESET && BLOCKS.contains(block_size);
    (!is_sound).then(|| {
        let (least, most) = (BLOCKS.start(), BLOCKS.end());
        format!(
            "the encoder's preset = {preset} or block_size = {block_size} cannot be: presets go to {PRESET}, blocks from \
             {least} to {most} bytes"
        )
    })
}
