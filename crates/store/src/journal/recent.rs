//! Texts read lately: records that say the same share them, so that reading thousands makes few.

use std::sync::Arc;

/// How many are remembered: the names of a few models, providers and routes.
const REMEMBERED: usize = 16;

/// The texts that were read last.
#[derive(Default)]
pub(crate) struct Recent {
    texts: [Option<Arc<str>>; REMEMBERED],
    oldest: usize,
}

impl Recent {
    /// A text like this one.
    pub(crate) fn of(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.iter().flatten().find(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(text);
        if let Some(place) = self.texts.get_mut(self.oldest) {
            *place = Some(Arc::clone(&new));
        }
        self.oldest = (self.oldest + 1) % REMEMBERED;
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_made_once_while_it_is_remembered() {
        let mut recent = Recent::default();
        let first = recent.of("a");
        for other in 1..REMEMBERED {
            assert_eq!(*recent.of(&other.to_string()), *other.to_string());
        }
        assert!(Arc::ptr_eq(&first, &recent.of("a")));
        recent.of("one more");
        let again = recent.of("a");
        assert!(again == first && !Arc::ptr_eq(&again, &first));
    }
}
