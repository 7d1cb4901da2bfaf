//! Prints `docs/metrics.md` from the table of metrics:
//! `cargo run -p stepwell-telemetry --example metrics_page > docs/metrics.md`.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(stepwell_telemetry::metrics_reference().as_bytes())
}
