//! How much the model thinks: `thinkingConfig`.
//!
//! Models since Gemini 3 know levels, those before a budget of tokens, of which 0 is none and -1 as much as the model
//! finds right: which it is comes as [`Quirks::thinking_by_budget`].
//! <https://ai.google.dev/gemini-api/docs/thinking>

use super::ThinkingConfig;
use crate::chat::{Chat, Extra, Thinking};
use crate::json::{Object, Whole};
use crate::{Losses, Quirks};

/// Reads what is asked for.
pub(super) fn read<'a>(whole: Whole<'a, ThinkingConfig<'a>>, extra: &mut Vec<Extra<'a>>) -> Option<Thinking> {
    const PATH: &str = "/generationConfig/thinkingConfig";
    let Whole { raw, value: config } = whole;
    super::keep_said(extra, PATH, config.extra);
    match (config.level, config.budget) {
        (Some(level), None) => Some(Thinking::Effort(level.0.to_ascii_lowercase())),
        (None, Some(0)) => Some(Thinking::Off),
        (None, Some(-1)) => Some(Thinking::Adaptive),
        (None, None) => None,
        (None, Some(budget)) if budget > 0 => Some(Thinking::Budget(budget.unsigned_abs())),
        // Google refuses the two together, and any other budget below 0.
        (_, Some(_)) => {
            extra.push(Extra { path: PATH.to_owned(), value: raw });
            None
        }
    }
}

/// The budget that stands for a level, as Google's own compatible endpoint has it:
/// <https://ai.google.dev/gemini-api/docs/openai#thinking>.
fn budget_of(level: &str) -> u64 {
    match level {
        "minimal" | "low" => 1_024,
        "medium" => 8_192,
        _ => 24_576,
    }
}

/// Writes `thinkingConfig`. Whoever sets a budget, or leaves it to the model, wants to see the thoughts.
pub(super) fn write(config: &mut Object<'_>, chat: &Chat<'_>, quirks: Quirks, losses: &mut Losses) {
    let Some(thinking) = &chat.thinking else { return };
    config.object("thinkingConfig", |config| match thinking {
        Thinking::Off => config.number("thinkingBudget", 0),
        Thinking::Effort(level) if level == "none" => config.number("thinkingBudget", 0),
        Thinking::Effort(level) if quirks.thinking_by_budget => {
            config.number("thinkingBudget", budget_of(level));
        }
        Thinking::Effort(level) => {
            let known = ["minimal", "low", "medium", "high"].contains(&level.as_str());
            if !known {
                losses.note("/reasoning_effort");
            }
            config.string("thinkingLevel", if known { level } else { "high" });
        }
        Thinking::Budget(budget) => {
            config.number("thinkingBudget", *budget);
            config.bool("includeThoughts", true);
        }
        Thinking::Adaptive => config.bool("includeThoughts", true),
    });
}
