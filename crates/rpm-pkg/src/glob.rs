//! Shell patterns for names and paths.

/// Whether `text` matches `pattern`, where `*` stands for any text, `?` for one byte, `[a-z]` and
/// `[!a-z]` for one of or none of a set, and `\` takes the next byte as it is (fnmatch without flags).
/// Takes time in proportion to the two lengths multiplied, at most.
#[must_use]
pub fn glob_matches(pattern: impl AsRef<[u8]>, text: impl AsRef<[u8]>) -> bool {
    let (pattern, text) = (pattern.as_ref(), text.as_ref());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p + 1, t));
            p += 1;
            continue;
        }
        match (text.get(t), one(&pattern[p..], text.get(t).copied())) {
            (None, _) if p == pattern.len() => return true,
            (Some(_), Some(used)) => {
                p += used;
                t += 1;
                continue;
            }
            (None, _) => return false,
            _ => {}
        }
        // No match here: let the last star take one byte more.
        let Some((after, from)) = star else {
            return false;
        };
        star = Some((after, from + 1));
        p = after;
        t = from + 1;
    }
}

/// Bytes of pattern used if its first element matches `byte`.
fn one(pattern: &[u8], byte: Option<u8>) -> Option<usize> {
    let byte = byte?;
    match *pattern.first()? {
        b'?' => Some(1),
        b'\\' if pattern.len() > 1 => (pattern[1] == byte).then_some(2),
        b'[' => match set(pattern, byte) {
            Some((used, matched)) => matched.then_some(used),
            None => (byte == b'[').then_some(1),
        },
        plain => (plain == byte).then_some(1),
    }
}

/// Length of the set at the start of `pattern` and whether `byte` is in it; `None` if it does not end.
fn set(pattern: &[u8], byte: u8) -> Option<(usize, bool)> {
    let negated = matches!(pattern.get(1), Some(b'!' | b'^'));
    let first = if negated { 2 } else { 1 };
    let mut at = first;
    let mut found = false;
    loop {
        let low = *pattern.get(at)?;
        if low == b']' && at > first {
            return Some((at + 1, found != negated));
        }
        if pattern.get(at + 1) == Some(&b'-') && pattern.get(at + 2).is_some_and(|b| *b != b']') {
            found |= (low..=pattern[at + 2]).contains(&byte);
            at += 3;
        } else {
            found |= low == byte;
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*b*c", "aXbYbc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]]", "]", true),
            ("[", "[", true),
            ("\\*", "*", true),
            ("\\*", "x", false),
            ("abc", "ab", false),
            ("ab", "abc", false),
            ("photon*", "photon-test", true),
            ("ph?ton-[a-z]*", "photon-test", true),
            ("ph?ton", "phton", false),
            ("[!a]b", "cb", true),
            ("[!a]b", "ab", false),
            ("*a*b*", "xxaxxbxx", true),
            ("a[", "a[", true),
            ("[", "x", false),
            ("a*.so.[0-9]", "abc.so.5", true),
            ("a*.so.[!0-9]", "abc.so.5", false),
        ] {
            assert_eq!(glob_matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
