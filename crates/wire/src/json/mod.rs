//! JSON without trees: a depth check, readers that borrow, a writer into bytes, and splices.
//!
//! A client's body has passed [`check_depth`] before it is read here. A provider's has not: what reads replies and events
//! must not be a type that holds itself, as only the stack would bound how deep that goes. Nothing here knows a dialect.

mod depth;
mod object;
mod place;
mod read;
mod scan;
mod splice;
mod write;

pub use depth::check_depth;

pub(crate) use object::{Extras, Rest, Skipped, keep, key_under, object};
pub(crate) use read::{Listed, Text, Whole, raw_or_null, read, read_frame, read_raw, read_reply};
#[cfg(test)]
pub(crate) use scan::testing::changed;
pub(crate) use scan::{Field, Scanner};
pub(crate) use splice::{span, splice};
pub(crate) use write::{Array, Object, array as write_array, object as write_object, string};
