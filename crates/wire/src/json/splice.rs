//! Changes to a body that leave every other byte as it was.

use std::ops::Range;

use serde_json::value::RawValue;

/// Where `raw`, which was read from `body`, stands in it. None where it was read from elsewhere.
pub(crate) fn span(body: &[u8], raw: &RawValue) -> Option<Range<usize>> {
    let start = raw.get().as_ptr().addr().checked_sub(body.as_ptr().addr())?;
    let end = start.checked_add(raw.get().len())?;
    (end <= body.len()).then_some(start..end)
}

/// `body` with the bytes in each range replaced. An empty range inserts. Ranges must not overlap; one that does, or
/// that lies outside the body, is left out.
pub(crate) fn splice(body: &[u8], changes: &mut [(Range<usize>, &[u8])]) -> Vec<u8> {
    changes.sort_by_key(|(range, _)| (range.start, range.end));
    let added: usize = changes.iter().map(|(_, with)| with.len()).sum();
    let mut out = Vec::with_capacity(body.len() + added);
    let mut at = 0;
    for (range, with) in changes {
        let Some(before) = body.get(at..range.start).filter(|_| range.end <= body.len()) else { continue };
        if range.end < range.start {
            continue;
        }
        out.extend_from_slice(before);
        out.extend_from_slice(with);
        at = range.end;
    }
    out.extend_from_slice(body.get(at..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_where_the_raw_value_stands() {
        let body = br#"{"a": [1, 2] }"#;
        let map: std::collections::BTreeMap<&str, &RawValue> = serde_json::from_slice(body).unwrap();
        assert_eq!(span(body, map["a"]), Some(6..12));
        assert_eq!(span(b"short", map["a"]), None);
    }

    #[test]
    fn only_the_ranges_change() {
        let changed = splice(b"0123456789", &mut [(4..6, b"xyz"), (1..1, b"+"), (9..10, b"")]);
        assert_eq!(changed, b"0+123xyz678");
        assert_eq!(splice(b"abc", &mut []), b"abc");
    }

    #[test]
    fn a_range_that_is_not_in_the_body_is_left_out() {
        assert_eq!(splice(b"abc", &mut [(2..9, b"x"), (7..8, b"y")]), b"abc");
        assert_eq!(splice(b"abc", &mut [(0..2, b"x"), (1..3, b"y")]), b"xc");
    }
}
