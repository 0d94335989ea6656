//! What a package's header says of its files.

use std::collections::HashSet;
use std::sync::Arc;

use super::header::{Header, HeaderError};
use super::tags;
use crate::tree::{Path, PathError};

/// The most bytes of a path (Linux, `PATH_MAX`).
const PATH_MAX: usize = 4096;
/// `RPMFILE_GHOST`: it belongs to the package, which does not bring it.
const GHOST: u64 = 1 << 6;
/// The bits of a mode that say what kind of file it is.
const KIND: u16 = 0o170_000;

/// A file of a package.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is.
    pub path: Path,
    /// Its kind and permissions, as `stat(2)` has them.
    pub mode: u16,
    /// Its bytes.
    pub size: u64,
    /// When it was changed, in seconds since 1970.
    pub mtime: i64,
    /// The hash of its contents in hexadecimal digits; empty where it has none.
    pub digest: Box<str>,
    /// What a symbolic link leads to.
    pub link: Box<[u8]>,
    /// Whether the package only names it.
    pub ghost: bool,
    /// Its owner's name.
    pub user: Arc<str>,
    /// Its group's name.
    pub group: Arc<str>,
    /// What tells names of one file from names of others: its device and inode when it was built.
    pub inode: (u64, u64),
    /// 1 for 32-bit programs, 2 for 64-bit ones, 0 for all else.
    pub color: u64,
    /// Its capabilities, in words; mostly empty.
    pub capabilities: Box<str>,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A file.
    Regular,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A device node, a pipe or a socket.
    Special,
}

/// Why a package's list of files cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A value of it cannot be read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Its lists are not of one length.
    #[error("it names {files} files, and the list of their {what} (tag {tag}) has {values}")]
    Uneven {
        /// How many paths there are.
        files: usize,
        /// What is missing, or more.
        what: &'static str,
        /// Its tag.
        tag: u32,
        /// How many of those there are.
        values: usize,
    },
    /// A path is longer than any that a system takes.
    #[error("it names a path of {bytes} bytes, and {PATH_MAX} is the most that a system takes")]
    Long {
        /// Its length.
        bytes: usize,
    },
    /// A path is there twice.
    #[error("it names {0} twice")]
    Twice(Path),
}

impl File {
    /// The files that a package's header names, in its order.
    pub fn all(header: &Header) -> Result<Vec<Self>, FilesError> {
        read(header)
    }

    /// What kind of file it is.
    pub fn kind(&self) -> FileKind {
        match self.mode & KIND {
            0o100_000 => FileKind::Regular,
            0o040_000 => FileKind::Directory,
            0o120_000 => FileKind::Symlink,
            _ => FileKind::Special,
        }
    }

    /// Its permissions.
    pub fn permissions(&self) -> u16 {
        self.mode & !KIND
    }
}

fn read(header: &Header) -> Result<Vec<File>, FilesError> {
    let mut paths = paths(header)?;
    let column = |tag, what, needed| Column::of(header, tag, what, paths.len(), needed);
    let size_tag = if header.has(tags::LONG_FILE_SIZES) { tags::LONG_FILE_SIZES } else { tags::FILE_SIZES };
    let sizes = column(size_tag, "sizes", true).numbers()?;
    let modes = column(tags::FILE_MODES, "modes", true).numbers()?;
    let mtimes = column(tags::FILE_MTIMES, "times", true).numbers()?;
    let flags = column(tags::FILE_FLAGS, "flags", false).numbers()?;
    let colors = column(tags::FILE_COLORS, "colours", false).numbers()?;
    let devices = column(tags::FILE_DEVICES, "devices", false).numbers()?;
    let inodes = column(tags::FILE_INODES, "inodes", false).numbers()?;
    let digests = column(tags::FILE_DIGESTS, "digests", true).texts()?;
    let links = column(tags::FILE_LINKTOS, "links", true).texts()?;
    let users = column(tags::FILE_USERS, "owners", true).texts()?;
    let groups = column(tags::FILE_GROUPS, "groups", true).texts()?;
    let capabilities = column(tags::FILE_CAPS, "capabilities", false).texts()?;

    let mut names = Names::default();
    let mut files = Vec::with_capacity(paths.len());
    for (index, path) in paths.drain(..).enumerate() {
        let number = |column: &[u64]| column.get(index).copied().unwrap_or_default();
        let text = |column: &[&[u8]]| {
            column.get(index).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default()
        };
        files.push(File {
            path,
            // Old packages have no sign, new ones none either: the type is sixteen bits.
            mode: u16::try_from(number(&modes)).unwrap_or_default(),
            size: number(&sizes),
            mtime: i64::try_from(number(&mtimes)).unwrap_or_default(),
            digest: text(&digests).into(),
            link: links.get(index).copied().unwrap_or_default().into(),
            ghost: number(&flags) & GHOST != 0,
            user: names.keep(&text(&users)),
            group: names.keep(&text(&groups)),
            inode: (number(&devices), number(&inodes)),
            color: number(&colors),
            capabilities: text(&capabilities).into(),
        });
    }
    Ok(files)
}

/// A value for each file.
struct Column<'a> {
    header: &'a Header,
    tag: u32,
    what: &'static str,
    files: usize,
    needed: bool,
}

impl<'a> Column<'a> {
    fn of(header: &'a Header, tag: u32, what: &'static str, files: usize, needed: bool) -> Self {
        Self { header, tag, what, files, needed }
    }

    fn numbers(self) -> Result<Vec<u64>, FilesError> {
        let values: Vec<_> = self.header.numbers(self.tag)?.collect();
        self.even(values)
    }

    fn texts(self) -> Result<Vec<&'a [u8]>, FilesError> {
        let values: Vec<_> = self.header.texts(self.tag)?.collect();
        self.even(values)
    }

    fn even<T>(self, values: Vec<T>) -> Result<Vec<T>, FilesError> {
        let Self { tag, what, files, needed, .. } = self;
        if values.len() == files || (values.is_empty() && !needed) {
            return Ok(values);
        }
        Err(FilesError::Uneven { files, what, tag, values: values.len() })
    }
}

/// The paths of a package's files, in its own order.
pub(crate) fn paths(header: &Header) -> Result<Vec<Path>, FilesError> {
    let mut paths = Vec::new();
    if header.has(tags::BASE_NAMES) {
        let folders: Vec<_> = header.texts(tags::DIR_NAMES)?.collect();
        let indexes: Vec<_> = header.numbers(tags::DIR_INDEXES)?.collect();
        let names: Vec<_> = header.texts(tags::BASE_NAMES)?.collect();
        if indexes.len() != names.len() {
            let (files, tag, values) = (names.len(), tags::DIR_INDEXES, indexes.len());
            return Err(FilesError::Uneven { files, what: "folders", tag, values });
        }
        for (name, index) in names.into_iter().zip(indexes) {
            let folder = usize::try_from(index).ok().and_then(|index| folders.get(index));
            let folder = folder.ok_or(HeaderError::Value { tag: tags::DIR_INDEXES })?;
            // Before it is put together: a header of some megabytes could name terabytes of paths.
            if folder.len() + name.len() > PATH_MAX {
                return Err(FilesError::Long { bytes: folder.len() + name.len() });
            }
            paths.push(Path::new(&[folder, name].concat())?);
        }
    } else {
        for name in header.texts(tags::OLD_FILE_NAMES)? {
            paths.push(Path::new(name)?);
        }
    }
    let mut seen = HashSet::with_capacity(paths.len());
    match paths.iter().find(|path| !seen.insert(*path)) {
        Some(path) => Err(FilesError::Twice(path.clone())),
        None => Ok(paths),
    }
}

/// Each name once, however many files have it.
#[derive(Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn keep(&mut self, name: &str) -> Arc<str> {
        if let Some(kept) = self.0.get(name) {
            return Arc::clone(kept);
        }
        let kept: Arc<str> = name.into();
        self.0.insert(Arc::clone(&kept));
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ceiling;
    use super::*;

    /// A header with one file, as rpm's database has it.
    fn header(folder: &[u8], name: &[u8]) -> Header {
        // The index of the folder first: numbers lie at multiples of four bytes.
        let data = [&[0; 4][..], folder, &[0], name, &[0]].concat();
        let (number, texts) = (4_u32, 8_u32);
        let folder_at = 4_u32;
        let name_at = folder_at + u32::try_from(folder.len()).unwrap() + 1;
        let entries = [
            [tags::DIR_INDEXES, number, 0, 1],
            [tags::BASE_NAMES, texts, name_at, 1],
            [tags::DIR_NAMES, texts, folder_at, 1],
        ];
        let counts = [3, u32::try_from(data.len()).unwrap()];
        let words = counts.into_iter().chain(entries.into_iter().flatten());
        let blob = words.flat_map(u32::to_be_bytes).chain(data).collect();
        Header::parse(blob, Ceiling::MAIN).unwrap()
    }

    #[test]
    fn a_path_that_is_longer_than_linux_allows_is_refused_before_it_is_put_together() {
        let folder = format!("/{}/", "d".repeat(4000));
        let longest = "n".repeat(PATH_MAX - folder.len());
        let found = paths(&header(folder.as_bytes(), longest.as_bytes())).unwrap();
        assert_eq!(found[0].as_bytes().len(), PATH_MAX - 1, "without its slash");
        let error = paths(&header(folder.as_bytes(), format!("{longest}n").as_bytes())).unwrap_err();
        assert!(matches!(error, FilesError::Long { bytes: 4097 }), "{error}");
    }
}
