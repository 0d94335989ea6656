//! What a path may be, and what is left out by where it is.

use super::{ChrootError, Refusal};
use crate::definition::Exclude;
use crate::tree::{Kind, Path};

/// The most that Linux takes (`PATH_MAX`, `NAME_MAX`), with room for the folder that it is unpacked in.
const PATH: usize = 3 << 10;
const NAME: usize = 255;

/// A member's path.
pub(super) fn member(bytes: &[u8]) -> Result<Path, Refusal> {
    if bytes.starts_with(b"/") {
        return Err(Refusal::Absolute);
    }
    let path = Path::new(bytes)?;
    if path.as_bytes().len() > PATH || path.as_bytes().split(|byte| *byte == b'/').any(|part| part.len() > NAME) {
        return Err(Refusal::Long);
    }
    Ok(path)
}

/// Where a hard link leads to.
pub(super) fn hardlink(target: &[u8]) -> Result<Path, Refusal> {
    let out = || Refusal::HardlinkOut(String::from_utf8_lossy(target).into_owned());
    if target.starts_with(b"/") { Err(out()) } else { Path::new(target).map_err(|_| out()) }
}

/// Whether a symbolic link at `path` may lead to `target`: not upward out of the root, counted part by part.
pub(super) fn symlink(path: &Path, target: &[u8]) -> Result<(), Refusal> {
    if target.is_empty() || target.contains(&0) {
        return Err(Refusal::NoTarget);
    }
    if target.len() > PATH {
        return Err(Refusal::Long);
    }
    if target.starts_with(b"/") {
        return Ok(());
    }
    let folder = path
        .parent()
        .map_or(0, |parent| parent.as_bytes().split(|byte| *byte == b'/').filter(|part| !part.is_empty()).count());
    let mut depth = folder;
    for part in target.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                let climbs = || Refusal::Climbs(String::from_utf8_lossy(target).into_owned());
                depth = depth.checked_sub(1).ok_or_else(climbs)?;
            }
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Where a symbolic link at `path` leads to, links on that way not followed. The root is its own parent.
pub(super) fn leads_to(path: &Path, target: &[u8]) -> Option<Path> {
    let folder = path.parent().filter(|_| !target.starts_with(b"/"));
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in folder
        .iter()
        .flat_map(|folder| folder.as_bytes().split(|byte| *byte == b'/'))
        .chain(target.split(|byte| *byte == b'/'))
    {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Path::new(&parts.join(&b'/')).ok()
}

/// Whether only a running system has it.
pub(super) fn is_transient(path: &Path, kind: &Kind) -> bool {
    let below = |folder: &[u8]| path.as_bytes().strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"));
    let stays = matches!(kind, Kind::Directory | Kind::Symlink(_));
    [&b"proc"[..], b"sys", b"tmp", b"var/tmp"].into_iter().any(below)
        || (!stays && [&b"dev"[..], b"run"].into_iter().any(below))
}

/// Whether a rule for a path is one for another too: that is it, or is below it.
pub(super) fn holds(rule: &Path, path: &Path) -> bool {
    path.as_bytes().strip_prefix(rule.as_bytes()).is_some_and(|rest| matches!(rest.first(), None | Some(b'/')))
}

/// The rules that exclude paths, by their place among all rules.
pub(super) struct Rules(Vec<(usize, Path)>);

impl Rules {
    pub(super) fn new(excludes: &[Exclude]) -> Result<Self, ChrootError> {
        let paths = excludes.iter().enumerate().filter_map(|(at, rule)| Some((at, rule.path.as_ref()?)));
        let rules = paths.map(|(at, path)| Ok((at, Path::new(path.as_bytes()).map_err(ChrootError::Rule)?)));
        rules.collect::<Result<_, _>>().map(Self)
    }

    /// The first rule that excludes it.
    pub(super) fn exclude(&self, path: &Path) -> Option<usize> {
        self.0.iter().find(|(_, rule)| holds(rule, path)).map(|(at, _)| *at)
    }

    /// The paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(_, path)| path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_link_may_be_absolute_or_go_up_to_the_root_and_no_further() {
        for (from, to) in [
            ("etc/mtab", "/proc/mounts"),
            ("bin", "usr/bin"),
            ("usr/lib/x/a", "../../../etc/a"),
            ("usr/lib/x/a", "./../../..//.//"),
            ("a", "b/../c"),
        ] {
            assert_eq!(symlink(&path(from), to.as_bytes()), Ok(()), "{from} {to}");
        }
        for (from, to) in [("bin", ".."), ("usr/lib/a", "../../../x"), ("a/b", "../c/../../d")] {
            assert_eq!(symlink(&path(from), to.as_bytes()), Err(Refusal::Climbs(to.into())), "{from} {to}");
        }
        assert_eq!(symlink(&path("a"), b""), Err(Refusal::NoTarget));
    }

    #[test]
    fn a_rule_excludes_its_path_and_all_below_it_and_no_namesake() {
        let rule = |path: &str| Exclude { package: None, path: Some(path.into()), reason: "not ours".into() };
        let rules = Rules::new(&[rule("/opt/sdk"), rule("/etc/key/")]).unwrap();
        for (name, expected) in
            [("opt/sdk", Some(0)), ("opt/sdk/a/b", Some(0)), ("opt/sdk2", None), ("etc/key", Some(1)), ("opt", None)]
        {
            assert_eq!(rules.exclude(&path(name)), expected, "{name}");
        }
    }
}
