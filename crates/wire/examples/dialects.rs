//! What a call costs in this crate, in nanoseconds. By hand: `cargo run --release -p stepwell-wire --example dialects`.
#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement by hand")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use stepwell_types::{Dialect, Finish};
use stepwell_wire::stream::Event;
use stepwell_wire::{Asked, Codec, Edits, Pipe, Quirks, codec, json, translate};

const ROUNDS: u32 = 20_000;
const EVENTS: usize = 200;

fn main() {
    for (dialect, other) in [
        (Dialect::OpenaiChat, Dialect::Anthropic),
        (Dialect::Anthropic, Dialect::OpenaiChat),
        (Dialect::Gemini, Dialect::OpenaiChat),
        (Dialect::OpenaiResponses, Dialect::OpenaiChat),
        (Dialect::Cohere, Dialect::OpenaiChat),
        (Dialect::Ollama, Dialect::OpenaiChat),
        (Dialect::BedrockConverse, Dialect::OpenaiChat),
    ] {
        println!("{dialect}");
        whole(codec(dialect), codec(other), request(dialect).as_bytes(), reply(dialect).as_bytes());
        let events = match dialect {
            Dialect::BedrockConverse => frames(),
            dialect => stream(dialect).into_iter().map(String::into_bytes).collect(),
        };
        streamed(codec(dialect), codec(other), &events);
    }
}

fn whole(own: &dyn Codec, other: &dyn Codec, request: &[u8], reply: &[u8]) {
    let edits = Edits { model: Some("a-model-of-the-target"), include_usage: true, max_output_tokens: None };
    let asked = Asked { model: Some("chat"), stream: false };
    let head = own.head(request, &asked).unwrap_or_default();
    println!("  request of {} bytes, reply of {} bytes", request.len(), reply.len());
    measure("check_depth", || json::check_depth(request, 128).is_ok());
    measure("head", || own.head(request, &asked).is_ok());
    measure("edit_request", || own.edit_request(request, &head, &edits, Quirks::default()).len());
    measure("reply_facts", || own.reply_facts(reply).is_ok());
    measure("read_request", || own.read_request(request).is_ok());
    measure("read_request + write_request for the other dialect", || {
        let chat = own.read_request(request);
        chat.and_then(|chat| other.write_request(&chat, &edits, Quirks::default())).is_ok()
    });
    measure("read_reply", || own.read_reply(reply).is_ok());
    measure("read_reply + write_reply for the other dialect", || {
        own.read_reply(reply).map(|reply| other.write_reply(&reply).body.len()).unwrap_or_default()
    });
}

fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    for _ in 0..ROUNDS / 10 {
        black_box(work());
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(work());
    }
    println!("  {:>7} ns  {name}", start.elapsed().as_nanos() / u128::from(ROUNDS));
}

fn streamed(own: &dyn Codec, other: &dyn Codec, events: &[Vec<u8>]) {
    let burst: Vec<Bytes> = events.chunks(32).map(|chunk| Bytes::from(chunk.concat())).collect();
    let single: Vec<Bytes> = events.iter().cloned().map(Bytes::from).collect();
    let bytes: usize = single.iter().map(Bytes::len).sum();
    println!("  stream of {} events, {} bytes each", events.len(), bytes / events.len());
    for (name, chunks) in [("events one by one", &single), ("bursts of 32 events", &burst)] {
        per_event(&format!("tap, {name}"), events.len(), chunks, || own.tap(false));
        per_event(&format!("translate, {name}"), events.len(), chunks, || {
            translate(own, other.stream_writer(true, 0))
        });
    }
}

fn per_event(name: &str, events: usize, chunks: &[Bytes], pipe: impl Fn() -> Box<dyn Pipe>) {
    const STREAMS: u32 = 500;
    let mut out = Vec::new();
    let mut run = || {
        let mut pipe = pipe();
        for chunk in chunks {
            black_box(pipe.push(chunk.clone(), &mut out).is_ok());
            out.clear();
        }
        pipe.end(&mut out);
        out.clear();
        assert!(pipe.facts().terminal, "{name}: {:?}", pipe.facts());
    };
    run();
    let start = Instant::now();
    for _ in 0..STREAMS {
        run();
    }
    let total = u128::try_from(events).unwrap_or(1) * u128::from(STREAMS);
    println!("  {:>7} ns per event  {name}", start.elapsed().as_nanos() / total);
}

const WORDS: &str = "Stepwells were dug deep into the earth so that water could be reached at whatever level it stood, \
    in the dry months as after the rains, and nobody had to build the well anew when the level changed.";

fn request(dialect: Dialect) -> String {
    match dialect {
        Dialect::BedrockConverse => format!(
            r#"{{"system":[{{"text":"Answer in one line."}}],"messages":[{{"role":"user","content":[{{"text":"{WORDS}"}}]}}],"inferenceConfig":{{"temperature":0.5,"maxTokens":256}}}}"#
        ),
        Dialect::OpenaiChat => format!(
            r#"{{"model":"chat","messages":[{{"role":"system","content":"Answer in one line."}},{{"role":"user","content":"{WORDS}"}}],"temperature":0.5,"max_completion_tokens":256,"user":"u-1"}}"#
        ),
        Dialect::Anthropic => format!(
            r#"{{"model":"chat","max_tokens":256,"system":"Answer in one line.","messages":[{{"role":"user","content":"{WORDS}"}}],"temperature":0.5,"metadata":{{"user_id":"u-1"}}}}"#
        ),
        Dialect::OpenaiResponses => format!(
            r#"{{"model":"chat","instructions":"Answer in one line.","input":[{{"role":"user","content":"{WORDS}"}}],"temperature":0.5,"max_output_tokens":256,"user":"u-1"}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"systemInstruction":{{"parts":[{{"text":"Answer in one line."}}]}},"contents":[{{"role":"user","parts":[{{"text":"{WORDS}"}}]}}],"generationConfig":{{"temperature":0.5,"maxOutputTokens":256}}}}"#
        ),
        Dialect::Cohere => format!(
            r#"{{"model":"chat","messages":[{{"role":"system","content":"Answer in one line."}},{{"role":"user","content":"{WORDS}"}}],"temperature":0.5,"max_tokens":256}}"#
        ),
        Dialect::Ollama => format!(
            r#"{{"model":"chat","messages":[{{"role":"system","content":"Answer in one line."}},{{"role":"user","content":"{WORDS}"}}],"options":{{"temperature":0.5,"num_predict":256}}}}"#
        ),
    }
}

fn reply(dialect: Dialect) -> String {
    match dialect {
        Dialect::BedrockConverse => format!(
            r#"{{"metrics":{{"latencyMs":551}},"output":{{"message":{{"content":[{{"text":"{WORDS}"}}],"role":"assistant"}}}},"stopReason":"end_turn","usage":{{"inputTokens":60,"outputTokens":45,"totalTokens":105}}}}"#
        ),
        Dialect::OpenaiChat => format!(
            r#"{{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"gpt-5-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{WORDS}","refusal":null,"annotations":[]}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":60,"completion_tokens":45,"total_tokens":105,"prompt_tokens_details":{{"cached_tokens":0}},"completion_tokens_details":{{"reasoning_tokens":0}}}}}}"#
        ),
        Dialect::Anthropic => format!(
            r#"{{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{{"type":"text","text":"{WORDS}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{{"input_tokens":60,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":45}}}}"#
        ),
        Dialect::OpenaiResponses => format!(
            r#"{{"id":"resp_1","object":"response","created_at":1700000000,"status":"completed","error":null,"incomplete_details":null,"instructions":null,"metadata":{{}},"model":"gpt-5-mini","output":[{{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{{"type":"output_text","annotations":[],"logprobs":[],"text":"{WORDS}"}}]}}],"parallel_tool_calls":true,"temperature":1.0,"tool_choice":"auto","tools":[],"top_p":1.0,"usage":{{"input_tokens":60,"input_tokens_details":{{"cached_tokens":0,"cache_write_tokens":0}},"output_tokens":45,"output_tokens_details":{{"reasoning_tokens":0}},"total_tokens":105}}}}"#
        ),
        Dialect::Gemini => format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{WORDS}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":60,"candidatesTokenCount":45,"totalTokenCount":105}},"modelVersion":"gemini-3-flash","responseId":"r-1"}}"#
        ),
        Dialect::Cohere => format!(
            r#"{{"id":"c14c80c3-18eb-4519-9460-6c92edd8cfb4","finish_reason":"COMPLETE","message":{{"role":"assistant","content":[{{"type":"text","text":"{WORDS}"}}]}},"usage":{{"billed_units":{{"input_tokens":60,"output_tokens":45}},"tokens":{{"input_tokens":555,"output_tokens":45}}}}}}"#
        ),
        Dialect::Ollama => format!(
            r#"{{"model":"qwen3","created_at":"2026-11-21T08:00:00.184789Z","message":{{"role":"assistant","content":"{WORDS}"}},"done":true,"done_reason":"stop","total_duration":1816447375,"load_duration":41295167,"prompt_eval_count":60,"prompt_eval_duration":24573166,"eval_count":45,"eval_duration":115959084}}"#
        ),
    }
}

/// A stream of Bedrock's, which is binary: as its writer makes it.
fn frames() -> Vec<Vec<u8>> {
    let mut writer = codec(Dialect::BedrockConverse).stream_writer(true, 0);
    let mut events = vec![Event::Start { id: None, model: None, usage: None }];
    events.extend((0..EVENTS).map(|_| Event::Text { block: 0, text: " water".into() }));
    events.push(Event::Finish { reason: Finish::Stop, stop_sequence: None });
    events.push(Event::End);
    let frames = events.iter().map(|event| {
        let mut out = Vec::new();
        writer.push(event, &mut out);
        out
    });
    frames.filter(|frame| !frame.is_empty()).collect()
}

fn stream(dialect: Dialect) -> Vec<String> {
    match dialect {
        Dialect::BedrockConverse => Vec::new(),
        Dialect::OpenaiChat => {
            let chunk = |delta: &str, rest: &str| {
                format!(
                    r#"data: {{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-5-mini","choices":[{{"index":0,"delta":{delta},"finish_reason":{rest}"#
                ) + "\n\n"
            };
            let mut events = vec![chunk(r#"{"role":"assistant","content":""}"#, "null}]}")];
            events.extend((0..EVENTS).map(|_| chunk(r#"{"content":" water"}"#, "null}]}")));
            events.push(chunk("{}", "\"stop\"}]}"));
            events.push(
                r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"gpt-5-mini","choices":[],"usage":{"prompt_tokens":60,"completion_tokens":200,"total_tokens":260}}"#
                    .to_owned()
                    + "\n\n",
            );
            events.push("data: [DONE]\n\n".to_owned());
            events
        }
        Dialect::OpenaiResponses => {
            let event = |kind: &str, rest: &str| {
                format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":1{rest}}}\n\n")
            };
            let response = |status: &str, usage: &str| {
                format!(
                    r#","response":{{"id":"resp_1","object":"response","created_at":1700000000,"status":"{status}","model":"gpt-5-mini","output":[],"usage":{usage}}}"#
                )
            };
            let at = r#","item_id":"msg_1","output_index":0,"content_index":0"#;
            let item = r#","output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}"#;
            let mut events = vec![
                event("response.created", &response("in_progress", "null")),
                event("response.output_item.added", item),
            ];
            let delta = format!(r#"{at},"delta":" water","logprobs":[]"#);
            events.extend((0..EVENTS).map(|_| event("response.output_text.delta", &delta)));
            events.push(event("response.output_item.done", item));
            let usage = r#"{"input_tokens":60,"output_tokens":200,"total_tokens":260}"#;
            events.push(event("response.completed", &response("completed", usage)));
            events
        }
        Dialect::Anthropic => {
            let event =
                |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
            let mut events = vec![
                event(
                    "message_start",
                    r#","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":60,"output_tokens":1}}"#,
                ),
                event("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
            ];
            let delta = r#","index":0,"delta":{"type":"text_delta","text":" water"}"#;
            events.extend((0..EVENTS).map(|_| event("content_block_delta", delta)));
            events.push(event("content_block_stop", r#","index":0"#));
            events.push(event(
                "message_delta",
                r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":200}"#,
            ));
            events.push(event("message_stop", ""));
            events
        }
        Dialect::Gemini => {
            let step = |text: &str, rest: &str| {
                format!(
                    r#"data: {{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}}{rest},"index":0}}],"usageMetadata":{{"promptTokenCount":60,"totalTokenCount":60}},"modelVersion":"gemini-3-flash","responseId":"r-1"}}"#
                ) + "\r\n\r\n"
            };
            let mut events: Vec<_> = (0..EVENTS).map(|_| step(" water", "")).collect();
            events.push(step("", r#","finishReason":"STOP""#));
            events
        }
        Dialect::Cohere => {
            let event =
                |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
            let mut events = vec![
                event("message-start", r#","id":"c14c80c3","delta":{"message":{"role":"assistant"}}"#),
                event(
                    "content-start",
                    r#","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}"#,
                ),
            ];
            let delta = r#","index":0,"delta":{"message":{"content":{"text":" water"}}}"#;
            events.extend((0..EVENTS).map(|_| event("content-delta", delta)));
            events.push(event("content-end", r#","index":0"#));
            events.push(event(
                "message-end",
                r#","delta":{"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":60,"output_tokens":200}}}"#,
            ));
            events
        }
        Dialect::Ollama => lines_of_ollama(),
    }
}

fn lines_of_ollama() -> Vec<String> {
    let line = |text: &str, rest: &str| {
        format!(
            r#"{{"model":"qwen3","created_at":"2026-11-21T08:00:00.184789Z","message":{{"role":"assistant","content":"{text}"}},"done":{rest}}}"#
        ) + "\n"
    };
    let mut lines: Vec<_> = (0..EVENTS).map(|_| line(" water", "false")).collect();
    lines.push(line("", r#"true,"done_reason":"stop","prompt_eval_count":60,"eval_count":200"#));
    lines
}
