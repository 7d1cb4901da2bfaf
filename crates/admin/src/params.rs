//! Query parameters, with every mistake reported at once.
//!
//! A handler takes what it knows and then calls [`Params::finish`]: what is left over is unknown and refused, so a
//! mistyped filter never lists everything.

use axum::extract::Query;
use axum::http::Uri;

use crate::refusal::Refusal;
use crate::view::ParamView;

/// The longest value of a parameter, in bytes.
const LONGEST: usize = 512;
/// How much of an unknown name is repeated, in characters.
const SHOWN: usize = 64;

/// The parameters of one request.
#[derive(Debug)]
pub(crate) struct Params {
    pairs: Vec<(String, String)>,
    known: Vec<&'static str>,
    wrong: Vec<ParamView>,
}

impl Params {
    pub(crate) fn of(uri: &Uri) -> Self {
        let (pairs, wrong) = match Query::<Vec<(String, String)>>::try_from_uri(uri) {
            Ok(Query(pairs)) => (pairs, Vec::new()),
            Err(error) => (Vec::new(), vec![ParamView { param: "?".to_owned(), message: error.body_text() }]),
        };
        Self { pairs, known: Vec::new(), wrong }
    }

    /// Notes that a parameter is wrong.
    pub(crate) fn refuse(&mut self, param: &str, message: impl Into<String>) {
        self.wrong.push(ParamView { param: param.to_owned(), message: message.into() });
    }

    /// A parameter's text.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.take(|key| key == name).into_iter().map(|(_, value)| value);
        let value = values.next()?;
        if values.next().is_some() {
            self.refuse(name, "given more than once");
        }
        self.bounded(name, value)
    }

    /// A parameter's value, as `parse` reads it from its text.
    pub(crate) fn parsed<T, E: ToString>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.refuse(name, message.to_string());
                None
            }
        }
    }

    /// The one parameter `prefix` + name; `shown` is how the family is written in messages.
    pub(crate) fn named(&mut self, prefix: &str, shown: &'static str) -> Option<(String, String)> {
        self.known.push(shown);
        let mut found = self.take(|key| key.starts_with(prefix)).into_iter();
        let (key, value) = found.next()?;
        if found.next().is_some() {
            self.refuse(&key, format!("only one {shown} can be given"));
        }
        let name = key.strip_prefix(prefix).filter(|name| !name.is_empty() && name.len() <= LONGEST);
        let Some(name) = name.map(str::to_owned) else {
            self.refuse(shown, "write a name after the dot");
            return None;
        };
        self.bounded(&key, value).map(|value| (name, value))
    }

    /// Refuses the request if any parameter was wrong or is unknown.
    pub(crate) fn finish(mut self) -> Result<(), Refusal> {
        let hint = match self.known.as_slice() {
            [] => "this takes no parameters".to_owned(),
            known => format!("there is no such parameter; there are {}", known.join(", ")),
        };
        for (name, _) in std::mem::take(&mut self.pairs) {
            let shown: String = name.chars().take(SHOWN).collect();
            self.refuse(&shown, hint.clone());
        }
        if self.wrong.is_empty() { Ok(()) } else { Err(Refusal::params(self.wrong)) }
    }

    fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let (taken, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(key, _)| wanted(key));
        self.pairs = rest;
        taken
    }

    fn bounded(&mut self, name: &str, value: String) -> Option<String> {
        if value.is_empty() {
            self.refuse(name, "has no value");
        } else if value.len() > LONGEST {
            self.refuse(name, format!("is longer than {LONGEST} bytes"));
        } else {
            return Some(value);
        }
        None
    }
}

/// What a closed set of names takes: for messages.
pub(crate) fn one_of<T: Copy>(text: &str, all: &[T], name: impl Fn(T) -> &'static str) -> Result<T, String> {
    all.iter().copied().find(|each| name(*each) == text).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|each| name(*each)).collect();
        format!("is not one of {}", names.join(", "))
    })
}
