//! Reads `messages`: the order of turns, and that every tool use has its result.

use crate::ask::Prompt;
use crate::check::{Fields, Invalid, Path, Problem, Shape};
use crate::json::Json;

use super::blocks::{self, Block, Breakpoints};
use super::request::{Kind, Rules, Version};

const USER: &[&str] = &["text", "image", "document", "tool_result"];
const ASSISTANT: &[&str] = &["text", "thinking", "redacted_thinking", "tool_use"];
const SYSTEM: &[&str] = &["text"];

/// Reads the messages into the prompt.
pub(super) fn read<'j>(
    fields: &Fields<'j, '_, '_>,
    rules: Rules,
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<(), Invalid> {
    let path = fields.at("messages");
    let messages = fields.array("messages")?.unwrap_or_default();
    if messages.is_empty() {
        return Err(path.rule("at least one message is required"));
    }
    let is_reply = |message: &Json<'_>| message.get("role").and_then(Json::as_str) == Some("assistant");
    let final_reply = messages.iter().rposition(is_reply);
    let mut turns = Turns { role: "", uses: Vec::new(), seen: Vec::new(), other_blocks: false, uses_at: 0 };
    for (index, message) in messages.iter().enumerate() {
        let path = path.index(index);
        let last = index + 1 == messages.len();
        let role = role(message, &path)?;
        turns.enter(role, index)?;
        prompt.message(role);
        let content = Content { role, last, rules, final_reply: final_reply == Some(index) };
        content.read(message, &path, prompt, breakpoints, &mut turns)?;
    }
    turns.leave()
}

/// Reads an array of text blocks; for `system`.
pub(super) fn text_blocks<'j>(
    texts: &'j [Json<'_>],
    path: &Path<'_>,
    prompt: &mut Prompt<'j>,
    breakpoints: &mut Breakpoints,
) -> Result<(), Invalid> {
    for (index, text) in texts.iter().enumerate() {
        blocks::read(text, &path.index(index), SYSTEM, prompt, breakpoints)?;
    }
    Ok(())
}

fn role<'j>(message: &'j Json<'_>, path: &Path<'_>) -> Result<&'j str, Invalid> {
    const MESSAGE: Shape = Shape { required: &["role", "content"], optional: &[], nullable: &[] };
    let fields = MESSAGE.read(message, path)?;
    fields.choice("role", &["user", "assistant", "system"])?;
    fields.required_text("role")
}

/// Where the conversation stands.
struct Turns<'j> {
    role: &'j str,
    /// Tool uses that still need a result.
    uses: Vec<&'j str>,
    /// Every tool use so far.
    seen: Vec<&'j str>,
    /// Whether the user's turn has had a block that is no tool result.
    other_blocks: bool,
    /// The message with the open tool uses.
    uses_at: usize,
}

impl<'j> Turns<'j> {
    fn enter(&mut self, role: &'j str, index: usize) -> Result<(), Invalid> {
        let messages = Path::ROOT.key("messages");
        let path = messages.index(index);
        if self.role.is_empty() && role != "user" {
            return Err(messages.rule("first message must use the \"user\" role"));
        }
        if role == "system" && self.role != "user" {
            return Err(path.rule("a message with role 'system' must directly follow a user message"));
        }
        if role != self.role {
            self.other_blocks = false;
            if self.role == "user" {
                self.leave()?;
            }
            if role == "assistant" {
                self.uses_at = index;
            }
        }
        self.role = role;
        Ok(())
    }

    fn add(&mut self, block: Block<'j>, path: &Path<'_>) -> Result<(), Invalid> {
        match block {
            Block::ToolUse(id) => {
                if self.seen.contains(&id) {
                    return Err(Path::ROOT.key("messages").rule("`tool_use` ids must be unique"));
                }
                self.seen.push(id);
                self.uses.push(id);
                Ok(())
            }
            Block::ToolResult(id) => {
                let open = self.uses.iter().position(|open| *open == id).filter(|_| !self.other_blocks);
                let Some(open) = open else {
                    return Err(path.rule(format!(
                        "unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each `tool_result` block must \
                         have a corresponding `tool_use` block in the previous message."
                    )));
                };
                self.uses.remove(open);
                Ok(())
            }
            Block::Text(_) | Block::Media if self.role == "user" => {
                self.other_blocks = true;
                self.leave()
            }
            Block::Text(_) | Block::Media | Block::Thinking => Ok(()),
        }
    }

    /// The tool uses must have their results by now.
    fn leave(&mut self) -> Result<(), Invalid> {
        if self.uses.is_empty() {
            return Ok(());
        }
        Err(Path::ROOT.key("messages").index(self.uses_at).rule(format!(
            "`tool_use` ids were found without `tool_result` blocks immediately after: {}. Each `tool_use` block must \
             have a corresponding `tool_result` block in the next message.",
            self.uses.join(", ")
        )))
    }
}

/// The content of one message.
struct Content<'j> {
    role: &'j str,
    last: bool,
    rules: Rules,
    /// Whether this is the last message of the assistant.
    final_reply: bool,
}

impl<'j> Content<'j> {
    fn read(
        &self,
        message: &'j Json<'_>,
        path: &Path<'_>,
        prompt: &mut Prompt<'j>,
        breakpoints: &mut Breakpoints,
        turns: &mut Turns<'j>,
    ) -> Result<(), Invalid> {
        let at = path.key("content");
        match message.get("content") {
            Some(Json::Str(text)) => {
                if text.is_empty() && !(self.last && self.role == "assistant") {
                    return Err(path.rule(format!("{} messages must have non-empty content", self.role)));
                }
                self.ends_well(text, path)?;
                if self.role == "user" {
                    prompt.user_text(text);
                } else {
                    prompt.text(text);
                }
                turns.add(Block::Text(text), &at)
            }
            Some(Json::Array(list)) => self.blocks(list, path, prompt, breakpoints, turns),
            Some(other) => Err(at.wrong_type("a valid string or list", other)),
            None => Err(at.invalid(Problem::Missing)),
        }
    }

    fn blocks(
        &self,
        list: &'j [Json<'_>],
        path: &Path<'_>,
        prompt: &mut Prompt<'j>,
        breakpoints: &mut Breakpoints,
        turns: &mut Turns<'j>,
    ) -> Result<(), Invalid> {
        let at = path.key("content");
        if list.is_empty() && !(self.last && self.role == "assistant") {
            return Err(path.rule(format!("{} messages must have non-empty content", self.role)));
        }
        let allowed = match self.role {
            "user" => USER,
            "assistant" => ASSISTANT,
            _ => SYSTEM,
        };
        let mut last = None;
        let mut thought = false;
        for (index, block) in list.iter().enumerate() {
            let at = at.index(index);
            let cited = block.get("citations").is_some_and(|citations| !citations.elements().is_empty());
            if cited && self.role == "user" && self.rules.version == Version::V2026 {
                return Err(at
                    .key("text")
                    .key("citations")
                    .rule("citations are not permitted in user messages"));
            }
            let read = blocks::read(block, &at, allowed, prompt, breakpoints)?;
            thought |= read == Block::Thinking;
            let must_think = self.final_reply && self.rules.thinking == Kind::Enabled;
            if must_think && !thought && matches!(read, Block::ToolUse(_)) {
                return Err(at.key("type").rule(
                    "Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a \
                     final `assistant` message must start with a thinking block.",
                ));
            }
            if let (Block::Text(text), "user") = (read, self.role) {
                prompt.heard(text);
            }
            turns.add(read, &at)?;
            last = Some(read);
        }
        match last {
            Some(Block::Thinking) => {
                Err(path.rule("The final block in an assistant message cannot be `thinking`."))
            }
            Some(Block::Text(text)) => self.ends_well(text, path),
            _ => Ok(()),
        }
    }

    /// A last assistant message is a prefill, which not every request may have.
    fn ends_well(&self, text: &str, path: &Path<'_>) -> Result<(), Invalid> {
        if !(self.last && self.role == "assistant") {
            return Ok(());
        }
        if self.rules.thinking != Kind::Off {
            return Err(path.rule(
                "When thinking is enabled, the conversation must end with a user message: prefilling the assistant's \
                 reply is not supported.",
            ));
        }
        if text.ends_with(char::is_whitespace) {
            let messages = Path::ROOT.key("messages");
            return Err(messages.rule("final assistant content cannot end with trailing whitespace"));
        }
        Ok(())
    }
}
