//! Why the model stopped: `finish_reason`. <https://docs.cohere.com/v2/reference/chat#response.body.finish_reason>

use stepwell_types::Finish;

/// What a `finish_reason` means.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "COMPLETE" => Finish::Stop,
        "STOP_SEQUENCE" => Finish::StopSequence,
        // Of the context's length as much as of `max_tokens`: Cohere has one word for both.
        "MAX_TOKENS" => Finish::Length,
        "TOOL_CALL" => Finish::ToolCalls,
        _ => Finish::Other,
    }
}

/// Whether a `finish_reason` says that the generation broke off: that is an error, not an end.
pub(super) fn is_failure(reason: &str) -> bool {
    matches!(reason, ERROR | TIMEOUT)
}

/// The generation failed.
pub(super) const ERROR: &str = "ERROR";

/// The generation took too long.
pub(super) const TIMEOUT: &str = "TIMEOUT";

/// The `finish_reason` for a reply, and whether it says less than was known.
pub(super) fn write(finish: Option<Finish>) -> (&'static str, bool) {
    match finish {
        None | Some(Finish::Stop) => ("COMPLETE", false),
        Some(Finish::StopSequence) => ("STOP_SEQUENCE", false),
        Some(Finish::Length | Finish::ContextWindow) => ("MAX_TOKENS", false),
        Some(Finish::ToolCalls) => ("TOOL_CALL", false),
        Some(Finish::ContentFilter | Finish::Refusal | Finish::Pause | Finish::Other) => ("COMPLETE", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_but_those_that_are_said_to_be_vaguer() {
        for finish in Finish::ALL {
            let (written, vaguer) = write(Some(finish));
            let plain = if finish == Finish::ContextWindow { Finish::Length } else { finish };
            assert_eq!(read(written) == plain, !vaguer, "{finish:?}");
            assert!(!is_failure(written), "{finish:?}");
        }
        for reason in [ERROR, TIMEOUT, "A_REASON_OF_NEXT_YEAR"] {
            assert_eq!(read(reason), Finish::Other);
        }
    }
}
