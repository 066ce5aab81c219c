//! Who needs whom: relations between elements, from the dependencies in their headers.

use std::collections::{HashMap, HashSet};

use rpm_pkg::dep::rich::{self, Rich, RichOp};
use rpm_pkg::dep::{Dep, DepFlags, DepGroup, DepRef, Deps};
use rpm_pkg::files::FileList;
use rpm_pkg::header::{Header, tag};

use super::super::Generation;
use super::super::root::{Canonical, RootDir, join, split};
use super::PREFERRED_COLOR;
use super::graph::Graph;

/// Dependencies that order, in rpm's order, and whether the one that carries them comes first.
/// Weak ones order without the strong mark, before rpm 4.20.
const GROUPS: [(DepGroup, bool); 6] = [
    (DepGroup::Requires, false),
    (DepGroup::Recommends, false),
    (DepGroup::Suggests, false),
    (DepGroup::Supplements, true),
    (DepGroup::Enhances, true),
    (DepGroup::OrderWithRequires, false),
];

/// What ordering needs to know of an element.
pub(crate) struct Member<'a> {
    /// Its header.
    pub header: &'a Header,
    /// It is installed; otherwise erased.
    pub install: bool,
    /// Its files: others may require them.
    pub files: &'a FileList,
}

/// A dependency and what it belongs to.
struct Wish {
    member: usize,
    backwards: bool,
    weak: bool,
    /// ELF classes of the files that it comes from.
    color: u32,
}

/// The installs or the erasures, and what they offer.
pub(super) struct Relations<'a> {
    members: &'a [&'a Member<'a>],
    provides: HashMap<&'a [u8], Vec<(usize, DepRef<'a>)>>,
    /// Required files, as resolved paths.
    files: HashMap<Vec<u8>, Vec<usize>>,
    /// Required paths, and what they resolve to.
    resolved: HashMap<Vec<u8>, Vec<u8>>,
    colors: Vec<Colors>,
    /// Packages for 32 and 64 bit live together: the color of a provider counts.
    colored: bool,
    /// Weak dependencies order.
    weak: bool,
    graph: Graph,
}

impl<'a> Relations<'a> {
    pub(super) fn new(
        members: &'a [&'a Member<'a>],
        install: bool,
        (generation, color): (Generation, u32),
        root: &RootDir,
        canonical: &mut Canonical,
    ) -> Relations<'a> {
        let mut provides: HashMap<&[u8], Vec<(usize, DepRef<'_>)>> = HashMap::new();
        for (index, member) in members.iter().enumerate() {
            for dep in Deps::of(member.header, DepGroup::Provides) {
                provides.entry(dep.name).or_default().push((index, dep));
            }
        }
        let colors: Vec<Colors> = members.iter().map(|member| Colors::of(member)).collect();
        let mut relations = Relations {
            members,
            provides,
            files: HashMap::new(),
            resolved: HashMap::new(),
            graph: Graph::new(colors.iter().map(|colors| colors.package), install),
            colors,
            colored: color != 0,
            weak: generation < Generation::Rpm4_20,
        };
        relations.find_files(root, canonical);
        relations
    }

    /// All relations between the members.
    pub(super) fn graph(mut self) -> Graph {
        for (index, member) in self.members.iter().enumerate() {
            for (group, backwards) in GROUPS {
                let strong = matches!(group, DepGroup::Requires | DepGroup::OrderWithRequires);
                if !strong && !self.weak {
                    continue;
                }
                for (number, dep) in Deps::of(member.header, group).enumerate() {
                    let requires = group == DepGroup::Requires;
                    let colors = self.colors.get(index).filter(|_| requires);
                    let wish = Wish {
                        member: index,
                        backwards,
                        weak: !strong,
                        color: colors.map_or(0, |colors| colors.of_require(number)),
                    };
                    self.add(&wish, &dep);
                }
            }
        }
        self.graph
    }

    fn add(&mut self, wish: &Wish, dep: &DepRef<'_>) {
        let Some(strong) = orders(dep.flags, self.graph.install) else {
            return;
        };
        let strong = strong && !wish.weak;
        if dep.is_rich() {
            // The parts of an expression have no color.
            let wish = Wish { color: 0, ..*wish };
            for part in ordering_parts(dep) {
                self.add_plain(&wish, &part.borrow(), strong);
            }
        } else {
            self.add_plain(wish, dep, strong);
        }
    }

    fn add_plain(&mut self, wish: &Wish, dep: &DepRef<'_>, strong: bool) {
        if let Some(provider) = self.provider(wish, dep) {
            self.graph
                .relate(wish.member, provider, strong, wish.backwards);
        }
    }

    /// The member that a dependency means: of several the one of the right color, then the one
    /// that needs it itself, then the first.
    fn provider(&self, wish: &Wish, dep: &DepRef<'_>) -> Option<usize> {
        let with_file = self.resolved.get(dep.name).and_then(|p| self.files.get(p));
        if let Some(owners) = with_file {
            return self.best(wish, owners.iter().copied());
        }
        let provided = self.provides.get(dep.name)?;
        let fit = provided.iter().filter(|(_, p)| p.overlaps(dep));
        self.best(wish, fit.map(|(index, _)| *index))
    }

    fn best(&self, wish: &Wish, candidates: impl Iterator<Item = usize>) -> Option<usize> {
        let wanted = match wish.color {
            0 => PREFERRED_COLOR,
            color => color,
        };
        let score = |index: usize| {
            let color = self.colors.get(index).map_or(0, |colors| colors.package);
            let matches = self.colored && color == wanted;
            2 * u8::from(matches) + u8::from(index == wish.member)
        };
        // Of equals `max_by_key` answers the last one, so they are counted from the end.
        let scored = candidates.enumerate();
        let best = scored.max_by_key(|&(at, index)| (score(index), std::cmp::Reverse(at)));
        best.map(|(_, index)| index)
    }

    /// Finds the owners of required files. The directory of a path may lead
    /// through symbolic links: `/bin/sh` is `/usr/bin/sh` in many roots. A directory that cannot
    /// be resolved is taken by its name; to install into it fails later, with the reason.
    fn find_files(&mut self, root: &RootDir, canonical: &mut Canonical) {
        let mut resolve = |dir: &[u8], base: &[u8]| {
            let path = canonical.path(root, dir, base);
            path.unwrap_or_else(|_| join(dir.strip_suffix(b"/").unwrap_or(dir), base))
        };
        let mut bases: HashSet<Vec<u8>> = HashSet::new();
        for name in self.wanted_paths() {
            let (dir, base) = split(&name);
            bases.insert(base.to_vec());
            let path = resolve(dir, base);
            self.resolved.insert(name, path);
        }
        let wanted: HashSet<&Vec<u8>> = self.resolved.values().collect();
        for (index, member) in self.members.iter().enumerate() {
            for file in 0..member.files.len() {
                let (dir, base) = member.files.path_parts(file);
                if !bases.contains(base) {
                    continue;
                }
                let path = resolve(dir, base);
                if wanted.contains(&path) {
                    self.files.entry(path).or_default().push(index);
                }
            }
        }
    }

    fn wanted_paths(&self) -> HashSet<Vec<u8>> {
        let mut wanted = HashSet::new();
        let members = self.members.iter();
        let deps = members.flat_map(|member| {
            let groups = GROUPS.iter();
            groups.flat_map(|(group, _)| Deps::of(member.header, *group))
        });
        for dep in deps {
            if dep.name.starts_with(b"/") {
                wanted.insert(dep.name.to_vec());
            } else if dep.is_rich() && dep.name.contains(&b'/') {
                let names = ordering_parts(&dep).into_iter().map(|part| part.name);
                let paths = names.filter(|name| name.starts_with('/'));
                wanted.extend(paths.map(String::into_bytes));
            }
        }
        wanted
    }
}

/// Does a dependency with these flags order, and strongly (docs/reference/transactions.md, 5.2)?
fn orders(flags: DepFlags, install: bool) -> Option<bool> {
    use rpm_pkg::dep::DepFlags as F;
    let by_scripts = F::PRE | F::POST | F::PREUN | F::POSTUN;
    let around = F::PRETRANS | F::POSTTRANS | F::PREUNTRANS | F::POSTUNTRANS;
    let without_order = F::RPMLIB | F::CONFIG | F::VERIFY | F::META | around;
    if flags.has(without_order) && !flags.has(by_scripts) {
        return None;
    }
    let strong = match install {
        true => F::PRE | F::POST | F::RPMLIB | F::KEYRING | F::PRETRANS | F::POSTTRANS,
        false => F::PREUN | F::POSTUN | F::PREUNTRANS | F::POSTUNTRANS,
    };
    // PREREQ alone comes from packages older than the scriptlet flags.
    let legacy = flags & (F::PREREQ | F::INTERP | by_scripts | F::VERIFY) == F::PREREQ;
    Some(flags.has(strong) || legacy)
}

/// The parts of an expression that order, as rpm 4.18 takes them: all sides of `and` and `or`,
/// the left side of `with` and `without`, what `if` and `unless` are about. Conditions do not
/// order, nor does what stands behind `else`. A bad expression has no parts.
fn ordering_parts(dep: &DepRef<'_>) -> Vec<Dep> {
    fn add(rich: Rich, parts: &mut Vec<Dep>) {
        match rich {
            Rich::Plain(dep) => parts.push(dep),
            Rich::Chain(RichOp::And | RichOp::Or, sides) => {
                sides.into_iter().for_each(|side| add(side, parts));
            }
            Rich::Chain(_, sides) => sides.into_iter().take(1).for_each(|side| add(side, parts)),
            Rich::Conditional { then, .. } => add(*then, parts),
        }
    }
    let mut parts = Vec::new();
    let text = std::str::from_utf8(dep.name).ok();
    if let Some(Ok(rich)) = text.map(rich::parse) {
        add(rich, &mut parts);
    }
    parts
}

/// ELF classes (bit 0: 32 bit, bit 1: 64 bit) of the dependencies of a package.
struct Colors {
    /// For requires that files have: number and classes of those files.
    requires: HashMap<u32, u32>,
    /// All classes of files that require or provide something.
    package: u32,
}

impl Colors {
    /// The header says which dependencies each file has: DEPENDSDICT holds the kind (`P` or `R`)
    /// in the highest byte and the number of the dependency in the others.
    fn of(member: &Member<'_>) -> Colors {
        let header = member.header;
        let dictionary: Vec<u32> = header.u32s(tag::DEPENDSDICT).collect();
        let first = header.u32s(tag::FILEDEPENDSX);
        let counts = header.u32s(tag::FILEDEPENDSN);
        let colors = header.u32s(tag::FILECOLORS);
        let mut requires: HashMap<u32, u32> = HashMap::new();
        let mut package = 0;
        // Each entry belongs to one file; a header that says otherwise is not followed.
        let mut left = dictionary.len();
        for ((first, count), color) in first.zip(counts).zip(colors) {
            let count = left.min(count as usize);
            left -= count;
            for entry in dictionary.iter().skip(first as usize).take(count) {
                match (entry >> 24) as u8 {
                    b'P' => {}
                    b'R' => *requires.entry(entry & 0x00ff_ffff).or_default() |= color,
                    _ => continue,
                }
                package |= color;
            }
        }
        Colors { requires, package }
    }

    fn of_require(&self, number: usize) -> u32 {
        let number = u32::try_from(number).ok();
        let color = number.and_then(|number| self.requires.get(&number));
        color.copied().unwrap_or(0)
    }
}
