//! One table, cases × dialects: what each fixture becomes on the wire, what is lost, and what was metered.
//!
//! A changed snapshot is a changed promise: read the difference before accepting it (`cargo insta review`).

use std::fmt::Write as _;

use bytes::Bytes;
use stepwell_types::Dialect;
use stepwell_wire::{Asked, Edits, Facts, Fault, Losses, Pipe, Quirks, codec, json, translate};

use crate::fixtures::{Fixture, Kind, of_kind, readable, status_of};

/// A body as it is, but with a line for each field and item: order and numbers stay as written.
fn shown(body: &[u8]) -> String {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).expect("what is written is JSON");
    let (mut text, mut depth, mut in_string, mut escaped) = (String::new(), 0, false, false);
    for letter in std::str::from_utf8(body).unwrap().chars() {
        let structural = !in_string;
        if structural && matches!(letter, '}' | ']') {
            depth -= 1;
            if !text.ends_with(['{', '[']) {
                write!(text, "\n{:1$}", "", depth * 2).unwrap();
            }
        }
        if text.ends_with(['{', '[']) && structural && !matches!(letter, '}' | ']') {
            write!(text, "\n{:1$}", "", depth * 2).unwrap();
        }
        text.push(letter);
        match letter {
            '{' | '[' if structural => depth += 1,
            ',' if structural => write!(text, "\n{:1$}", "", depth * 2).unwrap(),
            '"' if !escaped => in_string = !in_string,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
    }
    text
}

fn lost(losses: &Losses) -> String {
    if losses.is_empty() { "nothing lost".to_owned() } else { format!("lost {}", losses.paths().join(" ")) }
}

/// One snapshot for each fixture of a kind, of what `section` says of it in each dialect.
fn table(kind: Kind, section: impl Fn(&Fixture, Dialect) -> String) {
    for fixture in of_kind(kind) {
        let mut text = String::new();
        for target in Dialect::ALL {
            writeln!(text, "=== as {target}\n{}", section(&fixture, target)).unwrap();
        }
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_snapshot!(fixture.name(), text);
        });
    }
}

#[test]
fn requests() {
    table(Kind::Request, |fixture, target| {
        json::check_depth(&fixture.bytes, 32).unwrap();
        let chat = codec(fixture.dialect).read_request(&fixture.bytes).unwrap();
        let edits = Edits { model: Some("target-model"), ..Edits::default() };
        let written = codec(target).write_request(&chat, &edits, Quirks::default()).unwrap();
        let asked = Asked { model: Some("target-model"), stream: false };
        let head = codec(target).head(&written.body, &asked).expect("what is written is a request");
        assert_eq!(&*head.model, "target-model");
        format!("{}\n{}", shown(&written.body), lost(&written.losses))
    });
}

#[test]
fn replies() {
    table(Kind::Reply, |fixture, target| {
        let reply = codec(fixture.dialect).read_reply(&fixture.bytes).unwrap();
        let written = codec(target).write_reply(&reply);
        let facts = codec(fixture.dialect).reply_facts(&fixture.bytes).unwrap();
        assert_eq!((facts.usage, facts.finish), (reply.usage, reply.finish), "{}", fixture.name());
        let back = codec(target).reply_facts(&written.body).expect("what is written is a reply");
        assert_eq!(back.id.as_deref().unwrap_or_default(), facts.id.as_deref().unwrap_or_default());
        format!(
            "{}\n{}\nfinish {:?}\nusage {:?}",
            shown(&written.body),
            lost(&written.losses),
            facts.finish,
            facts.usage
        )
    });
}

#[test]
fn errors() {
    for fixture in of_kind(Kind::Error) {
        let error = codec(fixture.dialect).read_error(status_of(&fixture.case), &fixture.bytes);
        insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
            insta::assert_debug_snapshot!(fixture.name(), error);
        });
    }
}

fn run(mut pipe: Box<dyn Pipe>, stream: &[u8]) -> (Vec<u8>, Facts, Result<(), Fault>) {
    let mut out = Vec::new();
    let result = pipe.push(Bytes::copy_from_slice(stream), &mut out);
    pipe.end(&mut out);
    (out.concat(), pipe.facts().clone(), result)
}

#[test]
fn streams() {
    table(Kind::Stream, |fixture, target| {
        let from = codec(fixture.dialect);
        let pipe = translate(from, codec(target).stream_writer(true, 0));
        let (wire, facts, result) = run(pipe, &fixture.bytes);
        result.unwrap();
        let (_, tapped, _) = run(from.tap(false), &fixture.bytes);
        assert_eq!(
            (facts.usage, facts.finish, facts.terminal, facts.committed, &facts.error),
            (tapped.usage, tapped.finish, tapped.terminal, tapped.committed, &tapped.error),
            "a tap and a translation learn the same: {}",
            fixture.name()
        );
        let (passed, read, result) = run(codec(target).tap(false), &wire);
        result.expect("what is written is a stream");
        assert_eq!((passed, read.terminal), (wire.clone(), facts.terminal), "{}", fixture.name());
        format!(
            "{}{}\nfinish {:?}, terminal {}, committed {}\nusage {:?}\nerror {:?}",
            readable(target, &wire),
            lost(&facts.losses),
            facts.finish,
            facts.terminal,
            facts.committed,
            facts.usage,
            facts.error.map(|error| (error.code, error.status))
        )
    });
}
