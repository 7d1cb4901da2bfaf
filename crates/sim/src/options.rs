//! What a simulator serves, how fast, at which prices. Data only.

use std::time::Duration;

use crate::{Error, Fault};

/// Prices of one model, in nano-USD per million tokens. Each line item of an attempt costs
/// `(tokens * price + 500_000) / 1_000_000` nano-USD, in `i128`: rounded half up, once per line item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Prices {
    /// Input tokens that were neither read from nor written to the prompt cache.
    pub input: i64,
    /// Input tokens read from the prompt cache.
    pub cache_read: i64,
    /// Input tokens written to the prompt cache for five minutes.
    pub cache_write_5m: i64,
    /// Input tokens written to the prompt cache for an hour.
    pub cache_write_1h: i64,
    /// Output tokens, reasoning included.
    pub output: i64,
}

impl Prices {
    /// The default prices of `small`: 0.15, 0.075, 0.1875, 0.30 and 0.60 USD per million tokens.
    pub const SMALL: Self = Self {
        input: 150_000_000,
        cache_read: 75_000_000,
        cache_write_5m: 187_500_000,
        cache_write_1h: 300_000_000,
        output: 600_000_000,
    };
    /// The default prices of `large`: 3, 0.30, 3.75, 6 and 15 USD per million tokens.
    pub const LARGE: Self = Self {
        input: 3_000_000_000,
        cache_read: 300_000_000,
        cache_write_5m: 3_750_000_000,
        cache_write_1h: 6_000_000_000,
        output: 15_000_000_000,
    };
    /// The default prices of `embed`: 0.02 USD per million tokens of input.
    pub const EMBED: Self =
        Self { input: 20_000_000, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 0 };
}

/// One simulated model.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelOptions {
    /// Its name; it is served as `sim/NAME` as well.
    pub name: String,
    /// What it costs.
    pub prices: Prices,
    /// The most input tokens it takes.
    pub context_tokens: u32,
    /// The most output tokens it makes, and what a request without a limit gets at most. A model that makes none embeds.
    pub max_output_tokens: u32,
}

impl ModelOptions {
    /// `small`: 128,000 tokens in, 16,384 out, at [`Prices::SMALL`].
    pub fn small() -> Self {
        Self {
            name: "small".to_owned(),
            prices: Prices::SMALL,
            context_tokens: 128_000,
            max_output_tokens: 16_384,
        }
    }

    /// `large`: 1,000,000 tokens in, 65,536 out, at [`Prices::LARGE`].
    pub fn large() -> Self {
        Self {
            name: "large".to_owned(),
            prices: Prices::LARGE,
            context_tokens: 1_000_000,
            max_output_tokens: 65_536,
        }
    }

    /// `embed`: vectors for inputs of up to 8,192 tokens, at [`Prices::EMBED`].
    pub fn embed() -> Self {
        Self { name: "embed".to_owned(), prices: Prices::EMBED, context_tokens: 8_192, max_output_tokens: 0 }
    }

    /// Whether it makes vectors, and no replies.
    pub(crate) const fn embeds(&self) -> bool {
        self.max_output_tokens == 0
    }
}

/// How fast and how much a request is answered. Each is overridden per request by the header in its description, or
/// by a directive in the last user text, such as `[[sim:tokens=50 ttft-ms=20]]`, for use behind a gateway.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Timing {
    /// Time to first token. A stream's head and its events before the first content are sent at once.
    /// Header `x-sim-ttft-ms`, directive `ttft-ms`.
    pub ttft: Duration,
    /// Output tokens per second; zero is as fast as possible. Header `x-sim-tps`, directive `tps`.
    pub tokens_per_second: u32,
    /// Time between two content events; zero leaves it to `tokens_per_second`. Header `x-sim-event-ms`,
    /// directive `event-ms`.
    pub per_event: Duration,
    /// Visible output tokens of a text reply, which are also its content events; none is 24 to 55, by the request.
    /// Header `x-sim-tokens`, directive `tokens`. At most the model's `max_output_tokens`.
    pub tokens: Option<u32>,
}

impl Timing {
    /// Time between two content events, if any.
    pub(crate) fn pace(&self) -> Duration {
        if self.per_event > Duration::ZERO {
            return self.per_event;
        }
        match self.tokens_per_second {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        }
    }
}

/// What a simulator serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SimOptions {
    /// The models; default `small`, `large` and `embed`.
    pub models: Vec<ModelOptions>,
    /// How fast and how much; default at once, 24 to 55 tokens.
    pub timing: Timing,
    /// What goes wrong with every request that names no fault of its own; default nothing.
    pub fault: Option<Fault>,
    /// Whether an account is kept; default yes.
    pub oracle: bool,
    /// How many entries the account keeps before it forgets the oldest (about 100 bytes each, and the client's
    /// correlation ids); totals go on. Default 1,000,000.
    pub oracle_entries: usize,
    /// The least tokens of a prompt prefix that is cached; default 1,024, as the vendors' larger models.
    pub cache_min_tokens: u32,
    /// Bytes of events that are gathered into one write when a stream is not paced; default 16 KiB. Zero writes
    /// each event as a chunk of its own.
    pub burst_bytes: usize,
    /// The largest request body taken; default 32 MiB.
    pub max_body_bytes: usize,
    /// The most connections held at once; more wait in the listen queue. Default 16,384.
    pub max_connections: usize,
    /// How long open replies may go on after shutdown is asked for; default 1 s.
    pub drain: Duration,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            models: vec![ModelOptions::small(), ModelOptions::large(), ModelOptions::embed()],
            timing: Timing::default(),
            fault: None,
            oracle: true,
            oracle_entries: 1_000_000,
            cache_min_tokens: 1_024,
            burst_bytes: 16 * 1_024,
            max_body_bytes: 32 * 1_024 * 1_024,
            max_connections: 16_384,
            drain: Duration::from_secs(1),
        }
    }
}

impl SimOptions {
    /// Refuses options that cannot be served.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.models.is_empty() {
            return Err(Error::Options("no models".to_owned()));
        }
        if self.models.len() > usize::from(u16::MAX) {
            return Err(Error::Options("more than 65,535 models".to_owned()));
        }
        for (index, model) in self.models.iter().enumerate() {
            let name = &model.name;
            if name.is_empty()
                || name.starts_with("sim/")
                || !name.bytes().all(|byte| byte.is_ascii_graphic())
            {
                return Err(Error::Options(format!("{name:?} is not a model name")));
            }
            if self.models.iter().take(index).any(|earlier| earlier.name == *name) {
                return Err(Error::Options(format!("model {name} is listed twice")));
            }
            if model.context_tokens == 0 {
                return Err(Error::Options(format!("model {name} takes no tokens")));
            }
        }
        if self.max_connections == 0 || self.oracle_entries == 0 {
            return Err(Error::Options("max_connections and oracle_entries must be positive".to_owned()));
        }
        Ok(())
    }
}
