//! The parsed text as a tree, walked without recursion: TOML's own bounds let it nest thousands of tables deep, which
//! even dropping it could not survive on a small stack.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The deepest a configuration may nest. The deepest key there is stands at five.
const DEEPEST: usize = 16;

/// Where the tree first nests deeper than a configuration may.
pub(crate) fn too_deep(table: &DeTable<'_>) -> Option<Range<usize>> {
    let mut rest: Vec<(&DeValue<'_>, Range<usize>, usize)> =
        table.values().map(|value| (value.get_ref(), value.span(), 1)).collect();
    while let Some((value, span, depth)) = rest.pop() {
        if depth > DEEPEST {
            return Some(span);
        }
        match value {
            DeValue::Table(table) => {
                rest.extend(table.values().map(|value| (value.get_ref(), value.span(), depth + 1)));
            }
            DeValue::Array(array) => {
                rest.extend(array.iter().map(|value| (value.get_ref(), value.span(), depth + 1)));
            }
            _ => {}
        }
    }
    None
}

/// Drops the tree from the outside in.
pub(crate) fn dismantle(table: DeTable<'_>) {
    let mut rest = vec![DeValue::Table(table)];
    while let Some(value) = rest.pop() {
        match value {
            DeValue::Table(table) => rest.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            DeValue::Array(array) => rest.extend(array.into_iter().map(toml::Spanned::into_inner)),
            _ => {}
        }
    }
}

/// Where each value stands that is neither table nor list, in the order of the text.
pub(crate) fn leaves(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut rest: Vec<_> = table.values().collect();
    while let Some(value) = rest.pop() {
        match value.get_ref() {
            DeValue::Table(table) => rest.extend(table.values()),
            DeValue::Array(array) => rest.extend(array.iter()),
            _ => found.push(value.span()),
        }
    }
    found.sort_by_key(|span| span.start);
    found
}
