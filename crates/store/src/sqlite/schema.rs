//! The SQLite file: how it is opened, its tables, and how an older one is brought forward.
//!
//! A file that is not ours, or that a newer version wrote, is refused and left as it is.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension};
use stepwell_types::Timestamp;

use super::database;
use crate::Error;

/// Marks the file as a ledger of ours ("SWLD").
const APPLICATION_ID: i32 = 0x5357_4c44;
/// The version this code reads and writes.
pub(crate) const VERSION: u32 = 2;
/// The first that a release wrote: a file of an older one is refused.
const FIRST: u32 = 2;
/// Each brings the schema to its version: the first makes [`FIRST`] of an empty file. Append-only.
const MIGRATIONS: [&str; (VERSION - FIRST + 1) as usize] = [include_str!("schema_v2.sql")];
/// The largest file that is checked when it was not closed properly: about 50 ms.
const MAX_CHECKED: u64 = 16 << 20;

/// Opens the file for writing, creating it or bringing it forward.
pub(crate) fn open_writer(path: &Path, now: Timestamp) -> Result<Connection, Error> {
    let unclean = unclean(path);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database("open"))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(database("configure"))?;
    refuse_foreign(&connection, path)?;
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA mmap_size = 0;
             PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192; PRAGMA wal_autocheckpoint = 4000;",
        )
        .map_err(database("configure"))?;
    migrate(&connection, path, now)?;
    if unclean && std::fs::metadata(path).is_ok_and(|file| file.len() <= MAX_CHECKED) {
        quick_check(&connection)?;
    }
    Ok(connection)
}

/// Opens the file for reading. It exists and has this version.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(database("open"))?;
    connection
        .busy_timeout(Duration::from_secs(5))
        .and_then(|()| connection.execute_batch("PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"))
        .map_err(database("configure"))?;
    Ok(connection)
}

/// Whether whoever had it open last did not close it.
fn unclean(path: &Path) -> bool {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    std::fs::metadata(wal).is_ok_and(|wal| wal.len() > 0)
}

fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), Error> {
    let foreign = || Error::Foreign { path: path.to_owned(), expected: "ledger" };
    let id = connection.pragma_query_value(None, "application_id", |row| row.get::<_, i32>(0));
    let id = match id {
        Ok(id) => id,
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(foreign());
        }
        Err(error) => return Err(database("open")(error)),
    };
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(database("open"))?;
    if id == APPLICATION_ID || (id == 0 && tables == 0) { Ok(()) } else { Err(foreign()) }
}

/// The version of the schema; 0 for an empty file.
pub(crate) fn version(connection: &Connection) -> Result<u32, Error> {
    let exists = connection
        .query_row("SELECT 1 FROM sqlite_schema WHERE name = 'schema_versions'", [], |_| Ok(()))
        .optional()
        .map_err(database("read its schema"))?;
    if exists.is_none() {
        return Ok(0);
    }
    connection
        .query_row("SELECT coalesce(max(version), 0) FROM schema_versions", [], |row| row.get(0))
        .map_err(database("read its schema"))
}

fn migrate(connection: &Connection, path: &Path, now: Timestamp) -> Result<(), Error> {
    let found = version(connection)?;
    if found > VERSION {
        return Err(Error::Newer { what: "the ledger".to_owned(), found, known: VERSION });
    }
    if (1..FIRST).contains(&found) {
        return Err(Error::Older { path: path.to_owned(), found, oldest: FIRST });
    }
    for (version, migration) in (FIRST..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let noted = format!(
            "BEGIN IMMEDIATE; {migration}
             INSERT INTO schema_versions (version, applied) VALUES ({}, {});
             PRAGMA application_id = {APPLICATION_ID};
             COMMIT;",
            version,
            now.as_micros(),
        );
        connection.execute_batch(&noted).map_err(database("bring its schema forward"))?;
    }
    Ok(())
}

fn quick_check(connection: &Connection) -> Result<(), Error> {
    let verdict: String = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
        .map_err(database("check itself"))?;
    if verdict == "ok" {
        return Ok(());
    }
    Err(Error::Database {
        what: "pass its own check: restore the file from a backup",
        source: verdict.into(),
    })
}
