//! Writes a reply that is not streamed, and the parts that streams share with it.
//!
//! <https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse>

use stepwell_types::Finish;

use crate::anthropic::signature;
use crate::json::{integer, string};
use crate::oracle::Tokens;
use crate::reply::{Block, Reply};

/// What every reply ends with.
pub(crate) struct Head<'h> {
    /// The reply's id.
    pub(crate) id: &'h str,
    /// The model's name.
    pub(crate) model: &'h str,
}

/// Writes the body.
pub(crate) fn write(head: &Head<'_>, reply: &Reply) -> Vec<u8> {
    let mut parts = Vec::with_capacity(512);
    let mut calls = 0;
    for block in &reply.blocks {
        match block {
            Block::Thinking { text, .. } => {
                text_part(separated(&mut parts), text, b",\"thought\":true");
            }
            Block::Text(text) | Block::Refusal(text) => {
                text_part(separated(&mut parts), text, &signature_of(reply, text));
            }
            Block::Call { id, name, arguments, complete } => {
                if *complete {
                    call_part(separated(&mut parts), calls, id, name, arguments);
                }
                calls += 1;
            }
            Block::RedactedThinking { .. } => {}
        }
    }
    let visible = reply.tokens.output.saturating_sub(reply.tokens.reasoning);
    let mut out = Vec::with_capacity(parts.len() + 512);
    step(&mut out, &parts, Some(reply.finish));
    closing(&mut out, head, reply.tokens, Made { visible, thought: reply.tokens.reasoning });
    out
}

/// Writes the answer to a request to count: <https://ai.google.dev/api/tokens>
pub(crate) fn count(tokens: u32) -> Vec<u8> {
    let mut out = b"{\"totalTokens\":".to_vec();
    integer(&mut out, tokens);
    details(&mut out, "promptTokensDetails", tokens);
    out.push(b'}');
    out
}

/// The parts, with a comma if there are some before.
fn separated(parts: &mut Vec<u8>) -> &mut Vec<u8> {
    if !parts.is_empty() {
        parts.push(b',');
    }
    parts
}

/// The members up to the usage. A blocked prompt has no candidate.
pub(super) fn step(out: &mut Vec<u8>, parts: &[u8], finish: Option<Finish>) {
    if finish == Some(Finish::Refusal) {
        out.extend_from_slice(b"{\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"}");
        return;
    }
    out.extend_from_slice(b"{\"candidates\":[{\"content\":{");
    // A candidate that has made nothing to show has no parts.
    if !parts.is_empty() {
        out.extend_from_slice(b"\"parts\":[");
        out.extend_from_slice(parts);
        out.extend_from_slice(b"],");
    }
    out.extend_from_slice(b"\"role\":\"model\"}");
    if let Some(finish) = finish {
        out.extend_from_slice(b",\"finishReason\":\"");
        out.extend_from_slice(finish_reason(finish).as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"index\":0}]");
}

/// What was made so far.
#[derive(Clone, Copy, Default)]
pub(super) struct Made {
    /// Tokens that are no thoughts.
    pub(super) visible: u32,
    /// Tokens that are thoughts.
    pub(super) thought: u32,
}

/// The usage and the members after it. The prompt includes what was cached; the candidates exclude thoughts.
pub(super) fn closing(out: &mut Vec<u8>, head: &Head<'_>, tokens: Tokens, made: Made) {
    out.extend_from_slice(b",\"usageMetadata\":{\"promptTokenCount\":");
    integer(out, tokens.input);
    // A count of nothing is left out, as protobuf does.
    for (name, count) in [
        ("candidatesTokenCount", made.visible),
        ("thoughtsTokenCount", made.thought),
        ("cachedContentTokenCount", tokens.cache_read),
    ] {
        if count > 0 {
            out.extend_from_slice(format!(",\"{name}\":{count}").as_bytes());
        }
    }
    out.extend_from_slice(b",\"totalTokenCount\":");
    integer(out, i64::from(tokens.input) + i64::from(made.visible) + i64::from(made.thought));
    details(out, "promptTokensDetails", tokens.input);
    if tokens.cache_read > 0 {
        details(out, "cacheTokensDetails", tokens.cache_read);
    }
    out.extend_from_slice(b"},\"modelVersion\":");
    string(out, head.model);
    out.extend_from_slice(b",\"responseId\":");
    string(out, head.id);
    out.push(b'}');
}

/// How many tokens of which modality there are; here all are text.
fn details(out: &mut Vec<u8>, name: &str, tokens: u32) {
    out.extend_from_slice(
        format!(",\"{name}\":[{{\"modality\":\"TEXT\",\"tokenCount\":{tokens}}}]").as_bytes(),
    );
}

/// A part of text, with more members.
pub(super) fn text_part(out: &mut Vec<u8>, text: &str, more: &[u8]) {
    out.extend_from_slice(b"{\"text\":");
    string(out, text);
    out.extend_from_slice(more);
    out.push(b'}');
}

/// The signature of a text that was thought about, as the members it adds to its part.
pub(super) fn signature_of(reply: &Reply, text: &str) -> Vec<u8> {
    if reply.tokens.reasoning == 0 {
        return Vec::new();
    }
    format!(",\"thoughtSignature\":\"{}\"", signature::sign(text)).into_bytes()
}

/// A part that calls a function. The first is signed; every second has an id, as the vendor's have it or have not.
pub(super) fn call_part(out: &mut Vec<u8>, place: usize, id: &str, name: &str, arguments: &str) {
    out.extend_from_slice(b"{\"functionCall\":{");
    if place % 2 == 1 {
        out.extend_from_slice(b"\"id\":");
        string(out, id);
        out.push(b',');
    }
    out.extend_from_slice(b"\"name\":");
    string(out, name);
    out.extend_from_slice(b",\"args\":");
    out.extend_from_slice(arguments.as_bytes());
    out.push(b'}');
    if place == 0 {
        out.extend_from_slice(b",\"thoughtSignature\":");
        string(out, &signature::sign(arguments));
    }
    out.push(b'}');
}

/// The dialect's word for why a reply ended.
fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "MAX_TOKENS",
        Finish::ContentFilter => "SAFETY",
        _ => "STOP",
    }
}
