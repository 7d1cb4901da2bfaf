//! `stepwell prices diff`: what a file of price data would change.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use stepwell_catalog::{Day, Installed, PriceBook};
use stepwell_types::Timestamp;

use super::compare::{Difference, Scope, differences, table};
use super::{Data, now, time};
use crate::cli::PricesDiffArgs;
use crate::commands::{Failure, GATE_FAILED, settings};
use crate::{output, price_book};

/// What is shown.
#[derive(Serialize)]
struct Shown {
    at: String,
    in_force: Data,
    file: Data,
    changes: Vec<Difference>,
}

pub(super) fn run(args: &PricesDiffArgs) -> Result<ExitCode, Failure> {
    let (_, _, loaded) = settings(&args.config)?;
    let at = time(args.at.as_deref())?;
    let (old, problem) = price_book::in_force(&loaded.settings.data_dir)?;
    if let Some(problem) = problem {
        output::note(format_args!("warning: {problem}"));
    }
    let (_, new) = read(&args.file, args.date.as_deref(), now())?;
    let scope = if args.all { Scope::All } else { Scope::Configured(&loaded.settings) };
    let changes = differences(&old, &new, &scope, at);
    let differs = !changes.is_empty();
    let shown = Shown { at: at.to_rfc3339(), in_force: Data::of(&old), file: Data::of_file(&new), changes };
    if args.json {
        output::result(serde_json::to_string_pretty(&shown).map_err(Failure::new)?);
    } else {
        let Shown { at, in_force, file, changes } = &shown;
        output::result(format_args!("{}\nat {at}; old: {in_force}; new: {file}", table(changes)));
    }
    Ok(if args.exit_code && differs { ExitCode::from(GATE_FAILED) } else { ExitCode::SUCCESS })
}

/// Reads a data file, all of it: what installs it, and the book that it makes. Its day is the one given, else the last up
/// to now that it mentions, else today.
pub(super) fn read(path: &Path, date: Option<&str>, now: Timestamp) -> Result<(String, PriceBook), Failure> {
    let failed = |problem: &dyn std::fmt::Display| Failure(format!("{}: {problem}", path.display()));
    let text = price_book::read(path, PriceBook::MAX_BYTES).map_err(|error| failed(&error))?;
    let today = Day::of(now);
    let date = match date {
        Some(date) => date.parse().map_err(|error| Failure(format!("--date {error}")))?,
        None => Day::last_mentioned(&text, today).unwrap_or(today),
    };
    if date > today {
        return Err(Failure(format!("--date {date} is yet to come")));
    }
    let name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
    Installed::make(&text, &name, date).map_err(|error| failed(&error))
}
