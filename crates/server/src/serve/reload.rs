//! The configuration of the running process: hot reload, and what the management API may ask.
//!
//! A reload builds a whole new snapshot and puts it in force, or leaves the old one: there is no state between.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use stepwell_admin::{ConfigState, Control, PriceStatus, Refused, ReloadRefused, Status};
use stepwell_catalog::PriceBook;
use stepwell_config::{Changes, Loaded, Problem, Settings, Severity, compare};
use stepwell_gateway::{Services, Snapshot};
use stepwell_store::{BoxFuture, Shipper};
use stepwell_telemetry::LogControl;
use stepwell_types::{Code, Failure};

use super::simulator;
use crate::commands::Source;
use crate::price_book;

/// How often the file's content is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the running process was configured with, and how to change it.
pub(super) struct Running {
    pub(super) source: Source,
    pub(super) services: Arc<Services>,
    pub(super) shipper: Arc<Shipper>,
    pub(super) prices: Mutex<Prices>,
    /// The address of the simulator in this process, if it runs.
    pub(super) simulator: Option<String>,
    pub(super) logs: LogControl,
    pub(super) state: Mutex<ConfigState>,
    /// The text last looked at, so that a file with mistakes is not reported every second.
    pub(super) seen: Mutex<String>,
}

/// The price data in force.
#[derive(Clone)]
pub(super) struct Prices {
    pub(super) book: Arc<PriceBook>,
    /// Why the data that was installed is not.
    problem: Option<String>,
}

impl Running {
    /// Looks at the file each second, for as long as the process runs.
    pub(super) async fn watch(self: Arc<Self>) {
        if matches!(self.source, Source::Detected) {
            return;
        }
        let mut every_second = tokio::time::interval(LOOK_EVERY);
        loop {
            every_second.tick().await;
            let text = self.source.text().unwrap_or_default();
            if !text.is_empty() && *self.seen.lock() != text {
                self.reload_and_log();
            }
        }
    }

    /// Reloads, and says in the log what came of it.
    pub(super) fn reload_and_log(&self) {
        match self.reload_now() {
            Ok(changes) if changes.restart_needed.is_empty() => {
                tracing::info!(revision = self.revision(), "configuration reloaded");
            }
            Ok(changes) => tracing::warn!(
                revision = self.revision(),
                restart_needed = changes.restart_needed.join(", "),
                "configuration reloaded, some of it waits for a restart"
            ),
            Err(ReloadRefused::Mistakes(problems)) => {
                for problem in &problems {
                    tracing::error!(
                        code = problem.code,
                        line = problem.line,
                        column = problem.column,
                        message = problem.message,
                        "configuration refused, the old one stays in force"
                    );
                }
            }
            Err(ReloadRefused::Failed(failure)) => {
                tracing::error!(
                    message = failure.message,
                    "configuration not read, the old one stays in force"
                );
            }
        }
    }

    fn revision(&self) -> String {
        self.services.snapshots.load().settings.revision.clone()
    }

    fn reload_now(&self) -> Result<Changes, ReloadRefused> {
        let outcome = self.try_reload();
        self.services.metrics.config_reloaded(outcome.is_ok());
        if let Err(ReloadRefused::Mistakes(problems)) = &outcome {
            let refused = Refused { at: self.services.clock.now(), problems: problems.clone() };
            self.state.lock().refused = Some(refused);
        }
        outcome
    }

    fn try_reload(&self) -> Result<Changes, ReloadRefused> {
        let text = self.source.text().map_err(|error| failed(error.to_string()))?;
        self.seen.lock().clone_from(&text);
        let Loaded { settings, warnings } = self.source.load(&text).map_err(mistakes)?;
        let running = Arc::clone(&self.services.snapshots.load().settings);
        let changes = compare(&running, &settings);
        let settings = settings.keeping(&running);
        let prices = self.prices_now(&settings.data_dir)?;
        let snapshot = snapshot(settings, &prices.book, self.simulator.as_deref()).map_err(failed)?;
        if let Err(error) = self.logs.set_level(&snapshot.settings.log.level) {
            tracing::warn!(%error, "the log level stays as it was");
        }
        self.services.snapshots.store(Arc::new(snapshot));
        self.take(prices);
        *self.state.lock() = ConfigState {
            file: self.file(),
            loaded: self.services.clock.now(),
            warnings,
            restart_needed: changes.restart_needed.clone(),
            refused: None,
        };
        Ok(changes)
    }

    /// The prices to take with a reload: the book in force, with the models it has read, where its data is the same.
    fn prices_now(&self, data_dir: &Path) -> Result<Prices, ReloadRefused> {
        let prices = prices(data_dir).map_err(|failure| failed(failure.to_string()))?;
        let current = Arc::clone(&self.prices.lock().book);
        if current.data() == prices.book.data() {
            return Ok(Prices { book: current, ..prices });
        }
        Ok(prices)
    }

    /// Takes prices as those in force, and says so in the log where they are others.
    fn take(&self, prices: Prices) {
        let mut current = self.prices.lock();
        let (new, old) = (prices.book.data(), current.book.data());
        if new != old {
            let (origin, source) = (new.origin.as_str(), &new.source);
            tracing::info!(origin, %source, date = %new.date, before = %old.date, "other prices are in force");
        }
        *current = prices;
    }

    fn price_status(&self) -> PriceStatus {
        let Prices { book, problem } = self.prices.lock().clone();
        let data = book.data();
        PriceStatus {
            origin: data.origin.as_str(),
            source: data.source.to_string(),
            date: data.date.to_string(),
            sha256: data.sha256.to_string(),
            problem,
        }
    }

    fn file(&self) -> Option<PathBuf> {
        match &self.source {
            Source::File(path) => Some(path.clone()),
            Source::Detected => None,
        }
    }
}

/// The price data of a data directory, which is the embedded where what was installed cannot be used: the log says so.
pub(super) fn prices(data_dir: &Path) -> Result<Prices, crate::commands::Failure> {
    let (book, problem) = price_book::in_force(data_dir)?;
    if let Some(problem) = &problem {
        tracing::warn!(problem, "installed prices are not used");
    }
    Ok(Prices { book, problem })
}

/// Why the text was refused: its errors. Warnings alone would not have refused it.
fn mistakes(mut problems: Vec<Problem>) -> ReloadRefused {
    problems.retain(|problem| problem.severity == Severity::Error);
    ReloadRefused::Mistakes(problems)
}

fn failed(message: String) -> ReloadRefused {
    ReloadRefused::Failed(Failure::new(Code::InternalError, message))
}

/// Makes settings ready to serve.
pub(super) fn snapshot(
    settings: Settings,
    book: &Arc<PriceBook>,
    simulator: Option<&str>,
) -> Result<Snapshot, String> {
    Snapshot::new(Arc::new(settings), Arc::clone(book), |provider| {
        let base_url = simulator.filter(|_| provider.kind.name == simulator::KIND);
        base_url.map(str::to_owned)
    })
    .map_err(|error| error.to_string())
}

/// What is known of settings that were just loaded.
pub(super) fn loaded(source: &Source, at: stepwell_types::Timestamp, warnings: Vec<Problem>) -> ConfigState {
    let file = match source {
        Source::File(path) => Some(path.clone()),
        Source::Detected => None,
    };
    ConfigState { file, loaded: at, warnings, restart_needed: Vec::new(), refused: None }
}

impl Control for Running {
    fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.services.snapshots.load().settings)
    }

    fn config(&self) -> ConfigState {
        self.state.lock().clone()
    }

    fn reload(&self) -> BoxFuture<'_, Result<Changes, ReloadRefused>> {
        Box::pin(async { self.reload_now() })
    }

    fn status(&self) -> Status {
        Status {
            replica: self.services.journal.replica(),
            listen: self.services.snapshots.load().settings.server.listen,
            journal: self.services.journal.status(),
            shipper: self.shipper.status(),
            prices: self.price_status(),
        }
    }

    fn ready(&self) -> Result<(), Failure> {
        self.services.ready()
    }
}
