//! `POST /v1/embeddings`, as strict as the vendor: <https://platform.openai.com/docs/api-reference/embeddings/create>

use std::borrow::Cow;

use crate::check::{Fields, Invalid, Path, Shape};
use crate::embed::{DIMENSIONS, Embed, Input, MOST_DIMENSIONS, base64, numbers, vector};
use crate::json::{Json, integer, string};
use crate::shapes::{self, Models, at_most};
use crate::text::{count, input_tokens};

const REQUEST: Shape = Shape {
    required: &["model", "input"],
    optional: &["encoding_format", "dimensions", "user"],
    nullable: &[],
};

/// The most inputs of a request.
const MOST_INPUTS: usize = 2_048;

/// Reads a request.
pub(crate) fn read<'j>(json: &'j Json<'_>, models: &Models) -> Result<Embed<'j>, Invalid> {
    let fields = REQUEST.read(json, &Path::ROOT)?;
    let (model, _) = shapes::model(&fields, models)?;
    fields.text("user")?;
    let base64 = fields.choice("encoding_format", &["float", "base64"])? == Some("base64");
    let dimensions = dimensions(&fields)?;
    let place = fields.at("input");
    let inputs = match fields.get("input") {
        Some(Json::Str(text)) => vec![of_text(&place, text)?],
        Some(Json::Array(items)) if matches!(items.first(), Some(Json::Int(_))) => {
            vec![of_tokens(&place, items)?]
        }
        Some(Json::Array(items)) => {
            at_most(&place, items.len(), MOST_INPUTS)?;
            let each = items.iter().enumerate();
            each.map(|(index, item)| of_item(&place.index(index), item)).collect::<Result<Vec<_>, _>>()?
        }
        Some(other) => return Err(place.wrong_type("a string or an array", other)),
        None => Vec::new(),
    };
    if inputs.is_empty() {
        return Err(place.rule("'$.input' is invalid: it must not be empty."));
    }
    Ok(Embed { model, inputs, dimensions, base64 })
}

fn dimensions(fields: &Fields<'_, '_, '_>) -> Result<u32, Invalid> {
    let Some(number) = fields.integer("dimensions")? else { return Ok(DIMENSIONS) };
    let known = u32::try_from(number).ok().filter(|number| (1..=MOST_DIMENSIONS).contains(number));
    known.ok_or_else(|| {
        fields
            .at("dimensions")
            .rule(format!("Invalid value for 'dimensions' = {number}. Must be from 1 to {MOST_DIMENSIONS}."))
    })
}

fn of_item<'j>(place: &Path<'_>, item: &'j Json<'_>) -> Result<Input<'j>, Invalid> {
    match item {
        Json::Str(text) => of_text(place, text),
        Json::Array(tokens) => of_tokens(place, tokens),
        other => Err(place.wrong_type("a string or an array of integers", other)),
    }
}

fn of_text<'j>(place: &Path<'_>, text: &'j str) -> Result<Input<'j>, Invalid> {
    if text.is_empty() {
        return Err(place.rule("'$.input' is invalid: input cannot be an empty string."));
    }
    Ok(Input { text: Cow::Borrowed(text), tokens: input_tokens(text) })
}

fn of_tokens<'j>(place: &Path<'_>, tokens: &[Json<'_>]) -> Result<Input<'j>, Invalid> {
    if tokens.is_empty() {
        return Err(place.rule("'$.input' is invalid: input cannot be an empty array."));
    }
    let mut text = String::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Json::Int(token) if u32::try_from(*token).is_ok() => text.push_str(&format_token(*token)),
            other => return Err(place.index(index).wrong_type("a token", other)),
        }
    }
    Ok(Input { text: Cow::Owned(text), tokens: count(tokens.len()) })
}

fn format_token(token: i64) -> String {
    format!("{token} ")
}

/// Writes the reply.
pub(crate) fn write(model: &str, embed: &Embed<'_>) -> Vec<u8> {
    let mut out = b"{\"object\":\"list\",\"data\":[".to_vec();
    let mut tokens = 0_u32;
    for (index, input) in embed.inputs.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        tokens = tokens.saturating_add(input.tokens);
        out.extend_from_slice(b"{\"object\":\"embedding\",\"index\":");
        integer(&mut out, count(index));
        out.extend_from_slice(b",\"embedding\":");
        let vector = vector(model, &input.text, embed.dimensions);
        if embed.base64 {
            base64(&mut out, &vector);
        } else {
            numbers(&mut out, &vector);
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"model\":");
    string(&mut out, model);
    out.extend_from_slice(b",\"usage\":{\"prompt_tokens\":");
    integer(&mut out, tokens);
    out.extend_from_slice(b",\"total_tokens\":");
    integer(&mut out, tokens);
    out.extend_from_slice(b"}}");
    out
}
