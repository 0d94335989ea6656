//! Contents of files, one behind another in an unnamed file on disk.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// Bytes that are read at a time.
const BUFFER: usize = 128 << 10;

/// Contents on disk, written once, read in any order.
#[derive(Debug)]
pub struct Spool {
    file: File,
    folder: PathBuf,
    end: u64,
    most: u64,
    buffer: Vec<u8>,
}

/// Where a file's contents lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// The first byte.
    pub at: u64,
    /// How many.
    pub size: u64,
}

/// Why contents cannot be kept.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// There is no room for it, or no right to write.
    #[error("the environment's files cannot be kept in {folder}: {source}")]
    Create {
        /// The folder.
        folder: String,
        /// What the system says.
        source: io::Error,
    },
    /// Where contents come from cannot be read on.
    #[error("the contents cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The disk does not take it.
    #[error("the contents cannot be kept on disk after {at} bytes: {source}; give the work more disk")]
    Write {
        /// How much there was already.
        at: u64,
        /// What the system says.
        source: io::Error,
    },
    /// There is more of it than may be.
    #[error(
        "the environment's files have more than the {most} bytes of disk that there are; if they are what they should be, \
         give the function more ephemeral storage, or raise ENVIRONMENTS_DISK where there is more"
    )]
    Full {
        /// The most bytes.
        most: u64,
    },
}

impl Spool {
    /// An empty one in `folder`. It is gone when it is dropped, however the process ends.
    pub fn create(folder: &Path) -> Result<Self, SpoolError> {
        let file = tempfile::tempfile_in(folder)
            .map_err(|source| SpoolError::Create { folder: folder.display().to_string(), source })?;
        Ok(Self { file, folder: folder.to_owned(), end: 0, most: u64::MAX, buffer: vec![0; BUFFER] })
    }

    /// The same, for so many bytes at most: a small package may say that it has files of any size.
    #[must_use]
    pub fn at_most(self, most: u64) -> Self {
        Self { most, ..self }
    }

    /// Keeps everything that `contents` gives.
    pub fn keep(&mut self, contents: &mut dyn Read) -> Result<Content, SpoolError> {
        let at = self.end;
        loop {
            let read = match contents.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(SpoolError::Read(error)),
            };
            if self.end.saturating_add(read as u64) > self.most {
                return Err(SpoolError::Full { most: self.most });
            }
            let bytes = self.buffer.get(..read).unwrap_or_default();
            self.file.write_all(bytes).map_err(|source| SpoolError::Write { at: self.end, source })?;
            self.end += read as u64;
        }
        Ok(Content { at, size: self.end - at })
    }

    /// Reads contents again.
    pub fn read(&self, content: Content) -> impl Read + '_ {
        Reader { file: &self.file, at: content.at, left: content.size }
    }

    /// The folder it is in, which has room for what work needs on disk beside it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.end
    }
}

struct Reader<'a> {
    file: &'a File,
    at: u64,
    left: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = self.file.read_at(buffer.get_mut(..most).unwrap_or_default(), self.at)?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_without_an_end_are_refused_before_the_disk_is_full() {
        let mut spool = Spool::create(&std::env::temp_dir()).unwrap().at_most(1 << 20);
        let kept = spool.keep(&mut &b"hello"[..]).unwrap();
        let error = spool.keep(&mut io::repeat(0)).unwrap_err();
        assert!(matches!(error, SpoolError::Full { most: 1_048_576 }), "{error}");
        assert!(spool.size() <= 1 << 20);
        assert_eq!(io::read_to_string(spool.read(kept)).unwrap(), "hello");
    }
}
