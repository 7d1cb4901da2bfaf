//! The superset between dialects: a conversation to continue, and the reply to it.
//!
//! Everything borrows from the body it was read from; what is opaque (tool schemas, arguments) stays raw JSON. Fields
//! that only one dialect has are kept in `extra` under their path, so that a writer for another dialect can report each
//! as a loss.

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{Finish, Usage};

/// A field that the superset has no place for: its path from the body's root (`/logit_bias`,
/// `/messages/3/name`) and its value.
#[derive(Clone, Debug)]
pub struct Extra<'a> {
    /// The path.
    pub path: String,
    /// The value.
    pub value: &'a RawValue,
}

/// A request for a reply.
#[derive(Clone, Debug, Default)]
pub struct Chat<'a> {
    /// The `model` the caller wrote.
    pub model: Cow<'a, str>,
    /// The turns in order. System and developer turns stand where the caller put them; a dialect with a top-level
    /// system prompt gives it as the first turn.
    pub turns: Vec<Turn<'a>>,
    /// The tools offered.
    pub tools: Vec<Tool<'a>>,
    /// Which tools the model may or must call.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether the model may call several tools at once; none where the caller did not say.
    pub parallel_tool_calls: Option<bool>,
    /// The limit on output tokens.
    pub max_output_tokens: Option<u64>,
    /// Sampling temperature, as written.
    pub temperature: Option<&'a RawValue>,
    /// Nucleus sampling, as written.
    pub top_p: Option<&'a RawValue>,
    /// Sampling among the `k` likeliest, as written.
    pub top_k: Option<&'a RawValue>,
    /// A seed for sampling, as written.
    pub seed: Option<&'a RawValue>,
    /// A penalty on tokens that have come before, as written.
    pub presence_penalty: Option<&'a RawValue>,
    /// A penalty on tokens by how often they have come before, as written.
    pub frequency_penalty: Option<&'a RawValue>,
    /// Sequences that end the reply.
    pub stop: Vec<Cow<'a, str>>,
    /// The form the reply must have.
    pub format: Option<Format<'a>>,
    /// How much the model should think first.
    pub thinking: Option<Thinking>,
    /// The end user.
    pub user: Option<Cow<'a, str>>,
    /// Whether to stream the reply.
    pub stream: bool,
    /// Whether the caller asked for usage at the end of a stream.
    pub include_usage: bool,
    /// What the superset has no place for.
    pub extra: Vec<Extra<'a>>,
}

/// Who speaks in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// The operator's instructions.
    System,
    /// The developer's instructions (OpenAI; ranks with system).
    Developer,
    /// The user, and the results of tools.
    User,
    /// The model.
    Assistant,
}

/// One turn of a conversation. Results of tools are parts of a user turn, whichever way the dialect writes them.
#[derive(Clone, Debug)]
pub struct Turn<'a> {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub parts: Vec<Part<'a>>,
}

/// A piece of a turn or of a reply.
#[derive(Clone, Debug)]
pub enum Part<'a> {
    /// Text.
    Text {
        /// The text.
        text: Cow<'a, str>,
        /// The caller marks the prompt up to here for the provider's cache.
        cache: Option<CacheMark>,
    },
    /// An image.
    Image {
        /// Where it is.
        source: Source<'a>,
        /// How closely to look (OpenAI `detail`).
        detail: Option<Cow<'a, str>>,
        /// The caller marks the prompt up to here for the provider's cache.
        cache: Option<CacheMark>,
    },
    /// A document, such as a PDF.
    Document {
        /// Where it is.
        source: Source<'a>,
        /// Its name.
        name: Option<Cow<'a, str>>,
        /// The caller marks the prompt up to here for the provider's cache.
        cache: Option<CacheMark>,
    },
    /// Sound, in base64.
    Audio {
        /// Where it is.
        source: Source<'a>,
    },
    /// Thinking of the model. A signature is proof for the provider that wrote it, and for no other.
    Thinking {
        /// The text.
        text: Cow<'a, str>,
        /// The signature.
        signature: Option<Cow<'a, str>>,
    },
    /// Thinking that the provider encrypted whole.
    RedactedThinking {
        /// The encrypted data.
        data: Cow<'a, str>,
    },
    /// A refusal in words.
    Refusal {
        /// The text.
        text: Cow<'a, str>,
    },
    /// The model calls a tool.
    ToolCall {
        /// The call's id.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// The arguments as JSON text, exactly as the model wrote them; may not even be valid JSON.
        arguments: Cow<'a, str>,
        /// Proof of the thinking behind the call, which must come back with it to the vendor that wrote it (Gemini's
        /// `thoughtSignature`).
        signature: Option<Cow<'a, str>>,
        /// The caller marks the prompt up to here for the provider's cache.
        cache: Option<CacheMark>,
    },
    /// What a tool gave back.
    ToolResult {
        /// The id of the call it answers.
        id: Cow<'a, str>,
        /// What it gave: text, images, documents.
        parts: Vec<Part<'a>>,
        /// Whether the tool failed.
        is_error: bool,
        /// The caller marks the prompt up to here for the provider's cache.
        cache: Option<CacheMark>,
    },
    /// A part of one dialect only, as written: its path and its JSON.
    Other(Extra<'a>),
}

/// How long a marked prefix should stay in the provider's cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CacheMark {
    /// Five minutes, or the provider's only lifetime.
    FiveMinutes,
    /// An hour.
    Hour,
}

/// Where an image or a document is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Source<'a> {
    /// At a URL the provider fetches.
    Url(Cow<'a, str>),
    /// Here, in base64.
    Base64 {
        /// Its media type, such as `image/png`.
        media_type: Cow<'a, str>,
        /// The data.
        data: Cow<'a, str>,
    },
    /// At the provider, under an id.
    File(Cow<'a, str>),
    /// Here, as plain text (documents only).
    Text(Cow<'a, str>),
}

/// A tool the model may call.
#[derive(Clone, Debug)]
pub struct Tool<'a> {
    /// Its name.
    pub name: Cow<'a, str>,
    /// What it does.
    pub description: Option<Cow<'a, str>>,
    /// The JSON schema of its arguments; none means no arguments.
    pub schema: Option<Cow<'a, RawValue>>,
    /// Whether the arguments must match the schema exactly.
    pub strict: Option<bool>,
    /// The caller marks the prompt up to here for the provider's cache.
    pub cache: Option<CacheMark>,
}

/// Which tools the model may or must call.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ToolChoice<'a> {
    /// None.
    None,
    /// Any or none, as it likes.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Named(Cow<'a, str>),
}

/// The form a reply must have.
#[derive(Clone, Debug)]
pub enum Format<'a> {
    /// Any JSON object.
    JsonObject,
    /// JSON that matches a schema.
    JsonSchema {
        /// The schema's name.
        name: Option<Cow<'a, str>>,
        /// What it is for.
        description: Option<Cow<'a, str>>,
        /// The schema.
        schema: Cow<'a, RawValue>,
        /// Whether the match must be exact.
        strict: Option<bool>,
    },
}

/// How much the model should think before it answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Thinking {
    /// Not at all.
    Off,
    /// By level: OpenAI's `reasoning_effort`, Anthropic's `output_config.effort`. As written: `minimal`, `low`, `high`…
    Effort(String),
    /// At most so many tokens.
    Budget(u64),
    /// As much as the model finds right (Anthropic `adaptive`).
    Adaptive,
}

/// A complete reply.
#[derive(Clone, Debug, Default)]
pub struct Reply<'a> {
    /// The provider's id of the reply.
    pub id: Option<Cow<'a, str>>,
    /// The model that answered.
    pub model: Option<Cow<'a, str>>,
    /// When it was made, in seconds since the epoch, where the dialect tells.
    pub created: Option<i64>,
    /// What it says: the first alternative. Others are in `extra`.
    pub parts: Vec<Part<'a>>,
    /// Why the model stopped.
    pub finish: Option<Finish>,
    /// The stop sequence that came, if the dialect tells.
    pub stop_sequence: Option<Cow<'a, str>>,
    /// What was metered, normalised.
    pub usage: Option<Usage>,
    /// What the superset has no place for.
    pub extra: Vec<Extra<'a>>,
}
