//! No secret is ever printed, wherever it stands.

use crate::{read, rendered};

/// What must not be seen.
const SECRET: &str = "sk-Zx9-private_0123456789";

/// Texts with `SECRET` where someone could put it, by mistake or not.
const PLACES: &[&str] = &[
    "[providers.a]\nkind = \"openai\"\napi_key = \"SECRET\"",
    "[providers.a]\nkind = \"openai\"\napi_key = \"literal:SECRET\"",
    "[providers.a]\nkind = \"openai\"\napi_key = \"env:SECRET\"",
    "[providers.a]\nkind = \"openai\"\napi_key = ['SECRET']",
    "[providers.a]\nkind = \"openai\"\napi_key = \"\"\"\nSECRET\"\"\"\nbanana = 1",
    "[providers.a]\nkind = \"openai\"\napikey = \"SECRET\"",
    "[providers.a]\nkind = \"opena\" # SECRET",
    "[providers.a]\nkind = \"openai\"\napi_key = SECRET",
    "[providers.a]\nkind = \"openai\"\napi_key = \"SECRET",
    "[providers.a]\nkind = \"openai\"\napi_key = 'SECRET\"\n",
    "[providers.a]\nkind = \"openai\" api_key = \"SECRET\"",
    "[providers.a]\nkind = \"openai\", api_key: \"SECRET\"",
    "providers = { a = { kind = \"opena\", api_key = \"SECRET\" } }",
    "providers = { a = { kind = \"opena\", api_key = \"SECRET\" }",
    "[providers.a]\nkind = \"openai\"\nheaders = { x-token = \"SECRET\", x-team = \"SECRET\", host = \"SECRET\" }",
    "[providers.a]\nkind = \"openai\"\nheaders = { x-team = \"SECRET\\u0000\" }",
    "[providers.a]\nkind = \"openai\"\nheaders = [\"x-token: SECRET\"]",
    "[providers.a]\nkind = \"openai\"\nheaders = \"SECRET\"",
    "[providers.a]\nkind = \"openai-compatible\"\nbase_url = \"https://u:SECRET@example.com\"",
    "[providers.a]\nkind = \"openai-compatible\"\nbase_url = \"https://u:SECRET@example.com",
    "[store]\nurl = \"postgres://u:SECRET@example.com\"",
    "[store]\nurl = \"mysql://u:SECRET@example.com\"",
    "[shared]\nurl = \"redis://:SECRET@example.com\"",
    "[auth]\nmode = \"keys\"\nsecret = \"SECRET\"",
    "[auth]\nkeys = [\"SECRET\", { a = \"SECRET\" }]",
    "password = \"SECRET\"",
    "[providers]\nopenai = \"SECRET\"",
    "SECRET",
    "key = \"x\"\n  SECRET\n",
    "[providers.a]\napi_key = [\n\"SECRET\"\n,,\n]\n",
];

#[test]
fn no_report_shows_a_secret() {
    for place in PLACES {
        let report = rendered(&place.replace("SECRET", SECRET));
        assert!(!report.is_empty(), "{place}");
        assert!(!report.contains(SECRET), "{place}\n{report}");
        assert!(!report.contains("Zx9") && !report.contains("0123456789"), "{place}\n{report}");
    }
}

#[test]
fn no_problem_in_json_shows_a_secret() {
    for place in PLACES {
        let problems = match read(&place.replace("SECRET", SECRET)) {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        };
        assert!(!serde_json::to_string(&problems).unwrap().contains(SECRET), "{place}");
    }
}

#[test]
fn settings_do_not_show_their_secrets() {
    let text = r#"
[providers.a]
kind = "openai"
api_key = "literal:sk-Zx9-private"
headers = { x-team = "sk-Zx9-private", x-token = "env:OPENAI_API_KEY" }
"#;
    let loaded = read(text).unwrap();
    let debug = format!("{loaded:?}");
    assert!(!debug.contains("private"), "{debug}");
    assert!(debug.contains("[redacted]"));
}
