//! A bare HTTP client that tells how a reply ended, and what a stream looked like to an SDK.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use stepwell_types::Dialect;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::PATIENCE;

/// A reply, as far as it came.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP says a body ends.
    pub(crate) is_whole: bool,
}

/// How a stream looks to the client that reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The dialect's terminal event came last, and no error.
    Complete,
    /// An error event came last, with this code, and no terminal event.
    Error(String),
    /// Anything else: what no client should have to deal with.
    Broken,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The code of an error in our words, wherever the dialect puts it.
    pub(crate) fn code(&self) -> String {
        code_in(&self.json()).unwrap_or_else(|| panic!("no code: {}", self.text()))
    }

    /// The events of a stream: name and data.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let text = self.text().replace("\r\n", "\n");
        let blocks = text.split_terminator("\n\n").filter(|block| !block.starts_with(':'));
        let field = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
        };
        blocks.map(|block| (field(block, "event:"), field(block, "data:"))).collect()
    }

    /// How the stream ended, in the eyes of a client of `dialect`.
    pub(crate) fn end(&self, dialect: Dialect) -> End {
        let events = self.events();
        let data: Vec<Value> =
            events.iter().map(|(_, data)| serde_json::from_str(data).unwrap_or_default()).collect();
        let is_terminal = |at: usize| match dialect {
            Dialect::OpenaiChat => events[at].1 == "[DONE]",
            Dialect::Anthropic => events[at].0 == "message_stop" || data[at]["type"] == "message_stop",
            Dialect::Gemini => data[at]["candidates"][0]["finishReason"].is_string(),
            Dialect::OpenaiResponses => {
                matches!(data[at]["type"].as_str(), Some("response.completed" | "response.incomplete"))
            }
            Dialect::Cohere => data[at]["type"] == "message-end" && data[at]["delta"]["error"].is_null(),
        };
        let is_error = |at: usize| match dialect {
            Dialect::OpenaiChat | Dialect::Gemini => data[at]["error"].is_object(),
            Dialect::Anthropic | Dialect::OpenaiResponses => {
                events[at].0 == "error" && data[at]["type"] == "error"
            }
            Dialect::Cohere => data[at]["type"] == "message-end" && data[at]["delta"]["error"].is_string(),
        };
        let terminals = (0..events.len()).filter(|at| is_terminal(*at)).count();
        let errors = (0..events.len()).filter(|at| is_error(*at)).count();
        let Some(last) = events.len().checked_sub(1).filter(|_| self.is_whole) else { return End::Broken };
        match (terminals, errors) {
            (1, 0) if is_terminal(last) => End::Complete,
            (0, 1) if is_error(last) => End::Error(code_in(&data[last]).unwrap_or_default()),
            _ => End::Broken,
        }
    }

    /// The text of a reply, streamed or not.
    pub(crate) fn content(&self, dialect: Dialect, stream: bool) -> String {
        if !stream {
            let body = self.json();
            let text = match dialect {
                Dialect::OpenaiChat => &body["choices"][0]["message"]["content"],
                Dialect::Anthropic => &body["content"][0]["text"],
                Dialect::Gemini => &body["candidates"][0]["content"]["parts"][0]["text"],
                Dialect::OpenaiResponses => &body["output"][0]["content"][0]["text"],
                Dialect::Cohere => &body["message"]["content"][0]["text"],
            };
            return text.as_str().unwrap_or_default().to_owned();
        }
        let events = self.events();
        let pieces = events.iter().map(|(_, data)| serde_json::from_str(data).unwrap_or_default());
        let text = |data: Value| {
            let text = match dialect {
                Dialect::OpenaiChat => &data["choices"][0]["delta"]["content"],
                Dialect::Anthropic => &data["delta"]["text"],
                Dialect::Gemini => &data["candidates"][0]["content"]["parts"][0]["text"],
                Dialect::OpenaiResponses => &data["delta"],
                Dialect::Cohere => &data["delta"]["message"]["content"]["text"],
            };
            text.as_str().unwrap_or_default().to_owned()
        };
        pieces.map(text).collect()
    }
}

/// What an error says in our words, wherever its dialect has them: code, call and docs.
pub(crate) fn words_of(body: &Value) -> &Value {
    let error = error_of(body);
    if error["details"].is_array() { &error["details"][0]["metadata"] } else { error }
}

/// The error that a body or an event is, or holds. Cohere's errors stand at the top, or in the event that ends a stream.
pub(crate) fn error_of(body: &Value) -> &Value {
    if body["error"].is_object() {
        &body["error"]
    } else if body["delta"]["error"].is_string() {
        &body["delta"]
    } else {
        body
    }
}

fn code_in(body: &Value) -> Option<String> {
    words_of(body)["code"].as_str().map(str::to_owned)
}

/// A reply whose head has come and whose body is still to be read.
pub(crate) struct Open {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    body: Incoming,
    connection: JoinHandle<()>,
}

impl Open {
    /// The next piece of the body; none at its end, or where it broke.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, hyper::Error>> {
        let frame = timeout(PATIENCE, self.body.frame()).await.expect("a piece of the body in time")?;
        Some(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// The rest of the body.
    pub(crate) async fn read(mut self) -> Reply {
        let (mut body, mut is_whole) = (Vec::new(), true);
        while let Some(piece) = self.next().await {
            match piece {
                Ok(bytes) => body.extend_from_slice(&bytes),
                Err(_) => is_whole = false,
            }
        }
        Reply { status: self.status, headers: std::mem::take(&mut self.headers), body, is_whole }
    }
}

impl Drop for Open {
    /// The client goes away.
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Sends a request on a connection of its own and waits for the head of the reply.
pub(crate) async fn open(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Open {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(async move { connection.await.unwrap_or_default() });
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", address.to_string());
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let reply = timeout(PATIENCE, sender.send_request(request)).await.expect("a reply in time");
    let (head, body) = reply.unwrap_or_else(|error| panic!("{method} {path}: {error:?}")).into_parts();
    Open { status: head.status.as_u16(), headers: head.headers, body, connection }
}

/// Sends a request and reads the whole reply.
pub(crate) async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> Reply {
    open(address, method, path, headers, body).await.read().await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, &[], "").await
}

/// The dialects whose body says everything: their path is the same for every call.
pub(crate) const BY_BODY: [Dialect; 4] =
    [Dialect::OpenaiChat, Dialect::Anthropic, Dialect::OpenaiResponses, Dialect::Cohere];

/// The path of a dialect's chat endpoint; where it names the model, of `oai/small`.
pub(crate) const fn path_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiChat => "/v1/chat/completions",
        Dialect::Anthropic => "/v1/messages",
        Dialect::OpenaiResponses => "/v1/responses",
        Dialect::Gemini => "/v1beta/models/oai/small:generateContent",
        Dialect::Cohere => "/v2/chat",
    }
}

/// The path and the body of a [`question`] as they are sent.
pub(crate) fn sent(dialect: Dialect, question: &Value) -> (String, String) {
    if dialect != Dialect::Gemini {
        return (path_of(dialect).to_owned(), question.to_string());
    }
    let mut body = question.clone();
    let fields = body.as_object_mut().unwrap();
    let (model, stream) = (fields.remove("model").unwrap(), fields.remove("stream").unwrap());
    let method = if stream == true { "streamGenerateContent?alt=sse" } else { "generateContent" };
    (format!("/v1beta/models/{}:{method}", model.as_str().unwrap()), body.to_string())
}

/// The headers an SDK of the dialect sends.
pub(crate) const fn headers_of(dialect: Dialect) -> &'static [(&'static str, &'static str)] {
    match dialect {
        Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Cohere => {
            &[("content-type", "application/json"), ("authorization", "Bearer sk-of-the-client")]
        }
        Dialect::Anthropic => &[
            ("content-type", "application/json"),
            ("x-api-key", "sk-of-the-client"),
            ("anthropic-version", "2023-06-01"),
        ],
        Dialect::Gemini => &[("content-type", "application/json"), ("x-goog-api-key", "sk-of-the-client")],
    }
}

/// A request with one user message. What the text says in double brackets steers the simulator. Model and stream stand in
/// it for every dialect: [`sent`] puts them where they belong.
pub(crate) fn question(dialect: Dialect, model: &str, stream: bool, text: &str) -> Value {
    let limit = match dialect {
        Dialect::OpenaiChat => "max_completion_tokens",
        Dialect::Anthropic | Dialect::Cohere => "max_tokens",
        Dialect::OpenaiResponses => {
            return serde_json::json!({
                "model": model,
                "stream": stream,
                "input": [{"role": "user", "content": text}],
                "max_output_tokens": 4_000,
            });
        }
        Dialect::Gemini => {
            return serde_json::json!({
                "model": model,
                "stream": stream,
                "contents": [{"role": "user", "parts": [{"text": text}]}],
                "generationConfig": {"maxOutputTokens": 4_000},
            });
        }
    };
    serde_json::json!({
        "model": model,
        limit: 4_000,
        "stream": stream,
        "messages": [{"role": "user", "content": text}],
    })
}

/// Asks and reads the whole reply.
pub(crate) async fn ask(
    address: SocketAddr,
    dialect: Dialect,
    extra: &[(&str, &str)],
    body: &Value,
) -> Reply {
    start(address, dialect, extra, body).await.read().await
}

/// Asks and waits for the head of the reply.
pub(crate) async fn start(
    address: SocketAddr,
    dialect: Dialect,
    extra: &[(&str, &str)],
    body: &Value,
) -> Open {
    let mut headers = headers_of(dialect).to_vec();
    headers.extend_from_slice(extra);
    let (path, body) = sent(dialect, body);
    open(address, "POST", &path, &headers, body).await
}

/// Writes bytes as they are, and reads until the other side hangs up or has answered with a whole body.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // A server that has heard enough may hang up before all is written: its answer is still there.
    let written = stream.write_all(bytes).await;
    let answer = read_answer(&mut stream).await;
    assert!(written.is_ok() || !answer.is_empty(), "{written:?}");
    answer
}

/// Reads until the other side hangs up or has answered with a whole body.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let read = timeout(PATIENCE, stream.read(&mut buffer)).await.expect("an answer in time");
        match read {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
        }
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: "))
            && body.len() >= length.parse().unwrap()
        {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}
