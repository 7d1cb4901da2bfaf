//! Which request is which: path, method, and what may not come in at all.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Method;
use percent_encoding::percent_decode_str;
use stepwell_http1::{Headers, RequestHead};
use stepwell_types::{CallId, Code, Dialect, EmbeddingFormat, Endpoint, Failure};
use stepwell_wire::{codec, embeddings};

use crate::snapshot::Snapshot;

/// What a request asks of the data plane.
pub(crate) enum Door {
    /// A call.
    Call(CallDoor),
    /// The list of models.
    Models(Dialect),
    /// One model of the list.
    Model(Dialect, String),
    /// Whether the process lives.
    Health,
    /// Whether it can serve.
    Ready,
}

/// The endpoint and the dialect a path stands for, and what else it says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct CallDoor {
    pub(crate) endpoint: Endpoint,
    pub(crate) dialect: Dialect,
    /// The form of a call for embeddings.
    pub(crate) format: Option<EmbeddingFormat>,
    /// The model, in a dialect that has it in the path.
    pub(crate) model: Option<String>,
    /// Whether the path asks for a stream.
    pub(crate) stream: bool,
}

impl CallDoor {
    pub(crate) const fn tongue(&self) -> Tongue {
        Tongue { dialect: self.dialect, format: self.format }
    }
}

/// What errors are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tongue {
    dialect: Dialect,
    format: Option<EmbeddingFormat>,
}

impl Tongue {
    pub(crate) fn write_error(self, failure: &Failure, call: Option<CallId>) -> Vec<u8> {
        match self.format {
            Some(format) => embeddings::codec(format).write_error(failure, call),
            None => codec(self.dialect).write_error(failure, call),
        }
    }
}

/// A request that may not come in, and what to say so in.
pub(crate) struct Refused {
    pub(crate) failure: Failure,
    pub(crate) tongue: Tongue,
    /// The method the path does take, where that is what is wrong.
    pub(crate) allow: Option<&'static str>,
}

const CHAT: CallDoor = by_body(Endpoint::Chat, Dialect::OpenaiChat);
const RESPONSES: CallDoor = by_body(Endpoint::Chat, Dialect::OpenaiResponses);
const COUNT_INPUT: CallDoor = by_body(Endpoint::CountTokens, Dialect::OpenaiResponses);
const MESSAGES: CallDoor = by_body(Endpoint::Chat, Dialect::Anthropic);
const OLLAMA: CallDoor = by_body(Endpoint::Chat, Dialect::Ollama);
const COUNT_TOKENS: CallDoor = by_body(Endpoint::CountTokens, Dialect::Anthropic);
const EMBEDDINGS: CallDoor = embeddings_in(EmbeddingFormat::Openai);
const COHERE_EMBED: CallDoor = embeddings_in(EmbeddingFormat::Cohere);
const COHERE: CallDoor = by_body(Endpoint::Chat, Dialect::Cohere);

/// A door of a dialect whose bodies say everything.
const fn by_body(endpoint: Endpoint, dialect: Dialect) -> CallDoor {
    CallDoor { endpoint, dialect, format: None, model: None, stream: false }
}

/// A door for embeddings.
const fn embeddings_in(format: EmbeddingFormat) -> CallDoor {
    CallDoor {
        endpoint: Endpoint::Embeddings,
        dialect: format.dialect(),
        format: Some(format),
        model: None,
        stream: false,
    }
}

/// Finds the door of a request, or why it has none.
pub(crate) fn find(request: &RequestHead, snapshot: &Snapshot) -> Result<Door, Refused> {
    let path = request.path();
    let headers = &request.headers;
    let dialect = dialect_of(path, headers);
    let tongue = Tongue { dialect, format: (path == TEI).then_some(EmbeddingFormat::Tei) };
    let refused = |failure| Refused { failure, tongue, allow: None };
    let door = match (path, &request.method) {
        ("/v1/chat/completions", &Method::POST) => Door::Call(CHAT),
        ("/v1/responses", &Method::POST) => Door::Call(RESPONSES),
        ("/v1/responses/input_tokens", &Method::POST) => Door::Call(COUNT_INPUT),
        ("/v1/messages", &Method::POST) => Door::Call(MESSAGES),
        ("/v1/messages/count_tokens", &Method::POST) => Door::Call(COUNT_TOKENS),
        ("/v1/embeddings", &Method::POST) => Door::Call(EMBEDDINGS),
        ("/v2/embed", &Method::POST) => Door::Call(COHERE_EMBED),
        (TEI, &Method::POST) => Door::Call(of_tei(request.query())),
        ("/v2/chat", &Method::POST) => Door::Call(COHERE),
        ("/api/chat", &Method::POST) => Door::Call(OLLAMA),
        ("/v1/models" | "/v1beta/models" | "/api/tags", &Method::GET) => Door::Models(dialect),
        ("/healthz", &Method::GET) => return Ok(Door::Health),
        ("/readyz", &Method::GET) => return Ok(Door::Ready),
        (path, &Method::GET) if is_below(path, MODEL) => {
            Door::Model(dialect, decode_percent(&path[MODEL.len()..]))
        }
        (path, &Method::GET) if is_below(path, GEMINI) => {
            Door::Model(dialect, decode_percent(&path[GEMINI.len()..]))
        }
        (path, &Method::POST) if is_below(path, GEMINI) => {
            Door::Call(of_gemini(&path[GEMINI.len()..], request.query()).map_err(refused)?)
        }
        // Vercel's SDK takes a model with a slash in its name for a path of its own, and leaves `models/` out.
        (path, &Method::POST) if is_below(path, BETA) && path.contains(':') => {
            Door::Call(of_gemini(&path[BETA.len()..], request.query()).map_err(refused)?)
        }
        // The stable version, which Google's SDKs ask for unless told otherwise.
        (path, &Method::POST) if names_a_method(path) => {
            Door::Call(of_gemini(&path[MODEL.len()..], request.query()).map_err(refused)?)
        }
        (path, &Method::POST) if path.starts_with(BEDROCK) => {
            Door::Call(of_bedrock(path).ok_or_else(|| nothing_here(path, &Method::POST, tongue))?)
        }
        (FOUNDATION_MODELS, &Method::GET) => Door::Models(dialect),
        (path, &Method::GET) if is_below(path, FOUNDATION_MODEL) => {
            Door::Model(dialect, decode_percent(&path[FOUNDATION_MODEL.len()..]))
        }
        (path, _) if is_below(path, RESPONSE) => return Err(refused(not_kept())),
        (path, method) => return Err(nothing_here(path, method, tongue)),
    };
    check_origin(request, snapshot).map_err(refused)?;
    if matches!(door, Door::Call(_)) {
        check_body_type(headers).map_err(refused)?;
    }
    Ok(door)
}

const MODEL: &str = "/v1/models/";
const RESPONSE: &str = "/v1/responses/";
const BETA: &str = "/v1beta/";
const GEMINI: &str = "/v1beta/models/";
const TEI: &str = "/embed";
const BEDROCK: &str = "/model/";
const FOUNDATION_MODELS: &str = "/foundation-models";
const FOUNDATION_MODEL: &str = "/foundation-models/";

fn is_below(path: &str, prefix: &str) -> bool {
    path.len() > prefix.len() && path.starts_with(prefix)
}

/// What a client hears that goes back to a response.
fn not_kept() -> Failure {
    let message = "responses are not kept, so none can be read, cancelled or gone on from. there are POST /v1/responses and \
                   POST /v1/responses/input_tokens";
    Failure::new(Code::NotFound, message)
}

/// Whether this is a method of a model in the stable version of Gemini's API.
fn names_a_method(path: &str) -> bool {
    let method = path.strip_prefix(MODEL).and_then(|rest| rest.rsplit_once(':')).map(|(_, method)| method);
    matches!(
        method,
        Some(
            "generateContent"
                | "streamGenerateContent"
                | "countTokens"
                | "embedContent"
                | "batchEmbedContents"
        )
    )
}

/// The door of `models/{model}:{method}`, from the model on. Its name may hold slashes and colons.
fn of_gemini(rest: &str, query: Option<&str>) -> Result<CallDoor, Failure> {
    let (model, method) = rest.rsplit_once(':').unwrap_or((rest, ""));
    let (endpoint, stream) = match method {
        "generateContent" => (Endpoint::Chat, false),
        "streamGenerateContent" => (Endpoint::Chat, true),
        "countTokens" => (Endpoint::CountTokens, false),
        "embedContent" | "batchEmbedContents" => {
            let one = method == "embedContent";
            let format = if one { EmbeddingFormat::Gemini } else { EmbeddingFormat::GeminiBatch };
            return Ok(CallDoor { model: Some(decode_percent(model)), ..embeddings_in(format) });
        }
        _ => {
            let message = format!(
                "there is no method `{method}` of a model here. there are generateContent, streamGenerateContent, \
                 countTokens, embedContent and batchEmbedContents"
            );
            return Err(Failure::new(Code::NotFound, message));
        }
    };
    let as_events = query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"));
    if stream && !as_events {
        let message = "streams are served as events only: add ?alt=sse to the path, as Google's SDKs do";
        return Err(Failure::new(Code::UnsupportedParameter, message).param("alt"));
    }
    let model = Some(decode_percent(model));
    Ok(CallDoor { endpoint, dialect: Dialect::Gemini, format: None, model, stream })
}

/// The door of `/embed`, whose form has no place for a model: the query may say one.
fn of_tei(query: Option<&str>) -> CallDoor {
    let pairs = query.unwrap_or_default().split('&');
    let model = pairs.filter_map(|pair| pair.strip_prefix("model=")).find(|model| !model.is_empty());
    CallDoor { model: model.map(decode_percent), ..embeddings_in(EmbeddingFormat::Tei) }
}

/// The door of `/model/{model}/converse` and `/model/{model}/converse-stream`. AWS's SDKs escape the model's slashes; others
/// need not.
fn of_bedrock(path: &str) -> Option<CallDoor> {
    let (model, operation) = path.strip_prefix(BEDROCK)?.rsplit_once('/')?;
    let stream = match operation {
        "converse" => false,
        "converse-stream" => true,
        _ => return None,
    };
    let model = Some(decode_percent(model)).filter(|model| !model.is_empty());
    Some(CallDoor {
        endpoint: Endpoint::Chat,
        dialect: Dialect::BedrockConverse,
        format: None,
        model,
        stream,
    })
}

/// The dialect a client speaks, as far as its request line and headers tell.
fn dialect_of(path: &str, headers: &Headers) -> Dialect {
    let is_of_gemini = path.starts_with("/v1beta/")
        || names_a_method(path)
        || path.starts_with("/v1/models") && headers.get("x-goog-api-key").is_some();
    let is_of_bedrock = path.starts_with(BEDROCK) || path.starts_with(FOUNDATION_MODELS);
    if is_of_bedrock {
        Dialect::BedrockConverse
    } else if is_of_gemini {
        Dialect::Gemini
    } else if path.starts_with("/v2/") || is_of_coheres_sdk(headers) {
        Dialect::Cohere
    } else if path.starts_with("/api/") {
        Dialect::Ollama
    } else if path.starts_with("/v1/messages") || headers.get("anthropic-version").is_some() {
        Dialect::Anthropic
    } else if path.starts_with("/v1/responses") {
        Dialect::OpenaiResponses
    } else {
        Dialect::OpenaiChat
    }
}

/// Whether the client is an SDK of Cohere's, which says so (`cohere`, `cohere-ai`): `/v1/models` is others' path too.
fn is_of_coheres_sdk(headers: &Headers) -> bool {
    headers.get("x-fern-sdk-name").is_some_and(|name| name.starts_with(b"cohere"))
}

fn nothing_here(path: &str, method: &Method, tongue: Tongue) -> Refused {
    let allow = match path {
        "/v1/chat/completions"
        | "/v1/responses"
        | "/v1/responses/input_tokens"
        | "/v1/messages"
        | "/v1/messages/count_tokens"
        | "/v1/embeddings"
        | "/v2/chat"
        | "/v2/embed"
        | "/api/chat"
        | TEI => Some("POST"),
        "/v1/models" | "/v1beta/models" | "/api/tags" | FOUNDATION_MODELS | "/healthz" | "/readyz" => {
            Some("GET")
        }
        _ if names_a_method(path) || of_bedrock(path).is_some() => Some("POST"),
        _ if is_below(path, GEMINI) => Some("GET, POST"),
        _ => (is_below(path, MODEL) || is_below(path, FOUNDATION_MODEL)).then_some("GET"),
    };
    let failure = if let Some(allow) = allow {
        Failure::new(Code::MethodNotAllowed, format!("{path} takes {allow}, not {method}"))
    } else {
        let message = format!(
            "there is nothing at {method} {path}. there are POST /v1/chat/completions, POST /v1/responses, \
             POST /v1/messages, POST /v1/messages/count_tokens, POST /v1beta/models/MODEL:generateContent, POST /v2/chat, \
             POST /v1/embeddings, POST /v2/embed, POST /api/chat, POST /model/MODEL/converse, GET /v1/models and \
             GET /api/tags"
        );
        Failure::new(Code::NotFound, message)
    };
    Refused { failure, tongue, allow }
}

/// Loopback is not trust: a page in a browser on this machine can reach it. Its requests carry a foreign `origin`, or,
/// after DNS rebinding, a foreign `host`.
fn check_origin(request: &RequestHead, snapshot: &Snapshot) -> Result<(), Failure> {
    let mut hosts = request.headers.all("host");
    let host = hosts.next().and_then(|host| std::str::from_utf8(host).ok()).or_else(|| request.authority());
    if hosts.next().is_some() {
        return Err(Failure::new(Code::InvalidRequest, "the request has more than one host header"));
    }
    let Some(host) = host else {
        return Err(Failure::new(Code::InvalidRequest, "the request has no host header"));
    };
    if !is_allowed(host_name(host), snapshot) {
        let message =
            format!("this server does not answer for the host `{host}`: add it to server.allowed_hosts");
        return Err(Failure::new(Code::ForbiddenOrigin, message));
    }
    let Some(origin) = request.headers.get("origin") else { return Ok(()) };
    let origin = std::str::from_utf8(origin).unwrap_or_default();
    let name = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    if is_allowed(host_name(name), snapshot) {
        return Ok(());
    }
    let message =
        format!("pages of `{origin}` may not call this server: add its host to server.allowed_hosts");
    Err(Failure::new(Code::ForbiddenOrigin, message))
}

/// A host without its port.
fn host_name(host: &str) -> &str {
    if let Some(rest) = host.strip_prefix('[') {
        return rest.split_once(']').map_or(rest, |(name, _)| name);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn is_allowed(name: &str, snapshot: &Snapshot) -> bool {
    let server = &snapshot.settings.server;
    name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip == server.listen.ip())
        || server.allowed_hosts.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
}

fn check_body_type(headers: &Headers) -> Result<(), Failure> {
    let content_type = headers.get("content-type").unwrap_or_default();
    let json = b"application/json";
    let is_json = content_type.get(..json.len()).is_some_and(|start| start.eq_ignore_ascii_case(json))
        && matches!(content_type.get(json.len()), None | Some(b';' | b' '));
    if !is_json {
        let message = "the body must be JSON, sent with content-type: application/json";
        return Err(Failure::new(Code::UnsupportedMediaType, message));
    }
    match headers.get("content-encoding") {
        Some(encoding) if encoding != b"identity" => {
            let message = "the body must be sent without content-encoding";
            Err(Failure::new(Code::UnsupportedMediaType, message))
        }
        _ => Ok(()),
    }
}

/// Undoes percent-encoding in a path. What is not valid stays as it is.
fn decode_percent(text: &str) -> String {
    percent_decode_str(text).decode_utf8().map_or_else(|_| text.to_owned(), Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_read_without_its_port() {
        assert_eq!(host_name("127.0.0.1:7070"), "127.0.0.1");
        assert_eq!(host_name("[::1]:7070"), "::1");
        assert_eq!(host_name("localhost"), "localhost");
    }

    #[test]
    fn a_path_of_bedrocks_names_the_model_and_whether_to_stream() {
        let arn = "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2Famazon.nova-pro-v1%3A0";
        let door = of_bedrock(&format!("/model/{arn}/converse-stream")).unwrap();
        let model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0";
        assert_eq!((door.model.as_deref(), door.stream), (Some(model), true));
        let door = of_bedrock("/model/sim/small/converse").unwrap();
        assert_eq!((door.model.as_deref(), door.stream), (Some("sim/small"), false));
        assert_eq!(of_bedrock("/model/small/invoke"), None);
        assert_eq!(of_bedrock("/model/converse"), None);
    }

    #[test]
    fn percent_encoding_is_undone_where_it_is_valid() {
        assert_eq!(decode_percent("openai%2Fgpt-5"), "openai/gpt-5");
        assert_eq!(decode_percent("a%zz%2%+f%ff"), "a%zz%2%+f%ff");
    }
}
