//! A generated world: what is installed, what repositories offer, what is configured and what is asked for.

use std::collections::BTreeMap;
use std::fmt;

use fastrand::Rng;

use super::package::{Dep, List, Need, Package, consistent};

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
/// Several versions of it stand side by side.
pub(super) const KERNEL: &str = "kernel";
/// Highest version of a package, and of the kernel.
const VERSIONS: u32 = 4;
const KERNELS: u32 = 5;
/// What is installed is of these versions at most.
const OLD: u32 = 2;

pub(super) struct Repo {
    pub(super) id: &'static str,
    pub(super) priority: i32,
    pub(super) packages: Vec<Package>,
    /// `excludepkgs=` of its section.
    pub(super) excludes: Vec<String>,
}

/// Streams and the default of the module `m`, and what the module `n` requires of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Modules {
    pub(super) default: Option<u32>,
    pub(super) n_requires: Option<u32>,
}

pub(super) struct World {
    pub(super) installed: Vec<Package>,
    pub(super) repos: Vec<Repo>,
    /// Names of installed packages that came as dependencies.
    pub(super) auto: Vec<String>,
    /// Lines of `[main]`.
    pub(super) conf: Vec<String>,
    pub(super) modules: Option<Modules>,
    /// The command line, options first.
    pub(super) options: Vec<String>,
    pub(super) command: &'static str,
    pub(super) words: Vec<String>,
}

/// True so many times of a hundred.
fn chance(random: &mut Rng, percent: u32) -> bool {
    random.u32(..100) < percent
}

fn pick<'a, T>(random: &mut Rng, all: &'a [T]) -> &'a T {
    &all[random.usize(..all.len())]
}

/// The packages that have been made so far: the same in every repository.
struct Maker {
    random: Rng,
    made: BTreeMap<(String, u32), BTreeMap<List, Vec<Need>>>,
    /// Architectures of each name.
    arches: BTreeMap<&'static str, &'static [&'static str]>,
    modules: Option<Modules>,
}

impl Maker {
    fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        const KINDS: [&[&str]; 6] = [
            &["noarch"],
            &["noarch"],
            &["x86_64"],
            &["x86_64", "i686"],
            &["x86_64", "i686"],
            &["i686"],
        ];
        let mut arches: BTreeMap<&str, &'static [&'static str]> = BTreeMap::new();
        for name in NAMES {
            // Packages for 32 bits alone are rare.
            let kinds = if chance(&mut random, 8) {
                &KINDS[..]
            } else {
                &KINDS[..5]
            };
            arches.insert(name, *pick(&mut random, kinds));
        }
        arches.insert(KERNEL, &["x86_64"]);
        let modules = chance(&mut random, 20).then(|| Modules {
            default: chance(&mut random, 75).then(|| random.u32(1..3)),
            n_requires: chance(&mut random, 60).then(|| random.u32(1..3)),
        });
        Self {
            random,
            made: BTreeMap::new(),
            arches,
            modules,
        }
    }

    /// Another name than this, some relation to it.
    fn dep(&mut self, not: &str) -> Dep {
        let random = &mut self.random;
        let others: Vec<&str> = NAMES.into_iter().filter(|name| *name != not).collect();
        let name = *pick(random, &others);
        match random.u32(..10) {
            0..=4 => Dep::name(name),
            5..=6 => Dep(name.to_owned(), ">=", random.u32(2..4)),
            7 => Dep(name.to_owned(), "<", random.u32(2..4)),
            _ => Dep::name(&format!("cap-{name}")),
        }
    }

    fn need(&mut self, not: &str) -> Need {
        let left = self.dep(not);
        if chance(&mut self.random, 80) {
            return Need::Plain(left);
        }
        let word = *pick(&mut self.random, &["or", "or", "if", "and"]);
        Need::Rich(left, word, self.dep(not))
    }

    fn lists(&mut self, name: &str) -> BTreeMap<List, Vec<Need>> {
        let mut lists: BTreeMap<List, Vec<Need>> = BTreeMap::new();
        let mut put = |list, need| lists.entry(list).or_default().push(need);
        for _ in 0..*pick(&mut self.random, &[0, 0, 0, 1, 1, 2]) {
            put(List::Requires, self.need(name));
        }
        if chance(&mut self.random, 8) {
            put(List::Conflicts, Need::Plain(self.dep(name)));
        }
        if chance(&mut self.random, 10) && name != KERNEL {
            let old = self.dep(name).0.replace("cap-", "");
            let limit = self.random.u32(2..4);
            if chance(&mut self.random, 60) {
                put(List::Provides, Need::Plain(Dep(old.clone(), "=", 3)));
            }
            put(List::Obsoletes, Need::Plain(Dep(old, "<", limit)));
        }
        if chance(&mut self.random, 35) {
            let capability = format!("cap-{}", pick(&mut self.random, &NAMES));
            put(List::Provides, Need::Plain(Dep::name(&capability)));
        }
        for (list, percent) in [
            (List::Recommends, 20),
            (List::Suggests, 5),
            (List::Supplements, 8),
            (List::Enhances, 4),
        ] {
            if chance(&mut self.random, percent) {
                put(list, self.need(name));
            }
        }
        lists
    }

    /// A name in a version, for its architectures.
    fn packages(&mut self, name: &str, version: u32) -> Vec<Package> {
        let key = (name.to_owned(), version);
        if !self.made.contains_key(&key) {
            let lists = self.lists(name);
            self.made.insert(key.clone(), lists);
        }
        let lists = &self.made[&key];
        let arches = self.arches[name].iter();
        let package = |arch: &&'static str| Package {
            name: name.to_owned(),
            version,
            arch,
            lists: lists.clone(),
            stream: self.stream(name, version),
        };
        arches.map(package).collect()
    }

    /// Where there are modules, `a` belongs to streams of `m` and `b` to one of `n`; their version 2 belongs to none.
    fn stream(&self, name: &str, version: u32) -> Option<String> {
        self.modules.as_ref()?;
        match (name, version) {
            ("a", 1) => Some("m:1".to_owned()),
            ("a", 3) => Some("m:2".to_owned()),
            ("b", 1 | 3) => Some("n:1".to_owned()),
            _ => None,
        }
    }

    fn installed(&mut self, kernels: bool) -> Vec<Package> {
        let mut all = Vec::new();
        for name in NAMES {
            if chance(&mut self.random, 50) {
                let version = self.random.u32(1..=OLD);
                let mut own = self.packages(name, version);
                if own.len() > 1 && chance(&mut self.random, 40) {
                    let gone = self.random.usize(..own.len());
                    own.remove(gone);
                }
                all.append(&mut own);
            }
        }
        if kernels {
            for version in 1..=self.random.u32(1..KERNELS) {
                all.append(&mut self.packages(KERNEL, version));
            }
        }
        consistent(all, KERNEL)
    }

    fn repos(&mut self, kernels: bool) -> Vec<Repo> {
        let count = self.random.usize(1..=3);
        let share = [60, 40, 30][count - 1];
        let equal = chance(&mut self.random, 40);
        let mut repos = Vec::new();
        for id in ["one", "two", "three"].into_iter().take(count) {
            let mut packages = Vec::new();
            let names = NAMES.into_iter().chain(kernels.then_some(KERNEL));
            for name in names {
                for version in 1..=if name == KERNEL { KERNELS } else { VERSIONS } {
                    if !chance(&mut self.random, share) {
                        continue;
                    }
                    let mut own = self.packages(name, version);
                    if own.len() > 1 && chance(&mut self.random, 10) {
                        own.pop();
                    }
                    packages.append(&mut own);
                }
            }
            let priority = if equal {
                50
            } else {
                *pick(&mut self.random, &[10, 50, 90])
            };
            let excludes = match chance(&mut self.random, 10) {
                true => vec![self.exclude()],
                false => Vec::new(),
            };
            repos.push(Repo {
                id,
                priority,
                packages,
                excludes,
            });
        }
        repos
    }

    fn exclude(&mut self) -> String {
        let name = *pick(&mut self.random, &NAMES);
        match self.random.u32(..5) {
            0 => format!("{name}-{}-1", self.random.u32(1..=VERSIONS)),
            1 => format!("{name}.i686"),
            2 => format!("{name}-{}*", self.random.u32(1..=VERSIONS)),
            _ => name.to_owned(),
        }
    }

    /// Options, command and words.
    fn request(
        &mut self,
        kernels: bool,
        installed: &[Package],
    ) -> (Vec<String>, &'static str, Vec<String>) {
        let random = &mut self.random;
        let any = *pick(random, &NAMES);
        let name = match kernels && chance(random, 25) {
            true => KERNEL,
            false => any,
        };
        // Most commands are about what is installed.
        let known = match installed {
            [] => name.to_owned(),
            all if chance(random, 85) => pick(random, all).name.clone(),
            _ => name.to_owned(),
        };
        let mut options = Vec::new();
        let (command, words): (_, Vec<String>) = match random.u32(..100) {
            0..=15 => ("install", vec![name.to_owned()]),
            16..=19 => (
                "install",
                vec![format!("{name}.{}", pick(random, &["x86_64", "i686"]))],
            ),
            20..=23 => (
                "install",
                vec![format!("{name}-{}", random.u32(1..=VERSIONS))],
            ),
            24..=27 => ("install", vec![format!("cap-{any}")]),
            28..=33 => (
                "install",
                vec![name.to_owned(), (*pick(random, &NAMES)).to_owned()],
            ),
            34..=50 => ("update", Vec::new()),
            51..=60 => ("update", vec![known]),
            61..=70 => ("erase", vec![known]),
            71..=72 => (
                "erase",
                vec![format!("{known}.{}", pick(random, &["x86_64", "i686"]))],
            ),
            73..=78 => ("downgrade", vec![known]),
            79..=84 => ("distro-sync", Vec::new()),
            85..=88 => ("distro-sync", vec![known]),
            89..=95 => ("autoremove", Vec::new()),
            _ => ("reinstall", vec![known]),
        };
        if ["install", "update"].contains(&command) {
            match random.u32(..10) {
                0..=1 => options.push("--nobest".to_owned()),
                2 if command == "update" => options.push("--best".to_owned()),
                3 => options.push("--allowerasing".to_owned()),
                _ => {}
            }
        }
        if chance(random, 12) {
            options.push(format!("--exclude={}", self.exclude()));
        }
        (options, command, words)
    }
}

impl World {
    pub(super) fn generate(seed: u64) -> Self {
        let mut maker = Maker::new(seed);
        let kernels = chance(&mut maker.random, 35);
        let installed = maker.installed(kernels);
        let repos = maker.repos(kernels);
        let (options, command, mut words) = maker.request(kernels, &installed);
        words.dedup();
        let random = &mut maker.random;
        let mut auto = Vec::new();
        if ["erase", "autoremove"].contains(&command) {
            let mut names: Vec<&String> = installed.iter().map(|own| &own.name).collect();
            names.dedup();
            auto.extend(names.into_iter().filter(|_| chance(random, 55)).cloned());
        }
        let mut conf = vec![
            format!("installonlypkgs={KERNEL}"),
            format!("installonly_limit={}", random.u32(2..4)),
            format!("install_weak_deps={}", u32::from(chance(random, 60))),
            format!(
                "clean_requirements_on_remove={}",
                u32::from(chance(random, 50))
            ),
        ];
        match chance(random, 30) {
            true => conf.push(format!("protected_packages={}", pick(random, &NAMES))),
            false => conf.push("protected_packages=".to_owned()),
        }
        if chance(random, 10) {
            let pattern = maker.exclude();
            conf.push(format!("excludepkgs={pattern}"));
        }
        Self {
            installed,
            repos,
            auto,
            conf,
            modules: maker.modules,
            options,
            command,
            words,
        }
    }
}

/// All of it: what stands in the message of a test that fails.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.options.iter().chain(&self.words);
        writeln!(f, "{} {:?}", self.command, words.collect::<Vec<_>>())?;
        writeln!(
            f,
            "  {:?}, auto-installed {:?}, modules {:?}",
            self.conf, self.auto, self.modules
        )?;
        for own in &self.installed {
            writeln!(f, "  installed {own}")?;
        }
        for repo in &self.repos {
            writeln!(
                f,
                "  {} priority={} excludepkgs={:?}",
                repo.id, repo.priority, repo.excludes
            )?;
            for own in &repo.packages {
                writeln!(f, "    {own}")?;
            }
        }
        Ok(())
    }
}
