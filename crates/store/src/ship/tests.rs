//! Every ended call reaches the ledger once, whatever is restarted, fails or is open for long.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use proptest::prelude::*;
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::{
    CallId, CallRecord, Clock, CostStatus, Dialect, Outcome, ReplicaId, SystemClock, Tenant,
};

use super::{Shipper, ShipperOptions, ShipperStatus};
use crate::block_on::block_on;
use crate::journal::{Durability, Files, JournalError, JournalOptions, SegmentFile, SystemFiles};
use crate::{
    Batch, BoxFuture, CallFilter, CallRow, Checkpoint, Cursor, DataDir, Error, Health, Journal, Ledger, Page,
    Shipped, UsageQuery, UsageRow,
};

/// A ledger in memory that can be told to fail.
#[derive(Default)]
struct Memory {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    calls: BTreeMap<CallId, CallRecord>,
    checkpoint: Option<Checkpoint>,
    batches: usize,
    /// Batches it takes before it fails; none: all.
    takes: Option<usize>,
    /// Whether a batch it fails on is taken all the same, and only the answer lost.
    loses_answers: bool,
}

impl Memory {
    fn calls(&self) -> BTreeMap<CallId, CallRecord> {
        self.taken.lock().calls.clone()
    }

    fn take_no_more_than(&self, takes: Option<usize>) {
        self.taken.lock().takes = takes;
    }
}

fn lost<T>() -> Result<T, Error> {
    Err(Error::Database { what: "answer", source: "the line is cut".into() })
}

impl Ledger for Memory {
    fn ship(&self, batch: Arc<Batch>) -> BoxFuture<'_, Result<Shipped, Error>> {
        Box::pin(async move {
            let mut taken = self.taken.lock();
            let fails = taken.takes == Some(0);
            if fails && !taken.loses_answers {
                return lost();
            }
            let before = taken.calls.len();
            for call in &batch.calls {
                taken.calls.entry(call.id).or_insert_with(|| call.clone());
            }
            taken.checkpoint = batch.checkpoint.or(taken.checkpoint);
            taken.batches += 1;
            if fails {
                return lost();
            }
            taken.takes = taken.takes.map(|takes| takes - 1);
            Ok(Shipped { inserted: taken.calls.len() - before })
        })
    }

    fn checkpoint(&self, _replica: ReplicaId) -> BoxFuture<'_, Result<Option<Checkpoint>, Error>> {
        Box::pin(async { Ok(self.taken.lock().checkpoint) })
    }

    fn calls<'a>(
        &'a self,
        _tenant: &'a Tenant,
        _filter: &'a CallFilter,
        _cursor: Option<Cursor>,
        _limit: usize,
    ) -> BoxFuture<'a, Result<Page<CallRow>, Error>> {
        Box::pin(async { lost() })
    }

    fn call<'a>(
        &'a self,
        _tenant: &'a Tenant,
        id: CallId,
    ) -> BoxFuture<'a, Result<Option<CallRecord>, Error>> {
        Box::pin(async move { Ok(self.taken.lock().calls.get(&id).cloned()) })
    }

    fn usage<'a>(
        &'a self,
        _tenant: &'a Tenant,
        _query: &'a UsageQuery,
    ) -> BoxFuture<'a, Result<Vec<UsageRow>, Error>> {
        Box::pin(async { lost() })
    }

    fn health(&self) -> BoxFuture<'_, Result<Health, Error>> {
        Box::pin(async { Ok(Health { bytes: None, schema: 1 }) })
    }
}

/// A journal and its shipper, as one process has them. Dropped, nothing is flushed: as after a kill.
struct Process {
    shipper: Shipper,
    journal: Arc<Journal>,
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn process(directory: &Path, ledger: &Arc<Memory>, options: JournalOptions) -> Result<Process, Error> {
    process_on(directory, ledger, options, Box::new(SystemFiles))
}

fn process_on(
    directory: &Path,
    ledger: &Arc<Memory>,
    options: JournalOptions,
    files: Box<dyn Files>,
) -> Result<Process, Error> {
    let data_dir = Arc::new(DataDir::open(directory)?);
    let journal = Journal::open_with(data_dir, options, clock(), files)?.journal;
    let ledger: Arc<dyn Ledger> = Arc::clone(ledger) as Arc<dyn Ledger>;
    let options = ShipperOptions {
        linger: Duration::from_millis(1),
        max_calls: 7,
        max_backoff: Duration::from_millis(50),
        ..ShipperOptions::default()
    };
    let shipper = Shipper::start(Arc::clone(&journal), ledger, options, clock())?;
    Ok(Process { shipper, journal })
}

fn journal_options() -> JournalOptions {
    JournalOptions { group_interval: Duration::from_millis(1), ..JournalOptions::default() }
}

fn small() -> JournalOptions {
    JournalOptions { segment_bytes: 64 << 10, max_bytes: 512 << 10, ..journal_options() }
}

/// Waits until the status is as wanted; fails after ten seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let clock = SystemClock::new();
    let began = clock.moment();
    while !holds() {
        assert!(clock.moment().micros_since(began) < 10_000_000, "{what} did not come about");
        std::thread::yield_now();
    }
}

/// A call that was translated: its target speaks another dialect than its caller.
fn new_call() -> CallRecord {
    let mut call = fixture::call_record(SystemClock::new().now());
    call.attempts[0].dialect = Dialect::Anthropic;
    call
}

/// What happens to a journal.
#[derive(Clone, Debug)]
enum Step {
    /// A call begins.
    Begin,
    /// The first attempt of an open call fails and another begins.
    FailOver(prop::sample::Index),
    /// An open call ends.
    End(prop::sample::Index),
    /// A call that never reached a target is recorded.
    Refuse,
    /// The process dies and another starts.
    Restart,
    /// The ledger takes so many batches more.
    LedgerTakes(Option<usize>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Begin),
        2 => any::<prop::sample::Index>().prop_map(Step::FailOver),
        5 => any::<prop::sample::Index>().prop_map(Step::End),
        1 => Just(Step::Refuse),
        1 => Just(Step::Restart),
        1 => prop::option::of(0_usize..3).prop_map(Step::LedgerTakes),
    ]
}

/// What the ledger must hold in the end.
#[derive(Default)]
struct Expected {
    open: Vec<CallRecord>,
    ended: BTreeMap<CallId, CallRecord>,
}

impl Expected {
    fn apply(&mut self, step: &Step, journal: &Journal) {
        match step {
            Step::Begin => {
                let call = new_call();
                journal.intent(&fixture::intent(&call, 1)).unwrap().wait().unwrap();
                self.open.push(call);
            }
            Step::FailOver(which) if !self.open.is_empty() => {
                let which = which.index(self.open.len());
                let call = &mut self.open[which];
                if call.attempts.len() == 1 {
                    let failed = fixture::failed_attempt(1, call.started);
                    journal.attempt(call.id, &failed).unwrap();
                    call.attempts[0].number = 2;
                    journal.intent(&fixture::intent(call, 2)).unwrap().wait().unwrap();
                    call.attempts.insert(0, failed);
                }
            }
            Step::End(which) if !self.open.is_empty() => {
                let call = self.open.swap_remove(which.index(self.open.len()));
                // The final repeats what was recorded before, or leaves it out: the ledger holds the same.
                let mut last = call.clone();
                if last.id.as_bytes()[15].is_multiple_of(2) {
                    last.attempts.retain(|attempt| attempt.outcome == Outcome::Ok);
                }
                journal.call(&last).unwrap().wait().unwrap();
                self.ended.insert(call.id, call);
            }
            Step::Refuse => {
                let call = CallRecord { attempts: Vec::new(), outcome: Outcome::Failed, ..new_call() };
                journal.call(&call).unwrap().wait().unwrap();
                self.ended.insert(call.id, call);
            }
            _ => {}
        }
    }

    /// Every open call ends as unknown: its process is dead.
    fn die(&mut self) {
        for mut call in self.open.drain(..) {
            call.outcome = Outcome::Unknown;
            self.ended.insert(call.id, call);
        }
    }
}

fn check(
    found: &BTreeMap<CallId, CallRecord>,
    expected: &BTreeMap<CallId, CallRecord>,
) -> Result<(), TestCaseError> {
    prop_assert!(found.keys().eq(expected.keys()), "each call once and no other");
    for (id, call) in expected {
        let found = &found[id];
        if call.outcome == Outcome::Unknown {
            check_unknown(found, call)?;
        } else {
            prop_assert_eq!(found, call);
        }
    }
    Ok(())
}

fn check_unknown(found: &CallRecord, call: &CallRecord) -> Result<(), TestCaseError> {
    prop_assert_eq!((found.outcome, found.code, &found.tags), (Outcome::Unknown, None, &call.tags));
    prop_assert_eq!(found.attempts.len(), call.attempts.len());
    let (last, known) = found.attempts.split_last().unwrap();
    prop_assert_eq!(known, &call.attempts[..known.len()]);
    prop_assert_eq!((last.outcome, last.cost_status), (Outcome::Unknown, CostStatus::Estimated));
    let sent = &call.attempts[known.len()];
    prop_assert_eq!((last.cost, last.dialect, &last.target), (sent.bound, sent.dialect, &sent.target));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_dies_or_fails_every_call_is_in_the_ledger_once(
        steps in prop::collection::vec(step(), 1..80), loses_answers in any::<bool>()
    ) {
        let directory = TestDir::new("ship");
        let ledger = Arc::new(Memory::default());
        ledger.taken.lock().loses_answers = loses_answers;
        let mut process = Some(process_of(&directory, &ledger));
        let mut expected = Expected::default();
        for step in steps {
            match step {
                Step::Restart => {
                    drop(process.take());
                    expected.die();
                    process = Some(process_of(&directory, &ledger));
                }
                Step::LedgerTakes(batches) => ledger.take_no_more_than(batches),
                step => expected.apply(&step, &process.as_ref().unwrap().journal),
            }
        }
        drop(process);
        expected.die();
        ledger.take_no_more_than(None);
        let last = process_of(&directory, &ledger);
        block_on(last.shipper.close(Duration::from_mins(1))).unwrap();
        check(&ledger.calls(), &expected.ended)?;
        prop_assert_eq!(last.shipper.status().behind_bytes, 0);
    }
}

fn process_of(directory: &TestDir, ledger: &Arc<Memory>) -> Process {
    process(directory.path(), ledger, journal_options()).unwrap()
}

#[test]
fn while_the_ledger_fails_calls_go_on_until_the_journal_is_full_and_none_is_lost() {
    let directory = TestDir::new("ledger-fails");
    let ledger = Arc::new(Memory::default());
    ledger.take_no_more_than(Some(0));
    let Process { shipper, journal } = process(directory.path(), &ledger, small()).unwrap();
    let mut ended = 0;
    let refusal = loop {
        let call = new_call();
        match journal.intent(&fixture::intent(&call, 1)) {
            Ok(_) => journal.call(&call).unwrap().wait().unwrap(),
            Err(error) => break error,
        }
        ended += 1;
    };
    assert_eq!(refusal, JournalError::Full);
    eventually("a report of the failure", || shipper.status().problem.is_some());
    assert!(shipper.status().behind_bytes > 0);
    ledger.take_no_more_than(None);
    block_on(shipper.flush()).unwrap();
    assert_eq!(ledger.calls().len(), ended);
    assert_eq!(shipper.status(), ShipperStatus { shipped_calls: ended as u64, ..ShipperStatus::default() });
    eventually("room for calls", || journal.intent(&fixture::intent(&new_call(), 1)).is_ok());
}

#[test]
fn a_call_open_for_long_holds_up_no_segment_and_still_ends_whole() {
    let directory = TestDir::new("long-call");
    let ledger = Arc::new(Memory::default());
    let Process { shipper, journal } = process(directory.path(), &ledger, small()).unwrap();
    let (long, lost) = (new_call(), new_call());
    for call in [&long, &lost] {
        journal.intent(&fixture::intent(call, 1)).unwrap().wait().unwrap();
    }
    let failed = fixture::failed_attempt(1, long.started);
    journal.attempt(long.id, &failed).unwrap();
    // Many times what the journal may hold.
    for _ in 0..10_000 {
        let call = new_call();
        eventually("room in the journal", || journal.intent(&fixture::intent(&call, 1)).is_ok());
        journal.call(&call).unwrap().wait().unwrap();
    }
    let mut last = long.clone();
    last.attempts[0].number = 2;
    journal.call(&last).unwrap().wait().unwrap();
    block_on(shipper.flush()).unwrap();
    last.attempts.insert(0, failed);
    assert_eq!(ledger.calls().get(&long.id), Some(&last), "with the attempt recorded long before");
    drop((shipper, journal));
    let next = process(directory.path(), &ledger, small()).unwrap();
    block_on(next.shipper.flush()).unwrap();
    assert_eq!(next.shipper.status().recovered_calls, 1);
    check_unknown(&ledger.calls()[&lost.id], &lost).unwrap();
    assert_eq!(ledger.calls().len(), 10_002);
}

/// A disk that takes its time to make a new segment: as long as it is held.
struct Held(Arc<(Mutex<bool>, Condvar)>);

impl Files for Held {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let (held, released) = &*self.0;
        released.wait_while(&mut held.lock(), |held| *held);
        SystemFiles.create(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        SystemFiles.sync_dir(path)
    }
}

#[test]
fn a_journal_that_filled_up_within_one_segment_empties_though_a_call_in_it_is_open() {
    let directory = TestDir::new("one-segment");
    let ledger = Arc::new(Memory::default());
    let hold = Arc::new((Mutex::new(false), Condvar::new()));
    let files = Box::new(Held(Arc::clone(&hold)));
    let Process { shipper, journal } = process_on(directory.path(), &ledger, small(), files).unwrap();
    *hold.0.lock() = true;
    let long = new_call();
    journal.intent(&fixture::intent(&long, 1)).unwrap().wait().unwrap();
    loop {
        let call = new_call();
        if journal.intent(&fixture::intent(&call, 1)).is_err() {
            break;
        }
        journal.call(&call).unwrap().wait().unwrap();
    }
    eventually("all that has ended in the ledger", || shipper.status().behind_bytes == 0);
    *hold.0.lock() = false;
    hold.1.notify_all();
    eventually("room in the journal", || journal.intent(&fixture::intent(&new_call(), 1)).is_ok());
    journal.call(&long).unwrap().wait().unwrap();
    block_on(shipper.flush()).unwrap();
    assert_eq!(ledger.calls().get(&long.id), Some(&long));
}

#[test]
fn under_async_a_flush_ships_what_was_only_buffered() {
    let directory = TestDir::new("async");
    let ledger = Arc::new(Memory::default());
    let options = JournalOptions { durability: Durability::Async, ..journal_options() };
    let process = process(directory.path(), &ledger, options).unwrap();
    let call = new_call();
    process.journal.call(&call).unwrap().wait().unwrap();
    block_on(process.shipper.flush()).unwrap();
    assert_eq!(ledger.calls().get(&call.id), Some(&call));
}

#[test]
fn a_journal_that_lost_its_segments_is_not_taken_for_the_one_the_ledger_knows() {
    let directory = TestDir::new("lost-journal");
    let ledger = Arc::new(Memory::default());
    for _ in 0..2 {
        let process = process_of(&directory, &ledger);
        process.journal.call(&new_call()).unwrap().wait().unwrap();
        block_on(process.shipper.flush()).unwrap();
    }
    for entry in std::fs::read_dir(directory.path().join("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some() {
            std::fs::remove_file(path).unwrap();
        }
    }
    let Err(error) = process(directory.path(), &ledger, journal_options()) else { panic!("it started") };
    assert!(matches!(error, Error::JournalBehindLedger { .. }));
}

#[test]
fn damage_in_an_old_segment_stops_shipping_there_and_is_reported() {
    let directory = TestDir::new("old-damage");
    let ledger = Arc::new(Memory::default());
    ledger.take_no_more_than(Some(0));
    let first = process(directory.path(), &ledger, small()).unwrap();
    let calls: Vec<CallRecord> = (0..600).map(|_| new_call()).collect();
    for part in calls.chunks(150) {
        for call in part {
            first.journal.call(call).unwrap().wait().unwrap();
        }
        first.journal.sync().unwrap();
    }
    drop(first);
    // In the first of several segments, well before its end.
    let path = directory.path().join("journal").join(format!("{:016}.journal", 1));
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[30_000] ^= 4;
    std::fs::write(&path, bytes).unwrap();
    ledger.take_no_more_than(None);
    let second = process(directory.path(), &ledger, small()).unwrap();
    eventually("a report of the damage", || {
        second.shipper.status().problem.is_some_and(|problem| problem.contains("the journal is damaged"))
    });
    let shipped = ledger.calls().len();
    assert!((1..600).contains(&shipped), "what stands before the damage is shipped");
    assert!(calls[..shipped].iter().all(|call| ledger.calls().contains_key(&call.id)));
}
