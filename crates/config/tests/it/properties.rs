//! No text makes the reader panic, and what it says of a text is placed in that text.

use proptest::prelude::*;
use stepwell_config::Problem;

use crate::{read, rendered};

/// A text with something of everything, to be mutated.
const SEED: &str = include_str!("../../../../stepwell.example.toml");

/// Pieces that mean something to TOML or to the reader.
const PIECES: &[&str] = &[
    "=",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "\"\"\"",
    "#",
    "\n",
    "\r\n",
    ".",
    ",",
    "\\",
    "\\u0000",
    "env:",
    "literal:",
    "file:/",
    "1e400",
    "inf",
    "0x",
    "-0",
    "99999999999999999999",
    "1979-05-27",
    "true",
    "ü",
    "\u{1f600}",
    "\u{0}",
    "\t",
    "providers",
    "[[routes]]",
    "kind = \"openai\"",
    "api_key",
    "a.b.c.d = 1",
    "/",
];

/// A text with a secret in each place that takes one, and one that does not.
const SECRETS: &str = r#"
data_dir = "data"
[store]
url = "postgres://user:Zx9Private0123@db"
[providers.openai]
kind = "openai"
api_key = "literal:Zx9Private0123"
headers = { x-team = "Zx9Private0123", x-token = "literal:Zx9Private0123" }
password = "Zx9Private0123"
[routes.chat]
targets = ["openai/gpt-5-mini"]
"#;

/// `seed` with each edit made: at a place, so many bytes replaced by a piece.
fn mutated(seed: &str, edits: Vec<(prop::sample::Index, usize, &str)>) -> String {
    let mut text = seed.to_owned();
    for (at, length, piece) in edits {
        let start = text.floor_char_boundary(at.index(text.len() + 1));
        let end = text.floor_char_boundary(start + length).max(start);
        text.replace_range(start..end, piece);
    }
    text
}

/// At most so many edits of a text, each of at most so many bytes.
fn edits(
    count: usize,
    bytes: usize,
) -> impl Strategy<Value = Vec<(prop::sample::Index, usize, &'static str)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..=bytes, prop::sample::select(PIECES)), 0..=count)
}

fn problems(text: &str) -> Vec<Problem> {
    read(text).map_or_else(|problems| problems, |loaded| loaded.warnings)
}

fn are_placed(text: &str, problems: &[Problem]) -> bool {
    let lines = text.split('\n').count();
    problems.iter().all(|problem| {
        problem.line >= 1
            && problem.line <= lines
            && problem.column >= 1
            && problem.span.start <= problem.span.end
            && problem.span.end <= text.len()
            && problem.snippet.lines().count() == 2
            && !problem.message.chars().any(char::is_control)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_mutated_text_is_read_or_refused_with_places(edits in edits(12, 12)) {
        let text = mutated(SEED, edits);
        let problems = problems(&text);
        prop_assert!(are_placed(&text, &problems), "{text}\n{problems:#?}");
    }

    #[test]
    fn a_slip_or_two_near_a_secret_does_not_show_it(edits in edits(2, 2)) {
        let report = rendered(&mutated(SECRETS, edits));
        prop_assert!(!report.contains("Zx9Private0123"), "{report}");
    }

    #[test]
    fn any_text_is_read_or_refused_with_places(text in "\\PC{0,200}|[\\x00-\\x7f]{0,200}") {
        prop_assert!(are_placed(&text, &problems(&text)));
    }
}

#[test]
fn deep_nesting_is_refused_before_it_can_exhaust_the_stack() {
    let keys = "a.".repeat(79);
    for text in [
        format!("x = {}", "[".repeat(100_000)),
        format!("x = {}", "{a=".repeat(100_000)),
        format!("{}b = 1", "a.".repeat(100_000)),
        format!("[{}b]", "a.".repeat(100_000)),
        format!("x = {}1{}", format!("{{{keys}a=").repeat(79), "}".repeat(79)),
        "[".repeat(500_000),
    ] {
        assert!(!problems(&text).is_empty());
    }
}

#[test]
fn many_names_are_read_in_time_that_grows_with_their_number() {
    let providers: Vec<String> =
        (0..4_000).map(|number| format!("[providers.p{number}]\nkind = \"sim\"\n")).collect();
    let routes: Vec<String> =
        (0..4_000).map(|number| format!("[routes.r{number}]\ntargets = [\"p{number}/m\"]\n")).collect();
    let settings = read(&(providers.concat() + &routes.concat())).unwrap().settings;
    assert_eq!((settings.providers.len(), settings.routes.len()), (4_000, 4_000));
}
