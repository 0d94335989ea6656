//! Memory for packages, counted while they are read.

/// Bytes that a package takes beside what it provides and asks for, wherever it is listed.
const PACKAGE: u64 = 1024;
/// Bytes that something provided or asked for takes, or a file: in its package, and in what finds packages by it.
const ENTRY: u64 = 256;
/// Bytes that a text takes beside its own.
const TEXT: u64 = 80;
/// Bytes that a package takes which may come into play: what is decided of it, and what the lock says of it.
const REACHED: u64 = 2048;
/// Bytes that a rule of the solver takes.
const RULE: u64 = 256;
/// Bytes that a package takes in a rule.
const PLACE: u64 = 96;

/// How much memory the packages of a definition's repositories, and the rules that follow from them, may take; and how
/// much of it is taken. What is counted is a little more than what is taken (a test holds it to that).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    most: u64,
    taken: u64,
}

/// There is less memory than metadata take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the metadata of the definition's repositories take more than the {} MiB of memory that there are for them: give the function more memory, or raise ENVIRONMENTS_MEMORY where there is more, or name smaller repositories",
    .most >> 20
)]
pub struct NoRoom {
    most: u64,
}

impl Budget {
    /// So many bytes, of which none is taken.
    pub fn new(most: u64) -> Self {
        Self { most, taken: 0 }
    }

    /// Bytes that are counted so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub(crate) fn package(&mut self) -> Result<(), NoRoom> {
        self.take(PACKAGE)
    }

    pub(crate) fn entry(&mut self) -> Result<(), NoRoom> {
        self.take(ENTRY)
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), NoRoom> {
        self.take(TEXT.saturating_add(text.len() as u64))
    }

    pub(crate) fn reached(&mut self) -> Result<(), NoRoom> {
        self.take(REACHED)
    }

    /// A rule that names so many packages.
    pub(crate) fn rule(&mut self, packages: usize) -> Result<(), NoRoom> {
        self.take(RULE.saturating_add(PLACE.saturating_mul(packages as u64)))
    }

    fn take(&mut self, bytes: u64) -> Result<(), NoRoom> {
        self.taken = self.taken.saturating_add(bytes);
        if self.taken > self.most { Err(NoRoom { most: self.most }) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::definition::Definition;
    use crate::places::Address;
    use crate::repo::{Repository, read_primary};
    use crate::solve::solve;

    /// Metadata of so many packages.
    fn primary(count: usize, about: impl Fn(usize) -> String) -> String {
        let mut text = "<metadata>".to_owned();
        for number in 0..count {
            let (version, about) = (number % 7, about(number));
            write!(
                text,
                r#"<package type="rpm"><name>package-{number}</name><arch>x86_64</arch><version ver="1.{version}" rel="1"/>
                <checksum type="sha256">{number:064x}</checksum><size package="1" installed="2"/><time build="3"/>
                <location href="Packages/p/package-{number}-1.{version}-1.x86_64.rpm"/><format><rpm:license>MIT
                </rpm:license><rpm:sourcerpm>package-{number}-1.src.rpm</rpm:sourcerpm>{about}</format></package>"#
            )
            .unwrap();
        }
        text + "</metadata>"
    }

    fn list(kind: &str, names: impl IntoIterator<Item = String>) -> String {
        let entry = |name| format!(r#"<rpm:entry name="{name}" flags="GE" ver="1.0"/>"#);
        let entries = names.into_iter().map(entry).collect::<Vec<_>>().concat();
        format!("<rpm:{kind}>{entries}</rpm:{kind}>")
    }

    /// What is counted while packages are read and solved, what is allocated, and whether there was a solution.
    fn measured(primary: &str) -> (u64, u64, bool) {
        let definition = "[environment]\nsource = \"rpm-repo\"\narch = \"x86_64\"\npackages = [\"package-0\"]\n\
                          [[repo]]\nid = \"r\"\nurl = \"r\"\n";
        let definition = Definition::parse(definition, "linux64.toml").unwrap();
        let (mut budget, mut is_solved) = (Budget::new(u64::MAX), false);
        let allocated = allocation_counter::measure(|| {
            let packages = read_primary(primary.as_bytes(), usize::MAX, &mut budget).unwrap();
            let repositories = [Repository::of_packages("r", Address::File("r".into()), packages)];
            is_solved = solve(&repositories, &definition, &mut budget).is_ok();
        });
        (budget.taken, allocated.bytes_max, is_solved)
    }

    fn ranks(names: std::ops::Range<usize>) -> impl Iterator<Item = String> {
        names.map(|name| format!("lib{name}.so.1()(64bit)"))
    }

    /// A name, how many packages, whether there is a solution, and what each package is about.
    type Kind<'a> = (&'a str, usize, bool, &'a dyn Fn(usize) -> String);

    #[test]
    fn packages_take_no_more_than_is_counted() {
        let nothing = |_: usize| String::new();
        let file = |number: usize, file: usize| format!("<file>/usr/bin/{number}-{file}</file>");
        let files = |number: usize| (0..20).map(|each| file(number, each)).collect::<Vec<_>>().concat();
        let alike = |_: usize| list("provides", ranks(0..20));
        let apart = |number: usize| list("provides", (0..20).map(|name| format!("perl({number}::{name})")));
        // The one half needs any of the other.
        let crowd = |number: usize| match number % 2 {
            0 => list("requires", ranks(0..5).chain([format!("package-{}", (number + 2) % 300)])),
            _ => list("provides", ranks(0..5)),
        };
        let enemies = |number: usize| match number % 2 {
            0 => crowd(number) + &list("conflicts", [format!("package-{}", number + 1)]),
            _ => crowd(number),
        };
        let chain = |number: usize| list("requires", [format!("package-{}", (number + 1) % 500)]);
        let broken = |number: usize| list("requires", [format!("package-{}", number + 1)]);
        let kinds: [Kind<'_>; 8] = [
            ("nothing", 700, true, &nothing),
            ("files", 700, true, &files),
            ("alike", 700, true, &alike),
            ("apart", 700, true, &apart),
            ("crowd", 300, true, &crowd),
            ("enemies", 300, false, &enemies),
            ("chain", 500, true, &chain),
            ("broken", 500, false, &broken),
        ];
        for (name, count, solution, about) in kinds {
            let (counted, allocated, is_solved) = measured(&primary(count, about));
            assert_eq!(is_solved, solution, "{name}");
            assert!(allocated <= counted, "{name}: {allocated} bytes, and {counted} are counted");
            assert!(counted < 4 * allocated, "{name}: {allocated} bytes, and {counted} are counted");
        }
    }
}
