//! The order of a transaction: what is needed comes first (reference 5.6).
//!
//! All installs come before all erasures. Acyclic relations are honoured; a cycle is broken at
//! a relation that no scriptlet needs, if there is one.

mod relations;
#[cfg(test)]
mod tests;

pub(crate) use relations::{Member, relations};

use std::collections::BTreeSet;

/// `before` must be done before `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    /// Position of the element that is needed.
    pub before: usize,
    /// Position of the element that needs it.
    pub after: usize,
    /// A scriptlet needs it (`Requires(pre)`, `Requires(post)` and so on).
    pub strong: bool,
}

/// The positions 0 to `installs.len()` in the order to be done. `installs[i]` tells whether
/// element `i` is installed. Elements without relations keep the order they came in.
pub fn sequence(installs: &[bool], relations: &[Relation]) -> Vec<usize> {
    let mut order = Vec::with_capacity(installs.len());
    for wanted in [true, false] {
        let members: Vec<usize> = (0..installs.len())
            .filter(|&i| installs.get(i) == Some(&wanted))
            .collect();
        order.extend(Part::new(installs, wanted, relations).walk(&members));
    }
    order
}

/// The installs or the erasures with the relations among them.
struct Part {
    /// For each element: those that need it, and whether strongly.
    needed_by: Vec<Vec<(usize, bool)>>,
    /// For each element: how many it needs that are not done, all and strong ones.
    waits: Vec<(usize, usize)>,
}

impl Part {
    fn new(installs: &[bool], wanted: bool, relations: &[Relation]) -> Part {
        let mut part = Part {
            needed_by: vec![Vec::new(); installs.len()],
            waits: vec![(0, 0); installs.len()],
        };
        let inside = |i: usize| installs.get(i) == Some(&wanted);
        let mut sorted: Vec<&Relation> = relations.iter().collect();
        // Strong ones first: a weak double of a strong relation is dropped.
        sorted.sort_by_key(|r| (r.before, r.after, !r.strong));
        sorted.dedup_by_key(|r| (r.before, r.after));
        for r in sorted {
            if r.before == r.after || !inside(r.before) || !inside(r.after) {
                continue;
            }
            if let Some(list) = part.needed_by.get_mut(r.before) {
                list.push((r.after, r.strong));
            }
            part.count(r.after, r.strong, 1);
        }
        part
    }

    fn count(&mut self, element: usize, strong: bool, by: isize) {
        if let Some((all, strongly)) = self.waits.get_mut(element) {
            *all = all.saturating_add_signed(by);
            if strong {
                *strongly = strongly.saturating_add_signed(by);
            }
        }
    }

    fn state(&self, element: usize) -> (usize, usize) {
        self.waits.get(element).copied().unwrap_or_default()
    }

    /// Emits what waits for nothing, those that most others need first. When everything left
    /// waits (a cycle), the element with the fewest strong needs goes first: only weak relations
    /// of a cycle are broken as long as one has a member without a strong need.
    fn walk(mut self, members: &[usize]) -> Vec<usize> {
        let mut left: BTreeSet<usize> = members.iter().copied().collect();
        let key =
            |part: &Part, i: usize| (usize::MAX - part.needed_by.get(i).map_or(0, Vec::len), i);
        let mut ready: BTreeSet<(usize, usize)> = members
            .iter()
            .filter(|&&i| self.state(i).0 == 0)
            .map(|&i| key(&self, i))
            .collect();
        let mut order = Vec::with_capacity(members.len());
        while !left.is_empty() {
            let next = match ready.pop_first() {
                Some((_, i)) => i,
                None => match self.weakest(&left) {
                    Some(i) => i,
                    None => break,
                },
            };
            if !left.remove(&next) {
                continue;
            }
            order.push(next);
            for (after, strong) in self.needed_by.get(next).cloned().unwrap_or_default() {
                self.count(after, strong, -1);
                if self.state(after).0 == 0 && left.contains(&after) {
                    ready.insert(key(&self, after));
                }
            }
        }
        order
    }

    /// The element to break cycles at: it must lie in a cycle that waits for no other cycle.
    fn weakest(&self, left: &BTreeSet<usize>) -> Option<usize> {
        let sources = source_cycle(left, &self.needed_by);
        sources.into_iter().min_by_key(|&i| {
            let (all, strong) = self.state(i);
            (strong, all, i)
        })
    }
}

/// The members of a strongly connected component that needs nothing outside of itself, among
/// the elements `left`. Found by reversing reachability: start anywhere, go to what is needed
/// until everything reached also reaches back.
fn source_cycle(left: &BTreeSet<usize>, needed_by: &[Vec<(usize, bool)>]) -> BTreeSet<usize> {
    let mut needs: Vec<Vec<usize>> = vec![Vec::new(); needed_by.len()];
    for &before in left {
        for (after, _) in needed_by.get(before).into_iter().flatten() {
            if let (true, Some(list)) = (left.contains(after), needs.get_mut(*after)) {
                list.push(before);
            }
        }
    }
    let forward = |from: usize| reach(from, |i| needs.get(i).into_iter().flatten().copied());
    let mut best: BTreeSet<usize> = left.clone();
    let mut start = left.first().copied();
    while let Some(from) = start {
        let reached = forward(from);
        // Someone needed who does not need `from` back lies nearer to the source.
        start = reached
            .iter()
            .copied()
            .find(|&i| !forward(i).contains(&from));
        best = reached;
    }
    best
}

fn reach<I: Iterator<Item = usize>>(from: usize, next: impl Fn(usize) -> I) -> BTreeSet<usize> {
    let mut seen = BTreeSet::from([from]);
    let mut todo = vec![from];
    while let Some(i) = todo.pop() {
        for n in next(i) {
            if seen.insert(n) {
                todo.push(n);
            }
        }
    }
    seen
}
