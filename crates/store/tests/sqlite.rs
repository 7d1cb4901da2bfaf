//! The SQLite ledger passes the suite, and what only a file can do.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use stepwell_store::{Batch, CallFilter, Error, Ledger, SqliteLedger};
use stepwell_testkit::{TestDir, fixture, store_suite};
use stepwell_types::{
    AttemptRecord, CallRecord, Code, CostStatus, Dialect, Finish, NanoUsd, Outcome, Tenant, Usage,
    UsageSource,
};

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

#[tokio::test]
async fn a_file_from_before_the_first_release_is_refused_and_left_as_it_is() {
    let directory = TestDir::new("older");
    let path = directory.path().join("ledger.db");
    drop(open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("UPDATE schema_versions SET version = 1").unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let Err(error) = open(&path) else { panic!("it was opened") };
    assert!(matches!(error, Error::Older { found: 1, .. }), "{error}");
    assert!(error.to_string().contains("move it away"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A call of which every field says something, whose only attempt stands in its row.
fn full_call() -> CallRecord {
    let mut call = fixture::call_record(fixture::MORNING);
    call.session = Some("session-3".into());
    call.losses = vec!["request:/logit_bias".to_owned()];
    (call.outcome, call.code, call.status) = (Outcome::Cut, Some(Code::UpstreamOverloaded), 503);
    call.attempts = vec![AttemptRecord {
        number: 1,
        target: "anthropic/claude-sonnet-4-5".parse().unwrap(),
        dialect: Dialect::Anthropic,
        started: fixture::MORNING.plus(std::time::Duration::from_micros(83)),
        duration_us: 1_234_567,
        first_byte_us: Some(45_678),
        status: Some(503),
        outcome: Outcome::Cut,
        code: Some(Code::UpstreamOverloaded),
        served_model: Some("claude-sonnet-4-5-20250929".into()),
        provider_id: Some("msg_01".into()),
        finish: Some(Finish::Refusal),
        usage: Usage {
            input_tokens: 1_000,
            cache_read_tokens: 200,
            cache_write_5m_tokens: 300,
            cache_write_1h_tokens: 0,
            input_audio_tokens: 0,
            output_tokens: 400,
            reasoning_tokens: 50,
            output_audio_tokens: 0,
        },
        usage_source: UsageSource::Estimate,
        cost: None,
        cost_status: CostStatus::Unpriced,
        bound: Some(NanoUsd::from_nanos(77_000)),
    }];
    call
}

/// A call as `full_call` with something changed in its attempt.
fn changed(change: impl FnOnce(&mut AttemptRecord)) -> CallRecord {
    let mut call = CallRecord { id: fixture::call_record(fixture::MORNING).id, ..full_call() };
    change(&mut call.attempts[0]);
    call
}

/// The calls with one attempt, first those whose row can say all of it, and how many those are.
fn with_one_attempt() -> (Vec<CallRecord>, usize) {
    let fit = vec![
        full_call(),
        changed(|attempt| attempt.started = fixture::MORNING.minus(std::time::Duration::from_secs(1))),
        changed(|attempt| (attempt.first_byte_us, attempt.served_model, attempt.finish) = (None, None, None)),
        changed(|attempt| (attempt.provider_id, attempt.bound) = (None, None)),
        changed(|attempt| (attempt.cost, attempt.duration_us) = (Some(NanoUsd::ZERO), 0)),
    ];
    let others = [
        changed(|attempt| attempt.number = 2),
        changed(|attempt| attempt.outcome = Outcome::Failed),
        changed(|attempt| attempt.code = None),
        changed(|attempt| attempt.status = None),
        changed(|attempt| attempt.status = Some(200)),
        changed(|attempt| attempt.usage.cache_write_1h_tokens = 1),
        changed(|attempt| attempt.usage.input_audio_tokens = 1),
        changed(|attempt| attempt.usage.output_audio_tokens = 1),
    ];
    let count = fit.len();
    (fit.into_iter().chain(others).collect(), count)
}

fn count(connection: &rusqlite::Connection, sql: &str) -> usize {
    let count: u32 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    count as usize
}

#[tokio::test]
async fn every_field_of_a_call_reads_back_wherever_its_attempts_stand() {
    let directory = TestDir::new("attempts");
    let path = directory.path().join("ledger.db");
    let (mut calls, in_their_row) = with_one_attempt();
    let in_the_table = calls.len() - in_their_row;
    let none = fixture::call_record(fixture::MORNING);
    calls.push(CallRecord { attempts: Vec::new(), ..none });
    let several = fixture::call_record(fixture::MORNING);
    let attempts = vec![
        fixture::failed_attempt(1, fixture::MORNING),
        fixture::failed_attempt(2, fixture::MORNING),
        fixture::attempt_record(3, fixture::MORNING),
    ];
    calls.push(CallRecord { attempts, ..several });
    let ledger = open(&path).unwrap();
    ledger.ship(Arc::new(Batch { calls: calls.clone(), checkpoint: None })).await.unwrap();
    for call in &calls {
        assert_eq!(ledger.call(&call.tenant, call.id).await.unwrap().as_ref(), Some(call));
    }
    drop(ledger);
    let connection = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(count(&connection, "SELECT count(*) FROM calls WHERE attempt_us IS NOT NULL"), in_their_row);
    assert_eq!(count(&connection, "SELECT count(*) FROM attempts"), in_the_table + 3);
    assert_eq!(count(&connection, "SELECT count(*) FROM call_attempts"), calls.len() - 2 + 3);
}

/// The rows of the view that has all attempts, as text: all but the call and the number.
fn viewed(path: &Path) -> Vec<Vec<String>> {
    let connection = rusqlite::Connection::open(path).unwrap();
    let mut statement = connection.prepare("SELECT * FROM call_attempts ORDER BY call, number").unwrap();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let rows = statement.query_map([], |row| {
        let named = names.iter().enumerate().filter(|(_, name)| !["call", "number"].contains(&name.as_str()));
        named.map(|(at, name)| Ok(format!("{name} = {:?}", row.get_ref(at)?))).collect()
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn the_view_shows_an_attempt_the_same_wherever_it_stands() {
    let directory = TestDir::new("view");
    let path = directory.path().join("ledger.db");
    let ledger = open(&path).unwrap();
    // Only an attempt that is the call's first stands in its row.
    ship(&ledger, &full_call()).await;
    ship(&ledger, &changed(|attempt| attempt.number = 2)).await;
    drop(ledger);
    let rows = viewed(&path);
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0], rows[1]);
}

#[tokio::test]
async fn one_call_is_read_through_the_index() {
    let directory = TestDir::new("plan");
    let path = directory.path().join("ledger.db");
    drop(open(&path).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    let mut statement = connection
        .prepare("EXPLAIN QUERY PLAN SELECT * FROM call_attempts WHERE tenant = 1 AND call = x'00' ORDER BY number")
        .unwrap();
    let plan: Vec<String> =
        statement.query_map([], |row| row.get("detail")).unwrap().collect::<Result<_, _>>().unwrap();
    let reads = plan.iter().filter(|step| step.starts_with("SEARCH")).count();
    assert_eq!(reads, 2, "{plan:?}");
    assert!(
        !plan.iter().any(|step| step.starts_with("SCAN calls") || step.starts_with("SCAN attempts")),
        "{plan:?}"
    );
}

#[tokio::test]
async fn a_large_batch_with_calls_that_are_there_takes_only_the_others() {
    let directory = TestDir::new("overlap");
    let ledger = open(&directory.path().join("ledger.db")).unwrap();
    let calls: Vec<CallRecord> = (0..100).map(|_| fixture::call_record(fixture::MORNING)).collect();
    let ship = async |calls: Vec<CallRecord>| {
        ledger.ship(Arc::new(Batch { calls, checkpoint: None })).await.unwrap().inserted
    };
    assert_eq!(ship(calls[40..41].to_vec()).await, 1);
    let twice = calls.iter().chain(&calls[..3]).cloned().collect();
    assert_eq!(ship(twice).await, 99);
    assert_eq!(ship(calls.clone()).await, 0);
    for call in &calls {
        assert_eq!(ledger.call(&call.tenant, call.id).await.unwrap().as_ref(), Some(call));
    }
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
