//! No input makes anything panic or hang: every function over bytes, of every dialect, given bytes that mean nothing
//! and fixtures that were meddled with.
//!
//! Run briefly with the tests. Longer, by hand:
//! `BOLERO_RANDOM_ITERATIONS=5000000 cargo test --release -p stepwell-wire --test it fuzz::`

use bolero::check;
use bytes::Bytes;
use stepwell_types::Dialect;
use stepwell_wire::framing::{Framing, Splitter};
use stepwell_wire::{Asked, Codec, Edits, Head, Quirks, codec, json, translate};

use crate::fixtures::{Fixture, Kind, of_kind};

const EDITS: Edits<'_> = Edits { model: Some("m"), include_usage: true, max_output_tokens: Some(9) };

/// What the path says, in a dialect that says it there.
const ASKED: Asked<'static> = Asked { model: Some("m"), stream: false };

/// A fixture of a kind after the changes that `program` stands for: three bytes each, saying where, what, and how.
fn meddled(fixtures: &[Fixture], program: &[u8]) -> (Dialect, Vec<u8>) {
    let (which, changes) = program.split_first().unwrap_or((&0, &[]));
    let fixture = &fixtures[usize::from(*which) % fixtures.len()];
    let mut bytes = fixture.bytes.clone();
    for change in changes.chunks_exact(4) {
        if bytes.is_empty() {
            break;
        }
        let at = usize::from(u16::from_le_bytes([change[0], change[1]])) % bytes.len();
        match change[3] % 5 {
            0 => bytes[at] = change[2],
            1 => bytes.insert(at, change[2]),
            2 => drop(bytes.remove(at)),
            3 => drop(bytes.drain(at..bytes.len().min(at + usize::from(change[2])))),
            _ => {
                let copied = bytes[at..bytes.len().min(at + usize::from(change[2]))].to_vec();
                bytes.splice(at..at, copied);
            }
        }
    }
    (fixture.dialect, bytes)
}

/// Runs `exercise` over arbitrary bytes in each dialect, and over fixtures of a kind that were meddled with.
fn fuzz(kind: Kind, exercise: impl Fn(&'static dyn Codec, &[u8]) + std::panic::RefUnwindSafe) {
    let fixtures = of_kind(kind);
    check!().with_iterations(1_500).with_max_len(256).for_each(|input: &[u8]| {
        for dialect in Dialect::ALL {
            exercise(codec(dialect), input);
        }
        let (dialect, bytes) = meddled(&fixtures, input);
        exercise(codec(dialect), &bytes);
    });
}

#[test]
fn heads_and_edits() {
    let alien = codec(Dialect::OpenaiChat)
        .head(br#"{"model":"a","max_tokens":1,"stream":true,"stream_options":null}"#, &ASKED)
        .unwrap();
    fuzz(Kind::Request, |codec, body| {
        if json::check_depth(body, 64).is_err() {
            return;
        }
        for head in
            [codec.head(body, &ASKED).ok(), Some(alien.clone()), Some(Head::default())].into_iter().flatten()
        {
            drop(codec.edit_request(body, &head, &EDITS, Quirks::default()));
        }
        if let Ok(head) = codec.head(body, &ASKED) {
            let edited = codec.edit_request(body, &head, &EDITS, Quirks::default());
            let again = codec.head(&edited, &ASKED).expect("an edited request is still a request");
            assert_eq!((&*again.model, again.max_output_tokens), ("m", Some(9)));
        }
    });
}

#[test]
fn requests() {
    fuzz(Kind::Request, |from, body| {
        if json::check_depth(body, 64).is_err() {
            return;
        }
        let Ok(chat) = from.read_request(body) else { return };
        for target in Dialect::ALL {
            if let Ok(written) = codec(target).write_request(&chat, &EDITS, Quirks::default()) {
                codec(target).head(&written.body, &ASKED).expect("what is written is a request");
            }
        }
    });
}

#[test]
fn replies() {
    fuzz(Kind::Reply, |from, body| {
        drop(from.reply_facts(body));
        let Ok(reply) = from.read_reply(body) else { return };
        for target in Dialect::ALL {
            let written = codec(target).write_reply(&reply);
            codec(target).reply_facts(&written.body).expect("what is written is a reply");
        }
    });
}

#[test]
fn errors() {
    fuzz(Kind::Error, |codec, body| {
        for status in [0, 200, 400, 429, 500, 529, u16::MAX] {
            let read = codec.read_error(status, body);
            assert!(read.status == status || status < 400, "an answer's status is what it was");
        }
    });
}

#[test]
fn taps() {
    fuzz(Kind::Stream, |codec, stream| {
        for withhold in [false, true] {
            let (one, two) = stream.split_at(stream.len() / 2);
            let mut pipe = codec.tap(withhold);
            let mut out = Vec::new();
            let whole =
                [one, two].into_iter().try_for_each(|half| pipe.push(Bytes::copy_from_slice(half), &mut out));
            pipe.end(&mut out);
            if !withhold {
                assert!(stream.starts_with(&out.concat()), "a tap makes nothing up");
            }
            if whole.is_err() {
                let passed = out.len();
                pipe.push(Bytes::copy_from_slice(stream), &mut out).unwrap();
                assert_eq!(out.len(), passed, "nothing comes out after a fault");
            }
        }
    });
}

#[test]
fn translations() {
    fuzz(Kind::Stream, |from, stream| {
        for target in Dialect::ALL {
            let mut pipe = translate(from, codec(target).stream_writer(true, 0));
            let mut out = Vec::new();
            let result = pipe.push(Bytes::copy_from_slice(stream), &mut out);
            pipe.end(&mut out);
            let mut tap = codec(target).tap(false);
            let wire = out.concat();
            let mut passed = Vec::new();
            tap.push(Bytes::from(wire.clone()), &mut passed).expect("what is written is a stream");
            tap.end(&mut passed);
            assert_eq!(passed.concat(), wire);
            if result.is_ok() {
                assert_eq!(tap.facts().terminal, pipe.facts().terminal);
            }
        }
    });
}

#[test]
fn frames() {
    check!().with_iterations(3_000).with_max_len(512).for_each(|input: &[u8]| {
        let split = |framing, mut chunks: &mut dyn Iterator<Item = &[u8]>| {
            let mut splitter = Splitter::new(framing);
            let mut frames = Vec::new();
            let result = (&mut chunks).try_for_each(|chunk| {
                splitter.push(chunk, &mut |frame| {
                    frames.push((frame.event.map(str::to_owned), frame.data.to_owned()));
                    Ok(())
                })
            });
            (frames, result)
        };
        for framing in [Framing::Sse, Framing::Lines] {
            let whole = split(framing, &mut std::iter::once(input));
            assert_eq!(split(framing, &mut input.chunks(1)), whole);
            assert_eq!(split(framing, &mut input.chunks(3)), whole);
        }
    });
}
