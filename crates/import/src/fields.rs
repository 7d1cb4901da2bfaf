//! A mapping being read: whatever nobody takes is left over, and what is left over is reported.

use std::collections::BTreeSet;

use crate::tree::Node;

/// The longest name that a path repeats, in characters.
const LONGEST: usize = 64;

/// A name as a step of a path: short, and without what a terminal would act on.
pub(crate) fn step(name: &str) -> String {
    let shown: String = name.chars().take(LONGEST).collect();
    let rest = if name.chars().nth(LONGEST).is_some() { "…" } else { "" };
    let is_plain = !shown.is_empty()
        && shown.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-<".contains(letter));
    if is_plain { format!("{shown}{rest}") } else { format!("\"{}\"{rest}", shown.escape_debug()) }
}

/// A value and the path to it.
#[derive(Clone)]
pub(crate) struct Field<'n> {
    /// The last step of the path, as it is written.
    pub(crate) name: &'n str,
    /// The whole path, as in `model_list[2].litellm_params.weight`.
    pub(crate) path: String,
    /// The value.
    pub(crate) node: &'n Node,
}

/// A mapping being read.
pub(crate) struct Fields<'n> {
    entries: &'n [(String, Node)],
    taken: BTreeSet<usize>,
    path: String,
}

impl<'n> Fields<'n> {
    /// The mapping at `node`; none if it is something else.
    pub(crate) fn of(node: &'n Node, path: &str) -> Option<Self> {
        let entries = node.map()?;
        Some(Self { entries, taken: BTreeSet::new(), path: path.to_owned() })
    }

    /// The path to the field of a name.
    pub(crate) fn path_to(&self, name: &str) -> String {
        if self.path.is_empty() { step(name) } else { format!("{}.{}", self.path, step(name)) }
    }

    /// Takes a field, in snake case or camel case, if it is there and says something.
    pub(crate) fn take(&mut self, name: &str) -> Option<Field<'n>> {
        let found = |(key, node): &(String, Node)| (key == name || snake(key) == name) && !node.is_null();
        let place = self.entries.iter().position(found)?;
        self.taken.insert(place);
        let (key, node) = self.entries.get(place)?;
        Some(Field { name: key, path: self.path_to(key), node })
    }

    /// The value of a field, without taking it.
    pub(crate) fn peek(&self, name: &str) -> Option<&'n Node> {
        let (_, node) = self.entries.iter().find(|(key, node)| key == name && !node.is_null())?;
        Some(node)
    }

    /// Whether a field is there and says something.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.peek(name).is_some()
    }

    /// Takes whichever of several fields is there first.
    pub(crate) fn take_any(&mut self, names: &[&str]) -> Option<Field<'n>> {
        names.iter().find_map(|name| self.take(name))
    }

    /// What nobody took and what says something.
    pub(crate) fn rest(self) -> Vec<Field<'n>> {
        let left = self
            .entries
            .iter()
            .enumerate()
            .filter(|(place, (_, node))| !self.taken.contains(place) && !node.is_null());
        left.map(|(_, (key, node))| Field { name: key, path: self.path_to(key), node }).collect()
    }
}

/// `overrideParams` as `override_params`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() && !snake.ends_with('_') {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_left_over_by_its_path() {
        let root = crate::yaml::read("overrideParams: 1\nb: null\n\"x y\": 2\n").unwrap();
        let mut fields = Fields::of(&root, "targets[0]").unwrap();
        assert_eq!(fields.take("override_params").unwrap().path, "targets[0].overrideParams");
        let rest: Vec<String> = fields.rest().into_iter().map(|field| field.path).collect();
        assert_eq!(rest, ["targets[0].\"x y\""]);
    }

    #[test]
    fn a_step_is_short_and_harmless() {
        assert_eq!(step("rpm"), "rpm");
        assert_eq!(step("\u{1b}[31m\n"), "\"\\u{1b}[31m\\n\"");
        assert_eq!(step(&"x".repeat(100)), format!("{}…", "x".repeat(64)));
    }
}
