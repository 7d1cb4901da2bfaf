//! Where a provider listens: scheme, host and port of its base URL.

use std::fmt;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method};
use rustls::pki_types::ServerName;
use stepwell_http1::client::Template;

/// A scheme, host and port, with what every request to it needs.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The host to resolve.
    pub(crate) host: Arc<str>,
    /// The port to connect to.
    pub(crate) port: u16,
    /// The name to verify, for `https`.
    pub(crate) tls_name: Option<ServerName<'static>>,
    /// The value of the `host` header.
    host_header: HeaderValue,
    /// The path every request's path is appended to; empty or `/…` without a trailing slash.
    base_path: Arc<str>,
}

/// A base URL no request can be sent to.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a usable base URL: {0}")]
pub struct OriginError(String);

impl Origin {
    /// Reads a base URL: `https://api.openai.com/v1`, `http://127.0.0.1:8000`.
    pub fn parse(base_url: &str) -> Result<Self, OriginError> {
        let uri: http::Uri = base_url.parse().map_err(|error| OriginError(format!("{error}")))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(OriginError("it must begin with http:// or https://".to_owned())),
        };
        let Some(authority) = uri.authority() else {
            return Err(OriginError("it names no host".to_owned()));
        };
        if authority.as_str().contains('@') {
            return Err(OriginError("credentials do not belong in a URL".to_owned()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let tls_name = secure
            .then(|| ServerName::try_from(host.to_owned()))
            .transpose()
            .map_err(|_| OriginError(format!("`{host}` is not a name TLS can verify")))?;
        let host_header = HeaderValue::from_str(authority.as_str())
            .map_err(|_| OriginError("its host cannot stand in a header".to_owned()))?;
        Ok(Self {
            host: Arc::from(host),
            port: authority.port_u16().unwrap_or(if secure { 443 } else { 80 }),
            tls_name,
            host_header,
            base_path: Arc::from(uri.path().trim_end_matches('/')),
        })
    }

    /// Requests for `path` below this base URL, with these headers.
    pub fn template(
        &self,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Template, OriginError> {
        Ok(Template::new(method, &self.host_header, &self.target(path)?, headers))
    }

    fn target(&self, path: &str) -> Result<PathAndQuery, OriginError> {
        format!("{}{path}", self.base_path).parse().map_err(|error| OriginError(format!("{error}")))
    }

    /// What tells connections apart: two origins with the same key may share one.
    pub(crate) fn key(&self) -> OriginKey {
        OriginKey { host: Arc::clone(&self.host), port: self.port, secure: self.tls_name.is_some() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls_name.is_some() { "https" } else { "http" };
        write!(formatter, "{scheme}://{}:{}{}", self.host, self.port, self.base_path)
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct OriginKey {
    host: Arc<str>,
    port: u16,
    secure: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_appended_to_the_base_path() {
        let origin = Origin::parse("https://api.openai.com/v1").unwrap();
        assert_eq!(origin.target("/chat/completions").unwrap(), "/v1/chat/completions");
        assert_eq!(origin.port, 443);
        assert_eq!(origin.host_header, "api.openai.com");
        let origin = Origin::parse("http://127.0.0.1:8000/").unwrap();
        assert_eq!(origin.target("/v1/messages").unwrap(), "/v1/messages");
        assert_eq!(origin.port, 8000);
        let origin = Origin::parse("http://[::1]:8000").unwrap();
        assert_eq!(&*origin.host, "::1");
    }

    #[test]
    fn urls_without_host_or_with_credentials_are_refused() {
        for url in ["", "api.openai.com", "ftp://host", "http://user:pw@host/", "https:///v1"] {
            assert!(Origin::parse(url).is_err(), "{url}");
        }
    }
}
