//! Dialects: bytes to typed calls and back, as pure push machines.
//!
//! It never does I/O, never reads a clock, and never knows a provider, a route or a price.
//!
//! Every dialect is a folder of the same shape (`mod, request, reply, stream, tap, error`) behind one trait,
//! [`Codec`]. N dialects read into and write from one superset ([`chat::Chat`], [`chat::Reply`],
//! [`stream::Event`]); a call whose two sides speak the same dialect never enters it: its bytes are scanned and, where
//! they must be, spliced.
//!
//! Vectors have a room of their own, [`embeddings`], built alike: a superset, and a codec for each of its forms.

mod anthropic;
mod bedrock_converse;
mod codec;
mod cohere;
mod error;
mod gemini;
mod losses;
mod ollama;
mod openai;
mod openai_chat;
mod openai_responses;
mod pipe;
mod tap;

pub mod chat;
pub mod embeddings;
pub mod framing;
pub mod json;
pub mod stream;

pub use codec::{Asked, Codec, Edits, Head, Listing, Quirks, ReplyFacts, Written, codec};
pub use error::{Error, UpstreamError};
pub use losses::Losses;
pub use pipe::{Defaults, Facts, Fault, Pipe, translate, translate_with};
