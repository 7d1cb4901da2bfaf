//! "Did you mean": the nearest of a few names to one that is not among them.

/// The candidate nearest to `name`, if one is near enough to be a slip of the keyboard.
pub(crate) fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = name.chars().count();
    if length > 64 {
        return None;
    }
    let allowed = (length / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Edits from one word to the other, where an edit inserts, removes or replaces a letter or swaps two neighbours
/// (optimal string alignment; `-` and `_` are the same letter).
fn distance(left: &str, right: &str) -> usize {
    let fold = |letter: char| if letter == '-' { '_' } else { letter };
    let left: Vec<char> = left.chars().map(fold).collect();
    let right: Vec<char> = right.chars().map(fold).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_their_word_and_strangers_do_not() {
        let names = ["listen", "admin_listen", "workers", "url"];
        assert_eq!(nearest("lisen", names), Some("listen"));
        assert_eq!(nearest("lsiten", names), Some("listen"));
        assert_eq!(nearest("admin-listen", names), Some("admin_listen"));
        assert_eq!(nearest("Workers", names), Some("workers"));
        assert_eq!(nearest("banana", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest("xyz", names), None);
    }

    #[test]
    fn distances_are_those_of_the_textbook() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
