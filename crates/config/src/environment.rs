//! The process's environment and files, behind a trait so that tests bring their own.
//!
//! This is the only place in Stepwell that reads an environment variable. It never writes one.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that is read from a file a secret refers to, in bytes.
const SECRET_FILE_LIMIT: u64 = 64 * 1024;

/// Where secrets and provider keys are looked up.
pub trait Environment {
    /// The variable's value; none if it is unset or not Unicode.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of the file at `path`.
    ///
    /// # Errors
    /// If the file cannot be read, is not UTF-8 or is larger than a secret can be.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The environment this process runs in.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        let read = std::fs::File::open(path)?.take(SECRET_FILE_LIMIT + 1).read_to_string(&mut text)?;
        if read as u64 > SECRET_FILE_LIMIT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 64 KiB"));
        }
        Ok(text)
    }
}

/// An environment that holds what it was given and nothing else: for tests.
#[derive(Clone, Default)]
pub struct FixedEnvironment {
    vars: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, String>,
}

impl FixedEnvironment {
    /// An empty environment.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a variable.
    #[must_use]
    pub fn with_var(mut self, name: &str, value: &str) -> Self {
        self.vars.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a file at `path`.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>, text: &str) -> Self {
        self.files.insert(path.into(), text.to_owned());
        self
    }
}

impl Environment for FixedEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.vars.get(name).cloned()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.get(path).cloned().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_larger_than_a_secret_can_be_is_refused() {
        let path = std::env::temp_dir().join(format!("stepwell-config-{}-large", std::process::id()));
        std::fs::write(&path, vec![b'a'; 64 * 1024 + 1]).unwrap();
        let refused = ProcessEnvironment.read(&path).unwrap_err();
        std::fs::write(&path, vec![b'a'; 64 * 1024]).unwrap();
        let accepted = ProcessEnvironment.read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(accepted.len(), 64 * 1024);
    }
}
