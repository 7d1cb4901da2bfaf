//! Ids of tool calls that Anthropic would refuse, made legal and back.
//!
//! Anthropic takes ids of letters, digits, `_` and `-`. Other providers write others (`functions.f:0`). An id that is
//! legal passes as it is; any other is written behind [`MARK`] with each foreign byte as `-` and two hex digits, and
//! read back where the client returns it. No state is kept: the mapping is the id itself.

use std::borrow::Cow;

/// What a mapped id begins with.
const MARK: &str = "swid-";

/// The id as Anthropic takes it.
pub(crate) fn legal(id: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !id.is_empty() && !id.starts_with(MARK) && id.bytes().all(|byte| plain(byte) || byte == b'-') {
        return Cow::Borrowed(id);
    }
    let mut mapped = String::with_capacity(MARK.len() + id.len() * 3);
    mapped.push_str(MARK);
    for byte in id.bytes() {
        if plain(byte) {
            mapped.push(char::from(byte));
        } else {
            mapped.push('-');
            for digit in [byte >> 4, byte & 0xf] {
                mapped.extend(char::from_digit(u32::from(digit), 16));
            }
        }
    }
    Cow::Owned(mapped)
}

/// The id that [`legal`] was given. An id it cannot have written is returned as it is.
pub(crate) fn original(id: Cow<'_, str>) -> Cow<'_, str> {
    match id.strip_prefix(MARK).and_then(unmapped) {
        Some(original) => Cow::Owned(original),
        None => id,
    }
}

fn unmapped(mapped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(mapped.len());
    let mut rest = mapped.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'-' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|byte| char::from(byte).to_digit(16));
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_the_vendors_pass_as_they_are() {
        for id in ["toolu_01A09q90qw90lq917835lq9", "call_abc-DEF_1", "9"] {
            assert!(matches!(legal(id), Cow::Borrowed(same) if same == id));
            assert_eq!(original(Cow::Borrowed(id)), id);
        }
        assert_eq!(legal("functions.f:0"), "swid-functions-2ef-3a0");
    }

    proptest! {
        #[test]
        fn every_id_becomes_legal_and_comes_back(id: String, marked: bool) {
            let id = if marked { format!("{MARK}{id}") } else { id };
            let mapped = legal(&id);
            prop_assert!(!mapped.is_empty());
            prop_assert!(mapped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)));
            prop_assert_eq!(&*original(mapped), &id);
        }

        #[test]
        fn no_id_of_a_client_makes_it_panic(id: String) {
            original(Cow::Owned(format!("{MARK}{id}")));
        }
    }
}
