//! The most an attempt can cost, known before it is sent.

use std::time::Duration;

use stepwell_types::{NanoUsd, Timestamp};

use crate::card::{HOUR_WRITE_FACTOR, Price, RateCard};
use crate::line::Line;
use crate::model::{ModelPrice, Period};
use crate::period::When;
use crate::rate::Rate;

/// Tokens a provider may add to what it is sent: the frame around each reply and the system prompts that come with
/// tools. Anthropic documents up to 530 for tool use and a few hundred for each of its own tools.
/// <https://platform.claude.com/docs/en/agents-and-tools/tool-use/overview#pricing>
pub const PROMPT_OVERHEAD_TOKENS: u64 = 1_024;

/// A new price that starts within this time of an attempt's begin may be the one it is billed at.
const NEXT_PRICES: Duration = Duration::from_hours(24);

/// Each line of a cost may be rounded up by half a nano-dollar.
const ROUNDING: NanoUsd = NanoUsd::from_nanos(5);
const _: () = assert!(Line::COUNT <= 10, "more lines need more room for rounding");

impl ModelPrice {
    /// An amount that no consistent usage of the attempt can cost more than; none where input or output has no price.
    ///
    /// Byte-level tokenisers give at most one token for each byte of UTF-8, so `input_bytes` is the length of the body
    /// sent, to which the caller adds a bound on the tokens of what the body only refers to (images and files by URL
    /// or id) and of images inside it, which are not tokenised as text. `max_output_tokens` is for all alternatives
    /// together. Every context-length tier within reach, every cache rate, every service tier and every time of day
    /// is covered. Fees for hosted tools and searches are not: they have no bound here.
    pub fn bound(&self, input_bytes: u64, max_output_tokens: u64, at: Timestamp) -> Option<NanoUsd> {
        let input_tokens = input_bytes.saturating_add(PROMPT_OVERHEAD_TOKENS);
        let standard = self.cards_about(at);
        if standard.clone().any(|card| !prices_all(card, max_output_tokens > 0)) {
            return None;
        }
        let cards = || standard.clone().chain(self.variants().iter().map(|variant| &variant.card));
        let highest = |lines: &[Line], other: fn(&RateCard) -> &[Price]| {
            let of_lines = cards().flat_map(|card| lines.iter().filter_map(|line| card.get(*line)));
            let prices = of_lines.chain(cards().flat_map(other));
            prices.map(|price| price.highest_up_to(input_tokens)).max()
        };
        let mut input_rate = highest(&Line::INPUT, |card| &card.other_input)?;
        if cards().any(|card| card.get(Line::CacheWrite).is_some()) {
            let text = highest(&[Line::Input], |_| &[])?;
            input_rate = input_rate.max(text.scaled(HOUR_WRITE_FACTOR));
        }
        let output_rate = highest(&Line::OUTPUT, |card| &card.other_output);
        let request_rate = highest(&[Line::Request], |_| &[]).unwrap_or(Rate::ZERO);
        let output = output_rate.unwrap_or(Rate::ZERO).of_at_most(max_output_tokens);
        let input = input_rate.of_at_most(input_tokens);
        Some(input.plus(output).plus(request_rate.of_at_most(1)).plus(ROUNDING))
    }

    /// The cards that may be in force from a time until an attempt begun then is billed.
    fn cards_about(&self, at: Timestamp) -> impl Iterator<Item = &RateCard> + Clone {
        let soon = at.plus(NEXT_PRICES);
        let is_dated = |period: &&Period| !matches!(period.when, When::Daily(..));
        let dated = self.periods().iter().rev().filter(is_dated).find(|period| period.when.holds(at));
        let in_force = dated.or(self.periods().first());
        let possible = self.periods().iter().filter(move |period| match period.when {
            When::Always => false,
            When::From(start) => start > at && start <= soon,
            When::Daily(..) => true,
        });
        in_force.into_iter().chain(possible).map(|period| &period.card)
    }
}

/// Whether a card prices input, and output where there can be any.
fn prices_all(card: &RateCard, has_output: bool) -> bool {
    card.get(Line::Input).is_some() && (!has_output || card.get(Line::Output).is_some())
}
