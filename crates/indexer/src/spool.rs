//! Builds that wait for the end of the inventory, on disk.
//!
//! Where a release's metadata lies is known only once every candidate of its version was seen, and rows come in no
//! order. What waits is written to an unnamed temporary file and read back once, so that memory does not depend on how
//! many wait. The file has no name, so nothing is left behind, however the process ends.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// The longest key that is read back: S3's are at most 1,024 bytes.
const MAX_KEY: usize = 1 << 16;

/// An archive's row, kept: all that a record needs beside its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The archive's key, decoded.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its date, in whole seconds.
    pub date: Timestamp,
}

/// The disk below the spool folder failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot {operation} the list of waiting builds in {}: {source}; free some space there, or name another folder by CSV_DOWNLOAD_DIRECTORY",
    folder.display()
)]
pub struct SpoolError {
    operation: &'static str,
    folder: PathBuf,
    source: io::Error,
}

/// A list of waiting builds that is being written.
#[derive(Debug)]
pub struct Spool {
    folder: PathBuf,
    file: BufWriter<File>,
    length: u64,
}

impl Spool {
    /// An empty list in a temporary file of `folder`.
    pub fn new(folder: &Path) -> Result<Self, SpoolError> {
        let made = std::fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
        let file = made.map_err(|source| SpoolError { operation: "make", folder: folder.to_owned(), source })?;
        Ok(Self { folder: folder.to_owned(), file: BufWriter::with_capacity(1 << 18, file), length: 0 })
    }

    /// Adds a build.
    pub fn push(&mut self, build: &Pending) -> Result<(), SpoolError> {
        self.length += 1;
        write(&mut self.file, build).map_err(|source| self.fault("write", source))
    }

    /// A place to come back to by [`Spool::roll_back`].
    pub fn mark(&mut self) -> Result<Mark, SpoolError> {
        let position = self.file.stream_position().map_err(|source| self.fault("write", source))?;
        Ok(Mark { position, length: self.length })
    }

    /// Forgets what was added since: the rows of a part that proved to be damaged.
    pub fn roll_back(&mut self, mark: Mark) -> Result<(), SpoolError> {
        // Seeking writes what is buffered, so that cutting the file reaches it.
        let cut = self.file.seek(SeekFrom::Start(mark.position)).and_then(|at| self.file.get_ref().set_len(at));
        cut.map_err(|source| self.fault("write", source))?;
        self.length = mark.length;
        Ok(())
    }

    /// How many builds wait.
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Ends the writing: the builds in the order they came.
    pub fn read(mut self) -> Result<Waiting, SpoolError> {
        let folder = self.folder.clone();
        let rewound = self.file.flush().and_then(|()| self.file.get_mut().rewind());
        rewound.map_err(|source| self.fault("write", source))?;
        let (file, _) = self.file.into_parts();
        Ok(Waiting { folder, file: BufReader::with_capacity(1 << 18, file), left: self.length })
    }

    fn fault(&self, operation: &'static str, source: io::Error) -> SpoolError {
        SpoolError { operation, folder: self.folder.clone(), source }
    }
}

/// A place in a list of waiting builds.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    position: u64,
    length: u64,
}

/// A list of waiting builds that is being read.
#[derive(Debug)]
pub struct Waiting {
    folder: PathBuf,
    file: BufReader<File>,
    left: u64,
}

impl Iterator for Waiting {
    type Item = Result<Pending, SpoolError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let build = read(&mut self.file);
        Some(build.map_err(|source| SpoolError { operation: "read", folder: self.folder.clone(), source }))
    }
}

fn write(out: &mut impl io::Write, build: &Pending) -> io::Result<()> {
    let length = u32::try_from(build.key.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(build.key.as_bytes())?;
    out.write_all(&build.size.to_le_bytes())?;
    out.write_all(&build.date.as_second().to_le_bytes())
}

fn read(input: &mut impl io::Read) -> io::Result<Pending> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = usize::try_from(u32::from_le_bytes(length)).map_err(io::Error::other)?;
    if length > MAX_KEY {
        return Err(io::Error::other("an entry is damaged"));
    }
    let mut key = vec![0; length];
    input.read_exact(&mut key)?;
    let (mut size, mut date) = ([0; 8], [0; 8]);
    input.read_exact(&mut size)?;
    input.read_exact(&mut date)?;
    Ok(Pending {
        key: String::from_utf8(key).map_err(io::Error::other)?,
        size: u64::from_le_bytes(size),
        date: Timestamp::from_second(i64::from_le_bytes(date)).map_err(io::Error::other)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_comes_back_in_order_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::new(folder.path()).unwrap();
        let builds: Vec<_> = (0..1000)
            .map(|n| Pending {
                key: format!("pub/é {n}"),
                size: n,
                date: Timestamp::from_second(n.cast_signed()).unwrap(),
            })
            .collect();
        for build in &builds {
            spool.push(build).unwrap();
        }
        assert_eq!(spool.len(), 1000);
        let back: Vec<_> = spool.read().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, builds);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_was_added_since_a_mark_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let build = |n: u64| Pending { key: format!("key {n}"), size: n, date: Timestamp::UNIX_EPOCH };
        let mut spool = Spool::new(folder.path()).unwrap();
        spool.push(&build(1)).unwrap();
        let mark = spool.mark().unwrap();
        for n in 2..100_000 {
            spool.push(&build(n)).unwrap();
        }
        spool.roll_back(mark).unwrap();
        spool.push(&build(7)).unwrap();
        let back: Vec<_> = spool.read().unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(back, [build(1), build(7)]);
    }

    #[test]
    fn a_folder_that_cannot_be_written_names_its_variable() {
        let error = Spool::new(Path::new("/proc/nowhere")).unwrap_err().to_string();
        assert!(error.contains("/proc/nowhere") && error.contains("CSV_DOWNLOAD_DIRECTORY"), "{error}");
    }
}
