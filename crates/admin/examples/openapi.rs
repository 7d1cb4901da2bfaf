//! Prints `docs/openapi.json`: `cargo run -p stepwell-admin --example openapi > docs/openapi.json`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(stepwell_admin::openapi_json()?.as_bytes())
}
