//! Why the model stopped: `stopReason`.
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_ResponseSyntax>

use stepwell_types::Finish;

/// What a `stopReason` means.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "end_turn" => Finish::Stop,
        "max_tokens" => Finish::Length,
        "stop_sequence" => Finish::StopSequence,
        "tool_use" => Finish::ToolCalls,
        "content_filtered" | "guardrail_intervened" => Finish::ContentFilter,
        "model_context_window_exceeded" => Finish::ContextWindow,
        // `malformed_model_output`, `malformed_tool_use`, and what comes later.
        _ => Finish::Other,
    }
}

/// The `stopReason` for a reply, and whether it says less than the reason.
pub(super) fn write(finish: Option<Finish>, calls_tools: bool) -> (&'static str, bool) {
    match finish {
        Some(Finish::Length) => ("max_tokens", false),
        Some(Finish::ToolCalls) => ("tool_use", false),
        Some(Finish::StopSequence) => ("stop_sequence", false),
        Some(Finish::ContentFilter) => ("content_filtered", false),
        Some(Finish::Refusal) => ("content_filtered", true),
        Some(Finish::ContextWindow) => ("model_context_window_exceeded", false),
        // OpenAI says `stop` where the tool was forced; agents on Bedrock go by `tool_use`.
        Some(Finish::Stop) | None if calls_tools => ("tool_use", false),
        Some(Finish::Stop) | None => ("end_turn", false),
        Some(Finish::Pause | Finish::Other) => ("end_turn", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_but_those_that_are_said_to_be_vaguer() {
        for finish in Finish::ALL {
            let (written, vaguer) = write(Some(finish), false);
            assert_eq!(read(written) == finish, !vaguer, "{finish:?}");
        }
        assert_eq!(write(Some(Finish::Stop), true), ("tool_use", false));
        assert_eq!(read("guardrail_intervened"), Finish::ContentFilter);
        assert_eq!(read("malformed_tool_use"), Finish::Other);
    }
}
