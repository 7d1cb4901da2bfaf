//! Price data that is installed over the binary's own: checked whole, in force with a reload, and never in the way of a
//! start.

use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};
use stepwell_testkit::TestDir;
use stepwell_types::Dialect;

use crate::harness::{Ran, Simulator, Stepwell, call_of, config, eventually, run};
use crate::harness_client::{ask, question, send};

/// The vendored data.
const EMBEDDED: &str = include_str!("../../../catalog/data/prices.json");

/// A provider whose only price is the data's.
fn provider(sim: &Simulator) -> String {
    format!(
        "[providers.vendor]\nkind = \"openai\"\nbase_url = \"http://{}/v1\"\napi_key = \"literal:any\"\n\
         models = [\"small\"]\n",
        sim.address
    )
}

/// Data in which the provider's model costs this much a million tokens.
fn data(input: &str, output: &str) -> String {
    format!(
        r#"[{{"id":"openai","models":[{{"id":"small","match":{{"equals":"small"}},
        "prices":{{"input_mtok":{input},"output_mtok":{output}}}}}]}}]"#
    )
}

fn write(dir: &TestDir, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn dir_with(text: &str) -> TestDir {
    let dir = TestDir::new("prices");
    write(&dir, "stepwell.toml", text);
    dir
}

fn installed(dir: &TestDir) -> PathBuf {
    dir.path().join("data/prices.json")
}

#[track_caller]
fn read(ran: &Ran, code: i32) -> Value {
    assert_eq!(ran.code, Some(code), "{} {}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn update(dir: &TestDir, text: &str, date: &str) -> Value {
    write(dir, "new.json", text);
    let ran = run(dir, &["prices", "update", "new.json", "--date", date, "--force", "--json"]);
    read(&ran, 0)
}

/// Makes a call of ten tokens out, and gives its record.
async fn call(stepwell: &Stepwell) -> Value {
    let body = question(Dialect::OpenaiChat, "vendor/small", false, "draw [[sim:tokens=10]]");
    let reply = ask(stepwell.api, Dialect::OpenaiChat, &[], &body).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    stepwell.record(&call_of(&reply)).await
}

/// What a call of the given record costs at so many dollars a million tokens.
fn cost(record: &Value, input: u64, output: u64) -> String {
    let count = |key: &str| record["attempts"][0][key].as_u64().unwrap();
    let nanos = (count("input_tokens") * input + count("output_tokens") * output) * 1_000;
    format!("{}.{:09}", nanos / 1_000_000_000, nanos % 1_000_000_000)
}

async fn reload(stepwell: &Stepwell) -> Value {
    let token = std::fs::read_to_string(stepwell.dir.path().join("data/admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let headers = [("content-type", "application/json"), ("authorization", &*bearer)];
    let reply = send(stepwell.admin, "POST", "/admin/v1/config:reload", &headers, "{}").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    stepwell.ask("/admin/v1/status").await["prices"].clone()
}

#[tokio::test]
async fn an_update_is_in_force_with_the_next_reload_and_settled_calls_keep_their_cost() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &provider(&sim)).await;
    let first = stepwell.ask("/admin/v1/status").await["prices"].clone();
    assert_eq!((&first["origin"], &first["problem"]), (&json!("embedded"), &json!(null)));
    let unpriced = call(&stepwell).await;
    assert_eq!(
        (&unpriced["cost_usd"], &unpriced["attempts"][0]["cost_status"]),
        (&json!(null), &json!("unpriced"))
    );

    // While it runs.
    let updated = update(&stepwell.dir, &data("1", "2"), "2026-11-20");
    assert_eq!(updated["updated"], true);
    assert_eq!(stepwell.ask("/admin/v1/status").await["prices"], first, "not before a reload");
    stepwell.signal(Signal::HUP);
    let shown = eventually("the installed prices", || async {
        let shown = stepwell.ask("/admin/v1/status").await["prices"].clone();
        (shown["origin"] == "installed").then_some(shown)
    })
    .await;
    assert_eq!((&shown["date"], &shown["source"]), (&json!("2026-11-20"), &json!("new.json")));
    assert_eq!(shown["sha256"], updated["in_force"]["sha256"]);
    let cheap = call(&stepwell).await;
    assert_eq!(
        (&cheap["cost_usd"], &cheap["attempts"][0]["cost_status"]),
        (&json!(cost(&cheap, 1, 2)), &json!("exact"))
    );

    update(&stepwell.dir, &data("10", "20"), "2026-11-21");
    assert_eq!(reload(&stepwell).await["date"], "2026-11-21");
    let dear = call(&stepwell).await;
    assert_eq!(dear["cost_usd"], cost(&dear, 10, 20));
    for (record, what) in [(&unpriced, "unpriced"), (&cheap, "cheap")] {
        assert_eq!(
            stepwell.record(record["id"].as_str().unwrap()).await["cost_usd"],
            record["cost_usd"],
            "{what}"
        );
    }
    assert!(
        stepwell.log().iter().any(|line| line.contains("other prices are in force")),
        "{:#?}",
        stepwell.log()
    );

    // A start finds them too.
    stepwell.signal(Signal::TERM);
    let stepwell = stepwell.start_again().await;
    let after = call(&stepwell).await;
    assert_eq!(after["cost_usd"], cost(&after, 10, 20));

    let back = run(&stepwell.dir, &["prices", "update", "--embedded", "--json"]);
    assert_eq!(read(&back, 0)["in_force"]["origin"], "embedded");
    assert!(!installed(&stepwell.dir).exists());
    assert_eq!(reload(&stepwell).await, first);
    assert_eq!(call(&stepwell).await["attempts"][0]["cost_status"], "unpriced");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_never_stops_a_start_and_is_reported() {
    let sim = Simulator::start().await;
    let dir = dir_with(&config("", &provider(&sim)));
    update(&dir, &data("1", "2"), "2026-11-20");
    let whole = std::fs::read_to_string(installed(&dir)).unwrap();
    for (broken, problem) in [
        (whole[..whole.len() / 2].to_owned(), "shape"),
        (whole.replace("\"input_mtok\":1", "\"input_mtok\":0"), "SHA-256"),
        (data("1", "2"), "shape"),
        (String::new(), "shape"),
    ] {
        std::fs::write(installed(&dir), &broken).unwrap();
        let checked = run(&dir, &["prices", "check", "--json"]);
        let checked = read(&checked, 100);
        let finding = &checked["findings"][0];
        assert_eq!(
            (&finding["code"], &finding["severity"]),
            (&json!("installed_not_used"), &json!("warning"))
        );
        assert!(finding["message"].as_str().unwrap().contains(problem), "{finding}");
        assert_eq!(checked["data"]["origin"], "embedded");
        let shown = run(&dir, &["prices", "show", "vendor/gpt-4o"]);
        assert_eq!(shown.code, Some(0));
        assert!(
            shown.err.contains("is not used") && shown.out.contains("2.50"),
            "{} {}",
            shown.err,
            shown.out
        );
    }

    let stepwell = Stepwell::start("", &provider(&sim)).await;
    update(&stepwell.dir, &data("1", "2"), "2026-11-20");
    std::fs::write(installed(&stepwell.dir), &whole[..whole.len() / 2]).unwrap();
    stepwell.signal(Signal::TERM);
    let stepwell = stepwell.start_again().await;
    let shown = stepwell.ask("/admin/v1/status").await["prices"].clone();
    assert_eq!(shown["origin"], "embedded");
    assert!(shown["problem"].as_str().unwrap().contains("prices.json"), "{shown}");
    assert!(stepwell.log().iter().any(|line| line.contains("installed prices are not used")));
    assert_eq!(call(&stepwell).await["attempts"][0]["cost_status"], "unpriced");
    // Put right, a reload takes it.
    update(&stepwell.dir, &data("1", "2"), "2026-11-20");
    let shown = reload(&stepwell).await;
    assert_eq!((&shown["origin"], &shown["problem"]), (&json!("installed"), &json!(null)));
}

#[tokio::test]
async fn update_refuses_what_is_broken_or_most_likely_not_meant_and_changes_nothing() {
    let sim = Simulator::start().await;
    let mut text = config("", &provider(&sim)).replace("[\"small\"]", "[\"small\", \"gpt-4o\"]");
    let dir = dir_with(&text);
    let refused = |arguments: &[&str], says: &[&str]| {
        let ran = run(&dir, &[&["prices", "update"], arguments].concat());
        assert_eq!((ran.code, &*ran.out), (Some(1), ""), "{arguments:?}");
        assert!(says.iter().all(|part| ran.err.contains(part)), "{arguments:?}: {}", ran.err);
        assert!(!installed(&dir).exists() && !dir.path().join("data").exists(), "{arguments:?}");
    };
    write(&dir, "small.json", &data("1", "2"));
    write(&dir, "rate.json", &data("1", "-2"));
    write(&dir, "other.json", r#"{"gpt-4o":{"input_cost_per_token":0.0000025}}"#);
    write(&dir, "torn.json", &EMBEDDED[..EMBEDDED.len() / 2]);
    write(&dir, "same.json", EMBEDDED);
    write(&dir, "without.json", &EMBEDDED.replace("\"id\":\"openai\"", "\"id\":\"elsewhere\""));
    refused(&["rate.json", "--force"], &["rate.json", "openai", "small", "-2"]);
    refused(&["other.json", "--force"], &["other.json", "shape"]);
    refused(&["torn.json", "--force"], &["torn.json", "shape"]);
    refused(&["none.json"], &["none.json"]);
    refused(&["."], &["not a plain file"]);
    refused(&["small.json"], &["1 models", "half", "--force"]);
    refused(&["same.json", "--date", "2026-01-01"], &["2026-01-01", "older", "--force"]);
    refused(&["same.json", "--date", "2999-01-01"], &["2999-01-01"]);
    refused(&["same.json", "--date", "today"], &["YYYY-MM-DD"]);
    refused(&["without.json"], &["vendor/gpt-4o", "--force"]);
    assert_eq!(run(&dir, &["prices", "update"]).code, Some(2));
    assert_eq!(run(&dir, &["prices", "update", "same.json", "--embedded"]).code, Some(2));

    let ran = run(&dir, &["prices", "update", "same.json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.contains("nothing differs") && ran.out.contains("reload"), "{}", ran.out);
    let left: Vec<_> =
        std::fs::read_dir(dir.path().join("data")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(left, [installed(&dir)], "no draft is left behind");
    // What the data knows no more may have a price of one's own.
    text += "prices.gpt-4o = { input = 1, output = 1 }\n";
    write(&dir, "stepwell.toml", &text);
    assert_eq!(run(&dir, &["prices", "update", "without.json"]).code, Some(0));
}

#[tokio::test]
async fn diff_shows_every_rate_that_would_change() {
    let sim = Simulator::start().await;
    let dir = dir_with(&config("", &provider(&sim)));
    update(&dir, &data("1.50", "2"), "2026-11-20");
    let new = r#"[{"id":"openai","models":[
        {"id":"small","match":{"equals":"small"},"prices":{"input_mtok":{"base":1.2,"tiers":[{"start":1000,"price":3}]}}},
        {"id":"more","match":{"equals":"more"},"prices":{"input_mtok":5}}]},
        {"id":"anthropic","models":[{"id":"c","match":{"equals":"c"},"prices":{"output_mtok":7}}]}]"#;
    write(&dir, "new.json", new);
    let shown = read(&run(&dir, &["prices", "diff", "new.json", "--json"]), 0);
    assert_eq!(
        (&shown["in_force"]["date"], &shown["file"]["source"]),
        (&json!("2026-11-20"), &json!("new.json"))
    );
    assert_eq!(
        shown["changes"],
        json!([
            {"provider": "openai", "model": "more", "change": "model_added", "line": "input", "new": "5.00"},
            {"provider": "openai", "model": "small", "change": "changed", "line": "input",
             "old": "1.50", "new": "1.20", "percent": "-20.0%"},
            {"provider": "openai", "model": "small", "change": "added", "line": "input",
             "above_input_tokens": 1000, "new": "3.00"},
            {"provider": "openai", "model": "small", "change": "removed", "line": "output", "old": "2.00"},
        ])
    );
    assert_eq!(
        (&shown["in_force"]["origin"], &shown["file"]["origin"]),
        (&json!("installed"), &json!("file"))
    );
    let all = read(&run(&dir, &["prices", "diff", "new.json", "--all", "--json"]), 0);
    let added = all["changes"].as_array().unwrap().iter().find(|row| row["provider"] == "anthropic").unwrap();
    assert_eq!((&added["change"], &added["line"]), (&json!("model_added"), &json!("output")));
    let table = run(&dir, &["prices", "diff", "new.json"]);
    assert!(table.out.contains("-20.0%") && table.out.contains("input above 1000"), "{}", table.out);
    assert_eq!(run(&dir, &["prices", "diff", "new.json", "--exit-code"]).code, Some(100));
    write(&dir, "same.json", &data("1.5", "2.0"));
    let same = run(&dir, &["prices", "diff", "same.json", "--exit-code"]);
    assert_eq!(same.code, Some(0), "a rate written another way is the same");
    assert!(same.out.contains("nothing differs"), "{}", same.out);

    // A rate that is not in force yet.
    let later = data("1.5", "2").replace(
        r#"{"input_mtok":1.5,"output_mtok":2}"#,
        r#"[{"prices":{"input_mtok":1.5,"output_mtok":2}},
            {"constraint":{"start_date":"2999-01-01"},"prices":{"input_mtok":9}}]"#,
    );
    write(&dir, "later.json", &later);
    let shown = read(&run(&dir, &["prices", "diff", "later.json", "--json"]), 0);
    assert_eq!(
        shown["changes"],
        json!([{"provider": "openai", "model": "small", "change": "changed_elsewhere"}])
    );
    let shown =
        read(&run(&dir, &["prices", "diff", "later.json", "--at", "2999-01-02T00:00:00Z", "--json"]), 0);
    assert_eq!(shown["changes"][0]["new"], "9.00");
}

#[tokio::test]
async fn check_fails_where_a_target_that_is_named_has_no_price() {
    let sim = Simulator::start().await;
    let priced = config("", &sim.providers());
    let dir = dir_with(&priced);
    let shown = read(&run(&dir, &["prices", "check", "--max-age-days", "100000", "--json"]), 0);
    assert_eq!((&shown["ok"], &shown["unpriced"], &shown["targets"]), (&json!(true), &json!(0), &json!(6)));
    assert_eq!((&shown["data"]["origin"], &shown["findings"]), (&json!("embedded"), &json!([])));

    let more = "[providers.vendor]\nkind = \"openai\"\napi_key = \"literal:any\"\nmodels = [\"gpt-4o\", \"mystery\"]\n\
        prices.gpt-4o = { input = 2.25, output = 10 }\nprices.idle = { input = 1, output = 1 }\n\
        [routes.chat]\ntargets = [\"vendor/gpt-4o\", \"vendor/unheard-of\"]\n";
    write(&dir, "stepwell.toml", &(priced + more));
    update(&dir, EMBEDDED, "2026-01-01");
    let shown = read(&run(&dir, &["prices", "check", "--max-age-days", "10", "--json"]), 100);
    assert_eq!((&shown["ok"], &shown["unpriced"], &shown["targets"]), (&json!(false), &json!(2), &json!(9)));
    let found: Vec<(&str, Option<&str>)> = shown["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| (finding["code"].as_str().unwrap(), finding["target"].as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("stale", None),
            ("older_than_embedded", None),
            ("unpriced", Some("vendor/mystery")),
            ("unpriced", Some("vendor/unheard-of")),
            ("differs", Some("vendor/gpt-4o")),
            ("not_served", Some("vendor/idle")),
        ]
    );
    let text = run(&dir, &["prices", "check"]);
    assert_eq!(text.code, Some(100));
    assert!(text.out.contains("error: vendor/mystery: no price"), "{}", text.out);
    assert!(text.out.contains("input 2.25, not 2.50") && text.out.contains("9 targets"), "{}", text.out);
}
