//! What comes after a failed attempt. Design §7.

use stepwell_types::{Code, Retry};

/// The most attempts one call may take, its first included.
pub const MAX_ATTEMPTS: u8 = 3;

/// What to do after a failed attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Try the next target of the plan.
    NextTarget,
    /// Tell the caller.
    Stop,
}

/// Decides after attempt number `attempt` (from 1) failed with `code`, with `targets_left` untried.
///
/// Only what another target can mend goes on; what the caller must mend never does, nor does a call whose own
/// deadline has passed.
pub const fn after(code: Code, attempt: u8, targets_left: usize) -> Next {
    if attempt >= MAX_ATTEMPTS || targets_left == 0 {
        return Next::Stop;
    }
    match code.retry() {
        Retry::OtherTarget => Next::NextTarget,
        // Every connection to this origin is taken: another origin may have room.
        Retry::Later if matches!(code, Code::Overloaded) => Next::NextTarget,
        Retry::Later | Retry::Never => Next::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_must_mend_is_never_tried_elsewhere() {
        for code in
            [Code::UpstreamRejected, Code::InvalidRequest, Code::DeadlineExceeded, Code::UpstreamTooLarge]
        {
            assert_eq!(after(code, 1, 5), Next::Stop, "{code}");
        }
    }

    #[test]
    fn an_outage_goes_to_the_next_target_until_attempts_or_targets_end() {
        for code in [
            Code::UpstreamUnreachable,
            Code::UpstreamOverloaded,
            Code::UpstreamRateLimited,
            Code::UpstreamAuth,
        ] {
            assert_eq!(after(code, 1, 1), Next::NextTarget, "{code}");
            assert_eq!(after(code, 2, 1), Next::NextTarget, "{code}");
            assert_eq!(after(code, MAX_ATTEMPTS, 1), Next::Stop, "{code}");
            assert_eq!(after(code, 1, 0), Next::Stop, "{code}");
        }
    }
}
