//! identify: who calls, and what they claim: end user, tags, session, priority, deadline.

use std::sync::Arc;
use std::time::Duration;

use stepwell_http1::Headers;
use stepwell_types::{Code, Failure, Tags, Tenant};

use crate::open_call::OpenCall;
use crate::stages::decode::Call;

/// The most tags a call may carry, and the longest a name or a value may be.
const TAGS: usize = 16;
const TEXT: usize = 128;

const USER: &str = "x-stepwell-user";
const SESSION: &str = "x-stepwell-session";
const TAG_LIST: &str = "x-stepwell-tags";
const PRIORITY: &str = "x-stepwell-priority";
const DEADLINE: &str = "x-stepwell-deadline-ms";

/// A caller that is known.
pub(crate) struct Caller {
    pub(crate) tenant: Tenant,
    /// How long the caller will wait, if it says.
    pub(crate) deadline: Option<Duration>,
}

/// Reads the caller's claims. With `auth.mode = "open"`, the only one there is, everyone is the tenant `default`.
pub(crate) fn caller(call: &Call, open: &mut OpenCall) -> Result<Caller, Failure> {
    let headers = &call.headers;
    let record = &mut open.record;
    record.user = match text(headers, USER)? {
        Some(user) => Some(Arc::from(user)),
        None => call.head.user.clone(),
    };
    record.session = text(headers, SESSION)?.map(Arc::from);
    record.tags = match text_of(headers, TAG_LIST, TAGS * TEXT)? {
        Some(tags) => read_tags(tags)?,
        None => call
            .head
            .tags
            .iter()
            .filter(|(name, value)| fits(name) && fits(value))
            .take(TAGS)
            .cloned()
            .collect(),
    };
    record.tags.sort();
    read_priority(headers)?;
    let caller = Caller { tenant: Tenant::only(), deadline: read_deadline(headers)? };
    record.tenant = caller.tenant.clone();
    Ok(caller)
}

fn text<'a>(headers: &'a Headers, name: &str) -> Result<Option<&'a str>, Failure> {
    text_of(headers, name, TEXT)
}

fn text_of<'a>(headers: &'a Headers, name: &str, most: usize) -> Result<Option<&'a str>, Failure> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    let is_printable = value.iter().all(|byte| (b' '..=b'~').contains(byte));
    match std::str::from_utf8(value) {
        Ok(text) if is_printable && text.len() <= most && !text.is_empty() => Ok(Some(text)),
        _ => Err(invalid(name, format!("{name} must be 1 to {most} printable ASCII characters"))),
    }
}

/// Tags as `feature=search,market=nl`.
fn read_tags(text: &str) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        let pair = tag.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let Some((name, value)) = pair.filter(|(name, value)| fits(name) && fits(value)) else {
            let message = format!("{TAG_LIST}: `{tag}` is not name=value with 1 to {TEXT} characters each");
            return Err(invalid(TAG_LIST, message));
        };
        if tags.iter().any(|(known, _)| &**known == name) {
            return Err(invalid(TAG_LIST, format!("{TAG_LIST}: the tag `{name}` is there twice")));
        }
        tags.push((Arc::from(name), Arc::from(value)));
    }
    if tags.len() > TAGS {
        return Err(invalid(
            TAG_LIST,
            format!("{TAG_LIST} carries {} tags: at most {TAGS} are allowed", tags.len()),
        ));
    }
    Ok(tags)
}

fn fits(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT
}

/// The priority is checked here, so that a mistake is seen on day one; what it decides comes with load shedding.
fn read_priority(headers: &Headers) -> Result<(), Failure> {
    match text(headers, PRIORITY)? {
        None | Some("critical" | "standard" | "sheddable") => Ok(()),
        Some(other) => Err(invalid(
            PRIORITY,
            format!("{PRIORITY} is `{other}`: it must be critical, standard or sheddable"),
        )),
    }
}

fn read_deadline(headers: &Headers) -> Result<Option<Duration>, Failure> {
    let Some(text) = text(headers, DEADLINE)? else { return Ok(None) };
    match text.parse::<u32>() {
        Ok(millis) if millis > 0 => Ok(Some(Duration::from_millis(u64::from(millis)))),
        _ => Err(invalid(
            DEADLINE,
            format!("{DEADLINE} is `{text}`: it must be a whole number of milliseconds, at least 1"),
        )),
    }
}

fn invalid(header: &str, message: String) -> Failure {
    Failure::new(Code::InvalidRequest, message).param(header)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_with_spaces_and_empty_places() {
        let tags = read_tags("feature=search, market=nl,").unwrap();
        let text: Vec<String> = tags.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        assert_eq!(text, ["feature:search", "market:nl"]);
    }

    #[test]
    fn a_tag_without_value_or_twice_or_too_many_is_refused() {
        let many: Vec<String> = (0..=TAGS).map(|number| format!("t{number}=v")).collect();
        let many = many.join(",");
        for text in ["feature", "=x", "a=", "a=1,a=2", many.as_str()] {
            let failure = read_tags(text).unwrap_err();
            assert_eq!(failure.param.as_deref(), Some("x-stepwell-tags"), "{text}");
        }
    }
}
