//! Logs on stderr: JSON for programs, or readable lines on a terminal.
//!
//! Set up once by the server. A finished call is one line with its id; bodies and secrets are never logged, since no
//! function here is ever given one.

use std::io;

use stepwell_types::{AttemptRecord, CallRecord, Code, NanoUsd, Outcome};
use tracing::{Subscriber, field};
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, reload};

/// The longest client-written model name in a log line, in characters.
const MAX_MODEL_CHARS: usize = 128;

/// How a log line looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// Readable on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Pretty,
}

/// Which finished calls get a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogPolicy {
    /// Every call.
    All,
    /// Calls that did not end well.
    #[default]
    Failed,
    /// No call.
    None,
}

/// Why logging could not be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The level is none of the known ones, or a `target=level` list is malformed.
    #[error("the log level is not one of off, error, warn, info, debug, trace, or a list of target=level")]
    Level(#[source] ParseError),
    /// Logging was set up before.
    #[error("logging is already set up")]
    AlreadySet(#[source] TryInitError),
    /// Logging has been torn down.
    #[error("logging is no longer running")]
    Gone(#[source] reload::Error),
}

/// Changes the level of running logs.
#[derive(Clone, Debug)]
pub struct LogControl(reload::Handle<Targets, Registry>);

impl LogControl {
    /// Applies a level as [`init_logs`] takes it. On an error the level stays.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        let filter: Targets = level.parse().map_err(LogError::Level)?;
        self.0.reload(filter).map_err(LogError::Gone)
    }
}

/// Sends the process' logs to stderr. `level` is `off`, `error`, `warn`, `info`, `debug`, `trace`, or a list such as
/// `info,stepwell_upstream=debug`. `is_terminal` says whether stderr is one.
///
/// # Errors
/// `Level` if the level cannot be read; `AlreadySet` if logging was set up before.
pub fn init_logs(format: LogFormat, level: &str, is_terminal: bool) -> Result<LogControl, LogError> {
    let (subscriber, control) = subscriber(format, level, is_terminal, io::stderr)?;
    subscriber.try_init().map_err(LogError::AlreadySet)?;
    Ok(control)
}

fn subscriber<W>(
    format: LogFormat,
    level: &str,
    is_terminal: bool,
    writer: W,
) -> Result<(impl Subscriber + Send + Sync + use<W>, LogControl), LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter: Targets = level.parse().map_err(LogError::Level)?;
    let (filter, handle) = reload::Layer::new(filter);
    let json = match format {
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Pretty => false,
    };
    let lines = if json {
        fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer).boxed()
    } else {
        fmt::layer().with_ansi(is_terminal).with_target(false).with_writer(writer).boxed()
    };
    Ok((tracing_subscriber::registry().with(filter).with(lines), LogControl(handle)))
}

/// Logs a finished call, if the policy says so: at `info` if it ended well or its client left, else at `warn`.
///
/// `provider`, `model` and `target_status` are those of the last attempt, tokens and cost those of all attempts; the
/// cost is absent where it is not known.
pub fn log_call(call: &CallRecord, policy: LogPolicy) {
    let failed = call.outcome != Outcome::Ok;
    match policy {
        LogPolicy::None => {}
        LogPolicy::Failed if !failed => {}
        LogPolicy::All | LogPolicy::Failed => write_line(call),
    }
}

macro_rules! line {
    ($level:expr, $call:expr, $text:literal) => {{
        let call: &CallRecord = $call;
        let last = call.attempts.last();
        tracing::event!(
            target: "stepwell::call",
            $level,
            call_id = %call.id,
            endpoint = call.endpoint.as_str(),
            dialect = call.dialect.as_str(),
            streamed = call.streamed,
            requested_model = shortened(&call.requested_model),
            route = call.route.as_deref(),
            provider = last.map(|attempt| &*attempt.target.provider),
            model = last.map(|attempt| &*attempt.target.model),
            attempts = call.attempts.len(),
            status = call.status,
            outcome = call.outcome.as_str(),
            code = call.code.map(Code::as_str),
            duration_us = call.duration_us,
            first_token_us = call.first_token_us,
            input_tokens = sum(call, |attempt| attempt.usage.input_tokens),
            output_tokens = sum(call, |attempt| attempt.usage.output_tokens),
            cost_usd = call.cost().as_ref().map(field::display::<&NanoUsd>),
            losses = call.losses.len(),
            $text
        );
    }};
}

fn write_line(call: &CallRecord) {
    match call.outcome {
        Outcome::Ok => line!(tracing::Level::INFO, call, "call finished"),
        Outcome::Cancelled => line!(tracing::Level::INFO, call, "client went away"),
        Outcome::Failed | Outcome::Cut | Outcome::Unknown => line!(tracing::Level::WARN, call, "call failed"),
    }
}

fn sum(call: &CallRecord, tokens: impl Fn(&AttemptRecord) -> u64) -> u64 {
    call.attempts.iter().map(tokens).fold(0, u64::saturating_add)
}

/// What a client wrote, cut to a bound.
fn shortened(text: &str) -> &str {
    text.char_indices().nth(MAX_MODEL_CHARS).and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

#[cfg(test)]
mod tests;
