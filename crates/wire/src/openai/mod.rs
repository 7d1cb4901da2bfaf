//! What OpenAI's dialects share: errors, limits on names, strict schemas, addresses of data, lists of models.

pub(crate) mod error;
mod fitting;
mod strict;

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::value::RawValue;

use crate::Listing;
use crate::chat::{Extra, Source};
use crate::json::{Extras, Object, Text, keep, write_object};

pub(crate) use fitting::fitting;
pub(crate) use strict::held;

/// Keeps the fields that say something.
pub(crate) fn said<'a>(extra: &mut Vec<Extra<'a>>, path: &str, mut fields: Extras<'a>) {
    fields.retain(|(_, value)| value.get() != "null");
    keep(extra, path, fields);
}

/// Where a URL points: here, if it is a data URL in base64 (RFC 2397).
pub(crate) fn located(url: Cow<'_, str>) -> Source<'_> {
    match url {
        Cow::Borrowed(url) => match data_url(url) {
            Some((media_type, data)) => {
                Source::Base64 { media_type: Cow::Borrowed(media_type), data: Cow::Borrowed(data) }
            }
            None => Source::Url(Cow::Borrowed(url)),
        },
        Cow::Owned(url) => match data_url(&url) {
            Some((media_type, data)) => Source::Base64 {
                media_type: Cow::Owned(media_type.to_owned()),
                data: Cow::Owned(data.to_owned()),
            },
            None => Source::Url(Cow::Owned(url)),
        },
    }
}

fn data_url(url: &str) -> Option<(&str, &str)> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = kind.strip_suffix(";base64")?;
    Some((media_type.split_once(';').map_or(media_type, |(media_type, _)| media_type), data))
}

/// Metadata where it is an object of strings; else none: what is wrong with it is for the provider to say.
pub(crate) fn tags(metadata: &RawValue) -> Vec<(Arc<str>, Arc<str>)> {
    let map: Result<Option<std::collections::BTreeMap<Text<'_>, Text<'_>>>, _> =
        serde_json::from_str(metadata.get());
    let map = map.ok().flatten().unwrap_or_default();
    map.into_iter().map(|(name, value)| (Arc::from(&*name.0), Arc::from(&*value.0))).collect()
}

/// The end user: `user`, or what takes its place.
pub(crate) fn user<'a>(
    user: Option<Text<'a>>,
    identifier: Option<&'a RawValue>,
    extra: &mut Vec<Extra<'a>>,
) -> Option<Cow<'a, str>> {
    let Some(identifier) = identifier else { return user.map(|user| user.0) };
    match (user, serde_json::from_str::<Text<'_>>(identifier.get())) {
        (None, Ok(identifier)) => Some(identifier.0),
        (user, _) => {
            extra.push(Extra { path: "/safety_identifier".to_owned(), value: identifier });
            user.map(|user| user.0)
        }
    }
}

/// The level that comes closest to a budget of thinking tokens.
pub(crate) fn effort(budget: u64) -> &'static str {
    match budget {
        0..4_096 => "low",
        4_096..16_384 => "medium",
        _ => "high",
    }
}

/// Writes the answer to `GET /v1/models`: <https://platform.openai.com/docs/api-reference/models/list>.
pub(crate) fn write_models(models: &[Listing<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + models.len() * 120);
    write_object(&mut out, |list| {
        list.string("object", "list");
        list.array("data", |data| {
            for model in models {
                data.object(|item| listing(item, model));
            }
        });
    });
    out
}

/// Writes one model of the list.
pub(crate) fn write_model(model: &Listing<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(120);
    write_object(&mut out, |item| listing(item, model));
    out
}

/// Writes the answer to `POST /v1/responses/input_tokens`:
/// <https://platform.openai.com/docs/api-reference/responses/input-tokens>.
pub(crate) fn write_token_count(input_tokens: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    write_object(&mut out, |count| {
        count.string("object", "response.input_tokens");
        count.number("input_tokens", input_tokens);
    });
    out
}

fn listing(item: &mut Object<'_>, model: &Listing<'_>) {
    item.string("id", model.id);
    item.string("object", "model");
    item.number("created", u64::try_from(model.created).unwrap_or(0));
    item.string("owned_by", model.owner);
}
