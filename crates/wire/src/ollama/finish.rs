//! Why the model stopped: `done_reason`. <https://docs.ollama.com/api/chat>

use stepwell_types::Finish;

/// What a `done_reason` means. Servers before it was added (2024) say nothing; a call of a tool ends in `stop` as well.
/// `load` and `unload` end a request without messages, to which no model says anything.
pub(super) fn read(reason: Option<&str>, calls_tools: bool) -> Finish {
    match reason {
        None | Some("stop" | "") if calls_tools => Finish::ToolCalls,
        None | Some("stop" | "") => Finish::Stop,
        Some("length") => Finish::Length,
        Some(_) => Finish::Other,
    }
}

/// The `done_reason` for a reply, and whether it is vaguer than the reason.
pub(super) fn write(finish: Option<Finish>) -> (&'static str, bool) {
    match finish {
        None | Some(Finish::Stop | Finish::ToolCalls | Finish::StopSequence) => ("stop", false),
        Some(Finish::Length) => ("length", false),
        Some(Finish::ContextWindow) => ("length", true),
        Some(Finish::ContentFilter | Finish::Refusal | Finish::Pause | Finish::Other) => ("stop", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_but_those_that_are_said_to_be_vaguer() {
        for finish in Finish::ALL {
            let (written, vaguer) = write(Some(finish));
            let back = read(Some(written), finish == Finish::ToolCalls);
            // Which of its stop sequences came is no matter of the reason.
            let plain = if finish == Finish::StopSequence { Finish::Stop } else { finish };
            assert_eq!(back == plain, !vaguer, "{finish:?}");
        }
        assert_eq!(read(None, false), Finish::Stop);
        assert_eq!(read(Some("load"), true), Finish::Other);
    }
}
