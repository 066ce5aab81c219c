//! Packages of generated worlds: what they say, and whether a set of them holds together.

use std::collections::BTreeMap;
use std::fmt;

use crate::scene_rpm::{Item, RpmFile, kind, replace, tag};

/// Lists of a package, each with the tags of its names, flags and versions (lib/rpmtag.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Provides,
    Requires,
    Conflicts,
    Obsoletes,
    Recommends,
    Suggests,
    Supplements,
    Enhances,
}

const LISTS: [(List, [u32; 3]); 8] = [
    (List::Provides, [1047, 1112, 1113]),
    (List::Requires, [1049, 1048, 1050]),
    (List::Conflicts, [1054, 1053, 1055]),
    (List::Obsoletes, [1090, 1114, 1115]),
    (List::Recommends, [5046, 5048, 5047]),
    (List::Suggests, [5049, 5051, 5050]),
    (List::Supplements, [5052, 5054, 5053]),
    (List::Enhances, [5055, 5057, 5056]),
];

/// Name, relation (`""` for none) and version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dep(pub(super) String, pub(super) &'static str, pub(super) u32);

impl Dep {
    pub(super) fn name(name: &str) -> Self {
        Self(name.to_owned(), "", 0)
    }

    /// RPMSENSE_LESS, _GREATER and _EQUAL.
    fn flags(&self) -> u32 {
        let sense = |sign| match sign {
            '<' => 2,
            '>' => 4,
            _ => 8,
        };
        self.1.chars().map(sense).sum()
    }

    /// Whether something in this version, or in none, is meant.
    fn fits(&self, version: Option<u32>) -> bool {
        let Some(version) = version else {
            return true;
        };
        match self.1 {
            "<" => version < self.2,
            "=" => version == self.2,
            ">=" => version >= self.2,
            _ => true,
        }
    }
}

impl fmt::Display for Dep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            "" => f.write_str(&self.0),
            relation => write!(f, "{} {relation} {}", self.0, self.2),
        }
    }
}

/// A dependency, plain or of two parts: `(a or b)`, `(a if b)`, `(a and b)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Need {
    Plain(Dep),
    Rich(Dep, &'static str, Dep),
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(dep) => dep.fmt(f),
            Self::Rich(left, word, right) => write!(f, "({left} {word} {right})"),
        }
    }
}

/// One package; its release is always 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) arch: &'static str,
    pub(super) lists: BTreeMap<List, Vec<Need>>,
    /// `module:stream`.
    pub(super) stream: Option<String>,
}

impl Package {
    pub(super) fn nevra(&self) -> String {
        format!("{}-{}-1.{}", self.name, self.version, self.arch)
    }

    pub(super) fn of(&self, list: List) -> &[Need] {
        self.lists.get(&list).map_or(&[], Vec::as_slice)
    }

    /// Whether it has what a plain dependency asks for.
    fn has(&self, dep: &Dep) -> bool {
        let provided = self.of(List::Provides).iter().any(|own| match own {
            Need::Plain(own) if own.0 == dep.0 => {
                dep.fits((!own.1.is_empty()).then_some(own.2))
                    && (dep.1.is_empty() || !own.1.is_empty())
            }
            _ => false,
        });
        provided || (self.name == dep.0 && dep.fits(Some(self.version)))
    }

    /// The package as a file: one that rpmbuild made, with another header.
    pub(super) fn file(&self, template: &RpmFile) -> RpmFile {
        template.clone().edit(|items| {
            let version = self.version.to_string();
            replace(items, Item::text(tag::NAME, &self.name));
            replace(items, Item::text(tag::VERSION, &version));
            replace(items, Item::text(1022, self.arch));
            replace(
                items,
                Item::text(1044, &format!("{}-{version}-1.src.rpm", self.name)),
            );
            if let Some(stream) = &self.stream {
                replace(items, Item::text(5096, &format!("{stream}:1:c0ffee")));
            }
            let own = Need::Plain(Dep(self.name.clone(), "=", self.version));
            for (list, tags) in LISTS {
                let mut all = self.of(list).to_vec();
                if list == List::Provides {
                    all.push(own.clone());
                }
                put(items, tags, &all);
            }
        })
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.nevra())?;
        if let Some(stream) = &self.stream {
            write!(f, " of {stream}")?;
        }
        for (list, needs) in &self.lists {
            let needs: Vec<String> = needs.iter().map(Need::to_string).collect();
            write!(f, " {list:?}: {}", needs.join(", "))?;
        }
        Ok(())
    }
}

/// Replaces a list of dependencies.
fn put(items: &mut Vec<Item>, [names, flags, versions]: [u32; 3], all: &[Need]) {
    items.retain(|item| ![names, flags, versions].contains(&item.tag));
    if all.is_empty() {
        return;
    }
    let parts = all.iter().map(|need| match need {
        Need::Plain(dep) if !dep.1.is_empty() => {
            (dep.0.clone(), dep.flags(), format!("{}-1", dep.2))
        }
        need => (need.to_string(), 0, String::new()),
    });
    let parts: Vec<(String, u32, String)> = parts.collect();
    let texts =
        |text: fn(&(String, u32, String)) -> &str| parts.iter().map(text).collect::<Vec<_>>();
    replace(items, Item::texts(names, &texts(|part| &part.0)));
    replace(items, Item::texts(versions, &texts(|part| &part.2)));
    let numbers = parts.iter().flat_map(|part| part.1.to_be_bytes());
    let numbers = Item {
        tag: flags,
        kind: kind::INT32,
        count: parts.len() as u32,
        data: numbers.collect(),
    };
    replace(items, numbers);
}

/// Leaves of some packages those that can be installed together: what lacks something or is in the way goes.
pub(super) fn consistent(mut all: Vec<Package>, several: &str) -> Vec<Package> {
    loop {
        let bad = all.iter().position(|own| {
            let others = || all.iter().filter(|other| other.nevra() != own.nevra());
            let has = |dep: &Dep| all.iter().any(|other| other.has(dep));
            let lacks = |need: &Need| match need {
                Need::Plain(dep) => !has(dep),
                Need::Rich(left, "or", right) => !has(left) && !has(right),
                Need::Rich(left, "if", right) => !has(left) && has(right),
                Need::Rich(left, _, right) => !has(left) || !has(right),
            };
            let hit = |need: &Need| matches!(need, Need::Plain(dep) if others().any(|other| other.has(dep)));
            let old = |need: &Need| {
                let named = |dep: &Dep| others().any(|other| other.name == dep.0 && dep.fits(Some(other.version)));
                matches!(need, Need::Plain(dep) if named(dep))
            };
            let twice = |other: &Package| {
                other.name == own.name && other.version != own.version && own.name != several
            };
            own.of(List::Requires).iter().any(lacks)
                || own.of(List::Conflicts).iter().any(hit)
                || own.of(List::Obsoletes).iter().any(old)
                || others().any(twice)
        });
        match bad {
            Some(bad) => all.remove(bad),
            None => return all,
        };
    }
}
