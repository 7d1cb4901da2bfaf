//! `stepwell import`: another gateway's configuration as a config file, and an account of what did not come along.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;
use stepwell_config::ProcessEnvironment;
use stepwell_import::{Error, Imported, LARGEST, PortkeyOptions, Report};

use super::Failure;
use crate::cli::{ImportArgs, ImportCommand};
use crate::output;

/// What stands for standard input and standard output.
const STANDARD: &str = "-";

/// The exit code of a usage error.
const USAGE: u8 = 2;

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'r> {
    ok: bool,
    /// The file that was written; none if there was nothing to write.
    out: Option<String>,
    /// Why nothing was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    report: Option<&'r Report>,
}

pub(super) fn run(command: &ImportCommand) -> Result<ExitCode, Failure> {
    let args = match command {
        ImportCommand::Litellm(args) => args,
        ImportCommand::Portkey(args) => &args.import,
    };
    if args.json && is_standard(&args.out) {
        output::error(
            "--out - and --json both print on standard output: write to a file, or leave --json out",
        );
        return Ok(ExitCode::from(USAGE));
    }
    let (name, text) = read(&args.source)?;
    let imported = match command {
        ImportCommand::Litellm(args) => {
            // Names of included files are relative to the file, or to the working directory for standard input.
            let directory = args.source.parent().unwrap_or(Path::new(""));
            let include = |included: &str| read_file(&directory.join(included));
            stepwell_import::litellm(&name, &text, &ProcessEnvironment, &include)
        }
        ImportCommand::Portkey(args) => {
            let options = PortkeyOptions { route: args.route.clone(), model: args.model.clone() };
            stepwell_import::portkey(&name, &text, &options)
        }
    };
    match imported {
        Ok(imported) => finish(args, &imported),
        Err(error) => refuse(args, &error),
    }
}

fn is_standard(path: &Path) -> bool {
    path.as_os_str() == STANDARD
}

/// The source's name for errors, and its text.
fn read(source: &Path) -> Result<(String, String), Failure> {
    let name = if is_standard(source) { "standard input".to_owned() } else { source.display().to_string() };
    let text = if is_standard(source) { read_text(io::stdin().lock()) } else { read_file(source) };
    let text = text.map_err(|error| Failure(format!("cannot read {name}: {error}")))?;
    Ok((name, text))
}

fn read_file(path: &Path) -> io::Result<String> {
    read_text(File::open(path)?)
}

fn read_text(source: impl Read) -> io::Result<String> {
    // One byte more than is taken, so that the reader sees that there is more.
    let limit = u64::try_from(LARGEST).unwrap_or(u64::MAX).saturating_add(1);
    let mut text = String::new();
    source.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

/// Writes the file and says what is in it.
fn finish(args: &ImportArgs, imported: &Imported) -> Result<ExitCode, Failure> {
    let out = args.out.display().to_string();
    if is_standard(&args.out) {
        output::result(imported.toml.trim_end());
    } else {
        save(&args.out, &imported.toml, args.force)?;
    }
    if args.json {
        print(&Shown { ok: true, out: Some(out), error: None, report: Some(&imported.report) })?;
        return Ok(ExitCode::SUCCESS);
    }
    output::note(&imported.report);
    if !is_standard(&args.out) {
        output::note(format_args!(
            "\nwritten to {out}; with its variables set, `stepwell --config {out}` serves it"
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// Says why nothing was written.
fn refuse(args: &ImportArgs, error: &Error) -> Result<ExitCode, Failure> {
    if args.json {
        let report = error.report.as_deref();
        print(&Shown { ok: false, out: None, error: Some(error.to_string()), report })?;
        return Ok(ExitCode::FAILURE);
    }
    if let Some(report) = &error.report {
        output::note(report);
    }
    Err(Failure(error.to_string()))
}

fn print(shown: &Shown<'_>) -> Result<(), Failure> {
    output::result(serde_json::to_string_pretty(shown).map_err(Failure::new)?);
    Ok(())
}

/// Writes `text` to `path`; over what is there only if `force` says so.
fn save(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let path = path.display();
        Failure(match error.kind() {
            io::ErrorKind::AlreadyExists => {
                format!("{path} is there already: --force writes over it, --out FILE writes elsewhere")
            }
            _ => format!("cannot write {path}: {error}"),
        })
    })
}
