//! What a start prints: what was found, where everything is, and something to try.

use std::net::SocketAddr;

use stepwell_config::Settings;

use super::simulator;
use crate::commands::Source;
use crate::output;

/// Prints it to standard error, where logs go: standard output stays clean.
pub(super) fn print(source: &Source, settings: &Settings, listen: SocketAddr, admin: SocketAddr) {
    let version = env!("CARGO_PKG_VERSION");
    let from = match source {
        Source::File(path) => path.display().to_string(),
        Source::Detected => {
            "none: every provider whose key is in the environment, and a simulator".to_owned()
        }
    };
    let mut lines = vec![format!("stepwell {version}"), row("config", &from)];
    for provider in settings.providers.values() {
        let what = match (&provider.base_url, provider.kind.name) {
            (_, simulator::KIND) => "simulated replies: nothing is sent anywhere".to_owned(),
            (Some(url), kind) => format!("{kind} at {url}"),
            (None, kind) => format!("{kind} at {}", provider.kind.base_url.unwrap_or("its usual address")),
        };
        lines.push(row("provider", &format!("{}: {what}", provider.name)));
    }
    for route in settings.routes.values() {
        let targets: Vec<String> = route.targets.iter().map(ToString::to_string).collect();
        lines.push(row("route", &format!("{} -> {}", route.name, targets.join(", "))));
    }
    lines.push(row("OpenAI API", &format!("http://{listen}/v1")));
    lines.push(row("Anthropic API", &format!("http://{listen}")));
    lines.push(row("Gemini API", &format!("http://{listen}")));
    lines.push(row("Cohere API", &format!("http://{listen}")));
    lines.push(row("metrics", &format!("http://{admin}/metrics")));
    lines.push(row("admin API", &format!("http://{admin}/admin/v1/openapi.json")));
    lines.push(row("data", &settings.data_dir.display().to_string()));
    lines.push(format!(
        "try it:\n  curl http://{listen}/v1/chat/completions -H 'content-type: application/json' \\\n    \
         -d '{{\"model\": \"{}\", \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'",
        example(settings)
    ));
    output::note(lines.join("\n"));
}

fn row(name: &str, value: &str) -> String {
    format!("  {name:<14} {value}")
}

/// A name that works and costs as little as can be: a route, else the simulator, else any listed model.
fn example(settings: &Settings) -> String {
    let simulated = settings.providers.values().find(|provider| provider.kind.name == simulator::KIND);
    let listed = settings.providers.values().find_map(|provider| Some((provider, provider.models.first()?)));
    match (settings.routes.keys().next(), simulated, listed) {
        (Some(route), _, _) => route.to_string(),
        (None, Some(provider), _) => format!("{}/small", provider.name),
        (None, None, Some((provider, model))) => format!("{}/{model}", provider.name),
        (None, None, None) => "PROVIDER/MODEL".to_owned(),
    }
}
