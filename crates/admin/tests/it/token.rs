//! The token file: how it is made, and what is refused as one.

use std::fs;

use stepwell_admin::{AdminToken, TokenError};

use crate::support::TempDir;

#[test]
fn a_token_is_made_once_and_read_back() {
    let dir = TempDir::new();
    assert!(matches!(AdminToken::read(dir.path()), Err(TokenError::Io { .. })));
    let made = AdminToken::open(dir.path()).unwrap();
    assert_eq!(made.expose().len(), 64);
    assert_eq!(AdminToken::open(dir.path()).unwrap().expose(), made.expose());
    assert_eq!(AdminToken::read(dir.path()).unwrap().expose(), made.expose());
    let other = TempDir::new();
    assert_ne!(AdminToken::open(other.path()).unwrap().expose(), made.expose());
}

#[test]
fn a_token_is_never_printed() {
    assert!(!format!("{:?}", AdminToken::new("very-private")).contains("very-private"));
}

#[cfg(unix)]
#[test]
fn a_token_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new();
    AdminToken::open(dir.path()).unwrap();
    let path = dir.path().join("admin-token");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(AdminToken::open(dir.path()), Err(TokenError::Exposed { .. })));
}

#[test]
fn a_file_without_a_token_is_refused() {
    let dir = TempDir::new();
    AdminToken::open(dir.path()).unwrap();
    for text in ["", "short", "with spaces in it, and long enough to be one"] {
        fs::write(dir.path().join("admin-token"), text).unwrap();
        assert!(matches!(AdminToken::open(dir.path()), Err(TokenError::Malformed { .. })), "{text:?}");
    }
}

#[test]
fn a_process_that_died_while_it_made_the_token_leaves_none_behind() {
    let dir = TempDir::new();
    fs::write(dir.path().join("admin-token.new"), "half").unwrap();
    let token = AdminToken::open(dir.path()).unwrap();
    assert_eq!(AdminToken::read(dir.path()).unwrap().expose(), token.expose());
    assert!(!dir.path().join("admin-token.new").exists());
}
