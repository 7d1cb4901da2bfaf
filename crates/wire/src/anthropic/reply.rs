//! Complete replies: what the record needs of them, reading, and writing.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use stepwell_types::Code;

use super::blocks::{self, Base, Content, parts};
use super::stop;
use super::usage::{self, Counts, Meter};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Field, Scanner, Text, keep, object, read_reply, write_object};
use crate::{Error, Losses, ReplyFacts, Written};

/// A reply, but for what it says.
#[derive(Debug, Default, Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    model: Option<Text<'a>>,
    content: Option<Vec<IgnoredAny>>,
    #[serde(borrow)]
    stop_reason: Option<Text<'a>>,
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
}

object! {
    /// A whole reply.
    #[expect(dead_code, reason = "a field that is only named here is known, and nothing is lost without it")]
    struct Message<'a> {
        kind: Text<'a> = "type",
        id: Text<'a> = "id",
        role: IgnoredAny = "role",
        model: Text<'a> = "model",
        content: Content<'a> = "content",
        stop_reason: Text<'a> = "stop_reason",
        stop_sequence: Text<'a> = "stop_sequence",
        usage: Counts<'a> = "usage",
    }
}

/// Whatever calls itself something else, or says nothing, is no reply.
fn check(kind: Option<&Text<'_>>, has_content: bool) -> Result<(), Error> {
    if kind.is_some_and(|kind| kind.0 != "message") || !has_content {
        return Err(Error::new(Code::UpstreamInvalid, "the provider's answer is not a message"));
    }
    Ok(())
}

/// Reads what the record needs.
pub(super) fn facts(body: &[u8]) -> Result<ReplyFacts, Error> {
    scan(body).map_or_else(|| parse(body), Ok)
}

/// What [`parse`] reads, of a reply without surprises.
fn scan(body: &[u8]) -> Option<ReplyFacts> {
    let (mut kind, mut id, mut model) = (Field::default(), Field::default(), Field::default());
    let (mut content, mut reason, mut usage) = (Field::default(), Field::default(), Field::default());
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| match key {
        "type" => scanner.once(&mut kind, Scanner::string),
        "id" => scanner.once(&mut id, Scanner::string),
        "model" => scanner.once(&mut model, Scanner::string),
        "content" => scanner.once(&mut content, |scanner| scanner.array(Scanner::skip)),
        "stop_reason" => scanner.once(&mut reason, Scanner::string),
        "usage" => scanner.once(&mut usage, Meter::scan),
        _ => scanner.skip(),
    })?;
    scanner.end()?;
    content.value()?;
    kind.value().is_none_or(|kind| kind == "message").then_some(())?;
    Some(ReplyFacts {
        id: id.value().map(Arc::from),
        model: model.value().map(Arc::from),
        finish: reason.value().map(stop::read),
        usage: usage.value().and_then(|meter| meter.usage()),
    })
}

fn parse(body: &[u8]) -> Result<ReplyFacts, Error> {
    let reply: Envelope<'_> = read_reply(body)?;
    check(reply.kind.as_ref(), reply.content.is_some() && body.trim_ascii_start().starts_with(b"{"))?;
    let mut meter = Meter::default();
    if let Some(counts) = reply.usage {
        drop(meter.take(read_reply(counts.get().as_bytes())?));
    }
    Ok(ReplyFacts {
        id: reply.id.map(|id| id.0.into()),
        model: reply.model.map(|model| model.0.into()),
        finish: reply.stop_reason.map(|reason| stop::read(&reason.0)),
        usage: meter.usage(),
    })
}

/// Reads a whole reply.
pub(super) fn read(body: &[u8]) -> Result<Reply<'_>, Error> {
    let mut reply: Message<'_> = read_reply(body)?;
    check(reply.kind.as_ref(), reply.content.is_some())?;
    let mut extra = Vec::new();
    reply.extra.retain(|(_, value)| value.get() != "null");
    keep(&mut extra, "", reply.extra);
    let mut meter = Meter::default();
    if let Some(counts) = reply.usage {
        extra.extend(meter.take(counts).map(|(path, value)| Extra { path, value }));
    }
    let said = match reply.content {
        Some(content) => parts(content, Base::Reply, &mut extra)
            .map_err(|error| Error { code: Code::UpstreamInvalid, ..error })?,
        None => Vec::new(),
    };
    Ok(Reply {
        id: reply.id.map(|id| id.0),
        model: reply.model.map(|model| model.0),
        created: None,
        parts: said,
        finish: reply.stop_reason.map(|reason| stop::read(&reason.0)),
        stop_sequence: reply.stop_sequence.map(|sequence| sequence.0),
        usage: meter.usage(),
        extra,
    })
}

/// Writes a reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for Extra { path, value } in &reply.extra {
        if value.get() != "null" {
            losses.note(path.as_str());
        }
    }
    let mut content = stop::Content::default();
    let mut body = Vec::with_capacity(512);
    write_object(&mut body, |message| {
        message.string("id", reply.id.as_deref().unwrap_or_default());
        message.string("type", "message");
        message.string("role", "assistant");
        message.string("model", reply.model.as_deref().unwrap_or_default());
        message.array("content", |said| {
            for (index, part) in reply.parts.iter().enumerate() {
                match part {
                    Part::Text { text, .. } | Part::Refusal { text } if text.is_empty() => continue,
                    Part::Refusal { .. } => content.refusal = true,
                    Part::ToolCall { signature, .. } => {
                        content.tools = true;
                        if signature.is_some() {
                            losses.note(format!("/content/{index}/signature"));
                        }
                    }
                    Part::Text { .. } | Part::Thinking { .. } | Part::RedactedThinking { .. } => {}
                    Part::Other(extra) => {
                        losses.note(extra.path.as_str());
                        continue;
                    }
                    Part::Image { .. }
                    | Part::Document { .. }
                    | Part::Audio { .. }
                    | Part::ToolResult { .. } => {
                        losses.note(format!("/content/{index}"));
                        continue;
                    }
                }
                blocks::write(said, part);
            }
        });
        message.string("stop_reason", stop::write(reply.finish, content));
        match &reply.stop_sequence {
            Some(sequence) => message.string("stop_sequence", sequence),
            None => message.null("stop_sequence"),
        }
        message.object("usage", |counts| usage::write(counts, &reply.usage.unwrap_or_default()));
    });
    if stop::is_vaguer(reply.finish) {
        losses.note("/finish_reason");
    }
    if let Some(metered) = &reply.usage {
        usage::unsayable(metered).for_each(|path| losses.note(path));
    }
    Written { body, losses }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::changed;

    const REPLIES: &[&str] = &[
        include_str!("../../fixtures/anthropic/messages/context_window.reply.json"),
        include_str!("../../fixtures/anthropic/messages/max_tokens.reply.json"),
        include_str!("../../fixtures/anthropic/messages/pause.reply.json"),
        include_str!("../../fixtures/anthropic/messages/refused.reply.json"),
        include_str!("../../fixtures/anthropic/messages/stop_sequence.reply.json"),
        include_str!("../../fixtures/anthropic/messages/tiers.reply.json"),
        include_str!("../../fixtures/anthropic/messages/tools.reply.json"),
    ];

    #[test]
    fn every_ordinary_reply_is_scanned() {
        for reply in REPLIES {
            let facts = scan(reply.as_bytes()).unwrap_or_else(|| panic!("{reply}"));
            assert_eq!(facts, parse(reply.as_bytes()).unwrap());
            assert!(facts.id.is_some() && facts.model.is_some(), "{facts:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_scanned_is_what_is_parsed(body in changed(REPLIES)) {
            if let Some(facts) = scan(body.as_bytes()) {
                prop_assert_eq!(Ok(facts), parse(body.as_bytes()), "{}", body);
            }
        }
    }
}
