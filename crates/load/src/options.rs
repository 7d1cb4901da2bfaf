//! What to send, where, how fast and for how long.
//!
//! Plain data: [`crate::run`] checks it before anything is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use stepwell_types::Dialect;

/// A credential. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

impl ApiKey {
    /// Wraps a credential.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(secret.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// When the next call is sent.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Loop {
    /// Each connection sends its next call as soon as its last one has ended. Finds the capacity; hides waiting,
    /// since a slow server is sent fewer calls.
    Closed,
    /// Calls are due at a constant rate, whatever the server does, and their latency counts from when they were due.
    /// Shows what callers who do not wait for each other see.
    Open {
        /// Calls per second.
        rate: f64,
        /// How many due calls may wait for a free connection; those beyond are counted as not sent.
        backlog: usize,
    },
}

/// How much is measured, after the warm-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Length {
    /// Calls due within this time.
    For(Duration),
    /// This many calls.
    Calls(u64),
}

/// One run.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// `http://host:port`, to which the dialect's usual path is added; `…/v1` gets the rest of it; any longer path is
    /// taken as written. TLS is not spoken.
    pub url: String,
    /// The wire format of requests, and of the streams that come back.
    pub dialect: Dialect,
    /// The `model` to ask for.
    pub model: String,
    /// The text of the one user message.
    pub prompt: String,
    /// The output limit to ask for. Anthropic's dialect needs one: 1,024 where none is given.
    pub max_tokens: Option<u32>,
    /// The whole body to send instead of one made from `model`, `prompt`, `max_tokens` and `stream`. `stream` must
    /// still say whether it asks for one.
    pub body: Option<Bytes>,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// When the next call is sent.
    pub mode: Loop,
    /// How many connections, and so the most calls in flight.
    pub connections: usize,
    /// How many threads drive them.
    pub threads: usize,
    /// How much is measured.
    pub length: Length,
    /// Time before the measurement in which calls are sent and not counted.
    pub warmup: Duration,
    /// How long a call may take, connecting included, before it is given up and counted as `timeout`.
    pub timeout: Duration,
    /// Headers to add to each request. They take the place of those the dialect would send.
    pub headers: Vec<(String, String)>,
    /// Sent as the dialect sends its credential.
    pub api_key: Option<ApiKey>,
    /// Processes whose CPU and memory are measured, each with all its descendants. Linux only.
    pub pids: Vec<u32>,
    /// How often progress is told.
    pub progress_every: Duration,
}

impl LoadOptions {
    /// A closed loop of 32 connections for ten seconds after two of warm-up, not streamed, with a short prompt.
    pub fn new(url: impl Into<String>, dialect: Dialect, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            dialect,
            model: model.into(),
            prompt: "Say in one sentence why a stepwell is a good place to draw water.".to_owned(),
            max_tokens: None,
            body: None,
            stream: false,
            mode: Loop::Closed,
            connections: 32,
            threads: 1,
            length: Length::For(Duration::from_secs(10)),
            warmup: Duration::from_secs(2),
            timeout: Duration::from_mins(1),
            headers: Vec::new(),
            api_key: None,
            pids: Vec::new(),
            progress_every: Duration::from_secs(1),
        }
    }

    /// How many due calls may wait where nobody says otherwise.
    pub const BACKLOG: usize = 10_000;

    /// The mistakes that would make a run meaningless, as one sentence.
    pub(crate) fn mistake(&self) -> Option<String> {
        if self.connections == 0 || self.threads == 0 {
            return Some("connections and threads must be at least 1".to_owned());
        }
        if self.timeout.is_zero() || self.progress_every.is_zero() {
            return Some("the timeout and the progress interval must be longer than 0".to_owned());
        }
        match self.length {
            Length::For(time) if time.is_zero() => {
                return Some("the duration must be longer than 0".to_owned());
            }
            Length::Calls(0) => return Some("the number of calls must be at least 1".to_owned()),
            _ => {}
        }
        match self.mode {
            Loop::Open { rate, .. } if !(rate.is_finite() && rate > 0.0 && rate <= 1e9) => {
                Some("the rate must be a number of calls per second above 0".to_owned())
            }
            Loop::Open { backlog: 0, .. } => Some("the backlog must be at least 1".to_owned()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> LoadOptions {
        LoadOptions::new("http://127.0.0.1:1", Dialect::OpenaiChat, "sim/small")
    }

    #[test]
    fn the_defaults_have_no_mistake() {
        assert_eq!(options().mistake(), None);
    }

    #[test]
    fn a_run_that_could_measure_nothing_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let options = LoadOptions { mode: Loop::Open { rate, backlog: 1 }, ..options() };
            assert!(options.mistake().is_some(), "{rate}");
        }
        assert!(LoadOptions { connections: 0, ..options() }.mistake().is_some());
        assert!(LoadOptions { length: Length::Calls(0), ..options() }.mistake().is_some());
        assert!(LoadOptions { length: Length::For(Duration::ZERO), ..options() }.mistake().is_some());
    }

    #[test]
    fn a_credential_is_not_in_the_debug_output() {
        let options = LoadOptions { api_key: Some(ApiKey::new("sw_secret")), ..options() };
        assert!(!format!("{options:?}").contains("sw_secret"));
    }
}
