//! A provider's base URL: what that vendor's own SDK would take, checked and without its last slash.

use std::ops::Range;

use http::Uri;

use crate::report::Report;

/// `text` as a base URL without a trailing slash; none if it was reported. A URL is shown only where no part of it can
/// be a password or a key.
pub(crate) fn check(text: &str, span: Range<usize>, report: &mut Report<'_>) -> Option<String> {
    if text.contains('@') {
        report
            .error("bad_url", span, "a base URL holds no user name or password")
            .hint("write the credential as `api_key`, or in `headers`");
        return None;
    }
    if text.chars().all(|letter| letter.is_ascii_alphanumeric() || ".:/-_[]".contains(letter)) {
        report.show(&span);
    }
    let fault = if text.contains('?') {
        "a base URL has no query"
    } else if text.contains('#') {
        "a base URL has no fragment"
    } else {
        match text.parse::<Uri>() {
            Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => {
                "a base URL begins with https:// or http://"
            }
            Ok(uri) if uri.host().is_none_or(str::is_empty) => "this base URL has no host",
            Ok(uri) if has_bad_port(&uri) => "this base URL's port is not a port",
            Ok(_) => return Some(text.trim_end_matches('/').to_owned()),
            Err(_) => "this is not a URL",
        }
    };
    report.error("bad_url", span, fault).hint("such as \"https://api.example.com/v1\"");
    None
}

/// Whether a `:` after the host is followed by something other than a port from 1 to 65535.
fn has_bad_port(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return true };
    let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
    after_host.contains(':') && uri.port_u16().is_none_or(|port| port == 0)
}

/// Whether what is sent to `url` can be read on the way: plain HTTP to another machine.
pub(crate) fn is_readable_on_the_way(url: &str) -> bool {
    let Ok(uri) = url.parse::<Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    uri.scheme_str() == Some("http") && !is_here
}
