//! What one request asks of the simulator itself: timing, length, faults and endings.
//!
//! From headers, and from directives in the last user text, because a gateway need not forward headers. Text in
//! double brackets that is no directive is left as it is.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderMap;
use stepwell_types::{Dialect, Finish};

use crate::Fault;
use crate::options::Timing;

/// What one request asks of the simulator.
#[derive(Debug)]
pub(crate) struct Knobs<'t> {
    /// How fast and how much.
    pub(crate) timing: Timing,
    /// What goes wrong, if the request says.
    pub(crate) fault: Option<Fault>,
    /// `[[refuse]]`: the model refuses.
    pub(crate) refuse: bool,
    /// `[[redacted-thinking]]`: thinking comes redacted.
    pub(crate) redacted: bool,
    /// `[[finish:REASON]]`: the reply ends for this reason of the dialect's.
    pub(crate) finish: Option<Finish>,
    /// The last user text without its directives.
    pub(crate) text: Cow<'t, str>,
}

/// Reads what a request asks, over the server's own `timing`. An error is for the client to read.
pub(crate) fn read<'t>(
    headers: &HeaderMap,
    text: &'t str,
    timing: Timing,
    dialect: Dialect,
) -> Result<Knobs<'t>, String> {
    let mut knobs = Knobs {
        timing,
        fault: None,
        refuse: false,
        redacted: false,
        finish: None,
        text: Cow::Borrowed(text),
    };
    if text.contains("[[") {
        directives(&mut knobs, text, dialect)?;
    }
    for (header, name) in [
        ("x-sim-ttft-ms", "ttft-ms"),
        ("x-sim-tps", "tps"),
        ("x-sim-event-ms", "event-ms"),
        ("x-sim-tokens", "tokens"),
    ] {
        if let Some(value) = headers.get(header) {
            setting(&mut knobs.timing, name, value.to_str().unwrap_or_default())
                .map_err(|error| format!("header {header}: {error}"))?;
        }
    }
    if let Some(value) = headers.get("x-sim-fault") {
        let fault = value.to_str().unwrap_or_default().parse::<Fault>();
        knobs.fault = Some(fault.map_err(|error| format!("header x-sim-fault: {error}"))?);
    }
    Ok(knobs)
}

fn directives(knobs: &mut Knobs<'_>, text: &str, dialect: Dialect) -> Result<(), String> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[[") {
        clean.push_str(before);
        let Some((inside, behind)) = after.split_once("]]") else {
            rest = after;
            clean.push_str("[[");
            continue;
        };
        if !directive(knobs, inside.trim(), dialect)? {
            clean.push_str("[[");
            rest = after;
            continue;
        }
        rest = behind;
    }
    clean.push_str(rest);
    knobs.text = Cow::Owned(clean);
    Ok(())
}

/// Whether the text is a directive; if so it is followed.
fn directive(knobs: &mut Knobs<'_>, text: &str, dialect: Dialect) -> Result<bool, String> {
    let wrong = |error: String| format!("directive [[{text}]]: {error}");
    if let Some(fault) = text.strip_prefix("fault:") {
        let fault = fault.trim().parse::<Fault>();
        knobs.fault = Some(fault.map_err(|error| wrong(error.to_string()))?);
    } else if let Some(settings) = text.strip_prefix("sim:") {
        for word in settings.split_ascii_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            setting(&mut knobs.timing, name, value).map_err(wrong)?;
        }
    } else if let Some(reason) = text.strip_prefix("finish:") {
        knobs.finish = Some(finish(reason.trim(), dialect).map_err(wrong)?);
    } else if text == "refuse" {
        knobs.refuse = true;
    } else if text == "redacted-thinking" {
        knobs.redacted = true;
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn setting(timing: &mut Timing, name: &str, value: &str) -> Result<(), String> {
    let number: u32 = value.parse().map_err(|_| format!("{name} takes a whole number, not {value:?}"))?;
    match name {
        "ttft-ms" => timing.ttft = Duration::from_millis(number.into()),
        "event-ms" => timing.per_event = Duration::from_millis(number.into()),
        "tps" => timing.tokens_per_second = number,
        "tokens" => timing.tokens = Some(number),
        _ => return Err(format!("unknown setting {name:?}; there are ttft-ms, tps, event-ms and tokens")),
    }
    Ok(())
}

fn finish(reason: &str, dialect: Dialect) -> Result<Finish, String> {
    match (dialect, reason) {
        (Dialect::OpenaiChat, "stop")
        | (Dialect::OpenaiResponses, "completed")
        | (Dialect::Anthropic, "end_turn")
        | (Dialect::Gemini, "STOP")
        | (Dialect::Cohere, "COMPLETE") => Ok(Finish::Stop),
        (Dialect::OpenaiChat, "length")
        | (Dialect::OpenaiResponses, "max_output_tokens")
        | (Dialect::Anthropic, "max_tokens")
        | (Dialect::Gemini | Dialect::Cohere, "MAX_TOKENS") => Ok(Finish::Length),
        (Dialect::OpenaiChat | Dialect::OpenaiResponses, "content_filter") | (Dialect::Gemini, "SAFETY") => {
            Ok(Finish::ContentFilter)
        }
        (Dialect::Anthropic, "pause_turn") => Ok(Finish::Pause),
        (Dialect::Anthropic, "model_context_window_exceeded") => Ok(Finish::ContextWindow),
        _ => Err(format!("{reason:?} is not a reason that {dialect} may be asked to end for")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Knobs<'_>, String> {
        read(&HeaderMap::new(), text, Timing::default(), Dialect::OpenaiChat)
    }

    #[test]
    fn directives_are_followed_and_taken_out_of_the_text() {
        let knobs =
            read_text("a [[fault:cut 3]] b [[sim:tokens=5 ttft-ms=7]][[refuse]] [[link]] [[x").unwrap();
        assert_eq!(knobs.text, "a  b  [[link]] [[x");
        assert_eq!(knobs.fault, Some(Fault::Cut(3)));
        assert_eq!(knobs.timing.tokens, Some(5));
        assert_eq!(knobs.timing.ttft, Duration::from_millis(7));
        assert!(knobs.refuse);
    }

    #[test]
    fn wrong_directives_and_headers_say_what_is_wrong() {
        assert!(read_text("[[fault:explode]]").unwrap_err().contains("unknown fault"));
        assert!(read_text("[[sim:speed=1]]").unwrap_err().contains("event-ms"));
        assert!(read_text("[[finish:pause_turn]]").unwrap_err().contains("openai_chat"));
        let mut headers = HeaderMap::new();
        headers.insert("x-sim-tps", "fast".parse().unwrap());
        let error = read(&headers, "", Timing::default(), Dialect::Anthropic).unwrap_err();
        assert!(error.contains("x-sim-tps"));
    }

    #[test]
    fn a_header_goes_before_a_directive() {
        let mut headers = HeaderMap::new();
        headers.insert("x-sim-tokens", "9".parse().unwrap());
        headers.insert("x-sim-fault", "reset".parse().unwrap());
        let text = "[[sim:tokens=1]][[fault:refuse]]";
        let knobs = read(&headers, text, Timing::default(), Dialect::Anthropic).unwrap();
        assert_eq!((knobs.timing.tokens, knobs.fault), (Some(9), Some(Fault::Reset)));
    }
}
