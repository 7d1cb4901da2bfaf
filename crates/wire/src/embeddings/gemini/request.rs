//! Requests, read and written.

use std::borrow::Cow;

use serde_json::value::RawValue;
use stepwell_types::{Code, EmbeddingFormat};

use crate::chat::Extra;
use crate::embeddings::{Embed, Encoding, Input, Purpose, Said, input_path, lose, lose_all};
use crate::json::{Object, Text, Whole, keep, object, read as read_json, write_object};
use crate::{Error, Losses, Written};

object! {
    struct Batch<'a> { requests: Vec<Request<'a>> = "requests" }
}

object! {
    struct Request<'a> {
        content: Whole<'a, Content<'a>> = "content",
        task_type: Text<'a> = "taskType" | "task_type",
        title: Text<'a> = "title",
        dimensions: &'a RawValue = "outputDimensionality" | "output_dimensionality",
    }
    skipping "model"
}

object! {
    // Who speaks is nothing to a vector.
    struct Content<'a> { parts: Vec<Part<'a>> = "parts" }
    skipping "role"
}

object! {
    struct Part<'a> { text: Text<'a> = "text" }
}

/// Where the fields of a request stand: of a batch, in its first.
struct Paths {
    task_type: &'static str,
    title: &'static str,
    dimensions: &'static str,
}

const ONE: Paths = Paths { task_type: "/taskType", title: "/title", dimensions: "/outputDimensionality" };
const BATCH: Paths = Paths {
    task_type: "/requests/0/taskType",
    title: "/requests/0/title",
    dimensions: "/requests/0/outputDimensionality",
};

/// Reads a single request.
pub(super) fn read_one(body: &[u8]) -> Result<Embed<'_>, Error> {
    let request: Request<'_> = read_json(body)?;
    of(vec![request], EmbeddingFormat::Gemini, Vec::new(), &ONE)
}

/// Reads a batch.
pub(super) fn read_batch(body: &[u8]) -> Result<Embed<'_>, Error> {
    let batch: Batch<'_> = read_json(body)?;
    let mut extra = Vec::new();
    keep(&mut extra, "", batch.extra);
    of(batch.requests.unwrap_or_default(), EmbeddingFormat::GeminiBatch, extra, &BATCH)
}

fn of<'a>(
    requests: Vec<Request<'a>>,
    from: EmbeddingFormat,
    mut extra: Vec<Extra<'a>>,
    paths: &Paths,
) -> Result<Embed<'a>, Error> {
    let mut embed = Embed { from: Some(from), ..Embed::default() };
    for (index, request) in requests.into_iter().enumerate() {
        let within = |field: &str| match from {
            EmbeddingFormat::GeminiBatch => format!("/requests/{index}{field}"),
            _ => field.to_owned(),
        };
        let content = request.content.ok_or_else(|| {
            let at = within("/content").trim_start_matches('/').replace('/', ".");
            Error::at(Code::InvalidRequest, at.clone(), format!("{at} is missing"))
        })?;
        let said = |path, value| Said { path, value };
        let purpose = match request.task_type {
            Some(word) => of_word(&word.0, &within("/taskType"))?,
            None => None,
        };
        let (purpose, title) = (
            purpose.map(|purpose| said(paths.task_type, purpose)),
            request.title.map(|title| Said { path: paths.title, value: title.0 }),
        );
        let dimensions = request.dimensions.map(|raw| Said { path: paths.dimensions, value: raw });
        if index == 0 {
            (embed.purpose, embed.title, embed.dimensions) = (purpose, title, dimensions);
        } else {
            let length =
                |said: &Option<Said<&RawValue>>| said.as_ref().map(|said| said.value.get().to_owned());
            alike(embed.purpose == purpose, index, "taskType")?;
            alike(length(&embed.dimensions) == length(&dimensions), index, "outputDimensionality")?;
            // Titles differ as texts do: another's is lost where the first's is.
            if let Some(title) = title {
                embed.title.get_or_insert(title);
            }
        }
        keep(&mut extra, &within(""), request.extra);
        embed.inputs.push(input(&content));
    }
    if embed.inputs.is_empty() {
        return Err(Error::at(Code::InvalidRequest, "requests", "requests is missing"));
    }
    embed.extra = extra;
    Ok(embed)
}

/// The purpose that a word stands for; none where it says that there is none.
fn of_word(word: &str, path: &str) -> Result<Option<Purpose>, Error> {
    match Purpose::of_task_type(word) {
        None if word != "TASK_TYPE_UNSPECIFIED" => {
            let at = path.trim_start_matches('/').replace('/', ".");
            Err(Error::at(Code::InvalidRequest, at.clone(), format!("{at}: there is no task type `{word}`")))
        }
        purpose => Ok(purpose),
    }
}

/// Other formats embed all inputs of a call alike.
fn alike(is: bool, index: usize, field: &str) -> Result<(), Error> {
    if is {
        return Ok(());
    }
    let at = format!("requests[{index}].{field}");
    let message =
        format!("{at} differs from that of requests[0], and the target embeds all inputs of a call alike");
    Err(Error::at(Code::UnsupportedParameter, at, message))
}

/// A content is a text if all its parts are; they are embedded as one.
fn input<'a>(content: &Whole<'a, Content<'a>>) -> Input<'a> {
    let parts = content.value.parts.as_deref().unwrap_or_default();
    let is_text = content.value.extra.is_empty()
        && !parts.is_empty()
        && parts.iter().all(|part| part.text.is_some() && part.extra.is_empty());
    match parts {
        _ if !is_text => Input::Part(content.raw),
        [Part { text: Some(text), .. }] => Input::Text(text.0.clone()),
        several => {
            let texts = several.iter().filter_map(|part| part.text.as_ref()).map(|text| &*text.0);
            Input::Text(Cow::Owned(texts.collect()))
        }
    }
}

/// Writes a single request.
pub(super) fn write_one(embed: &Embed<'_>, model: &str) -> Result<Written, Error> {
    if embed.inputs.len() > 1 {
        let at = input_path(embed, 1);
        let message = format!("{at}: one input a call can be sent to {model}");
        return Err(Error::at(Code::UnsupportedParameter, at, message));
    }
    let losses = losses(embed, model)?;
    let mut body = Vec::with_capacity(256);
    write_object(&mut body, |object| {
        if let Some(input) = embed.inputs.first() {
            write_request(object, embed, input);
        }
    });
    Ok(Written { body, losses })
}

/// Writes a batch.
pub(super) fn write_batch(embed: &Embed<'_>, model: &str) -> Result<Written, Error> {
    let losses = losses(embed, model)?;
    let mut body = Vec::with_capacity(256);
    write_object(&mut body, |object| {
        object.array("requests", |requests| {
            for input in &embed.inputs {
                requests.object(|request| {
                    request.joined("model", &["models/", model]);
                    write_request(request, embed, input);
                });
            }
        });
    });
    Ok(Written { body, losses })
}

fn write_request(request: &mut Object<'_>, embed: &Embed<'_>, input: &Input<'_>) {
    match input {
        Input::Text(text) => request.object("content", |content| {
            content.array("parts", |parts| parts.object(|part| part.string("text", text)));
        }),
        Input::Tokens(raw) | Input::Part(raw) => request.raw("content", raw),
    }
    if let Some(word) = embed.purpose.as_ref().and_then(|purpose| purpose.value.as_task_type()) {
        request.string("taskType", word);
    }
    if let Some(title) = &embed.title {
        request.string("title", &title.value);
    }
    if let Some(dimensions) = &embed.dimensions {
        request.raw("outputDimensionality", dimensions.value);
    }
}

/// What a request cannot say. How vectors are written is not among it: they are rewritten on the way back.
fn losses(embed: &Embed<'_>, model: &str) -> Result<Losses, Error> {
    let is_own = matches!(embed.from, Some(EmbeddingFormat::Gemini | EmbeddingFormat::GeminiBatch));
    for (index, input) in embed.inputs.iter().enumerate() {
        let what = match input {
            Input::Tokens(_) => "tokens",
            Input::Part(_) if !is_own => "what is not text",
            _ => continue,
        };
        let at = input_path(embed, index);
        let message = format!("{at}: {model} reads Google's contents, and {what} cannot be made one");
        return Err(Error::at(Code::UnsupportedParameter, at, message));
    }
    let mut losses = Losses::default();
    if let Some(purpose) = &embed.purpose
        && purpose.value.as_task_type().is_none()
    {
        losses.note(purpose.path);
    }
    if embed.encoding == Encoding::AsIs && embed.element.is_none() {
        losses.note("/encoding_format");
    }
    lose(&mut losses, embed.element.as_ref());
    lose(&mut losses, embed.user.as_ref());
    lose_all(&mut losses, &embed.extra);
    Ok(losses)
}
