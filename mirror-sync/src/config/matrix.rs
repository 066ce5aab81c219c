//! One section that stands for several repositories: `arches`, `releases` and `vars` list the values of variables, and
//! each combination of them is a repository of its own.

use std::collections::BTreeMap;

use rpm_repo::vars::Vars;
use toml::{Table, Value};

use super::{RepoSection, unfit};
use crate::error::{Error, Result};

/// Most repositories that one section may stand for.
const MAX_MEMBERS: usize = 1000;

/// Which of the repositories of a section one is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Member {
    /// The id of the section.
    pub(crate) family: String,
    /// The id, with the variables in the place of their values: what clients write.
    pub(crate) pattern: String,
    /// What people call the section.
    pub(crate) name: Option<String>,
    /// The variables and their values.
    pub(crate) vars: BTreeMap<String, String>,
    /// A variable that is listed and that no URL has.
    pub(crate) unused: Option<String>,
}

impl Member {
    /// Whether packages of one may be needed by the other: no variable differs.
    pub(crate) fn goes_with(&self, other: &Member) -> bool {
        let differs = |(name, value)| other.vars.get(name).is_some_and(|its| its != value);
        !self.vars.iter().any(differs)
    }
}

/// A list of values: the key that has it, the variable, the values.
struct Axis {
    key: String,
    name: String,
    values: Vec<String>,
}

/// Puts a section for each repository in the place of those that stand for several; says which these are. A section
/// that has the id of one of them as well has the last word on it.
///
/// # Errors
/// A list is none, or there are too many combinations.
pub(crate) fn expand(table: &mut Table, place: &str) -> Result<BTreeMap<String, Member>> {
    let mut members = BTreeMap::new();
    let Some(repos) = table.get_mut("repo").and_then(Value::as_table_mut) else {
        return Ok(members);
    };
    let families: Vec<String> = repos.keys().cloned().collect();
    for family in families {
        let Some(section) = repos.get(&family).and_then(Value::as_table) else {
            continue;
        };
        let wrong = |what: String| Error::Config {
            place: place.to_owned(),
            what: format!("repo.{family}: {what}"),
        };
        let axes = axes(section).map_err(wrong)?;
        if axes.is_empty() {
            continue;
        }
        let mut plain = section.clone();
        for key in ["arches", "releases", "vars"] {
            plain.remove(key);
        }
        let unused = unused(&plain, &axes);
        let pattern = axes.iter().fold(family.clone(), |pattern, axis| {
            format!("{pattern}-${}", axis.name)
        });
        repos.remove(&family);
        for vars in combinations(&axes).map_err(wrong)? {
            let id = axes.iter().fold(family.clone(), |id, axis| {
                format!("{id}-{}", vars.get(&axis.name).map_or("", String::as_str))
            });
            let mut one = expanded(&plain, &vars);
            if let Some(name) = plain.get("name").and_then(Value::as_str)
                && !name.contains('$')
            {
                let values = axes.iter().filter_map(|axis| vars.get(&axis.name));
                let values: Vec<&str> = values.map(String::as_str).collect();
                let name = format!("{name} ({})", values.join(" "));
                one.insert("name".to_owned(), Value::String(name));
            }
            if let Some(Value::Table(own)) = repos.remove(&id) {
                laid_over(&mut one, own);
            }
            repos.insert(id.clone(), Value::Table(one));
            let member = Member {
                family: family.clone(),
                pattern: pattern.clone(),
                name: plain.get("name").and_then(Value::as_str).map(str::to_owned),
                vars,
                unused: unused.clone(),
            };
            members.insert(id, member);
        }
    }
    Ok(members)
}

/// The lists of a section: releases, architectures, other variables.
fn axes(section: &Table) -> std::result::Result<Vec<Axis>, String> {
    let vars = section.get("vars").and_then(Value::as_table);
    let known = [("releases", "releasever"), ("arches", "basearch")];
    let known = known
        .into_iter()
        .filter_map(|(key, name)| Some((key.to_owned(), name.to_owned(), section.get(key)?)));
    let others = vars
        .into_iter()
        .flatten()
        .map(|(name, list)| (format!("vars.{name}"), name.clone(), list));
    let axis = |(key, name, list): (String, String, &Value)| {
        let texts = list.as_array().into_iter().flatten();
        let values: Vec<String> = texts
            .filter_map(|text| text.as_str().map(str::to_owned))
            .collect();
        let odd = values.iter().find(|value| unfit(value).is_some());
        match odd {
            Some(odd) => Err(format!("{key}: {odd:?} cannot be part of an id")),
            None if values.is_empty() => Err(format!("{key} is a list of texts, and not empty")),
            None => Ok(Axis { key, name, values }),
        }
    };
    known.chain(others).map(axis).collect()
}

fn combinations(axes: &[Axis]) -> std::result::Result<Vec<BTreeMap<String, String>>, String> {
    let mut all = vec![BTreeMap::new()];
    for axis in axes {
        let one = |vars: &BTreeMap<String, String>, value: &String| {
            let mut vars = vars.clone();
            vars.insert(axis.name.clone(), value.clone());
            vars
        };
        all = all
            .iter()
            .flat_map(|vars| axis.values.iter().map(move |value| one(vars, value)))
            .collect();
        if all.len() > MAX_MEMBERS {
            return Err(format!(
                "its lists make more than {MAX_MEMBERS} repositories"
            ));
        }
    }
    Ok(all)
}

/// The section with the values in the place of the variables, in every text.
fn expanded(section: &Table, values: &BTreeMap<String, String>) -> Table {
    let mut vars = Vars::new();
    for (name, value) in values {
        vars.set(name, value);
        if name == "basearch" {
            vars.set("arch", value);
        }
    }
    fn walk(value: &mut Value, vars: &Vars) {
        match value {
            Value::String(text) => *text = vars.expand(text).text,
            Value::Array(list) => list.iter_mut().for_each(|one| walk(one, vars)),
            Value::Table(table) => {
                // A login means what it says.
                let texts = table.iter_mut().filter(|(key, _)| !is_login(key));
                texts.for_each(|(_, one)| walk(one, vars));
            }
            _ => {}
        }
    }
    let mut table = Value::Table(section.clone());
    walk(&mut table, &vars);
    match table {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

fn is_login(key: &str) -> bool {
    key.ends_with("password") || key.ends_with("username")
}

/// Keys of the one come into the other, those of tables one by one.
fn laid_over(table: &mut Table, own: Table) {
    for (key, value) in own {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(own)) => laid_over(below, own),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

/// A variable whose values make no difference, though there are several.
fn unused(section: &Table, axes: &[Axis]) -> Option<String> {
    let urls = ["baseurl", "mirrorlist", "metalink"];
    let values: Vec<&Value> = urls.iter().filter_map(|key| section.get(*key)).collect();
    if values.is_empty() {
        return None;
    }
    let text = values.iter().map(ToString::to_string).collect::<String>();
    let has = |name: &str| variables(&text).iter().any(|found| found.starts_with(name));
    let idle = axes.iter().find(|axis| {
        let names = [&*axis.name, "arch"];
        let names = if axis.name == "basearch" {
            &names[..]
        } else {
            &names[..1]
        };
        axis.values.len() > 1 && !names.iter().any(|name| has(name))
    });
    idle.map(|axis| {
        format!(
            "{} lists values of ${}, which no URL has",
            axis.key, axis.name
        )
    })
}

/// The names of the variables in a text.
fn variables(text: &str) -> Vec<&str> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split('$')
        .skip(1)
        .filter_map(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            rest.get(..end).filter(|name| !name.is_empty())
        })
        .collect()
}

/// A variable in a URL or key that nobody gives a value, in words.
pub(super) fn without_value(repo: &RepoSection) -> Option<String> {
    let lists = repo.mirrorlist.iter().chain(&repo.metalink);
    let urls = repo.baseurl.0.iter().chain(lists).map(|url| ("URL", url));
    let keys = repo.gpgkey.0.iter().map(|key| ("gpgkey", key));
    urls.chain(keys).find_map(|(what, text)| {
        let name = *variables(text).first()?;
        let list = match name {
            "basearch" | "arch" => "arches = [\"x86_64\", \"aarch64\"]".to_owned(),
            name if name.starts_with("releasever") => "releases = [\"5.0\"]".to_owned(),
            name => format!("vars = {{ {name} = [\"VALUE\"] }}"),
        };
        let text = repo_client::redact(text);
        Some(format!(
            "{what} {text} has ${name}, which has no value: list its values, {list}"
        ))
    })
}
