//! What can be wrong with price data.

use crate::rate::RateParseError;

/// Why price data cannot be read. The embedded data is a constant that a test decodes whole, so of it this says that a
/// refresh needs work here too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data is not the JSON we know.
    #[error("it does not have the shape this version reads: {0}")]
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
    /// More bytes than price data may have.
    #[error("{bytes} bytes of price data are too many: at most {} are read", crate::PriceBook::MAX_BYTES)]
    TooLarge {
        /// How many there are.
        bytes: usize,
    },
    /// There is no model in it.
    #[error("it has no models")]
    Empty,
    /// Two providers of one name, or one with the name of the simulator.
    #[error("the provider {0:?} is there twice, or has a name that is kept for the simulator")]
    Provider(String),
    /// A file that was installed is not what was installed.
    #[error("its SHA-256 is not the one it was installed with: it was changed or is not whole")]
    Changed,
    /// A day that is none.
    #[error("{0:?} is not a day: write YYYY-MM-DD")]
    Day(String),
    /// What is wrong with one entry.
    #[error("provider {provider:?}{}: {source}", model.as_ref().map(|model| format!(", model {model:?}")).unwrap_or_default())]
    Entry {
        /// The provider's name in the data.
        provider: String,
        /// The model's, or its number where it has none; none where all models are concerned.
        model: Option<String>,
        /// What is wrong.
        source: Box<Error>,
    },
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
