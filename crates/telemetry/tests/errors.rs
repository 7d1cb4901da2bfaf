//! `docs/errors.md` explains every error code, and says of each what the table of codes says.

use stepwell_types::{Blame, Code, Retry};

const PAGE: &str = include_str!("../../../docs/errors.md");

fn sections() -> Vec<(&'static str, &'static str)> {
    PAGE.split("\n## ").skip(1).filter_map(|section| section.split_once('\n')).collect()
}

fn facts(code: Code) -> String {
    let who = match code.blame() {
        Blame::Caller => "the product",
        Blame::Gateway => "whoever runs Stepwell",
        Blame::Upstream => "the provider",
    };
    let retry = match code.retry() {
        Retry::Never => "does not help",
        Retry::Later => "may help later",
        Retry::OtherTarget => "may help at another target",
    };
    format!("{} · `{}` · {who} · trying again {retry}", code.status(), code.openai_type())
}

#[test]
fn every_code_has_a_section_in_the_order_of_the_table_and_no_section_lacks_a_code() {
    let named: Vec<_> = sections().into_iter().map(|(name, _)| name).collect();
    let codes: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(named, codes);
}

#[test]
fn each_section_says_status_blame_and_retry_as_the_table_does_and_what_to_do() {
    for (name, text) in sections() {
        let code = Code::from_text(name).unwrap();
        assert_eq!(text.lines().nth(1), Some(&*facts(code)), "{name}");
        let (meaning, advice) = text.split_once("**What to do.**").unwrap_or_default();
        assert!(meaning.len() > facts(code).len() + 20 && advice.len() > 20, "{name} is not explained");
    }
}
