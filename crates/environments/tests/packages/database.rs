//! rpm reads what was written, and finds nothing to mend.

use std::path::Path;
use std::process::Command;

use buildhub_environments::definition::{Action, Exclude};
use buildhub_environments::rpmdb;
use buildhub_testkit::environments::{File, Recipe, Workshop, run};
use rusqlite::Connection;

use crate::support::{Tree, identity, scriptlet, unpack};

fn recipes() -> Vec<Recipe> {
    vec![
        Recipe::new("filesystem").file(File::symlink("/lib", "usr/lib")).file(File::folder("/usr/lib")),
        Recipe::new("tool")
            .version("2.0")
            .epoch(1)
            .requires("library >= 1")
            .requires("(library if filesystem)")
            .requires("(library >= 1 if (filesystem or other) else another(x))")
            .provides("virtual(tool) = 2")
            .tag("Requires(post)", "filesystem")
            .tag("Requires(preun)", "/usr/bin/tool")
            .tag("Recommends", "(extra or other)")
            .tag("Conflicts", "old-tool")
            .tag("Obsoletes", "older-tool < 2")
            .file(File::new("/usr/bin/tool", "#!/bin/sh\n").mode(0o755))
            .file(File::hardlink("/usr/bin/alias", "/usr/bin/tool"))
            .file(File::new("/etc/tool.conf", "a=1\n").directive("%config(noreplace)"))
            .file(File::new("/var/log/tool.log", "").directive("%ghost"))
            .file(File::new("/usr/share/left-out", "x"))
            .section("%triggerin -- library, other", "true")
            .section("%filetriggerin -- /usr/lib /usr/lib64", "true")
            .section("%transfiletriggerin -- /usr/bin", "true"),
        Recipe::new("library").arch("noarch").requires("filesystem").file(File::new("/lib/library", "library")),
    ]
}

fn tree() -> Tree {
    let mut identity = identity();
    for phase in ["trigger", "filetrigger", "transfiletrigger"] {
        identity.scriptlets.push(scriptlet("tool", phase, Action::Acknowledge));
    }
    let path = Some("/usr/share/left-out".into());
    identity.excludes.push(Exclude { package: None, path, reason: "a test".into() });
    Tree::build(&recipes(), &identity).unwrap()
}

fn rpm(root: &Path, arguments: &[&str]) -> String {
    let mut rpm = Command::new("rpm");
    rpm.arg("--root").arg(root).args(["--dbpath", "/var/lib/rpm", "--nosignature"]).args(arguments);
    String::from_utf8(run(&mut rpm, "rpm").unwrap().stdout).unwrap()
}

#[test]
fn rpm_answers_all_questions_inside_a_merged_root() {
    let root = tempfile::tempdir().unwrap();
    let tree = tree();
    unpack(tree.entries(), &tree.spool, root.path());
    let mut all: Vec<_> = rpm(root.path(), &["-qa"]).lines().map(str::to_owned).collect();
    all.sort();
    assert_eq!(all, ["filesystem-1-1.x86_64", "library-1-1.noarch", "tool-2.0-1.x86_64"]);
    assert_eq!(rpm(root.path(), &["-q", "tool"]), "tool-2.0-1.x86_64\n");
    assert_eq!(rpm(root.path(), &["-qf", "/usr/bin/alias"]), "tool-2.0-1.x86_64\n");
    assert_eq!(rpm(root.path(), &["-qf", "/usr/lib/library"]), "library-1-1.noarch\n");
    assert_eq!(rpm(root.path(), &["-q", "--whatprovides", "virtual(tool)"]), "tool-2.0-1.x86_64\n");
    let requiring = rpm(root.path(), &["-q", "--whatrequires", "library"]);
    // rpm names a package once for each of its dependencies.
    assert!(requiring.lines().count() > 1 && requiring.lines().all(|line| line == "tool-2.0-1.x86_64"), "{requiring}");
    assert_eq!(rpm(root.path(), &["-q", "--qf", "%{INSTALLTIME} %{SHA256HEADER}", "tool"]).len(), 10 + 1 + 64);
    // Nothing differs: what was left out is known to be.
    assert_eq!(rpm(root.path(), &["-Va", "--nodeps", "--noscripts"]), "");
    std::fs::write(root.path().join("usr/bin/tool"), "changed").unwrap();
    let mut verify = Command::new("rpm");
    verify.arg("--root").arg(root.path()).args(["--dbpath", "/var/lib/rpm", "-V", "--nodeps", "--noscripts", "tool"]);
    let verified = String::from_utf8(verify.output().unwrap().stdout).unwrap();
    assert!(verified.contains("/usr/bin/tool") && verified.starts_with("S.5"), "{verified}");
}

/// Everything in a database, as text: its tables' and indexes' statements, and their rows.
fn dump(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).unwrap();
    let mut lines = Vec::new();
    let mut select =
        connection.prepare("SELECT name, sql FROM sqlite_master WHERE sql NOT NULL ORDER BY rowid").unwrap();
    let tables: Vec<(String, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (name, sql) in tables {
        if sql.starts_with("CREATE TABLE") && name != "sqlite_sequence" {
            let columns = if name == "Packages" { "hnum, hex(blob), 0" } else { "hex(key), hnum, idx" };
            let mut rows = connection.prepare(&format!("SELECT {columns} FROM '{name}' ORDER BY 2, 3, 1")).unwrap();
            let mut rows = rows.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<_> = (0..3).map(|at| format!("{:?}", row.get_ref(at).unwrap())).collect();
                lines.push(format!("{name}: {}", values.join(" ")));
            }
        }
        lines.push(sql);
    }
    lines
}

/// Pitfall 3: headers without indexes.
#[test]
fn rpm_itself_would_make_the_same_indexes_of_the_headers() {
    let root = tempfile::tempdir().unwrap();
    let tree = tree();
    unpack(tree.entries(), &tree.spool, root.path());
    let file = root.path().join("var/lib/rpm/rpmdb.sqlite");
    let ours = dump(&file);
    assert!(ours.len() > 60, "{ours:#?}");
    rpm(root.path(), &["--rebuilddb"]);
    pretty_assertions(&dump(&file), &ours);
}

fn pretty_assertions(theirs: &[String], ours: &[String]) {
    let only =
        |one: &[String], other: &[String]| one.iter().filter(|line| !other.contains(line)).cloned().collect::<Vec<_>>();
    assert_eq!((only(theirs, ours), only(ours, theirs)), (Vec::<String>::new(), Vec::new()), "rpm's are on the left");
    assert_eq!(theirs.len(), ours.len());
}

/// "Database File Format", section 1.3: all else of the header follows from what is in it.
#[test]
fn no_database_says_which_sqlite_wrote_it() {
    let mut tree = tree();
    let header = |tree: &Tree| {
        let root = tempfile::tempdir().unwrap();
        unpack(tree.entries(), &tree.spool, root.path());
        std::fs::read(root.path().join("var/lib/rpm/rpmdb.sqlite")).unwrap()[..100].to_vec()
    };
    assert_eq!(header(&tree)[96..], 3_040_000_u32.to_be_bytes());
    let Tree { merged, spool } = &mut tree;
    rpmdb::remove(&mut merged.entries, spool, "var/lib/rpm", &["tool"]).unwrap();
    assert_eq!(header(&tree)[96..], 3_040_000_u32.to_be_bytes());
}

#[test]
fn a_package_is_removed_from_a_database_that_rpm_made_with_its_files_and_all_traces() {
    let mut tree = tree();
    let removed = {
        let Tree { merged, spool } = &mut tree;
        rpmdb::remove(&mut merged.entries, spool, "var/lib/rpm", &["tool", "not-there"]).unwrap()
    };
    assert_eq!(removed.iter().map(|record| &*record.name).collect::<Vec<_>>(), ["tool"]);
    assert!(tree.get("/usr/bin/tool").is_none() && tree.get("/usr/bin/alias").is_none());
    assert!(tree.get("/usr/lib/library").is_some());
    let left = rpmdb::list(tree.entries(), &tree.spool, "var/lib/rpm").unwrap().unwrap();
    assert_eq!(left.iter().map(|record| &*record.name).collect::<Vec<_>>(), ["filesystem", "library"]);
    let root = tempfile::tempdir().unwrap();
    unpack(tree.entries(), &tree.spool, root.path());
    let file = root.path().join("var/lib/rpm/rpmdb.sqlite");
    let bytes = std::fs::read(&file).unwrap();
    assert!(!bytes.windows(8).any(|part| part == b"old-tool"), "a trace of it is left");
    let ours = dump(&file);
    assert_eq!(rpm(root.path(), &["-q", "library"]), "library-1-1.noarch\n");
    rpm(root.path(), &["--rebuilddb"]);
    let rows = |lines: &[String]| lines.iter().filter(|line| line.starts_with("Name: ")).count();
    assert_eq!(rows(&ours), 2);
    assert_eq!(rows(&dump(&file)), 2);
}

#[test]
fn a_package_that_another_requires_cannot_be_removed() {
    let Tree { mut merged, mut spool } = tree();
    let error = rpmdb::remove(&mut merged.entries, &mut spool, "var/lib/rpm", &["library"]).unwrap_err();
    assert!(matches!(&error, rpmdb::DatabaseError::Needed { by, .. } if by == "tool"), "{error}");
}

/// rpm leaves what it wrote last in a file beside the database.
#[test]
fn a_database_that_rpm_wrote_itself_is_read_with_what_lies_beside_it() {
    let workshop = Workshop::create().unwrap();
    let made = workshop.build(&recipes()).unwrap();
    let root = tempfile::tempdir().unwrap();
    let mut install = Command::new("rpm");
    install.arg("--root").arg(root.path()).args([
        "--dbpath",
        "/var/lib/rpm",
        "-i",
        "--nodeps",
        "--noscripts",
        "--notriggers",
    ]);
    run(install.args(&made), "rpm").unwrap();
    let mut tree = tree();
    let Tree { merged, spool } = &mut tree;
    for name in ["rpmdb.sqlite", "rpmdb.sqlite-wal"] {
        let content =
            spool.keep(&mut std::fs::File::open(root.path().join("var/lib/rpm").join(name)).unwrap()).unwrap();
        let mut entry = merged.entries[&crate::support::at("/var/lib/rpm/rpmdb.sqlite")].clone();
        entry.kind = buildhub_environments::tree::Kind::File(content);
        merged.entries.insert(crate::support::at(&format!("/var/lib/rpm/{name}")), entry);
    }
    let all = rpmdb::list(&merged.entries, spool, "var/lib/rpm").unwrap().unwrap();
    assert_eq!(all.len(), 3);
    assert_eq!(all[2].source.as_deref(), Some("tool-2.0-1.src.rpm"));
    rpmdb::remove(&mut merged.entries, spool, "var/lib/rpm", &["tool"]).unwrap();
    assert!(tree.get("/var/lib/rpm/rpmdb.sqlite-wal").is_none());
}

/// What was uploaded while rpm was at work would be read torn.
#[test]
fn a_database_in_the_midst_of_a_transaction_is_refused() {
    let Tree { mut merged, mut spool } = tree();
    let database = merged.entries[&crate::support::at("/var/lib/rpm/rpmdb.sqlite")].clone();
    let journal = crate::support::at("/var/lib/rpm/rpmdb.sqlite-journal");
    let hot = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7\0\0\0\x01";
    for (bytes, is_refused) in [(&b""[..], false), (&[0; 512], false), (hot, true)] {
        let content = spool.keep(&mut { bytes }).unwrap();
        let kind = buildhub_environments::tree::Kind::File(content);
        merged.entries.insert(journal.clone(), buildhub_environments::tree::Entry { kind, ..database.clone() });
        match rpmdb::list(&merged.entries, &spool, "var/lib/rpm") {
            Ok(_) => assert!(!is_refused),
            Err(error) => assert!(is_refused && error.to_string().contains("rpmdb.sqlite-journal"), "{error}"),
        }
    }
}
