//! Cohere's chat dialect (v2), from its documentation: requests in, replies, streams and errors out.

pub(crate) mod error;
mod messages;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod stream;
mod tools;
