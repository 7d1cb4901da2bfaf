//! The binary as its users run it: a process of its own with a config file, and the simulator as its provider.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use stepwell_sim::{Oracle, OracleEntry, Sim, SimOptions};
use stepwell_testkit::TestDir;
use tokio::task::JoinHandle;

use crate::harness_client::{Reply, get};

/// The longest anything here may take before the test gives up: long, since the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long providers may be silent. Long enough that a busy machine is not taken for a silent provider.
pub(crate) const SILENCE: &str = "3s";

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_stepwell");

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "in vain waited for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The simulator, in this process.
pub(crate) struct Simulator {
    pub(crate) address: SocketAddr,
    pub(crate) oracle: Oracle,
    task: JoinHandle<()>,
}

impl Simulator {
    pub(crate) async fn start() -> Self {
        let sim = Sim::bind(([127, 0, 0, 1], 0).into(), SimOptions::default()).await.unwrap();
        let (address, oracle) = (sim.local_addr(), sim.oracle());
        Self { address, oracle, task: tokio::spawn(sim.run(std::future::pending())) }
    }

    /// What the simulator says of a call: an entry for each attempt, in the order in which they ended.
    pub(crate) fn account(&self, call: &str) -> Vec<OracleEntry> {
        let mut entries = self.oracle.entries(0, 1_000_000);
        entries.retain(|entry| entry.client_request_id.as_deref() == Some(call));
        entries
    }

    /// A provider of every dialect, all at this simulator, priced as it prices.
    pub(crate) fn providers(&self) -> String {
        self.provider("oai", "openai", "")
            + &self.provider("ant", "anthropic", "")
            + &self.provider("gem", "gemini", "")
            + &self.provider("res", RESPONSES, "")
            + &self.provider("coh", "cohere", "")
    }

    /// A provider at this simulator. `lines` are more of its keys.
    pub(crate) fn provider(&self, name: &str, kind: &str, lines: &str) -> String {
        provider(name, kind, self.address, lines)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Stands for a provider of OpenAI's kind that speaks responses only; one of kind `openai` speaks chat completions only.
pub(crate) const RESPONSES: &str = "openai-responses";

/// A provider of the given kind at `address`. `lines` are more of its keys.
pub(crate) fn provider(name: &str, kind: &str, address: SocketAddr, lines: &str) -> String {
    let (kind, path, dialects) = match kind {
        "openai" => (kind, "/v1", "dialects = [\"openai_chat\"]\n"),
        RESPONSES => ("openai", "/v1", "dialects = [\"openai_responses\"]\n"),
        kind => (kind, "", ""),
    };
    format!(
        "[providers.{name}]\nkind = \"{kind}\"\n{dialects}base_url = \"http://{address}{path}\"\n\
         api_key = \"literal:key-of-{name}\"\nmodels = [\"small\", \"large\"]\n\
         timeouts = {{ connect = \"{SILENCE}\", first_byte = \"{SILENCE}\", idle = \"{SILENCE}\", total = \"50s\" }}\n\
         prices.small = {{ input = 0.15, cache_read = 0.075, cache_write = 0.1875, output = 0.60 }}\n\
         prices.large = {{ input = 3, cache_read = 0.30, cache_write = 3.75, output = 15 }}\n{lines}\n"
    )
}

/// An address nobody listens on, for as long as no other process takes it.
pub(crate) fn closed_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The binary, serving. Killed when dropped.
pub(crate) struct Stepwell {
    child: Child,
    pub(crate) api: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) dir: TestDir,
    log: Arc<Mutex<Vec<String>>>,
}

impl Stepwell {
    /// Starts it. `server` are lines of `[server]`, `rest` is the rest of the config file.
    pub(crate) async fn start(server: &str, rest: &str) -> Self {
        let dir = TestDir::new("server");
        std::fs::write(dir.path().join("stepwell.toml"), config(server, rest)).unwrap();
        Self::start_in(dir).await
    }

    /// Starts it on what is in `dir`, with these variables in its environment and no others.
    pub(crate) async fn start_with(dir: TestDir, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(BINARY);
        command.env_clear().envs(variables.iter().copied());
        Self::start_command(dir, command).await
    }

    /// Starts it again on what it has left behind, once it has ended.
    pub(crate) async fn start_again(mut self) -> Self {
        self.ended().await;
        Self::start_in(std::mem::replace(&mut self.dir, TestDir::new("gone"))).await
    }

    async fn start_in(dir: TestDir) -> Self {
        Self::start_with(dir, &[]).await
    }

    async fn start_command(dir: TestDir, mut command: Command) -> Self {
        let mut child = command
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, pipe) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        // From here on a panic must not leave the process behind.
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut started = Self { child, api: nowhere, admin: nowhere, dir, log };
        started.api = started.announced("OpenAI API", "/v1").await;
        started.admin = started.announced("metrics", "/metrics").await;
        let api = started.api;
        let probe = || async { (get(api, "/readyz").await.status == 200).then_some(()) };
        eventually("readiness", probe).await;
        started
    }

    /// An address from the lines that a start prints.
    async fn announced(&self, name: &str, path: &str) -> SocketAddr {
        let read = |line: &String| {
            let url = line.trim_start().strip_prefix(name)?.trim().strip_prefix("http://")?;
            url.strip_suffix(path)?.parse::<SocketAddr>().ok()
        };
        eventually(&format!("the banner: {:?}", self.log()), || async { self.log().iter().find_map(read) })
            .await
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn config_file(&self) -> PathBuf {
        self.dir.path().join("stepwell.toml")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        eventually("the end of the process", || std::future::ready(self.child.try_wait().unwrap())).await
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// A page of the management API.
    pub(crate) async fn ask(&self, path: &str) -> Value {
        let reply = get(self.admin, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }

    /// The record of a call, once it is in the ledger.
    pub(crate) async fn record(&self, call: &str) -> Value {
        let path = format!("/admin/v1/calls/{call}");
        eventually(&format!("the record of {call}"), || async {
            let reply = get(self.admin, &path).await;
            (reply.status == 200).then(|| reply.json())
        })
        .await
    }

    /// The record of the one call that `user` made, once it is in the ledger.
    pub(crate) async fn record_of_user(&self, user: &str) -> Value {
        let path = format!("/admin/v1/calls?user={user}");
        let id = eventually(&format!("a record of {user}"), || async {
            let list = self.ask(&path).await;
            list["data"][0]["id"].as_str().map(str::to_owned)
        })
        .await;
        self.record(&id).await
    }

    /// Every call in the ledger, newest first.
    pub(crate) async fn calls(&self) -> Vec<Value> {
        let mut calls = Vec::new();
        let mut page = self.ask("/admin/v1/calls?limit=500").await;
        loop {
            calls.extend(page["data"].as_array().unwrap().iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return calls };
            page = self.ask(&format!("/admin/v1/calls?limit=500&cursor={cursor}")).await;
        }
    }

    /// A gauge without labels.
    pub(crate) async fn gauge(&self, name: &str) -> u64 {
        let page = get(self.admin, "/metrics").await.text();
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not among the metrics:\n{page}")).trim().parse().unwrap()
    }

    /// A counter, summed over all its labels.
    pub(crate) async fn counter(&self, name: &str) -> u64 {
        let page = get(self.admin, "/metrics").await.text();
        let series = page.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{'));
        series.map(|line| line.rsplit_once("} ").unwrap().1.trim().parse::<u64>().unwrap()).sum()
    }

    /// Waits until no call is in flight.
    pub(crate) async fn idle(&self) {
        eventually("no call in flight", || async {
            (self.gauge("stepwell_calls_in_flight").await == 0).then_some(())
        })
        .await;
    }
}

impl Drop for Stepwell {
    fn drop(&mut self) {
        if self.is_running() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// A config file: free ports, `server` as more lines of `[server]`, then `rest`.
pub(crate) fn config(server: &str, rest: &str) -> String {
    let listeners = if server.contains("listen =") {
        ""
    } else {
        "listen = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n"
    };
    format!(
        "data_dir = \"data\"\n[server]\nworkers = 2\n{listeners}{server}\n[log]\nformat = \"json\"\n{rest}"
    )
}

/// What a command printed and how it ended.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs a command of the binary in `dir`.
pub(crate) fn run(dir: &TestDir, arguments: &[&str]) -> Ran {
    let output = Command::new(BINARY).current_dir(dir.path()).env_clear().args(arguments).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The call that a reply belongs to.
pub(crate) fn call_of(reply: &Reply) -> String {
    reply.header("x-stepwell-call-id").unwrap_or_else(|| panic!("no call id: {reply:?}")).to_owned()
}
