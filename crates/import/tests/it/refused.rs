//! Texts that nothing can be made of, each with what is said about it.

use crate::{litellm, portkey};

#[test]
fn what_is_wrong_is_said_with_its_line_and_field() {
    for (text, said) in [
        ("", "config.yaml: there is nothing in it"),
        ("- 1\n", "config.yaml:1: a configuration of LiteLLM's proxy is a mapping with a `model_list`"),
        (
            "a: 1\n",
            "config.yaml:1: model_list: a configuration of LiteLLM's proxy is a mapping with a `model_list`",
        ),
        ("x: 1\nmodel_list: 5\n", "config.yaml:2: model_list: expected a list of models"),
        ("model_list:\n- model_name: a\n", "config.yaml:2: model_list[0]: a model needs a `litellm_params`"),
        (
            "model_list:\n- {litellm_params: {model: x}}\n",
            "config.yaml:2: model_list[0]: a model needs a `model_name`",
        ),
        (
            "model_list:\n- model_name: a\n  litellm_params:\n    rpm: 1\n",
            "config.yaml:2: model_list[0]: a model needs a `litellm_params.model`",
        ),
        ("model_list: []\nrouter_settings: [1]\n", "config.yaml:2: router_settings: expected a mapping"),
        ("model_list: []\n", "config.yaml: nothing in it can be carried over"),
    ] {
        assert_eq!(litellm(text).unwrap_err().to_string(), said, "{text}");
    }
    for (text, said) in [
        ("", "config.json:1: this JSON ends too early"),
        ("[]", "config.json: a config of Portkey's gateway is an object"),
        ("{}", "config.json: nothing in it can be carried over"),
        ("{\"targets\": 1}", "config.json: targets: expected a list of targets"),
        ("{\"targets\": [1]}", "config.json: targets[0]: expected an object"),
        (
            "{\"strategy\": {\"mode\": \"x\"}, \"targets\": []}",
            "config.json: strategy.mode: expected single, loadbalance, fallback or conditional",
        ),
    ] {
        assert_eq!(portkey(text).unwrap_err().to_string(), said, "{text}");
    }
}

#[test]
fn an_import_of_nothing_still_says_what_it_left_out() {
    let text = "model_list:\n- {model_name: a, litellm_params: {model: bedrock/x}}\n";
    let report = litellm(text).unwrap_err().report.unwrap();
    assert_eq!(report.not_carried[0].path, "model_list[0]");
    assert!(report.not_carried[0].advice.contains("Bedrock"), "{report}");
}
