//! The load generator alone, with the flags of `stepwell bench`, for where there is no `stepwell` yet.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use stepwell_load::{ApiKey, Length, LoadOptions, Loop, Progress};
use stepwell_types::Dialect;

#[derive(Clone, Copy, ValueEnum)]
enum Wire {
    OpenaiChat,
    Anthropic,
    OpenaiResponses,
}

/// Loads a server with AI calls and measures what they take.
#[derive(Parser)]
struct Arguments {
    /// `http://host:port`, or a longer URL to be taken as written.
    url: String,
    /// The wire format.
    #[arg(long, value_enum, default_value = "openai-chat")]
    dialect: Wire,
    /// The model to ask for.
    #[arg(long, default_value = "sim/small")]
    model: String,
    /// The text of the one user message.
    #[arg(long)]
    prompt: Option<String>,
    /// A file to send as the body instead.
    #[arg(long)]
    body: Option<PathBuf>,
    /// The output limit to ask for.
    #[arg(long)]
    max_tokens: Option<u32>,
    /// Ask for a stream.
    #[arg(long)]
    stream: bool,
    /// Connections, and so the most calls in flight.
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Threads that drive them.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Open loop: calls per second.
    #[arg(long)]
    rate: Option<f64>,
    /// Open loop: how many due calls may wait for a free connection.
    #[arg(long, default_value_t = LoadOptions::BACKLOG)]
    backlog: usize,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10.0)]
    duration: f64,
    /// Calls to measure, instead of a duration.
    #[arg(long)]
    calls: Option<u64>,
    /// Seconds of calls before the measurement.
    #[arg(long, default_value_t = 2.0)]
    warmup: f64,
    /// Seconds a call may take.
    #[arg(long, default_value_t = 60.0)]
    timeout: f64,
    /// A header to add, `name: value`.
    #[arg(long = "header")]
    headers: Vec<String>,
    /// A credential, sent as the dialect does.
    #[arg(long)]
    api_key: Option<String>,
    /// A process to measure, with its descendants.
    #[arg(long = "pid")]
    pids: Vec<u32>,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

impl Arguments {
    fn options(self) -> Result<LoadOptions, Box<dyn Error>> {
        let dialect = match self.dialect {
            Wire::OpenaiChat => Dialect::OpenaiChat,
            Wire::Anthropic => Dialect::Anthropic,
            Wire::OpenaiResponses => Dialect::OpenaiResponses,
        };
        let defaults = LoadOptions::new(self.url, dialect, self.model);
        let split = |header: &String| {
            let (name, value) = header.split_once(':').ok_or("a header is written `name: value`")?;
            Ok::<_, &str>((name.trim().to_owned(), value.trim().to_owned()))
        };
        Ok(LoadOptions {
            prompt: self.prompt.unwrap_or(defaults.prompt),
            body: self.body.map(std::fs::read).transpose()?.map(Bytes::from),
            max_tokens: self.max_tokens,
            stream: self.stream,
            mode: self.rate.map_or(Loop::Closed, |rate| Loop::Open { rate, backlog: self.backlog }),
            connections: self.connections,
            threads: self.threads,
            length: match self.calls {
                Some(calls) => Length::Calls(calls),
                None => Length::For(Duration::try_from_secs_f64(self.duration)?),
            },
            warmup: Duration::try_from_secs_f64(self.warmup)?,
            timeout: Duration::try_from_secs_f64(self.timeout)?,
            headers: self.headers.iter().map(split).collect::<Result<_, _>>()?,
            api_key: self.api_key.map(ApiKey::new),
            pids: self.pids,
            ..defaults
        })
    }
}

fn tell(progress: &Progress) {
    // A terminal that is gone is no reason to stop measuring.
    writeln!(std::io::stderr(), "{progress}").unwrap_or_default();
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let report = stepwell_load::run(arguments.options()?, tell).await?;
    let text = if json { serde_json::to_string(&report)? + "\n" } else { report.table() };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
