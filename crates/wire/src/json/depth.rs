//! How deep a body nests, found without recursion, before anything parses it.

use memchr::memchr2;
use stepwell_types::Code;

use crate::Error;

/// Checks that `body` nests at most `limit` arrays and objects in each other. Strings are skipped, so megabytes of
/// base64 cost little; whether the rest is JSON is for the parser to say, which sees no deeper nesting than this did
/// up to the first byte it refuses.
pub fn check_depth(body: &[u8], limit: usize) -> Result<(), Error> {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(byte) = body.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(body, at),
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    let message = format!("the body nests deeper than {limit} levels");
                    return Err(Error::new(Code::JsonTooDeep, message));
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Where the string whose first byte stands at `at` is over: behind its closing quote, or the end of the body.
pub(super) fn string_end(body: &[u8], mut at: usize) -> usize {
    while let Some(rest) = body.get(at..) {
        match memchr2(b'"', b'\\', rest) {
            Some(found) if rest.get(found) == Some(&b'"') => return at + found + 1,
            Some(found) => at += found + 2,
            None => break,
        }
    }
    body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_counted_outside_strings_only() {
        assert!(check_depth(br#"{"a":[1,{"b":"[[[[\"[[["}]}"#, 3).is_ok());
        assert!(check_depth(br#"{"a":[[],[],[],{}]}"#, 3).is_ok());
        assert_eq!(check_depth(br#"{"a":[[[]]]}"#, 3).unwrap_err().code, Code::JsonTooDeep);
        assert!(check_depth(br#""\\[[""#, 0).is_ok());
        assert!(check_depth(br#""\\"[["#, 1).is_err());
    }

    #[test]
    fn what_is_not_json_is_left_to_the_parser() {
        for body in [&b""[..], b"}}}}]]]]", b"\"", b"\"\\", b"\xff\xfe", b"nul"] {
            assert!(check_depth(body, 1).is_ok(), "{body:?}");
        }
    }

    #[test]
    fn a_hundred_thousand_levels_need_no_stack() {
        let body = vec![b'['; 100_000];
        assert!(check_depth(&body, 64).is_err());
        assert!(check_depth(&body, 100_000).is_ok());
    }
}
