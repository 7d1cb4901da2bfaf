//! What the clients ask for, and what they make of the answer.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use stepwell_types::Dialect;

/// What clients name, the plain ones more often than the routes whose first target never answers.
const MODELS: [&str; 14] = [
    "openai/small",
    "openai/small",
    "openai/large",
    "anthropic/small",
    "anthropic/small",
    "anthropic/large",
    "gemini/small",
    "gemini/large",
    "responses/small",
    "responses/large",
    "cohere/small",
    "cohere/large",
    "fall-to-anthropic",
    "fall-to-openai",
];
/// What goes wrong at the provider, where anything does.
const FAULTS: [&str; 9] = [
    "cut 3",
    "cut 6",
    "eof 4",
    "stream-error",
    "rate-limit 1",
    "status 500",
    "reset",
    "garbage 4",
    "truncate 3",
];

/// One request and how its client behaves.
pub(super) struct Plan {
    /// The request.
    pub(super) request: Request<Full<Bytes>>,
    /// The client's dialect.
    pub(super) dialect: Dialect,
    /// Whether a stream is asked for.
    pub(super) streamed: bool,
    /// After how long the client leaves; none if it stays.
    pub(super) patience: Option<Duration>,
}

/// Any request. Its number is in its user, which the ledger keeps.
pub(super) fn any(random: &mut fastrand::Rng, number: usize, host: &str) -> Plan {
    let dialect = Dialect::ALL[random.usize(..Dialect::ALL.len())];
    let streamed = random.u8(..10) < 6;
    let patience = (random.u8(..100) < 4).then(|| Duration::from_millis(random.u64(1..60)));
    let (path, body) = match dialect {
        Dialect::OpenaiChat => ("/v1/chat/completions".to_owned(), openai(random, streamed)),
        Dialect::Anthropic => ("/v1/messages".to_owned(), anthropic(random, streamed)),
        Dialect::Gemini => gemini(random, streamed),
        Dialect::OpenaiResponses => ("/v1/responses".to_owned(), responses(random, streamed)),
        Dialect::Cohere => ("/v2/chat".to_owned(), cohere(random, streamed)),
    };
    let request = Request::post(path)
        .header("host", host)
        .header("content-type", "application/json")
        .header("anthropic-version", "2023-06-01")
        .header("x-stepwell-user", number.to_string())
        .header("x-stepwell-tags", tags(number))
        .body(Full::from(body.to_string()))
        .unwrap();
    Plan { request, dialect, streamed, patience }
}

/// A feature, and for most calls as many and as long other tags as there may be: segments are to fill soon.
fn tags(number: usize) -> String {
    let mut tags = format!("feature={}", ["search", "chat", "mail"][number % 3]);
    if !number.is_multiple_of(8) {
        for filler in 0..14 {
            write!(tags, ",filler-{filler}={}", "x".repeat(128)).unwrap();
        }
    }
    tags
}

fn openai(random: &mut fastrand::Rng, streamed: bool) -> Value {
    let mut body = json!({
        "model": model(random),
        "messages": [{"role": "system", "content": background()}, {"role": "user", "content": text(random)}],
    });
    if streamed {
        body["stream"] = true.into();
        if random.bool() {
            body["stream_options"] = json!({"include_usage": true});
        }
    }
    if random.bool() {
        body["max_completion_tokens"] = random.u32(4..200).into();
    }
    body
}

fn anthropic(random: &mut fastrand::Rng, streamed: bool) -> Value {
    let mut system = json!([{"type": "text", "text": background()}]);
    match random.u8(..3) {
        0 => system[0]["cache_control"] = json!({"type": "ephemeral"}),
        1 => system[0]["cache_control"] = json!({"type": "ephemeral", "ttl": "1h"}),
        _ => {}
    }
    json!({
        "model": model(random),
        "max_tokens": random.u32(4..200),
        "stream": streamed,
        "system": system,
        "messages": [{"role": "user", "content": text(random)}],
    })
}

fn responses(random: &mut fastrand::Rng, streamed: bool) -> Value {
    let mut body = json!({
        "model": model(random),
        "instructions": background(),
        "input": text(random),
        "stream": streamed,
    });
    if random.bool() {
        body["max_output_tokens"] = random.u32(16..200).into();
    }
    body
}

fn gemini(random: &mut fastrand::Rng, streamed: bool) -> (String, Value) {
    let method = if streamed { "streamGenerateContent?alt=sse" } else { "generateContent" };
    let body = json!({
        "systemInstruction": {"parts": [{"text": background()}]},
        "contents": [{"role": "user", "parts": [{"text": text(random)}]}],
        "generationConfig": {"maxOutputTokens": random.u32(4..200)},
    });
    (format!("/v1beta/models/{}:{method}", model(random)), body)
}

fn cohere(random: &mut fastrand::Rng, streamed: bool) -> Value {
    json!({
        "model": model(random),
        "max_tokens": random.u32(4..200),
        "stream": streamed,
        "messages": [{"role": "system", "content": background()}, {"role": "user", "content": text(random)}],
    })
}

fn model(random: &mut fastrand::Rng) -> &'static str {
    MODELS[random.usize(..MODELS.len())]
}

/// The same in every request, and long enough for a provider's cache.
fn background() -> String {
    "You answer questions about wells, steps and the level of water. ".repeat(8)
}

/// A question, how fast it is to be answered (5 to 100 ms in all, one in a hundred about 4 s), and what is to go wrong,
/// if anything.
fn text(random: &mut fastrand::Rng) -> String {
    let tokens = random.u32(4..24);
    let pace = if random.u8(..100) == 0 { 4_000 / tokens } else { random.u32(0..4) };
    let mut text = format!(
        "[[sim:tokens={tokens} ttft-ms={} event-ms={pace}]]Question {}",
        random.u32(3..32),
        random.u32(..)
    );
    if random.u8(..100) < 16 {
        text.push_str("[[fault:");
        text.push_str(FAULTS[random.usize(..FAULTS.len())]);
        text.push_str("]]");
    }
    text
}

/// Whether a stream holds its dialect's terminal event.
pub(super) fn is_complete(dialect: Dialect, stream: &[u8]) -> bool {
    match dialect {
        Dialect::OpenaiChat => holds(stream, b"data: [DONE]\n\n"),
        Dialect::Anthropic => holds(stream, b"event: message_stop\n"),
        Dialect::Gemini => holds(stream, b"\"finishReason\":"),
        Dialect::OpenaiResponses => {
            holds(stream, b"event: response.completed\n") || holds(stream, b"event: response.incomplete\n")
        }
        Dialect::Cohere => holds(stream, b"event: message-end\n") && !has_error(dialect, stream),
    }
}

/// Whether a stream holds its dialect's error event.
pub(super) fn has_error(dialect: Dialect, stream: &[u8]) -> bool {
    match dialect {
        Dialect::OpenaiChat | Dialect::Gemini => holds(stream, b"data: {\"error\":"),
        Dialect::Anthropic | Dialect::OpenaiResponses => holds(stream, b"event: error\n"),
        Dialect::Cohere => holds(stream, b"\"delta\":{\"error\":"),
    }
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}
