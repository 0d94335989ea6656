//! A package's payload: decompressed, checked, handed out a file at a time.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use md5::Md5;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::cpio::{Archive, Member};
use super::{Fault, File, FileKind, Package, PackageError, tags};
use crate::decompress::Compression;
use crate::digest::hex;
use crate::progress::Pulse;
use crate::tree::{Content, Spool};

/// The most memory that lzma may ask for.
const LZMA_MEMORY: u64 = 256 << 20;
/// OpenPGP's number of SHA-256.
const SHA256: u64 = 8;

impl Package {
    /// Reads the payload through, and keeps the contents of those files that `wanted` says, each by its number in `files`.
    /// Of a file's several names only one has the contents. Everything is checked, wanted or not: that the payload is the
    /// one that the header names, that each member is a file of the header, and that each file is what the header says.
    /// `pulse` hears how many bytes of the payload, as it is compressed, are read.
    pub fn unpack(
        &self,
        files: &[File],
        wanted: &dyn Fn(usize) -> bool,
        spool: &mut Spool,
        pulse: &mut Pulse<'_>,
    ) -> Result<HashMap<usize, Content>, PackageError> {
        self.unpacked(files, wanted, spool, pulse).map_err(|fault| self.fault(fault))
    }

    /// Checks that the payload is the one that the header names, without looking into it.
    pub fn check_payload(&self, pulse: &mut Pulse<'_>) -> Result<(), PackageError> {
        self.payload_checked(pulse).map_err(|fault| self.fault(fault))
    }

    fn payload_checked(&self, pulse: &mut Pulse<'_>) -> Result<(), Fault> {
        let mut raw = self.raw(pulse)?;
        io::copy(&mut raw, &mut io::sink()).map_err(Fault::Open)?;
        self.is_payload(&hex(&raw.hash.finalize()))
    }

    /// The payload, as it is compressed.
    fn raw<'a>(&self, pulse: &'a mut Pulse<'a>) -> Result<Hashing<'a>, Fault> {
        let mut source = std::fs::File::open(&self.path).map_err(Fault::Open)?;
        source.seek(SeekFrom::Start(self.payload_at)).map_err(Fault::Open)?;
        Ok(Hashing { source, hash: Sha256::new(), read: 0, pulse })
    }

    fn unpacked(
        &self,
        files: &[File],
        wanted: &dyn Fn(usize) -> bool,
        spool: &mut Spool,
        pulse: &mut Pulse<'_>,
    ) -> Result<HashMap<usize, Content>, Fault> {
        let mut raw = self.raw(pulse)?;
        let mut kept = HashMap::new();
        {
            let payload = self.decompressed(&mut raw)?;
            let mut archive = Archive::new(payload);
            Unpacking { files, wanted, spool, algorithm: self.file_algorithm()? }.all(&mut archive, &mut kept)?;
            io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(Fault::Compression)?;
        }
        io::copy(&mut raw, &mut io::sink()).map_err(Fault::Open)?;
        self.is_payload(&hex(&raw.hash.finalize()))?;
        Ok(kept)
    }

    fn decompressed<'a>(&self, raw: impl Read + 'a) -> Result<Box<dyn Read + 'a>, Fault> {
        let main = |source| Fault::Header { which: "main", source };
        let compressor = self.header.string(tags::PAYLOAD_COMPRESSOR).map_err(main)?;
        let mut raw = BufReader::with_capacity(128 << 10, raw);
        if compressor.as_deref() == Some("lzma") {
            let stream = Stream::new_lzma_decoder(LZMA_MEMORY).map_err(|error| Fault::Compression(error.into()))?;
            return Ok(Box::new(XzDecoder::new_stream(raw, stream)));
        }
        // The others say what they are at their beginning; a payload that is not compressed has no name for that.
        let mut start = Vec::new();
        raw.by_ref().take(6).read_to_end(&mut start).map_err(Fault::Open)?;
        let compression = Compression::of(&start);
        compression.open(io::Cursor::new(start).chain(raw)).map_err(Fault::Compression)
    }

    /// Without a digest in the header, which packages made before 2017 lack, the whole file's hash has to do.
    fn is_payload(&self, found: &str) -> Result<(), Fault> {
        let main = |source| Fault::Header { which: "main", source };
        let algorithm = self.header.number(tags::PAYLOAD_DIGEST_ALGO).map_err(main)?;
        let Some(expected) = self.header.string(tags::PAYLOAD_DIGEST).map_err(main)? else { return Ok(()) };
        if algorithm == Some(SHA256) && expected == found {
            return Ok(());
        }
        Err(Fault::PayloadDigest { expected, found: found.to_owned() })
    }

    fn file_algorithm(&self) -> Result<u64, Fault> {
        let main = |source| Fault::Header { which: "main", source };
        // Without a word it is MD5.
        Ok(self.header.number(tags::FILE_DIGEST_ALGO).map_err(main)?.unwrap_or(1))
    }
}

struct Unpacking<'a> {
    files: &'a [File],
    wanted: &'a dyn Fn(usize) -> bool,
    spool: &'a mut Spool,
    algorithm: u64,
}

impl Unpacking<'_> {
    fn all(mut self, archive: &mut Archive<impl Read>, kept: &mut HashMap<usize, Content>) -> Result<(), Fault> {
        let by_path: HashMap<_, _> =
            self.files.iter().enumerate().map(|(index, file)| (file.path.as_bytes(), index)).collect();
        let links = Links::of(self.files);
        let mut seen = vec![false; self.files.len()];
        // Files of several names, by the last of them, whose contents came.
        let mut whole = HashSet::new();
        while let Some(member) = archive.member().map_err(Fault::Payload)? {
            let (index, size) = match &member {
                Member::Numbered(index) => (Some(*index), None),
                Member::Named(name, size) => {
                    let name = name.strip_prefix(b".").unwrap_or(name);
                    (by_path.get(name.strip_prefix(b"/").unwrap_or(name)).copied(), Some(*size))
                }
            };
            let stray = || Fault::Stray { name: named(&member) };
            let index = index.ok_or_else(stray)?;
            let file = self.files.get(index).ok_or_else(stray)?;
            let first = seen.get_mut(index).is_some_and(|seen| !std::mem::replace(seen, true));
            if !first || file.ghost {
                return Err(stray());
            }
            if file.kind() != FileKind::Regular {
                // A symbolic link's target is in the header too; the member's is passed over.
                let size = size.unwrap_or(if file.kind() == FileKind::Symlink { file.size } else { 0 });
                archive.contents(size);
                continue;
            }
            let size = size.unwrap_or_else(|| if links.has_contents(index) { file.size } else { 0 });
            if size == 0 && file.size > 0 && links.is_one_of_several(index) {
                continue;
            }
            whole.extend(links.set(index).filter(|last| self.files.get(*last).is_some_and(|last| last.size == size)));
            if let Some(content) = self.keep(index, file, size, archive)? {
                kept.insert(index, content);
            }
        }
        let brought = |file: &File| !file.ghost && file.kind() == FileKind::Regular;
        if let Some((file, _)) = self.files.iter().zip(&seen).find(|(file, seen)| brought(file) && !**seen) {
            return Err(Fault::Absent(file.path.clone()));
        }
        let last = |index: &usize| links.set(*index).is_some_and(|last| last == *index) && !whole.contains(index);
        match self.files.iter().enumerate().find(|(index, _)| last(index)) {
            // As rpm has it, which looks for them at the last name.
            Some((_, file)) => {
                let reason = format!("none of its names has its {} bytes", file.size);
                Err(Fault::Contents { path: file.path.clone(), reason })
            }
            None => Ok(()),
        }
    }

    fn keep(
        &mut self,
        index: usize,
        file: &File,
        size: u64,
        archive: &mut Archive<impl Read>,
    ) -> Result<Option<Content>, Fault> {
        let wrong = |reason| Fault::Contents { path: file.path.clone(), reason };
        if size != file.size {
            return Err(wrong(format!("it has {size} bytes instead of {}", file.size)));
        }
        let mut contents = Checked { source: archive.contents(size), hash: FileHash::of(self.algorithm) };
        let content = if (self.wanted)(index) {
            let fault = |source| Fault::Spool { path: file.path.clone(), source };
            Some(self.spool.keep(&mut contents).map_err(fault)?)
        } else {
            io::copy(&mut contents, &mut io::sink()).map_err(Fault::Compression)?;
            None
        };
        match contents.hash.finish() {
            Some(found) if !file.digest.is_empty() && found != *file.digest => {
                Err(wrong(format!("its digest is {found} instead of {}", file.digest)))
            }
            _ => Ok(content),
        }
    }
}

fn named(member: &Member) -> String {
    match member {
        Member::Named(name, _) => String::from_utf8_lossy(name).into_owned(),
        Member::Numbered(index) => format!("the file of number {index}"),
    }
}

/// Which files are names of one.
pub(crate) struct Links {
    /// For each file that has other names: the last of them.
    last: HashMap<usize, usize>,
}

impl Links {
    pub(crate) fn of(files: &[File]) -> Self {
        let mut sets: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
        for (index, file) in files.iter().enumerate() {
            if file.kind() == FileKind::Regular && !file.ghost && file.inode.1 != 0 {
                sets.entry(file.inode).or_default().push(index);
            }
        }
        let several = sets.into_values().filter(|set| set.len() > 1);
        let last = several.flat_map(|set| {
            let last = set.last().copied().unwrap_or_default();
            set.into_iter().map(move |index| (index, last))
        });
        Self { last: last.collect() }
    }

    /// The set that a file is in: by its last name. None for a file with one name.
    pub(crate) fn set(&self, index: usize) -> Option<usize> {
        self.last.get(&index).copied()
    }

    fn is_one_of_several(&self, index: usize) -> bool {
        self.last.contains_key(&index)
    }

    /// Whether the archive that has no sizes has this file's contents here: of several names, the last has.
    fn has_contents(&self, index: usize) -> bool {
        self.set(index).is_none_or(|last| last == index)
    }
}

struct Hashing<'a> {
    source: std::fs::File,
    hash: Sha256,
    read: u64,
    pulse: &'a mut Pulse<'a>,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.pulse)(self.read)?;
        let read = self.source.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        self.read += read as u64;
        Ok(read)
    }
}

struct Checked<R> {
    source: R,
    hash: FileHash,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hash.update(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

/// The hashes that rpm has for files, by OpenPGP's numbers.
enum FileHash {
    Md5(Md5),
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
    /// Another: the payload's own digest has to do.
    Other,
}

impl FileHash {
    fn of(algorithm: u64) -> Self {
        match algorithm {
            1 => Self::Md5(Md5::new()),
            SHA256 => Self::Sha256(Sha256::new()),
            9 => Self::Sha384(Sha384::new()),
            10 => Self::Sha512(Sha512::new()),
            _ => Self::Other,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hash) => hash.update(bytes),
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
            Self::Other => {}
        }
    }

    fn finish(self) -> Option<String> {
        Some(match self {
            Self::Md5(hash) => hex(&hash.finalize()),
            Self::Sha256(hash) => hex(&hash.finalize()),
            Self::Sha384(hash) => hex(&hash.finalize()),
            Self::Sha512(hash) => hex(&hash.finalize()),
            Self::Other => return None,
        })
    }
}
