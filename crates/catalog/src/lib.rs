//! Providers, models and prices as data, with the look-ups and the integer sums over them.
//!
//! A provider kind is a row in `kinds.rs`; a price is a row in `data/prices.json`. `docs/prices.md` says where the
//! prices come from and how they are refreshed.
//!
//! It never does I/O, never reads a clock, and never computes money in floating point.

mod book;
mod bound;
mod card;
mod cost;
mod decode;
mod error;
mod family;
mod installed;
mod kinds;
mod line;
mod model;
mod period;
mod provider;
mod rate;
mod rule;
mod split;

pub use book::{Origin, PriceBook, PriceData};
pub use bound::PROMPT_OVERHEAD_TOKENS;
pub use cost::Cost;
pub use error::Error;
pub use family::{ModelQuirks, model_quirks};
pub use installed::{Day, Installed};
pub use line::Line;
pub use model::{Listed, ModelPrice, OwnPrice};
pub use provider::{
    Auth, EmbeddingFace, EndpointPath, Face, ProviderKind, Quirks, provider_kind, provider_kinds,
};
pub use rate::{Rate, RateParseError};
