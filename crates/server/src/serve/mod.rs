//! `stepwell serve`: puts the parts together, starts them in order and stops them in the reverse order.

mod banner;
mod connection;
mod listener;
mod reload;
pub(crate) mod signals;
mod simulator;
mod worker;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::serve::ListenerExt;
use parking_lot::Mutex;
use stepwell_admin::{AdminState, AdminToken};
use stepwell_config::{Durability, Loaded, LogFormat, Settings, StoreUrl};
use stepwell_gateway::Services;
use stepwell_policy::Admission;
use stepwell_store::{DataDir, Journal, JournalOptions, Ledger, Shipper, ShipperOptions, SqliteLedger};
use stepwell_telemetry::{LogControl, Metric, Metrics, init_logs};
use stepwell_types::{Clock, SystemClock, Timestamp};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::reload::Running;
use self::worker::Workers;
use crate::cli::ConfigArg;
use crate::commands::{Failure, Source, settings};

/// How long the journal may take to reach the ledger when everything else has ended. What it does not reach then, the
/// next start ships.
const FLUSH: Duration = Duration::from_secs(10);

/// The ledger's file in the data directory.
const LEDGER: &str = "ledger.db";

/// Serves until it is asked to stop.
pub(crate) fn run(arg: &ConfigArg) -> Result<ExitCode, Failure> {
    let (source, text, Loaded { settings, warnings }) = settings(arg)?;
    let logs = start_logs(&settings)?;
    for warning in &warnings {
        tracing::warn!(code = warning.code, line = warning.line, message = warning.message, "configuration");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let ended = runtime.block_on(async {
        let listen = listener::bind(settings.server.listen, "listen")?;
        let admin = listener::bind(settings.server.admin_listen, "admin_listen")?;
        let server = Server::start(source, text, settings, warnings, logs).await?;
        server.serve(listen, admin).await
    });
    // Dropping it would wait for the thread that waits for the workers, even where they are not to be waited for.
    runtime.shutdown_background();
    ended
}

fn start_logs(settings: &Settings) -> Result<LogControl, Failure> {
    let format = match settings.log.format {
        LogFormat::Auto => stepwell_telemetry::LogFormat::Auto,
        LogFormat::Json => stepwell_telemetry::LogFormat::Json,
        LogFormat::Pretty => stepwell_telemetry::LogFormat::Pretty,
    };
    init_logs(format, &settings.log.level, std::io::stderr().is_terminal()).map_err(Failure::new)
}

/// The parts that live as long as the process.
struct Server {
    running: Arc<Running>,
    ledger: Arc<dyn Ledger>,
    token: AdminToken,
    started: Timestamp,
    stop: CancellationToken,
}

impl Server {
    /// Opens the store and makes the configuration ready. Nothing is served yet.
    async fn start(
        source: Source,
        text: String,
        settings: Settings,
        warnings: Vec<stepwell_config::Problem>,
        logs: LogControl,
    ) -> Result<Self, Failure> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let started = clock.now();
        let stop = CancellationToken::new();
        let data_dir = Arc::new(DataDir::open(&settings.data_dir).map_err(Failure::new)?);
        let token = AdminToken::open(data_dir.path()).map_err(Failure::new)?;
        let ledger: Arc<dyn Ledger> = match settings.store.url {
            StoreUrl::Sqlite => Arc::new(open_sqlite(&data_dir, started)?),
        };
        let options = journal_options(&settings);
        let opened =
            Journal::open(Arc::clone(&data_dir), options, Arc::clone(&clock)).map_err(Failure::new)?;
        let shipper = Shipper::start(
            Arc::clone(&opened.journal),
            Arc::clone(&ledger),
            ShipperOptions::default(),
            Arc::clone(&clock),
        )
        .map_err(Failure::new)?;
        let has_simulator = settings.providers.values().any(|provider| provider.kind.name == simulator::KIND);
        let simulator = if has_simulator { Some(simulator::start(&stop).await?) } else { None };
        let prices = reload::prices(data_dir.path())?;
        let most_calls = settings.server.max_connections;
        let state = reload::loaded(&source, started, warnings);
        let snapshot = reload::snapshot(settings, &prices.book, simulator.as_deref()).map_err(Failure)?;
        let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION"), started));
        let shipper = Arc::new(shipper);
        measure_store(&metrics, &opened.journal, &shipper);
        let services = Services {
            journal: opened.journal,
            metrics,
            admission: Admission::new(most_calls),
            clock,
            snapshots: ArcSwap::from_pointee(snapshot),
        };
        let running = Running {
            source,
            services: Arc::new(services),
            shipper,
            prices: Mutex::new(prices),
            simulator,
            logs,
            state: Mutex::new(state),
            seen: Mutex::new(text),
        };
        Ok(Self { running: Arc::new(running), ledger, token, started, stop })
    }

    /// Serves until asked to stop, then drains: readiness falls at once, no connection is taken, open replies end, and
    /// what they left reaches the ledger. A second request to stop ends the process on the spot: the journal keeps it.
    async fn serve(self, listen: TcpListener, admin: TcpListener) -> Result<ExitCode, Failure> {
        let settings = Arc::clone(&self.running.services.snapshots.load().settings);
        let listen_at = listen.local_addr().map_err(Failure::new)?;
        let admin_at = admin.local_addr().map_err(Failure::new)?;
        let tls = stepwell_upstream::Tls::system().map_err(Failure::new)?;
        let workers = Workers::start(&self.running.services, &tls, settings.server.workers, &self.stop)
            .map_err(Failure::new)?;
        let most = settings.server.max_connections;
        let accepting = tokio::spawn(listener::accept(listen, workers, most, self.stop.clone()));
        tokio::spawn(serve_admin(admin, self.admin_state(admin_at), self.stop.clone()));
        tokio::spawn(Arc::clone(&self.running).watch());
        let running = Arc::clone(&self.running);
        tokio::spawn(signals::on_hangup(move || running.reload_and_log()));
        let mut stop_signals = signals::StopSignals::listen();
        banner::print(&self.running.source, &settings, listen_at, admin_at);

        stop_signals.next().await;
        tracing::info!(
            calls = self.running.services.admission.in_flight(),
            "stopping: open replies end first"
        );
        self.running.services.admission.drain();
        self.stop.cancel();
        let workers = accepting.await.map_err(Failure::new)?;
        tokio::select! {
            joined = tokio::task::spawn_blocking(|| workers.join()) => joined.map_err(Failure::new)?,
            () = stop_signals.next() => {
                tracing::warn!("stopping now: open replies are cut, the journal keeps what is known of them");
                return Ok(ExitCode::FAILURE);
            }
        }
        if self.running.shipper.close(FLUSH).await.is_err() {
            tracing::warn!("the journal is not all in the ledger yet: the next start ships the rest");
        }
        tracing::info!("stopped");
        Ok(ExitCode::SUCCESS)
    }

    fn admin_state(&self, listen: SocketAddr) -> AdminState {
        AdminState {
            ledger: Arc::clone(&self.ledger),
            metrics: Arc::clone(&self.running.services.metrics),
            control: Arc::clone(&self.running) as Arc<dyn stepwell_admin::Control>,
            clock: Arc::clone(&self.running.services.clock),
            token: self.token.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            listen,
        }
    }
}

async fn serve_admin(listener: TcpListener, state: AdminState, stop: CancellationToken) {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "an admin connection ended before it was served");
        }
    });
    let served =
        axum::serve(listener, stepwell_admin::router(state)).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "the admin listener failed");
    }
}

fn journal_options(settings: &Settings) -> JournalOptions {
    JournalOptions {
        durability: match settings.journal.durability {
            Durability::Strict => stepwell_store::Durability::Strict,
            Durability::Grouped => stepwell_store::Durability::Grouped,
            Durability::Async => stepwell_store::Durability::Async,
        },
        segment_bytes: settings.journal.segment_bytes,
        max_bytes: settings.journal.max_bytes,
        ..JournalOptions::default()
    }
}

/// Lets `/metrics` show the journal and its way into the ledger.
fn measure_store(metrics: &Metrics, journal: &Arc<Journal>, shipper: &Arc<Shipper>) {
    let (journal, shipper) = (Arc::clone(journal), Arc::clone(shipper));
    metrics.register_source(Box::new(move |sample| {
        let status = journal.status();
        sample.set(Metric::JournalFrames, status.frames);
        sample.set(Metric::JournalBytes, status.appended_bytes);
        sample.set(Metric::JournalFsyncs, status.fsyncs);
        sample.set(Metric::JournalFsyncSeconds, status.fsync_us);
        sample.set(Metric::JournalUsedBytes, status.used_bytes);
        sample.set(Metric::JournalReservedBytes, status.reserved_bytes);
        sample.set(Metric::JournalMaxBytes, status.max_bytes);
        sample.set(Metric::JournalOpenCalls, status.open_calls as u64);
        sample.set(Metric::JournalFailed, u64::from(status.failed.is_some()));
        let shipping = shipper.status();
        let behind_us = u64::try_from(shipping.behind_for.as_micros()).unwrap_or(u64::MAX);
        sample.set(Metric::ShipperLagBytes, shipping.behind_bytes);
        sample.set(Metric::ShipperLagSeconds, behind_us);
        sample.set(Metric::ShipperCalls, shipping.shipped_calls);
        sample.set(Metric::ShipperRecoveredCalls, shipping.recovered_calls);
        sample.set(Metric::ShipperFailures, u64::from(shipping.failures));
    }));
}

/// The ledger of a data directory.
pub(crate) fn open_sqlite(data_dir: &DataDir, now: Timestamp) -> Result<SqliteLedger, Failure> {
    SqliteLedger::open(&data_dir.path().join(LEDGER), now).map_err(Failure::new)
}
