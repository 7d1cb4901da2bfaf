//! What every dialect can do: the trait the gateway speaks through, and what passes over it.

use std::ops::Range;
use std::sync::Arc;

use stepwell_types::{CallId, Dialect, Failure, Finish, Usage};

use crate::chat::{Chat, Reply};
use crate::framing::Framing;
use crate::stream::{StreamReader, StreamWriter};
use crate::{Error, Losses, Pipe, UpstreamError, anthropic, cohere, gemini, openai_chat, openai_responses};

/// What the gateway must know of a request before it is sent on, found by a scan of the body's top level.
/// Everything else stays bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Head {
    /// The `model` the caller wrote.
    pub model: Arc<str>,
    /// Where its JSON string stands in the body, quotes included; empty where the path says it.
    pub model_span: Range<usize>,
    /// Whether the caller asked for a stream.
    pub stream: bool,
    /// The limit on output tokens, under whichever name the dialect has for it.
    pub max_output_tokens: Option<u64>,
    /// Where the limit's value stands in the body, if it is there.
    pub max_output_tokens_span: Option<Range<usize>>,
    /// How many alternatives the caller asked for: OpenAI's `n`, else 1. Each is metered.
    pub alternatives: u32,
    /// Whether the request offers tools.
    pub has_tools: bool,
    /// The end user: OpenAI's `user` (or `safety_identifier`), Anthropic's `metadata.user_id`.
    pub user: Option<Arc<str>>,
    /// OpenAI's `metadata` where it is an object of strings: it works as tags.
    pub tags: Vec<(Arc<str>, Arc<str>)>,
    /// Whether the caller asked for usage at the end of a stream. Always true where the dialect always sends it.
    pub include_usage: bool,
    /// Where the value of `stream_options` stands, if it is there (dialects without the field: never).
    pub stream_options_span: Option<Range<usize>>,
}

/// What a request's path says, in a dialect that says it there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Asked<'a> {
    /// The model.
    pub model: Option<&'a str>,
    /// Whether to stream the reply.
    pub stream: bool,
}

/// What must change in a request that otherwise passes byte for byte (design §9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Edits<'a> {
    /// The model's name at the target.
    pub model: Option<&'a str>,
    /// Force usage at the end of a stream, in a dialect that sends it on request only.
    pub include_usage: bool,
    /// Set the limit on output tokens.
    pub max_output_tokens: Option<u64>,
}

/// How one provider's reading of a dialect differs. Data from the catalog; named flags, a test each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each flag stands for itself: any may come with any")]
pub struct Quirks {
    /// The provider knows only `max_tokens`, not `max_completion_tokens`.
    pub max_tokens_only: bool,
    /// The provider knows no `developer` role: send `system`.
    pub no_developer_role: bool,
    /// The provider refuses `stream_options`.
    pub no_stream_options: bool,
    /// The model knows thinking by a budget of tokens only (Claude before 4.6): a level of effort becomes a budget.
    pub thinking_by_budget: bool,
    /// The model wants a signature with each call of a tool that is sent back (Gemini from 3 on).
    pub signed_calls: bool,
    /// The model stands in the request's path, and in its place the body has this version of the API (Claude at Google's
    /// Vertex AI). <https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>
    pub version_in_body: Option<&'static str>,
    /// The model refuses `temperature`, `top_p` and `top_k` (Claude from Opus 4.7 on): they become losses.
    pub no_sampling: bool,
}

/// A request written in a dialect, and what was lost on the way.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// The body.
    pub body: Vec<u8>,
    /// What the dialect cannot say.
    pub losses: Losses,
}

/// What the record needs of a reply that passes byte for byte.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ReplyFacts {
    /// The provider's id of the reply.
    pub id: Option<Arc<str>>,
    /// The model that answered.
    pub model: Option<Arc<str>>,
    /// Why it stopped: the first alternative's reason.
    pub finish: Option<Finish>,
    /// What was metered, normalised.
    pub usage: Option<Usage>,
}

/// One line of a model list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listing<'a> {
    /// What a client writes as `model`.
    pub id: &'a str,
    /// Who has it: the provider's name, or `stepwell` for a route.
    pub owner: &'a str,
    /// When it was made, in seconds since the epoch; 0 where that is not known.
    pub created: i64,
}

/// One dialect. All functions are pure; those over a request's body expect one that passed
/// [`crate::json::check_depth`], those over what a provider sent expect nothing of it.
pub trait Codec: Send + Sync {
    /// Which dialect this is.
    fn dialect(&self) -> Dialect;

    /// How its streams are cut into events.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Reads what the gateway must know, and proves that the body is one JSON object.
    fn head(&self, body: &[u8], asked: &Asked<'_>) -> Result<Head, Error>;

    /// The same request with `edits` spliced in; every other byte stays as it was. With nothing to change the
    /// result equals `body`.
    fn edit_request(&self, body: &[u8], head: &Head, edits: &Edits<'_>, quirks: Quirks) -> Vec<u8>;

    /// Reads the whole request into the superset, but for what the path says.
    fn read_request<'a>(&self, body: &'a [u8]) -> Result<Chat<'a>, Error>;

    /// Writes a request for a target that speaks this dialect. Fields it cannot say are losses; an error only
    /// where no request can be made at all.
    fn write_request(&self, chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks) -> Result<Written, Error>;

    /// Reads what the record needs of a complete reply.
    fn reply_facts(&self, body: &[u8]) -> Result<ReplyFacts, Error>;

    /// Reads a complete reply into the superset.
    fn read_reply<'a>(&self, body: &'a [u8]) -> Result<Reply<'a>, Error>;

    /// Writes a complete reply.
    fn write_reply(&self, reply: &Reply<'_>) -> Written;

    /// A machine for a stream whose two sides speak this dialect. `withhold_usage`: the caller did not ask for the
    /// usage that [`Edits::include_usage`] forced.
    fn tap(&self, withhold_usage: bool) -> Box<dyn Pipe>;

    /// A machine from this dialect's stream to events.
    fn stream_reader(&self) -> Box<dyn StreamReader>;

    /// A machine from events to this dialect's stream. `include_usage`: the caller asked for usage at the end.
    /// `created`: when the reply began, in seconds since the epoch, for dialects that say so.
    fn stream_writer(&self, include_usage: bool, created: i64) -> Box<dyn StreamWriter>;

    /// Reads a provider's error answer. Never fails: a body of no known shape becomes an error by its status.
    fn read_error(&self, status: u16, body: &[u8]) -> UpstreamError;

    /// Writes an error answer. `call`: none for a request that never became a call; then its place is null.
    fn write_error(&self, failure: &Failure, call: Option<CallId>) -> Vec<u8>;

    /// Writes the event that ends a broken stream: the dialect's own error event, after which the body ends
    /// without a terminal event.
    fn write_stream_error(&self, failure: &Failure, call: CallId) -> Vec<u8>;

    /// Writes the list of models. `first` to `last` are all there are: one page.
    fn write_models(&self, models: &[Listing<'_>]) -> Vec<u8>;

    /// Writes one model of the list.
    fn write_model(&self, model: &Listing<'_>) -> Vec<u8>;

    /// Writes the answer to a count of input tokens.
    fn write_token_count(&self, input_tokens: u64) -> Vec<u8>;
}

/// The codec of a dialect.
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenaiChat => &openai_chat::OpenaiChat,
        Dialect::Anthropic => &anthropic::Anthropic,
        Dialect::Gemini => &gemini::Gemini,
        Dialect::OpenaiResponses => &openai_responses::OpenaiResponses,
        Dialect::Cohere => &cohere::Cohere,
    }
}
