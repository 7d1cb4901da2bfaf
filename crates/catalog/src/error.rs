//! What can be wrong with price data.

use crate::rate::RateParseError;

/// Why price data cannot be read. The embedded data is a constant that a test decodes whole, so this says that a
/// refresh of it needs work here too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data is not the JSON we know.
    #[error("the price data does not have the shape this version reads")]
    Json(#[from] serde_json::Error),
    /// A rate is not a decimal that can be held exactly.
    #[error("the rate {text:?} of {key:?} cannot be held exactly")]
    Rate {
        /// The price key.
        key: String,
        /// The rate as it is written.
        text: String,
        /// Why.
        source: RateParseError,
    },
    /// A price key that this version does not know: ignoring it could leave units uncharged.
    #[error("the price key {0:?} is not known")]
    PriceKey(String),
    /// A condition on the time that cannot be read.
    #[error("the price constraint {0:?} cannot be read")]
    Constraint(String),
    /// A pattern that cannot be compiled.
    #[error("the pattern {pattern:?} cannot be compiled")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        source: regex_lite::Error,
    },
}
