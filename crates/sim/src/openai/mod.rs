//! OpenAI's chat completions dialect, from its documentation: requests in, replies, streams and errors out; and beside
//! it, in a folder of its own, its responses dialect, which has the same keys, errors and schemas.

pub(crate) mod embed;
pub(crate) mod error;
mod messages;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod responses;
pub(crate) mod stream;
mod tools;
