//! Reads `input`: a text, or items in their order, and what they must have from one another.

use std::borrow::Cow;

use crate::ask::{Lifetime, Prompt};
use crate::check::{Fields, Invalid, Path, Problem};
use crate::json::Json;

use super::items;

/// What may be found again of earlier calls.
#[derive(Clone, Copy)]
pub(super) struct Kept {
    /// Whether the request lets its items be stored.
    pub(super) stored: bool,
    /// What the ids of this run have in them.
    pub(super) boot: u32,
}

impl Kept {
    /// The error for an item that is only named and cannot be found.
    pub(super) fn not_found(self, id: &str, path: &Path<'_>) -> Invalid {
        let hint = if self.stored {
            ""
        } else {
            " Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this \
             item from your input."
        };
        path.invalid(Problem::NotFound { message: format!("Item with id '{id}' not found.{hint}") })
    }
}

/// Reads the input into the prompt.
pub(super) fn read<'j>(
    fields: &Fields<'j, '_, '_>,
    prompt: &mut Prompt<'j>,
    kept: Kept,
) -> Result<(), Invalid> {
    let path = fields.at("input");
    let items = match fields.get("input") {
        Some(Json::Str(text)) => {
            prompt.message("user");
            prompt.user_text(text);
            prompt.boundary(Lifetime::FiveMinutes);
            return Ok(());
        }
        Some(Json::Array(items)) if !items.is_empty() => items,
        None | Some(Json::Array(_)) => {
            return Err(path.rule_with_code(
                "missing_required_parameter",
                "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be provided.",
            ));
        }
        Some(other) => return Err(path.wrong_type("one of an array of objects or string", other)),
    };
    let mut reader = Reader { prompt, kept, list: &path, open: Vec::new(), reasoned: None };
    for (index, item) in items.iter().enumerate() {
        items::read(&mut reader, item, &path.index(index))?;
        reader.prompt.boundary(Lifetime::FiveMinutes);
    }
    reader.close()
}

/// What was read so far.
pub(super) struct Reader<'j, 'r> {
    /// The prompt.
    pub(super) prompt: &'r mut Prompt<'j>,
    /// What may be found again.
    pub(super) kept: Kept,
    /// The place of the list: what items lack of each other is told of all of them.
    list: &'r Path<'r>,
    /// The ids of calls that have no output yet.
    open: Vec<&'j str>,
    /// The id of the item of reasoning that was last.
    reasoned: Option<&'j str>,
}

impl<'j> Reader<'j, '_> {
    /// An item of reasoning came.
    pub(super) fn reasoned(&mut self, id: &'j str) {
        self.reasoned = Some(id);
    }

    /// What the model made came, which is what reasoning must be followed by.
    pub(super) fn made(&mut self) {
        self.reasoned = None;
    }

    /// What the model did not make came, or nothing more.
    pub(super) fn not_made(&self) -> Result<(), Invalid> {
        match self.reasoned {
            Some(id) => Err(self.list.rule(format!(
                "Item '{id}' of type 'reasoning' was provided without its required following item."
            ))),
            None => Ok(()),
        }
    }

    /// A call came.
    pub(super) fn called(&mut self, call_id: &'j str) {
        self.open.push(call_id);
    }

    /// The output of a call came: it must be of one that has none.
    pub(super) fn answered(&mut self, call_id: &str, result: Cow<'j, str>) -> Result<(), Invalid> {
        let Some(place) = self.open.iter().position(|open| *open == call_id) else {
            return Err(self
                .list
                .rule(format!("No tool call found for function call output with call_id {call_id}.")));
        };
        self.open.remove(place);
        self.prompt.results.push(result);
        Ok(())
    }

    /// Nothing more comes: every call must have its output.
    fn close(&self) -> Result<(), Invalid> {
        self.not_made()?;
        match self.open.first() {
            Some(id) => Err(self.list.rule(format!("No tool output found for function call {id}."))),
            None => Ok(()),
        }
    }
}
