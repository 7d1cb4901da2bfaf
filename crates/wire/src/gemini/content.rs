//! `Content` and its parts, as requests, replies and streams all have them.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;

use serde_json::value::RawValue;
use stepwell_types::Code;

use crate::Error;
use crate::chat::{Extra, Part, Source};
use crate::json::{Array, Extras, Object, Text, Whole, keep, object};

object! {
    /// What one side says.
    pub(super) struct Content<'a> {
        role: Text<'a> = "role",
        parts: Vec<Whole<'a, ContentPart<'a>>> = "parts",
    }
}

object! {
    /// One part. Which kind it is, is said by the field it has.
    pub(super) struct ContentPart<'a> {
        text: Text<'a> = "text",
        thought: bool = "thought",
        signature: Text<'a> = "thoughtSignature" | "thought_signature",
        inline: Blob<'a> = "inlineData" | "inline_data",
        file: FileData<'a> = "fileData" | "file_data",
        call: Call<'a> = "functionCall" | "function_call",
        response: Response<'a> = "functionResponse" | "function_response",
    }
}

object! {
    pub(super) struct Blob<'a> {
        media_type: Text<'a> = "mimeType" | "mime_type",
        data: Text<'a> = "data",
        name: Text<'a> = "displayName" | "display_name",
    }
}

object! {
    pub(super) struct FileData<'a> {
        media_type: Text<'a> = "mimeType" | "mime_type",
        uri: Text<'a> = "fileUri" | "file_uri",
        name: Text<'a> = "displayName" | "display_name",
    }
}

object! {
    pub(super) struct Call<'a> { id: Text<'a> = "id", name: Text<'a> = "name", args: &'a RawValue = "args" }
}

object! {
    pub(super) struct Response<'a> {
        id: Text<'a> = "id",
        name: Text<'a> = "name",
        outcome: Whole<'a, Outcome<'a>> = "response",
        parts: Vec<Whole<'a, Given<'a>>> = "parts",
    }
}

object! {
    /// What a function gave back beside its outcome. Not a [`ContentPart`], which would then hold itself: every level is a
    /// parser of its own, so only the stack would bound how deep a provider's reply may go.
    pub(super) struct Given<'a> { inline: Blob<'a> = "inlineData" | "inline_data" }
}

object! {
    /// What a function gave back: an object with any keys. `error` says that it failed, and a single `result` or `output`
    /// that there is nothing but a value.
    pub(super) struct Outcome<'a> {
        result: &'a RawValue = "result",
        output: &'a RawValue = "output",
        error: &'a RawValue = "error",
    }
}

/// Where a part stands; written as a path (`/contents/0/parts/1`) or as a field (`contents[0].parts[1]`).
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    pub(super) base: Base,
    pub(super) part: usize,
}

/// What a part belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Base {
    /// The system instruction of a request.
    System,
    /// A turn of a request.
    Content(usize),
    /// A reply.
    Reply,
}

impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            Base::System => write!(formatter, "/systemInstruction/parts/{}", self.part),
            Base::Content(content) => write!(formatter, "/contents/{content}/parts/{}", self.part),
            Base::Reply => write!(formatter, "/candidates/0/content/parts/{}", self.part),
        }
    }
}

impl At {
    pub(super) fn wrong(&self, field: &str, problem: &str) -> Error {
        let base = match self.base {
            Base::System => "systemInstruction".to_owned(),
            Base::Content(content) => format!("contents[{content}]"),
            Base::Reply => "candidates[0].content".to_owned(),
        };
        let at = format!("{base}.parts[{}].{field}", self.part);
        let message = format!("{at} {problem}");
        Error::at(Code::InvalidRequest, at, message)
    }
}

/// The calls of tools so far, to give ids to those that come without: Google's are optional, and then a result belongs to
/// the oldest call of its name that has none.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    /// The calls of each name, the oldest first. Those that got a result by their id are still among them.
    called: HashMap<Cow<'a, str>, VecDeque<Cow<'a, str>>>,
    /// The ids of calls that got a result by their id.
    answered: HashSet<Cow<'a, str>>,
    made: usize,
    /// The id of the reply they are in, which the ids made here begin with, so that no two calls of a conversation share
    /// one.
    reply: Option<Cow<'a, str>>,
}

impl<'a> Calls<'a> {
    /// The calls of a reply.
    pub(super) fn of_reply(id: Cow<'a, str>) -> Self {
        Self { reply: Some(id), ..Self::default() }
    }

    /// The id of a call.
    fn call(&mut self, id: Option<Cow<'a, str>>, name: &Cow<'a, str>) -> Cow<'a, str> {
        let number = self.made;
        self.made += 1;
        let id = id.filter(|id| !id.is_empty()).unwrap_or_else(|| match &self.reply {
            Some(reply) => call_id(reply, number),
            None => Cow::Owned(format!("call_{number}")),
        });
        self.called.entry(name.clone()).or_default().push_back(id.clone());
        id
    }

    /// The id of the call that a result belongs to.
    fn result(&mut self, id: Option<Cow<'a, str>>, name: &str) -> Cow<'a, str> {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.answered.insert(id.clone());
            return id;
        }
        while let Some(open) = self.called.get_mut(name).and_then(VecDeque::pop_front) {
            if !self.answered.contains(&open) {
                return open;
            }
        }
        let number = self.made;
        self.made += 1;
        Cow::Owned(format!("call_{number}"))
    }
}

/// The id of call `number` of a reply, where it came without one.
pub(super) fn call_id(reply: &str, number: usize) -> Cow<'static, str> {
    Cow::Owned(format!("call_{reply}_{number}"))
}

/// Reads the parts of a content. What no part can say goes to `extra`.
pub(super) fn parts<'a>(
    parts: Vec<Whole<'a, ContentPart<'a>>>,
    base: Base,
    calls: &mut Calls<'a>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Vec<Part<'a>>, Error> {
    parts
        .into_iter()
        .enumerate()
        .map(|(number, whole)| part(whole, At { base, part: number }, calls, extra))
        .collect()
}

fn part<'a>(
    whole: Whole<'a, ContentPart<'a>>,
    at: At,
    calls: &mut Calls<'a>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Part<'a>, Error> {
    let Whole { raw, value: part } = whole;
    let other = || Part::Other(Extra { path: at.to_string(), value: raw });
    let signature = part.signature.map(|signature| signature.0).filter(|signature| !signature.is_empty());
    let is_call = part.call.is_some();
    let read = if let Some(call) = part.call {
        let name = call.name.ok_or_else(|| at.wrong("functionCall.name", "is missing"))?.0;
        keep_said(extra, &format!("{at}/functionCall"), call.extra);
        Part::ToolCall {
            id: calls.call(call.id.map(|id| id.0), &name),
            name,
            arguments: Cow::Borrowed(call.args.map_or("{}", RawValue::get)),
            signature: signature.clone(),
            cache: None,
        }
    } else if let Some(response) = part.response {
        result(response, at, calls, extra)?
    } else if let Some(Text(text)) = part.text {
        if part.thought.unwrap_or(false) {
            Part::Thinking { text, signature: None }
        } else {
            Part::Text { text, cache: None }
        }
    } else if let Some(blob) = part.inline {
        match inline(blob, &format!("{at}/inlineData"), extra) {
            Some(part) => part,
            None => return Ok(other()),
        }
    } else if let Some(file) = part.file {
        match filed(file, &format!("{at}/fileData"), extra) {
            Some(part) => part,
            None => return Ok(other()),
        }
    } else {
        return Ok(other());
    };
    if signature.is_some() && !is_call {
        extra.push(Extra { path: format!("{at}/thoughtSignature"), value: raw });
    }
    keep_said(extra, &at.to_string(), part.extra);
    Ok(read)
}

/// Keeps the fields that say something.
pub(super) fn keep_said<'a>(extra: &mut Vec<Extra<'a>>, prefix: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    if !fields.is_empty() {
        keep(extra, prefix, fields);
    }
}

/// What stands in the part itself. None for what no part of the superset is.
fn inline<'a>(blob: Blob<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let (media_type, data) = (blob.media_type?.0, blob.data?.0);
    let kind = media_type.split('/').next().unwrap_or_default().to_owned();
    let is_pdf = media_type == "application/pdf";
    let source = Source::Base64 { media_type, data };
    let part = match kind.as_str() {
        "image" => Part::Image { source, detail: None, cache: None },
        "audio" => Part::Audio { source },
        kind if is_pdf || kind == "text" => {
            Part::Document { source, name: blob.name.map(|name| name.0), cache: None }
        }
        _ => return None,
    };
    keep_said(extra, path, blob.extra);
    Some(part)
}

/// A file that Google fetches. What it is, is said by its type or else by how its name ends.
fn filed<'a>(file: FileData<'a>, path: &str, extra: &mut Vec<Extra<'a>>) -> Option<Part<'a>> {
    let uri = file.uri?.0;
    let media_type = match &file.media_type {
        Some(Text(media_type)) => media_type,
        None => type_of(&uri)?,
    };
    let (is_image, is_pdf) = (media_type.starts_with("image/"), media_type == "application/pdf");
    let source = if is_file_id(&uri) { Source::File(uri) } else { Source::Url(uri) };
    let part = if is_image {
        Part::Image { source, detail: None, cache: None }
    } else if is_pdf {
        Part::Document { source, name: file.name.map(|name| name.0), cache: None }
    } else {
        return None;
    };
    keep_said(extra, path, file.extra);
    Some(part)
}

/// Whether this names a file that Google holds.
fn is_file_id(uri: &str) -> bool {
    uri.starts_with("gs://") || uri.starts_with("https://generativelanguage.googleapis.com/")
}

/// The media type that a file's name stands for.
fn type_of(uri: &str) -> Option<&'static str> {
    let path = uri.split(['?', '#']).next()?;
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        _ => return None,
    })
}

fn result<'a>(
    response: Response<'a>,
    at: At,
    calls: &mut Calls<'a>,
    extra: &mut Vec<Extra<'a>>,
) -> Result<Part<'a>, Error> {
    let name = response.name.ok_or_else(|| at.wrong("functionResponse.name", "is missing"))?.0;
    let id = calls.result(response.id.map(|id| id.0), &name);
    let (mut said, mut is_error) = (Vec::new(), false);
    if let Some(Whole { raw, value: outcome }) = response.outcome {
        let value = match (&outcome.result, &outcome.output, &outcome.error) {
            (Some(value), None, None) | (None, Some(value), None) if outcome.extra.is_empty() => *value,
            (None, None, Some(error)) if outcome.extra.is_empty() => {
                is_error = true;
                *error
            }
            _ => raw,
        };
        let text = match serde_json::from_str::<Text<'a>>(value.get()) {
            Ok(text) => text.0,
            Err(_) => Cow::Borrowed(value.get()),
        };
        said.push(Part::Text { text, cache: None });
    }
    for (number, Whole { raw, value }) in response.parts.unwrap_or_default().into_iter().enumerate() {
        let path = format!("{at}/functionResponse/parts/{number}");
        let read = value.inline.and_then(|blob| inline(blob, &path, extra));
        if read.is_some() {
            keep_said(extra, &path, value.extra);
        }
        said.push(read.unwrap_or(Part::Other(Extra { path, value: raw })));
    }
    keep_said(extra, &format!("{at}/functionResponse"), response.extra);
    Ok(Part::ToolResult { id, parts: said, is_error, cache: None })
}

/// Writes a text.
pub(super) fn write_text(parts: &mut Array<'_>, text: &str, is_thought: bool) {
    parts.object(|part| {
        part.string("text", text);
        if is_thought {
            part.bool("thought", true);
        }
    });
}

/// Writes a call of a function. Arguments that are no object are left out, which the caller has to report.
pub(super) fn write_call(
    parts: &mut Array<'_>,
    id: &str,
    name: &str,
    arguments: &str,
    signature: Option<&str>,
) {
    parts.object(|part| {
        part.object("functionCall", |call| {
            if !id.is_empty() {
                call.string("id", id);
            }
            call.string("name", name);
            call.literal("args", if is_object(arguments) { arguments } else { "{}" });
        });
        if let Some(signature) = signature {
            part.string("thoughtSignature", signature);
        }
    });
}

/// Whether a call was cut off within its arguments. It is left out of a reply, which the caller has to report: with any
/// arguments in their place it would look whole, and be run.
pub(super) fn is_cut(arguments: &str) -> bool {
    !arguments.is_empty() && !is_object(arguments)
}

/// Whether a call's arguments can stand as they are.
pub(super) fn is_object(arguments: &str) -> bool {
    arguments.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(arguments).is_ok()
}

/// Writes where an image or a document is. False where Google has no form for it.
pub(super) fn write_source(part: &mut Object<'_>, source: &Source<'_>) {
    match source {
        Source::Base64 { media_type, data } => part.object("inlineData", |blob| {
            blob.string("mimeType", media_type);
            blob.string("data", data);
        }),
        Source::Text(text) => part.string("text", text),
        Source::Url(uri) | Source::File(uri) => part.object("fileData", |file| {
            if let Some(media_type) = type_of(uri) {
                file.string("mimeType", media_type);
            }
            file.string("fileUri", uri);
        }),
    }
}

/// Whether Google can take it from there.
pub(super) fn is_reachable(source: &Source<'_>) -> bool {
    match source {
        Source::File(id) => is_file_id(id),
        Source::Url(_) | Source::Base64 { .. } | Source::Text(_) => true,
    }
}

/// Writes what a function gave back. Google wants an object: any that is one stands as it is, everything else as the
/// value of `result`, or of `error` if the tool failed.
pub(super) fn write_result(part: &mut Object<'_>, id: &str, name: &str, said: &[Part<'_>], is_error: bool) {
    let texts: Vec<&str> = said
        .iter()
        .filter_map(|part| match part {
            Part::Text { text, .. } => Some(&**text),
            _ => None,
        })
        .collect();
    part.object("functionResponse", |response| {
        response.string("id", id);
        response.string("name", name);
        match texts.as_slice() {
            [object] if !is_error && stands_alone(object) => response.literal("response", object),
            texts => response.object("response", |outcome| {
                outcome.joined(if is_error { "error" } else { "result" }, texts);
            }),
        }
        let images: Vec<_> = said
            .iter()
            .filter_map(|part| match part {
                Part::Image { source: source @ Source::Base64 { .. }, .. } => Some(source),
                _ => None,
            })
            .collect();
        if !images.is_empty() {
            response.array("parts", |parts| {
                for source in images {
                    parts.object(|part| write_source(part, source));
                }
            });
        }
    });
}

/// Whether a text is an object that reads back as itself.
fn stands_alone(text: &str) -> bool {
    let Ok(outcome) = serde_json::from_str::<Outcome<'_>>(text) else { return false };
    let named = [outcome.result, outcome.output, outcome.error].into_iter().flatten().count();
    !(named == 1 && outcome.extra.is_empty())
}
