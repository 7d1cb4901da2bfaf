//! The SQLite ledger passes the suite, and what only a file can do.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use stepwell_store::{Batch, CallFilter, Error, Ledger, SqliteLedger};
use stepwell_testkit::{TestDir, fixture, store_suite};
use stepwell_types::{CallRecord, Tenant};

fn open(path: &Path) -> Result<SqliteLedger, Error> {
    SqliteLedger::open(path, fixture::MORNING)
}

async fn ship(ledger: &SqliteLedger, call: &CallRecord) {
    let batch = Batch { calls: vec![call.clone()], checkpoint: None };
    ledger.ship(Arc::new(batch)).await.unwrap();
}

#[tokio::test]
async fn sqlite_passes_the_store_suite() {
    let directories = Mutex::new(Vec::new());
    store_suite(|| {
        let directory = TestDir::new("suite");
        let ledger = open(&directory.path().join("ledger.db")).unwrap();
        directories.lock().push(directory);
        Arc::new(ledger)
    })
    .await;
}

#[tokio::test]
async fn a_reopened_file_holds_what_was_shipped_and_is_one_file_when_closed() {
    let directory = TestDir::new("reopen");
    let path = directory.path().join("ledger.db");
    let call = fixture::call_record(fixture::MORNING);
    for _ in 0..2 {
        let ledger = open(&path).unwrap();
        ship(&ledger, &call).await;
        assert_eq!(ledger.call(&call.tenant, call.id).await.unwrap().as_ref(), Some(&call));
        drop(ledger);
        let files: Vec<_> =
            fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["ledger.db"]);
    }
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_and_left_as_it_is() {
    let directory = TestDir::new("newer");
    let path = directory.path().join("ledger.db");
    drop(open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO schema_versions VALUES (99, 0)").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let Err(error) = open(&path) else { panic!("it was opened") };
    assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_of_something_else_is_refused_and_left_as_it_is() {
    let directory = TestDir::new("foreign");
    let database = directory.path().join("other.db");
    let connection = rusqlite::Connection::open(&database).unwrap();
    connection.execute_batch("CREATE TABLE recipes (name TEXT)").unwrap();
    drop(connection);
    let text = directory.path().join("notes.txt");
    fs::write(&text, "this is no database, and it is longer than a header would be ".repeat(20)).unwrap();
    for path in [database, text] {
        let before = fs::read(&path).unwrap();
        let Err(error) = open(&path) else { panic!("it was opened") };
        assert!(matches!(error, Error::Foreign { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_damaged_small_file_that_was_not_closed_is_refused() {
    let directory = TestDir::new("damaged");
    let path = directory.path().join("ledger.db");
    let ledger = open(&path).unwrap();
    for _ in 0..200 {
        ship(&ledger, &fixture::call_record(fixture::MORNING)).await;
    }
    drop(ledger);
    // As after a crash: there is a write-ahead log beside the file.
    fs::write(directory.path().join("ledger.db-wal"), [0; 32]).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for page in bytes.chunks_mut(4096).skip(8) {
        page[..200].fill(0x5a);
    }
    fs::write(&path, bytes).unwrap();
    assert!(matches!(open(&path), Err(Error::Database { .. })));
}

#[tokio::test]
async fn a_rare_call_is_found_in_bounded_steps() {
    let directory = TestDir::new("rare");
    let ledger = open(&directory.path().join("ledger.db")).unwrap();
    let mut rare = fixture::call_record(fixture::MORNING);
    rare.user = Some("rare".into());
    let mut calls = vec![rare.clone()];
    let common = |_| fixture::call_record(fixture::MORNING.plus(std::time::Duration::from_secs(1)));
    calls.extend((0..60_000).map(common));
    ledger.ship(Arc::new(Batch { calls, checkpoint: None })).await.unwrap();
    let filter = CallFilter { user: Some("rare".into()), ..CallFilter::default() };
    let first = ledger.calls(&Tenant::only(), &filter, None, 10).await.unwrap();
    assert_eq!(first.rows, Vec::new(), "a page looks at a bounded number of calls");
    let second = ledger.calls(&Tenant::only(), &filter, first.next, 10).await.unwrap();
    assert_eq!(second.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [rare.id]);
    assert_eq!(second.next, None);
}
