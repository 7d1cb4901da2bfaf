//! The token that writes of the management API carry: `admin-token` in the data directory, mode 0600.
//!
//! Whoever can read that file may change the running process; nobody else, however they reach the port.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use stepwell_config::Secret;
use subtle::ConstantTimeEq as _;

/// The file's name in the data directory.
const FILE: &str = "admin-token";
/// Random bytes of a token; it is written in hex.
const RANDOM_BYTES: usize = 32;
/// The fewest characters that are taken for a token.
const LEAST_CHARS: usize = 32;

/// The token. It is never printed.
#[derive(Clone, Debug)]
pub struct AdminToken(Secret);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be made or read.
    #[error("cannot use {path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read the file.
    #[error("{path} can be read by other users: run chmod 600 on it, or delete it for a new one", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file is too short to be a token.
    #[error("{path} does not hold a token: delete it for a new one", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system has no random bytes to give.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
}

impl AdminToken {
    /// A token of this text.
    pub fn new(token: impl Into<String>) -> Self {
        Self(Secret::new(token))
    }

    /// Reads the token of a data directory, making one if there is none.
    ///
    /// # Errors
    /// When the file cannot be used, is readable by others, or holds no token.
    pub fn open(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(FILE);
        match Self::create(&path) {
            Err(TokenError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(data_dir)
            }
            made => made,
        }
    }

    /// Reads the token of a data directory, as a command does that talks to a running server.
    ///
    /// # Errors
    /// As [`Self::open`], and when there is no token.
    pub fn read(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(FILE);
        let failed = |source| TokenError::Io { path: path.clone(), source };
        let text = fs::read_to_string(&path).map_err(failed)?;
        if exposed(&path).map_err(failed)? {
            return Err(TokenError::Exposed { path });
        }
        let token = text.trim();
        if token.len() < LEAST_CHARS || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Malformed { path });
        }
        Ok(Self::new(token))
    }

    /// Makes the file whole or not at all: a process that dies in between leaves no half of a token behind.
    fn create(path: &Path) -> Result<Self, TokenError> {
        let failed = |source| TokenError::Io { path: path.to_owned(), source };
        let mut random = [0; RANDOM_BYTES];
        getrandom::fill(&mut random).map_err(TokenError::Random)?;
        let token = hex(&random);
        let draft = path.with_extension("new");
        let written = write_private(&draft, &token).and_then(|()| fs::hard_link(&draft, path));
        let removed = fs::remove_file(&draft);
        written.and(removed).map_err(failed)?;
        Ok(Self::new(token))
    }

    /// The text, for a command that sends it to its own server.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether `offered` is the token, in a time that does not tell how much of it is right.
    pub(crate) fn is(&self, offered: &str) -> bool {
        self.0.expose().as_bytes().ct_eq(offered.as_bytes()).into()
    }
}

/// Writes a file that only this user can read.
fn write_private(path: &Path, text: &str) -> io::Result<()> {
    // What a process that died has left may have any mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(unix)]
fn exposed(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn exposed(_path: &Path) -> io::Result<bool> {
    Ok(false)
}
