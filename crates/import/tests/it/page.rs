//! The example of `docs/import.md` is what an import gives.

use crate::litellm;

const PAGE: &str = include_str!("../../../../docs/import.md");

/// The first block of the page in a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

#[test]
fn the_example_gives_the_report_that_the_page_shows() {
    let imported = litellm(&format!("{}\n", block("yaml"))).unwrap();
    assert_eq!(imported.report.to_string(), block("text"));
    assert!(
        imported.toml.contains("targets = [\"openai/gpt-4o\", \"openai-2/gpt-4o\"]"),
        "{}",
        imported.toml
    );
}
