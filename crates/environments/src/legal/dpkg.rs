//! What dpkg installed in a root: its database, and what packages say of their licences beside it.

use std::collections::BTreeSet;
use std::io::Read as _;

use super::{Component, Manager};
use crate::lock::SourcePackage;
use crate::tree::{Entries, Kind, Path, PathError, Spool};

/// dpkg's database.
pub(super) const STATUS: &str = "var/lib/dpkg/status";
/// The most that is read of it; Debian's largest installations have some 10 MB.
const STATUS_SIZE: u64 = 64 << 20;
/// The most that is read of one package's file about its licences.
const COPYRIGHT_SIZE: u64 = 1 << 20;
/// How many links are followed.
const LINKS: usize = 16;

/// Why dpkg's database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DpkgError {
    /// It cannot be read from disk again.
    #[error("/{STATUS} cannot be read: {0}")]
    Read(#[source] std::io::Error),
    /// It is larger than one is.
    #[error("/{STATUS} has {size} bytes, more than {STATUS_SIZE}: it is no database of dpkg")]
    TooLarge {
        /// Its size.
        size: u64,
    },
    /// A package has no name or no version.
    #[error("/{STATUS} has a package without {0}")]
    Incomplete(&'static str),
    /// A package's name cannot be part of a path.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// The packages whose files are there, in the order of the database; none where there is no dpkg.
///
/// A licence is what the package's machine-readable `copyright` file says (Debian's `copyright-format` 1.0): the short names
/// of all its paragraphs, each once, joined by ` AND `. Where that file has no such form, nothing is said.
pub fn components(entries: &Entries, spool: &Spool) -> Result<Vec<Component>, DpkgError> {
    let Some(content) = find(entries, Path::new(STATUS.as_bytes())?) else { return Ok(Vec::new()) };
    if content.size > STATUS_SIZE {
        return Err(DpkgError::TooLarge { size: content.size });
    }
    let status = read(spool, content).map_err(DpkgError::Read)?;
    let mut components = Vec::new();
    for paragraph in status.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
        let field = |name: &'static str| field(paragraph, name);
        // The last of its three words (`dpkg-query(1)`, "Package states"): of all others the files are there.
        let state = field("Status").and_then(|status| status.split_whitespace().last());
        if matches!(state, None | Some("not-installed" | "config-files")) {
            continue;
        }
        let name = field("Package").ok_or(DpkgError::Incomplete("a name"))?;
        let version = field("Version").ok_or(DpkgError::Incomplete("a version"))?;
        components.push(Component {
            name: name.to_owned(),
            version: version.to_owned(),
            arch: field("Architecture").unwrap_or("all").to_owned(),
            manager: Manager::Dpkg,
            licence: licence(entries, spool, name)?,
            source: Some(source(name, version, field("Source"))),
            sha256: None,
        });
    }
    Ok(components)
}

/// A field's first line.
fn field<'a>(paragraph: &'a str, name: &str) -> Option<&'a str> {
    paragraph.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

/// The file that describes a source package: `Source` is another name, and another version in parentheses, where they
/// differ. Epochs are no part of files' names.
fn source(name: &str, version: &str, source: Option<&str>) -> SourcePackage {
    let (name, version) = match source.map(|source| source.split_once(" (").unwrap_or((source, ""))) {
        Some((source, "")) => (source, version),
        Some((source, version)) => (source, version.trim_end_matches(')')),
        None => (name, version),
    };
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    SourcePackage::named(format!("{name}_{version}.dsc"))
}

fn licence(entries: &Entries, spool: &Spool, name: &str) -> Result<Option<String>, DpkgError> {
    let path = Path::new(format!("usr/share/doc/{name}/copyright").as_bytes())?;
    let Some(content) = find(entries, path).filter(|content| content.size <= COPYRIGHT_SIZE) else { return Ok(None) };
    let text = read(spool, content).map_err(DpkgError::Read)?;
    Ok(short_names(&text))
}

/// The short names of licences in a machine-readable file.
fn short_names(text: &str) -> Option<String> {
    let first = text.lines().find(|line| !line.trim().is_empty())?;
    let format = first.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("Format"))?.1;
    if !format.contains("copyright-format") && !format.contains("dep5") {
        return None;
    }
    let names =
        text.lines().filter_map(|line| line.strip_prefix("License:")).map(str::trim).filter(|name| !name.is_empty());
    let names: BTreeSet<String> = names.map(grouped).collect();
    (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>().join(" AND "))
}

/// What has an alternative in it stays together.
fn grouped(name: &str) -> String {
    if name.contains(' ') { format!("({name})") } else { name.to_owned() }
}

fn read(spool: &Spool, content: crate::tree::Content) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    spool.read(content).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The contents of a file, through links of files and folders.
fn find(entries: &Entries, mut path: Path) -> Option<crate::tree::Content> {
    for _ in 0..LINKS {
        match entries.get(&path).map(|entry| &entry.kind) {
            Some(Kind::File(content)) => return Some(*content),
            Some(Kind::Hardlink(target)) => path = target.clone(),
            Some(Kind::Symlink(target)) => path = follow(&path, target, b"")?,
            Some(Kind::Directory) => return None,
            None => {
                let (folder, target) = std::iter::successors(path.parent(), Path::parent).find_map(|folder| {
                    match &entries.get(&folder)?.kind {
                        Kind::Symlink(target) => Some((folder.clone(), target)),
                        _ => None,
                    }
                })?;
                let rest = path.as_bytes().strip_prefix(folder.as_bytes())?;
                path = follow(&folder, target, rest)?;
            }
        }
    }
    None
}

/// Where a link at `path` leads to, with `rest` behind it.
fn follow(path: &Path, target: &[u8], rest: &[u8]) -> Option<Path> {
    let start = if target.starts_with(b"/") { Path::new(b"").ok()? } else { path.parent()? };
    let mut parts: Vec<&[u8]> = start.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty()).collect();
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Path::new(&[parts.join(&b'/').as_slice(), rest].concat()).ok()
}
