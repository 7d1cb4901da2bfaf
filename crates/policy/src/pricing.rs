//! Which price holds for a model at a configured provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use stepwell_catalog::{ModelPrice, PriceBook};
use stepwell_config::{ProviderSettings, Settings};

/// The prices of one configuration: those it sets itself, then the catalog's.
pub struct Pricing {
    book: Arc<PriceBook>,
    /// By provider, then by model; `*` stands for every model of the provider.
    own: BTreeMap<Arc<str>, BTreeMap<String, Arc<ModelPrice>>>,
}

impl Pricing {
    /// The prices `settings` sets over those of `book`.
    pub fn new(settings: &Settings, book: Arc<PriceBook>) -> Self {
        let mut own = BTreeMap::new();
        for provider in settings.providers.values() {
            let mut prices = BTreeMap::new();
            for (model, price) in &provider.prices {
                prices.insert(model.clone(), Arc::new(ModelPrice::from_own(model, price)));
            }
            own.insert(Arc::clone(&provider.name), prices);
        }
        Self { book, own }
    }

    /// The price of a model, if anyone knows it. None is *unpriced*, never free.
    pub fn of(&self, provider: &ProviderSettings, model: &str) -> Option<Arc<ModelPrice>> {
        let own = self.own.get(&provider.name);
        own.and_then(|prices| prices.get(model).or_else(|| prices.get("*"))).cloned().or_else(|| {
            let data = provider.kind.prices?;
            self.book.find(data, model)
        })
    }

    /// Whether the price of a model is one that the configuration sets.
    pub fn is_own(&self, provider: &ProviderSettings, model: &str) -> bool {
        let own = self.own.get(&provider.name);
        own.is_some_and(|prices| prices.contains_key(model) || prices.contains_key("*"))
    }

    /// The models of a provider: those its configuration lists, else those its kind has prices for.
    pub fn models<'a>(&'a self, provider: &'a ProviderSettings) -> Box<dyn Iterator<Item = &'a str> + 'a> {
        if provider.models.is_empty() {
            Box::new(provider.kind.models(&self.book))
        } else {
            Box::new(provider.models.iter().map(String::as_str))
        }
    }
}
