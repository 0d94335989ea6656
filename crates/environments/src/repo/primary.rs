//! `primary.xml`: packages, what they provide, and what they ask for.

use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;

use super::package::{Comparison, Dependency, Package};
use super::xml::{Document, Element, MetadataError, Node};
use super::{Budget, Checksum, NoRoom, location};
use crate::evr::Evr;

/// How many times its header rpm's database takes for a package: it has the header, and what finds it.
const RECORDED: u64 = 2;

/// Reads all packages of a `primary.xml`, `most` of them at most.
pub(super) fn read(source: impl Read, most: usize, budget: &mut Budget) -> Result<Vec<Package>, MetadataError> {
    let mut document = Document::new(source);
    let (mut packages, mut names) = (Vec::new(), Names { known: HashSet::new(), budget });
    let mut draft: Option<Draft> = None;
    let mut text = String::new();
    let mut whole = false;
    loop {
        match document.next()? {
            Node::Open(element) => {
                text.clear();
                match element.name().as_str() {
                    "package" => names.budget.package()?,
                    "entry" | "file" => names.budget.entry()?,
                    _ => {}
                }
                match (&mut draft, element.name().as_str()) {
                    (None, "package") => draft = Some(Draft::default()),
                    (Some(draft), name) => draft.open(name, &element, &mut names)?,
                    _ => {}
                }
            }
            Node::Text(piece) => text.push_str(&piece),
            Node::Close(name) => match (&mut draft, name.as_str()) {
                (Some(_), "package") => {
                    if packages.len() == most {
                        return Err(MetadataError::TooMany { most, what: "packages" });
                    }
                    packages.extend(draft.take().map(Draft::finish).transpose()?);
                }
                (Some(draft), name) => draft.close(name, text.trim(), &mut names)?,
                (None, "metadata") => whole = true,
                _ => {}
            },
            Node::End if whole => return Ok(packages),
            Node::End => return Err(MetadataError::Missing { whose: "primary.xml".into(), what: "end" }),
        }
    }
}

/// Each text once: the same names come thousands of times.
struct Names<'b> {
    known: HashSet<Arc<str>>,
    budget: &'b mut Budget,
}

impl Names<'_> {
    fn get(&mut self, text: &str) -> Result<Arc<str>, NoRoom> {
        if let Some(known) = self.known.get(text) {
            return Ok(Arc::clone(known));
        }
        self.budget.text(text)?;
        let new: Arc<str> = text.into();
        self.known.insert(Arc::clone(&new));
        Ok(new)
    }
}

/// A package that is being read.
#[derive(Default)]
struct Draft {
    name: Option<Arc<str>>,
    arch: Option<Arc<str>>,
    evr: Option<Evr>,
    checksum_kind: String,
    checksum: Option<String>,
    size: Option<String>,
    installed: Option<u64>,
    header: u64,
    built: Option<String>,
    location: Option<String>,
    base: bool,
    licence: Option<Arc<str>>,
    source: Option<Arc<str>>,
    kind: Option<Kind>,
    lists: [Vec<Dependency>; 8],
    files: Vec<Arc<str>>,
}

/// The lists of a package's dependencies, in the order of their places in a draft.
#[derive(Clone, Copy)]
enum Kind {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Supplements,
    Suggests,
    Enhances,
}

impl Kind {
    fn named(element: &str) -> Option<Self> {
        Some(match element {
            "provides" => Self::Provides,
            "requires" => Self::Requires,
            "conflicts" => Self::Conflicts,
            "obsoletes" => Self::Obsoletes,
            "recommends" => Self::Recommends,
            "supplements" => Self::Supplements,
            "suggests" => Self::Suggests,
            "enhances" => Self::Enhances,
            _ => return None,
        })
    }
}

impl Draft {
    fn open(&mut self, name: &str, element: &Element<'_>, names: &mut Names<'_>) -> Result<(), MetadataError> {
        match name {
            "version" => self.evr = Some(evr(element, names)?.unwrap_or_else(|| Evr::parse(""))),
            "checksum" => self.checksum_kind = element.attribute("type")?.unwrap_or_default(),
            "size" => {
                self.size = element.attribute("package")?;
                self.installed = element.attribute("installed")?.and_then(|bytes| bytes.parse().ok());
            }
            "time" => self.built = element.attribute("build")?,
            "header-range" => {
                let at = |end: Option<String>| end.and_then(|at| at.parse::<u64>().ok()).unwrap_or_default();
                let (start, end) = (at(element.attribute("start")?), at(element.attribute("end")?));
                self.header = end.saturating_sub(start);
            }
            "location" => {
                self.location = element.attribute("href")?;
                names.budget.text(self.location.as_deref().unwrap_or_default())?;
                self.base = element.attribute("xml:base")?.is_some();
            }
            "entry" => {
                let dependency = dependency(element, names)?;
                if let (Some(list), Some(dependency)) = (self.list(), dependency) {
                    list.push(dependency);
                }
            }
            other => {
                if let Some(kind) = Kind::named(other) {
                    self.kind = Some(kind);
                }
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Option<&mut Vec<Dependency>> {
        self.lists.get_mut(self.kind? as usize)
    }

    fn close(&mut self, name: &str, text: &str, names: &mut Names<'_>) -> Result<(), NoRoom> {
        match name {
            "name" => self.name = Some(names.get(text)?),
            "arch" => self.arch = Some(names.get(text)?),
            "checksum" => self.checksum = Some(text.to_owned()),
            "license" => self.licence = Some(names.get(text)?),
            "sourcerpm" if !text.is_empty() => self.source = Some(names.get(text)?),
            "file" => self.files.push(names.get(text)?),
            other if Kind::named(other).is_some() => self.kind = None,
            _ => {}
        }
        Ok(())
    }

    fn finish(self) -> Result<Package, MetadataError> {
        let whose = self.name.as_deref().unwrap_or("a package without a name").to_owned();
        let missing = |what| MetadataError::Missing { whose: whose.clone(), what };
        let name = self.name.filter(|name| !name.is_empty()).ok_or_else(|| missing("name"))?;
        let evr = self.evr.ok_or_else(|| missing("version"))?;
        let checksum = Checksum::new(&self.checksum_kind, &self.checksum.ok_or_else(|| missing("checksum"))?)
            .map_err(|source| MetadataError::Checksum { whose: whose.clone(), source })?;
        let size = self.size.ok_or_else(|| missing("size"))?;
        let value = |what, value| MetadataError::Value { whose: whose.clone(), what, value };
        let size = size.parse().map_err(|_| value("the size", size))?;
        let path = self.location.ok_or_else(|| missing("location"))?;
        if self.base || !location::is_inside(&path) {
            return Err(value("the location", path));
        }
        let built = self.built.and_then(|built| built.parse().ok()).unwrap_or(0);
        let mut lists = self.lists;
        // They grow by doubling.
        lists.iter_mut().for_each(Vec::shrink_to_fit);
        let [mut provides, requires, conflicts, obsoletes, recommends, supplements, suggests, enhances] = lists;
        let recorded = self.header.saturating_mul(RECORDED);
        let installed = self.installed.map(|bytes| bytes.saturating_add(recorded));
        let itself = Dependency { name: Arc::clone(&name), version: Some((Comparison::EQUAL, evr.clone())) };
        if !provides.contains(&itself) {
            provides.push(itself);
        }
        provides.shrink_to_fit();
        let (arch, location) = (self.arch.ok_or_else(|| missing("architecture"))?, path.into());
        let (licence, source, files) = (self.licence.unwrap_or_default(), self.source, self.files);
        Ok(Package {
            name,
            evr,
            arch,
            checksum,
            size,
            location,
            licence,
            source,
            built,
            installed,
            provides,
            requires,
            conflicts,
            obsoletes,
            recommends,
            supplements,
            suggests,
            enhances,
            files,
        })
    }
}

/// The attributes `epoch`, `ver` and `rel` of an element.
fn evr(element: &Element<'_>, names: &mut Names<'_>) -> Result<Option<Evr>, MetadataError> {
    let Some(version) = element.attribute("ver")? else { return Ok(None) };
    let epoch = element.attribute("epoch")?;
    let number = epoch.as_deref().map_or(Ok(0), str::parse);
    let epoch = number.map_err(|_| MetadataError::Value {
        whose: format!("<{}>", element.name()),
        what: "the epoch",
        value: epoch.unwrap_or_default(),
    })?;
    let release = element.attribute("rel")?.filter(|release| !release.is_empty());
    let release = release.map(|release| names.get(&release)).transpose()?;
    Ok(Some(Evr { epoch, version: names.get(&version)?, release }))
}

fn dependency(element: &Element<'_>, names: &mut Names<'_>) -> Result<Option<Dependency>, MetadataError> {
    let Some(name) = element.attribute("name")? else { return Ok(None) };
    let version = match element.attribute("flags")? {
        None => None,
        Some(flags) => {
            let whose = name.clone();
            let comparison = Comparison::parse(&flags).ok_or(MetadataError::Value {
                whose,
                what: "the comparison",
                value: flags,
            })?;
            evr(element, names)?.map(|evr| (comparison, evr))
        }
    };
    Ok(Some(Dependency { name: names.get(&name)?, version }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: impl Read, most: usize) -> Result<Vec<Package>, MetadataError> {
        super::read(source, most, &mut Budget::new(64 << 20))
    }

    const PRIMARY: &str = include_str!("../../tests/fixtures/repo/primary.xml");

    #[test]
    fn a_package_is_read_with_all_that_it_provides_and_asks_for() {
        let packages = read(PRIMARY.as_bytes(), 10).unwrap();
        let make = &packages[0];
        assert_eq!(make.to_string(), "make-1:4.4-1.x86_64");
        assert_eq!((make.size, make.installed, make.built), (1234, Some(5678 + 2 * 4496), 1_700_000_000));
        assert_eq!(&*make.location, "Packages/m/make-4.4-1.x86_64.rpm");
        assert_eq!(&*make.licence, "GPL-3.0-or-later & more");
        assert_eq!(make.source.as_deref(), Some("make-4.4-1.src.rpm"));
        let texts = |list: &[Dependency]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&make.provides), ["make(x86-64) = 1:4.4-1", "bundled(gnulib)", "make = 1:4.4-1"]);
        assert_eq!(texts(&make.requires), ["/bin/sh", "libc.so.6(GLIBC_2.34)(64bit)", "guile >= 2.2", "(a if b)"]);
        assert_eq!(texts(&make.recommends), ["make-doc"]);
        assert_eq!(texts(&make.obsoletes), ["gmake < 3"]);
        assert_eq!(make.files.iter().map(|file| &**file).collect::<Vec<_>>(), ["/usr/bin/make", "/usr/bin/gmake"]);
    }

    #[test]
    fn metadata_that_break_off_are_an_error() {
        for end in [PRIMARY.len() - 20, PRIMARY.len() / 2, 300] {
            read(&PRIMARY.as_bytes()[..end], 10).unwrap_err();
        }
        let most = read(PRIMARY.as_bytes(), 0).unwrap_err();
        assert!(matches!(most, MetadataError::TooMany { most: 0, .. }));
    }

    #[test]
    fn a_package_that_lies_outside_its_repository_is_refused() {
        for place in ["../make.rpm", "/etc/passwd", "https://elsewhere.example/x.rpm", "a/../../b", "a//b", "x?y", ""] {
            let moved = PRIMARY.replace("Packages/m/make-4.4-1.x86_64.rpm", place);
            let error = read(moved.as_bytes(), 10).unwrap_err().to_string();
            assert!(error.contains("location"), "{place}: {error}");
        }
    }

    #[test]
    fn one_text_without_an_end_is_refused_before_it_fills_the_memory() {
        let begin = std::io::Cursor::new("<metadata><package><name>");
        let endless = Read::chain(begin, std::io::repeat(b'x'));
        assert!(matches!(read(endless, 10), Err(MetadataError::Xml { .. })));
        // Nor does it in pieces.
        let piece = "x".repeat(1 << 20);
        for between in ["<!-- -->", "&amp;", "<?x?>", "<![CDATA[x]]>"] {
            let pieces = format!("<metadata><package><name>{}", format!("{piece}{between}").repeat(6));
            let error = read(pieces.as_bytes(), 10).unwrap_err().to_string();
            assert!(error.contains("one text has more than"), "{between}: {error}");
        }
    }
}
