//! The configuration's reader under a fuzzer: briefly with the tests, longer with `cargo bolero test config`.

use std::path::Path;

use stepwell_config::{FixedEnvironment, load};

#[test]
fn config() {
    let environment = FixedEnvironment::new().with_var("OPENAI_API_KEY", "sk-private");
    bolero::check!().with_iterations(2_000).for_each(|bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let problems = match load(Path::new("stepwell.toml"), &text, &environment) {
            Ok(loaded) => loaded.warnings,
            Err(problems) => problems,
        };
        for problem in problems {
            assert!(problem.span.end <= text.len() || problem.code == "too_large");
            assert!(!problem.to_string().contains("sk-private"));
        }
    });
}
