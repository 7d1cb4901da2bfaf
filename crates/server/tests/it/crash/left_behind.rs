//! A journal that a dead process left: the next one is ready at once, whatever is in it, and brings all of it home.

use std::sync::Arc;
use std::time::Duration;

use stepwell_store::{DataDir, Journal, JournalOptions, Shipper, ShipperOptions, SqliteLedger};
use stepwell_testkit::fixture;
use stepwell_types::{CallId, Clock, SystemClock};
use tokio::time::{Instant, sleep};

use super::books::{ask, wait_until_shipped};
use super::from_environment;
use super::process::Place;

/// Finals in the journal, unless [`FINALS`] says otherwise.
const USUAL_FINALS: u64 = 12_000;
/// The variable that sets the number of finals.
const FINALS: &str = "STEPWELL_CRASH_FINALS";
/// Calls without a final.
const OPEN: u64 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_never_shipped_is_shipped_by_the_next() {
    brought_home("never-shipped", 0, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_dead_process_had_shipped_in_part_is_completed_by_the_next() {
    brought_home("shipped-in-part", 95, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_killed_while_it_ships_what_another_left_ships_nothing_twice() {
    brought_home("killed-again", 30, 8).await;
}

/// Leaves a journal of which so many percent of the finals are in the ledger, and starts the binary on it, after so many
/// starts that were killed while they shipped.
async fn brought_home(test: &str, shipped_percent: u64, kills: u32) {
    let finals = from_environment(FINALS).unwrap_or(USUAL_FINALS);
    let place = Place::new(test, ([127, 0, 0, 1], 9).into(), "");
    let left = leave(&place, finals * shipped_percent / 100, finals).await;

    for _ in 0..kills {
        let mut gateway = place.start();
        gateway.ready().await;
        sleep(Duration::from_millis(fastrand::u64(..60))).await;
        gateway.kill();
    }
    let mut gateway = place.start();
    let began = Instant::now();
    let ready = gateway.ready().await;
    let memory = gateway.most_memory();
    wait_until_shipped(place.admin).await;
    println!(
        "{test}: {finals} finals, {left} bytes of journal: ready after {ready:?} with {memory} bytes resident, \
         all in the ledger after {:?}",
        began.elapsed()
    );
    let usage = ask(place.admin, "/admin/v1/usage?since=7d&step=none&group_by=outcome").await;
    gateway.stop().await;

    assert_eq!(usage["total"]["calls"], finals + OPEN, "{usage}");
    let rows = usage["data"].as_array().unwrap();
    let unknown = rows.iter().find(|row| row["outcome"] == "unknown").unwrap();
    assert_eq!(unknown["calls"], OPEN, "{usage}");
    assert_eq!(place.complaints(), [] as [String; 0]);
}

/// Fills a journal, ships the first finals and leaves the rest; answers how many bytes are left.
async fn leave(place: &Place, shipped: u64, finals: u64) -> u64 {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let data_dir = Arc::new(DataDir::open(&place.data()).unwrap());
    let ledger = Arc::new(SqliteLedger::open(&place.ledger(), clock.now()).unwrap());
    let journal = Journal::open(data_dir, JournalOptions::default(), Arc::clone(&clock)).unwrap().journal;
    append(&journal, &*clock, shipped, true);
    let options = ShipperOptions::default();
    let shipper = Shipper::start(Arc::clone(&journal), ledger, options, Arc::clone(&clock)).unwrap();
    shipper.close(Duration::from_mins(10)).await.unwrap();
    drop(shipper);
    append(&journal, &*clock, OPEN, false);
    append(&journal, &*clock, finals - shipped, true);
    journal.status().used_bytes
}

/// Appends so many calls, with or without their finals.
fn append(journal: &Journal, clock: &dyn Clock, calls: u64, final_too: bool) {
    let mut call = fixture::call_record(clock.now());
    for _ in 0..calls {
        call.id = CallId::new(clock.now());
        drop(journal.intent(&fixture::intent(&call, 1)).unwrap());
        if final_too {
            drop(journal.call(&call).unwrap());
        }
    }
}
