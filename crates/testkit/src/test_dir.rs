//! A directory for one test, removed when the test is over.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, process};

/// A new, empty directory that lives as long as the value.
#[derive(Debug)]
pub struct TestDir(PathBuf);

impl TestDir {
    /// A directory whose name says which test it is of.
    ///
    /// # Panics
    /// When the machine has no room for temporary files.
    pub fn new(test: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stepwell-{test}-{}-{count}", process::id()));
        let made = fs::create_dir_all(&path);
        assert!(made.is_ok(), "cannot make {}: {made:?}", path.display());
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        // What is left behind is in the system's temporary directory; it is no reason to fail.
        drop(fs::remove_dir_all(&self.0));
    }
}
