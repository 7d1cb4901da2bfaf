//! Requests, written from the superset. Losses are named as OpenAI names the fields: whoever calls this dialect's writer
//! speaks another one.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::messages::{self, Placed};
use super::thinking::Plan;
use super::tools;
use crate::anthropic::schema;
use crate::bedrock_converse::content::{is_blank, write_text};
use crate::chat::{Chat, Extra, Format, Part, Role, Turn};
use crate::json::{Object, Text, string, write_object};
use crate::{Edits, Error, Losses, Quirks, Written};

/// How many names and values may be kept with a request, and how long each may be.
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#bedrock-runtime_Converse-request-requestMetadata>
const METADATA: usize = 16;
const METADATA_LIMIT: usize = 256;

/// Writes a whole request. The model and whether to stream are for the path to say.
///
/// System and developer turns become the top-level `system`, wherever they stand. A conversation of nothing else is said by
/// the user, since Bedrock wants at least one message. Neighbours of one role are merged, results of tools first.
pub(in crate::bedrock_converse) fn write(
    chat: &Chat<'_>,
    edits: &Edits<'_>,
    quirks: Quirks,
) -> Result<Written, Error> {
    let mut losses = Losses::default();
    let mut metadata = None;
    for Extra { path, value } in &chat.extra {
        match path.as_str() {
            _ if value.get() == "null" => {}
            "/metadata" => metadata = Some(*value),
            path => losses.note(path),
        }
    }
    if chat.user.is_some() {
        losses.note("/user");
    }
    let is_instruction = |turn: &Turn<'_>| matches!(turn.role, Role::System | Role::Developer);
    let (mut instructions, mut spoken): (Vec<_>, Vec<_>) =
        chat.turns.iter().enumerate().partition(|(_, turn)| is_instruction(turn));
    if spoken.is_empty() {
        let last = instructions.pop();
        let last = last.ok_or_else(|| Error::at(Code::InvalidRequest, "messages", "messages is empty"))?;
        losses.note(format!("/messages/{}/role", last.0));
        spoken.push(last);
    }
    let plan = Plan::new(chat, edits, quirks, &mut losses);
    let mut body = Vec::with_capacity(1024);
    write_object(&mut body, |request| {
        request.array("messages", |messages| messages::write(messages, &spoken, &mut losses));
        system(request, &instructions, &mut losses);
        inference(request, chat, quirks, &plan, &mut losses);
        tools::write(request, chat, &mut losses);
        additional(request, chat, quirks, &plan, &mut losses);
        output(request, chat.format.as_ref(), &plan, &mut losses);
        if let Some(metadata) = metadata {
            request_metadata(request, metadata, &mut losses);
        }
    });
    Ok(Written { body, losses })
}

fn system(request: &mut Object<'_>, instructions: &[Placed<'_, '_>], losses: &mut Losses) {
    let mut said = Vec::with_capacity(instructions.len());
    for (turn, Turn { parts, .. }) in instructions {
        for (index, part) in parts.iter().enumerate() {
            match part {
                Part::Text { text, .. } if is_blank(text) => {}
                Part::Text { text, cache } => said.push((&**text, *cache)),
                Part::Other(extra) => losses.note(extra.path.as_str()),
                _ => losses.note(format!("/messages/{turn}/content/{index}")),
            }
        }
    }
    if said.is_empty() {
        return;
    }
    request.array("system", |blocks| {
        for (text, cache) in said {
            write_text(blocks, text);
            tools::write_cache_point(blocks, cache);
        }
    });
}

fn inference(request: &mut Object<'_>, chat: &Chat<'_>, quirks: Quirks, plan: &Plan, losses: &mut Losses) {
    for (key, value) in [
        ("seed", chat.seed),
        ("presence_penalty", chat.presence_penalty),
        ("frequency_penalty", chat.frequency_penalty),
    ] {
        if value.is_some() {
            losses.note(format!("/{key}"));
        }
    }
    // Bedrock refuses sequences that are empty.
    let stop: Vec<_> = chat.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stop.len() < chat.stop.len() {
        losses.note("/stop");
    }
    let mut config = Vec::new();
    write_object(&mut config, |config| {
        config.number_if("maxTokens", plan.max_tokens);
        let fields = [("temperature", "temperature", chat.temperature), ("topP", "top_p", chat.top_p)];
        for (key, named, value) in
            fields.into_iter().filter_map(|(key, named, value)| Some((key, named, value?)))
        {
            let number = value.get().parse::<f64>().unwrap_or(0.0);
            if quirks.no_sampling || plan.thinks {
                // At 1, both leave the model as it is.
                if (number - 1.0).abs() >= f64::EPSILON {
                    losses.note(format!("/{named}"));
                }
            } else if number > 1.0 {
                // OpenAI goes to 2, Bedrock to 1.
                losses.note(format!("/{named}"));
                config.literal(key, "1");
            } else {
                config.raw(key, value);
            }
        }
        if !stop.is_empty() {
            config.array("stopSequences", |sequences| {
                for stop in &stop {
                    sequences.string(stop);
                }
            });
        }
    });
    if config.len() > "{}".len() {
        request.key("inferenceConfig").extend_from_slice(&config);
    }
    if !stop.is_empty() {
        // Which of them came is no field of Converse's, but one of the model's own reply, where it has it.
        request.array("additionalModelResponseFieldPaths", |paths| paths.string("/stop_sequence"));
    }
}

/// Writes the fields of the model's own request: those of Claude, for no other model takes them.
fn additional(request: &mut Object<'_>, chat: &Chat<'_>, quirks: Quirks, plan: &Plan, losses: &mut Losses) {
    let top_k = chat.top_k.filter(|_| quirks.claude && !quirks.no_sampling && !plan.thinks);
    if top_k.is_none() && chat.top_k.is_some() {
        losses.note("/top_k");
    }
    let mut fields = Vec::new();
    write_object(&mut fields, |additional| {
        plan.write(additional);
        additional.raw_if("top_k", top_k);
    });
    if fields.len() > "{}".len() {
        request.key("additionalModelRequestFields").extend_from_slice(&fields);
    }
}

/// Writes effort and format. Being held to the schema exactly is Bedrock's only way, which takes the keywords that Anthropic
/// takes; models that cannot be refuse the request: <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>.
fn output(request: &mut Object<'_>, format: Option<&Format<'_>>, plan: &Plan, losses: &mut Losses) {
    let schema = match format {
        Some(Format::JsonSchema { name, description, schema, .. }) => {
            Some((name, description, schema::fitted(schema, "/response_format/json_schema/schema", losses)))
        }
        Some(Format::JsonObject) => {
            losses.note("/response_format");
            None
        }
        None => None,
    };
    if schema.is_none() && plan.effort.is_none() {
        return;
    }
    request.object("outputConfig", |config| {
        if let Some((name, description, schema)) = schema {
            config.object("textFormat", |format| {
                format.string("type", "json_schema");
                format.object("structure", |structure| {
                    structure.object("jsonSchema", |definition| {
                        definition.string("schema", schema.get());
                        definition.string_if("name", name.as_ref());
                        definition.string_if("description", description.as_ref());
                    });
                });
            });
        }
        if let Some(effort) = &plan.effort {
            config.string("effort", effort);
        }
    });
}

/// Writes names and values as far as Bedrock takes them.
fn request_metadata(request: &mut Object<'_>, metadata: &RawValue, losses: &mut Losses) {
    let Ok(pairs) = serde_json::from_str::<BTreeMap<Text<'_>, Text<'_>>>(metadata.get()) else {
        return losses.note("/metadata");
    };
    let plain = |text: &str| {
        let is_plain = |letter: char| {
            letter.is_ascii_alphanumeric() || letter.is_ascii_whitespace() || ":_@$#=/+,-.".contains(letter)
        };
        text.len() <= METADATA_LIMIT && text.chars().all(is_plain)
    };
    let is_sayable =
        |(name, value): &(&Text<'_>, &Text<'_>)| !name.0.is_empty() && plain(&name.0) && plain(&value.0);
    let said: Vec<_> = pairs.iter().filter(is_sayable).take(METADATA).collect();
    if said.len() == pairs.len() && !said.is_empty() {
        return request.raw("requestMetadata", metadata);
    }
    if said.len() < pairs.len() {
        losses.note("/metadata");
    }
    if said.is_empty() {
        return;
    }
    request.object("requestMetadata", |fields| {
        for (name, value) in said {
            string(fields.any_key(&name.0), &value.0);
        }
    });
}
