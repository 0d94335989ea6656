//! Where a path leads when folders on its way are links.

use std::collections::HashMap;

use super::error::MergeError;
use crate::tree::{Entries, Kind, Path};

/// Links on the way to one file: the kernel's own limit (`path_resolution(7)`).
const DEPTH: usize = 40;
/// How often links are looked up through one another. Each time one more level of links in links is settled.
const ROUNDS: usize = 10;

/// The links of a tree, and where folders really are.
#[derive(Debug, Default)]
pub(super) struct Links {
    targets: HashMap<Path, Box<[u8]>>,
    folders: HashMap<Path, Path>,
}

impl Links {
    /// Learns all links of packages.
    pub(super) fn of(links: &[(&Path, &[u8])]) -> Result<Self, MergeError> {
        let mut this = Self::default();
        for _ in 0..ROUNDS {
            let mut targets = HashMap::new();
            for (path, target) in links {
                targets.insert(this.place(path)?, Box::from(*target));
            }
            let settled = targets == this.targets;
            this = Self { targets, folders: HashMap::new() };
            if settled {
                break;
            }
        }
        Ok(this)
    }

    /// Where something at `path` is: the links on its way are followed, it itself is not.
    pub(super) fn place(&mut self, path: &Path) -> Result<Path, MergeError> {
        if self.targets.is_empty() {
            return Ok(path.clone());
        }
        let Some(folder) = path.parent() else { return Ok(path.clone()) };
        if !self.folders.contains_key(&folder) {
            let place = follow(&folder, |path| self.targets.get(path).map(|target| &**target));
            let place = place.ok_or_else(|| MergeError::Circle { path: path.clone() })?;
            self.folders.insert(folder.clone(), place);
        }
        let place = self.folders.get(&folder).unwrap_or(&folder);
        if *place == folder {
            return Ok(path.clone());
        }
        let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        Ok(Path::new(&[place.as_bytes(), b"/", name].concat())?)
    }
}

/// Where `path` leads in a finished tree: links in its folder's path are followed. A circle leads nowhere: it stays itself.
pub(crate) fn within(entries: &Entries, path: &Path) -> Path {
    let target = |path: &Path| match entries.get(path).map(|entry| &entry.kind) {
        Some(Kind::Symlink(target)) => Some(&**target),
        _ => None,
    };
    let place = path.parent().and_then(|folder| follow(&folder, target));
    let name = path.as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    place.and_then(|place| Path::new(&[place.as_bytes(), b"/", name].concat()).ok()).unwrap_or_else(|| path.clone())
}

/// Where `path` leads at last in a finished tree: that it is a link itself is followed too.
pub(crate) fn end_of(entries: &Entries, path: &Path) -> Option<Path> {
    follow(path, |path| match entries.get(path).map(|entry| &entry.kind) {
        Some(Kind::Symlink(target)) => Some(&**target),
        _ => None,
    })
}

/// Follows every link in `path`. The root is its own parent, as in a chroot. None where it is a circle.
fn follow<'a>(path: &Path, target: impl Fn(&Path) -> Option<&'a [u8]>) -> Option<Path> {
    let mut done: Vec<Vec<u8>> = Vec::new();
    let mut ahead: Vec<Vec<u8>> = parts(path.as_bytes());
    let mut followed = 0;
    while let Some(part) = ahead.pop() {
        match &*part {
            b"" | b"." => continue,
            b".." => {
                done.pop();
                continue;
            }
            _ => done.push(part),
        }
        if let Some(target) = target(&Path::new(&done.join(&b'/')).ok()?) {
            followed += 1;
            if followed > DEPTH {
                return None;
            }
            done.pop();
            if target.starts_with(b"/") {
                done.clear();
            }
            ahead.extend(parts(target));
        }
    }
    Path::new(&done.join(&b'/')).ok()
}

/// A path's parts, the last first.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    path.rsplit(|byte| *byte == b'/').map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::new(text.as_bytes()).unwrap()
    }

    fn placed(links: &[(&str, &str)], of: &str) -> Result<String, MergeError> {
        let links: Vec<_> = links.iter().map(|(link, target)| (path(link), target.as_bytes())).collect();
        let mut links = Links::of(&links.iter().map(|(link, target)| (link, *target)).collect::<Vec<_>>())?;
        Ok(links.place(&path(of))?.to_string())
    }

    #[test]
    fn links_on_the_way_are_followed_and_the_last_part_is_not() {
        let links = [("/lib", "usr/lib"), ("/usr/lib/alias", "../share/./real"), ("/opt/all", "/lib/alias")];
        assert_eq!(placed(&links, "/lib/libc.so").unwrap(), "/usr/lib/libc.so");
        assert_eq!(placed(&links, "/lib").unwrap(), "/lib");
        assert_eq!(placed(&links, "/opt/all/x").unwrap(), "/usr/share/real/x");
        assert_eq!(placed(&links, "/usr/lib64/x").unwrap(), "/usr/lib64/x");
    }

    #[test]
    fn a_link_that_is_itself_behind_a_link_is_found_at_both_paths() {
        let links = [("/lib", "usr/lib"), ("/lib/modules", "/var/modules")];
        assert_eq!(placed(&links, "/usr/lib/modules/x").unwrap(), "/var/modules/x");
    }

    #[test]
    fn a_circle_of_links_is_an_error() {
        let links = [("/a", "b"), ("/b", "a")];
        assert!(matches!(placed(&links, "/a/x"), Err(MergeError::Circle { .. })));
    }
}
