//! What an import promises, tried from outside: what is carried, what is named, and that no secret gets out.

#[cfg(test)]
mod litellm;
#[cfg(test)]
mod page;
#[cfg(test)]
mod portkey;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod secrets;

use std::io;

use stepwell_config::FixedEnvironment;
use stepwell_import::{Error, Imported, PortkeyOptions};

/// An environment with nothing in it.
fn empty() -> FixedEnvironment {
    FixedEnvironment::new()
}

/// Files, of which there are none.
fn no_files(_: &str) -> io::Result<String> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

/// Imports a LiteLLM configuration.
fn litellm(text: &str) -> Result<Imported, Error> {
    stepwell_import::litellm("config.yaml", text, &empty(), &no_files)
}

/// Imports a Portkey config as the route `chat`.
fn portkey(text: &str) -> Result<Imported, Error> {
    let options = PortkeyOptions { route: "chat".to_owned(), model: None };
    stepwell_import::portkey("config.json", text, &options)
}

/// The text and the report, as a snapshot holds them.
fn shown(imported: &Imported) -> String {
    format!("{}\n======== report\n{}\n", imported.toml, imported.report)
}
