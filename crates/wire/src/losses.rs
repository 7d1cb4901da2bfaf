//! What a translation could not carry.

/// Field paths a dialect could not say: `/logit_bias`, `/messages/0/name`. The gateway prefixes `request:` or `reply:`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Losses(Vec<String>);

impl Losses {
    /// Notes that the field at `path` was lost. A path is noted once; the list is bounded, its last entry then says
    /// so.
    pub fn note(&mut self, path: impl Into<String>) {
        const MOST: usize = 64;
        let path = path.into();
        if self.0.contains(&path) {
            return;
        }
        match self.0.len() {
            length if length < MOST => self.0.push(path),
            MOST => self.0.push("/…".to_owned()),
            _ => {}
        }
    }

    /// Whether nothing was lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths, in the order they were noted.
    pub fn paths(&self) -> &[String] {
        &self.0
    }

    /// Adds all of `other`.
    pub fn absorb(&mut self, other: Self) {
        for path in other.0 {
            self.note(path);
        }
    }
}
