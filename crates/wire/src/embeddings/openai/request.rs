//! Requests, read with every vendor's fields and written with the target's.

use serde_json::value::RawValue;
use stepwell_types::{Code, EmbeddingFormat, EmbeddingQuirks, PurposeWords};

use crate::chat::Extra;
use crate::embeddings::{Embed, Encoding, Input, Purpose, Said, input_path, lose, lose_all};
use crate::json::{Object, Text, keep, key_under, object, read as read_json, write_object};
use crate::{Error, Losses, Written};

object! {
    struct Body<'a> {
        input: &'a RawValue = "input",
        dimensions: &'a RawValue = "dimensions",
        output_dimension: &'a RawValue = "output_dimension",
        output_dtype: Text<'a> = "output_dtype",
        encoding_format: Text<'a> = "encoding_format",
        embedding_type: &'a RawValue = "embedding_type",
        input_type: &'a RawValue = "input_type",
        task: &'a RawValue = "task",
        user: Text<'a> = "user",
    }
    // The head has it.
    skipping "model"
}

/// Reads a request.
pub(super) fn read(body: &[u8]) -> Result<Embed<'_>, Error> {
    let body: Body<'_> = read_json(body)?;
    let input = body.input.ok_or_else(|| Error::at(Code::InvalidRequest, "input", "input is missing"))?;
    let mut extra = Vec::new();
    let said = |path, value| Said { path, value };
    let mut dimensions = body.dimensions.map(|raw| said("/dimensions", raw));
    if let Some(raw) = body.output_dimension {
        match dimensions {
            Some(_) => extra.push(kept("/output_dimension", raw)),
            None => dimensions = Some(said("/output_dimension", raw)),
        }
    }
    let mut encoding = match body.encoding_format.as_ref().map(|format| &*format.0) {
        Some("base64") => Encoding::Base64,
        Some("float") | None => Encoding::Float,
        Some(_) => Encoding::AsIs,
    };
    let mut element = body.output_dtype.filter(|element| element.0 != "float");
    let mut element_path = "/output_dtype";
    if let Some(raw) = body.embedding_type {
        match serde_json::from_str::<Text<'_>>(raw.get()) {
            Ok(kind) if kind.0 == "float" => {}
            Ok(kind) if kind.0 == "base64" => encoding = Encoding::Base64,
            Ok(kind) if element.is_none() => (element, element_path) = (Some(kind), "/embedding_type"),
            _ => extra.push(kept("/embedding_type", raw)),
        }
    }
    let mut purpose = None;
    for (path, raw, of) in [
        ("/input_type", body.input_type, Purpose::of_input_type as fn(&str) -> Option<Purpose>),
        ("/task", body.task, Purpose::of_task),
    ] {
        let Some(raw) = raw else { continue };
        let word = serde_json::from_str::<Text<'_>>(raw.get()).ok();
        match word.and_then(|word| of(&word.0)) {
            Some(known) if purpose.is_none() => purpose = Some(said_of(path, known)),
            _ => extra.push(kept(path, raw)),
        }
    }
    keep(&mut extra, "", body.extra);
    Ok(Embed {
        from: Some(EmbeddingFormat::Openai),
        inputs: inputs("input", input)?,
        dimensions,
        element: element.map(|element| said_of(element_path, element.0)),
        encoding,
        purpose,
        title: None,
        user: body.user.map(|user| said_of("/user", user.0)),
        extra,
    })
}

fn said_of<T>(path: &'static str, value: T) -> Said<T> {
    Said { path, value }
}

fn kept<'a>(path: &str, value: &'a RawValue) -> Extra<'a> {
    Extra { path: path.to_owned(), value }
}

/// The inputs: a text, a list of texts, the tokens of one text or of several, or parts of a vendor's own.
pub(in crate::embeddings) fn inputs<'a>(field: &str, raw: &'a RawValue) -> Result<Vec<Input<'a>>, Error> {
    let text = |raw: &'a RawValue| serde_json::from_str::<Text<'_>>(raw.get()).map(|text| text.0);
    let wrong =
        |at: String, what: &str| Error::at(Code::InvalidRequest, at.clone(), format!("{at} must be {what}"));
    match raw.get().as_bytes().first() {
        Some(b'"') => {
            return Ok(vec![Input::Text(text(raw).map_err(|_| wrong(field.to_owned(), "a string"))?)]);
        }
        Some(b'{') => return Ok(vec![Input::Part(raw)]),
        Some(b'[') => {}
        _ => return Err(wrong(field.to_owned(), "a string or a list")),
    }
    let items: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|_| wrong(field.to_owned(), "a list"))?;
    let first = items.first().ok_or_else(|| wrong(field.to_owned(), "a list that is not empty"))?;
    if first.get().starts_with(|letter: char| letter.is_ascii_digit()) {
        tokens(field, raw)?;
        return Ok(vec![Input::Tokens(raw)]);
    }
    let mut inputs = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        let at = || format!("{field}[{index}]");
        inputs.push(match item.get().as_bytes().first() {
            Some(b'"') => Input::Text(text(item).map_err(|_| wrong(at(), "a string"))?),
            Some(b'[') => {
                tokens(&at(), item)?;
                Input::Tokens(item)
            }
            Some(b'{') => Input::Part(item),
            _ => return Err(wrong(at(), "a string or a list of tokens")),
        });
    }
    Ok(inputs)
}

fn tokens(at: &str, raw: &RawValue) -> Result<(), Error> {
    let tokens: Result<Vec<u32>, _> = serde_json::from_str(raw.get());
    if tokens.is_ok_and(|tokens| !tokens.is_empty()) {
        return Ok(());
    }
    Err(Error::at(Code::InvalidRequest, at, format!("{at} must be a list of whole numbers, at least one")))
}

/// Writes a request.
pub(super) fn write(embed: &Embed<'_>, model: &str, quirks: EmbeddingQuirks) -> Result<Written, Error> {
    let is_own = embed.from == Some(EmbeddingFormat::Openai);
    for (index, input) in embed.inputs.iter().enumerate() {
        let what = match input {
            Input::Tokens(_) if quirks.texts_only => "tokens",
            Input::Part(_) if !is_own => "what is not text",
            _ => continue,
        };
        let at = input_path(embed, index);
        let message = format!("{at}: {model} embeds texts only, and {what} cannot be sent to it");
        return Err(Error::at(Code::UnsupportedParameter, at, message));
    }
    let mut losses = Losses::default();
    let mut body = Vec::with_capacity(256);
    write_object(&mut body, |object| {
        object.string("model", model);
        write_inputs(object, &embed.inputs);
        if let Some(dimensions) = &embed.dimensions {
            let key = if quirks.output_fields { "output_dimension" } else { "dimensions" };
            object.raw(key, dimensions.value);
        }
        write_encoding(object, embed, quirks, &mut losses);
        if let Some(purpose) = &embed.purpose {
            match purpose.value.as_field(quirks.purpose) {
                Some((field, word)) => object.string(field, word),
                None => losses.note(purpose.path),
            }
        }
        lose(&mut losses, embed.title.as_ref());
        if let Some(user) = &embed.user {
            object.string("user", &user.value);
        }
        if is_own {
            // What no vendor's page that is known here names: the target may know it.
            for field in &embed.extra {
                let is_of_others =
                    matches!(&*field.path, "/input_type" | "/task" | "/embedding_type" | "/output_dimension")
                        && !takes(&field.path, quirks);
                match key_under(&field.path, "") {
                    Some(key) if !is_of_others => object.field(&key, field.value),
                    _ => losses.note(field.path.clone()),
                }
            }
        } else {
            lose_all(&mut losses, &embed.extra);
        }
    });
    Ok(Written { body, losses })
}

/// Whether the target knows a field that only some vendors have.
fn takes(path: &str, quirks: EmbeddingQuirks) -> bool {
    let words = quirks.purpose;
    match path {
        "/input_type" => matches!(words, PurposeWords::QueryDocument | PurposeWords::QueryPassage),
        "/task" => words == PurposeWords::Tasks,
        "/embedding_type" => quirks.embedding_type,
        _ => false,
    }
}

fn write_inputs(object: &mut Object<'_>, inputs: &[Input<'_>]) {
    match inputs {
        // As the caller may have written it, and every server takes it.
        [Input::Tokens(tokens)] => object.array("input", |list| list.raw(tokens)),
        inputs => object.array("input", |list| {
            for input in inputs {
                match input {
                    Input::Text(text) => list.string(text),
                    Input::Tokens(raw) | Input::Part(raw) => list.raw(raw),
                }
            }
        }),
    }
}

/// How the vectors are to be written. What the target cannot write, is written so on the way back.
fn write_encoding(object: &mut Object<'_>, embed: &Embed<'_>, quirks: EmbeddingQuirks, losses: &mut Losses) {
    if let Some(element) = &embed.element {
        let key = match (quirks.output_fields, quirks.embedding_type) {
            (true, _) => Some("output_dtype"),
            (false, true) => Some("embedding_type"),
            (false, false) => None,
        };
        match key {
            Some(key) => object.string(key, &element.value),
            None => losses.note(element.path),
        }
        if key == Some("embedding_type") {
            return;
        }
    }
    let word = match embed.encoding {
        Encoding::Base64 if !quirks.floats_only => "base64",
        // Where nothing is asked for, floats come.
        Encoding::Base64 | Encoding::Float | Encoding::AsIs => return,
    };
    object.string(if quirks.embedding_type { "embedding_type" } else { "encoding_format" }, word);
}
