//! All packages that may be chosen, and who provides what.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::arch::Arches;
use crate::definition::Definition;
use crate::evr::{Evr, compare};
use crate::repo::{Comparison, Dependency, Package, Repository};

/// A package, by its place in the pool.
pub(super) type Id = usize;

/// All packages that may be chosen: those of the environment's architectures, in an order that does not depend on how
/// the metadata are ordered.
pub(super) struct Pool<'a> {
    packages: Vec<Entry<'a>>,
    provides: HashMap<&'a str, Vec<Provider<'a>>>,
    names: HashMap<&'a str, Vec<Id>>,
    files: HashMap<&'a str, Vec<Id>>,
    excluded: HashMap<&'a str, &'a str>,
    pub(super) arches: Arches,
}

/// Who provides something, and which versions of it.
type Provider<'a> = (Id, Option<&'a (Comparison, Evr)>);

struct Entry<'a> {
    package: &'a Package,
    repository: &'a Repository,
    excluded: bool,
}

impl<'a> Pool<'a> {
    pub(super) fn new(repositories: &'a [Repository], definition: &'a Definition) -> Self {
        let arches = Arches::of(&definition.environment.arch);
        let excluded: HashMap<_, _> = (definition.excludes.iter())
            .filter_map(|exclude| Some((exclude.package.as_deref()?, exclude.reason.as_str())))
            .collect();
        let mut packages = Vec::new();
        for repository in repositories {
            let usable = |package: &&Package| arches.rank(&package.arch).is_some();
            let mut own: Vec<&Package> = repository.packages.iter().filter(usable).collect();
            own.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.evr.order(&b.evr)).then_with(|| a.arch.cmp(&b.arch)));
            packages.extend(own.into_iter().map(|package| Entry {
                package,
                repository,
                excluded: excluded.contains_key(&*package.name),
            }));
        }
        let (mut provides, mut names, mut files) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (id, entry) in packages.iter().enumerate() {
            push(&mut names, &entry.package.name, id);
            entry.package.files.iter().for_each(|file| push(&mut files, file, id));
            for provided in &entry.package.provides {
                let list: &mut Vec<_> = provides.entry(&*provided.name).or_default();
                list.push((id, provided.version.as_ref()));
            }
        }
        Self { packages, provides, names, files, excluded, arches }
    }

    pub(super) fn len(&self) -> usize {
        self.packages.len()
    }

    fn entry(&self, id: Id) -> &Entry<'a> {
        #[expect(clippy::indexing_slicing, reason = "every id comes from this pool")]
        &self.packages[id]
    }

    pub(super) fn package(&self, id: Id) -> &'a Package {
        self.entry(id).package
    }

    pub(super) fn repository(&self, id: Id) -> &'a Repository {
        self.entry(id).repository
    }

    /// Why a package must stay out, where it must.
    pub(super) fn excluded(&self, id: Id) -> Option<&'a str> {
        let entry = self.entry(id);
        if entry.excluded { self.excluded.get(&*entry.package.name).copied() } else { None }
    }

    /// Who provides a plain dependency, in the order of ids; the excluded ones apart.
    pub(super) fn providers(&self, wanted: &Dependency) -> (Vec<Id>, Vec<Id>) {
        let matches = |(id, provided): &Provider<'_>| overlap(*provided, wanted.version.as_ref()).then_some(*id);
        let mut all: Vec<Id> = self.provides.get(&*wanted.name).into_iter().flatten().filter_map(matches).collect();
        if wanted.version.is_none() && wanted.name.starts_with('/') {
            all.extend(self.files.get(&*wanted.name).into_iter().flatten());
        }
        all.sort_unstable();
        all.dedup();
        all.into_iter().partition(|id| !self.entry(*id).excluded)
    }

    /// Packages of a name, in the order of ids, the excluded ones apart.
    pub(super) fn named(&self, name: &str) -> (Vec<Id>, Vec<Id>) {
        let all = self.names.get(name).into_iter().flatten().copied();
        all.partition(|id| !self.entry(*id).excluded)
    }

    /// Packages that an `Obsoletes` means: by their names, not by what they provide.
    pub(super) fn obsoleted<'p>(&'p self, by: &'p Dependency) -> impl Iterator<Item = Id> + 'p {
        self.named(&by.name).0.into_iter().filter(|id| {
            let own = (Comparison::EQUAL, self.package(*id).evr.clone());
            overlap(Some(&own), by.version.as_ref())
        })
    }

    /// Whether one package takes the place of another.
    pub(super) fn obsoletes(&self, one: Id, other: Id) -> bool {
        let (new, old) = (self.package(one), self.package(other));
        new.name != old.name
            && self.arches.share(&new.arch, &old.arch)
            && new.obsoletes.iter().any(|by| by.name == old.name && self.obsoleted(by).any(|id| id == other))
    }

    /// Whether anything at all is provided by this name.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.provides.contains_key(name) || self.files.contains_key(name)
    }

    /// How a package is called in messages.
    pub(super) fn name(&self, id: Id) -> String {
        self.package(id).to_string()
    }
}

fn push<'a>(map: &mut HashMap<&'a str, Vec<Id>>, key: &'a Arc<str>, id: Id) {
    let list = map.entry(&**key).or_default();
    if list.last() != Some(&id) {
        list.push(id);
    }
}

/// Whether what is provided and what is wanted have a version in common. Without a version, all are meant. A version
/// without a release means all of its releases.
pub(super) fn overlap(provided: Option<&(Comparison, Evr)>, wanted: Option<&(Comparison, Evr)>) -> bool {
    let (Some((given, have)), Some((wants, want))) = (provided, wanted) else { return true };
    if (given.less && wants.less) || (given.greater && wants.greater) {
        return true;
    }
    let order = have.order_of_versions(want).then_with(|| match (&have.release, &want.release) {
        (Some(have), Some(want)) => compare(have, want),
        _ => Ordering::Equal,
    });
    match (order, &have.release, &want.release) {
        (Ordering::Equal, Some(_), None) => wants.equal,
        (Ordering::Equal, None, Some(_)) => given.equal,
        (Ordering::Equal, ..) => given.equal && wants.equal,
        (Ordering::Less, ..) => wants.less || given.greater,
        (Ordering::Greater, ..) => wants.greater || given.less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solve::rich::{Expression, parse};

    fn range(text: &str) -> Option<(Comparison, Evr)> {
        let Expression::Plain(dependency) = parse(&format!("x {text}")).unwrap() else { panic!() };
        dependency.version
    }

    #[test]
    fn a_provided_version_meets_a_wanted_one_as_in_rpm() {
        for (provided, wanted, meets) in [
            ("", ">= 7", true),
            ("= 1-1", "", true),
            ("= 1.0-3", "= 1.0", true),
            ("= 1.0-3", ">= 1.0", true),
            ("= 1.0-3", "> 1.0", false),
            ("= 1.0-3", "< 1.0", false),
            ("= 1.0", "= 1.0-3", true),
            ("= 1.0-3", "= 1.0-4", false),
            ("= 1.0-3", "> 1.0-2", true),
            ("= 1:1.0-3", "> 2.0", true),
            ("= 1.0-3", "= 0:1.0-3", true),
            ("= 1.0~rc1-1", "< 1.0", true),
            ("= 1.0^git-1", "> 1.0", true),
            (">= 2", "<= 1", false),
            (">= 2", "<= 2", true),
            (">= 2", "> 7", true),
            ("< 2", "< 1", true),
            ("< 2", ">= 2", false),
        ] {
            assert_eq!(overlap(range(provided).as_ref(), range(wanted).as_ref()), meets, "{provided} and {wanted}");
        }
    }
}
