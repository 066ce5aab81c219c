//! The `posix` table of rpm's Lua: what scriptlets of real packages call.
//!
//! A call that fails returns nil, a text and the error number; one that succeeds returns 0.

use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;

use mlua::{Lua, MultiValue, Table, Value};
use rustix::fs::{Access, AtFlags, CWD, Gid, Uid};

/// The value 0.
pub(super) fn success() -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_iter([Value::Integer(0)]))
}

fn outcome(lua: &Lua, path: &str, result: io::Result<()>) -> mlua::Result<MultiValue> {
    match result {
        Ok(()) => success(),
        Err(e) => failure(lua, path, &e),
    }
}

fn failure(lua: &Lua, path: &str, error: &io::Error) -> mlua::Result<MultiValue> {
    let text = Value::String(lua.create_string(format!("{path}: {error}"))?);
    let number = Value::Integer(error.raw_os_error().unwrap_or(0).into());
    Ok(MultiValue::from_iter([Value::Nil, text, number]))
}

fn value(lua: &Lua, text: impl AsRef<[u8]>) -> mlua::Result<MultiValue> {
    Ok(MultiValue::from_iter([Value::String(
        lua.create_string(text)?,
    )]))
}

/// The table.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let posix = lua.create_table()?;
    add_changes(lua, &posix)?;
    add_questions(lua, &posix)?;
    Ok(posix)
}

/// Calls that change something.
fn add_changes(lua: &Lua, posix: &Table) -> mlua::Result<()> {
    let set = |name: &str, call: fn(&str) -> io::Result<()>| {
        posix.set(
            name,
            lua.create_function(move |lua, path: String| outcome(lua, &path, call(&path)))?,
        )
    };
    set("chdir", |path| std::env::set_current_dir(path))?;
    set("rmdir", |path| std::fs::remove_dir(path))?;
    set("mkdir", |path| {
        std::fs::DirBuilder::new().mode(0o777).create(path)
    })?;
    set("unlink", |path| std::fs::remove_file(path))?;
    let two = |name: &str, call: fn(&str, &str) -> io::Result<()>| {
        posix.set(
            name,
            lua.create_function(move |lua, (from, to): (String, String)| {
                outcome(lua, &to, call(&from, &to))
            })?,
        )
    };
    two("symlink", |from, to| std::os::unix::fs::symlink(from, to))?;
    two("link", |from, to| std::fs::hard_link(from, to))?;
    posix.set(
        "chmod",
        lua.create_function(|lua, (path, mode): (String, String)| {
            outcome(lua, &path, chmod(&path, &mode))
        })?,
    )?;
    posix.set(
        "chown",
        lua.create_function(|lua, (path, user, group): (String, Value, Value)| {
            outcome(lua, &path, chown(&path, &user, &group))
        })?,
    )?;
    posix.set(
        "utime",
        lua.create_function(|lua, path: String| {
            let times = std::fs::FileTimes::new().set_modified(std::time::SystemTime::now());
            let set = std::fs::File::open(&path).and_then(|file| file.set_times(times));
            outcome(lua, &path, set)
        })?,
    )?;
    posix.set(
        "umask",
        lua.create_function(|_, mode: Option<u32>| {
            let new = rustix::fs::Mode::from_raw_mode(mode.unwrap_or(0o022));
            Ok(rustix::process::umask(new).as_raw_mode())
        })?,
    )
}

/// Calls that only look.
fn add_questions(lua: &Lua, posix: &Table) -> mlua::Result<()> {
    posix.set(
        "access",
        lua.create_function(|lua, (path, mode): (String, Option<String>)| {
            let asked = mode
                .unwrap_or_else(|| "f".into())
                .chars()
                .fold(Access::EXISTS, |a, c| {
                    a | match c {
                        'r' => Access::READ_OK,
                        'w' => Access::WRITE_OK,
                        'x' => Access::EXEC_OK,
                        _ => Access::EXISTS,
                    }
                });
            outcome(
                lua,
                &path,
                rustix::fs::access(&path, asked).map_err(io::Error::from),
            )
        })?,
    )?;
    posix.set(
        "readlink",
        lua.create_function(|lua, path: String| match std::fs::read_link(&path) {
            Ok(target) => value(lua, target.as_os_str().as_encoded_bytes()),
            Err(e) => failure(lua, &path, &e),
        })?,
    )?;
    posix.set(
        "getcwd",
        lua.create_function(|lua, ()| match std::env::current_dir() {
            Ok(dir) => value(lua, dir.as_os_str().as_encoded_bytes()),
            Err(e) => failure(lua, ".", &e),
        })?,
    )?;
    posix.set(
        "getenv",
        lua.create_function(|_, name: String| Ok(std::env::var(name).ok()))?,
    )?;
    posix.set(
        "dir",
        lua.create_function(|lua, path: Option<String>| {
            let path = path.unwrap_or_else(|| ".".into());
            match names(&path) {
                Ok(names) => Ok(MultiValue::from_iter([Value::Table(
                    lua.create_sequence_from(names)?,
                )])),
                Err(e) => failure(lua, &path, &e),
            }
        })?,
    )?;
    posix.set(
        "files",
        lua.create_function(|lua, path: Option<String>| {
            let path = path.unwrap_or_else(|| ".".into());
            let mut names = names(&path).map_err(mlua::Error::external)?.into_iter();
            lua.create_function_mut(move |_, ()| Ok(names.next()))
        })?,
    )?;
    posix.set("stat", lua.create_function(stat)?)
}

/// All names of a directory, `.` and `..` among them as readdir(3) gives them.
fn names(path: &str) -> io::Result<Vec<String>> {
    let mut names = vec![".".to_owned(), "..".to_owned()];
    for entry in std::fs::read_dir(path)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

/// `posix.stat(path[, field])`: of the link itself.
fn stat(lua: &Lua, (path, field): (String, Option<String>)) -> mlua::Result<MultiValue> {
    let meta = match std::fs::symlink_metadata(&path) {
        Ok(meta) => meta,
        Err(e) => return failure(lua, &path, &e),
    };
    let table = lua.create_table()?;
    let numbers = [
        ("_mode", i64::from(meta.mode())),
        ("ino", meta.ino() as i64),
        ("dev", meta.dev() as i64),
        ("nlink", meta.nlink() as i64),
        ("uid", i64::from(meta.uid())),
        ("gid", i64::from(meta.gid())),
        ("size", meta.size() as i64),
        ("atime", meta.atime()),
        ("mtime", meta.mtime()),
        ("ctime", meta.ctime()),
    ];
    for (name, number) in numbers {
        table.set(name, number)?;
    }
    table.set("mode", mode_text(meta.mode()))?;
    table.set("type", kind(&meta))?;
    Ok(MultiValue::from_iter([match field {
        Some(field) => table.get::<Value>(field)?,
        None => Value::Table(table),
    }]))
}

fn kind(meta: &std::fs::Metadata) -> &'static str {
    let kind = meta.file_type();
    if kind.is_file() {
        "regular"
    } else if kind.is_dir() {
        "directory"
    } else if kind.is_symlink() {
        "link"
    } else if kind.is_block_device() {
        "block"
    } else if kind.is_char_device() {
        "character"
    } else if kind.is_fifo() {
        "fifo"
    } else {
        "socket"
    }
}

/// "rwxr-xr-x" of a mode.
fn mode_text(mode: u32) -> String {
    let bit = |bit: u32, letter: char| if mode & bit != 0 { letter } else { '-' };
    (0..9)
        .map(|i| bit(0o400 >> i, ['r', 'w', 'x'][i % 3]))
        .collect()
}

/// A mode in octal digits or as "rwxr-xr-x".
fn chmod(path: &str, text: &str) -> io::Result<()> {
    let mode = match u32::from_str_radix(text, 8) {
        Ok(mode) => mode,
        Err(_) if text.len() == 9 => text
            .chars()
            .fold(0, |mode, c| mode << 1 | u32::from(c != '-')),
        Err(_) => return Err(io::Error::from_raw_os_error(22)),
    };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777))
}

fn chown(path: &str, user: &Value, group: &Value) -> io::Result<()> {
    let user = owner(user, "/etc/passwd")?.map(Uid::from_raw);
    let group = owner(group, "/etc/group")?.map(Gid::from_raw);
    rustix::fs::chownat(CWD, path, user, group, AtFlags::empty()).map_err(io::Error::from)
}

/// A number or name of a user or group; nil changes nothing.
fn owner(value: &Value, file: &str) -> io::Result<Option<u32>> {
    let name = match value {
        Value::Nil => return Ok(None),
        Value::Integer(number) => return Ok(u32::try_from(*number).ok()),
        Value::String(name) => name.to_string_lossy(),
        _ => return Err(io::Error::from_raw_os_error(22)),
    };
    if name == "root" {
        return Ok(Some(0));
    }
    let text = std::fs::read_to_string(Path::new(file))?;
    let line = text
        .lines()
        .find(|line| line.split(':').next() == Some(&name));
    let number = line
        .and_then(|line| line.split(':').nth(2))
        .and_then(|n| n.parse().ok());
    number
        .map(Some)
        .ok_or_else(|| io::Error::from_raw_os_error(22))
}
