//! Every model of the data, priced by us and by `genai-prices` itself, at several times and for many usages.
//!
//! That crate works in `f64`, so the two may differ by 5 nano-dollars. Where they differ on purpose, the tests say so
//! case by case:
//! - it charges cache writes for an hour at the rate of other writes where it has no rate for them, we at twice the
//!   input rate (the vendor's rule);
//! - it refuses usage that is both cached and audio in unknown part, we take the dearest reading;
//! - it charges nothing where it has no price, we know no cost then.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use genai_prices::{Calculator, ErrorKind, PriceRequest, UsageKey};
use serde_json::Value;
use stepwell_catalog::{Line, ModelPrice, PriceBook};
use stepwell_types::{CostStatus, NanoUsd, Timestamp, Usage};

const TOLERANCE: i64 = 5;

fn data() -> Vec<Value> {
    serde_json::from_str(include_str!("../../data/prices.json")).unwrap()
}

/// A model of the data.
struct Listed {
    provider: String,
    model: String,
    /// Times on both sides of each change of its prices.
    times: Vec<Timestamp>,
    /// Whether it has rates for special contexts.
    special: bool,
}

/// Every model of the data that we know a price of, with that price.
fn priced() -> impl Iterator<Item = (Listed, Arc<ModelPrice>)> {
    let book = PriceBook::embedded().unwrap();
    let of = |provider: &Value| {
        let id = provider["id"].as_str().unwrap().to_owned();
        let models = provider["models"].as_array().unwrap().clone();
        models.into_iter().map(move |model| Listed {
            provider: id.clone(),
            model: model["id"].as_str().unwrap().to_owned(),
            times: times(&model),
            special: model.get("price_variants").is_some(),
        })
    };
    let listed: Vec<_> = data().iter().flat_map(of).collect();
    listed.into_iter().filter_map(move |listed| {
        let price = book.find(&listed.provider, &listed.model)?;
        Some((listed, price))
    })
}

fn at(time: &str) -> Timestamp {
    Timestamp::from_micros(time.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// A time in force at every price of the data, and around each start and each daily window of this model's.
fn times(model: &Value) -> Vec<Timestamp> {
    fn constraints<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("constraint"));
                fields.values().for_each(|value| constraints(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| constraints(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    constraints(model, &mut found);
    let mut times = vec![at("2027-01-02T12:00:00Z")];
    for constraint in found {
        let edges: Vec<_> = match constraint["start_date"].as_str() {
            Some(day) => vec![at(&format!("{day}T00:00:00Z"))],
            None => ["start_time", "end_time"]
                .iter()
                .flat_map(|edge| ["2026-08-16", "2026-09-09", "2026-11-20"].map(|day| (day, *edge)))
                .map(|(day, edge)| at(&format!("{day}T{}", constraint[edge].as_str().unwrap())))
                .collect(),
        };
        times.extend(edges.into_iter().flat_map(|edge| [edge.minus(Duration::from_micros(1)), edge]));
    }
    times
}

/// Usages without a part that is both cached and audio.
fn usages() -> Vec<Usage> {
    let plain = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let mut usages = vec![
        plain(0, 0),
        plain(1, 1),
        plain(1_234, 567),
        plain(7, 0),
        plain(0, 9),
        Usage { cache_read_tokens: 1_000, reasoning_tokens: 400, ..plain(1_234, 567) },
        Usage { cache_write_5m_tokens: 1_001, ..plain(1_234, 567) },
        Usage { cache_read_tokens: 300, cache_write_5m_tokens: 411, ..plain(1_234, 567) },
        Usage { cache_read_tokens: 1_234, reasoning_tokens: 567, ..plain(1_234, 567) },
        Usage { input_audio_tokens: 777, output_audio_tokens: 333, ..plain(1_234, 567) },
    ];
    // Around every threshold of the data: 32k, 100k, 128k, 200k, 256k, 272k and one less.
    for input in [32_000, 100_000, 128_000, 199_999, 200_000, 256_000, 272_000, 512_000, 1_000_000] {
        usages.push(plain(input, 4_321));
        usages.push(Usage {
            cache_read_tokens: input / 2,
            cache_write_5m_tokens: input / 3,
            ..plain(input + 1, 4_321)
        });
    }
    usages
}

/// What the oracle says a usage costs, `both` tokens of which are audio read from the cache.
fn oracle(
    provider: &str,
    model: &str,
    usage: &Usage,
    both: u64,
    time: Timestamp,
    context: &[(&str, &str)],
) -> Result<(String, i64), ErrorKind> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the oracle works in floats; the counts are far below 2^53"
    )]
    let values = [
        (UsageKey::INPUT_TOKENS, usage.input_tokens as f64),
        (UsageKey::CACHE_READ_TOKENS, usage.cache_read_tokens as f64),
        (UsageKey::CACHE_WRITE_TOKENS, (usage.cache_write_5m_tokens + usage.cache_write_1h_tokens) as f64),
        (UsageKey::CACHE_WRITE_1H_TOKENS, usage.cache_write_1h_tokens as f64),
        (UsageKey::INPUT_AUDIO_TOKENS, usage.input_audio_tokens as f64),
        (UsageKey::CACHE_AUDIO_READ_TOKENS, both as f64),
        (UsageKey::OUTPUT_TOKENS, usage.output_tokens as f64),
        (UsageKey::OUTPUT_REASONING_TOKENS, usage.reasoning_tokens as f64),
        (UsageKey::OUTPUT_AUDIO_TOKENS, usage.output_audio_tokens as f64),
    ];
    let usage = genai_prices::Usage::from(values);
    let time = UNIX_EPOCH + Duration::from_micros(u64::try_from(time.as_micros()).unwrap());
    let mut request = PriceRequest::new(model, &usage).with_provider_id(provider).with_timestamp(time);
    for (name, value) in context {
        request = request.with_price_context(name, value);
    }
    let priced = Calculator::bundled().calculate(&request).map_err(|error| error.kind())?;
    #[expect(clippy::cast_possible_truncation, reason = "rounded and far below 2^53")]
    let nanos = (priced.total_price * 1e9).round() as i64;
    Ok((priced.model_id, nanos))
}

fn close(ours: Option<NanoUsd>, theirs: i64) -> bool {
    ours.is_some_and(|ours| (ours.as_nanos() - theirs).abs() <= TOLERANCE)
}

#[test]
fn every_model_costs_what_the_oracle_says_at_every_time() {
    let usages = usages();
    let mut compared = 0;
    for (Listed { provider, model, times, .. }, price) in priced() {
        for (time, usage) in times.iter().flat_map(|time| usages.iter().map(move |usage| (time, usage))) {
            let ours = price.cost(usage, *time);
            let (id, theirs) = oracle(&provider, &model, usage, 0, *time, &[]).unwrap();
            assert_eq!(price.id(), id);
            match ours.status {
                CostStatus::Exact => {
                    assert!(
                        close(ours.total, theirs),
                        "{provider}/{model} {usage:?} {time:?}: {ours:?} {theirs}"
                    );
                    compared += 1;
                }
                // Tokens without a price: the oracle leaves them out of its sum, we have no sum.
                CostStatus::Unpriced => assert_eq!(ours.total, None),
                status => panic!("{provider}/{model} {usage:?}: {status:?}"),
            }
        }
    }
    assert!(compared > 50_000, "{compared}");
}

#[test]
fn special_contexts_cost_what_the_oracle_says() {
    let contexts: [&[(&str, &str)]; 9] = [
        &[("service_tier", "default")],
        &[("service_tier", "flex")],
        &[("service_tier", "priority")],
        &[("service_tier", "fast")],
        &[("processing", "batch")],
        &[("service_tier", "flex"), ("service_tier", "priority")],
        &[("service_tier", "priority"), ("processing", "batch")],
        &[("route", "mistral/eu")],
        &[("service_tier", "no such tier")],
    ];
    let usage = Usage {
        input_tokens: 300_000,
        cache_read_tokens: 100_001,
        cache_write_5m_tokens: 50_003,
        output_tokens: 777,
        ..Usage::default()
    };
    let mut different = 0;
    for (Listed { provider, model, times, special }, price) in priced() {
        let contexts = if special { &contexts[..] } else { &contexts[2..3] };
        for (time, context) in
            times.iter().flat_map(|time| contexts.iter().map(move |context| (*time, context)))
        {
            let ours = price.cost_in(&usage, time, context);
            let (_, theirs) = oracle(&provider, &model, &usage, 0, time, context).unwrap();
            assert!(
                ours.total.is_none() || close(ours.total, theirs),
                "{provider}/{model} {context:?}: {ours:?} {theirs}"
            );
            different += usize::from(ours != price.cost(&usage, time));
        }
    }
    assert!(different > 500, "{different}");
}

#[test]
fn writes_for_an_hour_cost_the_oracles_rate_or_twice_the_input_rate() {
    let write = |hour| Usage {
        input_tokens: 300_000,
        cache_write_5m_tokens: 250_000 - hour,
        cache_write_1h_tokens: hour,
        ..Usage::default()
    };
    let plain = Usage { input_tokens: 300_000, ..Usage::default() };
    let time = at("2026-11-20T12:00:00Z");
    let mut differ = BTreeSet::new();
    for (Listed { provider, model, .. }, price) in priced() {
        let ours = price.cost(&write(100_000), time);
        let (_, theirs) = oracle(&provider, &model, &write(100_000), 0, time, &[]).unwrap();
        if ours.status == CostStatus::Unpriced || close(ours.total, theirs) {
            continue;
        }
        differ.insert(provider.clone());
        let (_, input) = oracle(&provider, &model, &plain, 0, time, &[]).unwrap();
        assert_eq!(ours.line(Line::CacheWriteHour).as_nanos(), input * 2 / 3, "{provider}/{model}");
    }
    // Resellers and other clouds, whose 1-hour rate the data does not have, and vendors that have no such writes.
    assert_eq!(
        differ.into_iter().collect::<Vec<_>>(),
        ["aws", "github-copilot", "google", "minimax", "openai", "openrouter", "quicksilverpro"]
    );
}

#[test]
fn audio_in_the_cache_costs_the_dearest_reading_of_the_oracle() {
    let time = at("2026-11-20T12:00:00Z");
    let usage = Usage {
        input_tokens: 1_000,
        cache_read_tokens: 700,
        input_audio_tokens: 600,
        output_tokens: 10,
        ..Usage::default()
    };
    let mut ambiguous = BTreeSet::new();
    for (Listed { provider, model, .. }, price) in priced() {
        let ours = price.cost(&usage, time);
        if ours.status == CostStatus::Unpriced {
            continue;
        }
        // At least 300 tokens must be both; at most 600 can be.
        let readings = [300, 600].map(|both| oracle(&provider, &model, &usage, both, time, &[]).unwrap().1);
        let dearest = readings.into_iter().max().unwrap();
        if price.cost(&usage, time).status == CostStatus::Estimated {
            assert!(close(ours.total, dearest), "{provider}/{model}: {ours:?} {readings:?}");
            ambiguous.insert(provider);
        } else if ours.line(Line::InputAudio) == NanoUsd::ZERO {
            assert!(close(ours.total, dearest), "{provider}/{model}: {ours:?} {readings:?}");
        }
    }
    assert_eq!(ambiguous.into_iter().collect::<Vec<_>>(), ["google", "openai"]);
}

#[test]
fn every_name_the_data_mentions_finds_the_model_the_oracle_finds() {
    let book = PriceBook::embedded().unwrap();
    let usage = Usage::default();
    let time = at("2026-11-20T12:00:00Z");
    let mut names = 0;
    for provider in data() {
        let id = provider["id"].as_str().unwrap();
        for name in mentioned(&provider["models"]) {
            let variations = [
                name.clone(),
                name.to_uppercase(),
                format!("{name}-20260715"),
                format!("{name}-2026-07-15"),
                format!("{name}-latest"),
                format!("x{name}"),
            ];
            for name in variations {
                let ours = book.find(id, &name).map(|price| price.id().to_owned());
                let theirs = oracle(id, &name, &usage, 0, time, &[]).map(|(id, _)| id);
                match (ours, theirs) {
                    (Some(ours), Ok(theirs)) => assert_eq!(ours, theirs, "{id}/{name}"),
                    (None, Err(kind)) => assert_eq!(kind, ErrorKind::ModelNotFound, "{id}/{name}"),
                    // A model without any rate: the oracle's sum is zero, we have no price.
                    (None, Ok(theirs)) => assert!(has_no_rate(&provider, &theirs), "{id}/{name}"),
                    (Some(ours), Err(kind)) => panic!("{id}/{name}: {ours}, {kind:?}"),
                }
                names += 1;
            }
        }
    }
    assert!(names > 20_000, "{names}");
}

/// Every literal in the matching rules of models, and their ids.
fn mentioned(models: &Value) -> BTreeSet<String> {
    fn literals(rule: &Value, names: &mut BTreeSet<String>) {
        for (operation, argument) in rule.as_object().unwrap() {
            match argument {
                Value::Array(rules) => rules.iter().for_each(|rule| literals(rule, names)),
                // A pattern is turned into a name it is likely to match: digits for classes, no anchors.
                Value::String(pattern) if operation == "regex" => {
                    let digits = pattern.replace(r"\d{8}", "20260715").replace(r"\d{4}", "2026");
                    let digits = digits.replace(r"\d{2}", "07").replace(r"\d", "7");
                    names.insert(digits.replace(['^', '$', '\\'], "").replace("[-@]", "@"));
                }
                argument => {
                    names.insert(argument.as_str().unwrap().to_owned());
                }
            }
        }
    }
    let mut names = BTreeSet::new();
    for model in models.as_array().unwrap() {
        names.insert(model["id"].as_str().unwrap().to_owned());
        literals(&model["match"], &mut names);
    }
    names
}

/// Whether a model of the provider, or of one of its fallbacks, has no rate that is charged by tokens or requests.
fn has_no_rate(provider: &Value, model: &str) -> bool {
    let book = PriceBook::embedded().unwrap();
    let listed = provider["models"].as_array().unwrap().iter().find(|listed| listed["id"] == model);
    let by_unit = |key: &String| key.ends_with("_mtok") || key == "requests_kcount";
    match listed.map(|listed| &listed["prices"]) {
        Some(Value::Object(prices)) => !prices.keys().any(by_unit),
        Some(Value::Array(periods)) => {
            periods.iter().all(|period| !period["prices"].as_object().unwrap().keys().any(by_unit))
        }
        _ => {
            let fallbacks = provider["fallback_model_providers"].as_array().unwrap();
            fallbacks.iter().all(|fallback| book.find(fallback.as_str().unwrap(), model).is_none())
        }
    }
}

#[test]
fn only_what_is_named_free_is_free() {
    let usage = Usage { input_tokens: 1_000, output_tokens: 1_000, ..Usage::default() };
    let mut free = 0;
    for (Listed { provider, model, .. }, price) in priced() {
        let is_free = price.cost(&usage, at("2026-11-20T12:00:00Z")).total == Some(NanoUsd::ZERO);
        assert_eq!(is_free, model.ends_with(":free"), "{provider}/{model}");
        free += usize::from(is_free);
    }
    assert!(free > 100, "{free}");
}
