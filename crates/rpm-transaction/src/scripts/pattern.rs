//! Shell patterns, for `rpm.glob` of Lua scriptlets.

/// Shell pattern matching of one path component: `*`, `?`, `[a-z]`, `[!a]`. Takes time in
/// proportion to the two lengths multiplied, at most.
pub(crate) fn matches(mut pattern: &[u8], mut name: &[u8]) -> bool {
    // What to go back to: behind the last star, and the name without what it has taken so far.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix(b"*") {
            pattern = rest;
            retry = Some((rest, name));
        } else if let Some((rest, left)) = step(pattern, name) {
            (pattern, name) = (rest, left);
        } else if pattern.is_empty() && name.is_empty() {
            return true;
        } else if let Some((behind, [_, left @ ..])) = retry {
            (pattern, name) = (behind, left);
            retry = Some((behind, left));
        } else {
            return false;
        }
    }
}

/// One byte of the name against what matches one byte.
fn step<'p, 'n>(pattern: &'p [u8], name: &'n [u8]) -> Option<(&'p [u8], &'n [u8])> {
    let ((&first, rest), (&byte, left)) = (pattern.split_first()?, name.split_first()?);
    let rest = match first {
        b'?' => rest,
        b'[' => {
            let end = rest.iter().position(|&b| b == b']')?;
            let (set, rest) = (rest.get(..end)?, rest.get(end + 1..)?);
            in_set(set, byte).then_some(rest)?
        }
        _ => (first == byte).then_some(rest)?,
    };
    Some((rest, left))
}

fn in_set(set: &[u8], byte: u8) -> bool {
    let (negated, mut set) = match set.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, set),
    };
    let mut found = false;
    while let Some((&low, rest)) = set.split_first() {
        match rest {
            [b'-', high, after @ ..] => {
                found |= (low..=*high).contains(&byte);
                set = after;
            }
            _ => {
                found |= low == byte;
                set = rest;
            }
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert!(matches(b"a*.so.[0-9]", b"abc.so.5"));
        assert!(!matches(b"a*.so.[!0-9]", b"abc.so.5"));
        assert!(matches(b"?x", b"yx"));
        assert!(!matches(b"[", b"x"));
    }
}
