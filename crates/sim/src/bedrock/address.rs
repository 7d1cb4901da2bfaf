//! What the path of a call says: the model, and whether the reply is streamed.

use std::borrow::Cow;

/// Where the models are listed, at another host of the vendor's:
/// <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html>
pub(crate) const MODELS: &str = "/foundation-models";

/// The model that a path names, and what is asked of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Address<'p> {
    /// The model's name.
    pub(crate) model: Cow<'p, str>,
    /// Whether the reply is streamed.
    pub(crate) stream: bool,
}

impl<'p> Address<'p> {
    /// Reads a path: `/model/{modelId}/converse` or `/model/{modelId}/converse-stream`, the name one segment.
    pub(crate) fn read(path: &'p str) -> Option<Self> {
        let (model, operation) = path.strip_prefix("/model/")?.split_once('/')?;
        let stream = match operation {
            "converse" => false,
            "converse-stream" => true,
            _ => return None,
        };
        let model = decoded(model)?;
        (!model.is_empty()).then_some(Self { model, stream })
    }
}

/// Undoes percent-encoding. None where it is none.
fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Whether a path is of this dialect.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/model/") || path.starts_with(MODELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_model_as_one_segment() {
        let read = Address::read("/model/sim%2Fsmall%3A0/converse-stream").unwrap();
        assert_eq!((&*read.model, read.stream), ("sim/small:0", true));
        assert_eq!(Address::read("/model/small/converse").unwrap().model, "small");
        for wrong in
            ["/model/sim/small/converse", "/model/small/invoke", "/model//converse", "/model/a%zz/converse"]
        {
            assert_eq!(Address::read(wrong), None, "{wrong}");
        }
    }
}
