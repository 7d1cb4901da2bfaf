//! What a call costs: an append to the journal, and shipping it into SQLite. By hand, on a quiet machine:
//! `cargo run --release -p stepwell-store --example cost -- 400000`.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use stepwell_store::{
    Batch, DataDir, Error, Journal, JournalOptions, Ledger, Shipper, ShipperOptions, SqliteLedger,
};
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::{CallId, CallRecord, Clock, NanoUsd, SystemClock};

fn main() {
    let calls: usize = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(400_000);
    if let Err(error) = run(calls) {
        report(&format!("failed: {error}"));
    }
}

fn run(calls: usize) -> Result<(), Error> {
    let directory = TestDir::new("cost");
    let clock = Arc::new(SystemClock::new());
    let data_dir = Arc::new(DataDir::open(directory.path())?);
    let opened = Journal::open(data_dir, JournalOptions::default(), clock.clone())?;
    let template = fixture::call_record(clock.now());
    append(&opened.journal, &template, calls, &*clock);
    append_from_threads(&opened.journal, &template, calls, &clock);
    drop(opened);
    let before = clock.now();
    let data_dir = Arc::new(DataDir::open(directory.path())?);
    let opened = Journal::open(data_dir, JournalOptions::default(), clock.clone())?;
    report(&format!("opening the journal again: {} us", clock.now().as_micros() - before.as_micros()));
    ship_direct(directory.path(), &template, calls.min(200_000), &*clock)?;
    let ledger: Arc<dyn Ledger> =
        Arc::new(SqliteLedger::open(&directory.path().join("tail.db"), clock.now())?);
    let before = measure(&*clock);
    let shipper = Shipper::start(opened.journal, ledger, ShipperOptions::default(), clock.clone())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|_| Error::Closed)?;
    runtime.block_on(shipper.close(Duration::from_mins(10)))?;
    show("journal to SQLite through the shipper", &before, &measure(&*clock), 2 * calls);
    Ok(())
}

fn append(journal: &Journal, template: &CallRecord, calls: usize, clock: &dyn Clock) {
    let before = measure(clock);
    append_some(journal, template, calls, clock);
    show("journal: intent and call", &before, &measure(clock), calls);
    let bytes = journal.status().used_bytes / calls as u64;
    report(&format!("    {bytes} bytes per call"));
}

fn append_some(journal: &Journal, template: &CallRecord, calls: usize, clock: &dyn Clock) {
    let mut intent = fixture::intent(template, 1);
    for _ in 0..calls {
        let call = next(template, clock);
        intent.call = call.id;
        if let Err(error) = journal.intent(&intent).and_then(|_| journal.call(&call)) {
            report(&format!("refused: {error}"));
            return;
        }
    }
}

/// A call like the template whose sizes, times, tokens and money are its own, as no two calls' are the same.
fn next(template: &CallRecord, clock: &dyn Clock) -> CallRecord {
    let mut call = template.clone();
    call.started = clock.now();
    call.id = CallId::new(call.started);
    call.request_bytes = fastrand::u64(200..20_000);
    call.reply_bytes = fastrand::u64(200..20_000);
    call.duration_us = fastrand::u64(300_000..3_000_000);
    call.first_token_us = Some(fastrand::u64(50_000..300_000));
    for attempt in &mut call.attempts {
        attempt.started = call.started.plus(Duration::from_micros(fastrand::u64(20..60)));
        attempt.duration_us = call.duration_us - fastrand::u64(100..200);
        attempt.first_byte_us = Some(fastrand::u64(50_000..300_000));
        attempt.provider_id = Some(format!("chatcmpl-{:018x}", fastrand::u64(..)).into());
        attempt.usage.input_tokens = fastrand::u64(50..5_000);
        attempt.usage.output_tokens = fastrand::u64(10..1_000);
        attempt.cost = Some(NanoUsd::from_nanos(fastrand::i64(10_000..1_000_000)));
        attempt.bound = Some(NanoUsd::from_nanos(fastrand::i64(1_000_000..9_000_000)));
    }
    call
}

fn append_from_threads(journal: &Journal, template: &CallRecord, calls: usize, clock: &SystemClock) {
    const THREADS: usize = 4;
    let before = measure(clock);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| append_some(journal, template, calls / THREADS, clock));
        }
    });
    show("journal: the same from 4 threads", &before, &measure(clock), calls);
}

fn ship_direct(dir: &Path, template: &CallRecord, calls: usize, clock: &dyn Clock) -> Result<(), Error> {
    let path = dir.join("direct.db");
    let ledger = SqliteLedger::open(&path, clock.now())?;
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|_| Error::Closed)?;
    for size in [1_000, 4_000] {
        let batches: Vec<Arc<Batch>> = (0..calls / size)
            .map(|_| {
                let calls = (0..size).map(|_| next(template, clock)).collect();
                Arc::new(Batch { calls, checkpoint: None })
            })
            .collect();
        let before = measure(clock);
        for batch in batches {
            runtime.block_on(ledger.ship(batch))?;
        }
        show(&format!("SQLite: batches of {size}"), &before, &measure(clock), calls);
    }
    drop(ledger);
    let bytes = fs::metadata(&path).map_or(0, |file| file.len()) / (2 * calls as u64);
    report(&format!("    {bytes} bytes per call"));
    Ok(())
}

struct Measured {
    wall_us: u64,
    cpu_us: u64,
}

/// Wall time, and this process's CPU time (user and system) as `/proc` counts it: in hundredths of a second.
fn measure(clock: &dyn Clock) -> Measured {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Measured { wall_us: clock.now().as_micros().cast_unsigned(), cpu_us: ticks * 10_000 }
}

fn show(what: &str, before: &Measured, after: &Measured, calls: usize) {
    let each = |from: u64, to: u64| (to - from) * 1_000 / calls as u64;
    report(&format!(
        "{what}: {} ns wall, {} ns CPU per call",
        each(before.wall_us, after.wall_us),
        each(before.cpu_us, after.cpu_us)
    ));
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn report(line: &str) {
    println!("{line}");
}
