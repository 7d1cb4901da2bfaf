//! Complete replies: what the record needs of them, reading, and writing.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_types::{Code, Finish};

use super::message::{self, Content, ToolCall, signature, write_signature};
use super::usage::{self, Counts};
use super::{finish, message::Arguments};
use crate::chat::{Extra, Part, Reply};
use crate::json::{Array, Field, Object, Scanner, Text, Whole, object, read_reply, write_object};
use crate::openai::said;
use crate::{Error, Losses, ReplyFacts, Written};

object! {
    /// A reply, but for what it says.
    struct Envelope<'a> {
        id: Text<'a> = "id",
        model: Text<'a> = "model",
        choices: Vec<Ending<'a>> = "choices",
        usage: Counts = "usage",
    }
    skipping all
}

object! {
    /// How an alternative ended.
    struct Ending<'a> { index: u64 = "index", finish_reason: Text<'a> = "finish_reason" }
    skipping all
}

object! {
    /// A whole reply.
    struct Completion<'a> {
        id: Text<'a> = "id",
        created: i64 = "created",
        model: Text<'a> = "model",
        choices: Vec<Whole<'a, Choice<'a>>> = "choices",
        usage: Counts = "usage",
    }
    skipping "object"
}

object! {
    /// An alternative.
    struct Choice<'a> {
        index: u64 = "index",
        message: Message<'a> = "message",
        finish_reason: Text<'a> = "finish_reason",
    }
}

object! {
    /// What an alternative says.
    struct Message<'a> {
        content: Content<'a> = "content",
        refusal: Text<'a> = "refusal",
        reasoning_content: Text<'a> = "reasoning_content",
        reasoning: Text<'a> = "reasoning",
        tool_calls: Vec<Whole<'a, ToolCall<'a>>> = "tool_calls",
        annotations: &'a RawValue = "annotations",
    }
    skipping "role"
}

fn no_choice() -> Error {
    Error::new(Code::UpstreamInvalid, "the provider's answer has no choices")
}

/// Reads what the record needs.
pub(super) fn facts(body: &[u8]) -> Result<ReplyFacts, Error> {
    scan(body).map_or_else(|| parse(body), Ok)
}

/// The alternative with the lowest index, as far as it has come.
#[derive(Default)]
struct First<'a> {
    index: Option<u64>,
    reason: Option<&'a str>,
}

/// What [`parse`] reads, of a reply without surprises.
fn scan(body: &[u8]) -> Option<ReplyFacts> {
    let (mut id, mut model, mut usage) = (Field::default(), Field::default(), Field::default());
    let (mut choices, mut first) = (Field::default(), First::default());
    let mut scanner = Scanner::new(body)?;
    scanner.object(|scanner, key| match key {
        "id" => scanner.once(&mut id, Scanner::string),
        "model" => scanner.once(&mut model, Scanner::string),
        "choices" => {
            scanner.once(&mut choices, |scanner| scanner.array(|scanner| scan_ending(scanner, &mut first)))
        }
        "usage" => scanner.once(&mut usage, Counts::scan),
        _ => scanner.skip(),
    })?;
    scanner.end()?;
    first.index?;
    Some(ReplyFacts {
        id: id.value().map(Arc::from),
        model: model.value().map(Arc::from),
        finish: first.reason.map(finish::read),
        usage: usage.value().and_then(|counts| counts.usage()),
    })
}

fn scan_ending<'a>(scanner: &mut Scanner<'a>, first: &mut First<'a>) -> Option<()> {
    let (mut index, mut reason) = (Field::default(), Field::default());
    scanner.object(|scanner, key| match key {
        "index" => scanner.once(&mut index, Scanner::number),
        "finish_reason" => scanner.once(&mut reason, Scanner::string),
        _ => scanner.skip(),
    })?;
    let index = index.value().unwrap_or(0);
    if first.index.is_none_or(|lowest| index < lowest) {
        *first = First { index: Some(index), reason: reason.value() };
    }
    Some(())
}

fn parse(body: &[u8]) -> Result<ReplyFacts, Error> {
    let reply: Envelope<'_> = read_reply(body)?;
    let choices = reply.choices.filter(|choices| !choices.is_empty()).ok_or_else(no_choice)?;
    let first = choices.iter().min_by_key(|choice| choice.index.unwrap_or(0));
    let reason = first.and_then(|choice| choice.finish_reason.as_ref());
    Ok(ReplyFacts {
        id: reply.id.map(|id| id.0.into()),
        model: reply.model.map(|model| model.0.into()),
        finish: reason.map(|reason| finish::read(&reason.0)),
        usage: reply.usage.and_then(|counts| counts.usage()),
    })
}

/// Reads a whole reply.
pub(super) fn read(body: &[u8]) -> Result<Reply<'_>, Error> {
    let reply: Completion<'_> = read_reply(body)?;
    let mut extra = Vec::new();
    said(&mut extra, "", reply.extra);
    let mut choices = reply.choices.ok_or_else(no_choice)?;
    choices.sort_by_key(|choice| choice.value.index.unwrap_or(0));
    let mut choices = choices.into_iter().map(|choice| (choice.raw, choice.value));
    let (_, choice) = choices.next().ok_or_else(no_choice)?;
    extra.extend(
        (1..).zip(choices).map(|(index, (value, _))| Extra { path: format!("/choices/{index}"), value }),
    );
    said(&mut extra, "/choices/0", choice.extra);
    let message = choice.message.ok_or_else(|| {
        Error::at(Code::UpstreamInvalid, "choices[0].message", "the provider's answer has no message")
    })?;
    Ok(Reply {
        parts: parts(message, reply.id.as_ref().map_or("", |id| &id.0), &mut extra)?,
        id: reply.id.map(|id| id.0),
        model: reply.model.map(|model| model.0),
        created: reply.created,
        finish: choice.finish_reason.map(|reason| finish::read(&reason.0)),
        stop_sequence: None,
        usage: reply.usage.and_then(|counts| counts.usage()),
        extra,
    })
}

fn parts<'a>(message: Message<'a>, reply: &str, extra: &mut Vec<Extra<'a>>) -> Result<Vec<Part<'a>>, Error> {
    const PATH: &str = "/choices/0/message";
    let mut parts = Vec::with_capacity(2);
    said(extra, PATH, message.extra);
    if let Some(annotations) = message.annotations.filter(|list| list.get() != "[]") {
        extra.push(Extra { path: format!("{PATH}/annotations"), value: annotations });
    }
    if let Some(text) = message.reasoning_content.or(message.reasoning).filter(|text| !text.0.is_empty()) {
        parts.push(Part::Thinking { text: text.0, signature: None });
    }
    if let Some(content) = message.content {
        message::parts(content, &format!("{PATH}/content"), extra, &mut parts);
        // A call of tools says "" where it says nothing.
        parts.retain(|part| !matches!(part, Part::Text { text, .. } if text.is_empty()));
    }
    if let Some(text) = message.refusal.filter(|text| !text.0.is_empty()) {
        parts.push(Part::Refusal { text: text.0 });
    }
    for (number, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{PATH}/tool_calls/{number}");
        let Some(function) = call.value.function else {
            parts.push(Part::Other(Extra { path, value: call.raw }));
            continue;
        };
        let name = function.name.ok_or_else(|| {
            Error::new(Code::UpstreamInvalid, "the provider's answer calls a tool without a name")
        })?;
        said(extra, &path, call.value.extra);
        parts.push(Part::ToolCall {
            id: call_id(call.value.id, reply, number),
            name: name.0,
            arguments: function.arguments.unwrap_or(Arguments(Cow::Borrowed(""))).0,
            signature: signature(call.value.vendor),
            cache: None,
        });
    }
    Ok(parts)
}

/// A call's id. Some servers give none: it is then made from the reply's, so that no two calls of a conversation
/// share one.
pub(super) fn call_id<'a>(given: Option<Text<'a>>, reply: &str, number: usize) -> Cow<'a, str> {
    match given {
        Some(id) if !id.0.is_empty() => id.0,
        _ => {
            let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-' || *letter == '_';
            Cow::Owned(format!("call_{}_{number}", reply.chars().filter(plain).take(64).collect::<String>()))
        }
    }
}

/// Writes a whole reply.
pub(super) fn write(reply: &Reply<'_>) -> Written {
    let mut losses = Losses::default();
    for extra in &reply.extra {
        losses.note(extra.path.as_str());
    }
    let (reason, vaguer) = finish::write(reply.finish);
    if vaguer {
        losses.note("/stop_reason");
    }
    if reply.stop_sequence.is_some() || reply.finish == Some(Finish::StopSequence) {
        losses.note("/stop_sequence");
    }
    let mut body = Vec::with_capacity(768);
    write_object(&mut body, |object| {
        object.string("id", reply.id.as_deref().unwrap_or_default());
        object.string("object", "chat.completion");
        object.number("created", reply.created.and_then(|at| u64::try_from(at).ok()).unwrap_or(0));
        object.string("model", reply.model.as_deref().unwrap_or_default());
        object.array("choices", |choices| {
            choices.object(|choice| {
                choice.number("index", 0);
                choice.object("message", |message| write_message(&reply.parts, message, &mut losses));
                choice.null("logprobs");
                choice.string("finish_reason", reason);
            });
        });
        if let Some(usage) = &reply.usage {
            usage::write(object, usage);
        }
    });
    Written { body, losses }
}

fn write_message(parts: &[Part<'_>], message: &mut Object<'_>, losses: &mut Losses) {
    let (mut text, mut refusal, mut thinking) = (Vec::new(), Vec::new(), Vec::new());
    let mut calls = false;
    for (index, part) in parts.iter().enumerate() {
        match part {
            Part::Text { text: piece, .. } => text.push(&**piece),
            Part::Refusal { text } => refusal.push(&**text),
            Part::Thinking { text, signature } => {
                thinking.push(&**text);
                if signature.is_some() {
                    losses.note(format!("/content/{index}/signature"));
                }
            }
            Part::ToolCall { .. } => calls = true,
            Part::Other(extra) => losses.note(extra.path.as_str()),
            _ => losses.note(format!("/content/{index}")),
        }
    }
    message.string("role", "assistant");
    for (key, pieces) in [("content", text), ("refusal", refusal)] {
        if pieces.is_empty() { message.null(key) } else { message.joined(key, &pieces) }
    }
    if !thinking.is_empty() {
        message.joined("reasoning_content", &thinking);
    }
    if calls {
        message.array("tool_calls", |calls| parts.iter().for_each(|part| write_call(part, calls)));
    }
}

fn write_call(part: &Part<'_>, calls: &mut Array<'_>) {
    let Part::ToolCall { id, name, arguments, signature, .. } = part else { return };
    calls.object(|call| {
        call.string("id", id);
        call.string("type", "function");
        call.object("function", |function| {
            function.string("name", name);
            function.string("arguments", if arguments.is_empty() { "{}" } else { arguments });
        });
        write_signature(call, signature.as_deref());
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::json::changed;

    const REPLIES: &[&str] = &[
        include_str!("../../fixtures/openai_chat/chat_completions/content_filter.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/max_tokens.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/refusal.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/several.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/fingerprint.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/thinking.reply.json"),
        include_str!("../../fixtures/openai_chat/chat_completions/tools.reply.json"),
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
