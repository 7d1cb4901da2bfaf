//! Why the model stopped: the `status` of a response and its `incomplete_details`.

use stepwell_types::Finish;

use crate::json::{Text, object};

object! {
    /// Why a response is not complete.
    pub(super) struct Incomplete<'a> { reason: Text<'a> = "reason" }
    skipping all
}

/// What a status means that ends a response. `calls`: it calls a tool. None for one that does not end it, or that says it
/// failed.
pub(super) fn read(status: &str, incomplete: Option<&Incomplete<'_>>, calls: bool) -> Option<Finish> {
    let reason = incomplete.and_then(|incomplete| incomplete.reason.as_ref()).map(|reason| &*reason.0);
    match (status, reason) {
        ("completed", _) if calls => Some(Finish::ToolCalls),
        ("completed", _) => Some(Finish::Stop),
        ("incomplete", Some("max_output_tokens")) => Some(Finish::Length),
        ("incomplete", Some("content_filter")) => Some(Finish::ContentFilter),
        ("incomplete", _) => Some(Finish::Other),
        _ => None,
    }
}

/// How a response says why it ended.
pub(super) struct Ending {
    /// Why it is not complete, if it is not.
    pub(super) incomplete: Option<&'static str>,
    /// It says less than was known.
    pub(super) is_vaguer: bool,
}

impl Ending {
    /// The ending for a reply.
    pub(super) fn of(finish: Option<Finish>) -> Self {
        let (incomplete, is_vaguer) = match finish {
            None | Some(Finish::Stop | Finish::StopSequence | Finish::ToolCalls) => (None, false),
            Some(Finish::Length | Finish::ContextWindow) => (Some("max_output_tokens"), false),
            Some(Finish::ContentFilter | Finish::Refusal) => (Some("content_filter"), false),
            Some(Finish::Pause | Finish::Other) => (None, true),
        };
        Self { incomplete, is_vaguer }
    }

    /// The status.
    pub(super) fn status(&self) -> &'static str {
        if self.incomplete.is_some() { "incomplete" } else { "completed" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_there_are_words_for_read_back() {
        for finish in Finish::ALL {
            let ending = Ending::of(Some(finish));
            let incomplete = Incomplete {
                reason: ending.incomplete.map(|reason| Text(reason.into())),
                ..Incomplete::default()
            };
            let back = read(ending.status(), Some(&incomplete), finish == Finish::ToolCalls);
            let expected = match finish {
                Finish::StopSequence | Finish::Pause | Finish::Other => Finish::Stop,
                Finish::ContextWindow => Finish::Length,
                Finish::Refusal => Finish::ContentFilter,
                same => same,
            };
            assert_eq!(back, Some(expected));
        }
        for status in ["failed", "cancelled", "queued", "in_progress", "of next year"] {
            assert_eq!(read(status, None, false), None, "{status}");
        }
    }
}
