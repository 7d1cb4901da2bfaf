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
    fn a_mutated_text_is_read_or_refused_with_places(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, prop::sample::select(PIECES)), 0..12),
    ) {
        let mut text = SEED.to_owned();
        for (at, length, piece) in edits {
            let boundary = |mut at: usize| { while !text.is_char_boundary(at) { at -= 1 } at };
            let start = boundary(at.index(text.len() + 1));
            let end = boundary((start + length).min(text.len())).max(start);
            text.replace_range(start..end, piece);
        }
        let problems = problems(&text);
        prop_assert!(are_placed(&text, &problems), "{text}\n{problems:#?}");
        rendered(&text);
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
