//! `kill -9` under load: whatever the provider has in its account is in the ledger, once and to the nano-dollar.
//!
//! The simulator lives in this process and survives every kill; the real binary is started on one data directory again
//! and again. `docs/crash-tests.md` says what is compared, and how to run the long form.

mod account;
mod books;
mod http;
mod left_behind;
mod load;
mod process;
mod request;

use std::sync::Arc;
use std::time::Duration;

use stepwell_sim::{ModelOptions, Oracle, Prices, Scripted, Sim, SimOptions};
use tokio::time::{Instant, sleep};

use self::account::Account;
use self::books::Books;
use self::load::{Life, Load};
use self::process::Place;

/// How often the process is killed, unless [`KILLS`] says otherwise.
const USUAL_KILLS: u32 = 50;
/// The variable that sets the number of kills.
const KILLS: &str = "STEPWELL_CRASH_KILLS";
/// The variable that sets the seed of all random choices.
const SEED: &str = "STEPWELL_CRASH_SEED";
/// Segments that are begun, carried over and removed often.
const SMALL_SEGMENTS: &str = "segment_bytes = \"1MB\"\nmax_bytes = \"64MB\"";
/// Clients at once.
const CLIENTS: usize = 32;
/// The longest a process lives between being ready and being killed.
const LONGEST_LIFE: Duration = Duration::from_millis(400);
/// One process in so many may live longer: long enough to fill segments, to carry open calls on and to remove them.
const LONG: u32 = 16;
/// The longest such a process lives.
const LONG_LIFE: Duration = Duration::from_secs(8);
/// One kill in so many comes while the process is still starting.
const STARTING: u32 = 5;
/// One kill in so many, of processes that serve, comes after the process was asked to stop.
const STOPPING: u32 = 8;
/// The longest between being asked to stop and being killed.
const LONGEST_STOP: Duration = Duration::from_millis(120);
/// The most that segments may take at any time, in bytes: the journal must not grow with the number of kills. Lives are
/// short, so that on a busy machine little is shipped in each: the bound is what the long form is held to.
const MOST_JOURNAL: u64 = 32 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kills_under_load_the_ledger_is_the_providers_account() {
    let kills = from_environment(KILLS).map_or(USUAL_KILLS, |kills| u32::try_from(kills).unwrap());
    let seed = from_environment(SEED).unwrap_or_else(|| fastrand::u64(..));
    println!("{kills} kills, {SEED}={seed}");
    let mut random = fastrand::Rng::with_seed(seed);

    let sim = Sim::bind(([127, 0, 0, 1], 0).into(), sim_options()).await.unwrap();
    let oracle = sim.oracle();
    script(&sim);
    let place = Place::new("crash", sim.local_addr(), SMALL_SEGMENTS);
    tokio::spawn(sim.run(std::future::pending()));

    let load = Load::start(place.listen, CLIENTS, &mut random);
    let mut starts = Vec::new();
    for number in 1..=kills {
        if number % STARTING == 0 {
            killed_while_starting(&place, &load, &starts, &mut random).await;
            continue;
        }
        let mut gateway = place.start();
        starts.push(gateway.ready().await);
        place.note_journal();
        let longest = if number % LONG == 2 { LONG_LIFE } else { LONGEST_LIFE };
        sleep(longest.mul_f64(random.f64())).await;
        if number % STOPPING == 1 {
            gateway.ask_to_stop();
            sleep(LONGEST_STOP.mul_f64(random.f64())).await;
            load.kill(gateway, Life::Stopping).await;
        } else {
            load.kill(gateway, Life::Serving).await;
        }
    }

    let mut gateway = place.start();
    starts.push(gateway.ready().await);
    sleep(LONGEST_LIFE).await;
    let log = load.stop().await;
    let books = Books::of_admin_api(place.admin).await;
    gateway.stop().await;
    wait_for_end(&oracle).await;
    let account = Account::read(&place, &oracle, &log).await;

    println!("{}", account.report(&log, &starts, &place));
    let mut problems = account.problems(&log);
    problems.extend(books.problems(&account));
    problems.extend(place.complaints());
    if place.most_journal() > MOST_JOURNAL {
        problems.push(format!("the journal grew to {} bytes", place.most_journal()));
    }
    let shown: Vec<&String> = problems.iter().take(20).collect();
    assert!(problems.is_empty(), "seed {seed}: {} problems, such as {shown:#?}", problems.len());
}

/// Starts the binary and kills it before it is likely to be ready: while it creates files, reads the journal, or moves
/// what the last one left.
async fn killed_while_starting(
    place: &Place,
    load: &Arc<Load>,
    starts: &[Duration],
    random: &mut fastrand::Rng,
) {
    let usual = starts.iter().min().copied().unwrap_or_default();
    let gateway = place.start();
    sleep(usual.mul_f64(random.f64() * 1.2)).await;
    load.kill(gateway, Life::Starting).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_start_that_is_killed_leaves_a_journal_and_a_ledger_the_next_one_can_use() {
    let seed = from_environment(SEED).unwrap_or_else(|| fastrand::u64(..));
    println!("{SEED}={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new("first-start", ([127, 0, 0, 1], 9).into(), SMALL_SEGMENTS);
    let usual = {
        let mut gateway = place.start();
        let usual = gateway.ready().await;
        gateway.kill();
        usual
    };
    let rounds = from_environment(KILLS).map_or(25, |kills| kills);
    for _ in 0..rounds {
        place.forget_records();
        let mut killed = place.start();
        sleep(usual.mul_f64(random.f64())).await;
        killed.kill();
        let mut gateway = place.start();
        gateway.ready().await;
        gateway.kill();
    }
    assert_eq!(place.complaints(), [] as [String; 0]);
}

/// Two models that work and two that never do: fallback routes begin with those.
fn sim_options() -> SimOptions {
    let unreliable = |name: &str| ModelOptions { name: name.to_owned(), ..ModelOptions::small() };
    SimOptions {
        models: vec![
            ModelOptions::small(),
            ModelOptions::large(),
            unreliable("limited"),
            unreliable("broken"),
        ],
        cache_min_tokens: 32,
        burst_bytes: 0,
        ..SimOptions::default()
    }
}

/// The models of [`sim_options`] with their prices.
fn priced_models() -> [(&'static str, Prices); 4] {
    [
        ("small", Prices::SMALL),
        ("large", Prices::LARGE),
        ("limited", Prices::SMALL),
        ("broken", Prices::SMALL),
    ]
}

fn script(sim: &Sim) {
    let faults = sim.handle().faults();
    for (model, fault) in [("limited", "rate-limit 1"), ("broken", "stream-error")] {
        let fault = fault.parse().unwrap();
        assert!(faults.push(Scripted { fault, times: u32::MAX, model: Some(model.to_owned()) }));
    }
}

/// Waits until the provider has closed its account of every request.
async fn wait_for_end(oracle: &Oracle) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while oracle.totals().in_flight > 0 {
        assert!(Instant::now() < deadline, "the simulator still serves {:?}", oracle.totals());
        sleep(Duration::from_millis(5)).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "a test's own switches are no configuration of the product")]
fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
