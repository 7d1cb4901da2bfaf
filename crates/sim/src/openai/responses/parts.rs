//! Reads the content of messages, and the results of functions: a text, or parts of the types that their place takes.

use crate::check::{Fields, Invalid, Path, Problem, Shape, is_base64, is_web_url};
use crate::json::Json;

use super::super::messages::is_image_data;

/// Parts of what is put in.
pub(super) const INPUT: &[&str] = &["input_text", "input_image", "input_file"];
/// Parts of what a model made.
pub(super) const OUTPUT: &[&str] = &["output_text", "refusal"];

/// A part of some content.
pub(super) enum Part<'j> {
    /// Text, or a refusal.
    Text(&'j str),
    /// An image, by where or what it is.
    Image(&'j str),
    /// A file, by where or what it is.
    File(&'j str),
}

/// Reads a member that is a text or a list of parts of the types allowed here.
pub(super) fn read<'j>(
    fields: &Fields<'j, '_, '_>,
    name: &'static str,
    allowed: &'static [&'static str],
    mut each: impl FnMut(Part<'j>),
) -> Result<(), Invalid> {
    let path = fields.at(name);
    let parts = match fields.get(name) {
        Some(Json::Str(text)) => {
            each(Part::Text(text));
            return Ok(());
        }
        Some(Json::Array(parts)) => parts,
        Some(other) => return Err(path.wrong_type("one of an array of objects or string", other)),
        None => return Err(path.invalid(Problem::Missing)),
    };
    if parts.is_empty() {
        return Err(path.rule_with_code(
            "empty_array",
            format!(
                "Invalid '{}': empty array. Expected an array with minimum length 1, but got an empty array instead.",
                path.bracketed()
            ),
        ));
    }
    for (index, part) in parts.iter().enumerate() {
        each(read_part(part, &path.index(index), allowed)?);
    }
    Ok(())
}

fn read_part<'j>(
    part: &'j Json<'_>,
    path: &Path<'_>,
    allowed: &'static [&'static str],
) -> Result<Part<'j>, Invalid> {
    const TEXT: Shape =
        Shape { required: &["type", "text"], optional: &[], nullable: &["prompt_cache_breakpoint"] };
    const MADE: Shape =
        Shape { required: &["type", "text"], optional: &["annotations", "logprobs"], nullable: &[] };
    const REFUSAL: Shape = Shape { required: &["type", "refusal"], optional: &[], nullable: &[] };
    let kind = match part.get("type") {
        Some(Json::Str(kind)) => &**kind,
        Some(other) => return Err(path.key("type").wrong_type("a string", other)),
        None if matches!(part, Json::Object(_)) => return Err(path.key("type").invalid(Problem::Missing)),
        None => return Err(path.wrong_type("an object", part)),
    };
    if !allowed.contains(&kind) {
        return Err(path.invalid(Problem::NotAllowed { got: kind.to_owned(), allowed }));
    }
    match kind {
        "refusal" => REFUSAL.read(part, path)?.required_text("refusal").map(Part::Text),
        "output_text" => {
            let fields = MADE.read(part, path)?;
            fields.array("annotations")?;
            fields.array("logprobs")?;
            fields.required_text("text").map(Part::Text)
        }
        "input_image" => image(part, path),
        "input_file" => file(part, path),
        _ => TEXT.read(part, path)?.required_text("text").map(Part::Text),
    }
}

fn image<'j>(part: &'j Json<'_>, path: &Path<'_>) -> Result<Part<'j>, Invalid> {
    const IMAGE: Shape = Shape {
        required: &["type"],
        optional: &[],
        nullable: &["image_url", "file_id", "detail", "prompt_cache_breakpoint"],
    };
    let fields = IMAGE.read(part, path)?;
    fields.choice("detail", &["auto", "low", "high", "original"])?;
    one_of(&fields, &["file_id", "image_url"], path)?;
    no_file(&fields, path)?;
    let url = match fields.get("image_url") {
        Some(Json::Str(url)) => &**url,
        Some(other) => return Err(path.key("image_url").wrong_type("an image URL", other)),
        None => return Err(path.key("image_url").invalid(Problem::Missing)),
    };
    if is_web_url(url) || is_image_data(url) {
        return Ok(Part::Image(url));
    }
    Err(path.key("image_url").rule_with_code(
        "invalid_value",
        format!(
            "Invalid '{}'. Expected a valid URL, or a base64 data URL of a PNG, JPEG, GIF or WebP image.",
            path.key("image_url").bracketed()
        ),
    ))
}

fn file<'j>(part: &'j Json<'_>, path: &Path<'_>) -> Result<Part<'j>, Invalid> {
    const FILE: Shape = Shape {
        required: &["type"],
        optional: &["detail"],
        nullable: &["file_data", "file_id", "file_url", "filename", "prompt_cache_breakpoint"],
    };
    let fields = FILE.read(part, path)?;
    fields.choice("detail", &["auto", "low", "high"])?;
    fields.text("filename")?;
    one_of(&fields, &["file_id", "file_data", "file_url"], path)?;
    no_file(&fields, path)?;
    if let Some(url) = fields.text("file_url")? {
        let path = path.key("file_url");
        if !is_web_url(url) {
            let message = format!("Invalid '{}'. Expected a valid URL.", path.bracketed());
            return Err(path.rule_with_code("invalid_value", message));
        }
        return Ok(Part::File(url));
    }
    let data = fields.required_text("file_data")?;
    let encoded = data.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    if encoded.is_some_and(|(kind, data)| !kind.is_empty() && is_base64(data)) {
        return Ok(Part::File(data));
    }
    let path = path.key("file_data");
    let message = format!(
        "Invalid '{}'. Expected a base64-encoded data URL (e.g. 'data:application/pdf;base64,aGVsbG8=').",
        path.bracketed()
    );
    Err(path.rule_with_code("invalid_value", message))
}

/// Refuses all but one of the members that say where or what something is.
fn one_of(
    fields: &Fields<'_, '_, '_>,
    names: &'static [&'static str],
    path: &Path<'_>,
) -> Result<(), Invalid> {
    let given = names.iter().filter(|name| fields.get(name).is_some()).count();
    let place = path.bracketed();
    let names = names.join("', '");
    match given {
        1 => Ok(()),
        0 => Err(path.rule_with_code(
            "missing_mutually_exclusive_parameters",
            format!(
                "Missing mutually exclusive parameters: '{place}'. Ensure you are providing exactly one of: '{names}'."
            ),
        )),
        _ => Err(path.rule_with_code(
            "mutually_exclusive_parameters",
            format!("Mutually exclusive parameters: '{place}'. Ensure you are only providing one of: '{names}'."),
        )),
    }
}

fn no_file(fields: &Fields<'_, '_, '_>, path: &Path<'_>) -> Result<(), Invalid> {
    match fields.text("file_id")? {
        Some(id) => Err(path
            .key("file_id")
            .invalid(Problem::NotFound { message: format!("No such File object: {id}") })),
        None => Ok(()),
    }
}
