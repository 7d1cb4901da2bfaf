//! A draft as the text of a `stepwell.toml`: readable, with a word on where each part comes from.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use crate::draft::{Credential, Draft, Header, Price, Provider, Route, Unfinished};
use crate::finish::Names;

/// The shortest of the timeouts that hold unless the config says otherwise and that a longer total would run into.
const IDLE: Duration = Duration::from_secs(30);

/// The text.
pub(crate) fn write(draft: &Draft, names: &Names) -> String {
    let mut text = String::new();
    let source = draft.report.source;
    line(
        &mut text,
        &format!(
            "# Made from a configuration of {source}. docs/configuration.md explains every key; `stepwell check` finds"
        ),
    );
    line(&mut text, "# every mistake. What could not be carried over is in the report of the import.");
    let variables: Vec<&str> = draft.report.variables.iter().map(|variable| variable.name.as_str()).collect();
    if !variables.is_empty() {
        line(&mut text, "#");
        line(&mut text, "# To be set for the process that runs stepwell:");
        for variable in variables {
            line(&mut text, &format!("#   {variable}"));
        }
    }
    if let Some(limit) = draft.body_limit_mib {
        line(&mut text, &format!("\n[server]\nbody_limit = \"{limit}MiB\""));
    }
    if draft.logs_json {
        line(&mut text, "\n[log]\nformat = \"json\"");
    }
    for ((provider, name), models) in draft.providers.iter().zip(&names.providers).zip(&names.models) {
        write_provider(&mut text, provider, (name, models.as_ref()), names);
    }
    for (route, name) in draft.routes.iter().zip(&names.routes) {
        write_route(&mut text, route, name, names);
    }
    for unfinished in &draft.unfinished {
        write_unfinished(&mut text, unfinished, names);
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn write_provider(
    text: &mut String,
    provider: &Provider,
    (name, models): (&str, Option<&BTreeSet<String>>),
    names: &Names,
) {
    line(text, &format!("\n# {}", provider.from));
    line(text, &format!("[providers.{}]", key(name)));
    line(text, &format!("kind = {}", quoted(provider.kind)));
    if let Some(base_url) = &provider.base_url {
        let note = if provider.is_placeholder {
            "  # to be replaced: its address was not in the source"
        } else {
            ""
        };
        line(text, &format!("base_url = {}{note}", quoted(base_url)));
    }
    if let Some(reference) = names.reference(&provider.api_key) {
        let note = match provider.api_key {
            Credential::Literal(..) => "  # to be made: the source had the key itself",
            _ => "",
        };
        line(text, &format!("api_key = {}{note}", quoted(&reference)));
    }
    let headers: Vec<String> = provider
        .headers
        .iter()
        .filter_map(|(name, header)| {
            let value = match header {
                Header::Plain(value) => value.clone(),
                Header::Hidden(credential) => names.reference(credential)?,
            };
            Some(format!("{} = {}", key(name), quoted(&value)))
        })
        .collect();
    if !headers.is_empty() {
        line(text, &format!("headers = {{ {} }}", headers.join(", ")));
    }
    if let Some(timeout) = provider.timeout {
        let total = quoted(&duration(timeout));
        // A whole reply may come in one piece at its end: what may take so long in all may begin as late.
        if timeout > IDLE {
            line(text, &format!("timeouts = {{ first_byte = {total}, idle = {total}, total = {total} }}"));
        } else {
            line(text, &format!("timeouts = {{ total = {total} }}"));
        }
    }
    if let Some(models) = models.filter(|models| !models.is_empty()) {
        let models: Vec<String> = models.iter().map(|model| quoted(model)).collect();
        line(text, &format!("models = {}", list(&models)));
    }
    for (model, price) in &provider.prices {
        write_price(text, name, model, price);
    }
}

fn write_price(text: &mut String, provider: &str, model: &str, price: &Price) {
    line(
        text,
        &format!("\n[providers.{}.prices.{}]  # US dollars per million tokens", key(provider), key(model)),
    );
    line(text, &format!("input = {}\noutput = {}", price.input, price.output));
    if let Some(rate) = price.cache_read {
        line(text, &format!("cache_read = {rate}"));
    }
    if let Some(rate) = price.cache_write {
        line(text, &format!("cache_write = {rate}"));
    }
}

fn write_route(text: &mut String, route: &Route, name: &str, names: &Names) {
    line(text, &format!("\n# {}", route.from));
    line(text, &format!("[routes.{}]", key(name)));
    line(text, "strategy = \"fallback\"");
    let targets: Vec<String> = route.targets.iter().map(|target| quoted(&names.target(target))).collect();
    line(text, &format!("targets = {}", list(&targets)));
    if route.strict {
        line(text, "strict = true");
    }
    if let Some(limit) = route.max_output_tokens {
        line(text, &format!("max_output_tokens = {limit}"));
    }
}

fn write_unfinished(text: &mut String, unfinished: &Unfinished, names: &Names) {
    line(
        text,
        &format!("\n# {}: put a model in place of each MODEL, then take the `# ` away.", unfinished.from),
    );
    line(text, &format!("# [routes.{}]", key(&unfinished.name)));
    let targets: Vec<String> = unfinished
        .targets
        .iter()
        .map(|(provider, model)| {
            let provider = names.providers.get(*provider).map_or("", String::as_str);
            quoted(&format!("{provider}/{}", model.as_deref().unwrap_or("MODEL")))
        })
        .collect();
    line(text, "# strategy = \"fallback\"");
    line(text, &format!("# targets = [{}]", targets.join(", ")));
}

/// A list on one line where it fits, else an element to a line.
fn list(elements: &[String]) -> String {
    let short = elements.join(", ");
    if short.len() <= 100 {
        return format!("[{short}]");
    }
    let mut long = "[\n".to_owned();
    for element in elements {
        line(&mut long, &format!("    {element},"));
    }
    long.push(']');
    long
}

/// A key of a table: bare where it can be.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty()
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// A basic string, <https://toml.io/en/v1.0.0#string>.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for letter in text.chars() {
        match letter {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(letter);
            }
            letter if letter.is_control() => {
                // Writing to a string cannot fail.
                let written = write!(quoted, "\\u{:04X}", u32::from(letter));
                debug_assert!(written.is_ok());
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// A duration as the config takes it.
fn duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_keys_are_escaped_where_they_have_to_be() {
        assert_eq!(quoted("a\"b\\c\n\u{7f}"), "\"a\\\"b\\\\c\\u000A\\u007F\"");
        assert_eq!(key("gpt-4o"), "gpt-4o");
        assert_eq!(key("gpt-4.1"), "\"gpt-4.1\"");
    }

    #[test]
    fn durations_are_written_with_their_unit() {
        assert_eq!(duration(Duration::from_mins(10)), "600s");
        assert_eq!(duration(Duration::from_millis(1500)), "1500ms");
    }
}
