//! A table of mistakes, each with the whole report a user would see.

use std::collections::BTreeSet;

use crate::{read, rendered};

/// The name of a mistake and a configuration that makes it.
const CASES: &[(&str, &str)] = &[
    (
        "unknown keys in every section, all at once",
        r#"
data_dri = "x"
[server]
lisen = "127.0.0.1:7070"
banana = 1
[store]
uri = "sqlite"
[shared]
ulr = "memory"
[auth]
mod = "open"
[journal]
durabilty = "strict"
[log]
lvl = "info"
[providers.local]
kind = "openai-compatible"
baseurl = "http://127.0.0.1:8000/v1"
[providers.sim]
kind = "sim"
price = { small = { input = 1, output = 2 } }
timeouts = { firstbyte = "1s" }
prices.small = { input = 1, output = 2, cached = 3 }
[routes.chat]
target = ["sim/small"]
"#,
    ),
    (
        "keys and values of a later version",
        r#"
budgets = {}
[store]
url = "postgres://stepwell:hunter2@db/stepwell"
[shared]
url = "redis://cache:6379"
[auth]
mode = "keys"
secret = "env:SECRET"
[providers.bedrock]
kind = "bedrock"
region = "eu-west-1"
[routes.chat]
strategy = "cheapest"
targets = ["openai/gpt-5-mini"]
cache = { exact = true }
static_reply = "We are busy."
allow = ["team-a"]
guards = ["pii"]
"#,
    ),
    (
        "listeners that others can reach",
        r#"
[server]
listen = "0.0.0.0:7070"
admin_listen = "[::]:7071"
"#,
    ),
    (
        "two listeners at one address",
        r#"
[server]
listen = "127.0.0.1:7071"
"#,
    ),
    (
        "addresses and hosts that are none",
        r#"
[server]
listen = "localhost:8080"
admin_listen = "7071"
allowed_hosts = ["http://gateway.internal", 7]
"#,
    ),
    (
        "wrong types",
        r#"
server = "127.0.0.1:7070"
data_dir = 1
routes = ["chat"]
[journal]
durability = true
max_bytes = 1.5
[log]
level = ["info"]
[providers.sim]
kind = 7
models = "small"
timeouts = 30
prices.small = { input = true, output = "free" }
max_connections = "many"
"#,
    ),
    (
        "durations and sizes that are none, or out of range",
        r#"
[server]
first_byte_timeout = 10
header_timeout = "10"
body_timeout = "0s"
idle_timeout = "2 minutes"
drain_timeout = "3h"
body_limit = "32"
header_limit = "1KB"
json_depth = 1000
header_count = -1
workers = 0
body_min_rate = 99999999999999999999
"#,
    ),
    (
        "a segment that is too large for its journal",
        r#"
[journal]
max_bytes = "100MB"
segment_bytes = "50MB"
"#,
    ),
    (
        "log levels and names of closed sets",
        r#"
[journal]
durability = "Strict"
[log]
level = "info,stepwell-store=debug"
format = "jsn"
calls = "everything"
"#,
    ),
    (
        "a level that is none",
        r#"
[log]
level = "info,stepwell_store=dbug"
"#,
    ),
    (
        "providers that lack what they need",
        r#"
[providers.openai]
[providers.local]
kind = "openai-compatible"
[providers.grok]
kind = "xai"
[providers.elsewhere]
kind = "openai"
base_url = "https://proxy.example/v1"
[providers.typo]
kind = "antropic"
[providers.unheard]
kind = "skynet"
[providers.sim]
kind = "openai"
"#,
    ),
    (
        "base urls that are none",
        r#"
[providers.a]
kind = "openai-compatible"
base_url = "api.example.com/v1"
[providers.b]
kind = "openai-compatible"
base_url = "https://api.example.com/v1?key=1"
[providers.c]
kind = "openai-compatible"
base_url = "https://user:hunter2@api.example.com"
[providers.d]
kind = "openai-compatible"
base_url = "ftp://api.example.com"
[providers.e]
kind = "openai-compatible"
base_url = "https://api.example.com:99999/v1"
[providers.f]
kind = "openai-compatible"
base_url = "https://"
[providers.g]
kind = "openai-compatible"
base_url = "https://api.example.com/#top"
"#,
    ),
    (
        "secrets that are missing, plain or unusable",
        r#"
[providers.a]
kind = "openai"
api_key = "sk-in-plain-sight"
[providers.b]
kind = "openai"
api_key = "env:NOT_SET"
[providers.c]
kind = "openai"
api_key = "env:sk-pasted-after-env"
[providers.d]
kind = "openai"
api_key = "file:/nowhere"
[providers.e]
kind = "openai"
api_key = "literal:"
[providers.f]
kind = "openai"
api_key = "literal:two\nlines"
[providers.g]
kind = "openai"
api_key = 12345
[providers.h]
kind = "openai"
api_key = "env:AIzaPastedKeyThatLooksLikeAName"
"#,
    ),
    (
        "headers that a provider cannot add",
        r#"
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:8000/v1"
api_key = "env:OPENAI_API_KEY"
[providers.local.headers]
Authorization = "env:OPENAI_API_KEY"
Transfer-Encoding = "chunked"
Host = "elsewhere"
"bad name" = "x"
x-team = "growth"
X-Team = "other"
x-session-token = "plain-token"
x-number = 5
x-control = "a\u0000b"
"#,
    ),
    (
        "prices that are none",
        r#"
[providers.sim]
kind = "sim"
[providers.sim.prices]
a = { input = 1 }
b = { input = -1, output = 1e-3 }
c = { input = "0.0000000000000000001", output = inf }
d = { input = 1000001, output = "$2" }
"#,
    ),
    (
        "names that are none",
        r#"
[providers."open ai"]
kind = "sim"
[providers."eu/sim"]
kind = "sim"
[routes."team/chat"]
targets = ["openai/gpt-5-mini"]
[routes.""]
targets = ["openai/gpt-5-mini"]
"#,
    ),
    (
        "targets that are none, or nowhere",
        r#"
[providers.openai]
kind = "openai"
[routes.a]
targets = []
[routes.b]
[routes.c]
targets = ["gpt-5-mini", "opnai/gpt-5-mini", "anthropic/claude-sonnet-4-5", "nowhere/model", "openai/", 7]
[routes.d]
targets = "openai/gpt-5-mini"
timeout = "forever"
strict = "yes"
max_output_tokens = 0
"#,
    ),
    (
        "text that is not toml, among other mistakes",
        r#"
data_dri = "x"
[server]
listen = 127.0.0.1:7070
banana = 1
[providers.openai]
api_key = sk-unquoted
kind = "openai
"#,
    ),
    (
        "a key twice",
        r#"
[routes.chat]
targets = ["openai/gpt-5-mini"]
[routes.chat]
targets = ["openai/gpt-5"]
"#,
    ),
    (
        "warnings alone",
        r#"
[providers.local]
kind = "openai-compatible"
base_url = "http://10.0.0.5:8000/v1"
api_key = "literal:for-a-test"
models = ["llama", "llama"]
[routes.chat]
targets = ["local/llama", "local/llama"]
"#,
    ),
    ("a long line with wide and odd characters", "[server]\n\t# ü\nbänana = 1\nx = \"\u{1f600}\u{7}\"\n"),
];

#[test]
fn every_mistake_is_reported_with_its_place_and_a_way_out() {
    let reports: Vec<String> =
        CASES.iter().map(|(name, text)| format!("===== {name}\n\n{}", rendered(text))).collect();
    insta::assert_snapshot!("mistakes", reports.concat());
}

#[test]
fn every_mistake_in_the_table_says_how_to_mend_it() {
    for (name, text) in CASES {
        let problems = read(text).map_or_else(|problems| problems, |loaded| loaded.warnings);
        assert!(!problems.is_empty(), "{name}");
        for problem in problems {
            assert!(problem.hint.is_some() || problem.message.starts_with("expected"), "{name}\n{problem}");
        }
    }
}

#[test]
fn every_kind_of_mistake_is_in_the_documentation_and_none_is_there_that_cannot_be_made() {
    let document = include_str!("../../../../docs/configuration.md");
    let listed: BTreeSet<&str> = document
        .lines()
        .skip_while(|line| *line != "## Problems")
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let deep = format!("x = {}1{}", "[".repeat(20), "]".repeat(20));
    let many = "a = 1\n".repeat(150);
    let large = "#".repeat(1_000_001);
    let texts = CASES.iter().map(|(_, text)| *text).chain([deep.as_str(), many.as_str(), large.as_str()]);
    let made: BTreeSet<&str> = texts
        .flat_map(|text| read(text).map_or_else(|problems| problems, |loaded| loaded.warnings))
        .map(|problem| problem.code)
        .collect();
    assert_eq!(listed, made);
}

#[test]
fn a_mistake_in_a_long_line_is_shown_without_the_whole_line() {
    let text = format!("[routes]\nchat = {{ targets = [{}\"x\"] }}", "\"openai/gpt-5-mini\", ".repeat(50));
    let problems = read(&text).unwrap_err();
    assert!(problems.iter().all(|problem| problem.snippet.lines().all(|line| line.chars().count() <= 120)));
    assert!(problems.iter().any(|problem| problem.snippet.contains("\"x\"]")));
}

#[test]
fn a_report_has_a_bound_and_says_what_it_leaves_out() {
    let lines: Vec<String> = (0..250).map(|number| format!("key{number} = 1\n")).collect();
    let problems = read(&lines.concat()).unwrap_err();
    assert_eq!(problems.len(), 101);
    assert_eq!(problems.last().unwrap().message, "150 more problems are not shown");
}

#[test]
fn more_warnings_than_a_report_shows_do_not_refuse_the_file() {
    let provider = |number| {
        format!(
            "[providers.p{number}]\nkind = \"openai-compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
             api_key = \"literal:x\"\n"
        )
    };
    let text: String = (0..250).map(provider).collect();
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.warnings.len(), 101);
    assert_eq!(loaded.warnings.last().unwrap().message, "150 more problems are not shown");
}

#[test]
fn a_file_of_more_than_a_megabyte_is_not_read() {
    let problems = read(&"#".repeat(1_000_001)).unwrap_err();
    assert_eq!(problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["too_large"]);
    assert!(read(&"#".repeat(1_000_000)).is_ok());
}

#[test]
fn a_problem_is_an_object_in_json() {
    let problems = read("[server]\nlisen = 1\n").unwrap_err();
    insta::assert_snapshot!(serde_json::to_string_pretty(&problems).unwrap(), @r#"
    [
      {
        "code": "unknown_key",
        "severity": "error",
        "file": "stepwell.toml",
        "line": 2,
        "column": 1,
        "span": {
          "start": 9,
          "end": 14
        },
        "message": "unknown key `lisen` in [server]",
        "hint": "did you mean `listen`?",
        "snippet": "lisen = 1\n^^^^^"
      }
    ]
    "#);
}
