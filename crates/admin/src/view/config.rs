//! The configuration in force. Credentials are only said to be there or not.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use stepwell_config::{
    AuthMode, Changes, Problem, ProviderSettings, RouteSettings, Settings, Severity, SharedUrl, StoreUrl,
    Strategy,
};
use utoipa::ToSchema;

use crate::state::{ConfigState, Refused};

/// Where the configuration in force came from, and its outline.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ConfigView {
    /// Names the configuration in records: a hash of the file, or `detected`.
    pub revision: String,
    /// The file; null when providers were found in the environment.
    pub file: Option<String>,
    /// When it came into force, RFC 3339.
    pub loaded: String,
    /// Where the journal and the ledger live.
    pub data_dir: String,
    /// Where the data plane listens, as configured.
    pub listen: String,
    /// Where this API listens, as configured.
    pub admin_listen: String,
    /// What keeps the durable truth: `sqlite`.
    pub store: &'static str,
    /// What keeps shared hot state: `memory`.
    pub shared: &'static str,
    /// What a caller has to show: `open`.
    pub auth: &'static str,
    /// What a power loss may take: `strict`, `grouped` or `async`.
    pub durability: &'static str,
    /// The least that is logged.
    pub log_level: String,
    /// How many providers there are.
    pub providers: usize,
    /// How many routes there are.
    pub routes: usize,
    /// What is worth knowing about the file.
    pub warnings: Vec<ProblemView>,
    /// Keys that differ in the file and wait for a restart.
    pub restart_needed: Vec<&'static str>,
    /// The last reload, if it was refused; the configuration in force is older than it.
    pub refused: Option<RefusedView>,
}

impl ConfigView {
    /// The outline of `settings`.
    pub fn new(settings: &Settings, state: &ConfigState) -> Self {
        Self {
            revision: settings.revision.clone(),
            file: state.file.as_ref().map(|file| file.display().to_string()),
            loaded: state.loaded.to_rfc3339(),
            data_dir: settings.data_dir.display().to_string(),
            listen: settings.server.listen.to_string(),
            admin_listen: settings.server.admin_listen.to_string(),
            store: match settings.store.url {
                StoreUrl::Sqlite => "sqlite",
            },
            shared: match settings.shared.url {
                SharedUrl::Memory => "memory",
            },
            auth: match settings.auth.mode {
                AuthMode::Open => "open",
            },
            durability: settings.journal.durability.as_str(),
            log_level: settings.log.level.clone(),
            providers: settings.providers.len(),
            routes: settings.routes.len(),
            warnings: state.warnings.iter().map(ProblemView::from).collect(),
            restart_needed: state.restart_needed.clone(),
            refused: state.refused.as_ref().map(RefusedView::from),
        }
    }
}

/// A reload that was refused.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RefusedView {
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub problems: Vec<ProblemView>,
}

impl From<&Refused> for RefusedView {
    fn from(refused: &Refused) -> Self {
        Self {
            at: refused.at.to_rfc3339(),
            problems: refused.problems.iter().map(ProblemView::from).collect(),
        }
    }
}

/// One mistake or warning in a config file. Never shows a value that may be a secret.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemView {
    /// Which kind, stable.
    pub code: &'static str,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl From<&Problem> for ProblemView {
    fn from(problem: &Problem) -> Self {
        Self {
            code: problem.code,
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

/// A configuration that has just come into force.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReloadView {
    /// Its revision.
    pub revision: String,
    /// What changed at once: `server`, `auth`, `log`, `providers.NAME`, `routes.NAME`.
    pub applied: Vec<String>,
    /// What changed in the file and waits for a restart.
    pub restart_needed: Vec<&'static str>,
    /// What is worth knowing about the file.
    pub warnings: Vec<ProblemView>,
}

impl ReloadView {
    /// What `changes` put in force.
    pub fn new(revision: &str, changes: &Changes, warnings: &[Problem]) -> Self {
        let sections = changes.applied.iter().map(|section| (*section).to_owned());
        let tables = [("providers", &changes.providers), ("routes", &changes.routes)];
        let names = tables.into_iter().flat_map(|(table, names)| {
            let all = names.added.iter().chain(&names.changed).chain(&names.removed);
            all.map(move |name: &Arc<str>| format!("{table}.{name}"))
        });
        Self {
            revision: revision.to_owned(),
            applied: sections.chain(names).collect(),
            restart_needed: changes.restart_needed.clone(),
            warnings: warnings.iter().map(ProblemView::from).collect(),
        }
    }
}

/// A configured provider.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderView {
    /// Its name: the first half of its targets.
    pub name: String,
    /// Its kind in the catalog.
    pub kind: &'static str,
    /// The dialects it speaks; the first is the one that other clients' calls are translated into.
    pub dialects: Vec<&'static str>,
    /// Where it is; null for the simulator in this process.
    pub base_url: Option<String>,
    /// Whether a credential is configured. The credential is never shown.
    pub has_credential: bool,
    /// Names of the headers added to every request. Their values are never shown.
    pub headers: Vec<String>,
    /// Models it is configured with.
    pub models: Vec<String>,
    /// Models it has prices of its own for; `*` is every other.
    pub own_prices: Vec<String>,
    /// The most connections open to it at once.
    pub max_connections: usize,
    /// Milliseconds to open a connection.
    pub connect_timeout_ms: u64,
    /// Milliseconds from the request sent to the reply's first byte.
    pub first_byte_timeout_ms: u64,
    /// Milliseconds between two reads of a reply.
    pub idle_timeout_ms: u64,
    /// Milliseconds for a whole attempt.
    pub total_timeout_ms: u64,
}

impl From<&ProviderSettings> for ProviderView {
    fn from(provider: &ProviderSettings) -> Self {
        Self {
            name: provider.name.to_string(),
            kind: provider.kind.name,
            dialects: provider.faces.iter().map(|face| face.dialect.as_str()).collect(),
            base_url: provider.base_url.clone(),
            has_credential: provider.api_key.is_some(),
            headers: provider.headers.iter().map(|(name, _)| name.clone()).collect(),
            models: provider.models.clone(),
            own_prices: provider.prices.keys().cloned().collect(),
            max_connections: provider.max_connections,
            connect_timeout_ms: millis(provider.timeouts.connect),
            first_byte_timeout_ms: millis(provider.timeouts.first_byte),
            idle_timeout_ms: millis(provider.timeouts.idle),
            total_timeout_ms: millis(provider.timeouts.total),
        }
    }
}

/// A configured route.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RouteView {
    /// Its name: what clients send as `model`.
    pub name: String,
    /// How a target is chosen: `fallback`.
    pub strategy: &'static str,
    /// Where calls go, as `provider/model`.
    pub targets: Vec<String>,
    /// Milliseconds a call may take in all; null for no bound of its own.
    pub timeout_ms: Option<u64>,
    /// Whether a call is refused rather than sent with fields lost.
    pub strict: bool,
    /// The most output tokens taken for a call that names no limit.
    pub max_output_tokens: Option<u64>,
}

impl From<&RouteSettings> for RouteView {
    fn from(route: &RouteSettings) -> Self {
        Self {
            name: route.name.to_string(),
            strategy: match route.strategy {
                Strategy::Fallback => "fallback",
            },
            targets: route.targets.iter().map(ToString::to_string).collect(),
            timeout_ms: route.timeout.map(millis),
            strict: route.strict,
            max_output_tokens: route.max_output_tokens,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
