//! No literal secret of any fixture is in anything that an import gives out.

use crate::{litellm, portkey, shown};

/// What every secret of the fixtures has in it.
const MARKS: &[&str] = &["literal", "very-private"];

#[track_caller]
fn has_no_secret(text: &str) {
    for mark in MARKS {
        assert!(!text.contains(mark), "{mark} in\n{text}");
    }
}

#[test]
fn no_secret_of_a_fixture_is_written_or_reported() {
    let texts = [
        include_str!("litellm/secrets.yaml"),
        include_str!("litellm/clouds.yaml"),
        include_str!("litellm/own_servers.yaml"),
        include_str!("litellm/credentials.yaml"),
    ];
    for text in texts {
        assert!(MARKS.iter().any(|mark| text.contains(mark)), "the fixture has secrets");
        let imported = litellm(text).unwrap();
        has_no_secret(&shown(&imported));
        has_no_secret(&serde_json::to_string(&imported.report).unwrap());
        has_no_secret(&format!("{imported:?}"));
    }
    let configs = [
        include_str!("portkey/single.json"),
        include_str!("portkey/loadbalance.json"),
        include_str!("portkey/fallback_nested.json"),
        include_str!("portkey/conditional.json"),
        include_str!("portkey/cache_and_retry.json"),
        include_str!("portkey/clouds.json"),
    ];
    for text in configs {
        assert!(MARKS.iter().any(|mark| text.contains(mark)), "the fixture has secrets");
        let imported = portkey(text).unwrap();
        has_no_secret(&shown(&imported));
        has_no_secret(&serde_json::to_string(&imported.report).unwrap());
    }
}

#[test]
fn no_secret_is_in_an_error() {
    for text in [
        "model_list: sk-literal\n",
        "model_list:\n- sk-literal\n",
        "model_list:\n- {model_name: a, litellm_params: sk-literal}\n",
        "model_list:\n- {model_name: a, litellm_params: {api_key: sk-literal}}\n",
        "general_settings: sk-literal\nmodel_list: []\n",
        "a: 'sk-literal\n",
        "a: sk-literal: b\n",
        "a: &x sk-literal\nb: *y\n",
        "- !literal sk-literal\n- *literal\n",
    ] {
        has_no_secret(&litellm(text).unwrap_err().to_string());
    }
    for text in [
        "\"sk-literal\"",
        "{\"targets\": \"sk-literal\"}",
        "{\"api_key\": sk-literal}",
        "{\"strategy\": {\"mode\": \"sk-literal\"}}",
        "{\"api_key\": \"sk-literal",
    ] {
        has_no_secret(&portkey(text).unwrap_err().to_string());
    }
}

#[test]
fn one_secret_has_one_variable_wherever_it_stands() {
    let text = "
model_list:
- {model_name: a, litellm_params: {model: openai/a, api_key: sk-literal, organization: [org-1, org-2]}}
- {model_name: b, litellm_params: {model: openai/b, api_key: sk-literal, timeout: 5}}
";
    let imported = litellm(text).unwrap();
    let names: Vec<&str> = imported.report.variables.iter().map(|variable| variable.name.as_str()).collect();
    assert_eq!((names, imported.report.providers.len()), (vec!["OPENAI_API_KEY"], 3));
    assert_eq!(imported.toml.matches("api_key = \"env:OPENAI_API_KEY\"").count(), 3, "{}", imported.toml);
}

#[test]
fn a_made_up_variable_is_never_one_that_the_source_uses_for_something_else() {
    let text = "
model_list:
- {model_name: a, litellm_params: {model: openai/a, api_key: sk-literal-a}}
- {model_name: b, litellm_params: {model: openai/b, api_key: os.environ/OPENAI_API_KEY}}
- {model_name: c, litellm_params: {model: openai/c, api_key: sk-literal-a}}
";
    let report = litellm(text).unwrap().report;
    let names: Vec<(&str, bool)> =
        report.variables.iter().map(|variable| (variable.name.as_str(), variable.is_new)).collect();
    assert_eq!(names, [("OPENAI_API_KEY", false), ("OPENAI_API_KEY_2", true)]);
    assert_eq!(report.providers, ["openai", "openai-2"], "one key is one account");
}
