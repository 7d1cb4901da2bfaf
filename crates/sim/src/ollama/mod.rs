//! Ollama's own chat dialect, from its documentation: requests in, replies, streams and errors out.
//!
//! Follows <https://docs.ollama.com/api/chat> and the types of Ollama's server (`api/types.go`). Stricter than that server in
//! one thing: it skips fields and options that it does not know, here they are refused, so that a mistake shows.

pub(crate) mod error;
mod messages;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod stream;
