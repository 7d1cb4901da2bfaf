//! How much the model thinks, and the limit on output that goes with it.
//!
//! Anthropic says it in two fields: `thinking` (off, by a budget of tokens, or adaptive) and `output_config.effort`.
//! Models since 4.6 are adaptive, those since Opus 4.7 refuse a budget, older ones know nothing else: which it is
//! comes as [`Quirks::thinking_by_budget`]. <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>,
//! <https://platform.claude.com/docs/en/build-with-claude/effort>

use serde_json::value::RawValue;
use stepwell_types::Code;

use super::ThinkingParam;
use crate::chat::{Chat, Extra, Part, Role, Thinking, ToolChoice, Turn};
use crate::json::{Text, Whole};
use crate::{Edits, Error, Losses, Quirks};

/// The limit on output where neither the caller nor the route sets one; Anthropic requires a limit, and every model
/// allows this one. A budget for thinking comes on top.
const DEFAULT_MAX_TOKENS: u64 = 4096;

/// The least budget that Anthropic takes.
const LEAST_BUDGET: u64 = 1024;

/// Reads both fields. Where a request has more than the superset can say, the rest is kept.
pub(super) fn read<'a>(
    param: Option<Whole<'a, ThinkingParam<'a>>>,
    effort: Option<&'a RawValue>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Option<Thinking>, Error> {
    let level = effort.map(|raw| serde_json::from_str::<Text<'_>>(raw.get())).transpose().map_err(|_| {
        let at = "output_config.effort";
        Error::at(Code::InvalidRequest, at, format!("{at} must be a string"))
    })?;
    let level = level.map(|level| Thinking::Effort(level.0.into_owned()));
    let Some(Whole { raw, value: param }) = param else { return Ok(level) };
    let kind = param.kind.ok_or_else(|| super::missing("thinking.type"))?.0;
    let thinking = match &*kind {
        "adaptive" => level.or(Some(Thinking::Adaptive)),
        "enabled" => {
            let written = param.budget_tokens.ok_or_else(|| super::missing("thinking.budget_tokens"))?;
            let budget = written.get().parse::<u64>().map_err(|_| {
                let at = "thinking.budget_tokens";
                Error::at(Code::InvalidRequest, at, format!("{at} must be a whole number"))
            })?;
            if level.is_some() {
                extra.push(Extra { path: "/thinking/budget_tokens".to_owned(), value: written });
            }
            level.or(Some(Thinking::Budget(budget)))
        }
        "disabled" => {
            if let Some(raw) = effort {
                extra.push(Extra { path: "/output_config/effort".to_owned(), value: raw });
            }
            return Ok(Some(Thinking::Off));
        }
        _ => {
            extra.push(Extra { path: "/thinking".to_owned(), value: raw });
            return Ok(level);
        }
    };
    super::keep_said(extra, "/thinking", param.extra);
    Ok(thinking)
}

/// What to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Plan {
    /// `max_tokens`.
    pub(crate) max_tokens: u64,
    /// `thinking`, if it is to be said at all.
    pub(crate) mode: Option<Mode>,
    /// `output_config.effort`.
    pub(crate) effort: Option<String>,
}

/// `thinking`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    Disabled,
    Adaptive,
    Budget(u64),
}

impl Plan {
    /// Whether the model thinks by what is written.
    pub(crate) fn thinks(&self) -> bool {
        matches!(self.mode, Some(Mode::Adaptive | Mode::Budget(_)))
    }
}

/// Decides both fields and the limit. What cannot be had is noted under OpenAI's name for it.
pub(crate) fn plan(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks, losses: &mut Losses) -> Plan {
    let limit = edits.max_output_tokens.or(chat.max_output_tokens);
    let (mode, effort) = wanted(chat.thinking.as_ref(), quirks);
    let mut plan = Plan { max_tokens: limit.unwrap_or(DEFAULT_MAX_TOKENS), mode, effort };
    if let Some(Mode::Budget(budget)) = plan.mode {
        let least = budget.max(LEAST_BUDGET);
        let fitting = match limit {
            None => {
                plan.max_tokens = DEFAULT_MAX_TOKENS.saturating_add(least);
                least
            }
            // A level leaves at least half of the limit to the answer; a budget that was asked for is only cut.
            Some(limit) if matches!(chat.thinking, Some(Thinking::Budget(_))) => {
                least.min(limit.saturating_sub(1))
            }
            Some(limit) => least.min(limit / 2),
        };
        plan.mode = (fitting >= LEAST_BUDGET).then_some(Mode::Budget(fitting));
        if fitting != budget && matches!(chat.thinking, Some(Thinking::Budget(_))) || plan.mode.is_none() {
            losses.note("/reasoning_effort");
        }
    }
    // Anthropic refuses thinking with a forced tool, and a budget in the middle of a tool round that did not think.
    let forced = matches!(chat.tool_choice, Some(ToolChoice::Required | ToolChoice::Named(_)));
    let thoughtless = matches!(plan.mode, Some(Mode::Budget(_))) && is_in_thoughtless_round(&chat.turns);
    if plan.thinks() && (forced || thoughtless) {
        plan.mode = None;
        losses.note("/reasoning_effort");
    }
    plan
}

fn wanted(thinking: Option<&Thinking>, quirks: Quirks) -> (Option<Mode>, Option<String>) {
    match thinking {
        None => (None, None),
        Some(Thinking::Off) => (Some(Mode::Disabled), None),
        Some(Thinking::Budget(budget)) => (Some(Mode::Budget(*budget)), None),
        Some(Thinking::Adaptive) if quirks.thinking_by_budget => {
            (Some(Mode::Budget(budget_of("medium"))), None)
        }
        Some(Thinking::Adaptive) => (Some(Mode::Adaptive), None),
        Some(Thinking::Effort(level)) if level == "none" => (Some(Mode::Disabled), None),
        Some(Thinking::Effort(level)) if quirks.thinking_by_budget => {
            (Some(Mode::Budget(budget_of(level))), None)
        }
        Some(Thinking::Effort(level)) => {
            let level = if level == "minimal" { "low" } else { level };
            (Some(Mode::Adaptive), Some(level.to_owned()))
        }
    }
}

/// The budget that stands for a level of effort.
fn budget_of(level: &str) -> u64 {
    match level {
        "minimal" => LEAST_BUDGET,
        "low" => 2048,
        "high" => 16_384,
        "xhigh" | "max" => 32_768,
        _ => 8192,
    }
}

/// Whether the conversation waits for the results of tools that were called without thinking.
fn is_in_thoughtless_round(turns: &[Turn<'_>]) -> bool {
    let spoken = |turn: &&Turn<'_>| matches!(turn.role, Role::User | Role::Assistant);
    let results = |turn: &Turn<'_>| turn.parts.iter().any(|part| matches!(part, Part::ToolResult { .. }));
    let Some(last) = turns.iter().rev().find(spoken) else { return false };
    let Some(assistant) = turns.iter().rev().find(|turn| turn.role == Role::Assistant) else { return false };
    let thought = assistant.parts.iter().any(|part| {
        matches!(part, Part::Thinking { signature: Some(_), .. } | Part::RedactedThinking { .. })
    });
    last.role == Role::User && results(last) && !thought
}
