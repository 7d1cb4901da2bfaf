//! `stepwell bench`: load, and what it was like.

use std::process::ExitCode;
use std::time::Duration;

use stepwell_config::{Environment, ProcessEnvironment};
use stepwell_load::{ApiKey, Length, LoadOptions, Loop, Progress};
use stepwell_types::Dialect;

use super::Failure;
use crate::cli::{BenchArgs, BenchDialect};
use crate::output;

pub(super) fn run(args: &BenchArgs) -> Result<ExitCode, Failure> {
    let options = options(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::new)?;
    let quiet = args.json;
    let report = runtime
        .block_on(stepwell_load::run(options, move |progress: &Progress| {
            if !quiet {
                output::note(progress);
            }
        }))
        .map_err(Failure::new)?;
    if args.json {
        output::result(serde_json::to_string_pretty(&report).map_err(Failure::new)?);
    } else {
        output::result(report.table());
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn options(args: &BenchArgs) -> Result<LoadOptions, Failure> {
    let dialect = match args.dialect {
        BenchDialect::OpenaiChat => Dialect::OpenaiChat,
        BenchDialect::Anthropic => Dialect::Anthropic,
        BenchDialect::OpenaiResponses => Dialect::OpenaiResponses,
        BenchDialect::Gemini => Dialect::Gemini,
        BenchDialect::Cohere => Dialect::Cohere,
    };
    let mut options = LoadOptions::new(args.url.clone(), dialect, args.model.clone());
    if let Some(prompt) = &args.prompt {
        options.prompt.clone_from(prompt);
    }
    if let Some(path) = &args.body {
        let body = std::fs::read(path)
            .map_err(|error| Failure(format!("cannot read the body file {}: {error}", path.display())))?;
        options.body = Some(body.into());
    }
    options.max_tokens = args.max_tokens;
    options.stream = args.stream;
    if let Some(rate) = args.rate {
        options.mode = Loop::Open { rate, backlog: args.backlog };
    }
    options.connections = args.connections;
    options.threads = args.threads;
    options.length = match args.calls {
        Some(calls) => Length::Calls(calls),
        None => Length::For(seconds("--duration", args.duration)?),
    };
    options.warmup = seconds("--warmup", args.warmup)?;
    options.timeout = seconds("--timeout", args.timeout)?;
    for header in &args.header {
        let Some((name, value)) = header.split_once(':') else {
            return Err(Failure(format!("--header `{header}` is not written `name: value`")));
        };
        options.headers.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    if let Some(key) = &args.api_key {
        options.api_key = Some(ApiKey::new(api_key(key)?));
    }
    options.pids.clone_from(&args.pid);
    Ok(options)
}

/// The key itself, or the variable it is in.
fn api_key(text: &str) -> Result<String, Failure> {
    let Some(name) = text.strip_prefix("env:") else { return Ok(text.to_owned()) };
    ProcessEnvironment.var(name).ok_or_else(|| Failure(format!("the environment has no variable {name}")))
}

fn seconds(flag: &str, seconds: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(seconds)
        .map_err(|_| Failure(format!("{flag} {seconds} is not a number of seconds")))
}
