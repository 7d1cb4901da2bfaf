//! The rates of a model at one time: a price for each line, each with its context-length tiers.

use crate::line::Line;
use crate::rate::Rate;

/// A rate that may change with the length of the whole input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Price {
    pub(crate) base: Rate,
    /// Ascending by `above`.
    pub(crate) tiers: Box<[Tier]>,
}

/// The rate of every token of a call whose whole input is longer than `above` tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tier {
    pub(crate) above: u64,
    pub(crate) rate: Rate,
}

impl Price {
    /// A price without tiers.
    pub(crate) fn flat(rate: Rate) -> Self {
        Self { base: rate, tiers: Box::default() }
    }

    /// The rate for a call with this whole input. The tier's rate holds for all of it, not only what is above.
    pub(crate) fn at(&self, whole_input: u64) -> Rate {
        self.tiers.iter().rev().find(|tier| whole_input > tier.above).map_or(self.base, |tier| tier.rate)
    }

    /// The highest rate for any call with a whole input up to this.
    pub(crate) fn highest_up_to(&self, whole_input: u64) -> Rate {
        let reached = self.tiers.iter().filter(|tier| whole_input > tier.above).map(|tier| tier.rate);
        reached.fold(self.base, Rate::max)
    }
}

/// What one list of rates in the data says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct RateCard {
    lines: [Option<Price>; Line::COUNT],
    /// Prices of input tokens that usage does not tell apart.
    pub(crate) other_input: Vec<Price>,
    /// Prices of output tokens that usage does not tell apart.
    pub(crate) other_output: Vec<Price>,
}

impl RateCard {
    /// The price of a line, if it has one.
    pub(crate) fn get(&self, line: Line) -> Option<&Price> {
        self.lines[line as usize].as_ref()
    }

    /// Whether it says nothing at all about tokens and requests.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.iter().all(Option::is_none)
    }

    /// Sets the price of a line.
    pub(crate) fn set(&mut self, line: Line, price: Price) {
        self.lines[line as usize] = Some(price);
    }
}

/// The prices that apply to one call, borrowed from a model's cards.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Applied<'a>([Option<&'a Price>; Line::COUNT]);

impl<'a> Applied<'a> {
    /// For each line, what `price` says.
    pub(crate) fn from_lines(price: impl Fn(Line) -> Option<&'a Price>) -> Self {
        Self(Line::ALL.map(price))
    }

    /// The lines that have a price of their own, in order.
    pub(crate) fn priced(self) -> impl Iterator<Item = (Line, &'a Price)> {
        Line::ALL.into_iter().zip(self.0).filter_map(|(line, price)| Some((line, price?)))
    }

    /// Whether the line has a price of its own.
    pub(crate) fn has(&self, line: Line) -> bool {
        self.0[line as usize].is_some()
    }

    /// Whether no line has a price: nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The rate of a line for a call with this whole input; zero without a price, as nothing is counted there.
    pub(crate) fn rate(&self, line: Line, whole_input: u64) -> Rate {
        match (self.0[line as usize], line) {
            (Some(price), _) => price.at(whole_input),
            (None, Line::CacheWriteHour) => self.rate(Line::Input, whole_input).scaled(HOUR_WRITE_FACTOR),
            (None, _) => Rate::ZERO,
        }
    }
}

/// A cache write for an hour costs this many times the input rate where the data prices cache writes but not this one:
/// Anthropic's rule, and only Anthropic reports such writes.
/// <https://platform.claude.com/docs/en/build-with-claude/prompt-caching#pricing>
pub(crate) const HOUR_WRITE_FACTOR: u128 = 2;
