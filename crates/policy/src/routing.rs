//! From the `model` a client wrote to the targets that may serve it.

use std::sync::Arc;

use stepwell_config::{ProviderSettings, RouteSettings, Settings};
use stepwell_types::{Code, Failure, TargetName};

use crate::Pricing;

/// How names resolve under one configuration. A route beats a bare model name; a name with a `/` is a target, split at
/// the first one.
pub struct Routing {
    settings: Arc<Settings>,
    pricing: Arc<Pricing>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The route, if the name is one.
    pub route: Option<RouteSettings>,
    /// The targets to try, in order. At least one.
    pub targets: Vec<TargetName>,
}

impl Routing {
    /// The names of a configuration.
    pub fn new(settings: Arc<Settings>, pricing: Arc<Pricing>) -> Self {
        Self { settings, pricing }
    }

    /// What `requested` stands for; `model_not_found`, saying what would do, if nothing.
    pub fn resolve(&self, requested: &str) -> Result<Choice, Failure> {
        if let Some(route) = self.settings.routes.get(requested) {
            return Ok(Choice { route: Some(route.clone()), targets: route.targets.clone() });
        }
        if let Some((provider, model)) = requested.split_once('/')
            && let Some(provider) = self.settings.providers.get(provider)
            && !model.is_empty()
        {
            return Ok(direct(provider, model));
        }
        let mut having = self.settings.providers.values().filter(|provider| self.has(provider, requested));
        match (having.next(), having.next()) {
            (Some(provider), None) => Ok(direct(provider, requested)),
            (Some(first), Some(second)) => Err(not_found(format!(
                "more than one provider has `{requested}`: write `{}/{requested}` or `{}/{requested}`",
                first.name, second.name
            ))),
            (None, _) => Err(not_found(self.unknown(requested))),
        }
    }

    /// Whether a bare model name belongs to a provider.
    fn has(&self, provider: &ProviderSettings, model: &str) -> bool {
        if provider.models.is_empty() {
            provider.kind.prices.is_some() && self.pricing.of(provider, model).is_some()
        } else {
            provider.models.iter().any(|name| name == model)
        }
    }

    fn unknown(&self, requested: &str) -> String {
        const SHOWN: usize = 8;
        let names = |names: Vec<&str>| match names.len() {
            0 => "none".to_owned(),
            length if length > SHOWN => format!("{}, …", names[..SHOWN].join(", ")),
            _ => names.join(", "),
        };
        format!(
            "no route, target or model is named `{requested}`. routes: {}. providers: {} (write provider/model)",
            names(self.settings.routes.keys().map(|name| &**name).collect()),
            names(self.settings.providers.keys().map(|name| &**name).collect()),
        )
    }
}

fn direct(provider: &ProviderSettings, model: &str) -> Choice {
    let target = TargetName { provider: Arc::clone(&provider.name), model: Arc::from(model) };
    Choice { route: None, targets: vec![target] }
}

fn not_found(message: String) -> Failure {
    Failure::new(Code::ModelNotFound, message).param("model")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use stepwell_catalog::PriceBook;
    use stepwell_config::FixedEnvironment;

    use super::*;

    fn routing(text: &str) -> Routing {
        let loaded = stepwell_config::load(Path::new("stepwell.toml"), text, &FixedEnvironment::default());
        let settings = Arc::new(loaded.unwrap().settings);
        let book = Arc::new(PriceBook::embedded().unwrap());
        let pricing = Arc::new(Pricing::new(&settings, book));
        Routing::new(settings, pricing)
    }

    const CONFIG: &str = r#"
        [providers.openai]
        kind = "openai"
        api_key = "literal:sk-test"
        [providers.local]
        kind = "openai-compatible"
        base_url = "http://127.0.0.1:9/v1"
        models = ["llama-3.1-8b", "gpt-5-mini"]
        [routes.chat]
        strategy = "fallback"
        targets = ["openai/gpt-5-mini", "local/llama-3.1-8b"]
    "#;

    fn targets(requested: &str) -> Vec<String> {
        routing(CONFIG).resolve(requested).unwrap().targets.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_route_gives_its_targets_in_order() {
        assert_eq!(targets("chat"), ["openai/gpt-5-mini", "local/llama-3.1-8b"]);
    }

    #[test]
    fn a_target_is_reached_by_its_name_even_if_nobody_lists_it() {
        assert_eq!(targets("openai/gpt-99"), ["openai/gpt-99"]);
        assert_eq!(targets("local/meta/llama"), ["local/meta/llama"]);
    }

    #[test]
    fn a_bare_model_works_when_exactly_one_provider_has_it() {
        assert_eq!(targets("llama-3.1-8b"), ["local/llama-3.1-8b"]);
        assert_eq!(targets("gpt-4o"), ["openai/gpt-4o"]);
        let failure = routing(CONFIG).resolve("gpt-5-mini").unwrap_err();
        assert_eq!(failure.code, Code::ModelNotFound);
        assert!(failure.message.contains("local/gpt-5-mini"), "{}", failure.message);
    }

    #[test]
    fn an_unknown_name_is_told_what_there_is() {
        let failure = routing(CONFIG).resolve("nope/model").unwrap_err();
        assert_eq!(failure.code, Code::ModelNotFound);
        assert!(
            failure.message.contains("chat") && failure.message.contains("openai"),
            "{}",
            failure.message
        );
    }
}
