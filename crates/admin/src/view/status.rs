//! How the process is doing, and what there is to ask it.

use serde::Serialize;
use stepwell_store::{Health, JournalStatus, ShipperStatus};
use utoipa::ToSchema;

use crate::{AdminState, PriceStatus};

/// How the process is doing.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StatusView {
    /// The version that runs.
    pub version: &'static str,
    /// When the process began, RFC 3339.
    pub started: String,
    /// Seconds since then.
    pub uptime_seconds: u64,
    /// Names this process' journal in the ledger.
    pub replica: String,
    /// The revision of the configuration in force.
    pub revision: String,
    /// The address the data plane is bound to.
    pub listen: String,
    /// The address this API is bound to.
    pub admin_listen: String,
    /// Whether calls are taken now.
    pub ready: bool,
    /// The error code that says why not.
    pub not_ready: Option<&'static str>,
    /// What is going on.
    pub load: LoadView,
    /// The journal.
    pub journal: JournalView,
    /// The journal's way into the ledger.
    pub shipper: ShipperView,
    /// The ledger; null when it does not answer.
    pub ledger: Option<LedgerView>,
    /// The price data that calls are charged by, where the configuration sets no price of its own.
    pub prices: PricesView,
}

impl StatusView {
    pub(crate) fn new(state: &AdminState, ledger: Option<&Health>) -> Self {
        let status = state.control.status();
        let age = state.clock.now().as_seconds().saturating_sub(state.started.as_seconds());
        let ready = state.control.ready();
        Self {
            version: state.version,
            started: state.started.to_rfc3339(),
            uptime_seconds: u64::try_from(age).unwrap_or(0),
            replica: status.replica.to_string(),
            revision: state.control.settings().revision.clone(),
            listen: status.listen.to_string(),
            admin_listen: state.listen.to_string(),
            ready: ready.is_ok(),
            not_ready: ready.err().map(|failure| failure.code.as_str()),
            load: LoadView {
                calls_in_flight: state.metrics.calls_in_flight(),
                connections_open: state.metrics.connections_open(),
            },
            journal: JournalView::from(&status.journal),
            shipper: ShipperView::from(status.shipper),
            ledger: ledger.map(|health| LedgerView { bytes: health.bytes, schema: health.schema }),
            prices: PricesView::from(status.prices),
        }
    }
}

/// What is going on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LoadView {
    /// Calls begun and not finished.
    pub calls_in_flight: usize,
    /// Client connections open on the data plane.
    pub connections_open: usize,
}

/// The journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JournalView {
    /// Bytes it holds.
    pub used_bytes: u64,
    /// Bytes kept for the ends of open calls.
    pub reserved_bytes: u64,
    /// The most both may be together; beyond it calls are refused.
    pub max_bytes: u64,
    /// Calls with an intent and no end yet.
    pub open_calls: usize,
    /// Why it takes no call any more, if so.
    pub failed: Option<String>,
}

impl From<&JournalStatus> for JournalView {
    fn from(status: &JournalStatus) -> Self {
        Self {
            used_bytes: status.used_bytes,
            reserved_bytes: status.reserved_bytes,
            max_bytes: status.max_bytes,
            open_calls: status.open_calls,
            failed: status.failed.as_deref().map(str::to_owned),
        }
    }
}

/// How far the ledger is behind the journal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShipperView {
    /// Bytes of the journal not yet in the ledger.
    pub behind_bytes: u64,
    /// Milliseconds for which the ledger has not caught up; 0 when it has.
    pub behind_ms: u64,
    /// Calls taken into the ledger since the process began.
    pub shipped_calls: u64,
    /// Calls that a dead process had left open, recorded as `unknown` since the process began.
    pub recovered_calls: u64,
    /// Tries since the ledger last took a batch.
    pub failures: u32,
    /// Why the last try failed, while none has succeeded since.
    pub problem: Option<String>,
}

impl From<ShipperStatus> for ShipperView {
    fn from(status: ShipperStatus) -> Self {
        Self {
            behind_bytes: status.behind_bytes,
            behind_ms: u64::try_from(status.behind_for.as_millis()).unwrap_or(u64::MAX),
            shipped_calls: status.shipped_calls,
            recovered_calls: status.recovered_calls,
            failures: status.failures,
            problem: status.problem,
        }
    }
}

/// The ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LedgerView {
    /// Bytes on disk, where the ledger can tell.
    pub bytes: Option<u64>,
    /// The version of its schema.
    pub schema: u32,
}

/// The price data in force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PricesView {
    /// `embedded` in the binary, or `installed` in the data directory.
    pub origin: &'static str,
    /// The data set, or the file it was read from.
    pub source: String,
    /// The day its prices are of, `YYYY-MM-DD`.
    pub date: String,
    /// The SHA-256 of the data, in hex.
    pub sha256: String,
    /// Why data that was installed is not in force; null where none was, or where it is.
    pub problem: Option<String>,
}

impl From<PriceStatus> for PricesView {
    fn from(status: PriceStatus) -> Self {
        let PriceStatus { origin, source, date, sha256, problem } = status;
        Self { origin, source, date, sha256, problem }
    }
}

/// That the process lives.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HealthView {
    /// Always true.
    pub ok: bool,
}

/// That the process takes calls.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReadyView {
    /// Always true.
    pub ready: bool,
    /// The revision of the configuration in force.
    pub revision: String,
}

/// What there is to ask.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct IndexView {
    /// Always `stepwell`.
    pub name: &'static str,
    /// The version that runs.
    pub version: &'static str,
    /// Every operation.
    pub endpoints: Vec<OperationView>,
}

/// An operation of this API.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct OperationView {
    /// The HTTP method.
    pub method: &'static str,
    /// The path.
    pub path: String,
    /// What it does.
    pub summary: String,
}
