//! The SQLite ledger passes the suite, and what only a file can do.

use std::sync::Arc;

use parking_lot::Mutex;
use stepwell_store::SqliteLedger;
use stepwell_testkit::{TestDir, fixture, store_suite};

#[tokio::test]
async fn sqlite_passes_the_store_suite() {
    let directories = Mutex::new(Vec::new());
    store_suite(|| {
        let directory = TestDir::new("suite");
        let ledger = SqliteLedger::open(&directory.path().join("ledger.db"), fixture::MORNING).unwrap();
        directories.lock().push(directory);
        Arc::new(ledger)
    })
    .await;
}
