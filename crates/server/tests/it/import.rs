//! `stepwell import`: what it writes is served, what it is not told to do it does not, and no secret gets out.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use stepwell_testkit::TestDir;
use stepwell_types::Dialect;

use crate::harness::{BINARY, Simulator, Stepwell, call_of, closed_port, config, run};
use crate::harness_client::{ask, question};

const LITELLM: &str =
    "model_list:\n- model_name: gpt\n  litellm_params: {model: openai/gpt-4o, api_key: sk-literal, rpm: 6}\n";

fn dir_with(name: &str, text: &str) -> TestDir {
    let dir = TestDir::new("import");
    std::fs::write(dir.path().join(name), text).unwrap();
    dir
}

fn written(dir: &TestDir, name: &str) -> String {
    std::fs::read_to_string(dir.path().join(name)).unwrap()
}

#[tokio::test]
async fn a_call_under_litellms_name_is_served_by_what_was_imported() {
    let sim = Simulator::start().await;
    let text = format!(
        "
include: [router.yaml]
model_list:
- model_name: assistant
  litellm_params: {{model: openai/small, api_base: 'http://{}/v1', api_key: sk-literal-one, order: 1}}
- model_name: assistant
  litellm_params: {{model: openai/large, api_base: 'http://{}/v1', api_key: os.environ/SIM_KEY, order: 2}}
  model_info: {{input_cost_per_token: 3e-06, output_cost_per_token: 0.000015}}
",
        closed_port(),
        sim.address,
    );
    let dir = dir_with("router.yaml", "router_settings: {model_group_alias: {helper: assistant}}\n");
    std::fs::write(dir.path().join("config.yaml"), text).unwrap();
    let ran = run(&dir, &["import", "litellm", "config.yaml", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["routes"], json!(["assistant", "helper"]));
    let toml = written(&dir, "stepwell.toml");
    assert!(!format!("{toml}{}{}", ran.out, ran.err).contains("sk-literal"));
    let variables: Vec<(&str, &str)> = report["variables"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variable| (variable["name"].as_str().unwrap(), "any"))
        .collect();
    assert_eq!(variables.len(), 2, "{report:#}");

    // The same file, on ports and data of its own.
    std::fs::write(dir.path().join("stepwell.toml"), config("", &toml)).unwrap();
    let stepwell = Stepwell::start_with(dir, &variables).await;
    for name in ["assistant", "helper"] {
        let body = question(Dialect::OpenaiChat, name, false, "draw [[sim:tokens=10]]");
        let reply = ask(stepwell.api, Dialect::OpenaiChat, &[], &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("x-stepwell-attempts"), Some("2"), "the first deployment is down");
        let record = stepwell.record(&call_of(&reply)).await;
        assert_eq!(record["route"], name, "{record:#}");
        assert_eq!(
            record["cost_usd"],
            sim.account(&call_of(&reply))[0].billed.to_string(),
            "at the imported price"
        );
    }
}

#[test]
fn a_file_that_is_there_is_kept_unless_force_says_otherwise() {
    let dir = dir_with("config.yaml", LITELLM);
    std::fs::write(dir.path().join("stepwell.toml"), "# mine\n").unwrap();
    let kept = run(&dir, &["import", "litellm", "config.yaml"]);
    assert_eq!(kept.code, Some(1), "{}", kept.err);
    assert!(kept.err.contains("--force"), "{}", kept.err);
    assert_eq!(written(&dir, "stepwell.toml"), "# mine\n");
    let elsewhere = run(&dir, &["import", "litellm", "config.yaml", "--out", "other.toml"]);
    assert_eq!((elsewhere.code, elsewhere.out.as_str()), (Some(0), ""), "{}", elsewhere.err);
    assert!(
        elsewhere.err.contains("not carried over:\n  model_list[0].litellm_params.rpm (line 3)"),
        "{}",
        elsewhere.err
    );
    assert!(elsewhere.err.contains("OPENAI_API_KEY (new)"), "{}", elsewhere.err);
    let forced = run(&dir, &["import", "litellm", "config.yaml", "--force"]);
    assert_eq!(forced.code, Some(0), "{}", forced.err);
    assert_eq!(written(&dir, "stepwell.toml"), written(&dir, "other.toml"));
    // Only its variable is missing.
    let check = run(&dir, &["check", "--json"]);
    let body: Value = serde_json::from_str(&check.out).unwrap();
    let codes: Vec<&str> = body["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["missing_secret"], "{body:#}");
}

#[test]
fn standard_input_and_output_stand_for_files() {
    let dir = TestDir::new("import");
    let mut child = Command::new(BINARY)
        .current_dir(dir.path())
        .env_clear()
        .args(["import", "portkey", "-", "--out", "-", "--route", "assistant", "--model", "gpt-4o"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(br#"{"provider": "openai", "api_key": "sk-literal", "retry": {"attempts": 5}}"#)
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{err}");
    assert!(
        out.contains("[routes.assistant]\nstrategy = \"fallback\"\ntargets = [\"openai/gpt-4o\"]"),
        "{out}"
    );
    assert!(err.contains("carried over from Portkey: 1 provider (openai), 1 route (assistant)"), "{err}");
    assert!(err.contains("\n  retry\n"), "{err}");
    assert!(!format!("{out}{err}").contains("sk-literal"));
    assert!(!dir.path().join("stepwell.toml").exists());
}

#[test]
fn what_cannot_be_imported_writes_nothing_and_says_where() {
    let dir = dir_with("config.yaml", "model_list:\n- model_name: a\n");
    let ran = run(&dir, &["import", "litellm", "config.yaml"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(
        ran.err.contains("config.yaml:2: model_list[0]: a model needs a `litellm_params`"),
        "{}",
        ran.err
    );
    assert!(!dir.path().join("stepwell.toml").exists());

    std::fs::write(
        dir.path().join("config.yaml"),
        "model_list:\n- {model_name: a, litellm_params: {model: bedrock/x}}\n",
    )
    .unwrap();
    let ran = run(&dir, &["import", "litellm", "config.yaml", "--json"]);
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    let body: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (&body["ok"], &body["out"], &body["not_carried"][0]["path"]),
        (&json!(false), &Value::Null, &json!("model_list[0]"))
    );

    std::fs::write(dir.path().join("binary"), b"\xff\xfe").unwrap();
    for (arguments, code, said) in [
        (&["import", "litellm", "no-such.yaml"][..], 1, "no-such.yaml"),
        (&["import", "litellm", "binary"], 1, "binary"),
        (&["import", "litellm", "config.yaml", "--json", "--out", "-"], 2, "--json"),
        (&["import", "litellm"], 2, "FILE"),
        (&["import", "envoy", "config.yaml"], 2, "envoy"),
    ] {
        let ran = run(&dir, arguments);
        assert_eq!((ran.code, ran.out.as_str()), (Some(code), ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
}
