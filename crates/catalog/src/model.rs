//! What one model costs, at any time and in any context the data tells apart.

use stepwell_types::Timestamp;

use crate::card::{Applied, Price, RateCard};
use crate::line::Line;
use crate::period::When;
use crate::rate::Rate;

/// The price of a model: its rates, and when each holds.
///
/// A value exists only where a price is known; where none is, the model is unpriced and its cost is unknown, not zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModelPrice {
    id: Box<str>,
    context_window: Option<u64>,
    /// The last that holds is the one in force; the first if none does.
    periods: Box<[Period]>,
    /// For each line the first that holds replaces the rate in force.
    variants: Box<[Variant]>,
}

/// Rates and when they hold.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Period {
    pub(crate) when: When,
    pub(crate) card: RateCard,
}

/// Rates for calls made in a certain way, such as at another service tier.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Variant {
    /// Names and values that a call's context must all have.
    pub(crate) context: Box<[(Box<str>, Box<str>)]>,
    pub(crate) when: When,
    pub(crate) card: RateCard,
}

/// A price from config, for a model the data does not know or for a contract of one's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OwnPrice {
    /// Per million input tokens.
    pub input: Rate,
    /// Per million output tokens, reasoning included.
    pub output: Rate,
    /// Per million input tokens read from the provider's cache; the input rate where none is given.
    pub cache_read: Option<Rate>,
    /// Per million input tokens written to the provider's cache; the input rate where none is given.
    pub cache_write: Option<Rate>,
}

/// One rate of a price, to be shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listed {
    /// What it is charged for.
    pub line: Line,
    /// Calls whose whole input has more tokens than this are charged it; all others where none is given.
    pub above: Option<u64>,
    /// Dollars per million tokens, or requests.
    pub rate: Rate,
}

impl OwnPrice {
    /// Nothing is charged, by choice.
    pub const FREE: Self =
        Self { input: Rate::ZERO, output: Rate::ZERO, cache_read: None, cache_write: None };
}

impl ModelPrice {
    pub(crate) fn new(
        id: Box<str>,
        context_window: Option<u64>,
        periods: Vec<Period>,
        variants: Vec<Variant>,
    ) -> Self {
        Self { id, context_window, periods: periods.into(), variants: variants.into() }
    }

    /// A price from config. `id` is the model's name there.
    pub fn from_own(id: &str, own: &OwnPrice) -> Self {
        let mut card = RateCard::default();
        let mut set = |line, rate: Option<Rate>| {
            if let Some(rate) = rate {
                card.set(line, Price::flat(rate));
            }
        };
        set(Line::Input, Some(own.input));
        set(Line::Output, Some(own.output));
        set(Line::CacheRead, own.cache_read);
        set(Line::CacheWrite, own.cache_write);
        Self::new(id.into(), None, vec![Period { when: When::Always, card }], Vec::new())
    }

    /// The data's name of the model, which may differ from the name it was found by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The most tokens that input and output can have together, if the data says.
    pub const fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    /// The rates in force at a time for calls made in no special way, by line and length of the input.
    pub fn rates(&self, at: Timestamp) -> impl Iterator<Item = Listed> {
        self.applied(at, &[]).priced().flat_map(|(line, price)| {
            let base = Listed { line, above: None, rate: price.base };
            let tiers = price.tiers.iter();
            std::iter::once(base).chain(tiers.map(move |tier| Listed {
                line,
                above: Some(tier.above),
                rate: tier.rate,
            }))
        })
    }

    /// Whether the data has no rate at all for this model, at any time.
    pub fn is_empty(&self) -> bool {
        self.periods.iter().all(|period| period.card.is_empty())
    }

    /// The same rates without those for special contexts.
    pub(crate) fn without_variants(&self) -> Self {
        Self { variants: Box::default(), ..self.clone() }
    }

    pub(crate) fn periods(&self) -> &[Period] {
        &self.periods
    }

    pub(crate) fn variants(&self) -> &[Variant] {
        &self.variants
    }

    /// The prices in force at a time, in a context of names and values.
    pub(crate) fn applied(&self, at: Timestamp, context: &[(&str, &str)]) -> Applied<'_> {
        let in_force = self.periods.iter().rev().find(|period| period.when.holds(at));
        let standard = in_force.or(self.periods.first()).map(|period| &period.card);
        let variants = if context.is_empty() { &[][..] } else { &self.variants };
        Applied::from_lines(|line| {
            let mut special = variants.iter().filter(|variant| variant.applies(at, context));
            special.find_map(|variant| variant.card.get(line)).or(standard?.get(line))
        })
    }
}

impl Variant {
    /// Whether it replaces rates at a time, in a context. The last value of a name in the context counts.
    fn applies(&self, at: Timestamp, context: &[(&str, &str)]) -> bool {
        let value = |name: &str| context.iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value);
        self.when.holds(at) && self.context.iter().all(|(name, wanted)| value(name) == Some(&**wanted))
    }
}
