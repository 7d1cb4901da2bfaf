//! The request in the target's dialect, and the most the attempt can cost.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use stepwell_config::RouteSettings;
use stepwell_policy::estimate;
use stepwell_types::{Code, Endpoint, Failure, NanoUsd, Timestamp, Usage};
use stepwell_wire::chat::Chat;
use stepwell_wire::{Edits, Losses, Quirks, codec};

use crate::snapshot::{Face, Target};
use crate::stages::decode::Call;

/// A request ready to send.
pub(crate) struct Encoded {
    pub(crate) body: Bytes,
    pub(crate) losses: Losses,
    /// Both sides speak the same dialect.
    pub(crate) same: bool,
}

/// Writes the request for `target`: spliced where the dialect is the same, translated where it is not. `parsed` keeps
/// what was read for a translation, for the next target.
pub(crate) fn request<'a>(
    call: &'a Call,
    target: &Target,
    face: &Face,
    route: Option<&RouteSettings>,
    parsed: &mut Option<Chat<'a>>,
) -> Result<Encoded, Failure> {
    let edits = Edits {
        model: Some(&target.name.model),
        include_usage: call.head.stream && !target.quirks.no_stream_options,
        max_output_tokens: match call.head.max_output_tokens {
            Some(_) => None,
            // A count of input takes no limit on output.
            None if call.endpoint == Endpoint::CountTokens => None,
            None => route.and_then(|route| route.max_output_tokens),
        },
    };
    let quirks = Quirks { version_in_body: face.version_in_body, ..target.quirks };
    if face.dialect == call.dialect {
        let body = Bytes::from(call.codec.edit_request(&call.body, &call.head, &edits, quirks));
        return Ok(Encoded { body, losses: Losses::default(), same: true });
    }
    if parsed.is_none() {
        let mut chat = call.codec.read_request(&call.body)?;
        chat.model = Cow::Borrowed(&call.head.model);
        chat.stream = call.head.stream;
        *parsed = Some(chat);
    }
    let Some(chat) = parsed else {
        return Err(Failure::new(Code::InternalError, "the request could not be kept for translation"));
    };
    let written = codec(face.dialect).write_request(chat, &edits, quirks)?;
    refuse_losses(route, target, &written.losses)?;
    Ok(Encoded { body: Bytes::from(written.body), losses: written.losses, same: false })
}

/// Refuses what a strict route does not let go.
pub(crate) fn refuse_losses(
    route: Option<&RouteSettings>,
    target: &Target,
    losses: &Losses,
) -> Result<(), Failure> {
    if losses.is_empty() || !route.is_some_and(|route| route.strict) {
        return Ok(());
    }
    let message = format!(
        "the route is strict, and these fields cannot be said to {}: {}. Remove them, or set strict = false",
        target.name,
        losses.paths().join(", ")
    );
    Err(Failure::new(Code::LossyTranslation, message))
}

/// The most that an attempt without any output can cost, and what its usage probably is should the provider never say.
pub(crate) fn bound_of_input(
    asked: &[u8],
    target: &Target,
    body: usize,
    at: Timestamp,
) -> (Option<NanoUsd>, Usage) {
    let body = body as u64;
    let probable = Usage { input_tokens: estimate::input_tokens(body), ..Usage::default() };
    let Some(price) = &target.price else { return (None, probable) };
    let images = memmem::find_iter(asked, b"\"image\"").count() as u64;
    let by_reference = by_reference(asked, price.context_window());
    let by_reference = by_reference.saturating_add(images.saturating_mul(estimate::REFERENCE_TOKENS));
    (price.bound(body.saturating_add(by_reference), 0, at), probable)
}

/// The most the attempt can cost, and what its usage probably is should the provider never say.
pub(crate) fn worst_case(
    call: &Call,
    target: &Target,
    route: Option<&RouteSettings>,
    body: usize,
    at: Timestamp,
) -> (Option<NanoUsd>, Usage) {
    let body = body as u64;
    let probable = Usage { input_tokens: estimate::input_tokens(body), ..Usage::default() };
    let Some(price) = &target.price else { return (None, probable) };
    let asked = call.head.max_output_tokens.or(route.and_then(|route| route.max_output_tokens));
    let most = asked.or(price.context_window()).unwrap_or(estimate::OUTPUT_TOKENS).max(LEAST_LIMIT);
    let by_reference = by_reference(&call.body, price.context_window());
    let output = most.saturating_mul(u64::from(call.head.alternatives.max(1)));
    (price.bound(body.saturating_add(by_reference), output, at), probable)
}

/// The least limit on output tokens that every provider takes: a smaller one is raised to it where it is translated.
const LEAST_LIMIT: u64 = 16;

/// The most input tokens that a body can stand for by what it refers to without holding it: an image by its address, or a
/// file or what a provider keeps, which may fill the model's whole context.
fn by_reference(body: &[u8], context_window: Option<u64>) -> u64 {
    /// Names by what they begin with: most bodies hold none, and are searched for the few beginnings alone.
    const FILES: [(&[u8], &[&[u8]]); 5] = [
        (b"\"item_reference", &[b"\"item_reference\""]),
        (b"\"pmpt_", &[b"\"pmpt_"]),
        (b"\"file", &[b"\"file_id\"", b"\"file_url\"", b"\"fileUri\"", b"\"file_uri\""]),
        (b"\"s3Location", &[b"\"s3Location\""]),
        (b"\"cached", &[b"\"cachedContent\"", b"\"cached_content\""]),
    ];
    let holds = |text: &[u8]| memmem::find(body, text).is_some();
    let images = memmem::find_iter(body, b"\"url\"").count() as u64;
    let images = images.saturating_add(addresses(body, b"\"image_url\""));
    let files =
        FILES.iter().any(|(beginning, names)| holds(beginning) && names.iter().any(|name| holds(name)));
    let of_files = if files { context_window.unwrap_or(estimate::CONTEXT_TOKENS) } else { 0 };
    images.saturating_mul(estimate::REFERENCE_TOKENS).saturating_add(of_files)
}

/// How many fields of this name are addresses that stand there as they are: objects say theirs under another name.
fn addresses(body: &[u8], name: &[u8]) -> u64 {
    let is_address = |at: &usize| {
        let value = body.get(at + name.len()..).unwrap_or_default().trim_ascii_start();
        let value = value.strip_prefix(b":").unwrap_or_default().trim_ascii_start();
        value.starts_with(b"\"") && !value.starts_with(b"\"data:")
    };
    memmem::find_iter(body, name).filter(is_address).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_refers_to_counts_as_if_it_were_there() {
        for (body, window, tokens) in [
            (r#"{"messages":[]}"#, Some(200_000), 0),
            (r#"{"type":"file","filename":"a","cached":1}"#, Some(200_000), 0),
            (r#"{"image_url":{"url":"a"},"x":{"url":"b"}}"#, Some(200_000), 128_000),
            (r#"{"source":{"type":"file","file_id":"f"}}"#, Some(200_000), 200_000),
            (r#"{"fileData":{"fileUri":"a.mp4"}}"#, None, 1_048_576),
            (r#"{"file_data":{"file_uri":"a.mp4"},"b":{"fileUri":"b.mp4"}}"#, Some(1_000_000), 1_000_000),
            (r#"{"cachedContent":"cachedContents/x"}"#, Some(1_000_000), 1_000_000),
            (r#"{"source":{"s3Location":{"uri":"s3://a/b.pdf"}}}"#, Some(200_000), 200_000),
            (r#"{"type":"input_image","image_url" : "https://a/b.png"}"#, Some(200_000), 64_000),
            (r#"{"type":"input_image","image_url":"data:image/png;base64,AA=="}"#, Some(200_000), 0),
            (r#"{"input":[{"type":"item_reference","id":"msg_1"}]}"#, Some(200_000), 200_000),
            (r#"{"prompt":{"id":"pmpt_1"}}"#, Some(200_000), 200_000),
        ] {
            assert_eq!(by_reference(body.as_bytes(), window), tokens, "{body}");
        }
    }
}
