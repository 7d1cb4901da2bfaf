//! Why the model stopped: Anthropic's `stop_reason`.
//!
//! <https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons>

use stepwell_types::Finish;

/// What a `stop_reason` means.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        "pause_turn" => Finish::Pause,
        "refusal" => Finish::Refusal,
        "model_context_window_exceeded" => Finish::ContextWindow,
        _ => Finish::Other,
    }
}

/// What a reply holds that decides its `stop_reason` where the provider's own is vaguer than Anthropic's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Content {
    /// It calls tools. OpenAI says `stop` where the tool was forced; Anthropic's clients go by `tool_use`.
    pub(super) tools: bool,
    /// It refuses in words. OpenAI says `stop`.
    pub(super) refusal: bool,
}

/// The `stop_reason` for a reply.
pub(super) fn write(finish: Option<Finish>, content: Content) -> &'static str {
    match finish {
        Some(Finish::Length) => "max_tokens",
        Some(Finish::ToolCalls) => "tool_use",
        Some(Finish::StopSequence) => "stop_sequence",
        Some(Finish::ContentFilter | Finish::Refusal) => "refusal",
        Some(Finish::Pause) => "pause_turn",
        Some(Finish::ContextWindow) => "model_context_window_exceeded",
        Some(Finish::Stop | Finish::Other) | None if content.tools => "tool_use",
        Some(Finish::Stop | Finish::Other) | None if content.refusal => "refusal",
        Some(Finish::Stop | Finish::Other) | None => "end_turn",
    }
}

/// Whether Anthropic's word for a reason says less than the reason.
pub(super) fn is_vaguer(finish: Option<Finish>) -> bool {
    matches!(finish, Some(Finish::ContentFilter | Finish::Other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_but_the_two_anthropic_has_no_word_for() {
        for finish in Finish::ALL {
            let back = read(write(Some(finish), Content::default()));
            assert_eq!(is_vaguer(Some(finish)), back != finish);
            match finish {
                Finish::ContentFilter => assert_eq!(back, Finish::Refusal),
                Finish::Other => assert_eq!(back, Finish::Stop),
                same => assert_eq!(back, same),
            }
        }
        assert_eq!(read("a_reason_of_next_year"), Finish::Other);
    }

    #[test]
    fn a_stop_with_tool_calls_is_a_tool_use() {
        let tools = Content { tools: true, refusal: false };
        assert_eq!(write(Some(Finish::Stop), tools), "tool_use");
        assert_eq!(write(Some(Finish::Length), tools), "max_tokens");
        assert_eq!(write(Some(Finish::Stop), Content { tools: false, refusal: true }), "refusal");
    }
}
