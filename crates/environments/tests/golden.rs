//! A lock, with its packages beside it as rpmbuild made them once, and the bytes that it gives. They are fixed here: what
//! changes them, be it this program or a library that it is built with, changes what published locks give.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::io::Read as _;
use std::num::NonZeroU32;

use buildhub_core::store::S3Settings;
use buildhub_core::{Deadline, Variables};
use buildhub_environments::archive;
use buildhub_environments::build::Builder;
use buildhub_environments::digest::hex;
use buildhub_environments::lock::Lock;
use buildhub_environments::places::Places;
use buildhub_environments::progress::Nobody;
use buildhub_environments::settings::Means;
use buildhub_http::HttpSettings;
use liblzma::read::XzDecoder;
use sha2::{Digest as _, Sha256};

const KEY: &str = "04b61dd9990e52422834b51bb9ab1fa13acae3da15898ea7ff528f1aa3cb5e88";
const TAR: &str = "28a3865211976d2f22dbde0252dd5fd5c88cecc2844bb69943c2e6ee15308343";
const ARCHIVE: &str = "a98ced5a20fd0525177030a1c49448aa240a76f2b8fc945cd7158fa8c0fcb19c";
const LICENCES: &str = "c0e73929a38c61e32dadda4b5c48b8a4cb9a6f5f7d9e62850e5b5fefb4a077eb";
const BILL: &str = "3813400aea35c22742d6c730fc71d20ef0e4fcf7958c912793eea6cb951816ef";
const SOURCES: &str = "f0e09dd299b8ad2331f3e6067903b17c16c96937e6dcad5397e132db960e5eb3";
const IMAGE: &str = "ab7a0d4a5c675eef521fa5c84973b55a0bb9e764339fecbdf76300671f791003";

/// What to do, beside the number that stands there now.
const ASSEMBLY: &str = "the files of an environment, or their tar, are other bytes than they were. If that is meant, locks \
                        that are published give other bytes from now on: raise `lock::ASSEMBLY`, renew the fixture and \
                        these numbers, and say so in CHANGELOG.md. If not: a library that writes a part of it was \
                        changed (SQLite writes rpm's database)";
const ENCODER: &str = "the tar is the same, and xz makes other bytes of it: another release of liblzma, or another build of \
                       it. A lock names the encoder's version, so that a new version refuses old locks; renew the fixture \
                       and these numbers, and say so in CHANGELOG.md. The same version must not give other bytes";

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

#[tokio::test]
async fn a_lock_gives_the_bytes_that_it_gave_when_it_was_written_down() {
    let lock = Lock::parse(include_bytes!("fixtures/golden/lock.json"), "lock.json").unwrap();
    assert_eq!(
        lock.key().unwrap(),
        KEY,
        "the same lock has another key, by which nobody finds what is published of it"
    );
    archive::has(&lock.identity.encoder).unwrap_or_else(|error| panic!("{error}; {ENCODER}"));

    let places = Places::new(S3Settings::from_variables(&Variables::default()).unwrap(), &HttpSettings::default());
    let threads = NonZeroU32::new(2).unwrap();
    let means = Means { scratch: std::env::temp_dir(), threads, memory: None, disk: None };
    let builder = Builder::new(places.unwrap(), means);
    let mut work = builder.workspace().unwrap();
    let made = Box::pin(builder.build(&lock, &mut work, Deadline::NONE, &Nobody)).await.unwrap();

    let mut tar = Vec::new();
    XzDecoder::new_multi_decoder(std::fs::File::open(&made.archive).unwrap()).read_to_end(&mut tar).unwrap();
    assert_eq!(sha256(&tar), TAR, "{ASSEMBLY}");
    assert_eq!(made.sha256, ARCHIVE, "{ENCODER}");
    let papers = [&made.licences, &made.sbom, &made.sources].map(|paper| sha256(paper));
    assert_eq!(papers, [LICENCES, BILL, SOURCES], "the papers of a published lock are other bytes than they were");
    let image = std::fs::read(made.oci.unwrap().join("index.json")).unwrap();
    assert_eq!(sha256(&image), IMAGE, "the image of a published lock is another than it was");
}
