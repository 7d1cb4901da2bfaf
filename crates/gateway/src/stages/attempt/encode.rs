//! The request in the target's dialect, and the most the attempt can cost.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::memmem;
use stepwell_config::RouteSettings;
use stepwell_policy::estimate;
use stepwell_types::{Code, Failure, NanoUsd, Timestamp, Usage};
use stepwell_wire::chat::Chat;
use stepwell_wire::{Edits, Losses, codec};

use crate::snapshot::Target;
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
    route: Option<&RouteSettings>,
    parsed: &mut Option<Chat<'a>>,
) -> Result<Encoded, Failure> {
    let provider = &target.provider;
    let edits = Edits {
        model: Some(&target.name.model),
        include_usage: call.head.stream && !target.quirks.no_stream_options,
        max_output_tokens: match call.head.max_output_tokens {
            Some(_) => None,
            None => route.and_then(|route| route.max_output_tokens),
        },
    };
    if provider.dialect == call.dialect {
        let body = Bytes::from(call.codec.edit_request(&call.body, &call.head, &edits, target.quirks));
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
    let written = codec(provider.dialect).write_request(chat, &edits, target.quirks)?;
    if route.is_some_and(|route| route.strict) && !written.losses.is_empty() {
        let message = format!(
            "the route is strict, and these fields cannot be said to {}: {}. Remove them, or set strict = false",
            target.name,
            written.losses.paths().join(", ")
        );
        return Err(Failure::new(Code::LossyTranslation, message));
    }
    Ok(Encoded { body: Bytes::from(written.body), losses: written.losses, same: false })
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
    let most = asked.or(price.context_window()).unwrap_or(estimate::OUTPUT_TOKENS);
    let by_reference = references(&call.body).saturating_mul(estimate::REFERENCE_TOKENS);
    let output = most.saturating_mul(u64::from(call.head.alternatives.max(1)));
    (price.bound(body.saturating_add(by_reference), output, at), probable)
}

/// How many images and files the body may refer to without holding them.
fn references(body: &[u8]) -> u64 {
    let count = |needle: &[u8]| memmem::find_iter(body, needle).count() as u64;
    count(b"\"url\"") + count(b"\"file_id\"") + count(b"\"file_url\"")
}
