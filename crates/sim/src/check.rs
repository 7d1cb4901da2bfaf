//! Strict reading of request objects: which fields there may be, of which type, and where the first mistake is.
//!
//! Says what is wrong and where; how a vendor words it is for `openai`, `anthropic`, `gemini` and `cohere`.

use std::fmt::Write as _;

use crate::json::{Json, Members};

/// A place in the request. Lives on the stack; costs nothing until there is a mistake to report.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'p> Path<'p> {
    /// The whole request.
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    /// A member of the object here.
    pub(crate) fn key(&'p self, name: &'p str) -> Self {
        Self { parent: Some(self), step: Step::Key(name) }
    }

    /// An element of the array here.
    pub(crate) fn index(&'p self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// `messages.0.content`, as Anthropic writes it.
    pub(crate) fn dotted(&self) -> String {
        let mut text = self.parent.map(Self::dotted).unwrap_or_default();
        if !text.is_empty() {
            text.push('.');
        }
        match self.step {
            Step::Root => {}
            Step::Key(name) => text.push_str(name),
            Step::Index(index) => text.push_str(&index.to_string()),
        }
        text
    }

    /// `messages[0].content`, as OpenAI and Google write it.
    pub(crate) fn bracketed(&self) -> String {
        let mut text = self.parent.map(Self::bracketed).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Step::Index(index) => {
                // Writing to a string does not fail.
                write!(text, "[{index}]").unwrap_or_default();
            }
        }
        text
    }

    /// A mistake at this place.
    pub(crate) fn invalid(&self, problem: Problem) -> Invalid {
        Invalid { dotted: self.dotted(), bracketed: self.bracketed(), problem }
    }

    /// A broken rule, in the vendor's words.
    pub(crate) fn rule(&self, message: impl Into<String>) -> Invalid {
        self.invalid(Problem::Rule { message: message.into(), code: None })
    }

    /// A broken rule, in the vendor's words, with the vendor's code.
    pub(crate) fn rule_with_code(&self, code: &'static str, message: impl Into<String>) -> Invalid {
        self.invalid(Problem::Rule { message: message.into(), code: Some(code) })
    }

    /// A value of the wrong type.
    pub(crate) fn wrong_type(&self, expected: &'static str, value: &Json<'_>) -> Invalid {
        self.invalid(Problem::WrongType { expected, got: value.kind() })
    }
}

/// A mistake in a request and where it is.
#[derive(Debug)]
pub(crate) struct Invalid {
    /// Where, as Anthropic writes it.
    pub(crate) dotted: String,
    /// Where, as OpenAI and Google write it.
    pub(crate) bracketed: String,
    /// What.
    pub(crate) problem: Problem,
}

/// What is wrong at a place.
#[derive(Debug)]
pub(crate) enum Problem {
    /// There is no such field.
    Unknown,
    /// The field is required.
    Missing,
    /// The value has another type.
    WrongType {
        /// What it should be, with an article.
        expected: &'static str,
        /// What it is, with an article.
        got: &'static str,
    },
    /// The value is none of those allowed.
    NotAllowed {
        /// What it is.
        got: String,
        /// What it may be.
        allowed: &'static [&'static str],
    },
    /// Any other rule.
    Rule {
        /// The vendor's words.
        message: String,
        /// The vendor's code.
        code: Option<&'static str>,
    },
    /// What the value names is not there.
    NotFound {
        /// The vendor's words.
        message: String,
    },
    /// The model is not served.
    NoModel {
        /// Its name.
        name: String,
    },
}

/// Which members an object may have.
pub(crate) struct Shape {
    /// Must be there, and not null.
    pub(crate) required: &'static [&'static str],
    /// May be there, but not null.
    pub(crate) optional: &'static [&'static str],
    /// May be there or null.
    pub(crate) nullable: &'static [&'static str],
}

impl Shape {
    /// Reads `json` as an object of this shape.
    pub(crate) fn read<'j, 'a, 'p>(
        &self,
        json: &'j Json<'a>,
        path: &'p Path<'p>,
    ) -> Result<Fields<'j, 'a, 'p>, Invalid> {
        let Json::Object(members) = json else {
            return Err(path.wrong_type("an object", json));
        };
        for (name, value) in members {
            let name: &str = name;
            if self.nullable.contains(&name) {
                continue;
            }
            if !self.required.contains(&name) && !self.optional.contains(&name) {
                return Err(path.key(name).invalid(Problem::Unknown));
            }
            if matches!(value, Json::Null) {
                return Err(path.key(name).wrong_type("a value", value));
            }
        }
        if let Some(name) = self.required.iter().find(|name| !members.iter().any(|(key, _)| key == *name)) {
            return Err(path.key(name).invalid(Problem::Missing));
        }
        Ok(Fields { members, path })
    }
}

/// The members of an object whose names have been checked. A null is as good as absent.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'j, 'a, 'p> {
    members: &'j Members<'a>,
    path: &'p Path<'p>,
}

impl<'j, 'a, 'p> Fields<'j, 'a, 'p> {
    /// The place of a member.
    pub(crate) fn at(&self, name: &'p str) -> Path<'p> {
        self.path.key(name)
    }

    /// A member, unless it is absent or null.
    pub(crate) fn get(&self, name: &str) -> Option<&'j Json<'a>> {
        self.members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| !matches!(value, Json::Null))
    }

    /// A string.
    pub(crate) fn text(&self, name: &'static str) -> Result<Option<&'j str>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Str(text)) => Ok(Some(text)),
            Some(other) => Err(self.path.key(name).wrong_type("a string", other)),
        }
    }

    /// A string that the shape requires.
    pub(crate) fn required_text(&self, name: &'static str) -> Result<&'j str, Invalid> {
        self.text(name)?.ok_or_else(|| self.path.key(name).invalid(Problem::Missing))
    }

    /// One of a few strings.
    pub(crate) fn choice(
        &self,
        name: &'static str,
        allowed: &'static [&'static str],
    ) -> Result<Option<&'j str>, Invalid> {
        match self.text(name)? {
            Some(text) if !allowed.contains(&text) => {
                Err(self.path.key(name).invalid(Problem::NotAllowed { got: text.to_owned(), allowed }))
            }
            text => Ok(text),
        }
    }

    /// A boolean.
    pub(crate) fn flag(&self, name: &'static str) -> Result<Option<bool>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Bool(flag)) => Ok(Some(*flag)),
            Some(other) => Err(self.path.key(name).wrong_type("a boolean", other)),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &'static str) -> Result<Option<i64>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Int(number)) => Ok(Some(*number)),
            Some(other) => Err(self.path.key(name).wrong_type("an integer", other)),
        }
    }

    /// A number from `least` to `most`.
    pub(crate) fn number(&self, name: &'static str, least: f64, most: f64) -> Result<Option<f64>, Invalid> {
        #[expect(clippy::cast_precision_loss, reason = "the ranges are within a few units of zero")]
        let number = match self.get(name) {
            None => return Ok(None),
            Some(Json::Int(number)) => *number as f64,
            Some(Json::Float(number)) => *number,
            Some(other) => return Err(self.path.key(name).wrong_type("a number", other)),
        };
        if (least..=most).contains(&number) {
            Ok(Some(number))
        } else {
            Err(self.path.key(name).rule(format!("Input should be between {least} and {most}")))
        }
    }

    /// An array.
    pub(crate) fn array(&self, name: &'static str) -> Result<Option<&'j [Json<'a>]>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(Json::Array(elements)) => Ok(Some(elements)),
            Some(other) => Err(self.path.key(name).wrong_type("an array", other)),
        }
    }

    /// An object of any shape.
    pub(crate) fn object(&self, name: &'static str) -> Result<Option<&'j Json<'a>>, Invalid> {
        match self.get(name) {
            None => Ok(None),
            Some(object @ Json::Object(_)) => Ok(Some(object)),
            Some(other) => Err(self.path.key(name).wrong_type("an object", other)),
        }
    }

    /// Refuses members that the vendor knows and the simulator does not have.
    pub(crate) fn unsupported(&self, names: &'static [&'static str]) -> Result<(), Invalid> {
        match names.iter().find(|name| self.get(name).is_some()) {
            Some(name) => Err(self.path.key(name).rule_with_code(
                "unsupported_parameter",
                format!("'{name}' is not supported by this simulated model."),
            )),
            None => Ok(()),
        }
    }
}

/// Whether `text` is made of letters, digits, `_` and `-`, and has 1 to `most` of them.
pub(crate) fn is_identifier(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// Whether `text` is base64 with its padding (RFC 4648 §4), and not empty.
pub(crate) fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// Whether `text` looks like a URL that a vendor would fetch.
pub(crate) fn is_web_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_as_each_vendor_writes_it() {
        let messages = Path::ROOT.key("messages");
        let first = messages.index(0);
        let content = first.key("content");
        assert_eq!(content.dotted(), "messages.0.content");
        assert_eq!(content.bracketed(), "messages[0].content");
    }

    #[test]
    fn base64_needs_its_padding() {
        assert!(is_base64("aGVsbG8=") && is_base64("aGVsbG8h"));
        assert!(!is_base64("aGVsbG8") && !is_base64("") && !is_base64("a!==") && !is_base64("===="));
    }
}
