//! From relations to an order.

use std::collections::{HashMap, VecDeque};

use super::super::Generation;
use super::PREFERRED_COLOR;
use super::graph::Graph;
use super::loops::{self, Loops};

/// The distance of a member that no scriptlet of its loop leads to.
const UNREACHED: usize = usize::MAX;

/// All elements of a graph in the order to be done.
pub(super) fn walk(graph: Graph, generation: Generation) -> Vec<usize> {
    let mut loops = loops::find(&graph);
    if generation >= Generation::Rpm6 {
        loops
            .members
            .iter_mut()
            .for_each(|members| members.reverse());
    }
    let outside = |members: &Vec<usize>| {
        let first = members.first().and_then(|&m| loops.of.get(m));
        let needs = members.iter().flat_map(|&member| graph.needs(member));
        needs.filter(|need| loops.of.get(need.of) != first).count()
    };
    let mut walk = Walk {
        waits: graph.nodes.iter().map(|node| node.needs.len()).collect(),
        loop_waits: loops.members.iter().map(outside).collect(),
        done: vec![false; graph.nodes.len()],
        order: Vec::with_capacity(graph.nodes.len()),
        graph,
        loops,
    };
    walk.all();
    walk.order
}

struct Walk {
    graph: Graph,
    loops: Loops,
    /// How many relations each element waits for.
    waits: Vec<usize>,
    /// How many relations from outside each loop waits for.
    loop_waits: Vec<usize>,
    done: Vec<bool>,
    order: Vec<usize>,
}

impl Walk {
    fn all(&mut self) {
        let mut queue = VecDeque::new();
        for node in 0..self.waits.len() {
            if self.waits.get(node) == Some(&0) {
                self.enqueue(&mut queue, node);
            }
        }
        for number in 0..self.loop_waits.len() {
            if let (Some(0), Some(&first)) = (
                self.loop_waits.get(number),
                self.loops.members.get(number).and_then(|m| m.first()),
            ) {
                self.enqueue(&mut queue, first);
            }
        }
        while let Some(node) = queue.pop_front() {
            match self.loop_of(node) {
                Some(number) => self.collect_loop(number, &mut queue),
                None => self.collect(node, &mut queue, None),
            }
        }
    }

    fn loop_of(&self, node: usize) -> Option<usize> {
        self.loops.of.get(node).copied().flatten()
    }

    fn color(&self, node: usize) -> u32 {
        self.graph.nodes.get(node).map_or(0, |node| node.color)
    }

    fn follower_count(&self, node: usize) -> usize {
        let node = self.graph.nodes.get(node);
        node.map_or(0, |node| node.followers.len())
    }

    /// Queues an element before the first one that has no more followers than it. Another color
    /// than the preferred one goes behind the others on installs, before them on erasures.
    fn enqueue(&self, queue: &mut VecDeque<usize>, node: usize) {
        let color = self.color(node);
        let passes = match self.graph.install {
            true => color != 0 && color != PREFERRED_COLOR,
            false => color == PREFERRED_COLOR,
        };
        let place = queue.iter().position(|&other| {
            !(passes && self.color(other) != color)
                && self.follower_count(other) <= self.follower_count(node)
        });
        queue.insert(place.unwrap_or(queue.len()), node);
    }

    /// Emits an element and queues what it frees: in `queue`, or in `outer` what lies outside of
    /// the loop that is being done.
    fn collect(
        &mut self,
        node: usize,
        queue: &mut VecDeque<usize>,
        mut outer: Option<&mut VecDeque<usize>>,
    ) {
        self.order.push(node);
        let followers: Vec<usize> = self.graph.followers(node).collect();
        for next in followers {
            if self.done.get(next) != Some(&false) || next == node {
                continue;
            }
            let inside = self.loop_of(next) == self.loop_of(node);
            let mut free = count_down(&mut self.waits, next);
            if let (false, Some(number)) = (inside, self.loop_of(next)) {
                free |= count_down(&mut self.loop_waits, number);
            }
            match (&mut outer, inside) {
                _ if !free => {}
                (Some(outer), false) => self.enqueue(outer, next),
                _ => self.enqueue(queue, next),
            }
        }
        if let Some(done) = self.done.get_mut(node) {
            *done = true;
        }
    }

    /// Emits a loop: first the member that scriptlets of the others are farthest from needing,
    /// then what that frees, and so on.
    fn collect_loop(&mut self, number: usize, outer: &mut VecDeque<usize>) {
        let members = self.loops.members.get(number).cloned().unwrap_or_default();
        let distances = self.distances(number, &members);
        loop {
            let left = members
                .iter()
                .zip(&distances)
                .filter(|&(&member, _)| self.done.get(member) == Some(&false));
            // The last one of the farthest.
            let Some((&best, _)) = left.max_by_key(|&(_, distance)| distance) else {
                return;
            };
            let mut queue = VecDeque::from([best]);
            while let Some(node) = queue.pop_front() {
                self.collect(node, &mut queue, Some(outer));
            }
        }
    }

    /// For each member of a loop the number of relations from a member whose scriptlets need
    /// another member. Those are at distance zero: whatever they need goes first.
    fn distances(&self, number: usize, members: &[usize]) -> Vec<usize> {
        let places: HashMap<usize, usize> = members.iter().copied().zip(0..).collect();
        let mut distances = vec![UNREACHED; members.len()];
        let mut queue = VecDeque::new();
        for (distance, &member) in distances.iter_mut().zip(members) {
            let inside = |to: usize| self.loop_of(to) == Some(number);
            if self.graph.needs(member).any(|n| n.strong && inside(n.of)) {
                *distance = 0;
                queue.push_back((member, 0));
            }
        }
        while let Some((member, distance)) = queue.pop_front() {
            for need in self.graph.needs(member) {
                let known = places.get(&need.of).and_then(|&at| distances.get_mut(at));
                if let Some(known) = known.filter(|known| **known > distance + 1) {
                    *known = distance + 1;
                    queue.push_back((need.of, distance + 1));
                }
            }
        }
        distances
    }
}

/// Counts a relation as done; true when it was the last one.
fn count_down(counts: &mut [usize], at: usize) -> bool {
    let Some(count) = counts.get_mut(at).filter(|count| **count > 0) else {
        return false;
    };
    *count -= 1;
    *count == 0
}
