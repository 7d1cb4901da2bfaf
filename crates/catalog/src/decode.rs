//! The JSON of the price data, read into rate cards. Numbers are taken as text, never as floats.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::card::{Price, RateCard, Tier};
use crate::error::Error;
use crate::line::{Line, PriceKey};
use crate::model::{ModelPrice, Period, Variant};
use crate::period::When;
use crate::rate::Rate;
use crate::rule::{Pattern, Rule};

/// The head of a provider; its models stay unread until somebody asks.
#[derive(Deserialize)]
pub(crate) struct RawProvider<'a> {
    #[serde(borrow)]
    pub(crate) id: Cow<'a, str>,
    #[serde(default, borrow)]
    pub(crate) fallback_model_providers: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    pub(crate) models: &'a RawValue,
}

#[derive(Deserialize)]
struct RawModel<'a> {
    id: String,
    context_window: Option<u64>,
    r#match: RawRule,
    #[serde(borrow)]
    prices: &'a RawValue,
    #[serde(default, borrow)]
    price_variants: Vec<RawVariant<'a>>,
}

#[derive(Deserialize)]
struct RawPeriod<'a> {
    constraint: Option<RawConstraint>,
    #[serde(borrow)]
    prices: RawCard<'a>,
}

#[derive(Deserialize)]
struct RawVariant<'a> {
    when: BTreeMap<Box<str>, Box<str>>,
    constraint: Option<RawConstraint>,
    #[serde(borrow)]
    prices: RawCard<'a>,
}

/// Price key to a number or a [`RawTiered`].
type RawCard<'a> = BTreeMap<&'a str, &'a RawValue>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTiered<'a> {
    #[serde(borrow)]
    base: &'a RawValue,
    #[serde(borrow)]
    tiers: Vec<RawTier<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTier<'a> {
    start: u64,
    #[serde(borrow)]
    price: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConstraint {
    start_date: Option<String>,
    start_time: Option<String>,
    end_time: Option<String>,
}

/// A matching rule: an object with exactly one of these fields.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawRule {
    And(Vec<RawRule>),
    Or(Vec<RawRule>),
    Contains(String),
    EndsWith(String),
    Equals(String),
    StartsWith(String),
    Regex(String),
}

/// A model of the data: which names it is for, and what it costs.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) rule: Rule,
    pub(crate) price: Arc<ModelPrice>,
}

/// Reads the models of one provider, in the order in which their rules are tried.
pub(crate) fn models(text: &str) -> Result<Vec<Model>, Error> {
    let raw: Vec<RawModel<'_>> = serde_json::from_str(text)?;
    raw.into_iter().map(model).collect()
}

/// The first of a provider's models that cannot be read: its name, or its number where it has none, and what is wrong
/// with it. None where none is at fault alone.
pub(crate) fn culprit(text: &str) -> Option<(Option<String>, Error)> {
    /// A model's name alone.
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    let entries: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    entries.into_iter().zip(1_usize..).find_map(|(entry, number)| {
        let read = serde_json::from_str(entry.get()).map_err(Error::from).and_then(model);
        let error = read.err()?;
        let name = serde_json::from_str(entry.get()).map(|named: Named| named.id);
        Some((Some(name.unwrap_or_else(|_| format!("number {number}"))), error))
    })
}

fn model(raw: RawModel<'_>) -> Result<Model, Error> {
    let rule = rule(raw.r#match)?;
    let periods = if raw.prices.get().starts_with('[') {
        serde_json::from_str(raw.prices.get())?
    } else {
        vec![RawPeriod { constraint: None, prices: serde_json::from_str(raw.prices.get())? }]
    };
    let mut periods = periods
        .into_iter()
        .map(|raw| Ok(Period { when: when(raw.constraint)?, card: card(&raw.prices)? }))
        .collect::<Result<Vec<_>, Error>>()?;
    if raw.id.ends_with(FREE_SUFFIX) {
        for period in &mut periods {
            period.card.fill_with_zero();
        }
    }
    let variants = raw
        .price_variants
        .into_iter()
        .map(|raw| {
            let context = raw.when.into_iter().collect();
            Ok(Variant { context, when: when(raw.constraint)?, card: card(&raw.prices)? })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let price = ModelPrice::new(raw.id.into(), raw.context_window, periods, variants);
    Ok(Model { rule, price: Arc::new(price) })
}

/// The data lists OpenRouter's free variants without any price. Any other empty list is a price not known.
/// <https://openrouter.ai/docs/guides/routing/model-variants/free>
const FREE_SUFFIX: &str = ":free";

impl RateCard {
    /// Makes an empty card charge nothing, explicitly.
    fn fill_with_zero(&mut self) {
        if self.is_empty() {
            self.set(Line::Input, Price::flat(Rate::ZERO));
            self.set(Line::Output, Price::flat(Rate::ZERO));
        }
    }
}

fn card(raw: &RawCard<'_>) -> Result<RateCard, Error> {
    let mut card = RateCard::default();
    for (key, value) in raw {
        match PriceKey::from_text(key).ok_or_else(|| Error::PriceKey((*key).to_owned()))? {
            PriceKey::Line(Line::Request) => card.set(Line::Request, price(key, value, 1_000)?),
            PriceKey::Line(line) => card.set(line, price(key, value, 1)?),
            PriceKey::OtherInput => card.other_input.push(price(key, value, 1)?),
            PriceKey::OtherOutput => card.other_output.push(price(key, value, 1)?),
            PriceKey::Fee => {}
        }
    }
    Ok(card)
}

/// A price; `per_million` turns the key's unit into millions.
fn price(key: &str, value: &RawValue, per_million: u128) -> Result<Price, Error> {
    let rate = |number: &RawValue| {
        let text = number.get();
        let rate = text.parse::<Rate>().map(|rate| rate.scaled(per_million));
        rate.map_err(|source| Error::Rate { key: key.to_owned(), text: text.to_owned(), source })
    };
    if !value.get().starts_with('{') {
        return Ok(Price::flat(rate(value)?));
    }
    let raw: RawTiered<'_> = serde_json::from_str(value.get())?;
    let mut tiers = raw
        .tiers
        .iter()
        .map(|tier| Ok(Tier { above: tier.start, rate: rate(tier.price)? }))
        .collect::<Result<Vec<_>, Error>>()?;
    tiers.sort_by_key(|tier| tier.above);
    Ok(Price { base: rate(raw.base)?, tiers: tiers.into() })
}

fn when(raw: Option<RawConstraint>) -> Result<When, Error> {
    match raw {
        None => Ok(When::Always),
        Some(RawConstraint { start_date: Some(date), start_time: None, end_time: None }) => {
            When::from_date(&date)
        }
        Some(RawConstraint { start_date: None, start_time: Some(start), end_time: Some(end) }) => {
            When::from_times(&start, &end)
        }
        Some(_) => Err(Error::Constraint("neither a date nor two times".to_owned())),
    }
}

fn rule(raw: RawRule) -> Result<Rule, Error> {
    let all = |rules: Vec<RawRule>| rules.into_iter().map(rule).collect::<Result<Vec<_>, _>>();
    let lower = |text: String| text.to_lowercase().into_boxed_str();
    Ok(match raw {
        RawRule::And(rules) => Rule::All(all(rules)?),
        RawRule::Or(rules) => Rule::Any(all(rules)?),
        RawRule::Contains(text) => Rule::Contains(lower(text)),
        RawRule::EndsWith(text) => Rule::EndsWith(lower(text)),
        RawRule::Equals(text) => Rule::Equals(lower(text)),
        RawRule::StartsWith(text) => Rule::StartsWith(lower(text)),
        RawRule::Regex(pattern) => Rule::Pattern(Pattern::compile(&pattern)?),
    })
}
