//! Where a byte stands, and the source line around it with everything hidden that may be a secret.
//!
//! What may be shown is an allow-list: keys, punctuation, and values of keys that hold no secret. A comment is not
//! on it, nor is the value of a key nobody knows: people mistype `api_key`, and comment old ones out.

use std::collections::HashSet;
use std::ops::Range;

use toml::de::DeTable;

use crate::{sections, tree};

/// The most characters of a source line that are shown.
const WIDTH: usize = 120;

/// What stands for hidden text.
const HIDDEN: char = '…';

/// A configuration's text by lines.
pub(crate) struct Source<'a> {
    pub(crate) text: &'a str,
    line_starts: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let after_newlines =
            text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, line_starts: std::iter::once(0).chain(after_newlines).collect() }
    }

    /// The nearest byte at or before `at` where a character begins.
    fn boundary(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The bytes of the line that `at` is in, without its newline.
    pub(crate) fn line_at(&self, at: usize) -> (usize, Range<usize>) {
        let number = self.line_starts.partition_point(|start| *start <= at).max(1) - 1;
        let start = self.line_starts.get(number).copied().unwrap_or(0);
        let end = self.line_starts.get(number + 1).map_or(self.text.len(), |next| next - 1);
        (number + 1, start..end.max(start))
    }

    /// Line and column of a byte, both from 1; the column in characters.
    pub(crate) fn place(&self, at: usize) -> (usize, usize) {
        let at = self.boundary(at);
        let (line, range) = self.line_at(at);
        (line, self.text.get(range.start..at).map_or(0, |before| before.chars().count()) + 1)
    }

    /// The source line that `span` begins in and a line of marks under it.
    pub(crate) fn snippet(&self, span: &Range<usize>, visible: &Visible) -> String {
        let start = self.boundary(span.start);
        let (_, range) = self.line_at(start);
        let line = self.text.get(range.clone()).unwrap_or_default();
        let shown = visible.mask(line, range.start);
        let mut cells: Vec<(char, bool)> = Vec::new();
        let mut last_hidden = false;
        for ((index, letter), shown) in line.char_indices().zip(shown) {
            let at = range.start + index;
            let marked = (start..span.end.max(start + 1)).contains(&at);
            match cells.last_mut() {
                Some((_, mark)) if !shown && last_hidden => *mark |= marked,
                _ if !shown => cells.push((HIDDEN, marked)),
                _ => cells.push((if letter.is_control() { ' ' } else { letter }, marked)),
            }
            last_hidden = !shown;
        }
        if !cells.iter().any(|(_, marked)| *marked) {
            cells.push((' ', true));
        }
        window(&cells)
    }
}

/// At most [`WIDTH`] cells around the first mark, and the marks under them.
fn window(cells: &[(char, bool)]) -> String {
    let first = cells.iter().position(|(_, marked)| *marked).unwrap_or(0);
    let from = if cells.len() <= WIDTH { 0 } else { first.saturating_sub(WIDTH / 3) };
    let part: Vec<(char, bool)> = cells.iter().skip(from).take(WIDTH).copied().collect();
    let line: String = part.iter().map(|(letter, _)| *letter).collect();
    let marks: String = part.iter().map(|(_, marked)| if *marked { '^' } else { ' ' }).collect();
    format!("{}\n{}", line.trim_end(), marks.trim_end())
}

/// Which bytes of a configuration may be shown.
pub(crate) enum Visible {
    /// The text is TOML: every value's bytes in order, and whether its key holds no secret.
    Parsed(Vec<(Range<usize>, bool)>),
    /// The text is not TOML: nothing is known but what a line looks like.
    Textual,
}

impl Visible {
    /// What may be shown of a text that is TOML: all but values, and those values that begin at `public` bytes.
    pub(crate) fn of(text: &str, table: &DeTable<'_>, public: &HashSet<usize>) -> Self {
        let shown = |span: Range<usize>| {
            let is_public = public.contains(&span.start) && text.get(span.clone()).is_some_and(is_one_value);
            (span, is_public)
        };
        Self::Parsed(tree::leaves(table).into_iter().map(shown).collect())
    }

    /// For each character of `line`, which begins at byte `start`, whether it may be shown.
    fn mask(&self, line: &str, start: usize) -> Vec<bool> {
        match self {
            Self::Parsed(values) => mask_parsed(values, line, start),
            Self::Textual => mask_textual(line),
        }
    }
}

/// Whether a value as it is written can be nothing but that. Where quotes do not match, what stands between two of
/// them may be the end of one value and the beginning of another; and what follows `literal:` is a secret wherever it
/// stands.
fn is_one_value(written: &str) -> bool {
    let text = written.trim_matches(['"', '\'']);
    !text.contains("literal:")
        && !text.contains(['"', '\'', '\n'])
        && !text.contains(" =")
        && !text.contains("= ")
}

fn mask_parsed(values: &[(Range<usize>, bool)], line: &str, start: usize) -> Vec<bool> {
    let mut in_comment = false;
    line.char_indices()
        .map(|(index, letter)| {
            let at = start + index;
            let next = values.partition_point(|(range, _)| range.start <= at);
            let within =
                next.checked_sub(1).and_then(|last| values.get(last)).filter(|(range, _)| at < range.end);
            in_comment |= within.is_none() && letter == '#';
            !in_comment && within.is_none_or(|(_, public)| *public)
        })
        .collect()
}

/// In a text that is not TOML a line is shown up to its first `=`, and whole only where one word follows and the name
/// before it is that of a key that never holds a secret.
fn mask_textual(line: &str) -> Vec<bool> {
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "_-.[] ".contains(letter);
    let shown = match line.split_once('=') {
        None if line.starts_with('[') => line.find(|letter| !is_bare(letter)).unwrap_or(line.len()),
        None if sections::is_public(line.trim()) => line.len(),
        None => 0,
        Some((key, _)) if !key.chars().all(is_bare) => 0,
        Some((key, value)) => {
            let name = key.rsplit('.').next().unwrap_or(key).trim();
            let word = value.split('#').next().unwrap_or(value).trim();
            let is_word = is_one_value(word)
                && !word.contains(|letter: char| letter.is_whitespace() || ",={".contains(letter));
            if sections::is_public(name) && is_word { line.len() } else { key.len() + 1 }
        }
    };
    let shown = line.find('#').map_or(shown, |comment| comment.min(shown));
    line.char_indices().map(|(index, letter)| index < shown || letter.is_whitespace()).collect()
}
