//! Why the model stopped: `finishReason`. <https://ai.google.dev/api/generate-content#FinishReason>

use stepwell_types::Finish;

/// What a `finishReason` means. Calls of tools end in `STOP` as well.
pub(super) fn read(reason: &str, calls_tools: bool) -> Finish {
    match reason {
        "STOP" if calls_tools => Finish::ToolCalls,
        "STOP" => Finish::Stop,
        "MAX_TOKENS" => Finish::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

/// The `finishReason` for a reply, and whether it is vaguer than the reason.
pub(super) fn write(finish: Option<Finish>) -> (&'static str, bool) {
    match finish {
        None | Some(Finish::Stop | Finish::ToolCalls | Finish::StopSequence) => ("STOP", false),
        Some(Finish::Length) => ("MAX_TOKENS", false),
        Some(Finish::ContextWindow) => ("MAX_TOKENS", true),
        Some(Finish::ContentFilter) => ("SAFETY", false),
        Some(Finish::Refusal) => ("SAFETY", true),
        Some(Finish::Pause) => ("STOP", true),
        Some(Finish::Other) => ("OTHER", false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_but_those_that_are_said_to_be_vaguer() {
        for finish in Finish::ALL {
            let (written, vaguer) = write(Some(finish));
            let back = read(written, finish == Finish::ToolCalls);
            // Which of its stop sequences came is no matter of the reason.
            let plain = if finish == Finish::StopSequence { Finish::Stop } else { finish };
            assert_eq!(back == plain, !vaguer, "{finish:?}");
        }
        assert_eq!(read("A_REASON_OF_NEXT_YEAR", true), Finish::Other);
    }
}
