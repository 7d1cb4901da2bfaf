//! What loads, and what it means.

use std::path::{Path, PathBuf};
use std::time::Duration;

use stepwell_config::{Durability, FixedEnvironment, LogCalls, LogFormat, Settings, detect, load};

use crate::{environment, examples, read};

#[test]
fn an_empty_file_is_a_start_without_a_file() {
    let loaded = read("").unwrap();
    assert!(loaded.warnings.is_empty());
    let detected = detect(&environment());
    assert_eq!(Settings { revision: "detected".to_owned(), ..loaded.settings }, detected);
}

#[test]
fn without_a_file_providers_come_from_their_usual_keys_and_the_simulator_is_there() {
    let settings = detect(&environment().with_var("GROQ_API_KEY", "  ").with_var("XAI_API_KEY", "a\nb"));
    let names: Vec<&str> = settings.providers.keys().map(|name| &**name).collect();
    assert_eq!(names, ["anthropic", "openai", "sim"]);
    let openai = &settings.providers["openai"];
    assert_eq!(openai.api_key.as_ref().unwrap().expose(), "sk-openai-private");
    assert_eq!(openai.base_url.as_deref(), Some("https://api.openai.com/v1"));
    assert_eq!(settings.providers["sim"].base_url, None);
    assert_eq!(settings.providers["sim"].api_key, None);
    assert_eq!(detect(&FixedEnvironment::new()).providers.len(), 1);
}

#[test]
fn an_address_that_names_a_region_gets_it_from_the_file_or_from_where_aws_has_it() {
    let address = |settings: &Settings, name: &str| settings.providers[name].base_url.clone().unwrap();
    let in_region = |region: &str| format!("https://bedrock-runtime.{region}.amazonaws.com");
    let key = FixedEnvironment::new().with_var("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-private");
    assert_eq!(detect(&key).providers.len(), 1, "nobody said which region");
    let usual = key.with_var("AWS_DEFAULT_REGION", "eu-central-1");
    assert_eq!(address(&detect(&usual), "bedrock"), in_region("eu-central-1"));
    let nearer = usual.with_var("AWS_REGION", "us-west-2");
    assert_eq!(address(&detect(&nearer), "bedrock"), in_region("us-west-2"));
    let text =
        "[providers.a]\nkind = \"bedrock\"\n[providers.b]\nkind = \"bedrock\"\nregion = \"ap-south-1\"\n";
    let loaded = load(Path::new("stepwell.toml"), text, &nearer).unwrap();
    assert_eq!(loaded.warnings, []);
    assert_eq!(address(&loaded.settings, "a"), in_region("us-west-2"));
    assert_eq!(address(&loaded.settings, "b"), in_region("ap-south-1"));
    let key = loaded.settings.providers["b"].api_key.as_ref().unwrap();
    assert_eq!(key.expose(), "bedrock-api-key-private", "a region of the vendor's is at the vendor");
}

#[test]
fn a_file_that_names_providers_has_those_and_no_others() {
    let loaded = read("[providers.sim]\nkind = \"sim\"").unwrap();
    assert_eq!(loaded.settings.providers.len(), 1);
    assert!(read("[providers]").unwrap().settings.providers.is_empty());
}

#[test]
fn the_example_file_loads_and_says_the_defaults() {
    let text = include_str!("../../../../stepwell.example.toml");
    let loaded = load(Path::new("stepwell.toml"), text, &FixedEnvironment::new()).unwrap();
    assert_eq!(loaded.warnings, []);
    let defaults = Settings::default();
    let settings = Settings {
        revision: defaults.revision.clone(),
        providers: defaults.providers.clone(),
        routes: defaults.routes.clone(),
        ..loaded.settings
    };
    assert_eq!(settings, defaults);
}

#[test]
fn the_example_file_loads_with_every_comment_that_is_a_setting_put_in_force() {
    let text: String = include_str!("../../../../stepwell.example.toml")
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.contains(" = ") => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let settings = read(&text).unwrap().settings;
    assert_eq!(settings.server.workers.get(), 4);
    assert_eq!(settings.providers["openai"].headers.len(), 1);
}

#[test]
fn every_example_in_the_documentation_loads_without_a_warning() {
    let document = include_str!("../../../../docs/configuration.md");
    let mut count = 0;
    for example in examples(document) {
        let loaded = read(example).unwrap_or_else(|problems| panic!("{example}\n{problems:#?}"));
        assert_eq!(loaded.warnings, [], "{example}");
        count += 1;
    }
    assert!(count >= 7, "{count} examples");
}

#[test]
fn the_report_in_the_documentation_is_what_a_user_sees() {
    let document = include_str!("../../../../docs/configuration.md");
    let shown = document.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let problems = read("[server]\nlisen = \"127.0.0.1:7070\"\n").unwrap_err();
    assert_eq!(format!("{}\n", problems[0]), shown);
}

#[test]
fn every_value_of_a_full_file_arrives() {
    let text = r#"
data_dir = "/var/lib/stepwell"
[server]
listen = "127.0.0.2:1"
admin_listen = "[::1]:2"
workers = 3
max_connections = 4
body_limit = 5_000
json_depth = 9
header_limit = "8KiB"
header_count = 16
first_byte_timeout = "1ms"
header_timeout = "2s"
body_timeout = "3m"
body_min_rate = "4KB"
idle_timeout = "1h"
drain_timeout = "0s"
allowed_hosts = ["Gateway.Internal:80"]
[journal]
durability = "async"
max_bytes = "8MB"
[log]
level = "warn,stepwell_store=trace"
format = "json"
calls = "none"
[providers.mine]
kind = "anthropic"
base_url = "https://proxy.example/anthropic/"
api_key = "file:/run/secrets/anthropic"
headers = { X-Team = "growth", x-proxy-token = "env:OPENAI_API_KEY" }
models = ["claude"]
max_connections = 7
[providers.mine.timeouts]
connect = "1s"
tls = "2s"
first_byte = "3s"
idle = "4s"
total = "5s"
[providers.mine.prices.claude]
input = 3
output = "15.0"
cache_read = 0.3
cache_write = 3.75
[routes.chat]
targets = ["mine/claude/with/slashes"]
timeout = "1m30s"
strict = true
max_output_tokens = 0x100
"#;
    let settings = read(text).unwrap().settings;
    let server = &settings.server;
    assert_eq!(settings.data_dir, PathBuf::from("/var/lib/stepwell"));
    assert_eq!(
        (server.listen.to_string(), server.admin_listen.to_string()),
        ("127.0.0.2:1".into(), "[::1]:2".into())
    );
    assert_eq!((server.workers.get(), server.max_connections, server.body_limit), (3, 4, 5_000));
    assert_eq!((server.json_depth, server.header_limit, server.header_count), (9, 8_192, 16));
    assert_eq!(server.first_byte_timeout, Duration::from_millis(1));
    assert_eq!(server.header_timeout, Duration::from_secs(2));
    assert_eq!(server.body_timeout, Duration::from_mins(3));
    assert_eq!(server.body_min_rate, 4_000);
    assert_eq!((server.idle_timeout, server.drain_timeout), (Duration::from_hours(1), Duration::ZERO));
    assert_eq!(server.allowed_hosts, ["gateway.internal:80"]);
    assert_eq!(settings.journal.durability, Durability::Async);
    assert_eq!((settings.journal.max_bytes, settings.journal.segment_bytes), (8_000_000, 2_000_000));
    assert_eq!(settings.log.level, "warn,stepwell_store=trace");
    assert_eq!((settings.log.format, settings.log.calls), (LogFormat::Json, LogCalls::None));

    let provider = &settings.providers["mine"];
    assert_eq!((provider.kind.name, provider.max_connections), ("anthropic", 7));
    assert_eq!(provider.base_url.as_deref(), Some("https://proxy.example/anthropic"));
    assert_eq!(provider.api_key.as_ref().unwrap().expose(), "sk-file-private");
    let headers: Vec<(&str, &str)> =
        provider.headers.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
    assert_eq!(headers, [("x-team", "growth"), ("x-proxy-token", "sk-openai-private")]);
    let timeouts = provider.timeouts;
    let seconds = [timeouts.connect, timeouts.tls, timeouts.first_byte, timeouts.idle, timeouts.total]
        .map(|time| time.as_secs());
    assert_eq!(seconds, [1, 2, 3, 4, 5]);
    assert_eq!(provider.models, ["claude"]);
    let price = provider.prices["claude"];
    assert_eq!((price.input, price.output), ("3".parse().unwrap(), "15".parse().unwrap()));
    assert_eq!((price.cache_read, price.cache_write), ("0.3".parse().ok(), "3.75".parse().ok()));

    let route = &settings.routes["chat"];
    assert_eq!(route.targets[0].to_string(), "mine/claude/with/slashes");
    assert_eq!((route.timeout, route.strict), (Some(Duration::from_secs(90)), true));
    assert_eq!(route.max_output_tokens, Some(256));
}

#[test]
fn paths_are_relative_to_the_file_and_not_to_where_it_is_read_from() {
    let environment = FixedEnvironment::new().with_file("/etc/stepwell/keys/openai", "sk-relative\n");
    let text = "data_dir = \"data\"\n[providers.openai]\nkind = \"openai\"\napi_key = \"file:keys/openai\"";
    let settings = load(Path::new("/etc/stepwell/stepwell.toml"), text, &environment).unwrap().settings;
    assert_eq!(settings.data_dir, PathBuf::from("/etc/stepwell/data"));
    assert_eq!(settings.providers["openai"].api_key.as_ref().unwrap().expose(), "sk-relative");
    assert_eq!(read("").unwrap().settings.data_dir, PathBuf::from("stepwell-data"));
}

#[test]
fn an_authorization_header_takes_the_place_of_a_key_where_the_kind_needs_none() {
    let text = r#"
[providers.local]
kind = "openai-compatible"
base_url = "https://models.internal"
headers = { authorization = "env:OPENAI_API_KEY" }
"#;
    let settings = read(text).unwrap().settings;
    assert_eq!(settings.providers["local"].headers[0].1.expose(), "sk-openai-private");
}
