//! What the configuration's reader promises, tried from outside.

mod bad;
mod changes;
mod good;
mod properties;
mod schema;
mod secrets;

use std::path::Path;

use stepwell_config::{FixedEnvironment, Loaded, Problem, load};

/// An environment with three usual keys and a file with a fourth. Nothing in it says a region.
fn environment() -> FixedEnvironment {
    FixedEnvironment::new()
        .with_var("OPENAI_API_KEY", "sk-openai-private")
        .with_var("ANTHROPIC_API_KEY", "sk-ant-private")
        .with_var("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-private")
        .with_file("/run/secrets/anthropic", "sk-file-private\n")
}

/// Loads `text` as `stepwell.toml` in that environment.
fn read(text: &str) -> Result<Loaded, Vec<Problem>> {
    load(Path::new("stepwell.toml"), text, &environment())
}

/// Every problem of `text`, errors or warnings, as a terminal shows them.
fn rendered(text: &str) -> String {
    let problems = read(text).map_or_else(|problems| problems, |loaded| loaded.warnings);
    let blocks: Vec<String> = problems.iter().map(|problem| format!("{problem}\n\n")).collect();
    blocks.concat()
}

/// The examples of a document: what stands between "```toml" and "```".
fn examples(document: &str) -> impl Iterator<Item = &str> {
    document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next())
}
