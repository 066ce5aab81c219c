//! The few macros of rpm that Lua scriptlets of real packages expand.

/// Directory macros of rpm for a 64 bit system with `/usr/lib64` or without; those that packages'
/// scriptlets were seen to expand.
const MACROS: [(&str, &str); 17] = [
    ("_prefix", "/usr"),
    ("_exec_prefix", "/usr"),
    ("_bindir", "/usr/bin"),
    ("_sbindir", "/usr/sbin"),
    ("_libdir", "/usr/lib64"),
    ("_libexecdir", "/usr/libexec"),
    ("_datadir", "/usr/share"),
    ("_datarootdir", "/usr/share"),
    ("_sysconfdir", "/etc"),
    ("_sharedstatedir", "/var/lib"),
    ("_localstatedir", "/var"),
    ("_var", "/var"),
    ("_tmppath", "/var/tmp"),
    ("_mandir", "/usr/share/man"),
    ("_infodir", "/usr/share/info"),
    ("_docdir", "/usr/share/doc"),
    ("_rundir", "/run"),
];

/// How deep macros may be nested.
const MAX_DEPTH: u32 = 16;

pub(super) fn lookup(name: &str) -> Option<&'static str> {
    MACROS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// Expands `%{name}`, `%name`, `%{?name}`, `%{?name:text}`, `%{!?name:text}` and `%%`; what is
/// not known stays as it is, like rpm does.
pub(crate) fn expand(text: &str) -> String {
    expand_at(text, 0)
}

fn expand_at(text: &str, depth: u32) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            out.push('%');
            rest = after;
        } else if let Some((inner, after)) = braced(rest) {
            match expand_braced(inner, depth) {
                Some(value) => out.push_str(&value),
                None => out.push_str(&format!("%{{{inner}}}")),
            }
            rest = after;
        } else {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
            match lookup(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&format!("%{name}")),
            }
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

/// The text within the braces that `text` begins with, and what follows them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let mut depth = 1;
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

fn expand_braced(inner: &str, depth: u32) -> Option<String> {
    if depth >= MAX_DEPTH {
        return None;
    }
    let flags = inner.find(|c| c != '!' && c != '?').unwrap_or(inner.len());
    let (flags, rest) = inner.split_at(flags);
    if flags.is_empty() {
        return lookup(rest).map(str::to_owned);
    }
    let (name, text) = rest
        .split_once(':')
        .map_or((rest, None), |(n, t)| (n, Some(t)));
    let value = lookup(name);
    let negated = flags.matches('!').count() % 2 == 1;
    Some(match (value, negated, text) {
        (Some(_), false, Some(text)) | (None, true, Some(text)) => expand_at(text, depth + 1),
        (Some(value), false, None) => value.to_owned(),
        _ => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_macros_expand_as_in_rpm() {
        for (text, expected) in [
            ("%{_bindir}/x", "/usr/bin/x"),
            ("%_sysconfdir/y", "/etc/y"),
            ("%{?_var}", "/var"),
            ("%{?nothing}", ""),
            ("%{!?nothing:%{_prefix}/z}", "/usr/z"),
            ("%{?_prefix:a%{_var}}", "a/var"),
            ("%{unknown} %%", "%{unknown} %"),
            ("100%", "100%"),
            ("%{open", "%{open"),
        ] {
            assert_eq!(expand(text), expected, "{text}");
        }
    }
}
