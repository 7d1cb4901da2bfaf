//! Google's Gemini `generateContent` dialect, from its documentation: requests in, replies, streams and errors out.
//!
//! Requests follow <https://ai.google.dev/api/generate-content> and <https://ai.google.dev/api/caching#Content>.

pub(crate) mod address;
mod contents;
pub(crate) mod embed;
pub(crate) mod error;
mod fields;
mod parts;
pub(crate) mod reply;
pub(crate) mod request;
mod schema;
pub(crate) mod stream;
mod tools;
