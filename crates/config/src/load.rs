//! Text to [`Settings`], or to everything that is wrong with it; and the settings there are without any text.

use std::path::Path;

use toml::de::DeTable;

use crate::environment::Environment;
use crate::problem::{Problem, Severity};
use crate::report::Report;
use crate::sections::{self, Resolver};
use crate::settings::Settings;
use crate::tree;

/// The largest configuration, in bytes.
const LARGEST: usize = 1_000_000;

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What it says.
    pub settings: Settings,
    /// What is worth knowing about it.
    pub warnings: Vec<Problem>,
}

/// Reads a configuration. `path` is where `text` came from: it names the file in problems, and relative paths in
/// the text are relative to its directory.
///
/// # Errors
/// Every mistake in it at once, in the order of the text.
pub fn load(path: &Path, text: &str, environment: &dyn Environment) -> Result<Loaded, Vec<Problem>> {
    let file = path.display().to_string();
    if text.len() > LARGEST {
        let mut report = Report::new(&file, "");
        report
            .error(
                "too_large",
                0..0,
                format!("this file has {} bytes, at most {LARGEST} are read", text.len()),
            )
            .hint("is it the right file?");
        return Err(report.finish(&DeTable::new()));
    }
    let (table, syntax) = DeTable::parse_recoverable(text);
    let resolver = Resolver { environment, directory: path.parent().unwrap_or(Path::new("")) };
    let mut report = Report::new(&file, text);
    if let Some(span) = tree::too_deep(table.get_ref()) {
        report.error("too_deep", span, "nothing in a configuration nests as deep as this");
        tree::dismantle(table.into_inner());
        return Err(report.finish_unparsed(syntax));
    }
    let settings = sections::read(table.get_ref(), &resolver, &mut report);
    if !syntax.is_empty() {
        return Err(report.finish_unparsed(syntax));
    }
    let problems = report.finish(table.get_ref());
    if problems.iter().any(|problem| problem.severity == Severity::Error) {
        return Err(problems);
    }
    Ok(Loaded { settings: Settings { revision: revision(text), ..settings }, warnings: problems })
}

/// The settings of a start without a file: every provider whose usual key is in the environment, the simulator as
/// provider `sim`, and the defaults. No other variable is read: whoever wants another address writes a file.
pub fn detect(environment: &dyn Environment) -> Settings {
    Settings { providers: sections::detected(environment), ..Settings::default() }
}

/// Sixteen hex digits that change when the text does: 64-bit FNV-1a. It tells configurations apart, and is no proof
/// of anything.
fn revision(text: &str) -> String {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_is_fnv_1a() {
        // Vectors of draft-eastlake-fnv-31 §C.
        assert_eq!(revision(""), "cbf29ce484222325");
        assert_eq!(revision("a"), "af63dc4c8601ec8c");
        assert_eq!(revision("foobar"), "85944171f73967e8");
    }
}
