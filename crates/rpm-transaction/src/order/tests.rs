//! The walk over made up relations. Real packages and the real rpm are in the integration tests.

use super::super::Generation;
use super::graph::Graph;
use super::walk::walk;

/// Installs (or erasures) of these colors; each relation is who needs whom, and whether a
/// scriptlet does.
fn order(colors: &[u32], install: bool, relations: &[(usize, usize, bool)]) -> Vec<usize> {
    let mut graph = Graph::new(colors.iter().copied(), install);
    for &(by, needed, strong) in relations {
        graph.relate(by, needed, strong, false);
    }
    walk(graph, Generation::Rpm4_18)
}

#[test]
fn what_is_needed_comes_first_and_goes_last() {
    let relations = [(0, 1, false), (1, 2, true)];
    assert_eq!(order(&[0; 3], true, &relations), [2, 1, 0]);
    assert_eq!(order(&[0; 3], false, &relations), [0, 1, 2]);
}

#[test]
fn of_equals_the_last_comes_first() {
    assert_eq!(order(&[0; 4], true, &[]), [3, 2, 1, 0]);
}

#[test]
fn what_most_need_comes_first() {
    let relations = [(0, 1, false), (3, 1, false), (4, 2, false)];
    assert_eq!(order(&[0; 5], true, &relations), [1, 2, 4, 0, 3]);
}

#[test]
fn other_colors_come_last_and_go_first() {
    assert_eq!(order(&[1, 0, 2], true, &[]), [2, 1, 0]);
    assert_eq!(order(&[2, 1, 2, 1], true, &[]), [2, 0, 3, 1]);
    assert_eq!(order(&[2, 1, 2, 1], false, &[]), [3, 1, 2, 0]);
}

#[test]
fn a_loop_is_broken_at_a_weak_relation() {
    // 0 needs 1 for its scriptlet; 1 needs 0 only at run time: 1 goes first.
    assert_eq!(order(&[0; 2], true, &[(0, 1, true), (1, 0, false)]), [1, 0]);
    assert_eq!(order(&[0; 2], true, &[(0, 1, false), (1, 0, true)]), [0, 1]);
}

#[test]
fn what_a_loop_needs_comes_before_it() {
    // 0 <-> 1 need 2, which is in a loop with 4; 3 needs the first loop.
    let relations = [
        (0, 1, false),
        (1, 0, false),
        (0, 2, false),
        (2, 4, false),
        (4, 2, false),
        (3, 1, false),
    ];
    let order = order(&[0; 5], true, &relations);
    let at = |i| order.iter().position(|&x| x == i).unwrap();
    assert_eq!(order.len(), 5);
    assert!(at(2) < at(0) && at(4) < at(0) && at(1) < at(3));
}

#[test]
fn a_large_random_graph() {
    let count = 600;
    let mut random = fastrand::Rng::with_seed(1);
    let mut below = |limit: usize| random.usize(..limit);
    let mut relations = Vec::new();
    for _ in 0..3000 {
        let (a, b) = (below(count), below(count));
        relations.push((a.min(b), a.max(b), a & 1 == 0));
    }
    let place = |order: &[usize]| {
        let mut at = vec![usize::MAX; count];
        for (position, &i) in order.iter().enumerate() {
            at[i] = position;
        }
        at
    };
    let at = place(&order(&vec![0; count], true, &relations));
    let kept = |&(by, needed, _): &(usize, usize, bool)| by == needed || at[needed] < at[by];
    assert!(relations.iter().all(kept));
    // With loops: everything is done, once.
    relations.extend((0..300).map(|_| (below(count), below(count), false)));
    let order = order(&vec![0; count], true, &relations);
    assert_eq!(order.len(), count);
    assert!(!place(&order).contains(&usize::MAX));
}

#[test]
fn a_chain_as_long_as_a_large_transaction() {
    let relations: Vec<_> = (1..100_000).map(|i| (i - 1, i, false)).collect();
    let order = order(&vec![0; 100_000], true, &relations);
    assert_eq!(order.first(), Some(&99_999));
}
