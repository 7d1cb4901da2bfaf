//! A request of any dialect, once it is known to be valid: what generating a reply needs, and nothing else.

use std::borrow::Cow;

use crate::json::Json;
use crate::text::{Mix, input_tokens};

/// A valid request.
pub(crate) struct Ask<'j, 'a> {
    /// Which model, by its place in the options.
    pub(crate) model: u16,
    /// Whether a stream is asked for.
    pub(crate) stream: bool,
    /// The most output tokens, if the request sets a limit.
    pub(crate) limit: Option<u32>,
    /// Texts that end the reply.
    pub(crate) stops: Vec<&'j str>,
    /// Tools that may be called.
    pub(crate) tools: Vec<Tool<'j, 'a>>,
    /// Whether they must be.
    pub(crate) choice: Choice<'j>,
    /// Whether more than one may be.
    pub(crate) parallel: bool,
    /// What the text must be.
    pub(crate) format: Format<'j, 'a>,
    /// How much is thought before.
    pub(crate) thinking: Thinking,
    /// The prompt.
    pub(crate) prompt: Prompt<'j>,
}

/// A tool that may be called.
#[derive(Clone, Copy)]
pub(crate) struct Tool<'j, 'a> {
    /// Its name.
    pub(crate) name: &'j str,
    /// The schema of its arguments, if it takes any.
    pub(crate) schema: Option<&'j Json<'a>>,
}

/// Whether tools must be called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice<'j> {
    /// Those that the last user text names.
    Auto,
    /// None.
    Never,
    /// Those that the last user text names, else the first.
    Any,
    /// This one.
    Named(&'j str),
}

/// What the text of a reply must be.
#[derive(Clone, Copy)]
pub(crate) enum Format<'j, 'a> {
    /// Any text.
    Text,
    /// Some JSON object.
    JsonObject,
    /// A JSON document of this schema.
    Schema(&'j Json<'a>),
}

/// How much is thought before a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Thinking {
    /// Nothing.
    Off,
    /// So many tokens that are only counted, as OpenAI's chat completions do, and Gemini without `includeThoughts`.
    Counted(u32),
    /// So many tokens that are shown, as Anthropic does, and Gemini and OpenAI's responses if asked; or only signed.
    Shown {
        /// How many.
        tokens: u32,
        /// Whether the text is left out and at most its signature sent.
        omitted: bool,
    },
}

/// How long a cached prefix lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lifetime {
    /// Five minutes.
    FiveMinutes,
    /// An hour.
    Hour,
}

/// The end of a prompt prefix that may be cached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Boundary {
    /// The hash of the prefix.
    pub(crate) hash: u64,
    /// Its input tokens.
    pub(crate) tokens: u32,
    /// How long it is to be cached.
    pub(crate) lifetime: Lifetime,
}

/// Everything a model reads, hashed and counted as it is walked.
pub(crate) struct Prompt<'j> {
    mix: Mix,
    tokens: u32,
    /// Where prefixes that may be cached end, in order.
    pub(crate) boundaries: Vec<Boundary>,
    /// Images in it.
    pub(crate) images: usize,
    /// The text of the last message, if a user wrote it.
    pub(crate) last_user_text: Cow<'j, str>,
    /// The results of tools that end the conversation.
    pub(crate) results: Vec<Cow<'j, str>>,
}

/// Input tokens of the frame around each message.
const MESSAGE_TOKENS: u32 = 4;
/// Input tokens of an image, whatever its size.
const IMAGE_TOKENS: u32 = 85;

impl<'j> Prompt<'j> {
    /// An empty prompt for the model of this name.
    pub(crate) fn new(model: &str) -> Self {
        let mut mix = Mix::new();
        mix.bytes(model.as_bytes());
        Self {
            mix,
            tokens: 0,
            boundaries: Vec::new(),
            images: 0,
            last_user_text: Cow::Borrowed(""),
            results: Vec::new(),
        }
    }

    /// A message begins.
    pub(crate) fn message(&mut self, role: &str) {
        self.mix.bytes(role.as_bytes());
        self.tokens = self.tokens.saturating_add(MESSAGE_TOKENS);
        self.last_user_text = Cow::Borrowed("");
        if role == "assistant" {
            self.results.clear();
        }
    }

    /// Text of the message.
    pub(crate) fn text(&mut self, text: &str) {
        self.mix.bytes(text.as_bytes());
        self.tokens = self.tokens.saturating_add(input_tokens(text));
    }

    /// Text that a user wrote.
    pub(crate) fn user_text(&mut self, text: &'j str) {
        self.text(text);
        self.heard(text);
    }

    /// Text that a user wrote and that is counted already.
    pub(crate) fn heard(&mut self, text: &'j str) {
        if self.last_user_text.is_empty() {
            self.last_user_text = Cow::Borrowed(text);
        } else {
            let joined = self.last_user_text.to_mut();
            joined.push('\n');
            joined.push_str(text);
        }
    }

    /// An image, named by where or what it is.
    pub(crate) fn image(&mut self, source: &str) {
        self.mix.bytes(source.as_bytes());
        self.tokens = self.tokens.saturating_add(IMAGE_TOKENS);
        self.images += 1;
    }

    /// A tool's definition, or anything else that is JSON.
    pub(crate) fn json(&mut self, json: &Json<'_>) {
        self.text(&json.text());
    }

    /// A prefix ends here that may be cached.
    pub(crate) fn boundary(&mut self, lifetime: Lifetime) {
        self.boundaries.push(Boundary { hash: self.mix.value(), tokens: self.tokens, lifetime });
    }

    /// Its input tokens.
    pub(crate) fn tokens(&self) -> u32 {
        self.tokens
    }

    /// What a reply to it follows from.
    pub(crate) fn seed(&self) -> u64 {
        self.mix.value()
    }
}
