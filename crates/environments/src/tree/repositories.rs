//! The environment's own repository files name public mirrors, and not what it was made from.
//!
//! In `*.repo` of `etc/yum.repos.d`, `etc/yum/repos.d` and `etc/distro.repos.d`, in `etc/yum.conf`, `etc/yum/yum.conf` and `etc/dnf/dnf.conf`, each section of a repository
//! that has a mirror gets it as its `baseurl`; `mirrorlist` and `metalink` go, and so do logins, proxies and certificates (`dnf.conf(5)`). Where there are mirrors at
//! all, a section without one loses its addresses and is switched off: they are those of the builders. A mirror without a
//! section gets one, in `etc/yum.repos.d/environment.repo`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Read as _;

use super::{Content, Entries, Entry, Kind, Path, Spool, SpoolError, within};

/// Most bytes of such a file. A larger one is none that anybody wrote, and nobody can tell what is in it.
const FILE_MAX: u64 = 1 << 20;
/// What says where a repository is.
const ADDRESSES: [&str; 3] = ["baseurl", "mirrorlist", "metalink"];
/// What leads to the builders' own machines, or opens them; it goes from every section, `[main]` too.
const PRIVATE: [&str; 11] = [
    "username",
    "password",
    "proxy",
    "proxy_username",
    "proxy_password",
    "proxy_auth_method",
    "sslcacert",
    "sslclientcert",
    "sslclientkey",
    "proxy_sslclientcert",
    "proxy_sslclientkey",
];
/// Where sections are that no package has.
const OWN: &str = "etc/yum.repos.d/environment.repo";

/// Why repository files cannot be rewritten.
#[derive(Debug, thiserror::Error)]
pub enum RewriteError {
    /// A file cannot be read from the disk, or kept on it.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// It is larger than any such file.
    #[error(
        "{path} has {size} bytes, and could name a builder's address: a repository file has {FILE_MAX} at most; exclude it, \
         or make it smaller"
    )]
    Large {
        /// The file.
        path: Path,
        /// Its size in bytes.
        size: u64,
    },
}

/// Rewrites the repository files of a tree: to each repository's id its public address.
pub fn rewrite(
    entries: &mut Entries,
    spool: &mut Spool,
    mirrors: &BTreeMap<String, String>,
    mtime: i64,
) -> Result<(), RewriteError> {
    if mirrors.is_empty() {
        return Ok(());
    }
    let files = entries.iter().filter(|(path, _)| is_list(path.as_bytes()));
    let files: Vec<_> = files.filter_map(|(path, entry)| Some((path.clone(), content(entries, entry)?))).collect();
    let mut found = BTreeSet::new();
    for (path, content) in files {
        if content.size > FILE_MAX {
            return Err(RewriteError::Large { path, size: content.size });
        }
        let mut bytes = Vec::new();
        spool.read(content).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
        // Names may be in any encoding; what counts is ASCII. Each byte is a character here, and goes back as it came.
        let text: String = bytes.iter().copied().map(char::from).collect();
        let changed = rewritten(&text, mirrors, &mut found);
        if changed != text {
            let bytes: Vec<u8> = changed.chars().map(|character| u8::try_from(character).unwrap_or(b'?')).collect();
            let content = spool.keep(&mut &*bytes)?;
            // One that is another name of a file is a file of its own from here on.
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

/// The contents of a file, by whichever of its names.
fn content(entries: &Entries, entry: &Entry) -> Option<Content> {
    match &entry.kind {
        Kind::File(content) => Some(*content),
        Kind::Hardlink(to) => match entries.get(to)?.kind {
            Kind::File(content) => Some(content),
            _ => None,
        },
        _ => None,
    }
}

fn is_list(path: &[u8]) -> bool {
    let folders = [&b"etc/yum.repos.d/"[..], b"etc/yum/repos.d/", b"etc/distro.repos.d/"];
    let mut names = folders.into_iter().filter_map(|folder| path.strip_prefix(folder));
    names.any(|name| name.ends_with(b".repo") && !name.contains(&b'/'))
        || [&b"etc/yum.conf"[..], b"etc/yum/yum.conf", b"etc/dnf/dnf.conf"].contains(&path)
}

/// What becomes of a section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    /// It is none of a repository.
    Other,
    /// It has the mirror's address.
    Mirrored,
    /// It is switched off.
    Off,
}

/// The text with the addresses of its sections changed. A line that begins with a blank goes on with the one before it.
fn rewritten(text: &str, mirrors: &BTreeMap<String, String>, found: &mut BTreeSet<String>) -> String {
    let mut changed = String::with_capacity(text.len());
    let (mut section, mut dropping) = (Section::Other, false);
    for line in text.lines() {
        let bare = line.trim();
        if let Some(id) = bare.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            changed.extend([line, "\n"]);
            dropping = false;
            section = match mirrors.get(id) {
                Some(url) => {
                    changed.extend(["baseurl=", url, "\n"]);
                    Section::Mirrored
                }
                None if id == "main" => Section::Other,
                None => {
                    changed.push_str("enabled=0\n");
                    Section::Off
                }
            };
            found.insert(id.to_owned());
            continue;
        }
        let goes_on = line.starts_with([' ', '\t']) && !bare.is_empty();
        if !goes_on {
            let key = bare.split(['=', ':']).next().unwrap_or_default().trim();
            dropping = PRIVATE.contains(&key)
                || section != Section::Other && ADDRESSES.contains(&key)
                || section == Section::Off && key == "enabled";
        }
        if !dropping {
            changed.extend([line, "\n"]);
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_with_a_mirror_name_it_alone_and_others_are_switched_off() {
        let text = "[main]\ngpgcheck=1\n\n[base]\nname=Base\nbaseurl=http://internal/a\n  http://internal/b\n\
                    mirrorlist = http://internal/list\nenabled=1\n[other]\nname=Other\nbaseurl=http://internal/\n\
                    enabled=1";
        let mirrors = [("base".into(), "https://mirror.example/".into())].into();
        let mut found = BTreeSet::new();
        let changed = rewritten(text, &mirrors, &mut found);
        assert_eq!(
            changed,
            "[main]\ngpgcheck=1\n\n[base]\nbaseurl=https://mirror.example/\nname=Base\nenabled=1\n[other]\n\
             enabled=0\nname=Other\n"
        );
        assert!(found.contains("base"));
        assert!(!changed.contains("internal"));
    }

    /// A tree of one list, by two names.
    fn tree(text: &[u8]) -> (Entries, Spool) {
        let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
        let content = spool.keep(&mut &*text).unwrap();
        let path = |name: &str| Path::new(name.as_bytes()).unwrap();
        let entry = |kind| Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, capability: None };
        let backup = path("etc/backup.repo");
        let mut entries = Entries::new();
        entries.insert(path("etc/yum.repos.d/base.repo"), entry(Kind::Hardlink(backup.clone())));
        entries.insert(backup, entry(Kind::File(content)));
        (entries, spool)
    }

    fn mirrors() -> BTreeMap<String, String> {
        [("base".into(), "https://mirror.example/".into())].into()
    }

    #[test]
    fn logins_proxies_and_certificates_are_not_passed_on() {
        let text = "[main]\nproxy=http://10.0.0.1:3128\nproxy_password = secret\nkeepcache=0\n[base]\nusername=ci\n\
                    password=secret\nsslclientkey=/etc/secret.pem\ngpgcheck=1\n";
        let changed = rewritten(text, &mirrors(), &mut BTreeSet::new());
        assert_eq!(changed, "[main]\nkeepcache=0\n[base]\nbaseurl=https://mirror.example/\ngpgcheck=1\n");
    }

    #[test]
    fn a_list_in_any_encoding_and_under_another_name_of_a_file_is_rewritten() {
        let (mut entries, mut spool) = tree(b"[base]\nname=B\xe4se\nbaseurl=http://10.0.0.1/\n");
        rewrite(&mut entries, &mut spool, &mirrors(), 0).unwrap();
        let entry = &entries[&Path::new(b"etc/yum.repos.d/base.repo").unwrap()];
        let Kind::File(content) = entry.kind else { panic!("{:?}", entry.kind) };
        let mut bytes = Vec::new();
        spool.read(content).read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"[base]\nbaseurl=https://mirror.example/\nname=B\xe4se\n");
    }

    #[test]
    fn a_list_that_is_too_large_to_be_one_is_refused_by_its_name() {
        let (mut entries, mut spool) = tree(&vec![b'#'; 1 + (1 << 20)]);
        let error = rewrite(&mut entries, &mut spool, &mirrors(), 0).unwrap_err().to_string();
        assert!(error.contains("etc/yum.repos.d/base.repo"), "{error}");
    }
}
