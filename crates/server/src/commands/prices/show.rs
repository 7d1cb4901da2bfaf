//! `stepwell prices show`: what models cost, as calls are charged.

use std::process::ExitCode;

use serde::Serialize;
use stepwell_catalog::ModelPrice;
use stepwell_config::{ProviderSettings, Settings};
use stepwell_policy::Pricing;
use stepwell_types::Timestamp;

use super::{Data, time};
use crate::cli::PricesShowArgs;
use crate::commands::{Failure, settings};
use crate::{output, price_book};

/// The rates of the table that most models have; others are named in the last column.
const COLUMNS: [&str; 4] = ["input", "output", "cache_read", "cache_write"];

/// What is shown.
#[derive(Serialize)]
struct Shown {
    at: String,
    data: Data,
    prices: Vec<Row>,
}

/// What a model costs.
#[derive(Serialize)]
struct Row {
    provider: String,
    model: String,
    /// Who sets the price: `config` or `data`. None if nobody does.
    from: Option<&'static str>,
    /// The name the price was found by.
    priced_as: Option<String>,
    context_window: Option<u64>,
    rates: Vec<Rate>,
}

/// A rate for a kind of unit.
#[derive(Serialize)]
struct Rate {
    line: &'static str,
    /// Only calls with more input tokens than this are charged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    above_input_tokens: Option<u64>,
    usd_per_million: String,
}

pub(in crate::commands) fn run(args: &PricesShowArgs) -> Result<ExitCode, Failure> {
    let (_, _, loaded) = settings(&args.config)?;
    let at = time(args.at.as_deref())?;
    let (book, problem) = price_book::in_force(&loaded.settings.data_dir)?;
    if let Some(problem) = problem {
        output::note(format_args!("warning: {problem}"));
    }
    let data = Data::of(&book);
    let pricing = Pricing::new(&loaded.settings, book);
    let mut prices = Vec::new();
    for (provider, model) in models(&loaded.settings, &pricing, &args.targets)? {
        prices.push(row(&pricing, provider, model, at));
    }
    let shown = Shown { at: at.to_rfc3339(), data, prices };
    if args.json {
        output::result(serde_json::to_string_pretty(&shown).map_err(Failure::new)?);
    } else {
        output::result(table(&shown));
    }
    Ok(ExitCode::SUCCESS)
}

/// The models to show: those that `targets` names, or all.
fn models<'a>(
    settings: &'a Settings,
    pricing: &'a Pricing,
    targets: &'a [String],
) -> Result<Vec<(&'a ProviderSettings, &'a str)>, Failure> {
    let of_provider = |provider: &'a ProviderSettings| {
        let own = provider.prices.keys().map(String::as_str).filter(|model| *model != "*");
        let listed: Vec<&str> = pricing.models(provider).collect();
        let own: Vec<&str> = own.filter(|model| !listed.contains(model)).collect();
        own.into_iter().chain(listed).map(move |model| (provider, model))
    };
    if targets.is_empty() {
        return Ok(settings.providers.values().flat_map(of_provider).collect());
    }
    let mut models = Vec::new();
    for target in targets {
        let (name, model) = match target.split_once('/') {
            Some((name, model)) => (name, Some(model)),
            None => (target.as_str(), None),
        };
        let Some(provider) = settings.providers.get(name) else {
            let known: Vec<&str> = settings.providers.keys().map(|name| &**name).collect();
            let message = format!("there is no provider `{name}`; there are: {}", known.join(", "));
            return Err(Failure(message));
        };
        match model {
            Some(model) => models.push((provider, model)),
            None => models.extend(of_provider(provider)),
        }
    }
    Ok(models)
}

fn row(pricing: &Pricing, provider: &ProviderSettings, model: &str, at: Timestamp) -> Row {
    let price = pricing.of(provider, model);
    let from = if pricing.is_own(provider, model) { "config" } else { "data" };
    let rates = price.iter().flat_map(|price| price.rates(at)).map(|listed| Rate {
        line: listed.line.as_str(),
        above_input_tokens: listed.above,
        usd_per_million: listed.rate.to_string(),
    });
    Row {
        provider: provider.name.to_string(),
        model: model.to_owned(),
        rates: rates.collect(),
        from: price.as_ref().map(|_| from),
        context_window: price.as_deref().and_then(ModelPrice::context_window),
        priced_as: price.map(|price| price.id().to_owned()),
    }
}

fn table(shown: &Shown) -> String {
    let heading = ["model"].into_iter().chain(COLUMNS).chain(["context", "from", "besides"]);
    let mut rows = vec![heading.map(str::to_owned).collect::<Vec<_>>()];
    rows.extend(shown.prices.iter().map(cells));
    let data = &shown.data;
    let unpriced = shown.prices.iter().filter(|row| row.from.is_none()).count();
    let hint = match unpriced {
        0 => String::new(),
        count => format!(
            "\n{count} without a price: their calls are recorded as unpriced. \
             Set [providers.NAME.prices.\"MODEL\"] to price them."
        ),
    };
    let table = output::table(&rows, |column| column == 0 || column > COLUMNS.len() + 1);
    format!("{table}\n\nUSD per million tokens at {}. Data: {data}.{hint}", shown.at)
}

fn cells(row: &Row) -> Vec<String> {
    let base =
        |line: &str| row.rates.iter().find(|rate| rate.line == line && rate.above_input_tokens.is_none());
    let mut cells = vec![format!("{}/{}", row.provider, row.model)];
    cells.extend(COLUMNS.map(|line| base(line).map_or("-".to_owned(), |rate| rate.usd_per_million.clone())));
    cells.push(row.context_window.map_or("-".to_owned(), |tokens| tokens.to_string()));
    cells.push(row.from.unwrap_or("unpriced").to_owned());
    let besides = row.rates.iter().filter_map(|rate| match rate.above_input_tokens {
        Some(above) => Some(format!("{} {} above {above}", rate.line, rate.usd_per_million)),
        None if COLUMNS.contains(&rate.line) => None,
        None => Some(format!("{} {}", rate.line, rate.usd_per_million)),
    });
    cells.push(besides.collect::<Vec<_>>().join(", "));
    cells
}
