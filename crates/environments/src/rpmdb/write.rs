//! A database of packages, made new.

use std::path::Path;

use rusqlite::{Connection, params};

use super::index::{ALL, Index, Keys, rows};
use super::{DatabaseError, Installed, blob};
use crate::rpm::{Ceiling, Header};
use crate::tree::{Content, Spool};

/// Writes the database of these packages, in their order, as installed at that time, in seconds since 1970.
pub fn write(installed: &[Installed<'_>], time: i64, spool: &mut Spool) -> Result<Content, DatabaseError> {
    let folder = tempfile::tempdir_in(spool.folder())?;
    let path = folder.path().join(super::FILE);
    fill(&path, installed, u32::try_from(time).unwrap_or_default())?;
    super::forget_writer(&path)?;
    Ok(spool.keep(&mut std::fs::File::open(path)?)?)
}

fn fill(path: &Path, installed: &[Installed<'_>], time: u32) -> Result<(), DatabaseError> {
    let mut connection = Connection::open(path)?;
    // Whether it survives a crash is no question: it is read once, right away.
    connection.execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
    let transaction = connection.transaction()?;
    transaction
        .execute_batch("CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT,blob BLOB NOT NULL);")?;
    for index in ALL {
        transaction.execute_batch(&table(index))?;
    }
    let mut package = transaction.prepare("INSERT INTO 'Packages' (hnum, blob) VALUES (?1, ?2)")?;
    let mut indexes = ALL
        .into_iter()
        .map(|index| Ok((index, transaction.prepare(&insertion(index))?)))
        .collect::<Result<Vec<_>, rusqlite::Error>>()?;
    for (number, installed) in (1_i64..).zip(installed) {
        let fault = |source| DatabaseError::Header { number, source };
        let blob = blob::installed(*installed, time).map_err(fault)?;
        let header = Header::parse(blob, Ceiling::MAIN).map_err(fault)?;
        package.execute(params![number, header.blob()])?;
        for (index, insert) in &mut indexes {
            for (key, at) in rows(&header, *index).map_err(fault)? {
                match index.keys {
                    Keys::Text => insert.execute(params![String::from_utf8_lossy(&key), number, at])?,
                    Keys::Bytes => insert.execute(params![key, number, at])?,
                };
            }
        }
    }
    drop((package, indexes));
    transaction.commit()?;
    connection.close().map_err(|(_, error)| error.into())
}

fn insertion(index: Index) -> String {
    format!("INSERT INTO '{}' (key, hnum, idx) VALUES (?1, ?2, ?3)", index.table)
}

/// The statements that make an index as rpm makes it, word for word.
fn table(index: Index) -> String {
    let Index { table, keys, by_key, by_header, .. } = index;
    let keys = match keys {
        Keys::Text => "TEXT",
        Keys::Bytes => "BLOB",
    };
    let mut statements = format!(
        "CREATE TABLE '{table}' (key '{keys}' NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL, \
         FOREIGN KEY (hnum) REFERENCES 'Packages'(hnum));"
    );
    if by_key {
        statements.extend(["CREATE INDEX '", table, "_key_idx' ON '", table, "'(key ASC);"]);
    }
    if by_header {
        statements.extend(["CREATE INDEX '", table, "_hnum_idx' ON '", table, "'(hnum ASC);"]);
    }
    statements
}
