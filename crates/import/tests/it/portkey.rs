//! Portkey configs in the style of its documentation, each with the text and the report that are made of it.

use stepwell_import::PortkeyOptions;

use crate::{portkey, shown};

/// Compares what is made of a fixture with its snapshot.
macro_rules! golden {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!("portkey/", stringify!($name), ".json"));
            insta::assert_snapshot!(shown(&portkey(text).unwrap()));
        }
    )*};
}

golden!(single, loadbalance, fallback_nested, conditional, virtual_keys, cache_and_retry, clouds);

#[test]
fn a_model_can_be_given_for_targets_that_name_none() {
    let text = r#"{"strategy": {"mode": "fallback"}, "targets": [
        {"provider": "openai", "api_key": "sk-literal"},
        {"provider": "anthropic", "api_key": "sk-literal", "override_params": {"model": "claude-sonnet-4-5"}}
    ]}"#;
    let unfinished = portkey(text).unwrap();
    assert!(
        unfinished.toml.contains("# targets = [\"openai/MODEL\", \"anthropic/claude-sonnet-4-5\"]"),
        "{}",
        unfinished.toml
    );
    assert_eq!(unfinished.report.routes, Vec::<String>::new());
    let options = PortkeyOptions { route: "assistant".to_owned(), model: Some("gpt-4o".to_owned()) };
    let finished = stepwell_import::portkey("config.json", text, &options).unwrap();
    assert_eq!(finished.report.routes, ["assistant"]);
    assert!(
        finished.toml.contains("targets = [\"openai/gpt-4o\", \"anthropic/claude-sonnet-4-5\"]"),
        "{}",
        finished.toml
    );
}

#[test]
fn camel_case_means_what_snake_case_means() {
    let text = r#"{"provider": "openai", "apiKey": "sk-literal", "overrideParams": {"model": "gpt-4o"}, "requestTimeout": 1500, "whoKnows": 1, "name": "x"}"#;
    let imported = portkey(text).unwrap();
    assert!(imported.toml.contains("timeouts = { total = \"1500ms\" }"), "{}", imported.toml);
    let paths: Vec<&str> = imported.report.not_carried.iter().map(|item| item.path.as_str()).collect();
    assert_eq!(paths, ["whoKnows", "name"]);
}
