//! Order properties.

use super::*;

fn rel(before: usize, after: usize, strong: bool) -> Relation {
    Relation {
        before,
        after,
        strong,
    }
}

#[test]
fn needs_come_first_and_installs_before_erasures() {
    let order = sequence(
        &[true, false, true, false],
        &[rel(2, 0, false), rel(3, 1, true), rel(1, 0, true)],
    );
    assert_eq!(order, [2, 0, 3, 1]);
}

#[test]
fn without_relations_the_given_order_stays() {
    assert_eq!(sequence(&[true, true, true], &[]), [0, 1, 2]);
}

#[test]
fn a_cycle_is_broken_at_a_weak_relation() {
    // 0 needs 1 for its scriptlet; 1 needs 0 only at run time: 1 goes first.
    assert_eq!(
        sequence(&[true, true], &[rel(1, 0, true), rel(0, 1, false)]),
        [1, 0]
    );
    assert_eq!(
        sequence(&[true, true], &[rel(0, 1, true), rel(1, 0, false)]),
        [0, 1]
    );
}

#[test]
fn what_a_cycle_needs_comes_before_it() {
    // 0 <-> 1, both need 2; 3 needs the cycle; 2 <-> 4 is a cycle of its own.
    let relations = [
        rel(0, 1, false),
        rel(1, 0, false),
        rel(2, 0, false),
        rel(2, 4, false),
        rel(4, 2, false),
        rel(1, 3, false),
    ];
    let order = sequence(&[true; 5], &relations);
    let at = |i| order.iter().position(|&x| x == i).unwrap();
    assert_eq!(order.len(), 5);
    assert!(at(2) < at(0) && at(1) < at(3) && at(4) < at(0));
}

#[test]
fn a_large_random_graph_without_cycles_is_honoured() {
    let count = 600;
    let mut seed = 1u64;
    let mut relations = Vec::new();
    for _ in 0..3000 {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let a = (seed >> 33) as usize % count;
        let b = (seed >> 13) as usize % count;
        if a != b {
            // Smaller numbers need larger ones.
            relations.push(rel(a.max(b), a.min(b), seed & 1 == 0));
        }
    }
    let order = sequence(&vec![true; count], &relations);
    let mut at = vec![0; count];
    for (position, &i) in order.iter().enumerate() {
        at[i] = position;
    }
    assert_eq!(order.len(), count);
    assert!(relations.iter().all(|r| at[r.before] < at[r.after]));
}
