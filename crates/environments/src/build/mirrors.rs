//! The repository files inside an environment: builders' addresses become those of the public mirrors.

use std::io::Read as _;

use super::BuildError;
use crate::lock::Identity;
use crate::tree::{Content, Entries, Entry, Kind, Path, Spool, SpoolError};

/// Files that name repositories, beside those in [`FOLDER`].
const FILES: [&str; 3] = ["etc/yum.conf", "etc/yum/yum.conf", "etc/dnf/dnf.conf"];
/// The folder of files that name repositories.
const FOLDER: &str = "etc/yum.repos.d/";
/// The most bytes of such a file.
const LIMIT: u64 = 1 << 20;
/// What says where a repository is (`dnf.conf(5)`).
const ADDRESSES: [&str; 3] = ["baseurl", "mirrorlist", "metalink"];

/// Rewrites the sections of repositories that have a mirror; a mirror that no section has gets a file of its own. Where
/// mirrors are named, a section that has none is switched off: its address is one of the builders'.
pub(super) fn rewrite(entries: &mut Entries, spool: &mut Spool, identity: &Identity) -> Result<(), BuildError> {
    if identity.mirrors.is_empty() {
        return Ok(());
    }
    let mut seen = Vec::new();
    let files: Vec<(Path, Content)> = entries.iter().filter_map(named).collect();
    for (path, content) in files {
        let Some(text) = text(spool, content)? else {
            tracing::warn!(%path, "a repository file is no text, or too large, and stays as it is");
            continue;
        };
        let changed = sections(&text, identity, &mut seen);
        if changed != text
            && let Some(entry) = entries.get_mut(&path)
        {
            entry.kind = Kind::File(spool.keep(&mut changed.as_bytes())?);
        }
    }
    for (id, mirror) in identity.mirrors.iter().filter(|(id, _)| !seen.contains(*id)) {
        let text = format!("[{id}]\nname={id}\nbaseurl={mirror}\nenabled=1\n");
        let Ok(path) = Path::new(format!("{FOLDER}{id}.repo").as_bytes()) else { continue };
        let kind = Kind::File(spool.keep(&mut text.as_bytes())?);
        let mtime = identity.clamp_time.unwrap_or_default();
        entries.insert(path, Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime, capability: None });
    }
    crate::tree::add_missing_parents(entries, identity.clamp_time.unwrap_or_default());
    Ok(())
}

fn named((path, entry): (&Path, &Entry)) -> Option<(Path, Content)> {
    let name = std::str::from_utf8(path.as_bytes()).ok()?;
    let is_repo = name.strip_prefix(FOLDER).is_some_and(|file| file.strip_suffix(".repo").is_some());
    match entry.kind {
        Kind::File(content) if is_repo || FILES.contains(&name) => Some((path.clone(), content)),
        _ => None,
    }
}

fn text(spool: &Spool, content: Content) -> Result<Option<String>, BuildError> {
    if content.size > LIMIT {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    spool.read(content).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
    Ok(String::from_utf8(bytes).ok())
}

/// What a section is to become.
#[derive(Clone, Copy, PartialEq)]
enum Section {
    /// It stays.
    Other,
    /// It has the mirror's address.
    Mirrored,
    /// It is switched off.
    Off,
}

/// The text with its sections rewritten; notes which ids it has.
fn sections(text: &str, identity: &Identity, seen: &mut Vec<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut section, mut is_dropped) = (Section::Other, false);
    for line in text.lines() {
        if let Some(id) = line.trim().strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let (kind, more) = match identity.mirrors.get(id) {
                Some(mirror) => (Section::Mirrored, format!("baseurl={mirror}\n")),
                None if id == "main" => (Section::Other, String::new()),
                None => (Section::Off, "enabled=0\n".to_owned()),
            };
            (section, is_dropped) = (kind, false);
            seen.push(id.to_owned());
            out.extend([line, "\n", &more]);
            continue;
        }
        // A line that is indented goes on with the value before it.
        if !(is_dropped && line.starts_with([' ', '\t'])) {
            let name = line.split('=').next().unwrap_or_default().trim();
            is_dropped =
                section != Section::Other && ADDRESSES.contains(&name) || section == Section::Off && name == "enabled";
        }
        if !is_dropped {
            out.extend([line, "\n"]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Lock;

    /// A tree with one file, rewritten; its repository files.
    fn rewritten(text: &str) -> Vec<(String, String)> {
        let lock = Lock::parse(include_bytes!("../../tests/fixtures/lock/two-packages.json"), "lock").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut spool, mut entries) = (Spool::create(folder.path()).unwrap(), Entries::new());
        let kind = Kind::File(spool.keep(&mut text.as_bytes()).unwrap());
        let entry = Entry { kind, mode: 0o600, uid: 7, gid: 8, mtime: 9, capability: None };
        entries.insert(Path::new(b"etc/yum.repos.d/local.repo").unwrap(), entry);
        rewrite(&mut entries, &mut spool, &lock.identity).unwrap();
        let files: Vec<_> = entries.iter().filter_map(named).collect();
        files
            .into_iter()
            .map(|(path, content)| (path.to_string(), super::text(&spool, content).unwrap().unwrap()))
            .collect()
    }

    #[test]
    fn builders_addresses_become_the_mirrors_and_others_are_switched_off() {
        let files = rewritten(
            "[main]\nkeepcache=1\n[base]\nname=Base\nbaseurl=http://10.0.0.1/base\n  http://10.0.0.2/base\ngpgcheck=1\n\
             [secret]\nbaseurl = file:///builds\nenabled=1\n",
        );
        let expected = "[main]\nkeepcache=1\n[base]\nbaseurl=https://mirror.example/base/\nname=Base\ngpgcheck=1\n\
                        [secret]\nenabled=0\n";
        assert_eq!(files, [("/etc/yum.repos.d/local.repo".to_owned(), expected.to_owned())]);
    }

    #[test]
    fn a_mirror_that_no_file_has_gets_one() {
        let files = rewritten("");
        assert_eq!(files[0].0, "/etc/yum.repos.d/base.repo");
        assert_eq!(files[0].1, "[base]\nname=base\nbaseurl=https://mirror.example/base/\nenabled=1\n");
    }
}
