//! Hot reload: a good file is in force within a second or so, a bad one changes nothing and says why.

use std::net::SocketAddr;

use rustix::process::Signal;
use serde_json::{Value, json};
use stepwell_types::Dialect;

use crate::harness::{Simulator, Stepwell, config, eventually};
use crate::harness_client::{ask, get, question, send, start as begin};

fn with_route(sim: &Simulator, name: &str) -> String {
    sim.providers() + &format!("[routes.{name}]\ntargets = [\"oai/small\"]\n")
}

/// Whether a model of this name is served.
async fn serves(api: SocketAddr, name: &str) -> bool {
    let body = question(Dialect::OpenaiChat, name, false, "draw [[sim:tokens=3]]");
    ask(api, Dialect::OpenaiChat, &[], &body).await.status == 200
}

/// Replaces the config file as editors do: at once.
fn write(stepwell: &Stepwell, text: &str) {
    let new = stepwell.dir.path().join("new.toml");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, stepwell.config_file()).unwrap();
}

async fn until(stepwell: &Stepwell, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async { Some(stepwell.ask("/admin/v1/config").await).filter(&holds) }).await
}

#[tokio::test]
async fn a_changed_file_is_picked_up_by_itself_and_calls_under_way_keep_what_they_began_with() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "before")).await;
    let first = stepwell.ask("/admin/v1/config").await;
    assert!(serves(stepwell.api, "before").await && !serves(stepwell.api, "after").await);
    let body = question(Dialect::OpenaiChat, "before", true, "draw [[sim:tokens=100 event-ms=20]]");
    let under_way = begin(stepwell.api, Dialect::OpenaiChat, &[], &body).await;

    write(&stepwell, &config("", &with_route(&sim, "after")));
    eventually("the new route", || async { serves(stepwell.api, "after").await.then_some(()) }).await;
    assert!(!serves(stepwell.api, "before").await, "the old route is gone");
    let second = stepwell.ask("/admin/v1/config").await;
    assert_ne!(first["revision"], second["revision"]);
    assert_eq!((&second["refused"], &second["restart_needed"]), (&json!(null), &json!([])));
    assert_eq!(get(stepwell.api, "/readyz").await.json()["revision"], second["revision"]);
    let reply = under_way.read().await;
    assert!(reply.text().ends_with("data: [DONE]\n\n"), "{}", reply.text());
}

#[tokio::test]
async fn a_broken_file_keeps_the_old_configuration_and_says_every_mistake() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "before")).await;
    let first = stepwell.ask("/admin/v1/config").await;
    let broken =
        config("body_limt = 5", &with_route(&sim, "after")) + "[routes.lost]\ntargets = [\"nobody/x\"]\n";
    write(&stepwell, &broken);
    let shown = until(&stepwell, "the refusal", |config| config["refused"].is_object()).await;
    let problems = shown["refused"]["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "two mistakes, and no warning among them: {problems:#?}");
    for problem in problems {
        assert!(problem["line"].as_u64().unwrap() > 1 && problem["hint"].is_string(), "{problem}");
    }
    assert!(problems[0]["message"].as_str().unwrap().contains("body_limt"), "{problems:#?}");
    assert_eq!(shown["revision"], first["revision"]);
    assert!(serves(stepwell.api, "before").await && !serves(stepwell.api, "after").await);
    let lines = stepwell.log();
    assert!(lines.iter().any(|line| line.contains("configuration refused")), "{lines:#?}");

    write(&stepwell, &config("", &with_route(&sim, "after")));
    let shown = until(&stepwell, "the mended file", |config| config["revision"] != first["revision"]).await;
    assert_eq!(shown["refused"], json!(null), "a refusal is forgotten once mended");
    assert!(serves(stepwell.api, "after").await);

    // The old file again: it is a change like any other.
    write(&stepwell, &config("", &with_route(&sim, "before")));
    until(&stepwell, "the old file again", |config| config["revision"] == first["revision"]).await;
}

#[tokio::test]
async fn a_file_that_is_gone_or_not_toml_changes_nothing() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "before")).await;
    write(&stepwell, "this is not [ toml");
    until(&stepwell, "the refusal", |config| config["refused"].is_object()).await;
    std::fs::remove_file(stepwell.config_file()).unwrap();
    stepwell.signal(Signal::HUP);
    eventually("the log to say so", || async {
        stepwell.log().iter().any(|line| line.contains("configuration not read")).then_some(())
    })
    .await;
    assert!(serves(stepwell.api, "before").await);
}

#[tokio::test]
async fn sighup_and_the_management_api_reload_at_once() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "before")).await;
    let loaded = |config: &Value| config["loaded"].as_str().unwrap().to_owned();
    let first = stepwell.ask("/admin/v1/config").await;
    stepwell.signal(Signal::HUP);
    let again = until(&stepwell, "the reload", |config| loaded(config) != loaded(&first)).await;
    assert_eq!(again["revision"], first["revision"], "the same file is the same revision");

    let token = std::fs::read_to_string(stepwell.dir.path().join("data/admin-token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    let json = ("content-type", "application/json");
    let reload = async |headers: &[(&str, &str)]| {
        send(stepwell.admin, "POST", "/admin/v1/config:reload", headers, "{}").await
    };
    assert_eq!(reload(&[json]).await.status, 401, "a write needs the token");
    write(&stepwell, &config("", &with_route(&sim, "after")));
    let reply = reload(&[json, ("authorization", &bearer)]).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert!(serves(stepwell.api, "after").await, "no waiting for the next look");
}

#[tokio::test]
async fn what_waits_for_a_restart_is_listed_and_the_rest_is_in_force() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "before")).await;
    let text = config("max_connections = 77\nbody_limit = \"2KB\"", &with_route(&sim, "after"))
        .replace("data_dir = \"data\"", "data_dir = \"elsewhere\"");
    write(&stepwell, &text);
    let shown = until(&stepwell, "the new file", |config| config["restart_needed"] != json!([])).await;
    assert_eq!(shown["restart_needed"], json!(["data_dir", "server.max_connections"]));
    assert_eq!(shown["data_dir"], "data", "{shown:#}");
    assert!(serves(stepwell.api, "after").await);
    let large = question(Dialect::OpenaiChat, "after", false, &"x".repeat(3_000));
    assert_eq!(ask(stepwell.api, Dialect::OpenaiChat, &[], &large).await.status, 413);
    assert!(!stepwell.dir.path().join("elsewhere").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_fails_for_a_reload() {
    let sim = Simulator::start().await;
    let stepwell = Stepwell::start("", &with_route(&sim, "always")).await;
    let api = stepwell.api;
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..8 {
        clients.spawn(async move {
            for call in 0..40 {
                let body = question(Dialect::OpenaiChat, "always", call % 2 == 0, "draw [[sim:tokens=5]]");
                let reply = ask(api, Dialect::OpenaiChat, &[], &body).await;
                assert_eq!(reply.status, 200, "client {client}, call {call}: {}", reply.text());
            }
        });
    }
    let mut reloads = 0;
    while !clients.is_empty() {
        let with = if reloads % 2 == 0 { "[routes.more]\ntargets = [\"ant/small\"]\n" } else { "" };
        write(&stepwell, &config("", &(with_route(&sim, "always") + with)));
        stepwell.signal(Signal::HUP);
        reloads += 1;
        tokio::select! {
            done = clients.join_next() => done.unwrap().unwrap(),
            () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
        }
    }
    assert!(stepwell.counter("stepwell_config_reloads_total").await > 2);
    assert_eq!(sim.oracle.totals().finished, 320);
}
