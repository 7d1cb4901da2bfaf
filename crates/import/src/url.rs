//! Addresses as the sources write them, to base URLs as the config takes them.

use http::Uri;

/// Whether the config takes `text` as a base URL. It holds no user, query or fragment, so no part that is meant to be
/// secret.
pub(crate) fn is_base(text: &str) -> bool {
    if !text.is_ascii() || text.len() > 1_000 || text.contains(['@', '?', '#']) {
        return false;
    }
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let Some(authority) = uri.authority() else { return false };
    let after_host = authority.as_str().rsplit(']').next().unwrap_or_default();
    let has_bad_port = after_host.contains(':') && uri.port_u16().is_none_or(|port| port == 0);
    matches!(uri.scheme_str(), Some("http" | "https"))
        && uri.host().is_some_and(|host| !host.is_empty())
        && !has_bad_port
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"\\<>^`{|}".contains(&byte))
}

/// The host of a base URL.
pub(crate) fn host(base: &str) -> String {
    let uri = base.parse::<Uri>().ok();
    uri.and_then(|uri| uri.host().map(str::to_ascii_lowercase)).unwrap_or_default()
}

/// `base` without a final slash and without the first of `endings` that it has.
pub(crate) fn without<'b>(base: &'b str, endings: &[&str]) -> &'b str {
    let base = base.trim_end_matches('/');
    let cut = endings.iter().find_map(|ending| base.strip_suffix(ending));
    cut.unwrap_or(base).trim_end_matches('/')
}

/// The part of a URL up to its path.
pub(crate) fn origin(base: &str) -> &str {
    let start = base.find("://").map_or(0, |place| place + 3);
    let end = base
        .get(start..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(base.len(), |place| start + place);
    base.get(..end).unwrap_or(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_config_takes_is_a_base_url() {
        for good in
            ["https://api.example.com/v1", "http://127.0.0.1:8000", "http://[::1]:8000/v1", "https://a_b/x"]
        {
            assert!(is_base(good), "{good}");
        }
        for bad in [
            "",
            "api.example.com",
            "ftp://x",
            "https://",
            "https://u:p@h/",
            "https://u@h/",
            "https://h/?k=v",
            "https://h:0/",
            "https://h:x/",
            "https://h/ü",
            "https://h/{x}",
            "<your-url>",
        ] {
            assert!(!is_base(bad), "{bad}");
        }
    }

    #[test]
    fn parts_are_cut_where_they_end() {
        assert_eq!(host("https://My-Res.openai.azure.com/openai"), "my-res.openai.azure.com");
        assert_eq!(without("https://h/v1/messages/", &["/v1/messages", "/v1"]), "https://h");
        assert_eq!(origin("https://h:1/a/b"), "https://h:1");
        assert_eq!(origin("https://h?x"), "https://h");
    }
}
