//! The order of a transaction: what is needed comes first, and where nothing decides, the order
//! that rpm 4.18 has (docs/reference/transactions.md, 5.6). Seen at `rpm -ivv --test`, which prints its order. Where the
//! root has another rpm, its order: 4.20 takes no notice of weak dependencies, 6 goes through the
//! members of a loop from the other end.
//!
//! 1. Every dependency that a package of the same transaction provides becomes a relation
//!    ([`relations`]). Relations between erasures point the other way.
//! 2. Packages that need each other form loops ([`loops`]).
//! 3. What waits for nothing is queued, what most others need first, of equals the last one.
//!    A package that becomes free is queued in front of what waits there with as few followers.
//!    A loop is done as one, broken where no scriptlet needs the other ([`walk`]).
//!
//! All installs come before all erasures.

mod graph;
mod loops;
mod relations;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use relations::Member;

use relations::Relations;

use super::Generation;
use super::root::{Canonical, RootDir};

/// The color that rpm prefers where nothing else is set (`%_prefer_color`): 64 bit.
const PREFERRED_COLOR: u32 = 2;

/// The positions of the members in the order to be done, as `generation` has it. `color` is the
/// transaction color; files that are needed are looked for below `root`, through links that the
/// members bring.
pub(crate) fn sequence(
    members: &[Member<'_>],
    (generation, color): (Generation, u32),
    root: &RootDir,
    canonical: &mut Canonical,
) -> Vec<usize> {
    let mut order = Vec::with_capacity(members.len());
    for install in [true, false] {
        let part: Vec<usize> = (0..members.len())
            .filter(|&i| members.get(i).is_some_and(|m| m.install == install))
            .collect();
        let chosen: Vec<&Member<'_>> = part.iter().filter_map(|&i| members.get(i)).collect();
        let graph = Relations::new(&chosen, install, (generation, color), root, canonical).graph();
        order.extend(
            walk::walk(graph, generation)
                .into_iter()
                .filter_map(|i| part.get(i).copied()),
        );
    }
    order
}
