//! `stepwell schema`: the JSON schema of the config file, for editors.

use std::process::ExitCode;

use super::Failure;
use crate::output;

pub(super) fn run() -> Result<ExitCode, Failure> {
    let schema = serde_json::to_string_pretty(&stepwell_config::schema()).map_err(Failure::new)?;
    output::result(schema);
    Ok(ExitCode::SUCCESS)
}
