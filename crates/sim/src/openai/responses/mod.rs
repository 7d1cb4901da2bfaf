//! OpenAI's responses dialect, from its documentation: requests in, replies and streams out.
//!
//! Nothing is kept between calls: what names an earlier response, a conversation or a file is not found, as OpenAI
//! tells it. <https://platform.openai.com/docs/api-reference/responses>

mod format;
mod input;
mod items;
mod parts;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod settings;
pub(crate) mod stream;
mod tools;
