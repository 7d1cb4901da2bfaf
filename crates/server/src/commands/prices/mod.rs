//! `stepwell prices`: what models cost, and the data that says so.

mod check;
mod compare;
mod diff;
mod show;
mod update;

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use serde::Serialize;
use stepwell_admin::parse_time;
use stepwell_catalog::PriceBook;
use stepwell_config::{ProviderSettings, Settings};
use stepwell_types::{Clock, SystemClock, Timestamp};

use super::Failure;
use crate::cli::PricesCommand;

/// Runs what was typed.
pub(super) fn run(command: &PricesCommand) -> Result<ExitCode, Failure> {
    match command {
        PricesCommand::Show(args) => show::run(args),
        PricesCommand::Check(args) => check::run(args),
        PricesCommand::Diff(args) => diff::run(args),
        PricesCommand::Update(args) => update::run(args),
    }
}

/// Where the prices that the configuration does not set come from.
#[derive(Serialize)]
struct Data {
    origin: &'static str,
    source: String,
    date: String,
    sha256: String,
}

impl Data {
    fn of(book: &PriceBook) -> Self {
        let data = book.data();
        Self {
            origin: data.origin.as_str(),
            source: data.source.to_string(),
            date: data.date.to_string(),
            sha256: data.sha256.to_string(),
        }
    }
}

impl Data {
    /// The same of a file that is only looked at.
    fn of_file(book: &PriceBook) -> Self {
        Self { origin: "file", ..Self::of(book) }
    }
}

impl fmt::Display for Data {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({}), of {}", self.source, self.origin, self.date)
    }
}

/// The targets that the configuration names, in its providers' models and in its routes, each once.
fn targets(settings: &Settings) -> Vec<(&ProviderSettings, &str)> {
    let listed = settings
        .providers
        .values()
        .flat_map(|provider| provider.models.iter().map(move |model| (&*provider.name, model.as_str())));
    let routed = settings.routes.values().flat_map(|route| &route.targets);
    let routed = routed.map(|target| (&*target.provider, &*target.model));
    let named: BTreeSet<(&str, &str)> = listed.chain(routed).collect();
    let known = |(provider, model)| settings.providers.get(provider).map(|provider| (provider, model));
    named.into_iter().filter_map(known).collect()
}

fn now() -> Timestamp {
    SystemClock::new().now()
}

/// The time an `--at` names, else now.
fn time(at: Option<&str>) -> Result<Timestamp, Failure> {
    let now = now();
    at.map_or(Ok(now), |text| parse_time(text, now).map_err(|problem| Failure(format!("--at {problem}"))))
}
