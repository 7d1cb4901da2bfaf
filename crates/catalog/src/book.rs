//! The price data, by provider and model.
//!
//! The data is a constant in the binary. Opening the book finds the providers; a provider's models are read when
//! somebody first asks for one, and kept.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use crate::decode::{self, Model, RawProvider};
use crate::error::Error;
use crate::model::ModelPrice;
use crate::rule::with_dashed_dates;

/// Where a set of prices comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PriceData {
    /// The data set and its version.
    pub source: &'static str,
    /// The last day on which it says that prices were checked against a provider's page.
    pub date: &'static str,
    /// The SHA-256 of the file, in hex.
    pub sha256: &'static str,
}

/// The prices of every provider the data knows.
#[derive(Debug)]
pub struct PriceBook {
    providers: Vec<Provider>,
}

#[derive(Debug)]
struct Provider {
    id: &'static str,
    fallbacks: Vec<&'static str>,
    text: &'static str,
    models: OnceLock<Result<Vec<Model>, Error>>,
}

/// `prices.json` of the crate `genai-prices`; see `data/README.md`.
const PRICES: &str = include_str!("../data/prices.json");

/// What the simulator charges.
const SIM: &str = include_str!("../data/sim.json");

impl PriceBook {
    /// What the embedded data is and how old.
    pub const DATA: PriceData = PriceData {
        source: "genai-prices 0.2.1",
        date: "2026-10-26",
        sha256: "36b2d46ee3f339666e58962d6e4d9ecb175adf2a0456ad029ea0cbafd9baf75c",
    };

    /// The embedded prices, and the simulator's. Reads the list of providers only.
    pub fn embedded() -> Result<Self, Error> {
        let mut providers = Vec::new();
        for data in [PRICES, SIM] {
            let raw: Vec<RawProvider<'static>> = serde_json::from_str(data)?;
            providers.extend(raw.into_iter().map(|raw| Provider {
                id: raw.id,
                fallbacks: raw.fallback_model_providers,
                text: raw.models.get(),
                models: OnceLock::new(),
            }));
        }
        Ok(Self { providers })
    }

    /// The price of a model, by the data's name of the provider ([`crate::ProviderKind::prices`]) and the model's
    /// name there. None where the data has no price: the model is unpriced, never free.
    ///
    /// A look-up tries the provider's rules in order, some microseconds: do it once per target, not once per call.
    pub fn find(&self, price_provider: &str, model: &str) -> Option<Arc<ModelPrice>> {
        let provider = self.provider(price_provider)?;
        let name = folded(model);
        let found = self.find_exact(provider, &name);
        let found = found.or_else(|| self.find_exact(provider, &with_dashed_dates(&name)?));
        found.filter(|price| !price.is_empty())
    }

    /// The data's names of a provider's models, in the data's order. A name may stand for a family.
    pub fn model_ids(&self, price_provider: &str) -> impl Iterator<Item = &str> {
        self.provider(price_provider).into_iter().flat_map(Provider::models).map(|model| model.price.id())
    }

    /// Reads the models of every provider, to find out whether the data can be read.
    pub fn check(&self) -> Result<(), &Error> {
        self.providers.iter().try_for_each(|provider| provider.decoded().as_ref().map(|_| ()))
    }

    fn provider(&self, id: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.id == id)
    }

    /// The first of a provider's models, then of its fallbacks', whose rule matches.
    fn find_exact(&self, provider: &Provider, name: &str) -> Option<Arc<ModelPrice>> {
        let own = provider.models().iter().find(|model| model.rule.matches(name));
        own.map(|model| Arc::clone(&model.price)).or_else(|| self.find_in_fallbacks(provider, name))
    }

    /// Rates for special contexts belong to the provider that defines them, so a fallback's model comes without.
    fn find_in_fallbacks(&self, provider: &Provider, name: &str) -> Option<Arc<ModelPrice>> {
        let fallbacks = provider.fallbacks.iter().filter_map(|id| self.provider(id));
        let model = fallbacks.flat_map(Provider::models).find(|model| model.rule.matches(name))?;
        Some(Arc::new(model.price.without_variants()))
    }
}

impl Provider {
    fn decoded(&self) -> &Result<Vec<Model>, Error> {
        self.models.get_or_init(|| decode::models(self.text))
    }

    /// Its models; none where they cannot be read, which leaves them unpriced. [`PriceBook::check`] says why.
    fn models(&self) -> &[Model] {
        self.decoded().as_deref().unwrap_or_default()
    }
}

/// The name in lower case.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
