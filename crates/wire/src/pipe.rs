//! A stream on its way through: bytes in, bytes out, and what was learned from them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use stepwell_types::{Finish, Usage};

use crate::framing::{EVENT_LIMIT, Splitter};
use crate::stream::{Event, StreamReader, StreamWriter};
use crate::{Codec, Losses, UpstreamError};

/// What a stream has shown so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Facts {
    /// Content, a tool call, thinking, a refusal or the terminal event has passed: the reply is committed.
    pub committed: bool,
    /// The dialect's terminal event has passed: the reply is complete. Without it an end is a cut.
    pub terminal: bool,
    /// The provider's error event, if one came. It is not passed on: what the client gets is the gateway's choice.
    pub error: Option<UpstreamError>,
    /// The provider's id of the reply.
    pub id: Option<Arc<str>>,
    /// The model that answered.
    pub model: Option<Arc<str>>,
    /// Why it stopped.
    pub finish: Option<Finish>,
    /// The provider's usage. Final once `terminal`; before that what it has said so far.
    pub usage: Option<Usage>,
    /// Bytes that arrived.
    pub bytes: u64,
    /// About how many events with content have passed: our own count of output tokens for a reply that ends before the
    /// provider has said. A tap counts lines, not contents, so it may be a few too many, never too few.
    pub events: u64,
    /// What a translation has lost.
    pub losses: Losses,
}

/// A stream that broke its dialect.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// An event that is not what the dialect allows; says which.
    #[error("{0}")]
    Invalid(String),
    /// An event longer than [`EVENT_LIMIT`].
    #[error("an event of the stream is longer than the limit")]
    TooLarge,
}

/// A stream from a provider to a client, in one dialect or from one to another.
///
/// Only whole events come out. After a fault, an error or the terminal event nothing more comes out.
pub trait Pipe: Send {
    /// Takes the bytes that arrived and appends to `out` those that may go to the client. Events before a fault or an
    /// error in the same bytes do come out.
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault>;

    /// Takes the end of the bytes. A dialect without a terminal event is complete here or never, and never if the bytes end
    /// within an event; what was held for that moment comes out.
    fn end(&mut self, out: &mut Vec<Bytes>);

    /// What is known so far.
    fn facts(&self) -> &Facts;
}

/// What a client is told where the provider's dialect does not say it: Ollama's replies have no id, and Cohere's name no model.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Defaults {
    /// The reply's id.
    pub id: Option<Arc<str>>,
    /// The model that answers.
    pub model: Option<Arc<str>>,
}

/// A pipe from one dialect to the one that `writer` writes.
pub fn translate(from: &dyn Codec, writer: Box<dyn StreamWriter>) -> Box<dyn Pipe> {
    translate_with(from, writer, Defaults::default())
}

/// The same with defaults, which are for the client only: what is learned of the stream is without them.
pub fn translate_with(from: &dyn Codec, writer: Box<dyn StreamWriter>, defaults: Defaults) -> Box<dyn Pipe> {
    let (splitter, reader, facts) = (Splitter::new(from.framing()), from.stream_reader(), Facts::default());
    Box::new(Translation { defaults, splitter, reader, writer, facts, broken: false })
}

struct Translation {
    defaults: Defaults,
    splitter: Splitter,
    reader: Box<dyn StreamReader>,
    writer: Box<dyn StreamWriter>,
    facts: Facts,
    broken: bool,
}

impl Pipe for Translation {
    fn push(&mut self, bytes: Bytes, out: &mut Vec<Bytes>) -> Result<(), Fault> {
        let Self { defaults, splitter, reader, writer, facts, broken } = self;
        facts.bytes += bytes.len() as u64;
        if *broken || facts.terminal || facts.error.is_some() {
            return Ok(());
        }
        let mut written = Vec::with_capacity(bytes.len() + bytes.len() / 2);
        let result = splitter.push(&bytes, &mut |event| {
            if facts.terminal || facts.error.is_some() {
                return Ok(());
            }
            reader.push(&event, &mut |event| {
                facts.learn(&event);
                writer.push(&defaults.fill(event), &mut written);
            })?;
            if writer.held() > EVENT_LIMIT { Err(Fault::TooLarge) } else { Ok(()) }
        });
        // What stands behind the end is nobody's business, not even to be found wrong.
        let result = if facts.terminal || facts.error.is_some() { Ok(()) } else { result };
        *broken = result.is_err();
        facts.losses.absorb(reader.take_losses());
        facts.losses.absorb(writer.take_losses());
        if !written.is_empty() {
            out.push(Bytes::from(written));
        }
        result
    }

    fn end(&mut self, out: &mut Vec<Bytes>) {
        let Self { defaults: _, splitter, reader, writer, facts, broken } = self;
        if *broken || facts.terminal || facts.error.is_some() || splitter.is_within() {
            return;
        }
        let mut written = Vec::new();
        reader.end(&mut |event| {
            facts.learn(&event);
            writer.push(&event, &mut written);
        });
        facts.losses.absorb(writer.take_losses());
        if !written.is_empty() {
            out.push(Bytes::from(written));
        }
    }

    fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Defaults {
    /// The event, with what it does not say where it begins a reply.
    fn fill<'e>(&'e self, event: Event<'e>) -> Event<'e> {
        match event {
            Event::Start { id, model, usage } => Event::Start {
                id: id.or(self.id.as_deref().map(Cow::Borrowed)),
                model: model.or(self.model.as_deref().map(Cow::Borrowed)),
                usage,
            },
            event => event,
        }
    }
}

impl Facts {
    /// Notes what an event shows.
    pub fn learn(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, model, usage } => {
                self.id = id.as_deref().map(Arc::from);
                self.model = model.as_deref().map(Arc::from);
                self.usage = usage.or(self.usage);
            }
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::Finish { reason, .. } => {
                self.finish = Some(*reason);
                self.committed = true;
            }
            Event::End => {
                self.terminal = true;
                self.committed = true;
            }
            Event::Error(error) => self.error = Some(error.clone()),
            Event::Ping | Event::BlockEnd { .. } => {}
            Event::Text { .. }
            | Event::Thinking { .. }
            | Event::Signature { .. }
            | Event::RedactedThinking { .. }
            | Event::Refusal { .. }
            | Event::ToolCall { .. }
            | Event::ToolArguments { .. } => {
                self.committed = true;
                self.events += 1;
            }
        }
    }
}
