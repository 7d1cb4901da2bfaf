//! Reads `systemInstruction` and `contents`: the order of turns, and that every function call has its response.
//!
//! <https://ai.google.dev/api/caching#Content>, <https://ai.google.dev/gemini-api/docs/function-calling>,
//! <https://ai.google.dev/gemini-api/docs/thought-signatures>

use crate::ask::{Lifetime, Prompt};
use crate::check::{Invalid, Path};
use crate::json::Json;

use super::fields::{Fields, Message, elements, member, rule};
use super::parts;

const CONTENT: Message = Message { name: "Content", fields: &["parts", "role"] };

const UNEQUAL: &str = "Please ensure that the number of function response parts is equal to the number of function \
                       call parts of the function call turn.";

/// Reads the instruction, which is text.
pub(super) fn instruction<'j>(fields: &Fields<'j, '_, '_>, prompt: &mut Prompt<'j>) -> Result<(), Invalid> {
    let Some(content) = fields.get("system_instruction") else { return Ok(()) };
    let path = fields.at("system_instruction");
    let read = CONTENT.read(content, &path)?;
    read.text("role")?;
    prompt.message("system");
    let parts_path = path.key("parts");
    let mut calls = Calls::default();
    for (index, part) in read.list("parts").iter().enumerate() {
        let path = parts_path.index(index);
        let mut turn = Turn { role: Role::System, prompt, calls: &mut calls, unsigned: None };
        parts::read(part, &path, &mut turn)?;
    }
    prompt.boundary(Lifetime::FiveMinutes);
    Ok(())
}

/// Reads the contents into the prompt. `signed` says whether the calls of the current turn need their signatures.
pub(super) fn read<'j>(
    fields: &Fields<'j, '_, '_>,
    signed: bool,
    prompt: &mut Prompt<'j>,
) -> Result<(), Invalid> {
    let path = fields.at("contents");
    let contents = fields.list("contents");
    if contents.is_empty() {
        return Err(rule(&path, "contents is not specified"));
    }
    // The current turn begins behind the last text of the user.
    let current = contents.iter().rposition(is_user_text);
    let mut calls = Calls::default();
    let mut before = None;
    for (index, content) in contents.iter().enumerate() {
        let path = path.index(index);
        let read = CONTENT.read(content, &path)?;
        let role = role(&read)?;
        let list = read.list("parts");
        if list.is_empty() {
            return Err(rule(&path.key("parts"), "contents.parts must not be empty."));
        }
        calls.enter(role, before, list)?;
        prompt.message(role.name());
        if role == Role::User && !list.iter().any(|part| member(part, "function_response").is_some()) {
            prompt.results.clear();
        }
        let checked = signed && current.is_none_or(|current| index > current);
        let mut turn = Turn { role, prompt, calls: &mut calls, unsigned: checked.then_some(index + 1) };
        let parts_path = path.key("parts");
        for (index, part) in list.iter().enumerate() {
            parts::read(part, &parts_path.index(index), &mut turn)?;
        }
        before = Some(role);
        prompt.boundary(Lifetime::FiveMinutes);
    }
    calls.close()
}

/// Who says a content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    System,
    User,
    Model,
    Function,
}

impl Role {
    /// The prompt's word for it.
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Model => "assistant",
            Self::Function => "tool",
        }
    }
}

fn role(content: &Fields<'_, '_, '_>) -> Result<Role, Invalid> {
    match content.text("role")? {
        None | Some("" | "user") => Ok(Role::User),
        Some("model") => Ok(Role::Model),
        Some("function") => Ok(Role::Function),
        Some(_) => Err(content.at("role").rule("Please use a valid role: user, model.")),
    }
}

fn is_user_text(content: &Json<'_>) -> bool {
    matches!(member(content, "role").and_then(Json::as_str), None | Some("" | "user"))
        && elements(member(content, "parts")).iter().any(|part| member(part, "text").is_some())
}

/// The content that is being read.
pub(super) struct Turn<'t, 'j> {
    /// Who says it.
    pub(super) role: Role,
    /// The prompt.
    pub(super) prompt: &'t mut Prompt<'j>,
    /// The calls that need their responses.
    pub(super) calls: &'t mut Calls<'j>,
    /// The content's number, from 1, if its next call needs a signature.
    pub(super) unsigned: Option<usize>,
}

/// Function calls that still need their responses.
#[derive(Default)]
pub(super) struct Calls<'j>(Vec<Call<'j>>);

struct Call<'j> {
    name: &'j str,
    id: Option<&'j str>,
}

impl<'j> Calls<'j> {
    /// A content begins: one that answers nothing may not come between calls and their responses.
    fn enter(&self, role: Role, before: Option<Role>, parts: &[Json<'_>]) -> Result<(), Invalid> {
        let has = |name| parts.iter().any(|part| member(part, name).is_some());
        if !self.0.is_empty() && (role == Role::Model || !has("function_response")) {
            return self.close();
        }
        let misplaced = matches!(before, None | Some(Role::Model));
        if role == Role::Model && has("function_call") && misplaced {
            return Err(Path::ROOT.key("contents").rule(
                "Please ensure that function call turn comes immediately after a user turn or after a function \
                 response turn.",
            ));
        }
        Ok(())
    }

    /// A call, which may have an id.
    pub(super) fn open(&mut self, name: &'j str, id: Option<&'j str>) {
        self.0.push(Call { name, id });
    }

    /// A response came: it must be of an open call of its name, and of its id where both have one.
    pub(super) fn answer(&mut self, name: &str, id: Option<&str>, path: &Path<'_>) -> Result<(), Invalid> {
        let named = |call: &Call<'_>| call.name == name;
        let exact = self.0.iter().position(|call| named(call) && call.id == id);
        let loose = || {
            let unknown = |call: &Call<'_>| call.id.is_none() || id.is_none();
            self.0.iter().position(|call| named(call) && unknown(call))
        };
        let Some(place) = exact.or_else(loose) else {
            return Err(path.rule(if self.0.is_empty() {
                "Please ensure that function response turn comes immediately after a function call turn."
                    .to_owned()
            } else {
                format!("{UNEQUAL} There is no function call that the response of '{name}' answers.")
            }));
        };
        self.0.remove(place);
        Ok(())
    }

    /// The calls end: every one must have its response.
    fn close(&self) -> Result<(), Invalid> {
        if self.0.is_empty() { Ok(()) } else { Err(Path::ROOT.key("contents").rule(UNEQUAL)) }
    }
}
