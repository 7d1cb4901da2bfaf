//! Why the model stopped: OpenAI's `finish_reason`.

use stepwell_types::Finish;

/// What a `finish_reason` means. `model_length` and `error` are Mistral's, `eos` and `end_turn` those of servers that
/// pass on their engine's word.
pub(super) fn read(reason: &str) -> Finish {
    match reason {
        "stop" | "eos" | "end_turn" => Finish::Stop,
        "length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" => Finish::ContentFilter,
        "model_length" => Finish::ContextWindow,
        _ => Finish::Other,
    }
}

/// The `finish_reason` for a reply, and whether it says less than was known.
pub(super) fn write(finish: Option<Finish>) -> (&'static str, bool) {
    match finish {
        None | Some(Finish::Stop | Finish::StopSequence) => ("stop", false),
        Some(Finish::Length | Finish::ContextWindow) => ("length", false),
        Some(Finish::ToolCalls) => ("tool_calls", false),
        Some(Finish::ContentFilter | Finish::Refusal) => ("content_filter", false),
        Some(Finish::Pause | Finish::Other) => ("stop", true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_openai_has_words_for_read_back() {
        for finish in Finish::ALL {
            let back = read(write(Some(finish)).0);
            match finish {
                Finish::StopSequence | Finish::Pause | Finish::Other => assert_eq!(back, Finish::Stop),
                Finish::ContextWindow => assert_eq!(back, Finish::Length),
                Finish::Refusal => assert_eq!(back, Finish::ContentFilter),
                same => assert_eq!(back, same),
            }
        }
        assert_eq!(read("a_reason_of_next_year"), Finish::Other);
    }
}
