//! "Did you mean": the nearest of the known words.

/// The word of `known` that `word` is most likely a misspelling of.
pub(crate) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| {
            distance <= 2.min(candidate.chars().count() / 3).max(1) || is_plural(&word, candidate)
        })
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

fn is_plural(word: &str, candidate: &str) -> bool {
    word.strip_suffix('s') == Some(candidate) || candidate.strip_suffix('s') == Some(word)
}

/// Edits (insert, delete, replace, swap of neighbours) from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).collect();
    let to: Vec<char> = to.chars().take(64).collect();
    let mut before_last = vec![0; to.len() + 1];
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, &a) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && a == to[column - 1] && from[row - 1] == b {
                best = best.min(before_last[column - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings_are_found_and_strangers_are_not() {
        let known = ["host_ms", "host_profile_ms", "haproxy_ms", "deadline_ms"];
        assert_eq!(nearest("hsot_ms", known), Some("host_ms"));
        assert_eq!(nearest("deadlin_ms", known), Some("deadline_ms"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("nodes", ["node", "vip"]), Some("node"));
        assert_eq!(nearest("wbe", ["web", "edge"]), Some("web"));
    }
}
