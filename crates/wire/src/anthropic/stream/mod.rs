//! Streams between this dialect and events. Both directions are machines that never look back.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>

mod reader;
mod writer;

pub(super) use reader::{Envelope, Reader};
pub(super) use writer::{Writer, frame};
