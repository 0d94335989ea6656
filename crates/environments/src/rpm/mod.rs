//! Packages of rpm, read without rpm: what they say, what they bring, what they would run.
//!
//! A package is a lead of 96 bytes that nobody needs any more, a [header](Header) with digests and signatures, the header that describes
//! it, and its files as a compressed [cpio archive](cpio). Whoever fetches one has checked the hash of the whole file;
//! here the header is checked by its own SHA-256, the payload by the header's, and each file by the header's digest of it.
//! So a signature over the header vouches for everything.

pub mod capability;
pub mod cpio;
mod error;
mod files;
mod header;
mod payload;
mod scriptlets;
pub(crate) mod tags;

use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub use error::{Fault, PackageError};
pub(crate) use files::paths;
pub use files::{File, FileKind, FilesError};
pub use header::{Ceiling, Header, HeaderError};
pub(crate) use payload::Links;
pub use scriptlets::Scriptlet;

use crate::digest::hex;
use crate::keys::Keys;

/// Bytes of the lead.
const LEAD: usize = 96;
/// What the lead says of a package that is installed, and of a source package.
const BINARY: u8 = 0;
const SOURCE: u8 = 1;

/// A package whose headers are read, and whose payload lies on disk.
#[derive(Debug)]
pub struct Package {
    path: PathBuf,
    signature: Header,
    header: Header,
    payload_at: u64,
    size: u64,
    /// Name, epoch, version, release, architecture.
    name: String,
    epoch: u64,
    version: String,
    release: String,
    arch: String,
}

impl Package {
    /// Reads the headers of the package at `path`, and checks them.
    pub fn open(path: &Path) -> Result<Self, PackageError> {
        Self::read(path, BINARY).map_err(|fault| PackageError { package: path.display().to_string(), fault })
    }

    /// Reads the headers of a source package, from which nothing is installed, and checks them.
    pub fn open_source(path: &Path) -> Result<Self, PackageError> {
        Self::read(path, SOURCE).map_err(|fault| PackageError { package: path.display().to_string(), fault })
    }

    fn read(path: &Path, kind: u8) -> Result<Self, Fault> {
        let file = std::fs::File::open(path).map_err(Fault::Open)?;
        let size = file.metadata().map_err(Fault::Open)?.len();
        let mut file = BufReader::new(file);
        let mut lead = [0; LEAD];
        file.read_exact(&mut lead).map_err(|_| Fault::NoPackage)?;
        match lead {
            [0xed, 0xab, 0xee, 0xdb, _, _, 0, found, ..] if found == kind => {}
            [0xed, 0xab, 0xee, 0xdb, _, _, 0, SOURCE, ..] => return Err(Fault::Source),
            [0xed, 0xab, 0xee, 0xdb, _, _, 0, BINARY, ..] => return Err(Fault::Binary),
            _ => return Err(Fault::NoPackage),
        }
        let of = |which| move |source| Fault::Header { which, source };
        let signature = Header::read(&mut file, Ceiling::SIGNATURE).map_err(of("signature"))?;
        // The main header begins at a multiple of eight bytes.
        let padding = signature.blob().len().wrapping_neg() % 8;
        let mut nothing = [0; 8];
        let cut = |source: std::io::Error| Fault::Header { which: "signature", source: source.into() };
        file.read_exact(nothing.get_mut(..padding).unwrap_or_default()).map_err(cut)?;
        let header = Header::read(&mut file, Ceiling::MAIN).map_err(of("main"))?;
        check(&signature, &header)?;
        let before = LEAD + 8 + signature.blob().len() + padding + 8 + header.blob().len();
        let main = of("main");
        let text = |tag, what| header.required(tag, what);
        let (name, version) = (text(tags::NAME, "name").map_err(main)?, text(tags::VERSION, "version").map_err(main)?);
        let (release, arch) = (text(tags::RELEASE, "release").map_err(main)?, text(tags::ARCH, "arch").map_err(main)?);
        let epoch = header.number(tags::EPOCH).map_err(main)?.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            payload_at: before as u64,
            size,
            name,
            epoch,
            version,
            release,
            arch,
            signature,
            header,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its architecture.
    pub fn arch(&self) -> &str {
        &self.arch
    }

    /// `name-epoch:version-release.arch`, without an epoch of 0.
    pub fn nevra(&self) -> String {
        let Self { name, version, release, arch, .. } = self;
        match self.epoch {
            0 => format!("{name}-{version}-{release}.{arch}"),
            epoch => format!("{name}-{epoch}:{version}-{release}.{arch}"),
        }
    }

    /// `name-version-release`: what the file of a source package is called by.
    pub fn nvr(&self) -> String {
        format!("{}-{}-{}", self.name, self.version, self.release)
    }

    /// When it was built, in seconds since 1970.
    pub fn built(&self) -> Result<i64, PackageError> {
        let built = self.header.number(tags::BUILD_TIME).map_err(|source| self.bad(source))?;
        Ok(built.and_then(|built| i64::try_from(built).ok()).unwrap_or_default())
    }

    /// Bytes of its file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What describes it.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its digests and signatures.
    pub fn signature(&self) -> &Header {
        &self.signature
    }

    /// How many files it has.
    pub fn file_count(&self) -> Result<usize, PackageError> {
        let names = |tag| self.header.texts(tag).map(Iterator::count);
        let count = names(tags::BASE_NAMES).and_then(|count| Ok(count + names(tags::OLD_FILE_NAMES)?));
        count.map_err(|error| self.bad(error))
    }

    /// Its files, in its own order.
    pub fn files(&self) -> Result<Vec<File>, PackageError> {
        File::all(&self.header).map_err(|source| self.fault(Fault::Files(source)))
    }

    /// Its licence, as it says; nothing where it says nothing.
    pub fn licence(&self) -> Result<String, PackageError> {
        Ok(self.header.string(tags::LICENSE).map_err(|source| self.bad(source))?.unwrap_or_default())
    }

    /// The file name of the source package that it was built from.
    pub fn source(&self) -> Result<Option<String>, PackageError> {
        self.header.string(tags::SOURCE_RPM).map_err(|source| self.bad(source))
    }

    /// What it would run.
    pub fn scriptlets(&self) -> Result<Vec<Scriptlet>, PackageError> {
        Scriptlet::all(&self.header).map_err(|source| self.bad(source))
    }

    /// Checks that one of the keys has signed it; which: its fingerprint. The signature is over the header, which has the
    /// payload's hash. One over header and payload together, as rpm made them before 2017, does not count where the
    /// header has no such hash.
    pub fn verify(&self, keys: &Keys) -> Result<String, PackageError> {
        if !self.header.has(tags::PAYLOAD_DIGEST) {
            return Err(self.fault(Fault::Unbound));
        }
        let signed = [&header::MAGIC[..], self.header.blob()].concat();
        let mut last = None;
        for tag in [tags::RSA_HEADER, tags::DSA_HEADER] {
            let signature = self.signature.bytes(tag).map_err(|source| self.bad(source))?;
            match signature.map(|signature| keys.verify(signature, &signed)) {
                None => {}
                Some(Ok(key)) => return Ok(key),
                Some(Err(error)) => last = Some(error),
            }
        }
        Err(self.fault(last.map_or(Fault::Unsigned, Fault::Signature)))
    }

    fn bad(&self, source: HeaderError) -> PackageError {
        self.fault(Fault::Header { which: "main", source })
    }

    pub(crate) fn fault(&self, fault: Fault) -> PackageError {
        PackageError { package: self.nevra(), fault }
    }

    /// Packages in the order of what they are called.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        (&self.name, self.epoch, &self.version, &self.release, &self.arch)
    }
}

/// The main header is the one that the package was made with. Packages made before 2016 have no SHA-256 of it.
fn check(signature: &Header, header: &Header) -> Result<(), Fault> {
    let of = |source| Fault::Header { which: "signature", source };
    let Some(expected) = signature.string(tags::SHA256_HEADER).map_err(of)? else { return Ok(()) };
    let found = hex(&Sha256::new().chain_update(header::MAGIC).chain_update(header.blob()).finalize());
    if expected == found { Ok(()) } else { Err(Fault::HeaderDigest { expected, found }) }
}
