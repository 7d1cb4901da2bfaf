//! A management API to ask: a SQLite ledger in a directory of its own, a clock that stands still, a scripted process.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;
use stepwell_admin::{
    AdminState, AdminToken, ConfigState, Control, PriceStatus, Refused, ReloadRefused, Status, router,
};
use stepwell_config::{Changes, FixedEnvironment, Problem, Settings, compare, load};
use stepwell_store::{Batch, BoxFuture, JournalStatus, Ledger, ShipperStatus, SqliteLedger};
use stepwell_telemetry::Metrics;
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Failure, Finish, ManualClock,
    NanoUsd, Outcome, ReplicaId, Stage, StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};
use tower::ServiceExt as _;

/// 2026-11-21T00:00:00Z, an hour and more after every call made here.
pub(crate) const NOW: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const CONFIG: &str = r#"
[providers.openai]
kind = "openai"
api_key = "literal:sk-very-private"
headers = { "x-extra-key" = "literal:also-private" }
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:9/v1"
models = ["llama"]
[routes.chat]
strategy = "fallback"
targets = ["openai/gpt-5-mini", "local/llama"]
timeout = "30s"
[server]
allowed_hosts = ["gateway.internal"]
"#;

/// A directory that is removed when the test ends.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("stepwell-admin-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A process that does as the test says.
pub(crate) struct Process {
    pub(crate) settings: Mutex<Arc<Settings>>,
    /// The text the next reload reads.
    pub(crate) text: Mutex<String>,
    pub(crate) refused: Mutex<Vec<Problem>>,
    pub(crate) draining: AtomicBool,
}

impl Process {
    fn new() -> Self {
        Self {
            settings: Mutex::new(Arc::new(settings(CONFIG).unwrap())),
            text: Mutex::new(CONFIG.to_owned()),
            refused: Mutex::new(Vec::new()),
            draining: AtomicBool::new(false),
        }
    }

    fn read_again(&self) -> Result<Changes, ReloadRefused> {
        let text = self.text.lock().unwrap().clone();
        if text.is_empty() {
            return Err(ReloadRefused::Failed(Failure::new(Code::InvalidRequest, "there is no config file")));
        }
        let new = settings(&text).map_err(|problems| {
            self.refused.lock().unwrap().clone_from(&problems);
            ReloadRefused::Mistakes(problems)
        })?;
        let mut settings = self.settings.lock().unwrap();
        let changes = compare(&settings, &new);
        *settings = Arc::new(new.keeping(&settings));
        Ok(changes)
    }
}

fn settings(text: &str) -> Result<Settings, Vec<Problem>> {
    load(Path::new("stepwell.toml"), text, &FixedEnvironment::default()).map(|loaded| loaded.settings)
}

impl Control for Process {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.lock().unwrap())
    }

    fn config(&self) -> ConfigState {
        let problems = self.refused.lock().unwrap().clone();
        ConfigState {
            file: Some(PathBuf::from("stepwell.toml")),
            loaded: NOW,
            warnings: Vec::new(),
            restart_needed: Vec::new(),
            refused: (!problems.is_empty()).then_some(Refused { at: NOW, problems }),
        }
    }

    fn reload(&self) -> BoxFuture<'_, Result<Changes, ReloadRefused>> {
        Box::pin(async { self.read_again() })
    }

    fn status(&self) -> Status {
        Status {
            replica: ReplicaId::new(NOW),
            listen: "127.0.0.1:7070".parse().unwrap(),
            journal: JournalStatus {
                used_bytes: 1_000,
                reserved_bytes: 200,
                max_bytes: 9_000,
                open_calls: 2,
                frames: 40,
                appended_bytes: 5_000,
                fsyncs: 7,
                fsync_us: 9_000,
                failed: None,
            },
            shipper: ShipperStatus {
                behind_bytes: 300,
                behind_for: Duration::from_millis(1_500),
                open_calls: 2,
                shipped_calls: 7,
                recovered_calls: 1,
                failures: 4,
                problem: Some("the disk is full".to_owned()),
            },
            prices: PriceStatus {
                origin: "embedded",
                source: "genai-prices 0".to_owned(),
                date: "2026-10-26".to_owned(),
                sha256: "0123".to_owned(),
                problem: Some("the installed file is torn".to_owned()),
            },
        }
    }

    fn ready(&self) -> Result<(), Failure> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(
                Failure::new(Code::Draining, "stepwell is shutting down").retry_after(Duration::from_secs(5))
            );
        }
        Ok(())
    }
}

/// The API and what stands behind it.
pub(crate) struct Api {
    router: Router,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) process: Arc<Process>,
    _dir: TempDir,
}

/// An answer, read whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    /// Checks the shape of an error and gives its `error` object.
    pub(crate) fn error(&self, code: Code) -> Value {
        let body = self.json();
        let error = &body["error"];
        assert_eq!(error["code"], code.as_str(), "{}", self.text);
        assert_eq!(error["type"], code.openai_type());
        assert_eq!(error["docs"], format!("docs/errors.md#{code}"));
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert!(error["call_id"].is_null());
        assert!(error.as_object().is_some_and(|fields| fields.contains_key("param")));
        assert_eq!(self.headers["content-type"], "application/json");
        error.clone()
    }
}

impl Api {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new();
        let ledger: Arc<dyn Ledger> =
            Arc::new(SqliteLedger::open(&dir.path().join("ledger.db"), NOW).unwrap());
        let metrics = Arc::new(Metrics::new("1.2.3", NOW));
        let process = Arc::new(Process::new());
        let clock = ManualClock::at(NOW.plus(Duration::from_secs(90)));
        let listen: SocketAddr = "127.0.0.1:7071".parse().unwrap();
        let router = router(AdminState {
            ledger: Arc::clone(&ledger),
            metrics: Arc::clone(&metrics),
            control: Arc::clone(&process) as Arc<dyn Control>,
            clock: Arc::new(clock),
            token: AdminToken::new(TOKEN),
            version: "1.2.3",
            started: NOW,
            listen,
        });
        Self { router, ledger, metrics, process, _dir: dir }
    }

    pub(crate) async fn with_calls(calls: Vec<CallRecord>) -> Self {
        let api = Self::new();
        api.ledger.ship(Arc::new(Batch { calls, checkpoint: None })).await.unwrap();
        api
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[("host", "localhost:7071")], "").await
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}

/// A call that began `minutes_ago` and was answered by `target` for 1,500 nano-USD.
pub(crate) fn call(minutes_ago: u64, target: &str) -> CallRecord {
    let started = NOW.minus(Duration::from_secs(minutes_ago * 60));
    let mut stages = StageTimes::default();
    stages.add(Stage::Decode, 12);
    CallRecord {
        id: CallId::new(started),
        tenant: Tenant::only(),
        started,
        endpoint: Endpoint::Chat,
        dialect: Dialect::OpenaiChat,
        streamed: true,
        requested_model: Arc::from("chat"),
        route: Some(Arc::from("chat")),
        user: Some(Arc::from("user-7")),
        session: None,
        tags: vec![(Arc::from("feature"), Arc::from("search"))],
        outcome: Outcome::Ok,
        code: None,
        status: 200,
        request_bytes: 300,
        reply_bytes: 900,
        duration_us: 900_000,
        first_token_us: Some(50_000),
        stages,
        losses: vec!["request:/logit_bias".to_owned()],
        attempts: vec![attempt(started, target)],
    }
}

pub(crate) fn attempt(started: Timestamp, target: &str) -> AttemptRecord {
    AttemptRecord {
        number: 1,
        target: target.parse::<TargetName>().unwrap(),
        dialect: Dialect::OpenaiChat,
        started,
        duration_us: 899_000,
        first_byte_us: Some(45_000),
        status: Some(200),
        outcome: Outcome::Ok,
        code: None,
        served_model: Some(Arc::from("gpt-5-mini-2025-08-07")),
        provider_id: Some(Arc::from("chatcmpl-1")),
        finish: Some(Finish::Stop),
        usage: Usage { input_tokens: 100, cache_read_tokens: 40, output_tokens: 20, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(NanoUsd::from_nanos(1_500)),
        cost_status: CostStatus::Exact,
        bound: Some(NanoUsd::from_nanos(9_000)),
    }
}

/// The call, refused at once with `code`.
pub(crate) fn failed(mut call: CallRecord, code: Code) -> CallRecord {
    call.outcome = Outcome::Failed;
    call.code = Some(code);
    call.status = code.status();
    for attempt in &mut call.attempts {
        attempt.outcome = Outcome::Failed;
        attempt.code = Some(code);
        attempt.usage = Usage::default();
        attempt.usage_source = UsageSource::None;
        attempt.cost = Some(NanoUsd::ZERO);
    }
    call
}
