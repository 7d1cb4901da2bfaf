//! `stepwell prices update`: puts newer price data in force, or the binary's own again.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use stepwell_catalog::PriceBook;
use stepwell_config::Settings;

use super::compare::{Difference, Scope, differences, table};
use super::{Data, diff, now, targets};
use crate::cli::PricesUpdateArgs;
use crate::commands::{Failure, settings};
use crate::{output, price_book};

/// What is shown.
#[derive(Serialize)]
struct Shown {
    /// Whether what is in force differs from what was.
    updated: bool,
    was: Data,
    in_force: Data,
    /// What an installed file that could not be used had wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_problem: Option<String>,
    changes: Vec<Difference>,
}

/// How a running server comes to use it.
const NEXT: &str = "A running server takes it with its next reload: SIGHUP, or POST /admin/v1/config:reload. \
    Costs that are in the ledger stay as they are.";

pub(super) fn run(args: &PricesUpdateArgs) -> Result<ExitCode, Failure> {
    let (_, _, loaded) = settings(&args.config)?;
    let settings = &loaded.settings;
    let data_dir = &settings.data_dir;
    let now = now();
    let (old, replaced_problem) = price_book::in_force(data_dir)?;
    let new = if let Some(path) = &args.file {
        let (file, new) = diff::read(path, args.date.as_deref(), now)?;
        if !args.force {
            refuse(settings, &old, &new)?;
        }
        price_book::install(data_dir, &file).map_err(|error| failed(data_dir, &error))?;
        new
    } else {
        price_book::remove(data_dir).map_err(|error| failed(data_dir, &error))?;
        PriceBook::embedded().map_err(Failure::new)?
    };
    let changes = differences(&old, &new, &Scope::Configured(settings), now);
    let updated = old.data() != new.data();
    let shown = Shown { updated, was: Data::of(&old), in_force: Data::of(&new), replaced_problem, changes };
    if args.json {
        output::result(serde_json::to_string_pretty(&shown).map_err(Failure::new)?);
    } else {
        output::result(text(&shown));
    }
    Ok(ExitCode::SUCCESS)
}

fn text(shown: &Shown) -> String {
    let Shown { updated, was, in_force, replaced_problem, changes } = shown;
    let problem = replaced_problem.as_ref().map(|problem| format!("before: {problem}\n")).unwrap_or_default();
    let said = if *updated {
        format!("in force: {in_force}, sha256 {}; before: {was}\n{NEXT}", in_force.sha256)
    } else {
        format!("in force as before: {in_force}, sha256 {}", in_force.sha256)
    };
    format!("{}\n{problem}{said}", table(changes))
}

fn failed(data_dir: &Path, error: &std::io::Error) -> Failure {
    Failure(format!("cannot write {}: {error}", price_book::path(data_dir).display()))
}

/// Why data that can be read is most likely not what was meant.
fn refuse(settings: &Settings, old: &PriceBook, new: &PriceBook) -> Result<(), Failure> {
    let count = |book: &PriceBook| book.provider_ids().map(|id| book.prices(id).count()).sum::<usize>();
    let (had, has) = (count(old), count(new));
    if has < had.div_ceil(2) {
        return doubt(format_args!("it has {has} models, fewer than half of the {had} in force"));
    }
    let (was, is) = (old.data(), new.data());
    if is.day() < was.day() {
        return doubt(format_args!("it is of {}, older than the data in force, of {}", is.date, was.date));
    }
    let lost: Vec<String> = targets(settings)
        .into_iter()
        .filter_map(|(provider, model)| {
            let (data, name) = (provider.kind.prices?, &provider.name);
            let is_own = provider.prices.contains_key(model) || provider.prices.contains_key("*");
            let is_lost = !is_own && old.find(data, model).is_some() && new.find(data, model).is_none();
            is_lost.then(|| format!("{name}/{model}"))
        })
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    doubt(format_args!("it has no price any more for what the configuration names: {}", lost.join(", ")))
}

fn doubt(reason: std::fmt::Arguments<'_>) -> Result<(), Failure> {
    Err(Failure(format!("not installed: {reason}. --force installs it all the same")))
}
