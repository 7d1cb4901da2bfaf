//! The configuration's reader under a fuzzer: briefly with the tests, longer with `BOLERO_RANDOM_ITERATIONS=1000000`
//! in the environment, or under a coverage-guided engine with `cargo bolero test config_of_words`.

use std::path::Path;

use stepwell_config::{FixedEnvironment, load};

/// What configurations are made of, so that random choices get past the parser.
const WORDS: &[&str] = &[
    "\n",
    " = ",
    "[",
    "]",
    "{ ",
    " }",
    ", ",
    ".",
    "\"",
    "'",
    "\"\"\"",
    "# ",
    "\\",
    "\t",
    "\r\n",
    "ü",
    "0",
    "1",
    "-1",
    "64",
    "1.5",
    "inf",
    "true",
    "1979-05-27",
    "\"\"",
    "\"10s\"",
    "\"32MB\"",
    "\"sqlite\"",
    "\"sim\"",
    "\"sim/small\"",
    "\"openai\"",
    "\"env:OPENAI_API_KEY\"",
    "\"literal:sk-private\"",
    "\"https://a.b/v1\"",
    "\"127.0.0.1:1\"",
    "[server]\n",
    "[store]\n",
    "[journal]\n",
    "[log]\n",
    "[providers.sim]\n",
    "[providers.a]\n",
    "[providers.a.headers]\n",
    "[providers.a.prices.m]\n",
    "[routes.chat]\n",
    "server",
    "listen",
    "admin_listen",
    "url",
    "level",
    "durability",
    "segment_bytes",
    "max_bytes",
    "kind",
    "base_url",
    "api_key",
    "headers",
    "models",
    "prices",
    "input",
    "output",
    "timeouts",
    "targets",
    "timeout",
    "strict",
    "x-token",
    "authorization",
    "allowed_hosts",
    "data_dir",
];

/// Reads `text`; whatever is wrong with it is placed in it and shows no secret.
fn check(text: &str) {
    let environment = FixedEnvironment::new().with_var("OPENAI_API_KEY", "sk-from-environment");
    let problems = match load(Path::new("stepwell.toml"), text, &environment) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    for problem in problems {
        assert!(problem.span.start <= problem.span.end && problem.span.end <= text.len());
        assert!(!problem.to_string().contains("sk-from-environment"));
    }
}

#[test]
fn config_of_bytes() {
    bolero::check!().with_iterations(2_000).for_each(|bytes: &[u8]| check(&String::from_utf8_lossy(bytes)));
}

#[test]
fn config_of_words() {
    bolero::check!().with_iterations(2_000).for_each(|bytes: &[u8]| {
        let words: Vec<&str> = bytes.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]).collect();
        check(&words.concat());
    });
}
