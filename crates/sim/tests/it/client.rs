//! A simulator to talk to, and a bare HTTP client that tells how a reply ended.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use stepwell_sim::{Oracle, OracleEntry, Sim, SimHandle, SimOptions};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// A simulator that runs until it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) handle: SimHandle,
    pub(crate) oracle: Oracle,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) async fn start() -> Server {
    start_with(SimOptions::default()).await
}

pub(crate) async fn start_with(options: SimOptions) -> Server {
    let sim = Sim::bind(([127, 0, 0, 1], 0).into(), options).await.unwrap();
    let (address, handle, oracle) = (sim.local_addr(), sim.handle(), sim.oracle());
    let task = tokio::spawn(sim.run(std::future::pending()));
    Server { address, handle, oracle, task }
}

/// A reply, as far as it came.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: hyper::HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as a body does.
    pub(crate) complete: bool,
}

impl Got {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The events of a stream, each with its name and data.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        // Google ends its lines with CR LF.
        let text = self.text().replace("\r\n", "\n");
        let field = |block: &str, name: &str| {
            block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned()
        };
        text.split_terminator("\n\n").map(|block| (field(block, "event: "), field(block, "data: "))).collect()
    }

    /// The data of a stream's events, as JSON, but for `[DONE]`.
    pub(crate) fn data(&self) -> Vec<Value> {
        let events = self.events().into_iter().map(|(_, data)| data).filter(|data| data != "[DONE]");
        events
            .map(|data| serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}")))
            .collect()
    }
}

/// What is wrong with a connection that gave no answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    Refused,
    Reset,
    Closed,
}

fn no_answer(error: &(dyn std::error::Error + 'static)) -> NoAnswer {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<std::io::Error>() {
            match error.kind() {
                std::io::ErrorKind::ConnectionReset => return NoAnswer::Reset,
                std::io::ErrorKind::ConnectionRefused => return NoAnswer::Refused,
                _ => {}
            }
        }
        next = error.source();
    }
    NoAnswer::Closed
}

impl Server {
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Got, NoAnswer> {
        let stream = TcpStream::connect(self.address).await.map_err(|error| no_answer(&error))?;
        let (mut sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .map_err(|error| no_answer(&error))?;
        let connection = tokio::spawn(connection);
        let mut request = Request::builder().method(method).uri(path).header("host", "sim");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let reply = sender.send_request(request).await.map_err(|error| no_answer(&error))?;
        let (head, mut incoming) = reply.into_parts();
        let mut got = Got { status: head.status, headers: head.headers, body: Vec::new(), complete: true };
        while let Some(frame) = incoming.frame().await {
            match frame {
                Ok(frame) => got.body.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_) => got.complete = false,
            }
        }
        connection.abort();
        Ok(got)
    }

    pub(crate) async fn openai(&self, body: &Value) -> Got {
        self.openai_with(&[], body).await.unwrap()
    }

    pub(crate) async fn openai_with(&self, headers: &[(&str, &str)], body: &Value) -> Result<Got, NoAnswer> {
        let mut all = vec![("authorization", "Bearer sk-test"), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", "/v1/chat/completions", &all, &body.to_string()).await
    }

    pub(crate) async fn responses(&self, body: &Value) -> Got {
        self.responses_with(&[], body).await.unwrap()
    }

    pub(crate) async fn responses_with(
        &self,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Got, NoAnswer> {
        let mut all = vec![("authorization", "Bearer sk-test"), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", "/v1/responses", &all, &body.to_string()).await
    }

    pub(crate) async fn anthropic(&self, body: &Value) -> Got {
        self.anthropic_with(&[], body).await.unwrap()
    }

    pub(crate) async fn anthropic_with(
        &self,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Result<Got, NoAnswer> {
        let mut all = vec![
            ("x-api-key", "sk-test"),
            ("anthropic-version", "2023-06-01"),
            ("content-type", "application/json"),
        ];
        all.extend_from_slice(headers);
        self.send("POST", "/v1/messages", &all, &body.to_string()).await
    }

    pub(crate) async fn gemini(&self, body: &Value) -> Got {
        self.gemini_with(&[], "small:generateContent", body).await.unwrap()
    }

    /// Calls a method of a model: `small:streamGenerateContent?alt=sse`.
    pub(crate) async fn gemini_with(
        &self,
        headers: &[(&str, &str)],
        call: &str,
        body: &Value,
    ) -> Result<Got, NoAnswer> {
        let mut all = vec![("x-goog-api-key", "sk-test"), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", &format!("/v1beta/models/{call}"), &all, &body.to_string()).await
    }

    pub(crate) async fn cohere(&self, body: &Value) -> Got {
        self.cohere_with(&[], body).await.unwrap()
    }

    pub(crate) async fn cohere_with(&self, headers: &[(&str, &str)], body: &Value) -> Result<Got, NoAnswer> {
        let mut all = vec![("authorization", "Bearer sk-test"), ("content-type", "application/json")];
        all.extend_from_slice(headers);
        self.send("POST", "/v2/chat", &all, &body.to_string()).await
    }

    /// Waits until so many requests have ended, and tells of the last.
    pub(crate) async fn ended(&self, requests: u64) -> OracleEntry {
        let wait = async {
            while self.oracle.totals().requests < requests {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_hours(1), wait).await.unwrap();
        self.oracle.entries(requests - 1, 1).remove(0)
    }
}

/// A plain request in OpenAI's dialect.
pub(crate) fn chat(text: &str) -> Value {
    json!({"model": "small", "messages": [{"role": "user", "content": text}]})
}

/// A plain request in OpenAI's responses dialect.
pub(crate) fn input(text: &str) -> Value {
    json!({"model": "small", "input": text})
}

/// A plain request in Anthropic's dialect.
pub(crate) fn message(text: &str) -> Value {
    json!({"model": "small", "max_tokens": 100, "messages": [{"role": "user", "content": text}]})
}

/// A plain request in Gemini's dialect.
pub(crate) fn content(text: &str) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}]})
}

/// `value` with more members.
pub(crate) fn with(mut value: Value, more: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut value, more) else { panic!("not objects") };
    members.extend(more);
    value
}

/// A function tool with the given parameters.
pub(crate) fn function(name: &str, parameters: &Value) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": parameters}})
}

/// A schema with two required members and one that is not.
pub(crate) fn city_schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "city": {"type": "string", "minLength": 40},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "optional": {"type": "string"},
        },
        "required": ["city", "unit"],
    })
}

pub(crate) fn check_city(arguments: &Value) {
    assert!(arguments["city"].as_str().unwrap().len() >= 40);
    assert!(["celsius", "fahrenheit"].contains(&arguments["unit"].as_str().unwrap()));
    assert!(arguments.get("optional").is_none());
}
