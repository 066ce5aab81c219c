//! A document of JSON or YAML as a tree that keeps what is wrong with it: keys that stand twice are an error, and what
//! nobody asked for is known at the end.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// Most values of one document: some twenty for each package of the largest lock.
const MAX_VALUES: usize = 2_000_000;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tree {
    Null,
    /// Text; `true` if it stands without quotes and may be a number.
    Text(String, bool),
    List(Vec<Tree>),
    Map(Vec<(String, Tree)>),
}

/// Counts the values of a document.
#[derive(Default)]
pub(super) struct Count(Cell<usize>);

impl Count {
    /// One more; an error where that is too many.
    pub(super) fn more(&self) -> Result<(), String> {
        let count = self.0.get() + 1;
        self.0.set(count);
        match count > MAX_VALUES {
            true => Err(format!("it has more than {MAX_VALUES} values")),
            false => Ok(()),
        }
    }
}

/// Adds a pair to a map; a key that is there already is an error.
pub(super) fn push(
    map: &mut Vec<(String, Tree)>,
    seen: &mut BTreeSet<String>,
    key: String,
    value: Tree,
) -> Result<(), String> {
    if !seen.insert(key.clone()) {
        return Err(format!(
            "the key {} stands twice",
            crate::error::quoted(&key)
        ));
    }
    map.push((key, value));
    Ok(())
}

/// Reads JSON.
pub(super) fn of_json(bytes: &[u8]) -> Result<Tree, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let tree = Seed(&Count::default()).deserialize(&mut reader)?;
    reader.end()?;
    Ok(tree)
}

struct Seed<'c>(&'c Count);

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Tree;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        self.0.more().map_err(D::Error::custom)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string(), true))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string(), true))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string(), true))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_string(), true))
    }

    fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned(), false))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = access.next_element_seed(Seed(self.0))? {
            list.push(value);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Tree, A::Error> {
        let (mut map, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(Seed(self.0))?;
            push(&mut map, &mut seen, key, value).map_err(A::Error::custom)?;
        }
        Ok(Tree::Map(map))
    }
}

/// The pairs of a map, taken one by one, each with its place for messages.
pub(super) struct Fields {
    place: String,
    map: Vec<(String, Tree)>,
}

/// What is wrong with a document, and where.
pub(super) type Read<T> = Result<T, String>;

impl Fields {
    /// The pairs of a value that has to be a map.
    pub(super) fn of(place: &str, tree: Tree) -> Read<Self> {
        match tree {
            Tree::Map(map) => Ok(Self {
                place: place.to_owned(),
                map,
            }),
            _ => Err(format!("{}: a map is expected", or_top(place))),
        }
    }

    /// An error about this map.
    pub(super) fn bad(&self, why: &str) -> String {
        format!("{}: {why}", or_top(&self.place))
    }

    /// An error about the value of a key.
    pub(super) fn bad_value(&self, key: &str, why: &str) -> String {
        format!("{}: {why}", self.at(key))
    }

    /// The place of a key.
    pub(super) fn at(&self, key: &str) -> String {
        match self.place.as_str() {
            "" => key.to_owned(),
            place => format!("{place}.{key}"),
        }
    }

    /// Whether it has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.iter().any(|(own, _)| own == key)
    }

    /// The value of a key; none where it is not there or null.
    pub(super) fn take(&mut self, key: &str) -> Option<Tree> {
        let at = self.map.iter().position(|(own, _)| own == key)?;
        Some(self.map.remove(at).1).filter(|tree| *tree != Tree::Null)
    }

    /// A text, if it is there.
    pub(super) fn text_if(&mut self, key: &str) -> Read<Option<String>> {
        match self.take(key) {
            None => Ok(None),
            Some(Tree::Text(text, _)) => Ok(Some(text)),
            Some(_) => Err(self.bad_value(key, "text is expected")),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, key: &str) -> Read<String> {
        self.text_if(key)?
            .ok_or_else(|| self.bad(&format!("{key} is missing")))
    }

    /// A number, if it is there.
    pub(super) fn number_if(&mut self, key: &str) -> Read<Option<u64>> {
        match self.take(key) {
            None => Ok(None),
            Some(Tree::Text(text, true)) if text.parse::<u64>().is_ok() => Ok(text.parse().ok()),
            Some(_) => Err(self.bad_value(key, "a number is expected")),
        }
    }

    /// A list, each value with its place; empty where it is not there.
    pub(super) fn list(&mut self, key: &str) -> Read<Vec<(String, Tree)>> {
        let place = self.at(key);
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Tree::List(list)) => {
                let each = list.into_iter().enumerate();
                Ok(each
                    .map(|(index, tree)| (format!("{place}[{index}]"), tree))
                    .collect())
            }
            Some(_) => Err(format!("{place}: a list is expected")),
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, key: &str) -> Read<Vec<String>> {
        let list = self.list(key)?.into_iter();
        let texts = list.map(|(place, tree)| match tree {
            Tree::Text(text, _) => Ok(text),
            _ => Err(format!("{place}: text is expected")),
        });
        texts.collect()
    }

    /// What is left: its keys and values, each with its place.
    pub(super) fn rest(self) -> Vec<(String, String, Tree)> {
        let places: Vec<String> = self.map.iter().map(|(key, _)| self.at(key)).collect();
        let rest = places.into_iter().zip(self.map);
        rest.map(|(place, (key, tree))| (place, key, tree))
            .collect()
    }

    /// Notes the keys that nobody took.
    pub(super) fn end(self, unknown: &mut BTreeSet<String>) {
        unknown.extend(
            self.map
                .into_iter()
                .map(|(key, _)| crate::error::quoted(&key)),
        );
    }
}

fn or_top(place: &str) -> &str {
    if place.is_empty() {
        "the document"
    } else {
        place
    }
}
