//! The same by flags: `--set repo.base.baseurl=https://…`.

use toml::{Table, Value};

use crate::error::{Error, Result};

/// Puts one `KEY=VALUE` into the table. The value is read as TOML; what is not TOML is a text, so
/// that no quotes need quoting for the shell.
///
/// # Errors
/// No `=`, an empty key part, or a key below something that is no table.
pub(crate) fn set(table: &mut Table, word: &str) -> Result<()> {
    let wrong = |why: &str| Error::Usage(format!("--set {word}: {why}"));
    let (key, text) = word
        .split_once('=')
        .ok_or_else(|| wrong("expected KEY=VALUE"))?;
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts.pop().unwrap_or_default();
    // An id may hold dots: `repo.ID.KEY` and `repo.ID.select.KEY` are taken from both ends.
    let path = match parts.as_slice() {
        ["repo", id @ .., "select"] if !id.is_empty() => {
            vec!["repo".into(), id.join("."), "select".into()]
        }
        ["repo", id @ ..] if !id.is_empty() => vec!["repo".into(), id.join(".")],
        other => other
            .iter()
            .map(|part| (*part).to_owned())
            .collect::<Vec<String>>(),
    };
    if last.is_empty() || path.iter().any(String::is_empty) {
        return Err(wrong("empty part of a key"));
    }
    let mut place = table;
    for part in path {
        let entry = place
            .entry(part)
            .or_insert_with(|| Value::Table(Table::new()));
        place = entry
            .as_table_mut()
            .ok_or_else(|| wrong("this key has a value and no keys of its own"))?;
    }
    place.insert(last.to_owned(), value(text.trim()));
    Ok(())
}

fn value(text: &str) -> Value {
    let parsed = toml::from_str::<Table>(&format!("v = {text}"));
    let known = parsed.ok().and_then(|mut table| table.remove("v"));
    known.unwrap_or_else(|| Value::String(text.to_owned()))
}
