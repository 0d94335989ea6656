//! Users and groups: from names to numbers.
//!
//! Three sources say which number a name has, and must not contradict each other: the definition's `[[user]]` and
//! `[[group]]`; `etc/passwd` and `etc/group` of the packages; `usr/lib/sysusers.d/*.conf` of the packages
//! (sysusers.d(5)), of which only lines with a number count, since the others leave it to the machine. Root is 0. All
//! accounts of the definition and of sysusers are then in `etc/passwd` and `etc/group`, behind those that are there.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;

use super::error::MergeError;
use super::made;
use super::place::Placed;
use crate::definition::{Group, User};
use crate::lock::Identity;
use crate::rpm::{File, Package};
use crate::tree::{Content, Entries, Kind, Path, Spool, SpoolError};

/// Most bytes of a file of accounts.
const ACCOUNTS_MAX: u64 = 4 << 20;
const DEFINITION: &str = "the definition";
const FILES: &str = "a package's etc/passwd or etc/group";
const SYSUSERS: &str = "a package's sysusers.d";

/// Everybody who is known.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    users: BTreeMap<String, (u32, &'static str)>,
    groups: BTreeMap<String, (u32, &'static str)>,
    /// Lines that the environment's files lack.
    passwd: Vec<String>,
    group: Vec<String>,
}

impl Accounts {
    pub(super) fn read(identity: &Identity, placed: &[Placed<'_>], spool: &Spool) -> Result<Self, MergeError> {
        let mut this = Self::default();
        this.users.insert("root".into(), (0, FILES));
        this.groups.insert("root".into(), (0, FILES));
        for (path, users) in [("etc/passwd", true), ("etc/group", false)] {
            for line in lines(placed, spool, |place| place == path.as_bytes())? {
                let mut parts = line.split(':');
                if let (Some(name), Some(number)) = (parts.next(), parts.nth(1).and_then(|it| it.parse().ok())) {
                    this.learn(users, name, number, FILES)?;
                }
            }
        }
        for Group { name, gid } in &identity.groups {
            this.add_group(name, *gid, DEFINITION)?;
        }
        for user in &identity.users {
            this.add_user(user, DEFINITION)?;
        }
        let sysusers = |place: &[u8]| {
            let name = place.strip_prefix(b"usr/lib/sysusers.d/");
            name.is_some_and(|name| name.ends_with(b".conf") && !name.contains(&b'/'))
        };
        for line in lines(placed, spool, sysusers)? {
            this.sysuser(&line)?;
        }
        Ok(this)
    }

    /// The numbers of a file's owner and group.
    pub(super) fn owner(&self, file: &File, path: &Path, package: &Package) -> Result<(u32, u32), MergeError> {
        let find = |names: &BTreeMap<String, (u32, &'static str)>, what, name: &str| {
            names.get(name).map(|(number, _)| *number).ok_or_else(|| MergeError::Owner {
                path: path.clone(),
                package: package.nevra(),
                what,
                name: name.to_owned(),
            })
        };
        Ok((find(&self.users, "user", &file.user)?, find(&self.groups, "group", &file.group)?))
    }

    /// Adds the lines that `etc/passwd` and `etc/group` lack.
    pub(super) fn write(&self, entries: &mut Entries, spool: &mut Spool, mtime: i64) -> Result<(), MergeError> {
        for (path, lines) in [("etc/passwd", &self.passwd), ("etc/group", &self.group)] {
            if lines.is_empty() {
                continue;
            }
            let path = super::links::within(entries, &Path::new(path.as_bytes())?);
            let mut text = Vec::new();
            if let Some(Kind::File(content)) = entries.get(&path).map(|entry| &entry.kind) {
                text = whole(&path, *content, spool)?;
            }
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            for line in lines {
                text.extend([line.as_bytes(), b"\n"].concat());
            }
            let content = spool.keep(&mut &*text)?;
            let entry = entries.entry(path).or_insert_with(|| made(content, mtime));
            entry.kind = Kind::File(content);
        }
        Ok(())
    }

    /// One line of sysusers.d: type, name, number, description, home, shell.
    fn sysuser(&mut self, line: &str) -> Result<(), MergeError> {
        let words = words(line);
        let word = |index: usize| words.get(index).map(String::as_str).filter(|word| *word != "-");
        let (Some(kind), Some(name), Some(number)) = (word(0), word(1), word(2)) else { return Ok(()) };
        match kind.trim_end_matches(['!', '-']) {
            "g" => match number.parse() {
                Ok(gid) => self.add_group(name, gid, SYSUSERS),
                Err(_) => Ok(()),
            },
            "u" => {
                let (uid, gid) = match number.split_once(':') {
                    Some((uid, gid)) => (uid, self.groups.get(gid).map(|(gid, _)| *gid).or_else(|| gid.parse().ok())),
                    None => (number, number.parse().ok()),
                };
                let (Ok(uid), Some(gid)) = (uid.parse(), gid) else { return Ok(()) };
                if !number.contains(':') {
                    self.add_group(name, gid, SYSUSERS)?;
                }
                let home = word(4).unwrap_or("/").to_owned();
                let shell = word(5).unwrap_or("/usr/sbin/nologin").to_owned();
                self.add_user(&User { name: name.to_owned(), uid, gid, home, shell }, SYSUSERS)
            }
            _ => Ok(()),
        }
    }

    fn add_group(&mut self, name: &str, gid: u32, by: &'static str) -> Result<(), MergeError> {
        if self.learn(false, name, gid, by)? {
            self.group.push(format!("{name}:x:{gid}:"));
        }
        Ok(())
    }

    fn add_user(&mut self, user: &User, by: &'static str) -> Result<(), MergeError> {
        let User { name, uid, gid, home, shell } = user;
        if self.learn(true, name, *uid, by)? {
            let mut line = String::new();
            let _ = write!(line, "{name}:x:{uid}:{gid}::{home}:{shell}");
            self.passwd.push(line);
        }
        Ok(())
    }

    /// Whether that is news.
    fn learn(&mut self, user: bool, name: &str, number: u32, by: &'static str) -> Result<bool, MergeError> {
        let (names, what) = if user { (&mut self.users, "user") } else { (&mut self.groups, "group") };
        match names.get(name) {
            Some((known, _)) if *known == number => Ok(false),
            Some((known, by_known)) => Err(MergeError::Account {
                what,
                name: name.to_owned(),
                one: *known,
                by: by_known,
                other: number,
                by_other: by,
            }),
            None => {
                names.insert(name.to_owned(), (number, by));
                Ok(true)
            }
        }
    }
}

/// The lines of all files whose place is wanted, in the order of the places, comments left out.
fn lines(placed: &[Placed<'_>], spool: &Spool, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<String>, MergeError> {
    let mut found: BTreeMap<&Path, String> = BTreeMap::new();
    for Placed { path, kind, .. } in placed {
        if let Kind::File(content) = kind
            && wanted(path.as_bytes())
        {
            let bytes = whole(path, *content, spool)?;
            found.insert(path, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    let lines = found.values().flat_map(|text| text.lines()).map(str::trim);
    Ok(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
}

/// All of a file of accounts. Half of one would be another.
fn whole(path: &Path, content: Content, spool: &Spool) -> Result<Vec<u8>, MergeError> {
    if content.size > ACCOUNTS_MAX {
        return Err(MergeError::Accounts { path: path.clone(), most: ACCOUNTS_MAX });
    }
    let mut bytes = Vec::new();
    spool.read(content).read_to_end(&mut bytes).map_err(SpoolError::Read)?;
    Ok(bytes)
}

/// Words, some of them in quotes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '"' | '\'' => {
                let inner = rest.get(1..).unwrap_or_default();
                inner.split_once(first).unwrap_or((inner, ""))
            }
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}
