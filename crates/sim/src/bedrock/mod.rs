//! Amazon Bedrock's Converse dialect, from its documentation: requests in, replies, streams and errors out.
//!
//! Requests follow <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html> and the service model
//! of AWS's SDKs.

pub(crate) mod address;
mod blocks;
pub(crate) mod error;
mod frame;
mod messages;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod stream;
mod tools;
