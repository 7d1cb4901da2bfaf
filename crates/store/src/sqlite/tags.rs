//! Sets of tags as one text: a JSON array of pairs, in the record's order.

use std::sync::Arc;

use crate::Error;

/// Stands in rollups for tags and models beyond what rollups tell apart.
pub(crate) const OTHER: &str = "(other)";

/// A name and a value.
pub(crate) type Tag = (Arc<str>, Arc<str>);

/// The stored form, in a buffer that is used again.
pub(crate) fn encode<'a>(tags: &[Tag], buffer: &'a mut Vec<u8>) -> &'a str {
    buffer.clear();
    let pairs = tags.iter().map(|(name, value)| (&**name, &**value));
    let mut json = serde_json::Serializer::new(&mut *buffer);
    let written = serde::Serializer::collect_seq(&mut json, pairs);
    debug_assert!(written.is_ok(), "texts are always JSON");
    std::str::from_utf8(buffer).unwrap_or_default()
}

/// One tag as it stands within the stored form, and nowhere else in it: quotes within texts are escaped.
pub(crate) fn pair(name: &str, value: &str) -> String {
    serde_json::Value::from(vec![name, value]).to_string()
}

/// Reads the stored form.
pub(crate) fn decode(text: Option<&str>) -> Result<Vec<Tag>, Error> {
    match text {
        None | Some(OTHER) => Ok(Vec::new()),
        Some(text) => {
            let pairs: Vec<(String, String)> =
                serde_json::from_str(text).map_err(|_| Error::Unreadable(format!("tags {text}")))?;
            Ok(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
        }
    }
}
