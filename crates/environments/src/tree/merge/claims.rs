//! Which package's file is at a path.

use std::cell::Cell;
use std::collections::hash_map::Entry as Slot;
use std::collections::{BTreeSet, HashMap};

use super::error::{Conflict, MergeError};
use super::links::Links;
use crate::lock::Identity;
use crate::rpm::{self, File, FileKind, Package};
use crate::rpmdb::FileState;
use crate::tree::Path;

/// The colour that gets a path which 32-bit and 64-bit programs want: rpm's `_prefer_color`.
const PREFERRED: u64 = 2;
/// Where files have colours: rpm's `_transaction_color` is 3 on these.
const MULTILIB: [&str; 6] = ["x86_64", "amd64", "ppc64", "s390x", "sparc64", "mips64"];

/// Every path of the packages, and who has it.
#[derive(Debug)]
pub(super) struct Claims {
    /// The package and the file, by their places in the lists.
    pub(super) owners: HashMap<Path, (usize, usize)>,
    /// Where each file is, by package and file: links on the way followed.
    pub(super) places: Vec<Vec<Path>>,
    /// What rpm's database says of each file.
    pub(super) states: Vec<Vec<FileState>>,
    /// How many device nodes, pipes and sockets there are.
    pub(super) special: u64,
}

impl Claims {
    pub(super) fn of(packages: &[&Package], files: &[Vec<File>], identity: &Identity) -> Result<Self, MergeError> {
        let all = files.iter().flatten();
        let links = all.filter(|file| file.kind() == FileKind::Symlink && !file.ghost);
        let mut links = Links::of(&links.map(|file| (&file.path, &*file.link)).collect::<Vec<_>>())?;
        let excluded = Excluded::of(identity, &mut links)?;
        let mut this = Self { owners: HashMap::new(), places: Vec::new(), states: Vec::new(), special: 0 };
        let mut conflicts = Vec::new();
        let colored = MULTILIB.contains(&&*identity.arch);
        for (package, files_of) in files.iter().enumerate() {
            let mut places = Vec::with_capacity(files_of.len());
            let mut out = BTreeSet::new();
            this.states.push(vec![FileState::Normal; files_of.len()]);
            for (index, file) in files_of.iter().enumerate() {
                let place = links.place(&file.path)?;
                if excluded.has(&file.path) | excluded.has(&place) {
                    out.insert(index);
                    this.set_state(package, index, FileState::NotInstalled);
                } else if file.kind() == FileKind::Special {
                    this.special += 1;
                    this.set_state(package, index, FileState::NotInstalled);
                } else if !file.ghost {
                    this.claim(files, (package, index), &place, colored).unwrap_or_else(|(other, difference)| {
                        let name = |index: usize| packages.get(index).map(|it| it.nevra()).unwrap_or_default();
                        let packages = [name(other), name(package)];
                        conflicts.push(Conflict { path: place.clone(), packages, difference });
                    });
                }
                places.push(place);
            }
            if let Some((stays, other)) = split(files_of, &out) {
                let package = packages.get(package).map(|it| it.nevra()).unwrap_or_default();
                return Err(MergeError::HardlinkExcluded {
                    path: stays.path.clone(),
                    other: other.path.clone(),
                    package,
                });
            }
            this.places.push(places);
        }
        excluded.has_each()?;
        if conflicts.is_empty() { Ok(this) } else { Err(MergeError::Conflicts(conflicts)) }
    }

    /// Whether a package's file is the one at its path.
    pub(super) fn has(&self, package: usize, file: usize) -> bool {
        let place = self.places.get(package).and_then(|places| places.get(file));
        place.is_some_and(|place| self.owners.get(place) == Some(&(package, file)))
    }

    fn claim(
        &mut self,
        files: &[Vec<File>],
        (package, index): (usize, usize),
        place: &Path,
        colored: bool,
    ) -> Result<(), (usize, &'static str)> {
        let (other, other_index) = match self.owners.entry(place.clone()) {
            Slot::Vacant(slot) => {
                slot.insert((package, index));
                return Ok(());
            }
            Slot::Occupied(slot) => *slot.get(),
        };
        let file = |package: usize, index: usize| files.get(package).and_then(|files| files.get(index));
        let (Some(mine), Some(theirs)) = (file(package, index), file(other, other_index)) else { return Ok(()) };
        let Some(difference) = difference(mine, theirs) else { return Ok(()) };
        if !colored || mine.color == 0 || theirs.color == 0 || mine.color == theirs.color {
            return Err((other, difference));
        }
        if mine.color & PREFERRED != 0 {
            self.owners.insert(place.clone(), (package, index));
            self.set_state(other, other_index, FileState::WrongColor);
        } else if theirs.color & PREFERRED != 0 {
            self.set_state(package, index, FileState::WrongColor);
        } else {
            return Err((other, difference));
        }
        Ok(())
    }

    fn set_state(&mut self, package: usize, file: usize, state: FileState) {
        if let Some(slot) = self.states.get_mut(package).and_then(|states| states.get_mut(file)) {
            *slot = state;
        }
    }
}

/// Two names of one file, of which the first stays and the second is `out`.
fn split<'a>(files: &'a [File], out: &BTreeSet<usize>) -> Option<(&'a File, &'a File)> {
    if out.is_empty() {
        return None;
    }
    let names = rpm::Links::of(files);
    let excluded: HashMap<usize, usize> = out.iter().filter_map(|index| Some((names.set(*index)?, *index))).collect();
    files.iter().enumerate().filter(|(index, _)| !out.contains(index)).find_map(|(index, stays)| {
        let other = excluded.get(&names.set(index)?)?;
        Some((stays, files.get(*other)?))
    })
}

/// How two files of one path differ; not at all: they are the same file.
fn difference(one: &File, other: &File) -> Option<&'static str> {
    let kind = one.kind();
    let contents = |kind| matches!(kind, FileKind::Regular | FileKind::Symlink);
    if kind != other.kind() {
        Some("kinds")
    } else if one.mode != other.mode {
        Some("modes")
    } else if one.user != other.user || one.group != other.group {
        Some("owners")
    } else if kind == FileKind::Symlink && one.link != other.link {
        Some("targets")
    } else if contents(kind) && (one.size != other.size || one.digest != other.digest) {
        Some("contents")
    } else if one.capabilities != other.capabilities {
        Some("capabilities")
    } else {
        None
    }
}

/// What the definition excludes by path: each rule as it is said, where that is, and whether there was anything.
struct Excluded(Vec<(Path, Path, Cell<bool>)>);

impl Excluded {
    /// A package may name the same file by another way than a rule does.
    fn of(identity: &Identity, links: &mut Links) -> Result<Self, MergeError> {
        let mut paths = Vec::new();
        for path in identity.excludes.iter().filter_map(|exclude| exclude.path.as_deref()) {
            let path = Path::new(path.as_bytes())?;
            paths.push((links.place(&path)?, path, Cell::new(false)));
        }
        Ok(Self(paths))
    }

    /// It, or a folder that it is in.
    fn has(&self, path: &Path) -> bool {
        let holds = |rule: &Path| match path.as_bytes().strip_prefix(rule.as_bytes()) {
            Some(rest) => rest.is_empty() || rest.starts_with(b"/") || rule.as_bytes().is_empty(),
            None => false,
        };
        // All of them, since one may be below another.
        let held = self.0.iter().filter(|(place, said, _)| holds(place) || holds(said));
        held.fold(false, |_, (.., was_there)| {
            was_there.set(true);
            true
        })
    }

    /// What is published says what was left out: each rule has left something out.
    fn has_each(&self) -> Result<(), MergeError> {
        match self.0.iter().find(|(.., was_there)| !was_there.get()) {
            Some((_, said, _)) => Err(MergeError::RuleForNothing { rule: said.to_string() }),
            None => Ok(()),
        }
    }
}
