//! `-p <lua>` scriptlets: the embedded Lua with the part of rpm's API that packages use.
//!
//! Runs in the child that has entered the root already ([`super::runner`]).

use rpm_pkg::glob::glob_matches;
use rpm_pkg::macros;
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::os::unix::ffi::OsStringExt;

use mlua::{Lua, MultiValue, Table, Value, Variadic};

use super::{PREFIX_VARIABLE, posix};

/// Runs the script in the file that the first argument names; the others are its numbers.
pub(super) fn run(arguments: &[OsString]) -> mlua::Result<()> {
    let Some((path, numbers)) = arguments.split_first() else {
        return Ok(());
    };
    let body = std::fs::read(path)?;
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
    let prefix = |number: usize| std::env::var_os(format!("{PREFIX_VARIABLE}{number}"));
    let prefixes: Vec<OsString> = (0..).map_while(prefix).collect();
    if !prefixes.is_empty() {
        let texts = prefixes
            .iter()
            .map(|p| lua.create_string(p.as_encoded_bytes()));
        let texts = texts.collect::<mlua::Result<Vec<_>>>()?;
        globals.set(PREFIX_VARIABLE, lua.create_sequence_from(texts)?)?;
    }
    let options = lua.create_table()?;
    lua.load(body.as_slice())
        .set_name("scriptlet")
        .call((options, arg))
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
        lua.create_function(|_, text: String| {
            Ok(macros::expand(&text, &|name| {
                macros::directory(name).map(str::to_owned)
            }))
        })?,
    )?;
    rpm.set(
        "isdefined",
        lua.create_function(|_, name: String| Ok(macros::directory(&name).is_some()))?,
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
                if !hidden && glob_matches(part, &name) {
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
