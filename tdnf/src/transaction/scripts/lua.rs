//! `-p <lua>` scriptlets: the embedded Lua with the part of rpm's API that packages use.
//!
//! Runs in the child that has entered the root already ([`super::runner`]).

use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStringExt;

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use super::posix;

/// Why a script failed.
pub(super) enum Failure {
    /// The text of Lua's error.
    Script(String),
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Failure {
        Failure::Script(error.to_string())
    }
}

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

/// Runs the script in the file that the first argument names; the others are its numbers.
pub(super) fn run(arguments: &[OsString]) -> Result<(), Failure> {
    let Some((path, numbers)) = arguments.split_first() else {
        return Ok(());
    };
    let body = std::fs::read(path).map_err(|e| Failure::Script(e.to_string()))?;
    let lua = Lua::new();
    let globals = lua.globals();
    let arg = lua.create_table()?;
    arg.push("<lua>")?;
    for number in numbers {
        let text = number.to_string_lossy();
        match text.parse::<i64>() {
            Ok(number) => arg.push(number)?,
            Err(_) => arg.push(text.as_ref())?,
        }
    }
    globals.set("arg", arg.clone())?;
    globals.set("posix", posix::library(&lua)?)?;
    globals.set("rpm", rpm_library(&lua)?)?;
    globals.set("print", lua.create_function(print)?)?;
    let options = lua.create_table()?;
    lua.load(body.as_slice())
        .set_name("scriptlet")
        .call::<()>((options, arg))?;
    Ok(())
}

fn print(lua: &Lua, values: Variadic<Value>) -> mlua::Result<()> {
    let to_string: mlua::Function = lua.globals().get("tostring")?;
    let mut line = Vec::new();
    for (i, value) in values.into_iter().enumerate() {
        if i > 0 {
            line.push(b'\t');
        }
        let text: mlua::LuaString = to_string.call(value)?;
        line.extend_from_slice(&text.as_bytes());
    }
    line.push(b'\n');
    std::io::stdout().write_all(&line)?;
    std::io::stdout().flush()?;
    Ok(())
}

fn rpm_library(lua: &Lua) -> mlua::Result<Table> {
    let rpm = lua.create_table()?;
    rpm.set(
        "expand",
        lua.create_function(|_, text: String| Ok(expand(&text, 0)))?,
    )?;
    rpm.set(
        "isdefined",
        lua.create_function(|_, name: String| Ok(lookup(&name).is_some()))?,
    )?;
    rpm.set(
        "vercmp",
        lua.create_function(|_, (a, b): (String, String)| {
            let (a, b) = (rpm_pkg::evr::Evr::parse(&a), rpm_pkg::evr::Evr::parse(&b));
            Ok(a.cmp(&b) as i32)
        })?,
    )?;
    rpm.set("next_file", lua.create_function(next_file)?)?;
    rpm.set("glob", lua.create_function(glob)?)?;
    rpm.set("execute", lua.create_function(execute)?)?;
    rpm.set(
        "spawn",
        lua.create_function(|lua, words: Vec<OsStringArg>| {
            execute(lua, words.into_iter().collect())
        })?,
    )?;
    Ok(rpm)
}

/// `rpm.next_file()`: the next path that set off a file trigger, or nil. They come one per line.
fn next_file(lua: &Lua, _: ()) -> mlua::Result<Value> {
    let mut line = Vec::new();
    if std::io::stdin().lock().read_until(b'\n', &mut line)? == 0 {
        return Ok(Value::Nil);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Value::String(lua.create_string(line)?))
}

/// A Lua string as the system takes it.
struct OsStringArg(OsString);

impl mlua::FromLua for OsStringArg {
    fn from_lua(value: Value, lua: &Lua) -> mlua::Result<OsStringArg> {
        let text = mlua::LuaString::from_lua(value, lua)?;
        Ok(OsStringArg(OsString::from_vec(text.as_bytes().to_vec())))
    }
}

/// `rpm.execute(program, ...)`: 0, or nil, text, status.
fn execute(lua: &Lua, words: Variadic<OsStringArg>) -> mlua::Result<MultiValue> {
    let mut words = words.into_iter().map(|word| word.0);
    let Some(program) = words.next() else {
        return Err(mlua::Error::runtime("rpm.execute needs a program"));
    };
    let status = std::process::Command::new(program).args(words).status();
    let (text, code) = match status {
        Ok(status) if status.success() => return posix::success(),
        Ok(status) => ("exit code".to_owned(), status.code().unwrap_or(-1)),
        Err(e) => (e.to_string(), e.raw_os_error().unwrap_or(-1)),
    };
    let text = Value::String(lua.create_string(text)?);
    Ok(MultiValue::from_iter([
        Value::Nil,
        text,
        Value::Integer(code.into()),
    ]))
}

fn lookup(name: &str) -> Option<&'static str> {
    MACROS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, value)| *value)
}

/// Expands `%{name}`, `%name`, `%{?name}`, `%{?name:text}`, `%{!?name:text}` and `%%`; what is
/// not known stays as it is, like rpm does.
fn expand(text: &str, depth: u32) -> String {
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
        (Some(_), false, Some(text)) | (None, true, Some(text)) => expand(text, depth + 1),
        (Some(value), false, None) => value.to_owned(),
        _ => String::new(),
    })
}

/// `rpm.glob(pattern)`: the paths that match, sorted.
fn glob(_: &Lua, (pattern, _flags): (String, Option<String>)) -> mlua::Result<Vec<String>> {
    let mut found = vec![if pattern.starts_with('/') { "/" } else { "" }.to_owned()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &found {
            if !part.contains(['*', '?', '[']) {
                let path = format!("{base}{part}");
                if std::fs::symlink_metadata(&path).is_ok() {
                    next.push(format!("{path}/"));
                }
                continue;
            }
            let dir = if base.is_empty() { "." } else { base };
            let Ok(entries) = std::fs::read_dir(dir) else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && matches(part.as_bytes(), name.as_bytes()) {
                    next.push(format!("{base}{name}/"));
                }
            }
        }
        found = next;
    }
    let mut paths: Vec<String> = found
        .into_iter()
        .map(|path| path.trim_end_matches('/').to_owned())
        .collect();
    paths.sort();
    if paths.is_empty() {
        paths.push(pattern);
    }
    Ok(paths)
}

/// Shell pattern matching of one path component: `*`, `?`, `[a-z]`, `[!a]`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let Some((&first, rest)) = pattern.split_first() else {
        return name.is_empty();
    };
    match first {
        b'*' => (0..=name.len()).any(|skip| matches(rest, &name[skip..])),
        b'?' => name
            .split_first()
            .is_some_and(|(_, name)| matches(rest, name)),
        b'[' => match (rest.iter().position(|&b| b == b']'), name.split_first()) {
            (Some(end), Some((&byte, name))) => {
                in_set(&rest[..end], byte) && matches(&rest[end + 1..], name)
            }
            _ => false,
        },
        _ => name
            .split_first()
            .is_some_and(|(&b, name)| b == first && matches(rest, name)),
    }
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
            assert_eq!(expand(text, 0), expected, "{text}");
        }
    }

    #[test]
    fn patterns() {
        assert!(matches(b"a*.so.[0-9]", b"abc.so.5"));
        assert!(!matches(b"a*.so.[!0-9]", b"abc.so.5"));
        assert!(matches(b"?x", b"yx"));
        assert!(!matches(b"[", b"x"));
    }
}
