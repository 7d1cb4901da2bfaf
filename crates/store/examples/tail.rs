//! How long single appends to the journal take, at a steady rate or flat out, and what syncs have to do with it. By hand,
//! on a quiet machine: `cargo run --release -p stepwell-store --example tail -- 200 10 grouped`, which are appends a second
//! over two threads (0: as many as they can), seconds, and the durability. `TMPDIR` says on which disk.

#![expect(
    clippy::disallowed_methods,
    reason = "clocks count microseconds, and many appends take less than one"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use stepwell_store::{DataDir, Durability, Error, Journal, JournalOptions};
use stepwell_testkit::{TestDir, fixture};
use stepwell_types::{CallId, Clock, SystemClock};

const THREADS: u32 = 2;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok());
    let durability = match words.get(2).map(String::as_str) {
        Some("strict") => Durability::Strict,
        Some("async") => Durability::Async,
        _ => Durability::Grouped,
    };
    if let Err(error) = run(number(0).unwrap_or(200), number(1).unwrap_or(10), durability) {
        report(&format!("failed: {error}"));
    }
}

fn run(rate: u32, seconds: u32, durability: Durability) -> Result<(), Error> {
    let directory = TestDir::new("tail");
    let clock = Arc::new(SystemClock::new());
    let data_dir = Arc::new(DataDir::open(directory.path())?);
    // Nothing ships it, so it has to hold everything.
    let options = JournalOptions { durability, max_bytes: 16 << 30, ..JournalOptions::default() };
    let journal = Journal::open(data_dir, options, clock.clone())?.journal;
    let pace = (rate > 0).then(|| f64::from(THREADS) / f64::from(rate));
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut taken = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|seed| {
                let (journal, clock) = (&journal, &*clock);
                scope.spawn(move || append(journal, clock, pace, end, seed.into()))
            })
            .collect();
        for thread in threads {
            match thread.join() {
                Ok(of_thread) => taken.extend(of_thread),
                Err(_) => report("a thread panicked"),
            }
        }
    });
    let status = journal.status();
    taken.sort_unstable();
    let per_second = taken.len() as u64 / u64::from(seconds.max(1));
    report(&format!("{durability:?}, {per_second} appends/s from {THREADS} threads, microseconds:"));
    for (name, of_10_000) in
        [("p50", 5_000), ("p99", 9_900), ("p99.9", 9_990), ("p99.99", 9_999), ("max", 10_000)]
    {
        let place = (taken.len() * of_10_000 / 10_000).saturating_sub(1);
        let nanos = taken.get(place).copied().unwrap_or_default();
        report(&format!("    {name:<6} {:>6}.{}", nanos / 1_000, nanos % 1_000 / 100));
    }
    let each_us = status.fsync_us / status.fsyncs.max(1);
    report(&format!("    {} syncs of {each_us} us", status.fsyncs));
    Ok(())
}

/// Appends intents and finals in turn, with random times between them, `pace` seconds on average.
fn append(journal: &Journal, clock: &SystemClock, pace: Option<f64>, end: Instant, seed: u64) -> Vec<u64> {
    let mut taken = Vec::new();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut call = fixture::call_record(clock.now());
    let mut intent = fixture::intent(&call, 1);
    let mut due = Instant::now();
    while due < end {
        call.id = CallId::new(clock.now());
        intent.call = call.id;
        for last in [false, true] {
            due = match pace {
                // Poisson, as calls come: with even times the appends would keep step with the syncs.
                Some(pace) => due + Duration::from_secs_f64(-pace * (1.0 - random.f64()).ln()),
                None => Instant::now(),
            };
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            let began = Instant::now();
            let appended = if last { journal.call(&call) } else { journal.intent(&intent) };
            let appended = appended.and_then(stepwell_store::Ticket::wait);
            taken.push(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if let Err(error) = appended {
                report(&format!("refused: {error}"));
                return taken;
            }
        }
    }
    taken
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
fn report(line: &str) {
    println!("{line}");
}
