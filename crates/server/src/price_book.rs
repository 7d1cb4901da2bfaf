//! The price data in force: that of the binary, unless a file in the data directory was installed over it.
//!
//! A file that cannot be used never stops a start: the embedded data is in force, and what is wrong is said.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stepwell_catalog::{Installed, PriceBook};

use crate::commands::Failure;

/// The file's name in the data directory.
const FILE: &str = "prices.json";

/// Where the file is, if it is there.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join(FILE)
}

/// The book in force, and why the installed file is not, if so.
pub(crate) fn in_force(data_dir: &Path) -> Result<(Arc<PriceBook>, Option<String>), Failure> {
    let path = path(data_dir);
    let opened = match read(&path, Installed::MAX_BYTES) {
        Ok(text) => Installed::open(&text).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok((Arc::new(PriceBook::embedded().map_err(Failure::new)?), None));
        }
        Err(error) => Err(error.to_string()),
    };
    match opened {
        Ok(book) => Ok((Arc::new(book), None)),
        Err(problem) => {
            let problem = format!(
                "{} is not used, the binary's own prices are in force: {problem}; install it again or remove it",
                path.display()
            );
            Ok((Arc::new(PriceBook::embedded().map_err(Failure::new)?), Some(problem)))
        }
    }
}

/// The text of a plain file of at most so many bytes.
pub(crate) fn read(path: &Path, most: usize) -> io::Result<String> {
    let refused = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    // A pipe or a device could keep its reader waiting.
    if !fs::metadata(path)?.is_file() {
        return Err(refused("it is not a plain file".to_owned()));
    }
    let mut text = String::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    File::open(path)?.take(limit).read_to_string(&mut text)?;
    if text.len() > most { Err(refused(format!("it has more than {most} bytes"))) } else { Ok(text) }
}

/// Puts the file in its place, whole or not at all.
pub(crate) fn install(data_dir: &Path, text: &str) -> io::Result<PathBuf> {
    create_private(data_dir)?;
    let path = path(data_dir);
    let draft = data_dir.join(format!("{FILE}.{}.new", std::process::id()));
    let written = write_synced(&draft, text).and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        // What remains of a draft is of no use; that it is gone already is as well.
        drop(fs::remove_file(&draft));
    }
    written.and_then(|()| sync_dir(data_dir)).map(|()| path)
}

/// Takes the file away, if there is one.
pub(crate) fn remove(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(path(data_dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.and_then(|()| sync_dir(data_dir)),
    }
}

fn write_synced(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes what was renamed or removed in a directory outlive a power cut.
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Creates the data directory, for this user only, unless it exists: as a server does that starts on it.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
