//! Makes the one request that is sent again and again, and finds where to send it.
//!
//! Done once per run. It never sends anything.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::Full;
use serde_json::json;
use stepwell_types::Dialect;

use crate::{Error, LoadOptions};

/// The version of Anthropic's API whose shapes are spoken.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");
/// Anthropic's dialect requires a limit.
const ANTHROPIC_MAX_TOKENS: u32 = 1_024;

/// The request of a run, ready to be copied.
#[derive(Debug)]
pub(crate) struct Template {
    /// `host:port`, to resolve.
    pub(crate) address: String,
    path: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Template {
    pub(crate) fn new(options: &LoadOptions) -> Result<Self, Error> {
        let uri: Uri = options
            .url
            .parse()
            .map_err(|error| Error::Options(format!("not a URL: {}: {error}", options.url)))?;
        if uri.scheme_str() != Some("http") {
            return Err(Error::Options(format!(
                "the URL must begin with http:// and not be {}",
                options.url
            )));
        }
        let Some(host) = uri.host() else {
            return Err(Error::Options(format!("no host in the URL {}", options.url)));
        };
        let address = format!("{host}:{}", uri.port_u16().unwrap_or(80));
        let path = full_path(&uri, options)
            .parse()
            .map_err(|error| Error::Options(format!("not a path: {error}")))?;
        Ok(Self { address, path, headers: headers(options, &uri)?, body: body(options) })
    }

    /// A copy to send. Body and path are shared, not copied.
    pub(crate) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn full_path(uri: &Uri, options: &LoadOptions) -> String {
    let usual = match options.dialect {
        Dialect::OpenaiChat => "/v1/chat/completions".to_owned(),
        Dialect::OpenaiResponses => "/v1/responses".to_owned(),
        Dialect::Anthropic => "/v1/messages".to_owned(),
        Dialect::Gemini if options.stream => {
            format!("/v1beta/models/{}:streamGenerateContent?alt=sse", options.model)
        }
        Dialect::Gemini => format!("/v1beta/models/{}:generateContent", options.model),
        Dialect::Cohere => "/v2/chat".to_owned(),
    };
    match uri.path() {
        "" | "/" | "/v1" | "/v1/" | "/v1beta" | "/v1beta/" | "/v2" | "/v2/" => usual,
        written => uri.query().map_or_else(|| written.to_owned(), |query| format!("{written}?{query}")),
    }
}

fn headers(options: &LoadOptions, uri: &Uri) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let authority = uri.authority().map_or("", http::uri::Authority::as_str);
    headers.insert(HOST, value("host", authority)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if options.dialect == Dialect::Anthropic {
        headers.insert("anthropic-version", ANTHROPIC_VERSION);
    }
    if let Some(key) = &options.api_key {
        let (name, text) = match options.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Cohere => {
                (AUTHORIZATION, format!("Bearer {}", key.reveal()))
            }
            Dialect::Anthropic => (HeaderName::from_static("x-api-key"), key.reveal().to_owned()),
            Dialect::Gemini => (HeaderName::from_static("x-goog-api-key"), key.reveal().to_owned()),
        };
        let mut secret = value("the API key's header", &text)?;
        secret.set_sensitive(true);
        headers.insert(name, secret);
    }
    for (name, text) in &options.headers {
        let parsed: HeaderName =
            name.parse().map_err(|_| Error::Options(format!("not a header name: {name}")))?;
        headers.insert(parsed, value(name, text)?);
    }
    Ok(headers)
}

/// The error names the header only: its value may be a secret.
fn value(name: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::Options(format!("the value of {name} cannot be sent in a header")))
}

fn body(options: &LoadOptions) -> Bytes {
    if let Some(body) = &options.body {
        return body.clone();
    }
    let message = json!({ "role": "user", "content": options.prompt });
    let limit = options.max_tokens;
    let mut body = match options.dialect {
        Dialect::OpenaiChat | Dialect::Cohere => {
            json!({ "model": options.model, "messages": [message], "max_tokens": limit })
        }
        Dialect::Anthropic => {
            let limit = limit.unwrap_or(ANTHROPIC_MAX_TOKENS);
            json!({ "model": options.model, "messages": [message], "max_tokens": limit })
        }
        Dialect::Gemini => {
            let mut body = json!({ "contents": [{ "role": "user", "parts": [{ "text": options.prompt }] }] });
            if let Some(limit) = limit {
                body["generationConfig"] = json!({ "maxOutputTokens": limit });
            }
            body
        }
        Dialect::OpenaiResponses => {
            json!({ "model": options.model, "input": [message], "max_output_tokens": limit })
        }
    };
    if let Some(members) = body.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    // Gemini's path asks for a stream.
    if options.stream && options.dialect != Dialect::Gemini {
        body["stream"] = json!(true);
    }
    Bytes::from(body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKey;

    fn template(url: &str, dialect: Dialect) -> Template {
        Template::new(&LoadOptions::new(url, dialect, "m")).unwrap()
    }

    #[test]
    fn a_base_url_gets_the_path_of_the_dialect_and_a_longer_one_is_kept() {
        for (url, dialect, path) in [
            ("http://h", Dialect::OpenaiChat, "/v1/chat/completions"),
            ("http://h:1/", Dialect::Anthropic, "/v1/messages"),
            ("http://h/v1", Dialect::OpenaiChat, "/v1/chat/completions"),
            ("http://h/v1/", Dialect::Anthropic, "/v1/messages"),
            ("http://h/v1", Dialect::OpenaiResponses, "/v1/responses"),
            ("http://h", Dialect::Gemini, "/v1beta/models/m:generateContent"),
            ("http://h", Dialect::Cohere, "/v2/chat"),
            ("http://h/own/path?a=b", Dialect::OpenaiChat, "/own/path?a=b"),
        ] {
            assert_eq!(template(url, dialect).request().uri(), path, "{url}");
        }
        assert_eq!(template("http://h", Dialect::OpenaiChat).address, "h:80");
        assert_eq!(template("http://[::1]:7", Dialect::OpenaiChat).address, "[::1]:7");
    }

    #[test]
    fn a_url_without_http_is_refused() {
        for url in ["https://h", "h:80", "/v1", ""] {
            assert!(Template::new(&LoadOptions::new(url, Dialect::OpenaiChat, "m")).is_err(), "{url}");
        }
    }

    #[test]
    fn the_body_and_headers_are_those_of_the_dialect() {
        let mut options = LoadOptions::new("http://h:9", Dialect::Anthropic, "sim/small");
        options.stream = true;
        options.prompt = "hello".to_owned();
        options.api_key = Some(ApiKey::new("k"));
        options.headers = vec![("x-stepwell-tags".to_owned(), "feature=bench".to_owned())];
        let template = Template::new(&options).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&template.body).unwrap();
        assert_eq!(
            sent,
            json!({ "model": "sim/small", "max_tokens": 1024, "stream": true,
                    "messages": [{ "role": "user", "content": "hello" }] })
        );
        assert_eq!(template.headers["host"], "h:9");
        assert_eq!(template.headers["x-api-key"], "k");
        assert_eq!(template.headers["anthropic-version"], "2023-06-01");
        assert_eq!(template.headers["x-stepwell-tags"], "feature=bench");
        assert!(!format!("{template:?}").contains("\"k\""));

        options.dialect = Dialect::OpenaiChat;
        let template = Template::new(&options).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&template.body).unwrap();
        assert!(sent.get("max_tokens").is_none());
        assert_eq!(template.headers["authorization"], "Bearer k");

        options.dialect = Dialect::OpenaiResponses;
        options.max_tokens = Some(64);
        let template = Template::new(&options).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&template.body).unwrap();
        assert_eq!(
            sent,
            json!({ "model": "sim/small", "max_output_tokens": 64, "stream": true,
                    "input": [{ "role": "user", "content": "hello" }] })
        );
        assert_eq!(template.headers["authorization"], "Bearer k");
    }
}
