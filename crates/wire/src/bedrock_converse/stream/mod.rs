//! Streams: frames to events, and events to frames. A stream ends with `metadata`, which has the usage and comes behind the
//! reason to stop: one that ends before is cut, since what it cost is not known.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html>

mod reader;
mod writer;

pub(super) use reader::Reader;
pub(super) use writer::{Writer, exception};
