//! Which headers of a provider's replies pass to the client, learned as they come.
//!
//! A provider sends the same headers with every reply, mostly in the same order: each name is judged and parsed once.

use http::HeaderName;
use parking_lot::RwLock;
use stepwell_catalog::ProviderKind;
use stepwell_http1::{HeaderLines, Headers};

/// The most names kept. Names come from the provider: over this they are judged anew each time.
const KNOWN: usize = 128;

/// What is known of the headers of one provider.
pub(crate) struct Passing {
    kind: &'static ProviderKind,
    known: RwLock<Vec<Known>>,
}

/// A name as the provider writes it, and what the client gets it as, if at all.
struct Known {
    given: Box<[u8]>,
    passes_as: Option<HeaderName>,
    /// The two are the same.
    as_given: bool,
}

impl Passing {
    pub(crate) fn new(kind: &'static ProviderKind) -> Self {
        Self { kind, known: RwLock::default() }
    }

    /// Puts every header that passes.
    pub(crate) fn pass(&self, headers: &Headers, into: &mut HeaderLines) {
        let mut news = Vec::new();
        let known = self.known.read();
        let mut next = 0;
        for (name, value, line) in headers.lines() {
            // It mostly stands right behind the one before.
            let (before, after) = known.split_at(next);
            let found = after.iter().chain(before).position(|known| *known.given == *name);
            let judged = if let Some(distance) = found {
                let at = (next + distance) % known.len();
                next = at + 1;
                &known[at]
            } else {
                news.push(self.judge(name));
                &news[news.len() - 1]
            };
            if let Some(name) = &judged.passes_as {
                match line.filter(|_| judged.as_given) {
                    Some(line) => into.put_line(line),
                    None => into.put(name.as_str(), value),
                }
            }
        }
        drop(known);
        if !news.is_empty() {
            self.learn(news);
        }
    }

    fn judge(&self, given: &[u8]) -> Known {
        let name = HeaderName::from_bytes(given).ok();
        let passes_as = name.filter(|name| self.kind.passes_reply_header(name.as_str()));
        let as_given = passes_as.as_ref().is_some_and(|name| name.as_str().as_bytes() == given);
        Known { given: Box::from(given), passes_as, as_given }
    }

    #[cold]
    fn learn(&self, news: Vec<Known>) {
        let mut known = self.known.write();
        for new in news {
            if known.len() < KNOWN && known.iter().all(|old| old.given != new.given) {
                known.push(new);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stepwell_catalog::provider_kind;

    use super::*;

    fn passed(passing: &Passing, headers: &Headers) -> Vec<String> {
        let mut lines = HeaderLines::default();
        passing.pass(headers, &mut lines);
        let text = String::from_utf8(lines.as_bytes().to_vec()).unwrap();
        text.split_terminator("\r\n").map(|line| line.replacen(": ", "=", 1)).collect()
    }

    #[test]
    fn the_same_headers_pass_the_first_time_and_later_in_any_order() {
        let passing = Passing::new(provider_kind("openai").unwrap());
        let headers = |lines: &[(&str, &str)]| lines.iter().copied().collect::<Headers>();
        let first =
            headers(&[("Date", "d"), ("X-Request-Id", "1"), ("Set-Cookie", "c"), ("Retry-After", "7")]);
        let other =
            headers(&[("Retry-After", "8"), ("X-Request-Id", "2"), ("X-Request-Id", "3"), ("Date", "d")]);
        for _ in 0..2 {
            assert_eq!(passed(&passing, &first), ["x-request-id=1", "retry-after=7"]);
            assert_eq!(passed(&passing, &other), ["retry-after=8", "x-request-id=2", "x-request-id=3"]);
        }
        assert_eq!(passing.known.read().len(), 4);
    }

    #[test]
    fn a_provider_that_never_repeats_a_name_is_not_remembered_for_ever() {
        let passing = Passing::new(provider_kind("openai").unwrap());
        for number in 0..=2 * KNOWN {
            let name = format!("x-ratelimit-{number}");
            assert_eq!(passed(&passing, &[(&*name, "v")].into_iter().collect()), [format!("{name}=v")]);
        }
        assert_eq!(passing.known.read().len(), KNOWN);
    }
}
