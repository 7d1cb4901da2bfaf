//! What a worker's appender promises: one write for what comes together, order, and nothing lost with its task.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use stepwell_testkit::{TestDir, fixture};
use stepwell_types::CallRecord;

use super::super::{Appender, Journal, JournalError};
use super::faults::{Faults, FaultyFiles};
use super::{Durability, JournalOptions, Record, open_with, options, read_all};
use crate::block_on::block_on;

struct Bench {
    appender: Appender,
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    _directory: TestDir,
}

impl Bench {
    fn new(name: &str, options: JournalOptions) -> Self {
        let directory = TestDir::new(name);
        let faults = Arc::new(Faults::default());
        let files = Box::new(FaultyFiles(Arc::clone(&faults)));
        let journal = open_with(&directory, options, files).unwrap().journal;
        Self { appender: Appender::new(Arc::clone(&journal)), journal, faults, _directory: directory }
    }

    fn writes(&self) -> usize {
        self.faults.writes.load(Ordering::SeqCst)
    }
}

fn call() -> CallRecord {
    fixture::call_record(fixture::MORNING)
}

/// What the futures come to when they take turns as the tasks of one thread do.
fn together<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut tasks: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    block_on(std::future::poll_fn(|cx| {
        for (task, done) in &mut tasks {
            if done.is_none()
                && let Poll::Ready(output) = task.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if tasks.iter().all(|(_, done)| done.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    }));
    tasks.into_iter().filter_map(|(_, done)| done).collect()
}

fn poll_once(future: impl Future) {
    let polled = pin!(future).as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
    assert!(!polled, "it gives way once");
}

#[test]
fn what_comes_in_one_turn_is_one_write_in_the_order_it_came() {
    for durability in [Durability::Strict, Durability::Grouped] {
        let bench = Bench::new("one-write", options(durability));
        let calls: Vec<_> = (0..20).map(|_| call()).collect();
        let intents: Vec<_> = calls.iter().map(|call| fixture::intent(call, 1)).collect();
        let before = bench.writes();
        let outcomes = together(intents.iter().map(|intent| bench.appender.intent(intent)).collect());
        assert_eq!(bench.writes(), before + 1);
        assert!(outcomes.iter().all(Result::is_ok));
        let outcomes = together(calls.iter().map(|call| bench.appender.call(call)).collect());
        assert_eq!(bench.writes(), before + 2);
        assert!(outcomes.iter().all(Result::is_ok));
        let expected: Vec<_> =
            intents.into_iter().map(Record::Intent).chain(calls.into_iter().map(Record::Call)).collect();
        assert_eq!(read_all(&bench.journal).unwrap(), expected);
        let status = bench.journal.status();
        assert_eq!((status.open_calls, status.reserved_bytes), (0, 0));
    }
}

#[test]
fn a_record_whose_task_is_gone_stands_before_what_its_call_appends_next() {
    let bench = Bench::new("gone", options(Durability::Grouped));
    let (first, second) = (call(), call());
    let intents = [fixture::intent(&first, 1), fixture::intent(&second, 1)];
    poll_once(bench.appender.intent(&intents[0]));
    let failed = fixture::failed_attempt(1, first.started);
    bench.appender.attempt_now(first.id, &failed).unwrap();
    bench.appender.call_now(&first).unwrap();
    block_on(bench.appender.intent(&intents[1])).unwrap();
    poll_once(bench.appender.call(&second));
    let [one, two] = intents;
    let expected = [
        Record::Intent(one),
        Record::Attempt(first.id, failed),
        Record::Call(first),
        Record::Intent(two),
        Record::Call(second),
    ];
    assert_eq!(read_all(&bench.journal).unwrap(), expected);
}

#[test]
fn a_refused_intent_takes_nothing_with_it() {
    let bench = Bench::new("refused", options(Durability::Grouped));
    bench.faults.allocate.store(true, Ordering::SeqCst);
    let mut admitted = Vec::new();
    while let call = call()
        && block_on(bench.appender.intent(&fixture::intent(&call, 1))).is_ok()
    {
        admitted.push(call);
    }
    let before = bench.journal.status();
    let refused = [fixture::intent(&call(), 1), fixture::intent(&call(), 1)];
    let outcomes = together(vec![
        Box::pin(bench.appender.intent(&refused[0])) as std::pin::Pin<Box<dyn Future<Output = _>>>,
        Box::pin(bench.appender.intent(&refused[1])),
        Box::pin(bench.appender.call(&admitted[0])),
        Box::pin(bench.appender.call(&admitted[1])),
    ]);
    assert_eq!(outcomes, [Err(JournalError::Full), Err(JournalError::Full), Ok(()), Ok(())]);
    assert_eq!(bench.journal.status().open_calls, before.open_calls - 2);
    for call in &admitted[2..] {
        bench.appender.call_now(call).unwrap();
    }
    let status = bench.journal.status();
    assert_eq!((status.open_calls, status.reserved_bytes), (0, 0));
}

#[test]
fn a_write_cut_short_takes_all_that_it_carried_back() {
    let bench = Bench::new("cut", options(Durability::Grouped));
    let (open, other) = (call(), call());
    let intent = fixture::intent(&open, 1);
    block_on(bench.appender.intent(&intent)).unwrap();
    let before = bench.journal.status();
    bench.faults.write.store(true, Ordering::SeqCst);
    let second = fixture::intent(&other, 1);
    let outcomes = together(vec![
        Box::pin(bench.appender.intent(&second)) as std::pin::Pin<Box<dyn Future<Output = _>>>,
        Box::pin(bench.appender.call(&open)),
    ]);
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(JournalError::Failed(_)))), "{outcomes:?}");
    let after = bench.journal.status();
    assert_eq!((after.open_calls, after.reserved_bytes), (before.open_calls, before.reserved_bytes));
    assert_eq!((after.frames, after.appended_bytes), (before.frames, before.appended_bytes));
    assert!(after.failed.is_some());
    bench.faults.write.store(false, Ordering::SeqCst);
    bench.appender.call_now(&open).unwrap();
    assert_eq!(read_all(&bench.journal).unwrap(), [Record::Intent(intent), Record::Call(open)]);
}

#[test]
fn a_record_is_refused_once_whatever_else_goes_wrong() {
    let bench = Bench::new("once", options(Durability::Grouped));
    let open = call();
    block_on(bench.appender.intent(&fixture::intent(&open, 1))).unwrap();
    bench.faults.write.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let other = fixture::intent(&call(), 1);
        let outcomes = together(vec![
            Box::pin(bench.appender.call(&open)) as std::pin::Pin<Box<dyn Future<Output = _>>>,
            Box::pin(bench.appender.intent(&other)),
        ]);
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        assert_eq!(bench.appender.unasked(), 0, "nothing is kept for tasks that have been told");
    }
}

#[test]
fn a_batch_may_go_over_the_end_of_a_segment() {
    let small =
        JournalOptions { segment_bytes: 64 << 10, max_bytes: 64 << 20, ..options(Durability::Grouped) };
    let bench = Bench::new("roll", small);
    let mut expected = Vec::new();
    for _ in 0..40 {
        let calls: Vec<_> = (0..40).map(|_| call()).collect();
        let outcomes = together(calls.iter().map(|call| bench.appender.call(call)).collect());
        assert!(outcomes.iter().all(Result::is_ok));
        expected.extend(calls.into_iter().map(Record::Call));
        // The next segment is ready, so that it is begun within a batch.
        bench.journal.sync().unwrap();
    }
    assert!(bench.journal.end().0.segment > 3, "{:?}", bench.journal.end());
    assert_eq!(read_all(&bench.journal).unwrap(), expected);
}
