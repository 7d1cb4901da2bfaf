//! One file per command.

mod bench;
mod check;
mod import;
mod prices;
mod schema;
mod sim;
mod usage;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use stepwell_config::{Environment, Loaded, Problem, ProcessEnvironment};

use crate::cli::{Cli, Command, ConfigArg};
use crate::serve;

/// The file that is read if none is named and it is there.
const USUAL_FILE: &str = "stepwell.toml";

/// The exit code of a check that found what it is there to find.
const GATE_FAILED: u8 = 100;

/// Why a command failed, for the person who typed it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failure(pub(crate) String);

impl Failure {
    pub(crate) fn new(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// Runs what was typed.
pub(crate) fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command {
        None => serve::run(&cli.serve.config),
        Some(Command::Serve(args)) => serve::run(&args.config),
        Some(Command::Check(args)) => check::run(&args),
        Some(Command::Schema) => schema::run(),
        Some(Command::Prices(command)) => prices::run(&command),
        Some(Command::Usage(args)) => usage::run(&args),
        Some(Command::Import(command)) => import::run(&command),
        Some(Command::Sim(args)) => sim::run(&args),
        Some(Command::Bench(args)) => bench::run(&args),
    }
}

/// Where settings come from.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// The environment: there is no file.
    Detected,
}

impl Source {
    /// The file that was named, or the usual one if it is there, or none.
    pub(crate) fn find(arg: &ConfigArg) -> Self {
        match &arg.config {
            Some(path) => Self::File(path.clone()),
            None if Path::new(USUAL_FILE).exists() => Self::File(PathBuf::from(USUAL_FILE)),
            None => Self::Detected,
        }
    }

    /// Its text; empty where there is no file.
    pub(crate) fn text(&self) -> Result<String, Failure> {
        match self {
            Self::Detected => Ok(String::new()),
            Self::File(path) => std::fs::read_to_string(path)
                .map_err(|error| Failure(format!("cannot read the config file {}: {error}", path.display()))),
        }
    }

    /// The settings in `text`, or everything that is wrong with it.
    pub(crate) fn load(&self, text: &str) -> Result<Loaded, Vec<Problem>> {
        let environment: &dyn Environment = &ProcessEnvironment;
        match self {
            Self::Detected => {
                Ok(Loaded { settings: stepwell_config::detect(environment), warnings: Vec::new() })
            }
            Self::File(path) => stepwell_config::load(path, text, environment),
        }
    }
}

/// The settings, or a failure that lists every problem.
pub(crate) fn settings(arg: &ConfigArg) -> Result<(Source, String, Loaded), Failure> {
    let source = Source::find(arg);
    let text = source.text()?;
    let loaded = source.load(&text).map_err(|problems| Failure(report(&problems)))?;
    Ok((source, text, loaded))
}

/// Every problem, and how many there are.
pub(crate) fn report(problems: &[Problem]) -> String {
    let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let count = match problems.len() {
        1 => "1 problem in the configuration".to_owned(),
        count => format!("{count} problems in the configuration"),
    };
    format!("{count}\n\n{}", list.join("\n"))
}
