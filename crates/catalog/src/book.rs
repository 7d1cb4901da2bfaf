//! The price data, by provider and model.
//!
//! The data is a constant in the binary, or a file that was installed over it. Opening the book finds the providers; a
//! provider's models are read when somebody first asks for one, and kept.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use crate::decode::{self, Model, RawProvider};
use crate::error::Error;
use crate::model::ModelPrice;
use crate::rule::with_dashed_dates;

/// Who put a set of prices in force.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Whoever built the binary.
    Embedded,
    /// Whoever runs it: see [`crate::Installed`].
    Installed,
}

impl Origin {
    /// Its name in listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Installed => "installed",
        }
    }
}

/// Where a set of prices comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PriceData {
    /// Who put it in force.
    pub origin: Origin,
    /// The data set and its version, or the name of the file it was read from.
    pub source: Cow<'static, str>,
    /// The day its prices are of, `YYYY-MM-DD`: for the embedded data, the last on which it says that prices were
    /// checked against a provider's page.
    pub date: Cow<'static, str>,
    /// The SHA-256 of the file, in hex.
    pub sha256: Cow<'static, str>,
}

/// The prices of every provider the data knows.
#[derive(Debug)]
pub struct PriceBook {
    data: PriceData,
    providers: Vec<Provider>,
}

#[derive(Debug)]
struct Provider {
    id: Cow<'static, str>,
    fallbacks: Vec<Cow<'static, str>>,
    text: Cow<'static, str>,
    models: OnceLock<Result<Vec<Model>, Error>>,
}

/// `prices.json` of the crate `genai-prices`; see `data/README.md`.
const PRICES: &str = include_str!("../data/prices.json");

/// What the simulator charges.
const SIM: &str = include_str!("../data/sim.json");

/// The simulator's name in its data.
const SIM_ID: &str = "sim";

impl PriceBook {
    /// What the embedded data is and how old.
    pub const DATA: PriceData = PriceData {
        origin: Origin::Embedded,
        source: Cow::Borrowed("genai-prices 0.2.1"),
        date: Cow::Borrowed("2026-10-26"),
        sha256: Cow::Borrowed("36b2d46ee3f339666e58962d6e4d9ecb175adf2a0456ad029ea0cbafd9baf75c"),
    };

    /// The most bytes that data may have: twenty times what the embedded has.
    pub const MAX_BYTES: usize = 16 << 20;

    /// The embedded prices, and the simulator's. Reads the list of providers only.
    pub fn embedded() -> Result<Self, Error> {
        let mut providers = Vec::new();
        for data in [PRICES, SIM] {
            providers.extend(listed(data)?.into_iter().map(|raw| Provider {
                id: raw.id,
                fallbacks: raw.fallback_model_providers,
                text: Cow::Borrowed(raw.models.get()),
                models: OnceLock::new(),
            }));
        }
        Ok(Self { data: Self::DATA, providers })
    }

    /// The prices in `text`, which has the form of the embedded data, and the simulator's. All of `text` is read, so that
    /// no mistake in it waits for the first call it would misprice.
    ///
    /// # Errors
    /// What is wrong, and with which entry.
    pub fn read(text: &str, data: PriceData) -> Result<Self, Error> {
        if text.len() > Self::MAX_BYTES {
            return Err(Error::TooLarge { bytes: text.len() });
        }
        let mut providers: Vec<Provider> = listed(text)?.into_iter().map(Provider::owned).collect();
        let mut ids = HashSet::new();
        let mut models = 0;
        for provider in &providers {
            if provider.id == SIM_ID || !ids.insert(&*provider.id) {
                return Err(Error::Provider(provider.id.clone().into_owned()));
            }
            models += decode::models(&provider.text).map_err(|error| provider.entry(error))?.len();
        }
        if models == 0 {
            return Err(Error::Empty);
        }
        providers.extend(listed(SIM)?.into_iter().map(Provider::owned));
        Ok(Self { data, providers })
    }

    /// What the data is and how old.
    pub const fn data(&self) -> &PriceData {
        &self.data
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

    /// The data's names of the providers, in its order; the simulator is not one of them.
    pub fn provider_ids(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| &*provider.id).filter(|id| *id != SIM_ID)
    }

    /// The providers whose models count as a provider's where it has no rule for them itself.
    pub fn fallbacks(&self, price_provider: &str) -> impl Iterator<Item = &str> {
        self.provider(price_provider).into_iter().flat_map(|provider| &provider.fallbacks).map(|id| &**id)
    }

    /// The data's names of a provider's models, in the data's order. A name may stand for a family.
    pub fn model_ids(&self, price_provider: &str) -> impl Iterator<Item = &str> {
        self.prices(price_provider).map(ModelPrice::id)
    }

    /// The prices of a provider's models, in the data's order; without rates where the data knows the name alone.
    pub fn prices(&self, price_provider: &str) -> impl Iterator<Item = &ModelPrice> {
        self.provider(price_provider).into_iter().flat_map(Provider::models).map(|model| &*model.price)
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
    /// A provider whose text outlives what it was read from.
    fn owned(raw: RawProvider<'_>) -> Self {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Self {
            id: owned(raw.id),
            fallbacks: raw.fallback_model_providers.into_iter().map(owned).collect(),
            text: Cow::Owned(raw.models.get().to_owned()),
            models: OnceLock::new(),
        }
    }

    fn decoded(&self) -> &Result<Vec<Model>, Error> {
        self.models.get_or_init(|| decode::models(&self.text))
    }

    /// Its models; none where they cannot be read, which leaves them unpriced. [`PriceBook::check`] says why.
    fn models(&self) -> &[Model] {
        self.decoded().as_deref().unwrap_or_default()
    }

    /// The error with the entry that it is about.
    fn entry(&self, error: Error) -> Error {
        let provider = self.id.clone().into_owned();
        let (model, error) = decode::culprit(&self.text).unwrap_or((None, error));
        Error::Entry { provider, model, source: Box::new(error) }
    }
}

/// The providers of a text, their models unread.
fn listed(text: &str) -> Result<Vec<RawProvider<'_>>, Error> {
    Ok(serde_json::from_str(text)?)
}

/// The name in lower case.
fn folded(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}
