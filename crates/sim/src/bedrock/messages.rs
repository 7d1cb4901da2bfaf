//! Reads `system` and `messages`: the order of turns, and that every call of a tool has its result.

use crate::ask::Prompt;
use crate::check::{Fields, Invalid, Path, Shape};
use crate::json::Json;

use super::blocks::{self, CACHE_POINT, Points};

const MESSAGE: Shape = Shape { required: &["role", "content"], optional: &[], nullable: &[] };
const SYSTEM: Shape =
    Shape { required: &[], optional: &["text", CACHE_POINT, "guardContent"], nullable: &[] };

/// The message that is being read.
pub(super) struct Turn<'t, 'j> {
    /// Whether the model says it.
    pub(super) is_assistant: bool,
    /// The prompt.
    pub(super) prompt: &'t mut Prompt<'j>,
    /// The marks for the cache.
    pub(super) points: &'t mut Points,
    /// The names of documents so far.
    pub(super) documents: &'t mut Vec<&'j str>,
    /// The calls it makes.
    pub(super) calls: Vec<&'j str>,
    /// The calls whose results it has.
    pub(super) results: Vec<&'j str>,
    /// Whether it has text.
    pub(super) has_text: bool,
    /// Whether it has a document.
    pub(super) has_document: bool,
}

/// Reads the operator's instructions.
pub(super) fn system<'j>(
    fields: &Fields<'j, '_, '_>,
    prompt: &mut Prompt<'j>,
    points: &mut Points,
) -> Result<(), Invalid> {
    let list = fields.at("system");
    let blocks = fields.array("system")?.unwrap_or_default();
    if !blocks.is_empty() {
        prompt.message("system");
    }
    for (index, block) in blocks.iter().enumerate() {
        let path = list.index(index);
        let block = SYSTEM.read(block, &path)?;
        block.unsupported(&["guardContent"])?;
        if let Some(point) = block.object(CACHE_POINT)? {
            let lifetime = points.read(point, &path.key(CACHE_POINT))?;
            prompt.boundary(lifetime);
        } else {
            prompt.text(blocks::text(block.get("text").unwrap_or(&Json::Null), &path)?);
        }
    }
    Ok(())
}

/// Reads the messages. `configured` says whether tools are.
pub(super) fn read<'j>(
    fields: &Fields<'j, '_, '_>,
    configured: bool,
    prompt: &mut Prompt<'j>,
    points: &mut Points,
) -> Result<(), Invalid> {
    let list = fields.at("messages");
    let messages = fields.array("messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(list.rule(
            "A conversation must start with a user message. Try again with a conversation that starts \
                              with a user message.",
        ));
    }
    let mut documents = Vec::new();
    let mut open: Vec<&'j str> = Vec::new();
    let mut before = "assistant";
    for (index, message) in messages.iter().enumerate() {
        let path = list.index(index);
        let read = MESSAGE.read(message, &path)?;
        let role = read.choice("role", &["user", "assistant"])?.unwrap_or_default();
        if role == before {
            return Err(path.rule(if index == 0 {
                "A conversation must start with a user message. Try again with a conversation that starts with a user \
                 message."
            } else {
                "A conversation must alternate between user and assistant roles. Make sure the conversation alternates \
                 between user and assistant roles and try again."
            }));
        }
        before = role;
        prompt.message(role);
        if role == "user" {
            prompt.results.clear();
        }
        let mut turn = Turn {
            is_assistant: role == "assistant",
            prompt,
            points,
            documents: &mut documents,
            calls: Vec::new(),
            results: Vec::new(),
            has_text: false,
            has_document: false,
        };
        content(&read, &path, &mut turn)?;
        let has_tools = !turn.calls.is_empty() || !turn.results.is_empty();
        if has_tools && !configured {
            return Err(path.rule(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ));
        }
        if turn.has_document && !turn.has_text {
            return Err(path.rule("A text block is required when using documents."));
        }
        let (calls, results) = (turn.calls, turn.results);
        answered(&open, &results, &path)?;
        open = calls;
    }
    answered(&open, &[], &list)
}

fn content<'j>(
    message: &Fields<'j, '_, '_>,
    path: &Path<'_>,
    turn: &mut Turn<'_, 'j>,
) -> Result<(), Invalid> {
    let list = path.key("content");
    let blocks = message.array("content")?.unwrap_or_default();
    if blocks.is_empty() {
        return Err(path.rule(format!(
            "The content field in the Message object at {} is empty. Add a ContentBlock object to the content field \
             and try again.",
            path.dotted()
        )));
    }
    for (index, block) in blocks.iter().enumerate() {
        blocks::read(block, &list.index(index), turn)?;
    }
    Ok(())
}

/// Every call of the turn before must have its result, and every result its call.
fn answered(calls: &[&str], results: &[&str], path: &Path<'_>) -> Result<(), Invalid> {
    let at = path.key("content").dotted();
    if results.len() > calls.len() {
        return Err(path.rule(format!(
            "The number of toolResult blocks at {at} exceeds the number of toolUse blocks of previous turn."
        )));
    }
    let missing: Vec<&str> = calls.iter().copied().filter(|call| !results.contains(call)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(path
        .rule(format!("Expected toolResult blocks at {at} for the following Ids: {}", missing.join(", "))))
}
