//! Anthropic's messages dialect, from its documentation: requests in, replies, streams and errors out.

mod blocks;
pub(crate) mod error;
mod messages;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod signature;
pub(crate) mod stream;
mod tools;
