//! LiteLLM configurations in the style of its documentation, each with the text and the report that are made of it.

use stepwell_config::FixedEnvironment;

use crate::{empty, litellm, no_files, shown};

/// Compares what is made of a fixture with its snapshot.
macro_rules! golden {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            let text = include_str!(concat!("litellm/", stringify!($name), ".yaml"));
            insta::assert_snapshot!(shown(&litellm(text).unwrap()));
        }
    )*};
}

golden!(
    minimal,
    deployments_and_fallbacks,
    clouds,
    wildcards,
    own_servers,
    prices,
    aliases,
    secrets,
    settings,
    credentials
);

#[test]
fn values_that_are_no_secrets_come_from_the_environment_where_they_are_set() {
    let text = "model_list:\n- model_name: gpt\n  litellm_params: {model: azure/gpt, api_base: os.environ/AZURE_API_BASE, api_key: os.environ/AZURE_API_KEY}\n";
    let environment = FixedEnvironment::new()
        .with_var("AZURE_API_BASE", "https://mine.openai.azure.com/")
        .with_var("AZURE_API_KEY", "sk-very-private");
    let imported = stepwell_import::litellm("config.yaml", text, &environment, &no_files).unwrap();
    assert!(
        imported.toml.contains("base_url = \"https://mine.openai.azure.com/openai/v1\""),
        "{}",
        imported.toml
    );
    assert!(!shown(&imported).contains("sk-very-private"));
    let unset = litellm(text).unwrap();
    assert!(unset.toml.contains("https://azure-api-base.invalid"), "{}", unset.toml);
    assert_eq!(unset.report.not_carried[0].path, "model_list[0].litellm_params.api_base");
}

#[test]
fn included_files_are_put_in_as_litellm_puts_them_in() {
    let include = |name: &str| match name {
        "models.yaml" => {
            Ok("model_list:\n- {model_name: b, litellm_params: {model: openai/b, rpm: 1}}\n".to_owned())
        }
        "settings/router.yaml" => Ok("router_settings: {timeout: 7}\ninclude: [models.yaml]\n".to_owned()),
        "broken.yaml" => Ok("a: [\n".to_owned()),
        _ => no_files(name),
    };
    let import = |text: &str| stepwell_import::litellm("config.yaml", text, &empty(), &include);
    let own = "model_list:\n- {model_name: a, litellm_params: {model: openai/a}}\n";
    let imported = import(&format!("include: [models.yaml, settings/router.yaml]\n{own}")).unwrap();
    assert_eq!(imported.report.routes, ["a", "b"]);
    assert!(imported.toml.contains("timeouts = { total = \"7s\" }"), "{}", imported.toml);
    let dropped: Vec<(&str, Option<usize>)> =
        imported.report.not_carried.iter().map(|item| (item.path.as_str(), item.line)).collect();
    assert_eq!(dropped, [("model_list[1].litellm_params.rpm", None), ("include", None)]);
    assert_eq!(
        import("include: models.yaml\n").unwrap().report.routes,
        ["b"],
        "one file without a list, and no models of its own"
    );
    for (text, said) in [
        ("x: 1\ninclude: [gone.yaml]\n", "config.yaml:2: include[0]: \"gone.yaml\" cannot be read"),
        ("include: [[1]]\n", "config.yaml:1: include[0]: expected the name of a file"),
        ("include: [broken.yaml]\n", "broken.yaml:"),
    ] {
        let error = import(text).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn a_routes_targets_are_in_the_order_litellm_would_fall_back_in() {
    let text = "
model_list:
- {model_name: a, litellm_params: {model: openai/a2, order: 2}}
- {model_name: a, litellm_params: {model: openai/a1, order: 1}}
- {model_name: b, litellm_params: {model: openai/b}}
- {model_name: c, litellm_params: {model: openai/c}}
- {model_name: d, litellm_params: {model: openai/d}}
- {model_name: e, litellm_params: {model: openai/e}, model_info: {id: only-e}}
router_settings:
  fallbacks: [{a: [b]}, {b: [c, only-e]}]
  default_fallbacks: [d]
";
    let imported = litellm(text).unwrap();
    let route = |name: &str| {
        let start = imported.toml.find(&format!("[routes.{name}]")).unwrap();
        let line = imported.toml[start..].lines().nth(2).unwrap();
        line.strip_prefix("targets = ").unwrap().to_owned()
    };
    assert_eq!(route("a"), r#"["openai/a1", "openai/a2", "openai/b", "openai/c", "openai/d", "openai/e"]"#);
    assert_eq!(route("b"), r#"["openai/b", "openai/c", "openai/d", "openai/e"]"#);
    assert_eq!(route("d"), r#"["openai/d"]"#, "what falls back to itself does not");
}

#[test]
fn every_field_that_nobody_took_is_named_by_its_path() {
    let text = "
model_list:
- model_name: a
  unheard_of: 1
  litellm_params: {model: openai/a, weight: 2, brand_new: {deep: [1, 2]}, empty: null}
  model_info: {something: else}
router_settings: {mystery: true}
litellm_settings: {riddle: 1}
general_settings: {enigma: 1}
whole_section: [1]
";
    let report = litellm(text).unwrap().report;
    let mut paths: Vec<&str> = report.not_carried.iter().map(|item| item.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "general_settings.enigma",
            "litellm_settings.riddle",
            "model_list[0].litellm_params.brand_new",
            "model_list[0].litellm_params.weight",
            "model_list[0].model_info.something",
            "model_list[0].unheard_of",
            "router_settings.mystery",
            "whole_section",
        ]
    );
    assert!(report.not_carried.iter().all(|item| item.line.is_some()), "each with its line");
}
