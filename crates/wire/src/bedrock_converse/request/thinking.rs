//! How much the model thinks.
//!
//! Converse itself has a level, `outputConfig.effort`. Everything else is the model's own: Claude's `thinking` stands among
//! `additionalModelRequestFields`, as Anthropic has it, and is written for Claude only ([`Quirks::claude`]).
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_OutputConfig.html>,
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html>

use crate::anthropic::thinking::{Mode, plan};
use crate::bedrock_converse::content::keep_said;
use crate::chat::{Chat, Extra, Thinking};
use crate::json::{Object, Text, Whole, object};
use crate::{Edits, Losses, Quirks};

object! {
    /// Claude's `thinking`.
    pub(super) struct Param<'a> { kind: Text<'a> = "type", budget: u64 = "budget_tokens" }
}

/// Reads both fields. Where a request has more than the superset can say, the rest is kept.
pub(super) fn read<'a>(
    param: Option<Whole<'a, Param<'a>>>,
    effort: Option<Text<'a>>,
    extra: &mut Vec<Extra<'a>>,
) -> Option<Thinking> {
    const PATH: &str = "/additionalModelRequestFields/thinking";
    let level = effort.map(|level| Thinking::Effort(level.0.into_owned()));
    let Some(Whole { raw, value: param }) = param else { return level };
    let thinking = match (param.kind.as_ref().map(|kind| &*kind.0), param.budget) {
        (Some("disabled"), None) => Some(Thinking::Off),
        (Some("adaptive"), None) => level.or(Some(Thinking::Adaptive)),
        (Some("enabled"), Some(budget)) if level.is_none() => Some(Thinking::Budget(budget)),
        _ => {
            extra.push(Extra { path: PATH.to_owned(), value: raw });
            return level;
        }
    };
    keep_said(extra, PATH, param.extra);
    thinking
}

/// What to write.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Plan {
    /// `inferenceConfig.maxTokens`.
    pub(super) max_tokens: Option<u64>,
    /// Claude's `thinking`.
    mode: Option<Mode>,
    /// `outputConfig.effort`.
    pub(super) effort: Option<String>,
    /// Whether the model thinks by what is written.
    pub(super) thinks: bool,
}

impl Plan {
    /// Decides both fields and the limit. What cannot be had is noted under OpenAI's name for it.
    pub(super) fn new(chat: &Chat<'_>, edits: &Edits<'_>, quirks: Quirks, losses: &mut Losses) -> Self {
        let limit = edits.max_output_tokens.or(chat.max_output_tokens);
        if quirks.claude {
            let plan = plan(chat, edits, quirks, losses);
            let thinks = plan.thinks();
            // Anthropic requires a limit, Bedrock does not; but a budget must be less than it.
            let max_tokens =
                if matches!(plan.mode, Some(Mode::Budget(_))) { Some(plan.max_tokens) } else { limit };
            return Self { max_tokens, mode: plan.mode, effort: plan.effort, thinks };
        }
        let effort = match &chat.thinking {
            None => None,
            Some(Thinking::Effort(level)) if level != "none" => {
                Some(if level == "minimal" { "low".to_owned() } else { level.clone() })
            }
            Some(Thinking::Effort(_) | Thinking::Off | Thinking::Budget(_) | Thinking::Adaptive) => {
                losses.note("/reasoning_effort");
                None
            }
        };
        Self { max_tokens: limit, mode: None, effort, thinks: false }
    }

    /// Writes Claude's `thinking`, if it is to be said at all.
    pub(super) fn write(&self, additional: &mut Object<'_>) {
        let Some(mode) = self.mode else { return };
        additional.object("thinking", |thinking| match mode {
            Mode::Disabled => thinking.string("type", "disabled"),
            Mode::Adaptive => thinking.string("type", "adaptive"),
            Mode::Budget(budget) => {
                thinking.string("type", "enabled");
                thinking.number("budget_tokens", budget);
            }
        });
    }
}
