//! What the management API is served from: traits and shared values, chosen by the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use stepwell_config::{Changes, Problem, Settings};
use stepwell_store::{BoxFuture, JournalStatus, Ledger, ShipperStatus};
use stepwell_telemetry::Metrics;
use stepwell_types::{Clock, Failure, ReplicaId, Tenant, Timestamp};

use crate::AdminToken;

/// Everything a request of the management API is answered from.
pub struct AdminState {
    /// The durable record of calls.
    pub ledger: Arc<dyn Ledger>,
    /// What `/metrics` shows.
    pub metrics: Arc<Metrics>,
    /// The running process.
    pub control: Arc<dyn Control>,
    /// Where "now" comes from.
    pub clock: Arc<dyn Clock>,
    /// What writes must carry.
    pub token: AdminToken,
    /// The version that runs.
    pub version: &'static str,
    /// When the process began.
    pub started: Timestamp,
    /// The address the management API is bound to.
    pub listen: SocketAddr,
}

impl AdminState {
    /// Whose calls are shown: there is one tenant until keys exist.
    pub(crate) fn tenant() -> Tenant {
        Tenant::only()
    }
}

/// What the management API may ask of the running process.
pub trait Control: Send + Sync {
    /// The settings in force. Called for every request: it must not wait.
    fn settings(&self) -> Arc<Settings>;

    /// Where the settings come from and what is worth knowing about them.
    fn config(&self) -> ConfigState;

    /// Reads the config again and puts it in force; on an error the old one stays in force.
    fn reload(&self) -> BoxFuture<'_, Result<Changes, ReloadRefused>>;

    /// How the process is doing.
    fn status(&self) -> Status;

    /// Whether the process takes calls now, and if not, why.
    fn ready(&self) -> Result<(), Failure>;
}

/// Where the settings in force come from.
#[derive(Clone, Debug)]
pub struct ConfigState {
    /// The config file; none when providers were found in the environment.
    pub file: Option<PathBuf>,
    /// When the settings came into force.
    pub loaded: Timestamp,
    /// What is worth knowing about them.
    pub warnings: Vec<Problem>,
    /// Keys that differ in the file and wait for a restart.
    pub restart_needed: Vec<&'static str>,
    /// The last reload, if it was refused.
    pub refused: Option<Refused>,
}

/// A reload that was refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub problems: Vec<Problem>,
}

/// Why a reload changed nothing.
#[derive(Debug)]
pub enum ReloadRefused {
    /// The file has mistakes.
    Mistakes(Vec<Problem>),
    /// There is no file, or it cannot be read.
    Failed(Failure),
}

/// How the process is doing.
#[derive(Clone, Debug)]
pub struct Status {
    /// This process' journal, by the name it has in the ledger.
    pub replica: ReplicaId,
    /// The address the data plane is bound to.
    pub listen: SocketAddr,
    /// The journal.
    pub journal: JournalStatus,
    /// The journal's way into the ledger.
    pub shipper: ShipperStatus,
    /// The prices that calls are charged at.
    pub prices: PriceStatus,
}

/// The price data in force.
#[derive(Clone, Debug)]
pub struct PriceStatus {
    /// `embedded` in the binary, or `installed` in the data directory.
    pub origin: &'static str,
    /// The data set, or the file it was read from.
    pub source: String,
    /// The day its prices are of, `YYYY-MM-DD`.
    pub date: String,
    /// The SHA-256 of the data, in hex.
    pub sha256: String,
    /// Why data that was installed is not in force, if so.
    pub problem: Option<String>,
}
