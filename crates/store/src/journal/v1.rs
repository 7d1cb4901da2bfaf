//! Version 1 of the payloads: postcard of these types, in this order of fields. It never changes; a new form is a V2.
//!
//! Reading borrows from the segment's bytes; writing borrows from the record, so that neither allocates for text.
//! Texts are kept to [`MAX_TEXT`] bytes and lists to their bounds: the room kept for a final is reckoned from them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use stepwell_types::{
    AttemptRecord, CallId, CallRecord, Code, CostStatus, Dialect, Endpoint, Finish, Intent, NanoUsd, Outcome,
    Stage, StageTimes, TargetName, Tenant, Timestamp, Usage, UsageSource,
};

use super::Recent;

/// The version of these forms.
pub(crate) const VERSION: u8 = 1;
/// The longest text kept, in bytes; longer ones are cut at a character.
pub(crate) const MAX_TEXT: usize = 256;
/// The most tags kept.
const MAX_TAGS: usize = 32;
/// The most bytes of losses kept.
const MAX_LOSSES: usize = 1_024;
/// The most attempts kept: their numbers are a byte.
const MAX_ATTEMPTS: usize = 255;

/// Bytes that the parts of a call's final that its intent does not have can take: session, code, losses (each may
/// cost a length byte or two), numbers, and the frame's header.
pub(crate) const CALL_ROOM: u64 = (super::frame::HEADER + MAX_TEXT + 64 + 2 * MAX_LOSSES + 160) as u64;
/// Bytes that the parts of an attempt that its intent does not have can take: served model, provider's id, code,
/// numbers, and the frame's header.
pub(crate) const ATTEMPT_ROOM: u64 = (super::frame::HEADER + 2 * MAX_TEXT + 64 + 200) as u64;

/// Why a payload could not be read.
pub(crate) const UNREADABLE: &str = "a frame's payload is not what its version says";

/// A list that is written from records in place and read into a vector of the stored form.
#[derive(Debug)]
pub(crate) enum List<'a, R, V> {
    Records(&'a [R]),
    Read(Vec<V>),
}

impl<'a, R, V: Serialize + From<&'a R>> Serialize for List<'a, R, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Records(records) => serializer.collect_seq(records.iter().map(V::from)),
            Self::Read(values) => serializer.collect_seq(values),
        }
    }
}

impl<'de, R, V: Deserialize<'de>> Deserialize<'de> for List<'_, R, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(Self::Read)
    }
}

impl<'a, R, V: From<&'a R>> List<'a, R, V> {
    fn into_values(self) -> Vec<V> {
        match self {
            Self::Records(records) => records.iter().map(V::from).collect(),
            Self::Read(values) => values,
        }
    }
}

type TagRecord = (std::sync::Arc<str>, std::sync::Arc<str>);

/// A text of bounded length.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct TextV1<'a>(&'a str);

impl<'a> From<&'a String> for TextV1<'a> {
    fn from(text: &'a String) -> Self {
        Self(clip(text))
    }
}

/// A tag.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct TagV1<'a>(&'a str, &'a str);

impl<'a> From<&'a TagRecord> for TagV1<'a> {
    fn from((name, value): &'a TagRecord) -> Self {
        Self(clip(name), clip(value))
    }
}

/// What is written before an attempt is sent. The call's id is in the frame's header.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct IntentV1<'a> {
    attempt: u8,
    tenant: &'a str,
    started: i64,
    endpoint: u8,
    dialect: u8,
    streamed: bool,
    requested_model: &'a str,
    route: Option<&'a str>,
    user: Option<&'a str>,
    #[serde(borrow)]
    tags: List<'a, TagRecord, TagV1<'a>>,
    provider: &'a str,
    model: &'a str,
    target_dialect: u8,
    bound: Option<i64>,
}

/// One try at one target.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct AttemptV1<'a> {
    number: u8,
    provider: &'a str,
    model: &'a str,
    dialect: u8,
    started: i64,
    duration_us: u64,
    first_byte_us: Option<u64>,
    status: Option<u16>,
    outcome: u8,
    code: Option<&'a str>,
    served_model: Option<&'a str>,
    provider_id: Option<&'a str>,
    finish: Option<u8>,
    usage: UsageV1,
    usage_source: u8,
    cost: Option<i64>,
    cost_status: u8,
    bound: Option<i64>,
}

/// Tokens, in the order of the fields of [`Usage`].
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct UsageV1(u64, u64, u64, u64, u64, u64, u64, u64);

/// The final of a call.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct CallV1<'a> {
    tenant: &'a str,
    started: i64,
    endpoint: u8,
    dialect: u8,
    streamed: bool,
    requested_model: &'a str,
    route: Option<&'a str>,
    user: Option<&'a str>,
    session: Option<&'a str>,
    #[serde(borrow)]
    tags: List<'a, TagRecord, TagV1<'a>>,
    outcome: u8,
    code: Option<&'a str>,
    status: u16,
    request_bytes: u64,
    reply_bytes: u64,
    duration_us: u64,
    first_token_us: Option<u64>,
    /// decode, identify, admit, plan, attempt, settle.
    stages: [u32; 6],
    #[serde(borrow)]
    losses: List<'a, String, TextV1<'a>>,
    #[serde(borrow)]
    attempts: List<'a, AttemptRecord, AttemptV1<'a>>,
}

impl<'a> From<&'a Intent> for IntentV1<'a> {
    fn from(intent: &'a Intent) -> Self {
        Self {
            attempt: intent.attempt,
            tenant: clip(intent.tenant.as_str()),
            started: intent.started.as_micros(),
            endpoint: endpoint_byte(intent.endpoint),
            dialect: dialect_byte(intent.dialect),
            streamed: intent.streamed,
            requested_model: clip(&intent.requested_model),
            route: intent.route.as_deref().map(clip),
            user: intent.user.as_deref().map(clip),
            tags: List::Records(first(&intent.tags, MAX_TAGS)),
            provider: clip(&intent.target.provider),
            model: clip(&intent.target.model),
            target_dialect: dialect_byte(intent.target_dialect),
            bound: intent.bound.map(NanoUsd::as_nanos),
        }
    }
}

impl IntentV1<'_> {
    /// The record; none where a value is unknown to this version.
    pub(crate) fn into_record(self, call: CallId) -> Option<Intent> {
        Some(Intent {
            call,
            attempt: self.attempt,
            tenant: Tenant::named(self.tenant),
            started: Timestamp::from_micros(self.started),
            endpoint: *Endpoint::ALL.get(usize::from(self.endpoint))?,
            dialect: *Dialect::ALL.get(usize::from(self.dialect))?,
            streamed: self.streamed,
            requested_model: self.requested_model.into(),
            route: self.route.map(Into::into),
            user: self.user.map(Into::into),
            tags: tags(self.tags),
            target: TargetName { provider: self.provider.into(), model: self.model.into() },
            target_dialect: *Dialect::ALL.get(usize::from(self.target_dialect))?,
            bound: self.bound.map(NanoUsd::from_nanos),
        })
    }
}

impl<'a> From<&'a AttemptRecord> for AttemptV1<'a> {
    fn from(attempt: &'a AttemptRecord) -> Self {
        let usage = &attempt.usage;
        Self {
            number: attempt.number,
            provider: clip(&attempt.target.provider),
            model: clip(&attempt.target.model),
            dialect: dialect_byte(attempt.dialect),
            started: attempt.started.as_micros(),
            duration_us: attempt.duration_us,
            first_byte_us: attempt.first_byte_us,
            status: attempt.status,
            outcome: outcome_byte(attempt.outcome),
            code: attempt.code.map(Code::as_str),
            served_model: attempt.served_model.as_deref().map(clip),
            provider_id: attempt.provider_id.as_deref().map(clip),
            finish: attempt.finish.map(finish_byte),
            usage: UsageV1(
                usage.input_tokens,
                usage.cache_read_tokens,
                usage.cache_write_5m_tokens,
                usage.cache_write_1h_tokens,
                usage.input_audio_tokens,
                usage.output_tokens,
                usage.reasoning_tokens,
                usage.output_audio_tokens,
            ),
            usage_source: usage_source_byte(attempt.usage_source),
            cost: attempt.cost.map(NanoUsd::as_nanos),
            cost_status: cost_status_byte(attempt.cost_status),
            bound: attempt.bound.map(NanoUsd::as_nanos),
        }
    }
}

impl AttemptV1<'_> {
    /// The record; none where a value is unknown to this version.
    pub(crate) fn into_record(self, recent: &mut Recent) -> Option<AttemptRecord> {
        Some(AttemptRecord {
            number: self.number,
            target: TargetName { provider: recent.of(self.provider), model: recent.of(self.model) },
            dialect: *Dialect::ALL.get(usize::from(self.dialect))?,
            started: Timestamp::from_micros(self.started),
            duration_us: self.duration_us,
            first_byte_us: self.first_byte_us,
            status: self.status,
            outcome: *Outcome::ALL.get(usize::from(self.outcome))?,
            code: match self.code {
                None => None,
                Some(text) => Some(Code::from_text(text)?),
            },
            served_model: self.served_model.map(|model| recent.of(model)),
            provider_id: self.provider_id.map(Into::into),
            finish: match self.finish {
                None => None,
                Some(byte) => Some(*Finish::ALL.get(usize::from(byte))?),
            },
            usage: Usage {
                input_tokens: self.usage.0,
                cache_read_tokens: self.usage.1,
                cache_write_5m_tokens: self.usage.2,
                cache_write_1h_tokens: self.usage.3,
                input_audio_tokens: self.usage.4,
                output_tokens: self.usage.5,
                reasoning_tokens: self.usage.6,
                output_audio_tokens: self.usage.7,
            },
            usage_source: usage_source(self.usage_source)?,
            cost: self.cost.map(NanoUsd::from_nanos),
            cost_status: *CostStatus::ALL.get(usize::from(self.cost_status))?,
            bound: self.bound.map(NanoUsd::from_nanos),
        })
    }
}

impl<'a> From<&'a CallRecord> for CallV1<'a> {
    fn from(call: &'a CallRecord) -> Self {
        Self {
            tenant: clip(call.tenant.as_str()),
            started: call.started.as_micros(),
            endpoint: endpoint_byte(call.endpoint),
            dialect: dialect_byte(call.dialect),
            streamed: call.streamed,
            requested_model: clip(&call.requested_model),
            route: call.route.as_deref().map(clip),
            user: call.user.as_deref().map(clip),
            session: call.session.as_deref().map(clip),
            tags: List::Records(first(&call.tags, MAX_TAGS)),
            outcome: outcome_byte(call.outcome),
            code: call.code.map(Code::as_str),
            status: call.status,
            request_bytes: call.request_bytes,
            reply_bytes: call.reply_bytes,
            duration_us: call.duration_us,
            first_token_us: call.first_token_us,
            stages: Stage::ALL.map(|stage| call.stages.get(stage)),
            losses: List::Records(bounded_losses(&call.losses)),
            attempts: List::Records(first(&call.attempts, MAX_ATTEMPTS)),
        }
    }
}

impl CallV1<'_> {
    /// The record; none where a value is unknown to this version.
    pub(crate) fn into_record(self, id: CallId, recent: &mut Recent) -> Option<CallRecord> {
        let mut stages = StageTimes::default();
        for (stage, micros) in Stage::ALL.into_iter().zip(self.stages) {
            stages.add(stage, u64::from(micros));
        }
        Some(CallRecord {
            id,
            tenant: Tenant::sharing(recent.of(self.tenant)),
            started: Timestamp::from_micros(self.started),
            endpoint: *Endpoint::ALL.get(usize::from(self.endpoint))?,
            dialect: *Dialect::ALL.get(usize::from(self.dialect))?,
            streamed: self.streamed,
            requested_model: recent.of(self.requested_model),
            route: self.route.map(|route| recent.of(route)),
            user: self.user.map(Into::into),
            session: self.session.map(Into::into),
            tags: tags(self.tags),
            outcome: *Outcome::ALL.get(usize::from(self.outcome))?,
            code: match self.code {
                None => None,
                Some(text) => Some(Code::from_text(text)?),
            },
            status: self.status,
            request_bytes: self.request_bytes,
            reply_bytes: self.reply_bytes,
            duration_us: self.duration_us,
            first_token_us: self.first_token_us,
            stages,
            losses: self.losses.into_values().into_iter().map(|loss| loss.0.to_owned()).collect(),
            attempts: self
                .attempts
                .into_values()
                .into_iter()
                .map(|attempt| attempt.into_record(recent))
                .collect::<Option<_>>()?,
        })
    }
}

fn tags(list: List<'_, TagRecord, TagV1<'_>>) -> Vec<TagRecord> {
    list.into_values().into_iter().map(|TagV1(name, value)| (name.into(), value.into())).collect()
}

fn clip(text: &str) -> &str {
    if text.len() <= MAX_TEXT {
        return text;
    }
    text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default()
}

fn first<T>(list: &[T], most: usize) -> &[T] {
    list.get(..most).unwrap_or(list)
}

fn bounded_losses(losses: &[String]) -> &[String] {
    let mut bytes = 0;
    let kept = losses
        .iter()
        .take_while(|loss| {
            bytes += loss.len().min(MAX_TEXT) + 2;
            bytes <= MAX_LOSSES
        })
        .count();
    first(losses, kept)
}

// The stored byte of an enum is spelled out, not taken from the order of its declaration: reordering a type must not
// change what old journals say. `stored_bytes_are_places_in_all` keeps the two ways in step.

const fn endpoint_byte(endpoint: Endpoint) -> u8 {
    match endpoint {
        Endpoint::Chat => 0,
        Endpoint::CountTokens => 1,
        Endpoint::Embeddings => 2,
        Endpoint::Completions => 3,
        Endpoint::Images => 4,
        Endpoint::ImageEdits => 5,
        Endpoint::Transcriptions => 6,
        Endpoint::Translations => 7,
        Endpoint::Speech => 8,
        Endpoint::Rerank => 9,
        Endpoint::Moderations => 10,
    }
}

const fn dialect_byte(dialect: Dialect) -> u8 {
    match dialect {
        Dialect::OpenaiChat => 0,
        Dialect::Anthropic => 1,
        Dialect::Gemini => 2,
        Dialect::OpenaiResponses => 3,
        Dialect::Cohere => 4,
        Dialect::Ollama => 5,
        Dialect::BedrockConverse => 6,
    }
}

const fn outcome_byte(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Ok => 0,
        Outcome::Failed => 1,
        Outcome::Cut => 2,
        Outcome::Cancelled => 3,
        Outcome::Unknown => 4,
    }
}

const fn finish_byte(finish: Finish) -> u8 {
    match finish {
        Finish::Stop => 0,
        Finish::Length => 1,
        Finish::ToolCalls => 2,
        Finish::StopSequence => 3,
        Finish::ContentFilter => 4,
        Finish::Refusal => 5,
        Finish::Pause => 6,
        Finish::ContextWindow => 7,
        Finish::Other => 8,
    }
}

const fn usage_source_byte(source: UsageSource) -> u8 {
    match source {
        UsageSource::Provider => 0,
        UsageSource::Estimate => 1,
        UsageSource::None => 2,
    }
}

const fn usage_source(byte: u8) -> Option<UsageSource> {
    match byte {
        0 => Some(UsageSource::Provider),
        1 => Some(UsageSource::Estimate),
        2 => Some(UsageSource::None),
        _ => None,
    }
}

const fn cost_status_byte(status: CostStatus) -> u8 {
    match status {
        CostStatus::Exact => 0,
        CostStatus::Estimated => 1,
        CostStatus::Unpriced => 2,
        CostStatus::Inconsistent => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_bytes_are_places_in_all() {
        for (place, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(endpoint_byte(endpoint)), place);
        }
        for (place, dialect) in Dialect::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(dialect_byte(dialect)), place);
        }
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(outcome_byte(outcome)), place);
        }
        for (place, finish) in Finish::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(finish_byte(finish)), place);
        }
        for (place, status) in CostStatus::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(cost_status_byte(status)), place);
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let text = "é".repeat(200);
        assert_eq!(clip(&text), "é".repeat(128));
        assert_eq!(clip("short"), "short");
    }
}
