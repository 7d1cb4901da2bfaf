//! Another gateway's configuration to a `stepwell.toml`, and an account of what did not come along.
//!
//! Each source is read into one [`draft`], and one writer makes the text from it. What a source says is carried, or named
//! in the [`Report`] by its path; a text is given out only once the config's own loader has read it. A literal secret is
//! never in the text, in the report or in an error: it becomes a reference to a variable that the report names.
//!
//! It does no I/O: it is given text, and by its caller the means to read variables and included files.

mod advice;
mod decimal;
mod draft;
mod error;
mod fields;
mod finish;
mod json;
mod litellm;
mod portkey;
mod report;
mod tree;
mod url;
mod values;
mod vendors;
mod write;
mod yaml;

use std::io;

use stepwell_config::Environment;

pub use error::Error;
pub use report::{Item, Report, Variable};

/// The largest text that is read, in bytes.
pub const LARGEST: usize = 4 << 20;

/// A configuration made from another gateway's.
#[derive(Debug)]
pub struct Imported {
    /// The text of a `stepwell.toml` that loads once its variables are set.
    pub toml: String,
    /// What is in it and what is not.
    pub report: Report,
}

/// What Portkey leaves to each request and a route has to say.
#[derive(Clone, Debug)]
pub struct PortkeyOptions {
    /// The name of the route: what clients are to send as `model`.
    pub route: String,
    /// The model of targets that name none.
    pub model: Option<String>,
}

/// Gives the text of a file by the name that another file includes it by.
pub type Include<'i> = &'i dyn Fn(&str) -> io::Result<String>;

/// Reads LiteLLM's proxy configuration, <https://docs.litellm.ai/docs/proxy/configs>. `file` names it in errors.
/// Values that are no secrets and stand as `os.environ/NAME` are taken from `environment` where they are set there, files
/// that it includes from `include`.
///
/// # Errors
/// If the text or one that it includes is not YAML within its bounds, is not such a configuration, or if they hold nothing
/// that can be carried over.
pub fn litellm(
    file: &str,
    text: &str,
    environment: &dyn Environment,
    include: Include<'_>,
) -> Result<Imported, Error> {
    let mut root = yaml::read(text).map_err(|error| error.in_file(file))?;
    litellm::include(&mut root, include).map_err(|error| error.in_file(file))?;
    let draft = litellm::read(&root, environment).map_err(|error| error.in_file(file))?;
    finish::finish(draft).map_err(|error| error.in_file(file))
}

/// Reads a config of Portkey's gateway, <https://portkey.ai/docs/api-reference/inference-api/config-object>. `file` names
/// it in errors.
///
/// # Errors
/// If the text is not JSON within its bounds, is not such a config, or holds nothing that can be carried over.
pub fn portkey(file: &str, text: &str, options: &PortkeyOptions) -> Result<Imported, Error> {
    let root = json::read(text).map_err(|error| error.in_file(file))?;
    let draft = portkey::read(&root, options).map_err(|error| error.in_file(file))?;
    finish::finish(draft).map_err(|error| error.in_file(file))
}
