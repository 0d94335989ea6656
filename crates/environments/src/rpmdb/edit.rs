//! A database that somebody else made: what is in it, and some of it removed.
//!
//! Such a database comes from outside, so `SQLite` is told to trust nothing in it: neither its schema nor its triggers.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{Read as _, Write as _};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use super::DatabaseError;
use crate::rpm::{Ceiling, Header, HeaderError, tags};
use crate::tree::{self, Entries, Kind, Path, Spool};

/// What rpm calls keys.
const KEY: &str = "gpg-pubkey";
/// How a rollback journal begins that is still to be rolled back (`SQLite`, "Database File Format", section 3).
const HOT: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// An installed package, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Name.
    pub name: String,
    /// Epoch, 0 where there is none.
    pub epoch: u32,
    /// Version.
    pub version: String,
    /// Release.
    pub release: String,
    /// Architecture; a key that packages are signed with has none.
    pub arch: Option<String>,
    /// Licence.
    pub licence: Option<String>,
    /// The file name of the source package that it was built from.
    pub source: Option<String>,
}

impl Record {
    /// Whether it is a key that packages are signed with, which rpm keeps among them.
    pub fn is_key(&self) -> bool {
        self.name == KEY
    }
}

/// What a removal has to know of a package.
struct Known {
    number: i64,
    record: Record,
    files: Vec<Path>,
    requires: Vec<String>,
    provides: Vec<String>,
}

/// All packages of the database in a folder (`var/lib/rpm`), in the order of names. None where there is no database.
pub fn list(entries: &Entries, spool: &Spool, folder: &str) -> Result<Option<Vec<Record>>, DatabaseError> {
    let Some(database) = Database::open(entries, spool, folder)? else { return Ok(None) };
    let mut records: Vec<_> = database.known()?.into_iter().map(|known| known.record).collect();
    records.sort_by(|one, other| {
        (&one.name, &one.version, &one.release).cmp(&(&other.name, &other.version, &other.release))
    });
    Ok(Some(records))
}

/// Removes packages by their names: their files, unless a package that stays has them too, and their headers; what was
/// removed. It is an error where a package that stays requires one of them. Names that are not there are no error.
pub fn remove(
    entries: &mut Entries,
    spool: &mut Spool,
    folder: &str,
    names: &[&str],
) -> Result<Vec<Record>, DatabaseError> {
    let Some(database) = Database::open(entries, spool, folder)? else { return Ok(Vec::new()) };
    let (gone, stay): (Vec<_>, Vec<_>) =
        database.known()?.into_iter().partition(|known| names.contains(&&*known.record.name));
    if gone.is_empty() {
        return Ok(Vec::new());
    }
    check_needs(&gone, &stay)?;
    let place = |path: &Path| tree::within(entries, path);
    let kept: HashSet<Path> = stay.iter().flat_map(|known| &known.files).map(place).collect();
    let files: BTreeSet<Path> =
        gone.iter().flat_map(|known| &known.files).map(place).filter(|path| !kept.contains(path)).collect();
    remove_files(entries, &files);
    database.delete(&gone)?;
    let (path, content) = database.keep(spool)?;
    for beside in ["-wal", "-shm"] {
        entries.remove(&Path::new(&[path.as_bytes(), beside.as_bytes()].concat())?);
    }
    entries.entry(path).and_modify(|entry| entry.kind = Kind::File(content));
    let left = list(entries, spool, folder)?.unwrap_or_default();
    match left.iter().find(|record| names.contains(&&*record.name)) {
        Some(record) => Err(DatabaseError::StillThere(record.name.clone())),
        None => Ok(gone.into_iter().map(|known| known.record).collect()),
    }
}

/// What stays needs nothing of what goes. Versions are not looked at, nor dependencies with conditions.
fn check_needs(gone: &[Known], stay: &[Known]) -> Result<(), DatabaseError> {
    let mut offered: HashMap<&str, &Known> = HashMap::new();
    let paths = |known: &Known| known.files.iter().map(ToString::to_string).collect::<Vec<_>>();
    let files: Vec<_> = gone.iter().map(|known| (known, paths(known))).collect();
    for (known, files) in &files {
        offered.extend(known.provides.iter().chain(files).map(|what| (&**what, *known)));
    }
    for known in stay {
        for what in known.provides.iter().chain(&paths(known)) {
            offered.remove(&**what);
        }
    }
    for known in stay {
        if let Some((what, removed)) = known.requires.iter().find_map(|what| Some((what, offered.get(&**what)?))) {
            let (removed, by) = (removed.record.name.clone(), known.record.name.clone());
            return Err(DatabaseError::Needed { removed, by, what: what.clone() });
        }
    }
    Ok(())
}

/// Takes files away, and those of their folders that are empty then. Another name of a file keeps its contents.
fn remove_files(entries: &mut Entries, files: &BTreeSet<Path>) {
    let mut heirs: HashMap<Path, Path> = HashMap::new();
    // Found once: a package may have tens of thousands of files, and a root a million.
    let mut names: HashMap<Path, BTreeSet<Path>> = HashMap::new();
    for (path, entry) in entries.iter() {
        if let Kind::Hardlink(to) = &entry.kind {
            names.entry(to.clone()).or_default().insert(path.clone());
        }
    }
    // The last first: what is in a folder comes behind it.
    for path in files.iter().rev() {
        let Some(entry) = entries.get(path) else { continue };
        match entry.kind.clone() {
            Kind::Directory if !is_empty(entries, path) => {}
            Kind::File(content) => {
                entries.remove(path);
                let heir = names.get(path).and_then(|names| names.iter().find(|name| !files.contains(*name)));
                if let Some(heir) = heir {
                    entries.entry(heir.clone()).and_modify(|entry| entry.kind = Kind::File(content));
                    heirs.insert(path.clone(), heir.clone());
                }
            }
            _ => drop(entries.remove(path)),
        }
    }
    for entry in entries.values_mut() {
        if let Kind::Hardlink(to) = &mut entry.kind
            && let Some(heir) = heirs.get(to)
        {
            *to = heir.clone();
        }
    }
}

fn is_empty(entries: &Entries, folder: &Path) -> bool {
    let next = entries.range(folder..).nth(1);
    next.is_none_or(|(path, _)| path.parent().as_ref() != Some(folder) && !is_below(path, folder))
}

fn is_below(path: &Path, folder: &Path) -> bool {
    path.as_bytes().strip_prefix(folder.as_bytes()).is_some_and(|rest| rest.starts_with(b"/"))
}

/// A database, copied out of a tree.
struct Database {
    copy: TempDir,
    path: Path,
    connection: Connection,
}

impl Database {
    fn open(entries: &Entries, spool: &Spool, folder: &str) -> Result<Option<Self>, DatabaseError> {
        let at = |name: &str| {
            Ok::<_, DatabaseError>(tree::within(entries, &Path::new(format!("{folder}/{name}").as_bytes())?))
        };
        let path = at(super::FILE)?;
        let content = |path: &Path| match entries.get(path).map(|entry| &entry.kind) {
            Some(Kind::File(content)) => Some(*content),
            _ => None,
        };
        let Some(file) = content(&path) else {
            // Berkeley DB and ndb.
            let other = [at("Packages")?, at("Packages.db")?].into_iter().find(|path| entries.contains_key(path));
            return other.map_or(Ok(None), |path| Err(DatabaseError::Format(path)));
        };
        // Of a transaction that is rolled back when somebody opens it: here nobody knows by what.
        let journal = at("rpmdb.sqlite-journal")?;
        if let Some(content) = content(&journal) {
            let mut start = [0; HOT.len()];
            let is_there = spool.read(content).read_exact(&mut start).is_ok();
            if is_there && start == HOT {
                return Err(DatabaseError::Unfinished(journal));
            }
        }
        let copy = tempfile::tempdir_in(spool.folder())?;
        let wal = content(&at("rpmdb.sqlite-wal")?);
        for (name, content) in [(super::FILE, Some(file)), ("rpmdb.sqlite-wal", wal)] {
            if let Some(content) = content {
                let mut file = std::fs::File::create_new(copy.path().join(name))?;
                std::io::copy(&mut spool.read(content), &mut file)?;
                file.flush()?;
            }
        }
        let connection = Connection::open_with_flags(copy.path().join(super::FILE), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        distrust(&connection)?;
        Ok(Some(Self { copy, path, connection }))
    }

    fn known(&self) -> Result<Vec<Known>, DatabaseError> {
        let mut select = self.connection.prepare("SELECT hnum, blob FROM Packages ORDER BY hnum")?;
        let mut rows = select.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let (number, blob): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let fault = |source| DatabaseError::Header { number, source };
            let header = Header::parse(blob, Ceiling::MAIN).map_err(fault)?;
            let files = crate::rpm::paths(&header).map_err(|error| DatabaseError::Damaged(error.to_string()))?;
            let (record, requires, provides) = read(&header).map_err(fault)?;
            all.push(Known { number, record, files, requires, provides });
        }
        Ok(all)
    }

    fn delete(&self, gone: &[Known]) -> Result<(), DatabaseError> {
        // rpm may know more indexes than we do: every table that names headers is one.
        let mut select = self.connection.prepare(
            "SELECT name FROM sqlite_master AS tables WHERE type = 'table' \
             AND EXISTS (SELECT 1 FROM pragma_table_info(tables.name) WHERE name = 'hnum')",
        )?;
        let tables: Vec<String> = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        for table in tables {
            let quoted = table.replace('"', "\"\"");
            let mut delete = self.connection.prepare(&format!("DELETE FROM \"{quoted}\" WHERE hnum = ?1"))?;
            for known in gone {
                delete.execute([known.number])?;
            }
        }
        // What was deleted is not left behind in pages that nobody uses.
        self.connection.execute_batch("PRAGMA journal_mode = DELETE; VACUUM;")?;
        Ok(())
    }

    fn keep(self, spool: &mut Spool) -> Result<(Path, tree::Content), DatabaseError> {
        self.connection.close().map_err(|(_, error)| error)?;
        super::forget_writer(&self.copy.path().join(super::FILE))?;
        let content = spool.keep(&mut std::fs::File::open(self.copy.path().join(super::FILE))?)?;
        Ok((self.path, content))
    }
}

fn distrust(connection: &Connection) -> Result<(), DatabaseError> {
    for (setting, on) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
    ] {
        connection.set_db_config(setting, on)?;
    }
    connection.execute_batch("PRAGMA cell_size_check = ON; PRAGMA foreign_keys = OFF; PRAGMA secure_delete = ON;")?;
    let word: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if word == "ok" { Ok(()) } else { Err(DatabaseError::Damaged(word)) }
}

fn read(header: &Header) -> Result<(Record, Vec<String>, Vec<String>), HeaderError> {
    let texts = |tag| -> Result<Vec<String>, HeaderError> {
        Ok(header.texts(tag)?.map(|text| String::from_utf8_lossy(text).into_owned()).collect())
    };
    let epoch = header.number(tags::EPOCH)?.and_then(|epoch| u32::try_from(epoch).ok()).unwrap_or_default();
    let record = Record {
        name: header.required(tags::NAME, "name")?,
        epoch,
        version: header.required(tags::VERSION, "version")?,
        release: header.required(tags::RELEASE, "release")?,
        arch: header.string(tags::ARCH)?,
        licence: header.string(tags::LICENSE)?,
        source: header.string(tags::SOURCE_RPM)?,
    };
    Ok((record, texts(tags::REQUIRE_NAME)?, texts(tags::PROVIDE_NAME)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Entry;

    #[test]
    fn contents_go_to_a_name_that_stays() {
        let mut spool = Spool::create(&std::env::temp_dir()).unwrap();
        let content = spool.keep(&mut &b"x"[..]).unwrap();
        let path = |name: &str| Path::new(name.as_bytes()).unwrap();
        let entry = |kind| Entry { kind, mode: 0o644, uid: 0, gid: 0, mtime: 0, capability: None };
        let mut entries = Entries::new();
        entries.insert(path("z"), entry(Kind::File(content)));
        for name in ["a", "m", "n"] {
            entries.insert(path(name), entry(Kind::Hardlink(path("z"))));
        }
        remove_files(&mut entries, &["a", "z"].map(path).into());
        let kinds: Vec<_> = entries.iter().map(|(path, entry)| (path.clone(), entry.kind.clone())).collect();
        assert_eq!(kinds, [(path("m"), Kind::File(content)), (path("n"), Kind::Hardlink(path("m")))]);
    }
}
