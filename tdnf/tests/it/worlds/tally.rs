//! What the generated worlds showed, and whether they had bite.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::differences::{Case, KINDS};
use super::package::{List, Need, Package};
use super::stage::Verdict;
use super::world::KERNEL;

#[derive(Default)]
pub(super) struct Tally {
    equal: u64,
    /// Requests that both refused, and those that changed something.
    refused: u64,
    changed: u64,
    kinds: BTreeMap<&'static str, u64>,
    ingredients: BTreeMap<&'static str, u64>,
    /// Seeds of worlds whose difference is of no kind; they are printed.
    unexplained: Vec<u64>,
}

/// What worlds are made of, and how many of a hundred requests it must matter to at least.
const INGREDIENTS: [(&str, u64); 9] = [
    ("multilib", 10),
    ("obsoletes", 5),
    ("priorities", 15),
    ("excludes", 3),
    ("rich", 10),
    ("weak", 10),
    ("installonly", 5),
    ("protected", 1),
    ("modules", 4),
];

impl Tally {
    pub(super) fn add(&mut self, seed: u64, case: &Case) {
        let touched = case.touched();
        match (&case.own, &case.peer) {
            (Verdict::Refused(_), Verdict::Refused(_)) => self.refused += 1,
            _ if !touched.is_empty() => self.changed += 1,
            _ => {}
        }
        for ingredient in ingredients(case, &touched) {
            *self.ingredients.entry(ingredient).or_default() += 1;
        }
        if case.is_same() {
            self.equal += 1;
        } else if let Some(kind) = case.kind() {
            println!("seed {seed}: {}", kind.name);
            *self.kinds.entry(kind.name).or_default() += 1;
        } else {
            let (own, peer) = (&case.own, &case.peer);
            println!("seed {seed}: {}  tdnf {own:?}\n  dnf {peer:?}", case.world);
            self.unexplained.push(seed);
        }
    }

    pub(super) fn with(mut self, other: Self) -> Self {
        self.equal += other.equal;
        self.refused += other.refused;
        self.changed += other.changed;
        for (name, count) in other.kinds {
            *self.kinds.entry(name).or_default() += count;
        }
        for (name, count) in other.ingredients {
            *self.ingredients.entry(name).or_default() += count;
        }
        self.unexplained.extend(other.unexplained);
        self
    }

    /// No difference is without a reason, few are a matter of taste, and no ingredient was idle.
    pub(super) fn assert(&self, count: u64) {
        assert!(self.unexplained.is_empty(), "seeds {:?}", self.unexplained);
        let share = |part: u64| part * 100 / count.max(1);
        assert!(share(self.equal) >= 85, "{self}");
        let kind = |name| share(self.kinds.get(name).copied().unwrap_or(0));
        assert!(kind("another-provider") <= 5, "{self}");
        assert!(
            share(self.changed) >= 50 && share(self.refused) >= 5,
            "{self}"
        );
        for (name, least) in INGREDIENTS {
            let had = share(self.ingredients.get(name).copied().unwrap_or(0));
            assert!(had >= least, "{name}: {had} of 100\n{self}");
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (equal, changed, refused) = (self.equal, self.changed, self.refused);
        writeln!(
            f,
            "equal {equal}, of these refused by both {refused}; changed something {changed}"
        )?;
        for kind in KINDS {
            let count = self.kinds.get(kind.name).copied().unwrap_or(0);
            writeln!(f, "{count:5} {}: {}", kind.name, kind.reason)?;
        }
        writeln!(f, "{:5} unexplained", self.unexplained.len())?;
        write!(f, "ingredients that mattered: {:?}", self.ingredients)
    }
}

/// The ingredients of a world that matter to its request: they concern what is named or changes.
fn ingredients(case: &Case, touched: &BTreeSet<String>) -> Vec<&'static str> {
    let world = &case.world;
    let all = world.all();
    let packages: Vec<&Package> = touched
        .iter()
        .filter_map(|nevra| all.get(nevra).copied())
        .collect();
    let concerns = |name: &str| {
        let mut words = world.words.iter();
        words.any(|word| {
            word == name
                || word.starts_with(&format!("{name}."))
                || word.starts_with(&format!("{name}-"))
        }) || packages.iter().any(|own| own.name == name)
    };
    let has = |list: List| packages.iter().any(|own| !own.of(list).is_empty());
    let is_rich = |own: &&Package| {
        own.of(List::Requires)
            .iter()
            .any(|need| matches!(need, Need::Rich(..)))
    };
    let conf = |key: &str| world.conf.iter().find_map(|line| line.strip_prefix(key));
    let options = world
        .options
        .iter()
        .filter_map(|option| option.strip_prefix("--exclude="));
    let sections = world.repos.iter().flat_map(|repo| &repo.excludes);
    let mut excludes = options
        .chain(conf("excludepkgs="))
        .chain(sections.map(String::as_str));
    let priorities: BTreeSet<i32> = world.repos.iter().map(|repo| repo.priority).collect();
    let protected = conf("protected_packages=").unwrap_or_default();
    let holds = |name: &str| match name {
        "multilib" => packages.iter().any(|own| own.arch == "i686"),
        "obsoletes" => has(List::Obsoletes),
        "priorities" => priorities.len() > 1 && !touched.is_empty(),
        "excludes" => excludes.any(|pattern| concerns(&pattern[..1])),
        "rich" => packages.iter().any(is_rich),
        "weak" => {
            conf("install_weak_deps=") == Some("1")
                && (has(List::Recommends) || has(List::Supplements))
        }
        "installonly" => concerns(KERNEL),
        "protected" => !protected.is_empty() && concerns(protected),
        _ => world.modules.is_some() && (concerns("a") || concerns("b")),
    };
    let mut holds = holds;
    INGREDIENTS
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| holds(name))
        .collect()
}
