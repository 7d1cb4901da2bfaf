//! Streams: frames to events, and events to frames. A stream has no event that ends it: it is complete if it ends after
//! a reason to stop.

mod reader;
mod writer;

pub(super) use reader::{Reader, problem};
pub(super) use writer::{Writer, frame};
