//! Every metric there is: name, kind, unit, labels and help, in one enum.
//!
//! A name is a promise to dashboards and alerts: append, never rename. `docs/metrics.md` is this table in prose and a
//! test compares them. GenAI names follow the OpenTelemetry semantic conventions for generative AI
//! (open-telemetry/semantic-conventions-genai, `docs/gen-ai/gen-ai-metrics.md`) in the spelling that OpenTelemetry's
//! Prometheus exporter gives them.

/// What a metric does over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Only grows while the process lives.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations in buckets.
    Histogram,
}

impl Kind {
    /// Its name in the text exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What a metric's values count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unit {
    /// Seconds on the page, integer microseconds in memory.
    Seconds,
    /// Bytes.
    Bytes,
    /// Tokens in the OpenTelemetry convention: input includes cached, output includes reasoning.
    Tokens,
    /// Billionths of a US dollar.
    NanoUsd,
    /// Things: calls, attempts, frames, files.
    Count,
}

impl Unit {
    /// Its name in the documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seconds => "seconds",
            Self::Bytes => "bytes",
            Self::Tokens => "tokens",
            Self::NanoUsd => "nano-USD",
            Self::Count => "1",
        }
    }
}

/// What the exposition and the documentation say about a metric.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Spec {
    /// Its full name as scraped; a histogram's series add `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// What it does over time.
    pub kind: Kind,
    /// What its values count.
    pub unit: Unit,
    /// Its label names, in order. A label whose value is empty is left out of a series.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

const GEN_AI: &[&str] = &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model"];
const GEN_AI_ERROR: &[&str] =
    &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "error_type"];
const GEN_AI_TOKENS: &[&str] =
    &["gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model", "gen_ai_token_type"];

macro_rules! metrics {
    ($( $variant:ident = $name:literal, $kind:ident, $unit:ident, $labels:expr, $help:literal; )+) => {
        /// A metric by what it measures.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Metric { $( #[doc = $help] $variant, )+ }

        impl Metric {
            /// Every metric, in the order of the page.
            pub const ALL: &[Self] = &[ $( Self::$variant, )+ ];

            /// Its name, kind, unit, labels and help.
            pub const fn spec(self) -> Spec {
                match self {
                    $( Self::$variant => Spec {
                        name: $name, kind: Kind::$kind, unit: Unit::$unit, labels: $labels, help: $help,
                    }, )+
                }
            }
        }
    };
}

metrics! {
    ClientOperationDuration = "gen_ai_client_operation_duration_seconds", Histogram, Seconds, GEN_AI_ERROR,
        "Duration of an attempt at a provider, from its start to its last byte.";
    ClientTimeToFirstChunk = "gen_ai_client_operation_time_to_first_chunk_seconds", Histogram, Seconds, GEN_AI,
        "From the start of a streamed attempt to the first byte of the provider's reply.";
    ClientTokenUsage = "gen_ai_client_token_usage", Histogram, Tokens, GEN_AI_TOKENS,
        "Input and output tokens an attempt was metered with.";
    ServerRequestDuration = "gen_ai_server_request_duration_seconds", Histogram, Seconds, GEN_AI_ERROR,
        "Duration of a call that reached a provider, from its head to its last byte, by its last target.";
    ServerTimeToFirstToken = "gen_ai_server_time_to_first_token_seconds", Histogram, Seconds, GEN_AI,
        "From the head of a successful call to the first content byte sent to its client.";
    ServerTimePerOutputToken = "gen_ai_server_time_per_output_token_seconds", Histogram, Seconds, GEN_AI,
        "Time per output token after the first of a successful streamed call.";

    Calls = "stepwell_calls_total", Counter, Count, &["endpoint", "dialect", "outcome", "code"],
        "Finished calls.";
    CallDuration = "stepwell_call_duration_seconds", Histogram, Seconds, &["endpoint", "dialect", "outcome"],
        "Duration of a call from its head to its last byte, refused calls included.";
    GatewayOverhead = "stepwell_gateway_overhead_seconds", Histogram, Seconds, &["endpoint"],
        "Duration of a call less the durations of its attempts: what Stepwell itself added.";
    StageDuration = "stepwell_stage_seconds", Histogram, Seconds, &["stage"],
        "Time a call spent in a stage.";
    RequestBytes = "stepwell_request_bytes_total", Counter, Bytes, &["endpoint"],
        "Bytes of request bodies.";
    ReplyBytes = "stepwell_reply_bytes_total", Counter, Bytes, &["endpoint"],
        "Bytes of reply bodies.";
    Losses = "stepwell_losses_total", Counter, Count, &["side"],
        "Fields lost in translation between dialects, in the request or the reply.";
    Attempts = "stepwell_attempts_total", Counter, Count, &["provider", "model", "outcome", "code"],
        "Finished attempts at providers.";
    Tokens = "stepwell_tokens_total", Counter, Tokens, &["provider", "model", "kind"],
        "Tokens metered, in the OpenTelemetry convention: input includes cached and audio, output reasoning and audio.";
    Cost = "stepwell_cost_nanousd_total", Counter, NanoUsd, &["provider", "model", "status"],
        "Cost of attempts whose cost is known, by how far it can be trusted.";
    UnpricedAttempts = "stepwell_unpriced_attempts_total", Counter, Count, &["provider", "model"],
        "Attempts at models without a price: their cost is unknown, not zero.";
    LabelsFolded = "stepwell_labels_folded_total", Counter, Count, &[],
        "Attempts counted under the model other since too many models were seen to label each.";

    CallsInFlight = "stepwell_calls_in_flight", Gauge, Count, &[],
        "Calls begun and not finished.";
    StreamsOpen = "stepwell_streams_open", Gauge, Count, &[],
        "Streamed replies being sent.";
    ConnectionsOpen = "stepwell_connections_open", Gauge, Count, &[],
        "Client connections open on the data plane.";
    ConfigReloads = "stepwell_config_reloads_total", Counter, Count, &["result"],
        "Config reloads: applied, or refused with the last good config kept.";

    JournalFrames = "stepwell_journal_frames_total", Counter, Count, &[],
        "Frames appended to the journal.";
    JournalBytes = "stepwell_journal_bytes_total", Counter, Bytes, &[],
        "Bytes appended to the journal.";
    JournalFsyncs = "stepwell_journal_fsyncs_total", Counter, Count, &[],
        "Flushes of the journal to disk.";
    JournalFsyncSeconds = "stepwell_journal_fsync_seconds_total", Counter, Seconds, &[],
        "Time spent flushing the journal to disk.";
    JournalUsedBytes = "stepwell_journal_used_bytes", Gauge, Bytes, &[],
        "Bytes the journal holds on disk.";
    JournalReservedBytes = "stepwell_journal_reserved_bytes", Gauge, Bytes, &[],
        "Bytes of the journal kept free for the ends of open calls.";
    JournalMaxBytes = "stepwell_journal_max_bytes", Gauge, Bytes, &[],
        "The most the journal may hold, reserved bytes included; beyond it calls are refused.";
    JournalOpenCalls = "stepwell_journal_open_calls", Gauge, Count, &[],
        "Calls with an intent in the journal and no end yet.";
    JournalFailed = "stepwell_journal_failed", Gauge, Count, &[],
        "1 once the journal's disk has failed and calls are refused, else 0.";
    ShipperLagBytes = "stepwell_shipper_lag_bytes", Gauge, Bytes, &[],
        "Bytes of the journal not yet in the ledger.";
    ShipperLagSeconds = "stepwell_shipper_lag_seconds", Gauge, Seconds, &[],
        "How long the ledger has not caught up with the journal; 0 when it has.";
    ShipperCalls = "stepwell_shipper_calls_total", Counter, Count, &[],
        "Calls taken from the journal into the ledger.";
    ShipperRecoveredCalls = "stepwell_shipper_recovered_calls_total", Counter, Count, &[],
        "Calls that a killed process had left open, recorded as unknown.";
    ShipperFailures = "stepwell_shipper_failures", Gauge, Count, &[],
        "Tries since the ledger last took a batch; 0 while it takes them.";

    BuildInfo = "stepwell_build_info", Gauge, Count, &["version"],
        "Always 1; its label says which version runs.";
    ProcessStart = "process_start_time_seconds", Gauge, Seconds, &[],
        "When the process began, in seconds since the Unix epoch.";
    ProcessCpu = "process_cpu_seconds_total", Counter, Seconds, &[],
        "User and system CPU time spent.";
    ProcessMemory = "process_resident_memory_bytes", Gauge, Bytes, &[],
        "Resident memory.";
    ProcessOpenFiles = "process_open_fds", Gauge, Count, &[],
        "Open file descriptors.";
}
