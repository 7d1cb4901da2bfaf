//! Every error code there is: what it answers, who is to blame, and whether trying again can help.
//!
//! One table, append-only: a code is a promise to clients, dashboards and alerts. `docs/errors.md` explains each.

use std::fmt;

/// Who has to act for the error to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blame {
    /// The product that made the call.
    Caller,
    /// Stepwell or whoever runs it.
    Gateway,
    /// The provider.
    Upstream,
}

/// Whether trying again can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// Never: the same call fails the same way.
    Never,
    /// Later, at the same place.
    Later,
    /// At once, at another target.
    OtherTarget,
}

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $name:ident $text:literal => $status:literal, $kind:literal, $blame:ident, $retry:ident; )+) => {
        /// A stable error code. Its text is what clients match on and what metrics are labelled with.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Code { $( $(#[doc = $doc])+ $name, )+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Self] = &[ $( Self::$name, )+ ];

            /// The text of the code, in snake case.
            pub const fn as_str(self) -> &'static str { match self { $( Self::$name => $text, )+ } }

            /// The HTTP status it is answered with, unless an upstream status takes its place.
            pub const fn status(self) -> u16 { match self { $( Self::$name => $status, )+ } }

            /// The `type` of OpenAI's error object.
            pub const fn openai_type(self) -> &'static str { match self { $( Self::$name => $kind, )+ } }

            /// Who has to act.
            pub const fn blame(self) -> Blame { match self { $( Self::$name => Blame::$blame, )+ } }

            /// Whether trying again can help.
            pub const fn retry(self) -> Retry { match self { $( Self::$name => Retry::$retry, )+ } }

            /// The code of the given text.
            pub fn from_text(text: &str) -> Option<Self> { match text { $( $text => Some(Self::$name), )+ _ => None } }
        }
    };
}

codes! {
    /// The request is not one this endpoint can take; the message names the field.
    InvalidRequest "invalid_request" => 400, "invalid_request_error", Caller, Never;
    /// The body is not JSON.
    InvalidJson "invalid_json" => 400, "invalid_request_error", Caller, Never;
    /// The body's JSON is nested deeper than the limit.
    JsonTooDeep "json_too_deep" => 400, "invalid_request_error", Caller, Never;
    /// A parameter that no target of this call can honour.
    UnsupportedParameter "unsupported_parameter" => 400, "invalid_request_error", Caller, Never;
    /// A strict route would have to drop fields to reach its target.
    LossyTranslation "lossy_translation" => 400, "invalid_request_error", Caller, Never;
    /// Credentials are missing or wrong.
    Unauthorized "unauthorized" => 401, "authentication_error", Caller, Never;
    /// The request names a host or an origin that is not allowed here.
    ForbiddenOrigin "forbidden_origin" => 403, "permission_error", Caller, Never;
    /// There is nothing at this path.
    NotFound "not_found" => 404, "invalid_request_error", Caller, Never;
    /// No route, target or model has this name.
    ModelNotFound "model_not_found" => 404, "invalid_request_error", Caller, Never;
    /// The path exists, for another method.
    MethodNotAllowed "method_not_allowed" => 405, "invalid_request_error", Caller, Never;
    /// The body did not arrive within the time allowed.
    RequestTimeout "request_timeout" => 408, "invalid_request_error", Caller, Later;
    /// The body is larger than the limit.
    BodyTooLarge "body_too_large" => 413, "invalid_request_error", Caller, Never;
    /// The body is not `application/json`, or is content-encoded.
    UnsupportedMediaType "unsupported_media_type" => 415, "invalid_request_error", Caller, Never;
    /// The client went away before the reply was complete.
    ClientClosed "client_closed" => 499, "invalid_request_error", Caller, Never;
    /// A fault in Stepwell.
    InternalError "internal_error" => 500, "server_error", Gateway, Later;
    /// Stepwell has as much work as it can hold.
    Overloaded "overloaded" => 503, "server_error", Gateway, Later;
    /// Stepwell is shutting down.
    Draining "draining" => 503, "server_error", Gateway, Later;
    /// The call cannot be recorded, so it is refused: the journal is full or its disk failed.
    JournalUnavailable "journal_unavailable" => 503, "server_error", Gateway, Later;
    /// The call's own deadline passed.
    DeadlineExceeded "deadline_exceeded" => 504, "server_error", Caller, Later;
    /// The provider could not be reached, or hung up before it answered.
    UpstreamUnreachable "upstream_unreachable" => 502, "server_error", Upstream, OtherTarget;
    /// The provider did not answer in time.
    UpstreamTimeout "upstream_timeout" => 504, "server_error", Upstream, OtherTarget;
    /// The provider failed.
    UpstreamError "upstream_error" => 502, "server_error", Upstream, OtherTarget;
    /// The provider says it is overloaded.
    UpstreamOverloaded "upstream_overloaded" => 503, "server_error", Upstream, OtherTarget;
    /// The provider limits this credential's rate.
    UpstreamRateLimited "upstream_rate_limited" => 429, "rate_limit_error", Upstream, OtherTarget;
    /// The provider's account has no credit or quota left.
    UpstreamQuota "upstream_quota" => 429, "insufficient_quota", Upstream, OtherTarget;
    /// The provider refuses the credential Stepwell was configured with.
    UpstreamAuth "upstream_auth" => 401, "authentication_error", Gateway, OtherTarget;
    /// The provider refuses this credential this model or action.
    UpstreamForbidden "upstream_forbidden" => 403, "permission_error", Gateway, OtherTarget;
    /// The provider does not have the model or path.
    UpstreamNotFound "upstream_not_found" => 404, "invalid_request_error", Gateway, OtherTarget;
    /// The provider refuses the request as the caller wrote it.
    UpstreamRejected "upstream_rejected" => 400, "invalid_request_error", Caller, Never;
    /// The provider's answer ended before it was complete.
    UpstreamCut "upstream_cut" => 502, "server_error", Upstream, OtherTarget;
    /// The provider's answer is not what its dialect allows.
    UpstreamInvalid "upstream_invalid" => 502, "server_error", Upstream, OtherTarget;
    /// The provider's answer is larger than the limit.
    UpstreamTooLarge "upstream_too_large" => 502, "server_error", Upstream, Never;
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_reads_back_from_its_text_and_no_two_share_one() {
        let mut texts = HashSet::new();
        for code in Code::ALL {
            assert_eq!(Code::from_text(code.as_str()), Some(*code));
            assert!(texts.insert(code.as_str()));
            assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
        }
    }

    #[test]
    fn a_status_below_500_blames_nobody_who_cannot_be_told() {
        for code in Code::ALL {
            assert!((400..600).contains(&code.status()), "{code}");
            if code.status() >= 500 {
                assert_ne!(code.openai_type(), "invalid_request_error", "{code}");
            }
        }
    }
}
