//! A call: as lists show it, and whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use stepwell_store::CallRow;
use stepwell_types::{AttemptRecord, CallRecord, Code, Finish, NanoUsd, Stage, UsageSource};
use utoipa::ToSchema;

/// A call in a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallView {
    /// Its id, as in the reply's `x-stepwell-call-id`.
    pub id: String,
    /// When its head had arrived, RFC 3339.
    pub started: String,
    /// What it asked for: `chat`, ….
    pub endpoint: &'static str,
    /// The caller's dialect: `openai_chat`, `anthropic`, ….
    pub dialect: &'static str,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The `model` the caller wrote.
    pub requested_model: String,
    /// The route it named, if one.
    pub route: Option<String>,
    /// The provider that answered, or failed last.
    pub provider: Option<String>,
    /// That provider's model.
    pub model: Option<String>,
    /// The end user it named.
    pub user: Option<String>,
    /// The session it named.
    pub session: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `ok`, `failed`, `cut`, `cancelled` or `unknown`.
    pub outcome: &'static str,
    /// The error code, unless it ended well.
    pub code: Option<&'static str>,
    /// The HTTP status it was answered with; null when none is known.
    pub status: Option<u16>,
    /// Microseconds from its head to its last byte.
    pub duration_us: u64,
    /// Microseconds from its head to the first content byte.
    pub first_token_us: Option<u64>,
    /// How many attempts it took.
    pub attempts: u32,
    /// Input tokens of all attempts, cached ones included.
    pub input_tokens: u64,
    /// Of which read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Output tokens of all attempts, reasoning included.
    pub output_tokens: u64,
    /// Of which reasoning.
    pub reasoning_tokens: u64,
    /// What it cost; null where that is not known.
    #[schema(example = "0.012345678")]
    pub cost_usd: Option<String>,
    /// What is charged: the cost, or the bound where the cost is not known.
    pub charged_usd: Option<String>,
}

impl From<CallRow> for CallView {
    fn from(row: CallRow) -> Self {
        Self {
            id: row.id.to_string(),
            started: row.started.to_rfc3339(),
            endpoint: row.endpoint.as_str(),
            dialect: row.dialect.as_str(),
            streamed: row.streamed,
            requested_model: row.requested_model.to_string(),
            route: text(row.route.as_ref()),
            provider: text(row.provider.as_ref()),
            model: text(row.model.as_ref()),
            user: text(row.user.as_ref()),
            session: text(row.session.as_ref()),
            tags: tags(&row.tags),
            outcome: row.outcome.as_str(),
            code: row.code.map(Code::as_str),
            status: known(row.status),
            duration_us: row.duration_us,
            first_token_us: row.first_token_us,
            attempts: row.attempts,
            input_tokens: row.input_tokens,
            cache_read_tokens: row.cache_read_tokens,
            output_tokens: row.output_tokens,
            reasoning_tokens: row.reasoning_tokens,
            cost_usd: dollars(row.cost),
            charged_usd: dollars(row.charged),
        }
    }
}

/// A call with its attempts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CallDetailView {
    /// Its id, as in the reply's `x-stepwell-call-id`.
    pub id: String,
    /// Whose it is.
    pub project: String,
    /// When its head had arrived, RFC 3339.
    pub started: String,
    /// What it asked for: `chat`, ….
    pub endpoint: &'static str,
    /// The caller's dialect: `openai_chat`, `anthropic`, ….
    pub dialect: &'static str,
    /// Whether a stream was asked for.
    pub streamed: bool,
    /// The `model` the caller wrote.
    pub requested_model: String,
    /// The route it named, if one.
    pub route: Option<String>,
    /// The end user it named.
    pub user: Option<String>,
    /// The session it named.
    pub session: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// `ok`, `failed`, `cut`, `cancelled` or `unknown`.
    pub outcome: &'static str,
    /// The error code, unless it ended well.
    pub code: Option<&'static str>,
    /// The HTTP status it was answered with; null when none is known.
    pub status: Option<u16>,
    /// Bytes of the request body.
    pub request_bytes: u64,
    /// Bytes of the reply body.
    pub reply_bytes: u64,
    /// Microseconds from its head to its last byte.
    pub duration_us: u64,
    /// Microseconds from its head to the first content byte.
    pub first_token_us: Option<u64>,
    /// Microseconds spent in each stage, by the stage's name.
    pub stages_us: BTreeMap<&'static str, u32>,
    /// Fields lost in translation.
    pub losses: Vec<String>,
    /// What it cost; null where that is not known.
    #[schema(example = "0.012345678")]
    pub cost_usd: Option<String>,
    /// Its attempts, in order.
    pub attempts: Vec<AttemptView>,
}

impl From<&CallRecord> for CallDetailView {
    fn from(call: &CallRecord) -> Self {
        Self {
            id: call.id.to_string(),
            project: call.tenant.as_str().to_owned(),
            started: call.started.to_rfc3339(),
            endpoint: call.endpoint.as_str(),
            dialect: call.dialect.as_str(),
            streamed: call.streamed,
            requested_model: call.requested_model.to_string(),
            route: text(call.route.as_ref()),
            user: text(call.user.as_ref()),
            session: text(call.session.as_ref()),
            tags: tags(&call.tags),
            outcome: call.outcome.as_str(),
            code: call.code.map(Code::as_str),
            status: known(call.status),
            request_bytes: call.request_bytes,
            reply_bytes: call.reply_bytes,
            duration_us: call.duration_us,
            first_token_us: call.first_token_us,
            stages_us: Stage::ALL.iter().map(|stage| (stage.as_str(), call.stages.get(*stage))).collect(),
            losses: call.losses.clone(),
            cost_usd: dollars(call.cost()),
            attempts: call.attempts.iter().map(AttemptView::from).collect(),
        }
    }
}

/// One try at one target.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// Which attempt of the call, from 1.
    pub number: u8,
    /// The provider's name in the config.
    pub provider: String,
    /// The model's name at that provider.
    pub model: String,
    /// The provider's dialect.
    pub dialect: &'static str,
    /// When it began, RFC 3339.
    pub started: String,
    /// Microseconds from its start to its end.
    pub duration_us: u64,
    /// Microseconds from its start to the first byte of the provider's reply.
    pub first_byte_us: Option<u64>,
    /// The provider's HTTP status, once there was one.
    pub status: Option<u16>,
    /// `ok`, `failed`, `cut`, `cancelled` or `unknown`.
    pub outcome: &'static str,
    /// The error code, unless it ended well.
    pub code: Option<&'static str>,
    /// The model that answered, as the provider names it.
    pub served_model: Option<String>,
    /// The provider's id of the reply.
    pub provider_id: Option<String>,
    /// Why the model stopped: `stop`, `length`, `tool_calls`, ….
    pub finish: Option<&'static str>,
    /// Input tokens, cached ones included.
    pub input_tokens: u64,
    /// Input tokens read from the provider's cache.
    pub cache_read_tokens: u64,
    /// Input tokens written to the provider's cache for five minutes, or its only lifetime.
    pub cache_write_5m_tokens: u64,
    /// Input tokens written to the provider's cache for an hour.
    pub cache_write_1h_tokens: u64,
    /// Input tokens that were audio.
    pub input_audio_tokens: u64,
    /// Output tokens, reasoning included.
    pub output_tokens: u64,
    /// Output tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// Output tokens that were audio.
    pub output_audio_tokens: u64,
    /// Who counted the tokens: `provider`, `estimate` or `none`.
    pub usage_source: &'static str,
    /// What it cost; null where that is not known.
    pub cost_usd: Option<String>,
    /// `exact`, `estimated`, `unpriced` or `inconsistent`.
    pub cost_status: &'static str,
    /// The most it could have cost; charged where the cost is not known.
    pub bound_usd: Option<String>,
}

impl From<&AttemptRecord> for AttemptView {
    fn from(attempt: &AttemptRecord) -> Self {
        let usage = &attempt.usage;
        Self {
            number: attempt.number,
            provider: attempt.target.provider.to_string(),
            model: attempt.target.model.to_string(),
            dialect: attempt.dialect.as_str(),
            started: attempt.started.to_rfc3339(),
            duration_us: attempt.duration_us,
            first_byte_us: attempt.first_byte_us,
            status: attempt.status,
            outcome: attempt.outcome.as_str(),
            code: attempt.code.map(Code::as_str),
            served_model: text(attempt.served_model.as_ref()),
            provider_id: text(attempt.provider_id.as_ref()),
            finish: attempt.finish.map(Finish::as_str),
            input_tokens: usage.input_tokens,
            cache_read_tokens: usage.cache_read_tokens,
            cache_write_5m_tokens: usage.cache_write_5m_tokens,
            cache_write_1h_tokens: usage.cache_write_1h_tokens,
            input_audio_tokens: usage.input_audio_tokens,
            output_tokens: usage.output_tokens,
            reasoning_tokens: usage.reasoning_tokens,
            output_audio_tokens: usage.output_audio_tokens,
            usage_source: match attempt.usage_source {
                UsageSource::Provider => "provider",
                UsageSource::Estimate => "estimate",
                UsageSource::None => "none",
            },
            cost_usd: dollars(attempt.cost),
            cost_status: attempt.cost_status.as_str(),
            bound_usd: dollars(attempt.bound),
        }
    }
}

fn text(text: Option<&Arc<str>>) -> Option<String> {
    text.map(ToString::to_string)
}

fn tags(tags: &[(Arc<str>, Arc<str>)]) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn known(status: u16) -> Option<u16> {
    (status > 0).then_some(status)
}

fn dollars(amount: Option<NanoUsd>) -> Option<String> {
    amount.map(|amount| amount.to_string())
}
