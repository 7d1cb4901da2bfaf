//! Streams: passed, read and written.

use bytes::Bytes;
use serde_json::{Value, json};
use stepwell_types::{Code, Finish, Usage};

use super::{assembled, fixture};
use crate::anthropic::Anthropic;
use crate::stream::Event;
use crate::{Codec, Facts, Fault, Pipe, translate};

struct Run {
    out: Vec<u8>,
    facts: Facts,
    result: Result<(), Fault>,
}

fn run(mut pipe: Box<dyn Pipe>, chunks: &[&[u8]]) -> Run {
    let mut out = Vec::new();
    let mut result = Ok(());
    for chunk in chunks {
        if result.is_ok() {
            result = pipe.push(Bytes::copy_from_slice(chunk), &mut out);
        }
    }
    let facts = Facts { bytes: 0, events: 0, ..pipe.facts().clone() };
    Run { out: out.concat(), facts, result }
}

fn tap() -> Box<dyn Pipe> {
    Anthropic.tap(false)
}

fn own() -> Box<dyn Pipe> {
    translate(&Anthropic, Anthropic.stream_writer(true, 0))
}

const STREAMS: [&str; 7] = [
    fixture!("tiers.sse"),
    fixture!("tools.sse"),
    fixture!("signed_thinking.sse"),
    fixture!("stop_sequence.sse"),
    fixture!("hosted.sse"),
    fixture!("overloaded.sse"),
    fixture!("cut.sse"),
];

#[test]
fn every_cut_of_a_stream_gives_the_same() {
    for stream in STREAMS {
        let pipes: [fn() -> Box<dyn Pipe>; 2] = [tap, own];
        let forms = [
            stream.to_owned(),
            stream.replace('\n', "\r\n"),
            stream.replace("event: content_block_delta\n", ""),
        ];
        for (pipe, stream) in
            pipes.into_iter().flat_map(|pipe| forms.iter().map(move |form| (pipe, form.as_bytes())))
        {
            let whole = run(pipe(), &[stream]);
            let single = run(pipe(), &stream.chunks(1).collect::<Vec<_>>());
            assert_eq!((&single.out, &single.facts), (&whole.out, &whole.facts));
            for cut in (1..stream.len()).step_by(7) {
                let two = run(pipe(), &[&stream[..cut], &stream[cut..]]);
                assert_eq!((&two.out, &two.facts), (&whole.out, &whole.facts), "cut at {cut}");
            }
        }
    }
}

#[test]
fn a_tapped_stream_is_passed_as_it_came_and_nothing_after_its_end() {
    for stream in [
        fixture!("tiers.sse"),
        fixture!("tools.sse"),
        fixture!("signed_thinking.sse"),
        fixture!("hosted.sse"),
    ] {
        let more = format!("{stream}event: ping\ndata: {{\"type\":\"ping\"}}\n\n");
        let seen = run(tap(), &[more.as_bytes()]);
        assert_eq!(String::from_utf8(seen.out).unwrap(), stream);
        assert!(seen.facts.terminal && seen.facts.committed && seen.result.is_ok());
    }
}

#[test]
fn what_stands_behind_the_end_is_no_fault() {
    for end in [fixture!("tiers.sse"), fixture!("overloaded.sse")] {
        for pipe in [tap(), own()] {
            let seen = run(pipe, &[format!("{end}%%%garbage\n\n").as_bytes()]);
            assert!(seen.result.is_ok() && (seen.facts.terminal || seen.facts.error.is_some()));
        }
    }
}

#[test]
fn a_tap_and_a_reader_learn_the_same() {
    for stream in STREAMS {
        let tapped = run(tap(), &[stream.as_bytes()]).facts;
        let read = run(own(), &[stream.as_bytes()]).facts;
        assert_eq!(Facts { losses: tapped.losses.clone(), ..read }, tapped);
    }
}

#[test]
fn usage_of_a_stream_is_final_at_its_end() {
    let facts = run(tap(), &[fixture!("signed_thinking.sse").as_bytes()]).facts;
    let usage = Usage {
        input_tokens: 130,
        cache_write_1h_tokens: 100,
        output_tokens: 120,
        reasoning_tokens: 80,
        ..Usage::default()
    };
    assert_eq!((facts.usage, facts.finish), (Some(usage), Some(Finish::Stop)));
    assert_eq!(facts.model.as_deref(), Some("claude-opus-4-8"));
    let facts = run(tap(), &[fixture!("tools.sse").as_bytes()]).facts;
    let usage = facts.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (472, 89), "cumulative counts are not added");
}

#[test]
fn an_error_inside_a_stream_is_known_before_anything_is_committed() {
    for pipe in [tap(), own()] {
        let seen = run(pipe, &[fixture!("overloaded.sse").as_bytes()]);
        let error = seen.facts.error.unwrap();
        assert_eq!((error.code, error.status), (Code::UpstreamOverloaded, 529));
        assert!(!seen.facts.committed && !seen.facts.terminal);
        assert!(
            !String::from_utf8(seen.out).unwrap().contains("overloaded_error"),
            "what is passed on is ours to say"
        );
    }
}

#[test]
fn a_cut_stream_never_looks_complete() {
    let stream = fixture!("tools.sse");
    let end = stream.find("event: message_stop").unwrap();
    for cut in 0..stream.trim_end().len() {
        for pipe in [tap(), own()] {
            let seen = run(pipe, &[&stream.as_bytes()[..cut]]);
            assert!(!seen.facts.terminal, "cut at {cut}");
            assert!(!String::from_utf8(seen.out).unwrap().contains("message_stop"));
        }
    }
    assert!(end > 0);
}

#[test]
fn garbage_is_a_fault_and_does_not_pass() {
    let good = fixture!("cut.sse");
    for garbage in [
        "%%%garbage\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"ind\n\n",
        "event: content_block_delta\ndata: garb}\n\n",
        "data: {\"id\": garb\n\n",
        "data: [\"message_stop\"]\n\n",
        "data: {\"type\":\"message_stop\"} x\n\n",
        "data: {\"no\":\"type\"}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"\n\n",
        "data: [DONE]\n\n",
    ] {
        for pipe in [tap(), own()] {
            let seen = run(pipe, &[good.as_bytes(), garbage.as_bytes(), good.as_bytes()]);
            assert!(matches!(seen.result, Err(Fault::Invalid(_))), "{garbage}");
            assert!(!seen.facts.terminal);
            assert!(!String::from_utf8(seen.out).unwrap().contains("garb"));
        }
    }
    for orphan in [4, 9] {
        let delta =
            format!("data: {{\"type\":\"content_block_delta\",\"index\":{orphan},\"delta\":{{}}}}\n\n");
        assert!(run(own(), &[good.as_bytes(), delta.as_bytes()]).result.is_err());
    }
}

#[test]
fn a_stream_written_again_says_the_same() {
    for stream in [
        fixture!("tiers.sse"),
        fixture!("tools.sse"),
        fixture!("signed_thinking.sse"),
        fixture!("stop_sequence.sse"),
    ] {
        let once = run(own(), &[stream.as_bytes()]);
        let twice = run(own(), &[&once.out]);
        assert_eq!(once.out, twice.out);
        assert_eq!(Facts { losses: once.facts.losses.clone(), ..twice.facts }, once.facts);
        assert_eq!(assembled(&once.out), assembled(stream.as_bytes()));
    }
}

fn frames(events: &[Event<'_>]) -> (String, Vec<String>) {
    let mut writer = Anthropic.stream_writer(false, 0);
    let mut out = Vec::new();
    for event in events {
        writer.push(event, &mut out);
    }
    (String::from_utf8(out).unwrap(), writer.take_losses().paths().to_vec())
}

#[test]
fn arguments_of_parallel_calls_that_come_in_turns_reach_their_own_blocks() {
    let call =
        |block, id: &'static str| Event::ToolCall { block, id: id.into(), name: "f".into(), signature: None };
    let arguments = |block, fragment: &'static str| Event::ToolArguments { block, fragment: fragment.into() };
    let (out, losses) = frames(&[
        Event::Start { id: Some("chatcmpl-1".into()), model: Some("gpt".into()), usage: None },
        Event::Text { block: 0, text: "t".into() },
        call(1, "a"),
        call(2, "b:1"),
        arguments(1, "{\"x\":"),
        arguments(2, "{\"y\":2}"),
        arguments(1, "1}"),
        Event::Finish { reason: Finish::Stop, stop_sequence: None },
        Event::Usage(Usage { input_tokens: 5, output_tokens: 3, ..Usage::default() }),
        Event::End,
    ]);
    let message = assembled(out.as_bytes());
    assert_eq!(message["id"], "chatcmpl-1");
    assert_eq!(message["content"][1]["input"], json!({"x": 1}));
    assert_eq!(message["content"][2]["input"], json!({"y": 2}));
    assert_eq!(message["content"][2]["id"], "swid-b-3a1");
    assert_eq!(message["stop_reason"], "tool_use", "a stop with tool calls is a tool use");
    assert!(out.contains(r#""input_tokens":5,"#));
    assert!(losses.is_empty());
}

#[test]
fn text_after_a_tool_call_is_a_block_of_its_own() {
    let (out, _) = frames(&[
        Event::Text { block: 0, text: "before".into() },
        Event::ToolCall { block: 1, id: "a".into(), name: "f".into(), signature: None },
        Event::Text { block: 0, text: "after".into() },
        Event::Refusal { block: 2, text: "no".into() },
        Event::End,
    ]);
    let message = assembled(out.as_bytes());
    let texts: Vec<_> = message["content"].as_array().unwrap().iter().map(|block| &block["text"]).collect();
    assert_eq!(texts, [&json!("before"), &Value::Null, &json!("after"), &json!("no")]);
    assert_eq!(message["content"][1]["input"], json!({}));
    assert_eq!(out.matches("event: content_block_stop").count(), 4);
}
