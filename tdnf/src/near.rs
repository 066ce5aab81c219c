//! What was meant: the known word that a mistyped one is most like.

/// Edits that a word may be away, by its length: one for short words, a quarter for long ones.
fn allowed(length: usize) -> usize {
    (length / 4).clamp(1, 3)
}

/// The known word that begins with this one, or takes the fewest edits; `None` if all are too far
/// away. Words of one or two letters are like everything.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    if length < 3 {
        return None;
    }
    let known: Vec<&str> = known.into_iter().collect();
    // In other letters.
    let same = |other: &&&str| **other != word && other.eq_ignore_ascii_case(word);
    if let Some(other) = known.iter().find(same) {
        return Some(other);
    }
    // A word that was cut short, where it can be the beginning of one only.
    let is_longer = |other: &&str| other.starts_with(word) && *other != word;
    let begun: Vec<&str> = known.iter().copied().filter(is_longer).collect();
    if let Some(short) = begun.iter().min_by_key(|other| other.len())
        && begun.iter().all(|other| other.starts_with(short))
    {
        return Some(short);
    }
    let most = allowed(length);
    let fits = |other: &&str| other.chars().count().abs_diff(length) <= most;
    let scored = known.into_iter().filter(fits).filter_map(|other| {
        let edits = strsim::damerau_levenshtein(word, other);
        (edits <= most && other != word).then_some((edits, other))
    });
    scored.min().map(|(_, other)| other)
}

/// `: did you mean 'X'?` behind what a warning says of a word; nothing if no known word is near.
pub(crate) fn meant<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!(": did you mean '{near}'?"))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn words_that_are_like_others() {
        let known = ["socat", "ipset", "ethtool", "ebtables"];
        assert_eq!(nearest("socta", known), Some("socat"));
        assert_eq!(nearest("ethtol", known), Some("ethtool"));
        assert_eq!(nearest("gpgchek", ["gpgcheck", "gpgkey"]), Some("gpgcheck"));
        assert_eq!(nearest("nosuch", known), None);
        assert_eq!(nearest("BASEARCH", ["arch", "basearch"]), Some("basearch"));
        let known = [
            "history",
            "list",
            "update",
            "updateinfo",
            "info",
            "install",
            "installed",
        ];
        assert_eq!(nearest("hist", known), Some("history"));
        assert_eq!(nearest("upd", known), Some("update"));
        assert_eq!(nearest("insta", known), Some("install"));
        assert_eq!(nearest("ins", ["install", "inspect"]), None);
        assert_eq!(nearest("so", known), None);
        assert_eq!(nearest("socat", ["socat"]), None);
    }
}
