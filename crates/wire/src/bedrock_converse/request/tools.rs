//! The tools of a request, written.
//!
//! Bedrock refuses a conversation in which tools were called unless it offers some, and has no word for calling none.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolConfiguration.html>

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::Losses;
use crate::anthropic::{schema, write_schema};
use crate::bedrock_converse::fitting::{stand_in, tool_name};
use crate::chat::{CacheMark, Chat, Part, Tool, ToolChoice};
use crate::json::{Array, Object};

const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Writes `toolConfig`.
pub(super) fn write(request: &mut Object<'_>, chat: &Chat<'_>, losses: &mut Losses) {
    if chat.parallel_tool_calls == Some(false) {
        losses.note("/parallel_tool_calls");
    }
    let used = used(chat);
    let is_wanted = !chat.tools.is_empty() && chat.tool_choice != Some(ToolChoice::None);
    if matches!(chat.tool_choice, Some(ToolChoice::None)) && !chat.tools.is_empty()
        || matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_))) && !is_wanted
    {
        losses.note("/tool_choice");
    }
    if !is_wanted && used.is_empty() {
        return;
    }
    request.object("toolConfig", |config| {
        config.array("tools", |tools| {
            if chat.tools.is_empty() {
                losses.note("/tools");
                for name in used {
                    write_used(tools, name);
                }
            }
            for (index, tool) in chat.tools.iter().enumerate() {
                write_tool(tools, tool, index, losses);
            }
        });
        if is_wanted {
            write_choice(config, chat.tool_choice.as_ref());
        }
    });
}

/// The tools that were called in the conversation, or whose results are in it.
fn used<'c>(chat: &'c Chat<'_>) -> BTreeSet<&'c str> {
    let mut names = BTreeSet::new();
    let mut has_results = false;
    for part in chat.turns.iter().flat_map(|turn| &turn.parts) {
        match part {
            Part::ToolCall { name, .. } => drop(names.insert(&**name)),
            Part::ToolResult { .. } => has_results = true,
            _ => {}
        }
    }
    if names.is_empty() && has_results {
        names.insert("tool");
    }
    names
}

/// The name of a tool as Bedrock takes it.
pub(super) fn named(name: &str) -> String {
    tool_name(name).map_or_else(|| stand_in(name), Cow::into_owned)
}

/// Writes a tool that is there because it was called.
fn write_used(tools: &mut Array<'_>, name: &str) {
    tools.object(|tool| {
        tool.object("toolSpec", |spec| {
            spec.string("name", &named(name));
            spec.object("inputSchema", |schema| schema.literal("json", NO_ARGUMENTS));
        });
    });
}

fn write_tool(tools: &mut Array<'_>, tool: &Tool<'_>, index: usize, losses: &mut Losses) {
    if tool_name(&tool.name).is_none() {
        losses.note(format!("/tools/{index}/name"));
    }
    tools.object(|item| {
        item.object("toolSpec", |spec| {
            spec.string("name", &named(&tool.name));
            spec.string_if("description", tool.description.as_ref().filter(|text| !text.is_empty()));
            spec.object("inputSchema", |input| match &tool.schema {
                Some(json) if tool.strict == Some(true) => {
                    let path = format!("/tools/{index}/function/parameters");
                    write_schema(input, "json", &schema::fitted(json, &path, losses));
                }
                Some(json) => write_schema(input, "json", json),
                None => input.literal("json", NO_ARGUMENTS),
            });
            if let Some(strict) = tool.strict {
                spec.bool("strict", strict);
            }
        });
    });
    write_cache_point(tools, tool.cache);
}

/// Writes the block behind what is marked, if it is.
pub(super) fn write_cache_point(blocks: &mut Array<'_>, cache: Option<CacheMark>) {
    let Some(mark) = cache else { return };
    blocks.object(|block| {
        block.object("cachePoint", |point| {
            point.string("type", "default");
            if mark == CacheMark::Hour {
                point.string("ttl", "1h");
            }
        });
    });
}

fn write_choice(config: &mut Object<'_>, choice: Option<&ToolChoice<'_>>) {
    match choice {
        None | Some(ToolChoice::None) => {}
        Some(ToolChoice::Auto) => config.literal("toolChoice", r#"{"auto":{}}"#),
        Some(ToolChoice::Required) => config.literal("toolChoice", r#"{"any":{}}"#),
        Some(ToolChoice::Named(name)) => config.object("toolChoice", |choice| {
            choice.object("tool", |tool| tool.string("name", &named(name)));
        }),
    }
}
