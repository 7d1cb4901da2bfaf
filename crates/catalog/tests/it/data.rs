//! The vendored price data is what it says it is, and all of it can be read.

use sha2::{Digest, Sha256};
use stepwell_catalog::PriceBook;

#[test]
fn the_price_data_has_the_sha256_it_says_it_has() {
    let digest = Sha256::digest(include_bytes!("../../data/prices.json"));
    let data = PriceBook::DATA;
    let pairs = data.sha256.as_bytes().chunks(2);
    let noted = pairs.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    assert!(noted.eq(digest));
}

#[test]
fn the_notes_beside_the_data_name_the_same_version_date_and_digest() {
    let notes = include_str!("../../data/README.md");
    let data = PriceBook::DATA;
    let (_, version) = data.source.split_once(' ').unwrap();
    assert!([version, &*data.date, &*data.sha256].iter().all(|noted| notes.contains(noted)));
}

#[test]
fn every_rate_rule_and_constraint_of_the_data_is_held_exactly() {
    // A rate that would lose a digit, a key we do not know and a pattern we cannot match are all errors.
    PriceBook::embedded().unwrap().check().unwrap();
}

#[test]
fn models_that_this_issue_is_tried_with_have_prices_and_context_windows() {
    let book = PriceBook::embedded().unwrap();
    for (provider, model) in
        [("openai", "gpt-5-mini"), ("anthropic", "claude-sonnet-4-5"), ("sim", "small"), ("sim", "large")]
    {
        let price = book.find(provider, model).unwrap();
        assert!(price.context_window().is_some_and(|tokens| tokens >= 100_000), "{provider}/{model}");
    }
    assert!(book.model_ids("sim").eq(["small", "large", "embed"]));
}
