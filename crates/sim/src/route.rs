//! Takes requests off the wire, finds who answers them, and waits where an answer waits.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use stepwell_types::{Clock as _, Dialect, Endpoint};

use crate::answer::{self, Answer, Call, Deed};
use crate::bedrock;
use crate::body::ReplyBody;
use crate::failure::Failure;
use crate::gemini::address::{self, Address};
use crate::json::{integer, string};
use crate::oracle::Ended;
use crate::socket::Line;
use crate::state::State;
use crate::{control, head, keys};

/// The connection is to be hung up without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up")]
pub(crate) struct HungUp;

/// Answers one request.
pub(crate) async fn serve(
    state: Arc<State>,
    line: Line,
    request: Request<Incoming>,
) -> Result<Response<ReplyBody>, HungUp> {
    let (parts, body) = request.into_parts();
    let dialect = dialect(parts.uri.path(), &parts.headers);
    let bytes = match read(body, state.options.max_body_bytes).await {
        Ok(bytes) => bytes,
        Err(Unread::TooLarge) => return Ok(too_large(&state, dialect)),
        Err(Unread::Broken) => return Err(HungUp),
    };
    let (method, path, query) = (&parts.method, parts.uri.path(), parts.uri.query());
    let Some(endpoint) = endpoint(method, path) else {
        if path == "/sim" || path.starts_with("/sim/") {
            return Ok(control::answer(&state, method, path, query, &bytes));
        }
        let key = keys::check(dialect, &parts.headers, query);
        return Ok(models(&state, dialect, method, path, key));
    };
    let call = Call {
        state: &state,
        line: &line,
        dialect,
        endpoint,
        headers: &parts.headers,
        path,
        query,
        now: state.clock.now(),
        id: state.next_id(),
    };
    let answer = answer::call(&call, &bytes);
    act(answer, &line).await
}

/// What a path asks of a model, if it asks for something.
fn endpoint(method: &Method, path: &str) -> Option<Endpoint> {
    if method != Method::POST {
        return None;
    }
    match path {
        "/v1/chat/completions" | "/v1/messages" | "/v1/responses" | "/v2/chat" | "/api/chat" => {
            Some(Endpoint::Chat)
        }
        "/v1/messages/count_tokens" | "/v1/responses/input_tokens" => Some(Endpoint::CountTokens),
        "/v1/embeddings" => Some(Endpoint::Embeddings),
        _ if bedrock::address::Address::read(path).is_some() => Some(Endpoint::Chat),
        _ => Address::read(path).map(|address| address.action.endpoint()),
    }
}

async fn act(answer: Answer, line: &Line) -> Result<Response<ReplyBody>, HungUp> {
    if !answer.wait.is_zero() {
        tokio::time::sleep(answer.wait).await;
    }
    match answer.deed {
        Deed::Respond(response, account) => {
            if let Some((account, ended)) = account {
                account.close(ended);
            }
            Ok(*response)
        }
        Deed::HangUp(how, account) => {
            line.hang_up(how);
            account.close(Ended::CutByFault);
            Err(HungUp)
        }
        Deed::Silence(account) => {
            let never: Infallible = std::future::pending().await;
            drop(account);
            match never {}
        }
    }
}

/// The dialect that a request speaks: that of its path, else that of its headers.
fn dialect(path: &str, headers: &HeaderMap) -> Dialect {
    if bedrock::address::is_path(path) {
        Dialect::BedrockConverse
    } else if address::is_path(path)
        || headers.contains_key("x-goog-api-key") && path.starts_with("/v1/models")
    {
        Dialect::Gemini
    } else if path == "/v1/responses" || path.starts_with("/v1/responses/") {
        Dialect::OpenaiResponses
    } else if path.starts_with("/v2/") || is_of_coheres_sdk(headers) && path.starts_with("/v1/models") {
        Dialect::Cohere
    } else if path.starts_with("/api/") {
        Dialect::Ollama
    } else if path.starts_with("/v1/messages")
        || headers.contains_key("anthropic-version")
            && !["/v1/chat/completions", "/v1/embeddings"].contains(&path)
    {
        Dialect::Anthropic
    } else {
        Dialect::OpenaiChat
    }
}

/// Whether the client is an SDK of Cohere's, which says so.
fn is_of_coheres_sdk(headers: &HeaderMap) -> bool {
    headers.get("x-fern-sdk-name").is_some_and(|name| name.as_bytes().starts_with(b"cohere"))
}

enum Unread {
    TooLarge,
    Broken,
}

/// Reads a body of at most `most` bytes. A body that comes in one piece is not copied.
async fn read(mut body: Incoming, most: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(Unread::TooLarge);
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > most {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::with_capacity(first.len() + rest.len());
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&rest);
    Ok(whole.freeze())
}

fn too_large(state: &State, dialect: Dialect) -> Response<ReplyBody> {
    let failure = match dialect {
        Dialect::OpenaiChat
        | Dialect::OpenaiResponses
        | Dialect::Anthropic
        | Dialect::Cohere
        | Dialect::Ollama
        | Dialect::BedrockConverse => Failure::new(dialect, 413, "Request exceeds the maximum size"),
        Dialect::Gemini => {
            let most = state.options.max_body_bytes;
            Failure::new(dialect, 400, format!("Request payload size exceeds the limit: {most} bytes."))
        }
    };
    head::error_response(state, &failure, state.next_id())
}

/// `GET /v1/models` and `GET /v1/models/NAME`, or `/v1beta` with Gemini, or `GET /api/tags` with Ollama; for everything else there is nothing here.
fn models(
    state: &State,
    dialect: Dialect,
    method: &Method,
    path: &str,
    key: Result<(), keys::Refused>,
) -> Response<ReplyBody> {
    let fail = |failure: Failure| head::error_response(state, &failure, state.next_id());
    let rest = match dialect {
        Dialect::Ollama => path.strip_prefix("/api/tags").filter(|rest| rest.is_empty()),
        _ => address::behind_models(path)
            .filter(|_| dialect == Dialect::Gemini || path.starts_with("/v1/"))
            .or_else(|| path.strip_prefix(bedrock::address::MODELS)),
    };
    let name = rest.and_then(|rest| rest.strip_prefix('/'));
    let of_models = rest.is_some() && endpoint(&Method::POST, path).is_none();
    if !of_models && endpoint(&Method::POST, path).is_none() {
        return fail(Failure::new(dialect, 404, format!("Not Found: {method} {path}")));
    }
    if method != Method::GET || !of_models {
        return fail(Failure::new(dialect, 405, format!("Method Not Allowed: {method} {path}")));
    }
    if let Err(refused) = key {
        return fail(Failure::key(dialect, refused));
    }
    let mut out = Vec::new();
    match name {
        None => list(&mut out, state, dialect),
        Some(name) => match state.models.find(name).and_then(|place| state.models.get(place)) {
            Some(model) => write_model(&mut out, dialect, model),
            None => return fail(Failure::new(dialect, 404, format!("The model '{name}' does not exist"))),
        },
    }
    head::respond(200, head::json_type(dialect), ReplyBody::Whole(Bytes::from(out)))
}

fn list(out: &mut Vec<u8>, state: &State, dialect: Dialect) {
    let before: &[u8] = match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => b"{\"object\":\"list\",\"data\":[",
        Dialect::Anthropic => b"{\"data\":[",
        Dialect::Gemini | Dialect::Cohere | Dialect::Ollama => b"{\"models\":[",
        Dialect::BedrockConverse => b"{\"modelSummaries\":[",
    };
    out.extend_from_slice(before);
    for (index, model) in state.models.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_model(out, dialect, model);
    }
    out.push(b']');
    if dialect == Dialect::Anthropic {
        let mut names = state.models.iter().map(|model| model.name.as_str());
        let first = names.next().unwrap_or_default();
        out.extend_from_slice(b",\"has_more\":false,\"first_id\":");
        string(out, first);
        out.extend_from_slice(b",\"last_id\":");
        string(out, names.last().unwrap_or(first));
    }
    out.push(b'}');
}

fn write_model(out: &mut Vec<u8>, dialect: Dialect, model: &crate::ModelOptions) {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses => {
            out.extend_from_slice(b"{\"id\":");
            string(out, &model.name);
            out.extend_from_slice(
                b",\"object\":\"model\",\"created\":1767225600,\"owned_by\":\"stepwell-sim\"}",
            );
        }
        Dialect::Anthropic => {
            out.extend_from_slice(b"{\"type\":\"model\",\"id\":");
            string(out, &model.name);
            out.extend_from_slice(b",\"display_name\":");
            string(out, &format!("Simulated {}", model.name));
            out.extend_from_slice(b",\"created_at\":\"2026-01-01T00:00:00Z\",\"lifecycle\":\"active\"");
            out.extend_from_slice(b",\"max_input_tokens\":");
            integer(out, model.context_tokens);
            out.extend_from_slice(b",\"max_tokens\":");
            integer(out, model.max_output_tokens);
            out.push(b'}');
        }
        // https://docs.aws.amazon.com/bedrock/latest/APIReference/API_FoundationModelSummary.html
        Dialect::BedrockConverse => {
            out.extend_from_slice(b"{\"modelArn\":");
            string(out, &format!("arn:aws:bedrock:us-east-1::foundation-model/{}", model.name));
            out.extend_from_slice(b",\"modelId\":");
            string(out, &model.name);
            out.extend_from_slice(b",\"modelName\":");
            string(out, &format!("Simulated {}", model.name));
            out.extend_from_slice(b",\"providerName\":\"Stepwell\",\"responseStreamingSupported\":true}");
        }
        // https://ai.google.dev/api/models#Model
        Dialect::Gemini => {
            out.extend_from_slice(b"{\"name\":");
            string(out, &format!("models/{}", model.name));
            out.extend_from_slice(b",\"version\":\"001\",\"displayName\":");
            string(out, &format!("Simulated {}", model.name));
            out.extend_from_slice(b",\"description\":\"Nothing here is a model.\",\"inputTokenLimit\":");
            integer(out, model.context_tokens);
            out.extend_from_slice(b",\"outputTokenLimit\":");
            integer(out, model.max_output_tokens);
            let methods: &[u8] = if model.embeds() {
                b",\"supportedGenerationMethods\":[\"embedContent\",\"batchEmbedContents\"]}"
            } else {
                b",\"supportedGenerationMethods\":[\"generateContent\",\"countTokens\"],\"temperature\":1,\
                \"topP\":0.95,\"topK\":64,\"maxTemperature\":2,\"thinking\":true}"
            };
            out.extend_from_slice(methods);
        }
        // https://docs.cohere.com/reference/get-model
        Dialect::Cohere => {
            out.extend_from_slice(b"{\"name\":");
            string(out, &model.name);
            out.extend_from_slice(b",\"endpoints\":[\"chat\"],\"finetuned\":false,\"context_length\":");
            integer(out, model.context_tokens);
            out.extend_from_slice(b",\"default_endpoints\":[]}");
        }
        // https://docs.ollama.com/api/tags
        Dialect::Ollama => {
            for name in [&b"{\"name\":"[..], b",\"model\":"] {
                out.extend_from_slice(name);
                string(out, &model.name);
            }
            out.extend_from_slice(
                b",\"modified_at\":\"2026-01-01T00:00:00Z\",\"size\":2019393189,\"digest\":\
                \"a80c4f17acd55265feec403c7aef86be0c25983ab279d83f3bcd3abbcb5b8b72\",\"details\":{\"parent_model\":\"\",\
                \"format\":\"gguf\",\"family\":\"simulated\",\"families\":[\"simulated\"],\"parameter_size\":\"3.2B\",\
                \"quantization_level\":\"Q4_K_M\"}}",
            );
        }
    }
}
