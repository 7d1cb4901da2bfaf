//! The real binary on one data directory: started, watched, killed.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use stepwell_testkit::TestDir;
use tokio::time::{Instant, sleep};

use super::{http, priced_models};

/// How long a start may take, and a stop: generous, so that only what hangs fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory with a configuration, the data and the log of every process that ran there.
pub(super) struct Place {
    dir: TestDir,
    /// Where products call.
    pub(super) listen: SocketAddr,
    /// Where operators ask.
    pub(super) admin: SocketAddr,
    most_journal: AtomicU64,
}

impl Place {
    /// A place whose providers are both the simulator at `sim`; `journal` is the config's section of that name.
    pub(super) fn new(test: &str, sim: SocketAddr, journal: &str) -> Self {
        let dir = TestDir::new(test);
        let (listen, admin) = (free_address(), free_address());
        fs::write(dir.path().join("key"), "sk-crash").unwrap();
        fs::write(dir.path().join("stepwell.toml"), configuration(listen, admin, sim, journal)).unwrap();
        Self { dir, listen, admin, most_journal: AtomicU64::new(0) }
    }

    /// Starts the binary.
    pub(super) fn start(&self) -> Gateway {
        let log = OpenOptions::new().create(true).append(true).open(self.log()).unwrap();
        let began = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_stepwell"))
            .args(["serve", "--config"])
            .arg(self.dir.path().join("stepwell.toml"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Gateway { child, listen: self.listen, log: self.log(), began }
    }

    /// The ledger's file.
    pub(super) fn ledger(&self) -> PathBuf {
        self.data().join("ledger.db")
    }

    /// Where the data are.
    pub(super) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Deletes what there is of journal and ledger. The management API's token stays: it is not theirs.
    pub(super) fn forget_records(&self) {
        fs::remove_dir_all(self.data().join("journal")).unwrap_or_default();
        for name in ["ledger.db", "ledger.db-wal", "ledger.db-shm", "lock"] {
            fs::remove_file(self.data().join(name)).unwrap_or_default();
        }
    }

    /// Measures the journal's segments.
    pub(super) fn note_journal(&self) {
        let entries = fs::read_dir(self.data().join("journal")).unwrap();
        let lengths = entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|file| file.len());
        self.most_journal.fetch_max(lengths.sum(), Ordering::Relaxed);
    }

    /// The number of the newest segment.
    pub(super) fn last_segment(&self) -> u64 {
        let entries = fs::read_dir(self.data().join("journal")).unwrap();
        let numbers = entries.filter_map(|entry| {
            let name = entry.ok()?.file_name();
            name.to_str()?.strip_suffix(".journal")?.parse().ok()
        });
        numbers.max().unwrap_or(0)
    }

    /// The most the segments took, when they were measured.
    pub(super) fn most_journal(&self) -> u64 {
        self.most_journal.load(Ordering::Relaxed)
    }

    /// What the processes logged that must not be: nothing that a kill does is an error.
    pub(super) fn complaints(&self) -> Vec<String> {
        let log = fs::read_to_string(self.log()).unwrap();
        let bad = |line: &&str| line.contains("\"ERROR\"") || line.contains("panicked");
        log.lines().filter(bad).map(str::to_owned).collect()
    }

    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }
}

/// A process. Dropped, it is killed.
pub(super) struct Gateway {
    child: Child,
    listen: SocketAddr,
    log: PathBuf,
    began: Instant,
}

impl Gateway {
    /// Waits until it takes calls; answers how long that took.
    pub(super) async fn ready(&mut self) -> Duration {
        loop {
            if let Some((200, _)) = http::get(self.listen, "/readyz").await {
                return self.began.elapsed();
            }
            self.must_live();
            assert!(self.began.elapsed() < PATIENCE, "not ready: {}", self.tail());
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Kills it and waits until it is gone. It must not have ended by itself.
    pub(super) fn kill(&mut self) {
        self.must_live();
        self.end();
    }

    fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The most memory it had resident so far, in bytes.
    pub(super) fn most_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) << 10
    }

    /// Asks it to stop.
    pub(super) fn ask_to_stop(&mut self) {
        self.must_live();
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Kills it after it was asked to stop, unless it has stopped already.
    pub(super) fn kill_unless_stopped(&mut self) {
        match self.child.try_wait().unwrap() {
            Some(status) => assert!(status.success(), "{status}: {}", self.tail()),
            None => self.end(),
        }
    }

    /// Asks it to stop and waits until it has.
    pub(super) async fn stop(mut self) {
        self.ask_to_stop();
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}: {}", self.tail());
                return;
            }
            assert!(Instant::now() < deadline, "does not stop: {}", self.tail());
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn must_live(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "ended by itself, {}: {}", ended.unwrap(), self.tail());
    }

    /// The end of the log.
    fn tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(15).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// An address below the range the kernel gives to outgoing connections, so that none of them has it when the next
/// process binds it.
fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, fastrand::u16(12_000..30_000)));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn configuration(listen: SocketAddr, admin: SocketAddr, sim: SocketAddr, journal: &str) -> String {
    let mut text = format!(
        r#"data_dir = "data"
[server]
listen = "{listen}"
admin_listen = "{admin}"
workers = 2
[journal]
{journal}
[log]
level = "warn"
format = "json"
calls = "none"
[routes.fall-to-anthropic]
targets = ["openai/limited", "anthropic/small"]
[routes.fall-to-openai]
targets = ["anthropic/broken", "openai/large"]
[providers.openai]
kind = "openai"
dialects = ["openai_chat"]
base_url = "http://{sim}/v1"
api_key = "file:key"
[providers.anthropic]
kind = "anthropic"
base_url = "http://{sim}"
api_key = "file:key"
[providers.responses]
kind = "openai"
dialects = ["openai_responses"]
base_url = "http://{sim}/v1"
api_key = "file:key"
[providers.gemini]
kind = "gemini"
base_url = "http://{sim}"
api_key = "file:key"
[providers.cohere]
kind = "cohere"
base_url = "http://{sim}"
api_key = "file:key"
"#
    );
    for provider in ["openai", "responses", "anthropic", "gemini", "cohere"] {
        for (model, prices) in priced_models() {
            // An hour's cache write has no key of its own: it costs twice the input rate, as the simulator's does.
            assert_eq!(prices.cache_write_1h, 2 * prices.input);
            let [input, output, read, write] =
                [prices.input, prices.output, prices.cache_read, prices.cache_write_5m].map(dollars);
            write!(
                text,
                "[providers.{provider}.prices.{model}]\ninput = {input}\noutput = {output}\ncache_read = {read}\n\
                 cache_write = {write}\n"
            )
            .unwrap();
        }
    }
    text
}

/// Nano-dollars as a decimal in dollars.
fn dollars(nanos: i64) -> String {
    stepwell_types::NanoUsd::from_nanos(nanos).to_string()
}
