//! Answers one call: reads it, makes the reply, applies the fault. Everything here is immediate; waiting is `route`'s.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response};
use stepwell_types::{Dialect, Endpoint, Timestamp};

use crate::anthropic::request::Version;
use crate::ask::{Ask, Thinking};
use crate::body::ReplyBody;
use crate::check::{Invalid, Path};
use crate::failure::Failure;
use crate::gemini::address::{self, Action, Address, Form};
use crate::generate::{self, Ids};
use crate::head::{error_response, html, identify, json_type, rate_limit_headers, respond};
use crate::json::Json;
use crate::knobs::{self, Knobs};
use crate::openai::responses::{self, settings::Settings};
use crate::options::{ModelOptions, Timing};
use crate::oracle::{Ended, Tokens, id_text};
use crate::prompt_cache::Cached;
use crate::reply::{Events, Reply};
use crate::socket::{HangUp, Line};
use crate::state::{Account, State};
use crate::{Fault, anthropic, bedrock, cohere, gemini, keys, ollama, openai};

/// What to do about a call.
pub(crate) struct Answer {
    /// How long to wait first.
    pub(crate) wait: Duration,
    /// What then.
    pub(crate) deed: Deed,
}

/// What to do about a call, after waiting.
pub(crate) enum Deed {
    /// Send a reply, and close the account, if it is still open.
    Respond(Box<Response<ReplyBody>>, Option<(Account, Ended)>),
    /// Hang up.
    HangUp(HangUp, Account),
    /// Nothing, ever.
    Silence(Account),
}

/// A call, read off the wire.
pub(crate) struct Call<'c> {
    /// The simulator.
    pub(crate) state: &'c Arc<State>,
    /// The connection.
    pub(crate) line: &'c Line,
    /// In which dialect.
    pub(crate) dialect: Dialect,
    /// What is asked for.
    pub(crate) endpoint: Endpoint,
    /// The head.
    pub(crate) headers: &'c HeaderMap,
    /// Its path.
    pub(crate) path: &'c str,
    /// Its query.
    pub(crate) query: Option<&'c str>,
    /// When it came.
    pub(crate) now: Timestamp,
    /// The request's number.
    pub(crate) id: u64,
}

/// Answers a call whose body is `bytes`.
pub(crate) fn call(call: &Call<'_>, bytes: &[u8]) -> Answer {
    let account = Account::open(call.state, call.id, call.dialect, call.endpoint, call.headers);
    if let Err(failure) = call.admit() {
        return call.fail(account, &failure);
    }
    let json = match Json::parse(bytes) {
        Ok(json) => json,
        Err(error) => {
            let message = match call.dialect {
                Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                    format!("We could not parse the JSON body of your request. ({error})")
                }
                Dialect::Anthropic => format!("The request body is not valid JSON: {error}"),
                Dialect::Gemini => format!("Invalid JSON payload received. {error}"),
                Dialect::Cohere => format!("invalid json syntax: {error}"),
                Dialect::Ollama => error.to_string(),
                Dialect::BedrockConverse => format!("Malformed input request: {error}"),
            };
            return call.fail(account, &Failure::new(call.dialect, 400, message));
        }
    };
    if call.endpoint == Endpoint::Embeddings {
        return call.embed(account, &json);
    }
    match (call.dialect, call.endpoint) {
        (Dialect::OpenaiChat, _) => match openai::request::read(&json, &call.state.models) {
            Ok(request) => {
                let form = openai::stream::Form {
                    include_usage: request.include_usage,
                    obfuscate: request.obfuscate,
                };
                call.serve(account, &request.ask, &ReplyForm::OpenaiChat(form))
            }
            Err(invalid) => call.refuse(account, &invalid),
        },
        (Dialect::OpenaiResponses, endpoint) => {
            let (models, boot) = (&call.state.models, call.state.boot);
            let request = match endpoint {
                Endpoint::CountTokens => responses::request::read_count(&json, models, boot),
                _ => responses::request::read(&json, models, boot),
            };
            match request {
                Ok(request) => {
                    call.serve(account, &request.ask, &ReplyForm::OpenaiResponses(request.settings))
                }
                Err(invalid) => call.refuse(account, &invalid),
            }
        }
        (Dialect::Anthropic, endpoint) => {
            let version = call.version().unwrap_or(Version::V2023);
            let ask = match endpoint {
                Endpoint::CountTokens => anthropic::request::read_count(&json, &call.state.models, version),
                _ => anthropic::request::read(&json, &call.state.models, version),
            };
            match ask {
                Ok(ask) => call.serve(account, &ask, &ReplyForm::Anthropic),
                Err(invalid) => call.refuse(account, &invalid),
            }
        }
        (Dialect::Cohere, _) => match cohere::request::read(&json, &call.state.models) {
            Ok(ask) => call.serve(account, &ask, &ReplyForm::Cohere),
            Err(invalid) => call.refuse(account, &invalid),
        },
        (Dialect::BedrockConverse, _) => {
            let Some(address) = bedrock::address::Address::read(call.path) else {
                return call.fail(account, &Failure::new(call.dialect, 404, "Not Found"));
            };
            let schema = bedrock::request::schema(&json);
            match bedrock::request::read(&json, schema.as_ref(), &call.state.models, &address) {
                Ok(ask) => call.serve(account, &ask, &ReplyForm::BedrockConverse),
                Err(invalid) => call.refuse(account, &invalid),
            }
        }
        (Dialect::Gemini, _) => {
            let Some(address) = Address::read(call.path) else {
                return call.fail(account, &Failure::new(call.dialect, 404, "Not Found"));
            };
            match gemini::request::read(&json, &call.state.models, address) {
                Ok(ask) => call.serve(account, &ask, &ReplyForm::Gemini),
                Err(invalid) => call.refuse(account, &invalid),
            }
        }
        (Dialect::Ollama, _) => match ollama::request::read(&json, &call.state.models) {
            Ok(ask) => call.serve(account, &ask, &ReplyForm::Ollama),
            Err(invalid) => call.refuse(account, &invalid),
        },
    }
}

/// What a request of each dialect says of the form of its reply.
pub(crate) enum ReplyForm {
    /// Of a chat completion.
    OpenaiChat(openai::stream::Form),
    /// Of a response.
    OpenaiResponses(Settings),
    /// Of a message.
    Anthropic,
    /// Of generated content.
    Gemini,
    /// Of Cohere's chat.
    Cohere,
    /// Of Ollama's chat.
    Ollama,
    /// Of Bedrock's Converse.
    BedrockConverse,
}

impl Call<'_> {
    /// What the head of the request must have.
    fn admit(&self) -> Result<(), Failure> {
        keys::check(self.dialect, self.headers, self.query)
            .map_err(|refused| Failure::key(self.dialect, refused))?;
        let json =
            self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).is_some_and(|value| {
                value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
            });
        // Ollama takes what it is sent for JSON, as its examples for `curl` do.
        if !json && self.dialect != Dialect::Ollama {
            return Err(Failure::new(self.dialect, 415, "content-type: must be application/json"));
        }
        if self.headers.contains_key(CONTENT_ENCODING) {
            return Err(Failure::new(self.dialect, 415, "content-encoding: is not supported"));
        }
        match self.dialect {
            Dialect::OpenaiChat
            | Dialect::OpenaiResponses
            | Dialect::Cohere
            | Dialect::Ollama
            | Dialect::BedrockConverse => Ok(()),
            Dialect::Anthropic => self.admit_version(),
            Dialect::Gemini => match address::wrong_parameter(self.query) {
                Some(message) => Err(Failure::new(self.dialect, 400, message)),
                None => Ok(()),
            },
        }
    }

    fn admit_version(&self) -> Result<(), Failure> {
        match self.headers.get("anthropic-version") {
            Some(_) if self.version().is_some() => Ok(()),
            Some(other) => {
                let version = String::from_utf8_lossy(other.as_bytes());
                let message = format!("anthropic-version: \"{version}\" is not a valid version");
                Err(Failure::new(self.dialect, 400, message))
            }
            None => Err(Failure::new(self.dialect, 400, "anthropic-version: header is required")),
        }
    }

    fn version(&self) -> Option<Version> {
        Version::read(self.headers.get("anthropic-version")?.as_bytes())
    }

    pub(crate) fn refuse(&self, account: Account, invalid: &Invalid) -> Answer {
        self.fail(account, &Failure::invalid(self.dialect, invalid))
    }

    /// Answers with an error, which is not billed.
    pub(crate) fn fail(&self, mut account: Account, failure: &Failure) -> Answer {
        account.note(|row| row.status = failure.status());
        let response = self.error(failure, self.id);
        Answer {
            wait: Duration::ZERO,
            deed: Deed::Respond(Box::new(response), Some((account, Ended::Error))),
        }
    }

    fn error(&self, failure: &Failure, id: u64) -> Response<ReplyBody> {
        let response = error_response(self.state, failure, id);
        // A stream that is a list is one when it fails as well.
        let listed = Address::read(self.path).is_some_and(|address| address.action == Action::Stream)
            && address::form(self.query) == Form::Array;
        if self.dialect != Dialect::Gemini || !listed {
            return response;
        }
        response.map(|body| match body {
            ReplyBody::Whole(bytes) => ReplyBody::Whole(Bytes::from([b"[", &*bytes, b"]"].concat())),
            script @ ReplyBody::Script(_) => script,
        })
    }

    /// Answers a valid request.
    fn serve(&self, mut account: Account, ask: &Ask<'_, '_>, form: &ReplyForm) -> Answer {
        let Some(model) = self.state.models.get(ask.model) else {
            return self.fail(account, &Failure::new(self.dialect, 500, "the model is gone"));
        };
        account.note(|row| {
            row.model = Some(ask.model);
            row.streamed = ask.stream;
        });
        let text = &*ask.prompt.last_user_text;
        let knobs = match knobs::read(self.headers, text, self.state.options.timing, self.dialect) {
            Ok(knobs) => knobs,
            Err(message) => return self.fail(account, &Failure::new(self.dialect, 400, message)),
        };
        if let Err(invalid) = fits(ask, model, self.dialect) {
            return self.refuse(account, &invalid);
        }
        if model.embeds() {
            let message = format!(
                "{} is not a chat model and thus not supported here. Did you mean to embed?",
                model.name
            );
            return self.refuse(account, &Path::ROOT.key("model").rule(message));
        }
        let fault = self.fault(knobs.fault.clone(), &model.name);
        account.note(|row| row.fault = fault.as_ref().map(Fault::name));
        let wait = fault.as_ref().map_or(Duration::ZERO, Fault::head_delay);
        let account = match self.before_reply(account, fault.as_ref(), ask.stream) {
            Ok(account) => account,
            Err(deed) => return Answer { wait, deed: *deed },
        };
        if self.endpoint == Endpoint::CountTokens {
            return self.count(account, ask, wait);
        }
        let cached = self.cached(ask);
        let ids = Ids { boot: self.state.boot, request: self.id, dialect: self.dialect };
        let mut reply = generate::reply(ask, &knobs, model.max_output_tokens, cached, ids);
        if self.dialect == Dialect::Ollama {
            // It counts what is left of the prompt, and does not count thinking apart.
            reply.tokens.input = reply.tokens.input.min(model.context_tokens);
            reply.tokens.reasoning = 0;
        }
        self.reply(account, &Made { ask, knobs: &knobs, model, reply: &reply, form, fault, wait })
    }

    /// What goes wrong: what the request itself names, else the script, else the options.
    pub(crate) fn fault(&self, named: Option<Fault>, model: &str) -> Option<Fault> {
        named.or_else(|| self.state.faults.next(model)).or_else(|| self.state.options.fault.clone())
    }

    fn cached(&self, ask: &Ask<'_, '_>) -> Cached {
        let least = self.state.options.cache_min_tokens;
        match self.dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses | Dialect::Gemini | Dialect::Cohere => {
                self.state.cache.automatic(&ask.prompt.boundaries, least, self.now)
            }
            Dialect::Anthropic | Dialect::BedrockConverse => {
                self.state.cache.marked(&ask.prompt.boundaries, least, self.now)
            }
            // What it has in its cache, it does not say.
            Dialect::Ollama => Cached::default(),
        }
    }

    /// Faults that keep a reply from being made.
    pub(crate) fn before_reply(
        &self,
        mut account: Account,
        fault: Option<&Fault>,
        stream: bool,
    ) -> Result<Account, Box<Deed>> {
        let (failure, wait) = match fault {
            Some(Fault::Refuse) => return Err(Box::new(Deed::HangUp(HangUp::Close, account))),
            Some(Fault::Reset) => return Err(Box::new(Deed::HangUp(HangUp::Reset, account))),
            Some(Fault::Blackhole) => {
                account.note(|row| row.ended = Ended::CutByFault);
                return Err(Box::new(Deed::Silence(account)));
            }
            Some(Fault::Html(status)) => {
                account.note(|row| row.status = *status);
                return Err(Box::new(Deed::Respond(Box::new(html(*status)), Some((account, Ended::Error)))));
            }
            Some(Fault::Status(status, kind)) => {
                let message = format!("simulated fault: status {status}");
                (Failure::new(self.dialect, *status, message).kind(kind.as_deref()), None)
            }
            Some(Fault::RateLimit(seconds)) => (Failure::rate_limit(self.dialect, *seconds), Some(*seconds)),
            Some(Fault::StreamError(_)) if !stream => match self.dialect {
                Dialect::OpenaiChat | Dialect::OpenaiResponses => {
                    (Failure::new(self.dialect, 503, "The server is overloaded"), None)
                }
                Dialect::Anthropic => (Failure::new(self.dialect, 529, "Overloaded"), None),
                Dialect::Gemini => (Failure::Gemini(gemini::error::overload()), None),
                Dialect::Cohere => (Failure::new(self.dialect, 503, cohere::error::OVERLOAD), None),
                Dialect::Ollama => (Failure::Ollama(ollama::error::overload()), None),
                Dialect::BedrockConverse => (Failure::new(self.dialect, 503, bedrock::error::OVERLOAD), None),
            },
            _ => return Ok(account),
        };
        account.note(|row| row.status = failure.status());
        let mut response = self.error(&failure, self.id);
        if let Some(seconds) = wait.filter(|_| self.dialect != Dialect::Gemini) {
            let headers = response.headers_mut();
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
            rate_limit_headers(headers, self.dialect, self.state, self.now, "0");
        }
        Err(Box::new(Deed::Respond(Box::new(response), Some((account, Ended::Error)))))
    }

    fn count(&self, mut account: Account, ask: &Ask<'_, '_>, wait: Duration) -> Answer {
        account.note(|row| row.status = 200);
        let tokens = ask.prompt.tokens();
        let body = match self.dialect {
            Dialect::OpenaiChat | Dialect::Anthropic | Dialect::Cohere | Dialect::Ollama => {
                format!("{{\"input_tokens\":{tokens}}}").into_bytes()
            }
            Dialect::OpenaiResponses => responses::reply::count(tokens),
            Dialect::BedrockConverse => format!("{{\"inputTokens\":{tokens}}}").into_bytes(),
            Dialect::Gemini => gemini::reply::count(tokens),
        };
        let response = self.head(200, json_type(self.dialect), ReplyBody::Whole(Bytes::from(body)));
        Answer { wait, deed: Deed::Respond(Box::new(response), Some((account, Ended::Finished))) }
    }

    fn reply(&self, mut account: Account, made: &Made<'_>) -> Answer {
        let tokens = made.reply.tokens;
        account.note(|row| {
            row.status = 200;
            row.billed = true;
            row.tokens = tokens;
        });
        if made.ask.stream {
            account.generated(0, 0);
            let events = self.events(made);
            return self.stream(account, made, events);
        }
        let id = id_text(self.dialect, self.state.boot, self.id);
        let body = match made.form {
            ReplyForm::OpenaiChat(_) => openai::reply::write(&self.openai_head(&id, made.model), made.reply),
            ReplyForm::OpenaiResponses(settings) => {
                responses::reply::write(&self.responses_head(&id, made.model, settings), made.reply)
            }
            ReplyForm::Anthropic => anthropic::reply::write(&anthropic_head(&id, made), made.reply),
            ReplyForm::Gemini => gemini::reply::write(&gemini_head(&id, made), made.reply),
            ReplyForm::Cohere => cohere::reply::write(&id, made.reply),
            ReplyForm::Ollama => ollama::reply::write(&self.ollama_head(made.model), made.reply),
            ReplyForm::BedrockConverse => bedrock::reply::write(made.reply),
        };
        let sent = Sent { tokens, timing: made.knobs.timing, fault: made.fault.as_ref(), wait: made.wait };
        self.whole(account, sent, body)
    }

    fn openai_head<'h>(&self, id: &'h str, model: &'h ModelOptions) -> openai::reply::Head<'h> {
        openai::reply::Head { id, created: self.now.as_seconds(), model: &model.name }
    }

    fn ollama_head<'h>(&self, model: &'h ModelOptions) -> ollama::reply::Head<'h> {
        ollama::reply::Head { created: self.now, model: &model.name }
    }

    /// What every reply of the responses dialect begins with.
    pub(crate) fn responses_head<'h>(
        &self,
        id: &'h str,
        model: &'h ModelOptions,
        settings: &'h Settings,
    ) -> responses::reply::Head<'h> {
        responses::reply::Head { id, created: self.now.as_seconds(), model: &model.name, settings }
    }

    fn events(&self, made: &Made<'_>) -> Events {
        let id = id_text(self.dialect, self.state.boot, self.id);
        match made.form {
            ReplyForm::OpenaiChat(form) => {
                openai::stream::write(&self.openai_head(&id, made.model), made.reply, *form)
            }
            ReplyForm::OpenaiResponses(settings) => {
                responses::stream::write(&self.responses_head(&id, made.model, settings), made.reply)
            }
            ReplyForm::Anthropic => anthropic::stream::write(&anthropic_head(&id, made), made.reply),
            ReplyForm::BedrockConverse => bedrock::stream::write(made.reply),
            ReplyForm::Gemini => {
                gemini::stream::write(&gemini_head(&id, made), made.reply, address::form(self.query))
            }
            ReplyForm::Cohere => cohere::stream::write(&id, made.reply),
            ReplyForm::Ollama => ollama::stream::write(&self.ollama_head(made.model), made.reply),
        }
    }

    /// The head of a good reply, with the vendor's ordinary headers.
    pub(crate) fn head(&self, status: u16, kind: &'static str, body: ReplyBody) -> Response<ReplyBody> {
        let mut response = respond(status, kind, body);
        let headers = response.headers_mut();
        headers.reserve(16);
        identify(headers, self.dialect, self.state, self.id);
        rate_limit_headers(headers, self.dialect, self.state, self.now, "9999");
        response
    }
}

/// A reply and what it was made from.
pub(crate) struct Made<'m> {
    /// The request.
    pub(crate) ask: &'m Ask<'m, 'm>,
    /// What it asks of the simulator.
    pub(crate) knobs: &'m Knobs<'m>,
    /// The model.
    pub(crate) model: &'m ModelOptions,
    /// The reply.
    pub(crate) reply: &'m Reply,
    /// What the request says of its form.
    pub(crate) form: &'m ReplyForm,
    /// What goes wrong.
    pub(crate) fault: Option<Fault>,
    /// How much later the head comes.
    pub(crate) wait: Duration,
}

/// What decides how a whole reply is handed over.
#[derive(Clone, Copy)]
pub(crate) struct Sent<'m> {
    /// What it took.
    pub(crate) tokens: Tokens,
    /// How fast it comes.
    pub(crate) timing: Timing,
    /// What goes wrong.
    pub(crate) fault: Option<&'m Fault>,
    /// How much later the head comes.
    pub(crate) wait: Duration,
}

fn anthropic_head<'h>(id: &'h str, made: &Made<'h>) -> anthropic::reply::Head<'h> {
    let thinking = made.ask.thinking != Thinking::Off;
    anthropic::reply::Head { id, model: &made.model.name, thinking }
}

fn gemini_head<'h>(id: &'h str, made: &Made<'h>) -> gemini::reply::Head<'h> {
    gemini::reply::Head { id, model: &made.model.name }
}

/// Whether the prompt fits in the model's context.
fn fits(ask: &Ask<'_, '_>, model: &ModelOptions, dialect: Dialect) -> Result<(), Invalid> {
    let (tokens, most) = (ask.prompt.tokens(), model.context_tokens);
    // Ollama drops the oldest messages, and says nothing of it: https://docs.ollama.com/context-length
    if tokens <= most || dialect == Dialect::Ollama {
        return Ok(());
    }
    Err(match dialect {
        Dialect::BedrockConverse => Path::ROOT.key("messages").rule("Input is too long for requested model."),
        Dialect::Gemini => Path::ROOT.key("contents").rule(format!(
            "The input token count ({tokens}) exceeds the maximum number of tokens allowed ({most})."
        )),
        Dialect::OpenaiResponses => Path::ROOT.key("input").rule_with_code(
            "context_length_exceeded",
            "Your input exceeds the context window of this model. Please adjust your input and try again.",
        ),
        Dialect::OpenaiChat | Dialect::Anthropic | Dialect::Cohere | Dialect::Ollama => {
            Path::ROOT.key("messages").rule_with_code(
                "context_length_exceeded",
                format!("prompt is too long: {tokens} tokens > {most} maximum"),
            )
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimOptions;
    use proptest::prelude::*;

    const OPENAI: &str = r#"{"model":"small","stream":true,"stop":["a","b"],"max_tokens":40,"messages":[
        {"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"use t [[sim:tokens=9]] é"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]},
        {"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":"r"},{"role":"user","content":"use t"}],
        "tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object","required":["x"],"properties":
        {"x":{"type":"array","items":{"enum":[1,null,"z"]}}}}}}],"response_format":{"type":"text"}}"#;
    const ANTHROPIC: &str = r#"{"model":"large","max_tokens":2000,"system":[{"type":"text","text":"s","cache_control":
        {"type":"ephemeral"}}],"thinking":{"type":"enabled","budget_tokens":1024},"stop_sequences":["x"],"messages":[
        {"role":"user","content":"[[fault:cut 3]] go"},{"role":"assistant","content":"ok"},
        {"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
        {"type":"text","text":"use t"}]}],"tools":[{"name":"t","input_schema":{"type":"object","required":["n"],
        "properties":{"n":{"type":"number","minimum":-3,"multipleOf":2}}}}],"stream":false}"#;
    const RESPONSES: &str = r#"{"model":"small","stream":true,"max_output_tokens":40,"instructions":"s","input":[
        {"role":"user","content":[{"type":"input_text","text":"use t [[sim:tokens=9]] é"},
        {"type":"input_image","image_url":"data:image/png;base64,aGVsbG8="}]},
        {"type":"function_call","id":"fc_1","call_id":"a","name":"t","arguments":"{}"},
        {"type":"function_call_output","call_id":"a","output":[{"type":"input_text","text":"r"}]},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"o","annotations":[]}]},
        {"role":"user","content":"use t"}],"tools":[{"type":"function","name":"t","strict":false,"parameters":
        {"type":"object","required":["x"],"properties":{"x":{"type":"array","items":{"enum":[1,null,"z"]}}}}}],
        "reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"],"text":{"format":
        {"type":"text"},"verbosity":"low"},"metadata":{"k":"v"},"store":false,"temperature":0.5}"#;
    const GEMINI: &str = r#"{"systemInstruction":{"parts":[{"text":"s"}]},"contents":[
        {"parts":[{"text":"use t [[sim:tokens=9]] é"},{"inline_data":{"mime_type":"image/png","data":"aGVsbG8="}}]},
        {"role":"model","parts":[{"functionCall":{"id":"a","name":"t","args":{"x":[1,null]}},"thoughtSignature":"c2ln"}]},
        {"role":"user","parts":[{"functionResponse":{"id":"a","name":"t","response":{"result":"r"}}},{"text":"use t"}]}],
        "tools":[{"functionDeclarations":[{"name":"t","parameters":{"type":"OBJECT","required":["x"],"properties":
        {"x":{"type":"ARRAY","minItems":"2","items":{"type":"STRING","enum":["y","z"]}}}}}]}],
        "toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["t"]}},
        "generationConfig":{"stopSequences":["x"],"maxOutputTokens":2000,"temperature":0.5,"topK":"40",
        "thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}}"#;

    const COHERE: &str = r#"{"model":"small","stream":true,"max_tokens":40,"temperature":0.3,"p":0.75,"k":0,"messages":[
        {"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"use t [[sim:tokens=9]] é"},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]},
        {"role":"assistant","tool_plan":"p","tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"a","content":[{"type":"document","document":{"data":{"x":1}}}]},
        {"role":"user","content":"use t"}],"stop_sequences":["a"],"thinking":{"type":"enabled","token_budget":7},
        "tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object","required":["x"],"properties":
        {"x":{"type":"array","items":{"enum":[1,null,"z"]}}}}}}],"documents":["d",{"data":{"e":1}}]}"#;

    const OLLAMA: &str = r#"{"model":"small","stream":false,"format":{"type":"object"},"think":"low","messages":[
        {"role":"system","content":"s"},{"role":"user","content":"use t [[sim:tokens=9]] é","images":["aGVsbG8="]},
        {"role":"assistant","content":"","tool_calls":[{"id":"a","function":{"index":0,"name":"t","arguments":{"x":[1]}}}]},
        {"role":"tool","tool_name":"t","content":"r"},{"role":"user","content":"use t"}],"keep_alive":"5m",
        "tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object","required":["x"],"properties":
        {"x":{"type":"array","items":{"enum":[1,null,"z"]}}}}}}],"options":{"num_ctx":9,"num_predict":40,"stop":["x"]}}"#;

    const BEDROCK: &str = r#"{"system":[{"text":"s"},{"cachePoint":{"type":"default","ttl":"1h"}}],"messages":[
        {"role":"user","content":[{"text":"use t [[sim:tokens=9]] é"},{"image":{"format":"png","source":{"bytes":"aGVsbG8="}}},
        {"document":{"format":"pdf","name":"a (1)","source":{"bytes":"aGVsbG8="}}}]},
        {"role":"assistant","content":[{"text":"ok"},{"toolUse":{"toolUseId":"a","name":"t","input":{"x":[1,null]}}}]},
        {"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"text":"r"},{"json":{"d":1}}],"status":"success"}},
        {"text":"use t"}]}],"toolConfig":{"tools":[{"toolSpec":{"name":"t","description":"d","strict":false,"inputSchema":
        {"json":{"type":"object","required":["n"],"properties":{"n":{"type":"number","minimum":-3}}}}}}],"toolChoice":{"auto":{}}},
        "inferenceConfig":{"maxTokens":2000,"temperature":0.5,"topP":0.9,"stopSequences":["x"]},"requestMetadata":{"a":"b"},
        "additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}},
        "additionalModelResponseFieldPaths":["/stop_sequence"],"serviceTier":{"type":"default"},"outputConfig":{"textFormat":
        {"type":"json_schema","structure":{"jsonSchema":{"schema":"{\"type\":\"object\",\"additionalProperties\":false}"}}}}}"#;

    fn answer(state: &Arc<State>, dialect: Dialect, bytes: &[u8]) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-api-key", HeaderValue::from_static("k"));
        headers.insert("authorization", HeaderValue::from_static("Bearer k"));
        headers.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        headers.insert("x-goog-api-key", HeaderValue::from_static("k"));
        let line = Line::default();
        let now = Timestamp::from_micros(0);
        let endpoint = Endpoint::Chat;
        let path = match dialect {
            Dialect::BedrockConverse => "/model/large/converse",
            _ => "/v1beta/models/large:generateContent",
        };
        let (headers, query) = (&headers, None);
        call(&Call { state, line: &line, dialect, endpoint, headers, path, query, now, id: 1 }, bytes)
    }

    fn status(answer: &Answer) -> u16 {
        match &answer.deed {
            Deed::Respond(response, _) => response.status().as_u16(),
            Deed::HangUp(..) | Deed::Silence(_) => 0,
        }
    }

    #[test]
    fn the_requests_that_are_mutated_below_are_good_ones() {
        let state = Arc::new(State::new(SimOptions::default()));
        assert_eq!(status(&answer(&state, Dialect::OpenaiChat, OPENAI.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::Anthropic, ANTHROPIC.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::OpenaiResponses, RESPONSES.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::Gemini, GEMINI.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::Cohere, COHERE.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::Ollama, OLLAMA.as_bytes())), 200);
        assert_eq!(status(&answer(&state, Dialect::BedrockConverse, BEDROCK.as_bytes())), 200);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn no_request_makes_it_panic(
            dialect in prop::sample::select(Dialect::ALL.to_vec()),
            at in any::<prop::sample::Index>(),
            cut in 0_usize..24,
            put in prop::sample::select(vec![
                "", "null", "{}", "[]", "\"\"", "-1", "1e400", "9223372036854775808", "true", "\"é\"", ",", "}", "\"x\":",
                "[[fault:stall 1 1]]", "[[sim:tokens=4294967295]]", "\\ud800", "\u{0}", "[[[[[[[[",
            ]),
        ) {
            let state = Arc::new(State::new(SimOptions::default()));
            let base = match dialect {
                Dialect::OpenaiChat => OPENAI,
                Dialect::Anthropic => ANTHROPIC,
                Dialect::OpenaiResponses => RESPONSES,
                Dialect::Gemini => GEMINI,
                Dialect::Cohere => COHERE,
                Dialect::Ollama => OLLAMA,
                Dialect::BedrockConverse => BEDROCK,
            };
            let mut bytes = base.as_bytes().to_vec();
            let from = at.index(bytes.len());
            let to = (from + cut).min(bytes.len());
            bytes.splice(from..to, put.bytes());
            let status = status(&answer(&state, dialect, &bytes));
            prop_assert!([0, 200, 400, 404].contains(&status), "{status}");
        }
    }
}
