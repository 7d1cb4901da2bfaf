//! What a reload is told.

use stepwell_config::{NameChanges, Settings, compare};

use crate::read;

const BASE: &str = r#"
[providers.sim]
kind = "sim"
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000"
[routes.chat]
targets = ["sim/small"]
[routes.old]
targets = ["sim/small"]
"#;

fn settings(text: &str) -> Settings {
    match read(text) {
        Ok(loaded) => loaded.settings,
        Err(problems) => unreachable!("{text}\n{problems:#?}"),
    }
}

#[test]
fn the_same_settings_from_another_text_are_no_change() {
    let changes = compare(&settings(BASE), &settings(&format!("# a comment\n{BASE}")));
    assert!(changes.is_empty());
}

#[test]
fn what_only_a_restart_changes_is_named_and_kept_and_the_rest_applies() {
    let running = settings(BASE);
    let new = settings(&format!(
        r#"
data_dir = "elsewhere"
server = {{ listen = "127.0.0.1:1", admin_listen = "127.0.0.1:2", workers = 77, max_connections = 5, json_depth = 32 }}
journal = {{ durability = "strict" }}
log = {{ format = "json", calls = "all" }}
{BASE}"#
    ));
    let changes = compare(&running, &new);
    assert_eq!(
        changes.restart_needed,
        [
            "data_dir",
            "server.listen",
            "server.admin_listen",
            "server.workers",
            "server.max_connections",
            "journal",
            "log.format"
        ]
    );
    assert_eq!(changes.applied, ["server", "log"]);

    let in_force = new.keeping(&running);
    assert!(compare(&running, &in_force).restart_needed.is_empty());
    assert_eq!(in_force.data_dir, running.data_dir);
    assert_eq!(in_force.server.json_depth, 32);
}

#[test]
fn providers_and_routes_are_named_as_added_changed_and_removed() {
    let new = settings(
        r#"
[providers.sim]
kind = "sim"
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000"
api_key = "env:OPENAI_API_KEY"
[providers.openai]
kind = "openai"
[routes.chat]
targets = ["sim/large"]
"#,
    );
    let changes = compare(&settings(BASE), &new);
    assert_eq!(
        changes.providers,
        NameChanges { added: vec!["openai".into()], changed: vec!["local".into()], removed: vec![] }
    );
    assert_eq!(
        changes.routes,
        NameChanges { added: vec![], changed: vec!["chat".into()], removed: vec!["old".into()] }
    );
    assert!(changes.restart_needed.is_empty() && changes.applied.is_empty());
}
