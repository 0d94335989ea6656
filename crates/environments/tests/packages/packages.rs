//! Single packages: compressions, damage, signatures, many files.

use std::path::Path;
use std::sync::LazyLock;

use buildhub_environments::digest::hex;
use buildhub_environments::keys::Keys;
use buildhub_environments::rpm::{Ceiling, Fault, File as PackageFile, Header, Package, Scriptlet};
use buildhub_environments::tree::{MergeError, Spool};
use buildhub_testkit::environments::{File, Payload, Recipe, Signer, Workshop};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::support::{Tree, identity};

const PAYLOADS: [Payload; 6] =
    [Payload::None, Payload::Gzip, Payload::Bzip2, Payload::Xz, Payload::Lzma, Payload::Zstd];

fn package(payload: Payload) -> Recipe {
    Recipe::new("words").payload(payload).file(File::new("/usr/share/words", "word ".repeat(20_000)))
}

#[test]
fn payloads_of_every_compression_give_the_same_file() {
    for payload in PAYLOADS {
        let tree = Tree::build(&[package(payload)], &identity()).unwrap();
        assert_eq!(tree.text("/usr/share/words"), "word ".repeat(20_000), "{payload:?}");
    }
}

/// Every byte of a package is vouched for by something: each one that is changed is noticed, by whatever notices it.
#[test]
fn a_package_with_a_changed_byte_is_refused_wherever_it_is() {
    let workshop = Workshop::create().unwrap();
    for payload in PAYLOADS {
        let path = workshop.build(&[package(payload)]).unwrap().remove(0);
        let sound = std::fs::read(&path).unwrap();
        // The lead's name is nobody's concern, and the signature header's own numbers only where they are used.
        let header = Package::open(&path).unwrap().header().blob().to_vec();
        let begins = sound.windows(header.len()).position(|bytes| bytes == header).unwrap();
        let mut at = begins;
        while at < sound.len() {
            let mut damaged = sound.clone();
            damaged[at] ^= 0x10;
            std::fs::write(&path, &damaged).unwrap();
            assert!(unpacked(&path).is_err(), "{payload:?}: byte {at} of {}", sound.len());
            at += 97;
        }
        std::fs::write(&path, &sound[..sound.len() - 1]).unwrap();
        assert!(unpacked(&path).is_err(), "{payload:?}: cut");
        std::fs::write(&path, &sound).unwrap();
        unpacked(&path).unwrap();
    }
}

fn unpacked(path: &Path) -> Result<(), String> {
    let package = Package::open(path).map_err(|error| error.to_string())?;
    let files = package.files().map_err(|error| error.to_string())?;
    let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
    package.unpack(&files, &|_| true, &mut spool, &mut |_| Ok(())).map(drop).map_err(|error| error.to_string())
}

#[test]
fn an_error_names_the_package_and_says_what_is_damaged() {
    let workshop = Workshop::create().unwrap();
    let path = workshop.build(&[package(Payload::None)]).unwrap().remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 200;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = Tree::of(&[path], &identity()).unwrap_err();
    let MergeError::Package(error) = error else { panic!("{error}") };
    assert_eq!(error.package, "words-1-1.x86_64");
    assert!(
        error.to_string().contains("/usr/share/words") || matches!(error.fault, Fault::PayloadDigest { .. }),
        "{error}"
    );
}

/// Replaces each digest, which is as long as the one that it takes the place of.
fn replace(bytes: &mut [u8], from: &str, to: &str) -> usize {
    let places: Vec<_> =
        (0..=bytes.len() - from.len()).filter(|at| bytes[*at..].starts_with(from.as_bytes())).collect();
    for at in &places {
        bytes[*at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    places.len()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// rpm has a file's contents at the last of its names. A package that has them at none would be an empty file, of which all
/// digests of package and payload are right.
#[test]
fn a_file_of_several_names_of_which_none_has_its_contents_is_refused() {
    let workshop = Workshop::create().unwrap();
    let recipe = Recipe::new("links")
        .payload(Payload::None)
        .file(File::new("/a/first", "12345678"))
        .file(File::hardlink("/b/second", "/a/first"))
        .file(File::new("/c/empty", ""))
        .file(File::hardlink("/c/empty-too", "/c/empty"));
    let path = workshop.build(&[recipe]).unwrap().remove(0);
    unpacked(&path).unwrap();

    let mut bytes = std::fs::read(&path).unwrap();
    let header = Package::open(&path).unwrap().header().blob().to_vec();
    let header_at = bytes.windows(header.len()).position(|bytes| bytes == header).unwrap();
    let payload = bytes.split_off(header_at + header.len());
    let (at, size) = (payload.windows(8).position(|bytes| bytes == b"12345678").unwrap(), 8);
    let mut hollow = payload.clone();
    hollow.drain(at..at + size);
    // Its member's header is right before its name: the seventh of thirteen numbers is its size.
    let member = hollow[..at].windows(6).rposition(|bytes| bytes == b"070701").unwrap();
    hollow[member + 6 + 6 * 8..member + 6 + 7 * 8].copy_from_slice(b"00000000");
    assert!(replace(&mut bytes, &sha256(&payload), &sha256(&hollow)) > 0);
    let signed = |bytes: &[u8]| sha256(&[&MAGIC[..], &bytes[header_at..]].concat());
    let (before, after) = (sha256(&[&MAGIC[..], &header].concat()), signed(&bytes));
    assert!(replace(&mut bytes, &before, &after) > 0);
    std::fs::write(&path, [bytes, hollow].concat()).unwrap();
    let error = unpacked(&path).unwrap_err();
    assert!(error.contains("/b/second is not what its header says: none of its names has its 8 bytes"), "{error}");
}

#[test]
fn a_source_package_and_a_text_are_no_packages_to_install() {
    let workshop = Workshop::create().unwrap();
    let binary = workshop.build_with_sources(&[Recipe::new("a")]).unwrap().remove(0);
    let source = workshop.sources().join("a-1-1.src.rpm");
    let error = Package::open(&source).unwrap_err();
    assert!(matches!(error.fault, Fault::Source), "{error}");
    assert!(matches!(Package::open_source(&binary).unwrap_err().fault, Fault::Binary));
    let opened = Package::open_source(&source).unwrap();
    opened.check_payload(&mut |_| Ok(())).unwrap();
    let mut damaged = std::fs::read(&source).unwrap();
    *damaged.last_mut().unwrap() ^= 1;
    std::fs::write(&source, damaged).unwrap();
    let error = opened.check_payload(&mut |_| Ok(())).unwrap_err();
    assert!(matches!(error.fault, Fault::PayloadDigest { .. }), "{error}");
    let text = workshop.packages().join("text.rpm");
    std::fs::write(&text, "<html>not found</html>".repeat(10)).unwrap();
    assert!(matches!(Package::open(&text).unwrap_err().fault, Fault::NoPackage));
}

#[test]
fn a_package_must_be_signed_by_one_of_the_keys() {
    let workshop = Workshop::create().unwrap();
    let made = workshop.build(&[Recipe::new("signed"), Recipe::new("unsigned")]).unwrap();
    let (ours, stranger) = (Signer::create("ours", "rsa3072").unwrap(), Signer::create("stranger", "rsa3072").unwrap());
    ours.sign_package(&made[0]).unwrap();
    let keys = |signer: &Signer| {
        let mut keys = Keys::default();
        keys.add(&signer.public_key().unwrap()).unwrap();
        keys
    };
    let signed = Package::open(&made[0]).unwrap();
    assert_eq!(signed.verify(&keys(&ours)).unwrap().len(), 40);
    assert!(matches!(signed.verify(&keys(&stranger)).unwrap_err().fault, Fault::Signature(_)));
    let unsigned = Package::open(&made[1]).unwrap();
    assert!(matches!(unsigned.verify(&keys(&ours)).unwrap_err().fault, Fault::Unsigned));
}

proptest! {
    /// Whatever a header says, what is read of it lies inside it, and nothing panics.
    #[test]
    fn a_header_with_changed_bytes_is_read_or_refused(changes in vec((any::<u16>(), any::<u8>()), 1..12)) {
        let mut bytes = HEADER.to_vec();
        for (at, value) in changes {
            // Most of the changes where most of the meaning is: in the entries at the beginning.
            let at = usize::from(at) % if value % 2 == 0 { bytes.len() } else { 1200 };
            bytes[at] = value;
        }
        if let Ok(header) = Header::read(&mut &*[&MAGIC[..], &*bytes].concat(), Ceiling::MAIN) {
            let _ = PackageFile::all(&header).map(|files| files.len());
            let _ = Scriptlet::all(&header).map(|scriptlets| scriptlets.len());
            prop_assert!(Header::parse(header.blob().to_vec(), Ceiling::MAIN).is_ok());
        }
    }
}

const MAGIC: [u8; 8] = [0x8e, 0xad, 0xe8, 0x01, 0, 0, 0, 0];

/// The header of a package with files, links, capabilities and scriptlets.
static HEADER: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let recipe = package(Payload::None)
        .file(File::symlink("/usr/share/link", "words"))
        .file(File::new("/usr/bin/ping", "x").directive("%caps(cap_net_raw+p)"))
        .section("%post -p /sbin/ldconfig", "")
        .section("%filetriggerin -- /usr/lib", "true");
    let workshop = Workshop::create().unwrap();
    let path = workshop.build(&[recipe]).unwrap().remove(0);
    Package::open(&path).unwrap().header().blob().to_vec()
});
