//! The environment's own repository files name public mirrors, and not what it was made from.
//!
//! In `etc/yum.repos.d/*.repo`, `etc/yum.conf`, `etc/yum/yum.conf` and `etc/dnf/dnf.conf`, each section of a repository
//! that has a mirror gets it as its `baseurl`; `mirrorlist` and `metalink` go. A mirror without a section gets one, in
//! `etc/yum.repos.d/environment.repo`. Other sections stay as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;

use super::{Entries, Entry, Kind, Path, Spool, SpoolError, within};

/// Most bytes of such a file.
const FILE_MAX: u64 = 1 << 20;
/// Where sections are that no package has.
const OWN: &str = "etc/yum.repos.d/environment.repo";

/// Rewrites the repository files of a tree: to each repository's id its public address.
pub fn rewrite(
    entries: &mut Entries,
    spool: &mut Spool,
    mirrors: &BTreeMap<String, String>,
    mtime: i64,
) -> Result<(), SpoolError> {
    if mirrors.is_empty() {
        return Ok(());
    }
    let files = entries.iter().filter(|(path, _)| is_list(path.as_bytes()));
    let files: Vec<_> = files
        .filter_map(|(path, entry)| match entry.kind {
            Kind::File(content) => Some((path.clone(), content)),
            _ => None,
        })
        .collect();
    let mut found = BTreeSet::new();
    for (path, content) in files {
        let mut bytes = Vec::new();
        spool.read(content).take(FILE_MAX).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
        let text = String::from_utf8_lossy(&bytes);
        let changed = rewritten(&text, mirrors, &mut found);
        if changed != text {
            let content = spool.keep(&mut changed.as_bytes())?;
            entries.entry(path).and_modify(|entry| entry.kind = Kind::File(content));
        }
    }
    let missing = mirrors.iter().filter(|(id, _)| !found.contains(*id));
    let mut text = String::new();
    for (id, url) in missing {
        let _ = write!(text, "[{id}]\nname={id}\nbaseurl={url}\nenabled=1\n\n");
    }
    if let (false, Ok(path)) = (text.is_empty(), Path::new(OWN.as_bytes())) {
        let kind = Kind::File(spool.keep(&mut text.as_bytes())?);
        let entry = Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime, capability: None };
        entries.insert(within(entries, &path), entry);
    }
    Ok(())
}

fn is_list(path: &[u8]) -> bool {
    let repo = path.strip_prefix(b"etc/yum.repos.d/");
    repo.is_some_and(|name| name.ends_with(b".repo") && !name.contains(&b'/'))
        || [&b"etc/yum.conf"[..], b"etc/yum/yum.conf", b"etc/dnf/dnf.conf"].contains(&path)
}

/// The text with the addresses of known sections changed. A line that begins with a blank goes on with the one before it.
fn rewritten(text: &str, mirrors: &BTreeMap<String, String>, found: &mut BTreeSet<String>) -> String {
    let mut changed = String::with_capacity(text.len());
    let mut mirror = None;
    let mut dropping = false;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if let Some(id) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            mirror = mirrors.get(id);
            dropping = false;
            changed.push_str(line);
            if let Some(url) = mirror {
                found.insert(id.to_owned());
                if !line.ends_with('\n') {
                    changed.push('\n');
                }
                changed.extend(["baseurl=", url, "\n"]);
            }
            continue;
        }
        let goes_on = line.starts_with([' ', '\t']) && !bare.is_empty();
        if !goes_on {
            let key = bare.split(['=', ':']).next().unwrap_or_default().trim();
            dropping = mirror.is_some() && ["baseurl", "mirrorlist", "metalink"].contains(&key);
        }
        if !dropping {
            changed.push_str(line);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_with_a_mirror_name_it_alone_and_others_stay_as_they_are() {
        let text = "[main]\ngpgcheck=1\n\n[base]\nname=Base\nbaseurl=http://internal/a\n  http://internal/b\n\
                    mirrorlist = http://internal/list\nenabled=1\n[other]\nbaseurl=http://other/\n";
        let mirrors = [("base".into(), "https://mirror.example/".into())].into();
        let mut found = BTreeSet::new();
        let changed = rewritten(text, &mirrors, &mut found);
        assert_eq!(
            changed,
            "[main]\ngpgcheck=1\n\n[base]\nbaseurl=https://mirror.example/\nname=Base\nenabled=1\n[other]\n\
             baseurl=http://other/\n"
        );
        assert!(found.contains("base"));
        assert!(!changed.contains("internal"));
    }
}
