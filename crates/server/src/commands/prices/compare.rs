//! What differs between two books of prices, rate by rate.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use stepwell_catalog::{Line, ModelPrice, PriceBook, Rate};
use stepwell_config::Settings;
use stepwell_types::Timestamp;

use crate::output;

/// Which of the books' providers and models to compare.
pub(super) enum Scope<'a> {
    /// All.
    All,
    /// Those that providers of these settings are priced by.
    Configured(&'a Settings),
}

impl Scope<'_> {
    /// The providers, in the data's words.
    fn providers<'b>(&self, books: [&'b PriceBook; 2]) -> BTreeSet<&'b str> {
        let all = books.into_iter().flat_map(PriceBook::provider_ids);
        match self {
            Self::All => all.collect(),
            Self::Configured(settings) => {
                let named = settings.providers.values().filter_map(|provider| provider.kind.prices);
                let named: BTreeSet<&str> = named.collect();
                let lend = |id: &str| {
                    let mut lenders =
                        books.into_iter().flat_map(|book| named.iter().map(move |own| (book, own)));
                    lenders.any(|(book, own)| book.fallbacks(own).any(|lender| lender == id))
                };
                all.filter(|id| named.contains(id) || lend(id)).collect()
            }
        }
    }
}

/// What became of a rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Became {
    /// Its whole model is new.
    ModelAdded,
    /// Its whole model is gone: calls to it become unpriced.
    ModelRemoved,
    Added,
    Removed,
    Changed,
    /// Nothing in force at the time asked for: rates at other times, or of service tiers.
    ChangedElsewhere,
}

/// One rate that differs.
#[derive(Debug, Serialize)]
pub(super) struct Difference {
    /// The provider in the data's words.
    pub(super) provider: String,
    /// The model in the data's words.
    pub(super) model: String,
    pub(super) change: Became,
    /// None where no rate in force differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) line: Option<&'static str>,
    /// Only calls with more input tokens than this are charged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) above_input_tokens: Option<u64>,
    /// Dollars per million, in the book in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) old: Option<String>,
    /// Dollars per million, in the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) new: Option<String>,
    /// By how much it changes, with its sign and one place; none from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) percent: Option<String>,
}

/// Every rate in force at a time that differs, by provider and model.
pub(super) fn differences(
    old: &PriceBook,
    new: &PriceBook,
    scope: &Scope<'_>,
    at: Timestamp,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for provider in scope.providers([old, new]) {
        let (before, after) = (models(old, provider), models(new, provider));
        let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
        for model in names {
            let (before, after) = (before.get(model).copied(), after.get(model).copied());
            found.extend(of_model(before, after, at).map(|rate| rate.named(provider, model)));
        }
    }
    found
}

/// A provider's models that have a price. Of two of one name the first counts, as in look-ups.
fn models<'b>(book: &'b PriceBook, provider: &str) -> BTreeMap<&'b str, &'b ModelPrice> {
    let mut models = BTreeMap::new();
    for price in book.prices(provider).filter(|price| !price.is_empty()) {
        models.entry(price.id()).or_insert(price);
    }
    models
}

/// A rate that differs, of a model not named yet.
struct Differs {
    change: Became,
    line: Option<(Line, Option<u64>)>,
    old: Option<Rate>,
    new: Option<Rate>,
}

impl Differs {
    fn named(self, provider: &str, model: &str) -> Difference {
        let percent = self.old.zip(self.new).and_then(|(old, new)| old.change_to(new)).map(percent);
        Difference {
            provider: provider.to_owned(),
            model: model.to_owned(),
            change: self.change,
            line: self.line.map(|(line, _)| line.as_str()),
            above_input_tokens: self.line.and_then(|(_, above)| above),
            old: self.old.map(|rate| rate.to_string()),
            new: self.new.map(|rate| rate.to_string()),
            percent,
        }
    }
}

fn of_model(
    old: Option<&ModelPrice>,
    new: Option<&ModelPrice>,
    at: Timestamp,
) -> impl Iterator<Item = Differs> {
    let rates = |price: Option<&ModelPrice>| -> BTreeMap<(Line, Option<u64>), Rate> {
        price
            .into_iter()
            .flat_map(|price| price.rates(at))
            .map(|rate| ((rate.line, rate.above), rate.rate))
            .collect()
    };
    let (before, after) = (rates(old), rates(new));
    let lines: BTreeSet<_> = before.keys().chain(after.keys()).copied().collect();
    let whole = match (old, new) {
        (None, Some(_)) => Some(Became::ModelAdded),
        (Some(_), None) => Some(Became::ModelRemoved),
        _ => None,
    };
    let mut found = Vec::new();
    for line in lines {
        let (old, new) = (before.get(&line).copied(), after.get(&line).copied());
        let change = match (old, new) {
            _ if old == new => continue,
            (None, _) => Became::Added,
            (_, None) => Became::Removed,
            _ => Became::Changed,
        };
        found.push(Differs { change: whole.unwrap_or(change), line: Some(line), old, new });
    }
    if found.is_empty() && old != new {
        let change = whole.unwrap_or(Became::ChangedElsewhere);
        found.push(Differs { change, line: None, old: None, new: None });
    }
    found.into_iter()
}

/// Tenths of a percent with their sign: `+12.5%`.
fn percent(tenths: i64) -> String {
    let sign = if tenths < 0 { '-' } else { '+' };
    let size = tenths.unsigned_abs();
    format!("{sign}{}.{}%", size / 10, size % 10)
}

/// The differences as a table, and of how many models they are.
pub(super) fn table(differences: &[Difference]) -> String {
    let models: BTreeSet<_> = differences.iter().map(|row| (&row.provider, &row.model)).collect();
    if models.is_empty() {
        return "nothing differs".to_owned();
    }
    let mut rows = vec![["model", "rate", "old", "new", "change"].map(str::to_owned).to_vec()];
    rows.extend(differences.iter().map(cells));
    let left = |column: usize| column < 2 || column == 4;
    format!("{}\n\nUSD per million tokens; models that differ: {}", output::table(&rows, left), models.len())
}

fn cells(row: &Difference) -> Vec<String> {
    let rate = match (row.line, row.above_input_tokens) {
        (None, _) => "-".to_owned(),
        (Some(line), None) => line.to_owned(),
        (Some(line), Some(above)) => format!("{line} above {above}"),
    };
    let shown = |rate: &Option<String>| rate.clone().unwrap_or_else(|| "-".to_owned());
    let change = match row.change {
        Became::ModelAdded => "model added".to_owned(),
        Became::ModelRemoved => "model removed".to_owned(),
        Became::Added => "added".to_owned(),
        Became::Removed => "removed".to_owned(),
        Became::Changed => row.percent.clone().unwrap_or_else(|| "changed".to_owned()),
        Became::ChangedElsewhere => "at other times or service tiers".to_owned(),
    };
    vec![format!("{}/{}", row.provider, row.model), rate, shown(&row.old), shown(&row.new), change]
}
