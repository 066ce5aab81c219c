//! YAML: read as a [`Tree`], written a scalar at a time.

use std::collections::BTreeSet;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::tree::{Count, Tree, push};

/// How deep maps and lists may be nested.
const MAX_DEPTH: usize = 16;

/// A map or list that is open.
enum Open {
    Map(Vec<(String, Tree)>, BTreeSet<String>, Option<String>),
    List(Vec<Tree>),
}

/// Reads one document. Aliases are refused: nothing that writes locks has any, and they make much of little.
pub(super) fn of_yaml(text: &str) -> Result<Tree, String> {
    let (mut open, count, mut whole) = (Vec::new(), Count::default(), None);
    for event in Parser::new_from_str(text) {
        let (event, span) =
            event.map_err(|error| format!("line {}: not YAML", error.marker().line()))?;
        let bad = |why: &str| format!("line {}: {why}", span.start.line());
        let done = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style),
            Event::MappingStart(..) | Event::SequenceStart(..) if open.len() >= MAX_DEPTH => {
                return Err(bad("it is nested too deep"));
            }
            Event::MappingStart(..) => {
                count.more().map_err(|why| bad(&why))?;
                open.push(Open::Map(Vec::new(), BTreeSet::new(), None));
                continue;
            }
            Event::SequenceStart(..) => {
                count.more().map_err(|why| bad(&why))?;
                open.push(Open::List(Vec::new()));
                continue;
            }
            Event::MappingEnd | Event::SequenceEnd => match open.pop() {
                Some(Open::Map(map, ..)) => Tree::Map(map),
                Some(Open::List(list)) => Tree::List(list),
                None => continue,
            },
            Event::Alias(_) => return Err(bad("aliases are not taken")),
            _ => continue,
        };
        count.more().map_err(|why| bad(&why))?;
        match open.last_mut() {
            None if whole.is_some() => return Err(bad("there is a second document")),
            None => whole = Some(done),
            Some(Open::List(list)) => list.push(done),
            Some(Open::Map(map, seen, key)) => match (key.take(), done) {
                (None, Tree::Text(text, _)) => *key = Some(text),
                (None, _) => return Err(bad("a key is not a text")),
                (Some(key), value) => push(map, seen, key, value).map_err(|why| bad(&why))?,
            },
        }
    }
    whole.ok_or_else(|| "it is empty".to_owned())
}

fn scalar(text: &str, style: ScalarStyle) -> Tree {
    let plain = style == ScalarStyle::Plain;
    match plain && ["", "~", "null", "Null", "NULL"].contains(&text) {
        true => Tree::Null,
        false => Tree::Text(text.to_owned(), plain),
    }
}

/// A text as a scalar of one line: plain where nobody can take it for something else, else in double quotes, whose
/// escapes are those of JSON.
pub(super) fn text(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./+-~^:%@=".contains(c);
    let word = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
    let constant = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let lower = value.to_ascii_lowercase();
    let is_plain = word
        && value.chars().all(plain)
        && !value.ends_with(':')
        && !constant.contains(&lower.as_str());
    match is_plain {
        true => value.to_owned(),
        false => serde_json::to_string(value).unwrap_or_default(),
    }
}
