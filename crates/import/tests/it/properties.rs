//! No text makes an import panic, and whatever it makes loads.

use std::io;
use std::path::Path;

use proptest::prelude::*;
use stepwell_config::Environment;
use stepwell_import::{Error, Imported};

use crate::{litellm, portkey};

/// An environment in which every variable is set.
struct AllSet;

impl Environment for AllSet {
    fn var(&self, _: &str) -> Option<String> {
        Some("set".to_owned())
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::Error::from(io::ErrorKind::NotFound))
    }
}

/// Names that mean something to one source or the other, and some that mean nothing.
const NAMES: &[&str] = &[
    "model_list",
    "model_name",
    "litellm_params",
    "model_info",
    "model",
    "api_key",
    "api_base",
    "api_version",
    "organization",
    "extra_headers",
    "timeout",
    "max_tokens",
    "order",
    "weight",
    "input_cost_per_token",
    "output_cost_per_token",
    "drop_params",
    "litellm_credential_name",
    "credential_list",
    "credential_name",
    "credential_values",
    "router_settings",
    "litellm_settings",
    "general_settings",
    "environment_variables",
    "fallbacks",
    "default_fallbacks",
    "model_group_alias",
    "request_timeout",
    "json_logs",
    "max_request_size_mb",
    "id",
    "resource_name",
    "mode",
    "strategy",
    "targets",
    "provider",
    "virtual_key",
    "override_params",
    "custom_host",
    "conditions",
    "default",
    "name",
    "openai_organization",
    "<<",
    "",
    "x y",
    "\u{1b}\n",
    "ü",
];

/// Values that mean something.
const TEXTS: &[&str] = &[
    "openai/gpt-4o",
    "gpt-4o",
    "azure/x",
    "anthropic/*",
    "openai/*",
    "*",
    "bedrock/x",
    "ollama/llama3",
    "a",
    "b",
    "a/b",
    "openai",
    "anthropic",
    "azure-openai",
    "ollama",
    "workers-ai",
    "@openai-prod",
    "@a/b",
    "os.environ/NAME",
    "os.environ/",
    "http://127.0.0.1:1/v1",
    "https://u:p@h/",
    "https://x.openai.azure.com",
    "single",
    "fallback",
    "loadbalance",
    "conditional",
    "1e-7",
    "0",
    "-1",
    "99999999999999999999",
    "true",
    "none",
    "sk-x",
    "",
    "\u{0}\n\"\\",
    "ü\u{2028}",
];

fn scalar() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        4 => prop::sample::select(TEXTS).prop_map(serde_json::Value::from),
        1 => any::<String>().prop_map(serde_json::Value::from),
        1 => any::<i64>().prop_map(serde_json::Value::from),
        1 => any::<f64>().prop_map(serde_json::Value::from),
        1 => any::<bool>().prop_map(serde_json::Value::from),
        1 => Just(serde_json::Value::Null),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => any::<String>()]
}

/// Any value, of names and texts that lead somewhere more often than not.
fn value() -> impl Strategy<Value = serde_json::Value> {
    scalar().prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(serde_json::Value::from),
            prop::collection::btree_map(name(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn params() -> impl Strategy<Value = serde_json::Value> {
    let known = prop::collection::btree_map(name(), scalar(), 0..6);
    (prop::sample::select(TEXTS), known).prop_map(|(model, mut map)| {
        map.insert("model".to_owned(), model.into());
        serde_json::Value::Object(map.into_iter().collect())
    })
}

/// A configuration of LiteLLM's that is right in its outline.
fn outline() -> impl Strategy<Value = serde_json::Value> {
    let model = (prop::sample::select(TEXTS), params(), value()).prop_map(|(name, params, info)| {
        serde_json::json!({ "model_name": name, "litellm_params": params, "model_info": info })
    });
    let section = || {
        prop::collection::btree_map(name(), value(), 0..4)
            .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
    };
    (prop::collection::vec(model, 0..6), section(), section()).prop_map(|(models, router, settings)| {
        serde_json::json!({ "model_list": models, "router_settings": router, "litellm_settings": settings })
    })
}

/// A config of Portkey's that is right in its outline.
fn config() -> impl Strategy<Value = serde_json::Value> {
    let target = (prop::sample::select(TEXTS), params(), value()).prop_map(|(provider, params, host)| {
        serde_json::json!({ "provider": provider, "override_params": params, "custom_host": host, "api_key": "sk-x" })
    });
    let mode = prop::sample::select(vec!["single", "fallback", "loadbalance", "conditional"]);
    (mode, prop::collection::vec(prop_oneof![3 => target.boxed(), 1 => value().boxed()], 0..5))
        .prop_map(|(mode, targets)| serde_json::json!({ "strategy": { "mode": mode }, "targets": targets }))
}

/// A secret that nothing may repeat.
const SECRET: &str = "sk-PRIVATE-0123456789";

/// Fields that may hold a secret, of every section, and one that nobody knows.
const HOLDERS: &[&str] = &[
    "api_key",
    "api_base",
    "base_url",
    "api_version",
    "azure_ad_token",
    "client_secret",
    "aws_secret_access_key",
    "vertex_credentials",
    "extra_headers",
    "headers",
    "timeout",
    "max_tokens",
    "order",
    "input_cost_per_token",
    "drop_params",
    "tags",
    "litellm_credential_name",
    "master_key",
    "database_url",
    "redis_password",
    "cache_params",
    "request_timeout",
    "json_logs",
    "max_request_size_mb",
    "virtual_key",
    "custom_host",
    "forward_headers",
    "metadata",
    "cache",
    "nobody_knows_this",
];

/// The secret as it may stand there.
fn secret() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(serde_json::json!(SECRET)),
        Just(serde_json::json!(format!("https://user:{SECRET}@host.example/v1"))),
        Just(serde_json::json!(format!("https://host.example/v1?key={SECRET}"))),
        Just(serde_json::json!(format!("os.environ/{SECRET}"))),
        Just(serde_json::json!({ "authorization": SECRET, "x-title": "t", "x-other": SECRET })),
        Just(serde_json::json!([SECRET, { "password": SECRET }])),
    ]
}

/// Fields that hold it.
fn holders() -> impl Strategy<Value = serde_json::Map<String, serde_json::Value>> {
    prop::collection::btree_map(prop::sample::select(HOLDERS).prop_map(str::to_owned), secret(), 1..6)
        .prop_map(|map| map.into_iter().collect())
}

/// Nothing that was made or said repeats the secret.
fn keeps_the_secret(made: Result<Imported, Error>) {
    let shown = match &made {
        Ok(made) => format!("{}{}{}", made.toml, made.report, serde_json::to_string(&made.report).unwrap()),
        Err(error) => format!("{error}{error:?}"),
    };
    assert!(!shown.contains("PRIVATE"), "{shown}");
    loads_or_says_why(made);
}

/// What was made loads, with what is reported in it; what was not made is explained.
fn loads_or_says_why(made: Result<Imported, Error>) {
    match made {
        Ok(made) => {
            let loaded = stepwell_config::load(Path::new("stepwell.toml"), &made.toml, &AllSet);
            let settings = loaded.unwrap_or_else(|problems| panic!("{}\n{problems:#?}", made.toml)).settings;
            let names = |names: Vec<&str>| {
                names.into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
            };
            assert_eq!(
                names(settings.providers.keys().map(|name| &**name).collect()),
                made.report.providers.iter().cloned().collect()
            );
            assert_eq!(
                names(settings.routes.keys().map(|name| &**name).collect()),
                made.report.routes.iter().cloned().collect()
            );
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.contains("does not load"), "{said}");
            assert!(said.starts_with("config.") && said.len() > 20, "{said}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn any_value_loads_or_is_explained(value in value()) {
        loads_or_says_why(litellm(&value.to_string()));
        loads_or_says_why(portkey(&value.to_string()));
    }

    #[test]
    fn any_configuration_of_litellms_outline_loads_or_is_explained(value in outline()) {
        loads_or_says_why(litellm(&value.to_string()));
    }

    #[test]
    fn any_config_of_portkeys_outline_loads_or_is_explained(value in config()) {
        loads_or_says_why(portkey(&value.to_string()));
    }

    #[test]
    fn a_secret_stays_one_wherever_it_stands(
        model in prop::sample::select(TEXTS),
        provider in prop::sample::select(TEXTS),
        params in holders(),
        section in holders(),
    ) {
        let mut params = params;
        params.insert("model".to_owned(), model.into());
        let models = serde_json::json!([{ "model_name": "m", "litellm_params": params, "model_info": section }]);
        let text = serde_json::json!({
            "model_list": models,
            "environment_variables": { "A": SECRET },
            "credential_list": [{ "credential_name": "c", "credential_values": section }],
            "router_settings": section,
            "litellm_settings": section,
            "general_settings": section,
            "other": section,
        });
        keeps_the_secret(litellm(&text.to_string()));
        params.insert("provider".to_owned(), provider.into());
        let text = serde_json::json!({ "strategy": { "mode": "fallback" }, "targets": [params], "cache": section });
        keeps_the_secret(portkey(&text.to_string()));
    }

    #[test]
    fn any_text_loads_or_is_explained(text in any::<String>(), at in any::<prop::sample::Index>()) {
        loads_or_says_why(litellm(&text));
        loads_or_says_why(portkey(&text));
        let seed = include_str!("litellm/deployments_and_fallbacks.yaml");
        let mut place = at.index(seed.len());
        while !seed.is_char_boundary(place) {
            place -= 1;
        }
        let (start, end) = seed.split_at(place);
        loads_or_says_why(litellm(&format!("{start}{text}{end}")));
        loads_or_says_why(litellm(start));
    }
}
