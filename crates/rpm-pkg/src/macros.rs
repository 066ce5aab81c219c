//! Macros of rpm as far as they are plain text: what Lua scriptlets and the macro files of real systems use.

use std::cell::Cell;

/// Directory macros of rpm for a 64 bit system with `/usr/lib64` or without; those that packages'
/// scriptlets were seen to expand.
const MACROS: [(&str, &str); 18] = [
    ("_prefix", "/usr"),
    ("_exec_prefix", "/usr"),
    ("_usr", "/usr"),
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
/// Macros that one text may expand, those within others counted.
const MAX_EXPANDED: u32 = 1000;

/// The value of a directory macro.
pub fn directory(name: &str) -> Option<&'static str> {
    let mut known = MACROS.iter();
    known
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// Expands `%{name}`, `%name`, `%{?name}`, `%{?name:text}`, `%{!?name:text}` and `%%` with the values that `lookup`
/// knows; what is not known stays as it is, like rpm does.
pub fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let left = Cell::new(MAX_EXPANDED);
    Expansion { lookup, left }.text(text, 0)
}

struct Expansion<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    left: Cell<u32>,
}

impl Expansion<'_> {
    fn text(&self, text: &str, depth: u32) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                out.push('%');
                rest = after;
            } else if let Some((inner, after)) = braced(rest) {
                match self.braced(inner, depth) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(&format!("%{{{inner}}}")),
                }
                rest = after;
            } else {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
                match self.value(name, depth) {
                    Some(value) => out.push_str(&value),
                    None => out.push_str(&format!("%{name}")),
                }
                rest = after;
            }
        }
        out.push_str(rest);
        out
    }

    /// The value of a macro, the macros in it expanded.
    fn value(&self, name: &str, depth: u32) -> Option<String> {
        let value = (self.lookup)(name)?;
        let left = self.left.get().checked_sub(1)?;
        self.left.set(left);
        (depth < MAX_DEPTH).then(|| self.text(&value, depth + 1))
    }

    fn braced(&self, inner: &str, depth: u32) -> Option<String> {
        if depth >= MAX_DEPTH {
            return None;
        }
        let flags = inner.find(|c| c != '!' && c != '?').unwrap_or(inner.len());
        let (flags, rest) = inner.split_at(flags);
        if flags.is_empty() {
            return self.value(rest, depth);
        }
        let (name, text) = rest
            .split_once(':')
            .map_or((rest, None), |(n, t)| (n, Some(t)));
        let known = (self.lookup)(name).is_some();
        let negated = flags.matches('!').count() % 2 == 1;
        match text {
            Some(text) if known != negated => Some(self.text(text, depth + 1)),
            None if known && !negated => self.value(name, depth),
            _ => Some(String::new()),
        }
    }
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
            let known = |name: &str| directory(name).map(str::to_owned);
            assert_eq!(expand(text, &known), expected, "{text}");
        }
    }

    #[test]
    fn values_that_name_macros_end() {
        let known = |name: &str| match name {
            "a" => Some("%b/x".to_owned()),
            "b" => Some("%{_usr}".to_owned()),
            "loop" => Some("%{loop}%{loop}".to_owned()),
            _ => directory(name).map(str::to_owned),
        };
        assert_eq!(expand("%a", &known), "/usr/x");
        assert_eq!(expand("%{?b:%{a}}", &known), "/usr/x");
        let endless = expand("%{loop}", &known);
        assert!(endless.contains("%{loop}") && endless.len() < 100_000);
    }
}
