//! The command line. `docs/` names every command; exit codes are 0 ok, 1 error, 2 usage, 100 a gate
//! failed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// One binary between your product and every AI model it uses.
///
/// Without a command it serves. Without a config file it serves every provider whose usual key is in the environment,
/// and a simulator.
#[derive(Parser, Debug)]
#[command(name = "stepwell", version, disable_help_subcommand = true, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve the API (the default).
    Serve(ServeArgs),
    /// Check a config file and report every mistake in it.
    Check(CheckArgs),
    /// Print the JSON schema of the config file.
    Schema,
    /// Show what models cost, and keep it up to date.
    #[command(subcommand)]
    Prices(PricesCommand),
    /// Show calls, tokens and cost, grouped as you like.
    Usage(UsageArgs),
    /// Make a config file from another gateway's, and say what does not come along.
    #[command(subcommand)]
    Import(ImportCommand),
    /// Serve a provider that is only simulated: for trying things, load tests and game days.
    Sim(SimArgs),
    /// Put load on a server and measure it.
    Bench(BenchArgs),
}

#[derive(Args, Debug, Clone)]
pub(crate) struct ConfigArg {
    /// The config file [default: stepwell.toml, if it is there]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug, Clone)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum PricesCommand {
    /// Show the rates that calls are charged at, per million tokens.
    Show(PricesShowArgs),
    /// Check that every target the configuration names has a price, and how old the prices are.
    ///
    /// The exit code is 100 where a target has none.
    Check(PricesCheckArgs),
    /// Show what a newer file of price data would change.
    Diff(PricesDiffArgs),
    /// Put a newer file of price data in force.
    ///
    /// Everything in it is checked first. A running server takes it with its next reload; costs in the ledger stay.
    Update(PricesUpdateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct PricesCheckArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The age in days from which the prices are warned about.
    #[arg(long, value_name = "DAYS", default_value_t = 60)]
    pub(crate) max_age_days: u32,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PricesDiffArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The data: `prices.json` of a release of genai-prices.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Every provider of the data, not only those that are configured.
    #[arg(long)]
    pub(crate) all: bool,
    /// The rates in force at this time (RFC 3339), or so long ago (24h, 7d) [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// The day the data is of, YYYY-MM-DD [default: the last until today that it mentions]
    #[arg(long, value_name = "DAY")]
    pub(crate) date: Option<String>,
    /// Exit with 100 where anything differs.
    #[arg(long)]
    pub(crate) exit_code: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PricesUpdateArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// The data: `prices.json` of a release of genai-prices.
    #[arg(value_name = "FILE", required_unless_present = "embedded")]
    pub(crate) file: Option<PathBuf>,
    /// Go back to the data in the binary.
    #[arg(long, conflicts_with_all = ["file", "date", "force"])]
    pub(crate) embedded: bool,
    /// The day the data is of, YYYY-MM-DD [default: the last until today that it mentions]
    #[arg(long, value_name = "DAY")]
    pub(crate) date: Option<String>,
    /// Install it even if it is older, has fewer than half of the models, or none for a target that is configured.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct PricesShowArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// `provider/model`, or a provider for all of its models [default: every model of every provider]
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The rates in force at this time (RFC 3339), or so long ago (24h, 7d) [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum ImportCommand {
    /// From the config.yaml of LiteLLM's proxy.
    Litellm(ImportArgs),
    /// From the JSON config of Portkey's gateway.
    Portkey(ImportPortkeyArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// The file to read; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub(crate) source: PathBuf,
    /// The file to write; `-` is standard output.
    #[arg(long, value_name = "FILE", default_value = "stepwell.toml")]
    pub(crate) out: PathBuf,
    /// Write over a file that is there.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the report as JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct ImportPortkeyArgs {
    #[command(flatten)]
    pub(crate) import: ImportArgs,
    /// The name of the route: what clients are to send as their model.
    #[arg(long, value_name = "NAME", default_value = "chat")]
    pub(crate) route: String,
    /// The model of targets that name none: Portkey's clients send one with each call.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct UsageArgs {
    #[command(flatten)]
    pub(crate) config: ConfigArg,
    /// What to group by: `provider`, `model`, `route`, `requested_model`, `endpoint`, `dialect`, `outcome`, `project`,
    /// or a tag's name.
    #[arg(long, value_delimiter = ',', default_value = "provider,model", value_name = "DIMENSIONS")]
    pub(crate) by: Vec<String>,
    /// From when: a time (RFC 3339) or a duration back from now (15m, 24h, 7d).
    #[arg(long, default_value = "24h")]
    pub(crate) since: String,
    /// Until when, likewise [default: now]
    #[arg(long)]
    pub(crate) until: Option<String>,
    /// Split by minute, hour or day.
    #[arg(long)]
    pub(crate) step: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Debug)]
pub(crate) struct SimArgs {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:7090")]
    pub(crate) listen: SocketAddr,
    /// Time to the first token, in milliseconds.
    #[arg(long, default_value_t = 0)]
    pub(crate) ttft_ms: u64,
    /// Output tokens per second of a stream; 0 is as fast as possible.
    #[arg(long, default_value_t = 0)]
    pub(crate) tps: u32,
    /// Time between two events of a stream, in milliseconds; 0 leaves it to --tps.
    #[arg(long, default_value_t = 0)]
    pub(crate) event_ms: u64,
    /// Output tokens of every text reply [default: by the request]
    #[arg(long)]
    pub(crate) tokens: Option<u32>,
    /// What goes wrong with every request that names no fault of its own, as in `cut at=3`.
    #[arg(long, value_name = "FAULT")]
    pub(crate) fault: Option<String>,
    /// Keep no account of what was served (GET /sim/oracle): for long load tests.
    #[arg(long)]
    pub(crate) no_oracle: bool,
    /// Bytes of events gathered into one chunk of a stream that is not paced; 0 makes each event a chunk of its own.
    #[arg(long, default_value_t = 16_384)]
    pub(crate) burst_bytes: usize,
    /// Threads to serve with.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum BenchDialect {
    /// OpenAI chat completions.
    #[value(alias = "openai")]
    OpenaiChat,
    /// Anthropic messages.
    Anthropic,
    /// OpenAI responses.
    OpenaiResponses,
    /// Google's `generateContent`.
    Gemini,
    /// Cohere's chat, version 2.
    Cohere,
}

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// The server: `http://host:port`, to which the dialect's path is added.
    #[arg(default_value = "http://127.0.0.1:7070")]
    pub(crate) url: String,
    /// The wire format.
    #[arg(long, value_enum, default_value = "openai-chat")]
    pub(crate) dialect: BenchDialect,
    /// The model to ask for.
    #[arg(long, default_value = "sim/small")]
    pub(crate) model: String,
    /// The text of the one user message.
    #[arg(long)]
    pub(crate) prompt: Option<String>,
    /// A file with the whole request body, in place of one made from model and prompt.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prompt", "max_tokens"])]
    pub(crate) body: Option<PathBuf>,
    /// The output limit to ask for.
    #[arg(long)]
    pub(crate) max_tokens: Option<u32>,
    /// Ask for streams.
    #[arg(long)]
    pub(crate) stream: bool,
    /// Calls per second, whatever the server does (open loop: latency counts from when a call was due). Without it
    /// each connection sends its next call when its last one has ended (closed loop).
    #[arg(long, value_name = "PER_SECOND")]
    pub(crate) rate: Option<f64>,
    /// How many due calls may wait for a free connection; those beyond are counted as not sent.
    #[arg(long, default_value_t = stepwell_load::LoadOptions::BACKLOG, requires = "rate")]
    pub(crate) backlog: usize,
    /// Connections, and so the most calls in flight.
    #[arg(long, short = 'n', default_value_t = 32)]
    pub(crate) connections: usize,
    /// Threads that drive them.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
    /// How long to measure, in seconds.
    #[arg(long, default_value_t = 10.0, conflicts_with = "calls")]
    pub(crate) duration: f64,
    /// How many calls to measure, in place of a time.
    #[arg(long)]
    pub(crate) calls: Option<u64>,
    /// Seconds of load before the measurement.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) warmup: f64,
    /// Seconds after which a call is given up.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) timeout: f64,
    /// A header to add to each request, as `name: value`. May be given several times.
    #[arg(long, short = 'H', value_name = "HEADER")]
    pub(crate) header: Vec<String>,
    /// The key to send. `env:NAME` reads it from the environment: other users of the machine can see arguments.
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// A process whose CPU and memory to measure, with its descendants. May be given several times.
    #[arg(long)]
    pub(crate) pid: Vec<u32>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
