//! Makes the reply to a valid request. The same request makes the same reply, but for ids and cached tokens.

use std::fmt::Write as _;

use stepwell_types::{Dialect, Finish};

use crate::anthropic::signature;
use crate::ask::{Ask, Choice, Format, Thinking, Tool};
use crate::json;
use crate::knobs::Knobs;
use crate::oracle::Tokens;
use crate::prompt_cache::Cached;
use crate::reply::{Block, Reply};
use crate::schema;
use crate::text::{Draw, hash, length_of_tokens, output_tokens, pieces, word};

/// Words of the last user text that a reply repeats.
const ECHO: usize = 12;
/// Bytes of a tool's result that a reply quotes.
const QUOTE: usize = 400;

/// What ids of tool calls are made of.
#[derive(Clone, Copy)]
pub(crate) struct Ids {
    /// Differs between runs.
    pub(crate) boot: u32,
    /// The request's number.
    pub(crate) request: u64,
    /// Whose ids they are.
    pub(crate) dialect: Dialect,
}

/// Makes the reply. `most` is the model's own limit of output tokens.
pub(crate) fn reply(ask: &Ask<'_, '_>, knobs: &Knobs<'_>, most: u32, cached: Cached, ids: Ids) -> Reply {
    let mut maker = Maker {
        ask,
        knobs,
        seed: ask.prompt.seed(),
        left: ask.limit.unwrap_or(most).min(most),
        reply: Reply {
            blocks: Vec::with_capacity(2),
            finish: Finish::Stop,
            stop_sequence: None,
            tokens: Tokens {
                input: ask.prompt.tokens(),
                cache_read: cached.read,
                cache_write_5m: cached.write_5m,
                cache_write_1h: cached.write_1h,
                output: 0,
                reasoning: 0,
            },
        },
    };
    maker.think();
    let calls = maker.calls();
    if maker.left == 0 {
        maker.reply.finish = Finish::Length;
    } else if knobs.refuse {
        maker.refuse(ids.dialect);
    } else if calls.is_empty() {
        maker.text();
    } else {
        maker.call(&calls, ids);
    }
    if let Some(finish) = knobs.finish {
        maker.reply.finish = finish;
        maker.reply.stop_sequence = None;
    }
    if ids.dialect == Dialect::Cohere {
        // Thinking is billed as output, and how much of it there was is not told.
        maker.reply.tokens.reasoning = 0;
    }
    maker.reply
}

struct Maker<'m, 'j, 'a> {
    ask: &'m Ask<'j, 'a>,
    knobs: &'m Knobs<'m>,
    seed: u64,
    /// Output tokens that may still be made.
    left: u32,
    reply: Reply,
}

impl<'j, 'a> Maker<'_, 'j, 'a> {
    fn spend(&mut self, tokens: u32) {
        self.left = self.left.saturating_sub(tokens);
        self.reply.tokens.output = self.reply.tokens.output.saturating_add(tokens);
    }

    fn think(&mut self) {
        let (wanted, shown) = match self.ask.thinking {
            Thinking::Off => return,
            Thinking::Counted(tokens) => (tokens, None),
            Thinking::Shown { tokens, omitted } => (tokens, Some(omitted)),
        };
        let tokens = wanted.min(self.left);
        self.spend(tokens);
        self.reply.tokens.reasoning = tokens;
        let Some(omitted) = shown else { return };
        let mut text = String::new();
        let mut draw = Draw::new(self.seed ^ 0x7468_696e_6b00_0000);
        for index in 0..tokens {
            if index > 0 {
                text.push(' ');
            }
            text.push_str(word(draw.next()));
        }
        let signature = signature::sign(&text);
        self.reply.blocks.push(if self.knobs.redacted {
            Block::RedactedThinking { data: signature, tokens }
        } else if omitted {
            Block::Thinking { text: String::new(), signature, tokens }
        } else {
            Block::Thinking { text, signature, tokens }
        });
    }

    /// The tools to call: those that the last user text names, or one that must be.
    fn calls(&self) -> Vec<Tool<'j, 'a>> {
        let tools = &self.ask.tools;
        if tools.is_empty() {
            return Vec::new();
        }
        let named = tools.iter().copied().filter(|tool| names(&self.knobs.text, tool.name));
        let mut calls: Vec<Tool<'j, 'a>> = match self.ask.choice {
            Choice::Never => Vec::new(),
            Choice::Auto | Choice::Any => named.collect(),
            Choice::Named(name) => tools.iter().copied().filter(|tool| tool.name == name).collect(),
        };
        if calls.is_empty() && self.ask.choice == Choice::Any {
            calls.extend(tools.first());
        }
        if !self.ask.parallel {
            calls.truncate(1);
        }
        calls
    }

    fn call(&mut self, calls: &[Tool<'j, 'a>], ids: Ids) {
        self.reply.finish = Finish::ToolCalls;
        for (index, tool) in calls.iter().enumerate() {
            if self.left == 0 {
                self.reply.finish = Finish::Length;
                return;
            }
            let seed = self.seed ^ hash(tool.name);
            let mut arguments =
                tool.schema.map_or_else(|| "{}".to_owned(), |schema| schema::synthesise(schema, seed));
            // One token is the name.
            self.spend(1);
            let tokens = output_tokens(&arguments);
            let complete = tokens <= self.left;
            if !complete {
                arguments.truncate(length_of_tokens(&arguments, self.left));
                self.reply.finish = Finish::Length;
            }
            self.spend(tokens.min(self.left));
            let prefix = match ids.dialect {
                Dialect::OpenaiChat | Dialect::OpenaiResponses => "call_",
                Dialect::Anthropic => "toolu_",
                Dialect::Gemini => "function-call-",
                Dialect::Cohere => "tool_",
            };
            let id = format!("{prefix}{:08x}{:012x}{index:03x}", ids.boot, ids.request);
            self.reply.blocks.push(Block::Call { id, name: tool.name.to_owned(), arguments, complete });
        }
    }

    fn refuse(&mut self, dialect: Dialect) {
        self.reply.finish = Finish::Refusal;
        if dialect == Dialect::Gemini {
            // The prompt is blocked before anything is made.
            self.reply.blocks.clear();
            self.reply.tokens.output = 0;
            self.reply.tokens.reasoning = 0;
            return;
        }
        let mut text = "I'm sorry, but I can't help with that.".to_owned();
        text.truncate(length_of_tokens(&text, self.left));
        self.spend(output_tokens(&text));
        self.reply.blocks.push(match dialect {
            Dialect::OpenaiChat | Dialect::OpenaiResponses => Block::Refusal(text),
            Dialect::Anthropic | Dialect::Gemini | Dialect::Cohere => Block::Text(text),
        });
    }

    fn text(&mut self) {
        let mut text = self.words();
        let stop = self.ask.stops.iter().filter(|stop| !stop.is_empty());
        if let Some((at, stop)) = stop.filter_map(|stop| text.find(stop).map(|at| (at, *stop))).min() {
            text.truncate(at);
            self.reply.finish = Finish::StopSequence;
            self.reply.stop_sequence = Some(stop.to_owned());
        }
        let tokens = output_tokens(&text);
        if tokens > self.left {
            text.truncate(length_of_tokens(&text, self.left));
            self.reply.finish = Finish::Length;
            self.reply.stop_sequence = None;
        }
        self.spend(tokens.min(self.left));
        if !text.is_empty() {
            self.reply.blocks.push(Block::Text(text));
        }
    }

    fn words(&self) -> String {
        let mut draw = Draw::new(self.seed);
        match self.ask.format {
            Format::Schema(schema) => return schema::synthesise(schema, self.seed),
            Format::JsonObject => {
                let mut out = b"{\"answer\":".to_vec();
                json::string(&mut out, &format!("{} {}", word(draw.next()), word(draw.next())));
                out.push(b'}');
                return String::from_utf8(out).unwrap_or_default();
            }
            Format::Text => {}
        }
        let (mut text, least) = self.opening();
        let wanted = self.knobs.timing.tokens.unwrap_or(least).min(self.left.saturating_add(1));
        let mut have = output_tokens(&text);
        if have > wanted {
            text.truncate(length_of_tokens(&text, wanted));
        }
        while have < wanted {
            text.push(' ');
            text.push_str(word(draw.next()));
            have += 1;
        }
        text
    }

    /// How a text begins, and how many tokens it has when nobody says.
    fn opening(&self) -> (String, u32) {
        let results = &self.ask.prompt.results;
        if !results.is_empty() {
            let mut text = "The tools answered:".to_owned();
            for (index, result) in results.iter().enumerate() {
                let quote = &result[..result.floor_char_boundary(QUOTE)];
                let separator = if index > 0 { ";" } else { "" };
                // Writing to a string does not fail.
                write!(text, "{separator} {}", quote.trim()).unwrap_or_default();
            }
            text.push('.');
            let tokens = output_tokens(&text);
            return (text, tokens);
        }
        let mut text = String::with_capacity(480);
        text.push_str("You said:");
        for (index, piece) in pieces(self.knobs.text.trim()).take(ECHO).enumerate() {
            if index == 0 {
                text.push(' ');
            }
            text.push_str(piece);
        }
        if self.ask.prompt.images > 0 {
            let images = self.ask.prompt.images;
            let noun = if images == 1 { "image" } else { "images" };
            // Writing to a string does not fail.
            write!(text, " (with {images} {noun})").unwrap_or_default();
        }
        let least = 24 + u32::try_from(self.seed % 32).unwrap_or(0);
        let tokens = output_tokens(&text).max(least);
        (text, tokens)
    }
}

/// Whether `text` has `name` as a word of its own.
fn names(text: &str, name: &str) -> bool {
    let part_of_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '-';
    text.match_indices(name).any(|(at, found)| {
        let before = text[..at].chars().next_back();
        let after = text[at + found.len()..].chars().next();
        !before.is_some_and(part_of_word) && !after.is_some_and(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_named_only_by_its_whole_name() {
        assert!(names("call get_weather, please", "get_weather"));
        assert!(names("get_weather", "get_weather"));
        assert!(!names("call get_weather_now", "get_weather"));
        assert!(!names("forget_weather", "get_weather"));
        assert!(!names("nothing", "get_weather"));
    }
}
