//! The binary: command line, listeners and wiring.
//!
//! It is the only place that chooses implementations.

mod cli;
mod commands;
mod output;
mod price_book;
mod serve;

use std::process::ExitCode;

use clap::Parser;

/// Made for many small, short-lived objects on several threads, which is what calls are.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(code) => code,
        Err(failure) => {
            output::error(&failure);
            ExitCode::FAILURE
        }
    }
}
