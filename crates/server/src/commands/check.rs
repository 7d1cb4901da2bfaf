//! `stepwell check`: every mistake in a config file at once.

use std::process::ExitCode;

use serde_json::json;

use super::{Failure, Source, report};
use crate::cli::CheckArgs;
use crate::output;

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let source = Source::find(&args.config);
    let text = source.text()?;
    let loaded = source.load(&text);
    let (problems, is_good) = match &loaded {
        Ok(loaded) => (&loaded.warnings, true),
        Err(problems) => (problems, false),
    };
    if args.json {
        let body = json!({ "ok": is_good, "problems": problems });
        output::result(serde_json::to_string_pretty(&body).map_err(Failure::new)?);
    } else {
        match &loaded {
            Ok(loaded) => output::result(summary(&source, loaded)),
            Err(problems) => output::error(report(problems)),
        }
    }
    Ok(if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn summary(source: &Source, loaded: &stepwell_config::Loaded) -> String {
    let name = match source {
        Source::File(path) => path.display().to_string(),
        Source::Detected => "no config file: the environment".to_owned(),
    };
    let mut lines: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let settings = &loaded.settings;
    lines.push(format!("{name}: ok"));
    lines.push(format!("providers: {}", list(settings.providers.keys().map(|name| &**name).collect())));
    lines.push(format!("routes: {}", list(settings.routes.keys().map(|name| &**name).collect())));
    lines.join("\n")
}
