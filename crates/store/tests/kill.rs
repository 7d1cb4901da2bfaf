//! A process killed at any moment loses no record that it acknowledged, and none is in the ledger twice.
//!
//! The test starts itself as a child that appends from several threads and writes a line for each record once the
//! journal has taken it. The short form kills ten times; `STEPWELL_KILLS=1000 cargo nextest run -p stepwell-store -E
//! 'binary(kill)'` is the long one.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail as the test does")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stepwell_store::{
    DataDir, Dimension, Journal, JournalOptions, Ledger, Opened, Shipper, ShipperOptions, SqliteLedger, Step,
    UsageQuery,
};
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::{CallId, CallRecord, Clock, NanoUsd, Outcome, SystemClock, Tenant};

const CHILD: &str = "STEPWELL_KILL_CHILD";
const THREADS: usize = 4;
/// Calls that the ledger alone has by the time of a check, at most, beside those acknowledged.
const IN_FLIGHT: usize = THREADS;

struct Process {
    shipper: Shipper,
    journal: Arc<Journal>,
    ledger: Arc<SqliteLedger>,
}

fn process(directory: &Path) -> Process {
    let clock = Arc::new(SystemClock::new());
    let data_dir = Arc::new(DataDir::open(directory).unwrap());
    let options =
        JournalOptions { segment_bytes: 256 << 10, max_bytes: 64 << 20, ..JournalOptions::default() };
    let Opened { journal, .. } = Journal::open(data_dir, options, clock.clone()).unwrap();
    let ledger = Arc::new(SqliteLedger::open(&directory.join("ledger.db"), clock.now()).unwrap());
    let options = ShipperOptions { linger: Duration::from_millis(2), ..ShipperOptions::default() };
    let shipper = Shipper::start(Arc::clone(&journal), ledger.clone(), options, clock).unwrap();
    Process { shipper, journal, ledger }
}

/// What a call costs follows from its id, so that the parent knows it.
fn cost(id: CallId) -> i64 {
    i64::from(id.as_bytes()[15]) * 1_000 + 1
}

fn bound(id: CallId) -> i64 {
    cost(id) + 1_000_000
}

fn call(started: stepwell_types::Timestamp) -> CallRecord {
    let mut call = fixture::call_record(started);
    call.attempts[0].cost = Some(NanoUsd::from_nanos(cost(call.id)));
    call.attempts[0].bound = Some(NanoUsd::from_nanos(bound(call.id)));
    call
}

/// Not a check: the child's work, when this binary is started as one.
#[test]
fn the_child_appends_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let process = process(Path::new(&directory));
    let acknowledge = |what: char, id: CallId| {
        let line = format!("{what} {id}\n");
        std::io::stderr().lock().write_all(line.as_bytes()).unwrap();
    };
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let clock = SystemClock::new();
                loop {
                    let call = call(clock.now());
                    process.journal.intent(&fixture::intent(&call, 1)).unwrap().wait().unwrap();
                    acknowledge('I', call.id);
                    process.journal.call(&call).unwrap().wait().unwrap();
                    acknowledge('C', call.id);
                }
            });
        }
    });
}

fn child(directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_child_appends_until_it_is_killed", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a child until so many records are acknowledged, kills it, and notes every acknowledgement: whether the call's
/// end was.
fn run_and_kill(directory: &Path, after: usize, acknowledged: &mut BTreeMap<CallId, bool>) {
    let mut child = child(directory);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut note = |line: String| {
        let (what, id) = line.split_once(' ').unwrap();
        // The last line may be cut off.
        if let Ok(id) = id.parse() {
            *acknowledged.entry(id).or_default() |= what == "C";
        }
    };
    lines.by_ref().take(after).for_each(|line| note(line.unwrap()));
    child.kill().unwrap();
    lines.map_while(Result::ok).filter(|line| line.len() == 38).for_each(note);
    child.wait().unwrap();
}

#[tokio::test]
async fn every_acknowledged_record_is_in_the_ledger_once_after_any_number_of_kills() {
    let kills =
        std::env::var_os("STEPWELL_KILLS").map_or(10, |kills| kills.to_str().unwrap().parse().unwrap());
    let directory = TestDir::new("kill");
    let mut acknowledged = BTreeMap::new();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..kills {
        run_and_kill(directory.path(), random.usize(1..3_000), &mut acknowledged);
    }
    let Process { shipper, ledger, .. } = process(directory.path());
    shipper.flush().await.unwrap();
    let tenant = Tenant::only();
    let mut charged = 0;
    let mut unknown = 0;
    for (id, ended) in &acknowledged {
        let found = ledger.call(&tenant, *id).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("{id} is lost"));
        if found.outcome == Outcome::Unknown {
            assert!(!ended, "{id} had ended");
            assert_eq!(found.cost(), Some(NanoUsd::from_nanos(bound(*id))));
            unknown += 1;
        } else {
            assert_eq!(found.cost(), Some(NanoUsd::from_nanos(cost(*id))));
        }
        charged += found.cost().unwrap().as_nanos();
    }
    assert!(unknown <= kills * IN_FLIGHT);
    let query = UsageQuery {
        since: stepwell_types::Timestamp::from_micros(0),
        until: SystemClock::new().now(),
        group_by: vec![Dimension::Outcome],
        step: Step::None,
    };
    let rows = ledger.usage(&tenant, &query).await.unwrap();
    let calls: u64 = rows.iter().map(|row| row.calls).sum();
    let cost: i64 = rows.iter().map(|row| row.cost.as_nanos()).sum();
    let beside = usize::try_from(calls).unwrap() - acknowledged.len();
    assert!(beside <= kills * IN_FLIGHT, "only what was appended and not yet acknowledged comes on top");
    assert!(cost >= charged, "the sums hold every call");
    if beside == 0 {
        assert_eq!(cost, charged, "and hold it once");
    }
}
