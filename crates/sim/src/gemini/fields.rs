//! Strict reading of protobuf messages in JSON, with the vendor's words for what is wrong.
//!
//! As <https://protobuf.dev/programming-guides/json/> has it: a field is named as in the proto file or in camelCase, a
//! null is as good as absent, whole numbers may be strings, names of enumerations have no case. As the vendor's own
//! examples have it, a list of one may be that one. Places in errors are in proto names, as the vendor's are.

use crate::check::{Invalid, Path};
use crate::json::{Json, Members};

/// The code of a mistake that is told with the field it is in.
pub(super) const FIELD_VIOLATION: &str = "field_violation";

/// Bytes of a wrong value that an error quotes.
const QUOTE: usize = 100;

/// Which fields a message has, by their names in the proto file.
pub(super) struct Message {
    /// The name of its type.
    pub(super) name: &'static str,
    /// Its fields.
    pub(super) fields: &'static [&'static str],
}

impl Message {
    /// Reads `json` as this message.
    pub(super) fn read<'j, 'a, 'p>(
        &self,
        json: &'j Json<'a>,
        path: &'p Path<'p>,
    ) -> Result<Fields<'j, 'a, 'p>, Invalid> {
        let Json::Object(members) = json else {
            let name = format!("type.googleapis.com/google.ai.generativelanguage.v1beta.{}", self.name);
            return Err(wrong(path, &name, json));
        };
        let mut seen = Vec::with_capacity(members.len());
        for (name, _) in members {
            let Some(field) = self.fields.iter().find(|field| is_named(name, field)) else {
                return Err(unknown(path, name));
            };
            if seen.contains(field) {
                let place = at(path);
                // The vendor's own words for this are not documented.
                let message = format!("Invalid JSON payload received. Field \"{name}\"{place} is set twice.");
                return Err(violation(path, message));
            }
            seen.push(field);
        }
        Ok(Fields { members, path })
    }
}

/// Whether a member's name is that of a field: its name in the proto file, or that in camelCase.
fn is_named(name: &str, field: &str) -> bool {
    if name == field {
        return true;
    }
    let mut rest = name.chars();
    let mut upper = false;
    for letter in field.chars() {
        if letter == '_' {
            upper = true;
            continue;
        }
        let wanted = if upper { letter.to_ascii_uppercase() } else { letter };
        upper = false;
        if rest.next() != Some(wanted) {
            return false;
        }
    }
    rest.next().is_none()
}

/// A member of a message that has not been checked; none if there is none or it is null.
pub(super) fn member<'j, 'a>(json: &'j Json<'a>, field: &str) -> Option<&'j Json<'a>> {
    match json {
        Json::Object(members) => find(members, field),
        _ => None,
    }
}

fn find<'j, 'a>(members: &'j Members<'a>, field: &str) -> Option<&'j Json<'a>> {
    let found = members.iter().find(|(name, _)| is_named(name, field));
    found.map(|(_, value)| value).filter(|value| !matches!(value, Json::Null))
}

/// The elements of a list, or the one that stands for a list of one.
pub(super) fn elements<'j, 'a>(json: Option<&'j Json<'a>>) -> &'j [Json<'a>] {
    match json {
        None => &[],
        Some(Json::Array(elements)) => elements,
        Some(one) => std::slice::from_ref(one),
    }
}

/// The fields of a message whose names have been checked.
#[derive(Clone, Copy)]
pub(super) struct Fields<'j, 'a, 'p> {
    members: &'j Members<'a>,
    path: &'p Path<'p>,
}

impl<'j, 'a, 'p> Fields<'j, 'a, 'p> {
    /// The place of a field.
    pub(super) fn at(&self, field: &'p str) -> Path<'p> {
        self.path.key(field)
    }

    /// A field, unless it is absent or null.
    pub(super) fn get(&self, field: &str) -> Option<&'j Json<'a>> {
        find(self.members, field)
    }

    /// A repeated field.
    pub(super) fn list(&self, field: &str) -> &'j [Json<'a>] {
        elements(self.get(field))
    }

    /// A string.
    pub(super) fn text(&self, field: &'static str) -> Result<Option<&'j str>, Invalid> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Str(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(&self.path.key(field), "TYPE_STRING", other)),
        }
    }

    /// A string that is there and not empty.
    pub(super) fn required_text(&self, field: &'static str) -> Result<&'j str, Invalid> {
        match self.text(field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(rule(&self.path.key(field), format!("{field} must not be empty"))),
        }
    }

    /// A list of strings.
    pub(super) fn texts(&self, field: &'static str) -> Result<Vec<&'j str>, Invalid> {
        let path = self.path.key(field);
        let each = self.list(field).iter().enumerate();
        each.map(|(index, text)| text.as_str().ok_or_else(|| wrong(&path.index(index), "TYPE_STRING", text)))
            .collect()
    }

    /// A boolean.
    pub(super) fn flag(&self, field: &'static str) -> Result<Option<bool>, Invalid> {
        match self.get(field) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(wrong(&self.path.key(field), "TYPE_BOOL", other)),
        }
    }

    /// A whole number.
    pub(super) fn integer(&self, field: &'static str) -> Result<Option<i64>, Invalid> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let number = match value {
            Json::Int(number) => Some(*number),
            Json::Str(text) => text.parse().ok(),
            // As wide a range as every field here has.
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of 32 bits")]
            Json::Float(number) if number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX) => {
                Some(*number as i64)
            }
            _ => None,
        };
        number.map(Some).ok_or_else(|| wrong(&self.path.key(field), "TYPE_INT32", value))
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&self, field: &'static str, least: f64, most: f64) -> Result<(), Invalid> {
        let Some(value) = self.get(field) else { return Ok(()) };
        let path = self.path.key(field);
        #[expect(clippy::cast_precision_loss, reason = "the ranges are within a few units of zero")]
        let number = match value {
            Json::Int(number) => Some(*number as f64),
            Json::Float(number) => Some(*number),
            Json::Str(text) => text.parse::<f64>().ok(),
            _ => None,
        };
        match number {
            None => Err(wrong(&path, "TYPE_FLOAT", value)),
            Some(number) if (least..=most).contains(&number) => Ok(()),
            Some(_) => Err(rule(&path, format!("{field} must be in the range [{least:.1}, {most:.1}]."))),
        }
    }

    /// One of a few names, in whatever case; told in the case of `allowed`.
    pub(super) fn choice(
        &self,
        field: &'static str,
        kind: &str,
        allowed: &'static [&'static str],
    ) -> Result<Option<&'static str>, Invalid> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = value.as_str().unwrap_or_default();
        let found = allowed.iter().copied().find(|name| name.eq_ignore_ascii_case(text));
        found.map(Some).ok_or_else(|| {
            let kind = format!("type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}");
            wrong(&self.path.key(field), &kind, value)
        })
    }

    /// Bytes in base64, with or without padding, of either alphabet.
    pub(super) fn bytes(&self, field: &'static str) -> Result<Option<&'j str>, Invalid> {
        let Some(text) = self.text(field)? else { return Ok(None) };
        if is_bytes(text) {
            return Ok(Some(text));
        }
        let path = self.path.key(field);
        let (place, quote) = (path.bracketed(), &text[..text.floor_char_boundary(QUOTE)]);
        let message =
            format!("Invalid value at '{place}' (TYPE_BYTES), Base64 decoding failed for \"{quote}\"");
        Err(violation(&path, message))
    }

    /// An object of any content.
    pub(super) fn object(&self, field: &'static str) -> Result<Option<&'j Json<'a>>, Invalid> {
        match self.get(field) {
            None => Ok(None),
            Some(object @ Json::Object(_)) => Ok(Some(object)),
            Some(other) => {
                Err(wrong(&self.path.key(field), "type.googleapis.com/google.protobuf.Struct", other))
            }
        }
    }
}

fn is_bytes(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    let letters = body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
    letters && body.len() % 4 != 1 && (padding == 0 || padding <= 2 && text.len().is_multiple_of(4))
}

fn at(path: &Path<'_>) -> String {
    let place = path.bracketed();
    if place.is_empty() { place } else { format!(" at '{place}'") }
}

/// A mistake that is told with its field.
pub(super) fn violation(path: &Path<'_>, message: impl Into<String>) -> Invalid {
    path.rule_with_code(FIELD_VIOLATION, message)
}

/// A value of the wrong type, quoted.
pub(super) fn wrong(path: &Path<'_>, expected: &str, value: &Json<'_>) -> Invalid {
    let place = path.bracketed();
    if place.is_empty() {
        return violation(
            path,
            "Invalid JSON payload received. Unknown name \"\": Root element must be a message.",
        );
    }
    let mut quote = value.text();
    quote.truncate(quote.floor_char_boundary(QUOTE));
    violation(path, format!("Invalid value at '{place}' ({expected}), {quote}"))
}

/// A field that there is not.
pub(super) fn unknown(path: &Path<'_>, name: &str) -> Invalid {
    let place = at(path);
    violation(
        path,
        format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field."),
    )
}

/// A broken rule about a field, as the vendor's validation tells it.
pub(super) fn rule(path: &Path<'_>, message: impl AsRef<str>) -> Invalid {
    path.rule(format!("* GenerateContentRequest.{}: {}\n", path.bracketed(), message.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_two_names() {
        assert!(is_named("top_p", "top_p") && is_named("topP", "top_p") && is_named("text", "text"));
        assert!(!is_named("topp", "top_p") && !is_named("top", "top_p") && !is_named("topPs", "top_p"));
        assert!(!is_named("TopP", "top_p") && !is_named("", "top_p"));
    }

    #[test]
    fn bytes_may_lack_their_padding_and_have_either_alphabet() {
        assert!(is_bytes("aGVsbG8=") && is_bytes("aGVsbG8") && is_bytes("skip_thought_signature_validator"));
        assert!(!is_bytes("aGVsb") && !is_bytes("a b=") && !is_bytes("aGVsbG8===") && !is_bytes("aGVsb==="));
    }
}
