//! `[providers.NAME.prices.MODEL]`: prices of one's own, read from their decimal text without a float.

use stepwell_catalog::{OwnPrice, Rate};
use toml::de::DeValue;

use crate::key::{Key, Keys, Shape};
use crate::report::{Report, quoted};
use crate::section::{Section, wrong_type};

/// The highest price taken, in US dollars per million tokens: a dollar a token is a slip of the keyboard.
const HIGHEST: &str = "1000000";

const INPUT: Key =
    Key { name: "input", shape: Shape::Price, default: None, doc: "Per million input tokens. Required." };
const OUTPUT: Key =
    Key { name: "output", shape: Shape::Price, default: None, doc: "Per million output tokens. Required." };
const CACHE_READ: Key = Key {
    name: "cache_read",
    shape: Shape::Price,
    default: None,
    doc: "Per million input tokens read from the provider's prompt cache. Without it, as input.",
};
const CACHE_WRITE: Key = Key {
    name: "cache_write",
    shape: Shape::Price,
    default: None,
    doc: "Per million input tokens written to the provider's prompt cache. Without it, as input.",
};

/// The keys of one model's prices.
pub(crate) const KEYS: Keys = Keys {
    doc: "What one model costs, in US dollars per million tokens; the name \"*\" stands for every model without one.",
    known: &[INPUT, OUTPUT, CACHE_READ, CACHE_WRITE],
    required: &["input", "output"],
    later: &["per_request", "per_gpu_hour"],
};

/// Reads one model's prices.
pub(crate) fn read(section: &Section<'_, '_>, report: &mut Report<'_>) -> Option<OwnPrice> {
    let input = required(section, &INPUT, report);
    let output = required(section, &OUTPUT, report);
    let cache_read = price(section, &CACHE_READ, report);
    let cache_write = price(section, &CACHE_WRITE, report);
    Some(OwnPrice { input: input?, output: output?, cache_read, cache_write })
}

fn required(section: &Section<'_, '_>, key: &Key, report: &mut Report<'_>) -> Option<Rate> {
    if section.node(key).is_none() {
        report
            .error(
                "missing_key",
                section.span.clone(),
                format!("`{}` is missing from these prices", key.name),
            )
            .absent()
            .hint("US dollars per million tokens; write 0 if it costs nothing");
    }
    price(section, key, report)
}

/// A price: a number as it is written, or the same as text.
fn price(section: &Section<'_, '_>, key: &Key, report: &mut Report<'_>) -> Option<Rate> {
    let node = section.node(key)?;
    let text = match node.get_ref() {
        DeValue::Integer(integer) => integer.to_string(),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::String(text) => text.to_string(),
        _ => {
            wrong_type(node, key.shape.noun(), report);
            return None;
        }
    };
    let Ok(rate) = text.parse::<Rate>() else {
        report.error("bad_value", node.span(), format!("{} is not a price", quoted(&text))).hint(
            "US dollars per million tokens, such as 0.25: at most 18 decimal places, no sign, no exponent",
        );
        return None;
    };
    if HIGHEST.parse().is_ok_and(|highest| rate > highest) {
        report
            .error("out_of_range", node.span(), format!("{} is out of range", quoted(&text)))
            .hint(format!("US dollars per million tokens, at most {HIGHEST}"));
        return None;
    }
    Some(rate)
}
