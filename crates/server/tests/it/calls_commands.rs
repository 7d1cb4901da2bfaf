//! The commands beside `serve`: exit codes and what they print.

use serde_json::{Value, json};
use stepwell_testkit::TestDir;
use stepwell_types::Dialect;

use crate::harness::{Simulator, Stepwell, closed_port, config, eventually, run};
use crate::harness_client::{ask, question};

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn dir_with(text: &str) -> TestDir {
    let dir = TestDir::new("commands");
    std::fs::write(dir.path().join("stepwell.toml"), text).unwrap();
    dir
}

#[tokio::test]
async fn check_says_ok_or_every_mistake_with_its_place() {
    let sim = Simulator::start().await;
    let dir = dir_with(&config("", &sim.providers()));
    let ran = run(&dir, &["check"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(
        ran.out.contains("stepwell.toml: ok") && ran.out.contains("providers: ant, coh, gem, oai"),
        "{}",
        ran.out
    );
    let ran = run(&dir, &["check", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let body = read(&ran.out);
    assert_eq!(body["ok"], true);
    let warnings = body["problems"].as_array().unwrap();
    assert!(
        !warnings.is_empty() && warnings.iter().all(|problem| problem["severity"] == "warning"),
        "{body:#}"
    );
    assert!(!ran.out.contains("key-of-"), "no secret is shown: {}", ran.out);

    let broken = config("", "[providers.x]\nkind = \"opnai\"\n[routes.r]\ntargets = [\"y/z\"]\n[oops]\n");
    let dir = dir_with(&broken);
    let ran = run(&dir, &["check"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("3 problems") && ran.err.contains("stepwell.toml:"), "{}", ran.err);
    let ran = run(&dir, &["check", "--json"]);
    assert_eq!(ran.code, Some(1));
    let body = read(&ran.out);
    assert_eq!((&body["ok"], body["problems"].as_array().unwrap().len()), (&json!(false), 3), "{body:#}");
    for problem in body["problems"].as_array().unwrap() {
        assert!(
            problem["line"].is_u64() && problem["column"].is_u64() && problem["code"].is_string(),
            "{problem}"
        );
    }
    assert_eq!(run(&dir, &["serve"]).code, Some(1), "and it does not start");

    let missing = run(&dir, &["check", "--config", "no-such.toml"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.err.contains("no-such.toml"), "{}", missing.err);
    let wrong = run(&dir, &["check", "--no-such-flag"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.err);
    assert_eq!(run(&dir, &["no-such-command"]).code, Some(2));
}

#[test]
fn schema_prints_a_json_schema_that_knows_every_section() {
    let dir = TestDir::new("commands");
    let ran = run(&dir, &["schema"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let schema = read(&ran.out);
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    for section in ["data_dir", "server", "store", "auth", "journal", "log", "providers", "routes"] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
}

#[tokio::test]
async fn usage_is_the_same_from_the_server_and_from_the_data_it_leaves_behind() {
    let sim = Simulator::start().await;
    // A port of our own: the command finds the server by its configuration.
    let server = format!("listen = \"{}\"\nadmin_listen = \"{}\"", closed_port(), closed_port());
    let mut stepwell = Stepwell::start(&server, &sim.providers()).await;
    for (target, tag) in [("oai/small", "feature=a"), ("oai/small", "feature=b"), ("ant/large", "feature=a")]
    {
        let body = question(Dialect::OpenaiChat, target, false, "draw [[sim:tokens=10]]");
        let reply = ask(stepwell.api, Dialect::OpenaiChat, &[("x-stepwell-tags", tag)], &body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
    }
    eventually("three calls in the ledger", || async { (stepwell.calls().await.len() == 3).then_some(()) })
        .await;
    let command = ["usage", "--by", "provider,model", "--since", "1h", "--json"];
    let live = run(&stepwell.dir, &command);
    assert_eq!(live.code, Some(0), "{}", live.err);
    let live = read(&live.out);
    let total = &live["total"];
    assert_eq!((&total["calls"], &total["output_tokens"]), (&json!(3), &json!(30)), "{live:#}");
    assert_eq!(total["cost_usd"], sim.oracle.totals().billed.to_string(), "to the nano-dollar");
    let groups: Vec<(&str, &str, u64)> = live["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            (
                row["provider"].as_str().unwrap(),
                row["model"].as_str().unwrap(),
                row["calls"].as_u64().unwrap(),
            )
        })
        .collect();
    assert!(groups.contains(&("oai", "small", 2)) && groups.contains(&("ant", "large", 1)), "{groups:?}");

    let by_tag = read(&run(&stepwell.dir, &["usage", "--by", "tag:feature", "--json"]).out);
    assert_eq!(by_tag["data"].as_array().unwrap().len(), 2, "{by_tag:#}");
    let table = run(&stepwell.dir, &["usage", "--since", "1h"]);
    assert!(table.out.starts_with("provider") && table.out.contains("total"), "{}", table.out);
    for wrong in [["usage", "--by", "tag:"], ["usage", "--since", "yesterday"], ["usage", "--step", "year"]] {
        let ran = run(&stepwell.dir, &wrong);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{wrong:?}");
        assert!(
            ran.err.contains(wrong[2]) || ran.err.contains(wrong[1].trim_start_matches('-')),
            "{}",
            ran.err
        );
    }

    stepwell.signal(rustix::process::Signal::TERM);
    assert_eq!(stepwell.ended().await.code(), Some(0));
    let left = run(&stepwell.dir, &command);
    assert_eq!(left.code, Some(0), "{}", left.err);
    let left = read(&left.out);
    assert_eq!((&left["data"], &left["total"]), (&live["data"], &live["total"]));
    let wrong = run(&stepwell.dir, &["usage", "--by", "tag:"]);
    assert_eq!(wrong.code, Some(1), "{}", wrong.err);
}

#[tokio::test]
async fn usage_before_any_data_says_so_and_makes_nothing() {
    let sim = Simulator::start().await;
    let server = format!("listen = \"{}\"\nadmin_listen = \"{}\"", closed_port(), closed_port());
    let dir = dir_with(&config(&server, &sim.providers()));
    let ran = run(&dir, &["usage", "--json"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("no data"), "{}", ran.err);
    assert!(!dir.path().join("data").exists());
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &sim.providers()).await;
    let ran = run(&stepwell.dir, &["serve"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("data"), "{}", ran.err);
    let taken = dir_with(&config(
        &format!("listen = \"{}\"\nadmin_listen = \"127.0.0.1:0\"", stepwell.api),
        &sim.providers(),
    ));
    let ran = run(&taken, &["serve"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&stepwell.api.to_string()) && ran.err.contains("server.listen"), "{}", ran.err);
}

#[tokio::test]
async fn prices_shows_what_calls_are_charged_at_and_who_set_it() {
    let sim = Simulator::start().await;
    let own = "[providers.oai.prices.\"mine\"]\ninput = 0.25\noutput = 1\n\
        [providers.vendor]\nkind = \"openai\"\napi_key = \"literal:any\"\n";
    let dir = dir_with(&config("", &(sim.providers() + own)));
    let shown = run(&dir, &["prices", "show", "oai/mine", "vendor/gpt-4o", "oai/nobody", "--json"]);
    assert_eq!(shown.code, Some(0), "{}", shown.err);
    let shown = read(&shown.out);
    let prices = shown["prices"].as_array().unwrap();
    let rate = |row: &Value, line: &str| {
        let rates = row["rates"].as_array().unwrap();
        rates.iter().find(|rate| rate["line"] == line).map(|rate| rate["usd_per_million"].clone())
    };
    assert_eq!(prices[0]["from"], "config");
    assert_eq!(
        (rate(&prices[0], "input"), rate(&prices[0], "output")),
        (Some(json!("0.25")), Some(json!("1.00")))
    );
    assert_eq!((&prices[1]["from"], rate(&prices[1], "input")), (&json!("data"), Some(json!("2.50"))));
    assert_eq!((&prices[2]["from"], &prices[2]["rates"]), (&Value::Null, &json!([])));

    let table = run(&dir, &["prices", "show"]);
    assert!(table.out.contains("oai/mine") && table.out.contains("ant/large"), "{}", table.out);
    let unpriced = run(&dir, &["prices", "show", "oai/nobody"]);
    assert!(
        unpriced.out.contains("unpriced") && unpriced.out.contains("1 without a price"),
        "{}",
        unpriced.out
    );
    for wrong in [["prices", "show", "nobody/x"], ["prices", "show", "--at=yesterday"]] {
        let ran = run(&dir, &wrong);
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{wrong:?}");
    }
    assert_eq!(run(&dir, &["prices"]).code, Some(2));
}
