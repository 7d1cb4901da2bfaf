//! A reply as a stream of events, between dialects.

use std::borrow::Cow;

use stepwell_types::{Finish, Usage};

use crate::framing::Frame;
use crate::{Fault, Losses, UpstreamError};

/// One step of a streamed reply. Blocks are numbered from 0 in the order they begin; text, thinking and each tool call
/// are blocks of their own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event<'a> {
    /// The reply begins.
    Start {
        /// The provider's id of the reply.
        id: Option<Cow<'a, str>>,
        /// The model that answers.
        model: Option<Cow<'a, str>>,
        /// What the provider has metered so far.
        usage: Option<Usage>,
    },
    /// More text of a block.
    Text {
        /// The block.
        block: u32,
        /// The text.
        text: Cow<'a, str>,
    },
    /// More thinking of a block.
    Thinking {
        /// The block.
        block: u32,
        /// The text.
        text: Cow<'a, str>,
    },
    /// The signature of a thinking block, to be sent back unmodified.
    Signature {
        /// The block.
        block: u32,
        /// The signature.
        signature: Cow<'a, str>,
    },
    /// A thinking block the provider encrypted whole.
    RedactedThinking {
        /// The block.
        block: u32,
        /// The encrypted data.
        data: Cow<'a, str>,
    },
    /// More of a refusal in words.
    Refusal {
        /// The block.
        block: u32,
        /// The text.
        text: Cow<'a, str>,
    },
    /// A tool call begins. Its arguments follow as fragments; none at all means `{}`.
    ToolCall {
        /// The block.
        block: u32,
        /// The call's id.
        id: Cow<'a, str>,
        /// The tool's name.
        name: Cow<'a, str>,
        /// Proof of the thinking behind the call, for the vendor that wrote it.
        signature: Option<Cow<'a, str>>,
    },
    /// More of a tool call's JSON arguments.
    ToolArguments {
        /// The block.
        block: u32,
        /// The fragment.
        fragment: Cow<'a, str>,
    },
    /// A block is complete.
    BlockEnd {
        /// The block.
        block: u32,
    },
    /// What the provider has metered, cumulative and normalised: it replaces what came before.
    Usage(Usage),
    /// Why the model stopped.
    Finish {
        /// The reason.
        reason: Finish,
        /// The stop sequence that came, if the dialect tells.
        stop_sequence: Option<Cow<'a, str>>,
    },
    /// The provider failed inside its stream.
    Error(UpstreamError),
    /// Keeps the connection alive.
    Ping,
    /// The reply is complete.
    End,
}

/// From a dialect's frames to events.
pub trait StreamReader: Send {
    /// Takes one frame and gives the events in it, in order.
    fn push(&mut self, frame: &Frame<'_>, events: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault>;

    /// Takes the end of the bytes. Only a dialect without a terminal event has events left to give then.
    fn end(&mut self, _events: &mut dyn FnMut(Event<'_>)) {}

    /// Takes the losses noted since the last call: what stood in frames and no event can say.
    fn take_losses(&mut self) -> Losses {
        Losses::default()
    }
}

/// From events to a dialect's frames.
pub trait StreamWriter: Send {
    /// Takes one event and appends the frames that it makes. [`Event::Error`] makes none: the gateway writes errors.
    fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>);

    /// How many bytes it holds back, in a dialect whose frames are larger than the events: more than
    /// [`EVENT_LIMIT`](crate::framing::EVENT_LIMIT) break the stream.
    fn held(&self) -> usize {
        0
    }

    /// Takes the losses noted since the last call.
    fn take_losses(&mut self) -> Losses;
}
