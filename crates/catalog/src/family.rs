//! What models of a family do differently from others of their dialect, by the names their vendors give them.

use stepwell_types::Dialect;

/// What a model does differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ModelQuirks {
    /// It thinks by a budget of tokens only: Claude before 4.6 knows neither effort alone nor adaptive thinking, Gemini
    /// before 3 knows no levels.
    /// <https://platform.claude.com/docs/en/build-with-claude/adaptive-thinking>, <https://ai.google.dev/gemini-api/docs/thinking>
    pub thinking_by_budget: bool,
    /// It refuses `temperature`, `top_p` and `top_k`: Claude Opus from 4.7 on.
    pub no_sampling: bool,
    /// It wants a signature with each call of a tool that is sent back: Gemini from 3 on.
    /// <https://ai.google.dev/gemini-api/docs/thought-signatures>
    pub signed_calls: bool,
    /// The one dialect that its vendor serves it in, of several that the vendor speaks: OpenAI has its `pro`, `codex` and
    /// `deep-research` models in responses only. <https://developers.openai.com/api/docs/models>
    pub only: Option<Dialect>,
}

/// How the names of Claude models before 4.6 and of Gemini models before 3 begin.
const BY_BUDGET: [&str; 13] = [
    "gemini-1",
    "gemini-2",
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-2025",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-sonnet-4-2025",
    "claude-haiku-4-5",
    "claude-opus-4@",
    "claude-sonnet-4@",
];

/// How the names of Claude models that refuse sampling begin.
const NO_SAMPLING: [&str; 3] = ["claude-opus-4-7", "claude-opus-4-8", "claude-opus-4-9"];

/// The quirks of a model, by its name; whoever hosts it may have put a path in front.
pub fn model_quirks(model: &str) -> ModelQuirks {
    let name = model.rsplit_once('/').map_or(model, |(_, name)| name);
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let has_part = |parts: &[&str]| name.split('-').any(|part| parts.contains(&part));
    // o1, o3, o4-mini and the like; the numbers are what tells them from other vendors' names.
    let is_of_openai = begins(&["gpt-5", "gpt-6", "o1", "o3", "o4"]);
    let is_in_responses_only =
        begins(&["codex-", "computer-use-"]) || is_of_openai && has_part(&["pro", "codex", "deep"]);
    let is_old_gemini = begins(&["gemini-1", "gemini-2"]);
    ModelQuirks {
        thinking_by_budget: begins(&BY_BUDGET),
        no_sampling: begins(&NO_SAMPLING),
        signed_calls: begins(&["gemini-"]) && !is_old_gemini,
        only: is_in_responses_only.then_some(Dialect::OpenaiResponses),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_by_name_behind_any_path() {
        assert!(model_quirks("claude-sonnet-4-5-20250929").thinking_by_budget);
        assert!(model_quirks("anthropic/claude-3-7-sonnet").thinking_by_budget);
        assert!(!model_quirks("claude-sonnet-4-6").thinking_by_budget);
        assert!(model_quirks("claude-opus-4-7").no_sampling);
        assert!(
            model_quirks("gemini-2.5-flash").thinking_by_budget
                && !model_quirks("gemini-2.5-flash").signed_calls
        );
        assert!(model_quirks("gemini-3-pro-preview").signed_calls);
        for model in ["gpt-5-mini", "gpt-5.4", "o3", "o4-mini", "gpt-4.1", "gpt-oss-120b"] {
            assert_eq!(model_quirks(model), ModelQuirks::default(), "{model}");
        }
        for model in [
            "gpt-5-pro",
            "gpt-5.1-codex-mini",
            "gpt-5.4-pro-2026-03-05",
            "o3-deep-research",
            "codex-mini-latest",
        ] {
            assert_eq!(model_quirks(model).only, Some(Dialect::OpenaiResponses), "{model}");
        }
        assert_eq!(model_quirks("gemini-3-pro-preview").only, None);
    }
}
