//! What a request sets and its replies say again.

use crate::check::Fields;
use crate::json::{Json, string};

/// What a request sets, as far as its replies depend on it.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// Whether deltas are padded.
    pub(super) obfuscate: bool,
    /// Whether reasoning is sent encrypted.
    pub(super) encrypted: bool,
    /// The list of tools as replies have it, without its brackets.
    pub(super) tools: Vec<u8>,
    /// The members of a reply that repeat the request, without a comma at either end.
    pub(super) echoed: Vec<u8>,
}

impl Settings {
    /// Writes the members that repeat the request, with what holds where it says nothing.
    pub(super) fn echo(&mut self, fields: &Fields<'_, '_, '_>) {
        let mut out = Vec::with_capacity(640 + self.tools.len());
        for (name, value, otherwise) in [
            ("instructions", fields.get("instructions"), "null"),
            ("max_output_tokens", fields.get("max_output_tokens"), "null"),
            ("max_tool_calls", fields.get("max_tool_calls"), "null"),
            ("metadata", fields.get("metadata"), "{}"),
            ("parallel_tool_calls", fields.get("parallel_tool_calls"), "true"),
            ("previous_response_id", None, "null"),
            ("prompt_cache_key", fields.get("prompt_cache_key"), "null"),
            ("prompt_cache_retention", fields.get("prompt_cache_retention"), "null"),
            ("safety_identifier", fields.get("safety_identifier"), "null"),
            ("store", fields.get("store"), "true"),
            ("temperature", fields.get("temperature"), "1.0"),
            ("tool_choice", fields.get("tool_choice"), "\"auto\""),
            ("top_logprobs", fields.get("top_logprobs"), "0"),
            ("top_p", fields.get("top_p"), "1.0"),
            ("truncation", fields.get("truncation"), "\"disabled\""),
            ("user", fields.get("user"), "null"),
        ] {
            member(&mut out, name, value, otherwise);
            out.push(b',');
        }
        out.extend_from_slice(b"\"service_tier\":");
        string(&mut out, tier(fields));
        out.extend_from_slice(b",\"reasoning\":{");
        let reasoning = fields.get("reasoning");
        let summary = option(reasoning, "summary").or(option(reasoning, "generate_summary"));
        member(&mut out, "effort", option(reasoning, "effort"), "null");
        out.push(b',');
        member(&mut out, "summary", summary, "null");
        out.extend_from_slice(b"},\"text\":{");
        member(&mut out, "format", option(fields.get("text"), "format"), "{\"type\":\"text\"}");
        out.push(b',');
        member(&mut out, "verbosity", option(fields.get("text"), "verbosity"), "\"medium\"");
        out.extend_from_slice(b"},\"tools\":[");
        out.extend_from_slice(&self.tools);
        out.push(b']');
        self.echoed = out;
    }

    /// Adds a function to the list of tools.
    pub(super) fn tool(&mut self, name: &str, fields: &Fields<'_, '_, '_>, strict: bool) {
        let out = &mut self.tools;
        if !out.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"type\":\"function\",\"name\":");
        string(out, name);
        for name in ["description", "parameters"] {
            out.push(b',');
            member(out, name, fields.get(name), "null");
        }
        let strict: &[u8] = if strict { b",\"strict\":true}" } else { b",\"strict\":false}" };
        out.extend_from_slice(strict);
    }
}

/// The tier that a request is served in.
fn tier<'j>(fields: &Fields<'j, '_, '_>) -> &'j str {
    match fields.get("service_tier").and_then(Json::as_str) {
        None | Some("auto") => "default",
        Some("fast") => "priority",
        Some(tier) => tier,
    }
}

/// A member of an object, unless it is absent or null.
fn option<'j, 'a>(object: Option<&'j Json<'a>>, name: &str) -> Option<&'j Json<'a>> {
    object?.get(name).filter(|value| !matches!(value, Json::Null))
}

/// A member with its value, or with what holds without one.
fn member(out: &mut Vec<u8>, name: &str, value: Option<&Json<'_>>, otherwise: &str) {
    string(out, name);
    out.push(b':');
    match value {
        Some(value) => value.write(out),
        None => out.extend_from_slice(otherwise.as_bytes()),
    }
}
