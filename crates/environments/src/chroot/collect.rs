//! Members become entries, one by one.

use std::collections::BTreeMap;
use std::io::Read;

use super::members::{Member, Members, lossy};
use super::paths::{self, Rules};
use super::{ChrootError, LeftOut, Limits, Refusal};
use crate::lock::Identity;
use crate::tar::kind;
use crate::tree::{Content, Entries, Entry, Kind, Path, Spool, SpoolError};

/// Why a path that the archive has is not in the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    Excluded,
    /// A device node or pipe.
    Node,
    Transient,
}

/// What is collected.
pub(super) struct Collector {
    pub(super) entries: Entries,
    pub(super) gone: BTreeMap<Path, Gone>,
    /// The symbolic links among them that rules exclude by name, and where they lead.
    pub(super) links: Vec<(Path, Box<[u8]>)>,
    pub(super) rules: Rules,
    pub(super) left_out: LeftOut,
    clamp: i64,
    limits: Limits,
    members: u64,
    names: u64,
}

impl Collector {
    pub(super) fn new(identity: &Identity, limits: &Limits) -> Result<Self, ChrootError> {
        Ok(Self {
            entries: Entries::new(),
            gone: BTreeMap::new(),
            links: Vec::new(),
            rules: Rules::new(&identity.excludes)?,
            left_out: LeftOut::new(&identity.excludes),
            clamp: identity.clamp_time.unwrap_or(i64::MAX),
            limits: *limits,
            members: 0,
            names: 0,
        })
    }

    /// Takes a member, whose contents `members` gives.
    pub(super) fn take<R: Read>(
        &mut self,
        member: Member,
        members: &mut Members<R>,
        spool: &mut Spool,
    ) -> Result<(), ChrootError> {
        self.count(&member)?;
        let named = member.header.path.clone();
        let refused = |reason| ChrootError::Refused { path: lossy(&named), reason };
        let path = paths::member(&member.header.path).map_err(refused)?;
        let kind = Self::kind(&member).map_err(refused)?;
        self.once(&path, kind.as_ref()).map_err(refused)?;
        if self.leave_out(&path, kind.as_ref(), &member).map_err(refused)? {
            return Ok(());
        }
        let Some(kind) = kind else { return Ok(()) };
        let mut entry = self.entry(kind, member).map_err(refused)?;
        if let Kind::File(content) = &mut entry.kind {
            *content = spool.keep(members).map_err(|error| match error {
                SpoolError::Read(source) => members.failed(source),
                error => ChrootError::Spool(error),
            })?;
        }
        self.entries.insert(path, entry);
        Ok(())
    }

    fn count(&mut self, member: &Member) -> Result<(), ChrootError> {
        self.members += 1;
        self.names += (member.header.path.len() + member.header.link.len()) as u64;
        for (what, count, limit) in
            [("members", self.members, self.limits.members), ("bytes of names", self.names, self.limits.names)]
        {
            if count > limit {
                return Err(ChrootError::TooLarge { what, limit });
            }
        }
        Ok(())
    }

    /// What it is; `None` for what the runtime supplies.
    fn kind(member: &Member) -> Result<Option<Kind>, Refusal> {
        let header = &member.header;
        // As some write folders, and others read them.
        let folder = header.path.ends_with(b"/");
        let kind = match header.kind {
            kind::FILE | kind::OLD_FILE | kind::CONTIGUOUS if !folder => {
                return Ok(Some(Kind::File(Content::default())));
            }
            kind::FILE | kind::OLD_FILE | kind::CONTIGUOUS | kind::DIRECTORY => Some(Kind::Directory),
            kind::SYMLINK => Some(Kind::Symlink(header.link.as_slice().into())),
            kind::HARDLINK => Some(Kind::Hardlink(paths::hardlink(&header.link)?)),
            kind::CHARACTER_DEVICE | kind::BLOCK_DEVICE | kind::PIPE => None,
            kind::GNU_SPARSE => return Err(Refusal::Sparse),
            other => return Err(Refusal::Kind(char::from(other))),
        };
        if header.size > 0 { Err(Refusal::Contents) } else { Ok(kind) }
    }

    /// Only folders may come again; the last is believed.
    fn once(&self, path: &Path, kind: Option<&Kind>) -> Result<(), Refusal> {
        let again = match self.entries.get(path) {
            Some(entry) => entry.kind != Kind::Directory || kind != Some(&Kind::Directory),
            None => self.gone.contains_key(path) && kind != Some(&Kind::Directory),
        };
        if path.as_bytes().is_empty() && kind != Some(&Kind::Directory) {
            return Err(Refusal::Root);
        }
        if again { Err(Refusal::Twice) } else { Ok(()) }
    }

    /// Whether it is left out, which is noted.
    fn leave_out(&mut self, path: &Path, kind: Option<&Kind>, member: &Member) -> Result<bool, Refusal> {
        let rule = self.rules.exclude(path);
        let target = match kind {
            Some(Kind::Hardlink(target)) => Some((target, self.gone.get(target).copied())),
            _ => None,
        };
        let gone = match (rule, target) {
            // Both names or none: what may not be published must not stay under its other name.
            (None, Some((target, Some(Gone::Excluded))))
            | (Some(_), Some((target, None | Some(Gone::Node | Gone::Transient)))) => {
                return Err(Refusal::HardlinkExcluded { other: target.clone() });
            }
            (Some(_), _) => Gone::Excluded,
            (None, None) if kind.is_none() => self.node(member.header.kind),
            // Another name of one.
            (None, Some((_, Some(Gone::Node)))) => self.node(kind::CHARACTER_DEVICE),
            (None, _) if kind.is_some_and(|kind| paths::is_transient(path, kind)) => {
                self.left_out.transient += 1;
                Gone::Transient
            }
            (None, Some((target, Some(Gone::Transient)))) => return Err(Refusal::HardlinkLeftOut(target.clone())),
            (None, _) => return Ok(false),
        };
        if let Some(Kind::Symlink(target)) = kind
            && self.rules.paths().any(|rule| rule == path)
        {
            self.links.push((path.clone(), target.clone()));
        }
        if let Some(excluded) = rule.and_then(|at| self.left_out.excluded.get_mut(at)) {
            excluded.members += 1;
            excluded.bytes += member.header.size;
        }
        self.gone.insert(path.clone(), gone);
        Ok(true)
    }

    fn node(&mut self, kind: u8) -> Gone {
        *(if kind == kind::PIPE { &mut self.left_out.pipes } else { &mut self.left_out.devices }) += 1;
        Gone::Node
    }

    fn entry(&mut self, kind: Kind, member: Member) -> Result<Entry, Refusal> {
        let header = member.header;
        member.attributes.into_iter().for_each(|name| self.left_out.attribute(name));
        let owner = |number: u64| u32::try_from(number).map_err(|_| Refusal::Owner);
        let mode = if matches!(kind, Kind::Symlink(_)) { 0o777 } else { header.mode & 0o7777 };
        let entry = Entry {
            kind,
            mode: u16::try_from(mode).unwrap_or_default(),
            uid: owner(header.uid)?,
            gid: owner(header.gid)?,
            mtime: header.mtime.min(self.clamp),
            capability: member.capability.map(capability).transpose()?,
        };
        match &entry.kind {
            // One file, whatever the header of its other name says.
            Kind::Hardlink(target) => match self.entries.get(target) {
                Some(first) => match &first.kind {
                    Kind::File(_) => Ok(Entry { kind: Kind::Hardlink(target.clone()), ..first.clone() }),
                    Kind::Hardlink(_) | Kind::Symlink(_) => Ok(first.clone()),
                    Kind::Directory => Err(Refusal::HardlinkNowhere(target.to_string())),
                },
                None => Err(Refusal::HardlinkNowhere(target.to_string())),
            },
            _ => Ok(entry),
        }
    }
}

/// Capabilities as `linux/capability.h` has them: version 2, or 3 with a root's number.
fn capability(bytes: Box<[u8]>) -> Result<Box<[u8]>, Refusal> {
    match (bytes.get(3), bytes.len()) {
        (Some(2), 20) | (Some(3), 24) => Ok(bytes),
        _ => Err(Refusal::Capability),
    }
}
