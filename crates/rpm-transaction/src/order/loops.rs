//! Loops: strongly connected components (Tarjan's algorithm).

use super::graph::Graph;

/// The loops of a graph.
#[derive(Debug, Default)]
pub(super) struct Loops {
    /// The members of each loop, in the order they were found.
    pub members: Vec<Vec<usize>>,
    /// For each element: the loop it is in.
    pub of: Vec<Option<usize>>,
}

/// The state of the search at one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    New,
    /// On the stack: how many were found before, and the oldest one that it leads back to.
    Open {
        found: usize,
        oldest: usize,
    },
    Closed,
}

/// Finds all loops. No recursion: a chain of needs may be as long as the transaction.
pub(super) fn find(graph: &Graph) -> Loops {
    let count = graph.nodes.len();
    let mut search = Search {
        graph,
        marks: vec![Mark::New; count],
        stack: Vec::new(),
        found: 0,
        loops: Loops {
            members: Vec::new(),
            of: vec![None; count],
        },
    };
    for start in 0..count {
        if search.marks.get(start) == Some(&Mark::New) {
            search.from(start);
        }
    }
    search.loops
}

struct Search<'a> {
    graph: &'a Graph,
    marks: Vec<Mark>,
    stack: Vec<usize>,
    found: usize,
    loops: Loops,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        // Each element on the path with the followers that are still to be visited.
        let mut path = vec![(start, self.open(start))];
        while let Some((node, todo)) = path.last_mut() {
            let node = *node;
            match todo.pop() {
                Some(next) => match self.marks.get(next) {
                    Some(Mark::New) => {
                        let followers = self.open(next);
                        path.push((next, followers));
                    }
                    Some(&Mark::Open { found, .. }) => self.leads_to(node, found),
                    _ => {}
                },
                None => {
                    path.pop();
                    let oldest = self.close(node);
                    if let (Some(oldest), Some(&(parent, _))) = (oldest, path.last()) {
                        self.leads_to(parent, oldest);
                    }
                }
            }
        }
    }

    /// Enters an element; its followers, the first to be visited at the end.
    fn open(&mut self, node: usize) -> Vec<usize> {
        let found = self.found;
        self.found += 1;
        if let Some(mark) = self.marks.get_mut(node) {
            *mark = Mark::Open {
                found,
                oldest: found,
            };
        }
        self.stack.push(node);
        let mut followers: Vec<usize> = self.graph.followers(node).collect();
        followers.reverse();
        followers
    }

    fn leads_to(&mut self, node: usize, reached: usize) {
        if let Some(Mark::Open { oldest, .. }) = self.marks.get_mut(node) {
            *oldest = (*oldest).min(reached);
        }
    }

    /// Leaves an element. If it leads back to nothing older, what lies above it on the stack is
    /// a component with it; otherwise the oldest one that it leads to.
    fn close(&mut self, node: usize) -> Option<usize> {
        let &Mark::Open { found, oldest } = self.marks.get(node)? else {
            return None;
        };
        if oldest < found {
            return Some(oldest);
        }
        let at = self.stack.iter().rposition(|&other| other == node)?;
        let members = self.stack.split_off(at);
        let number = self.loops.members.len();
        for &member in &members {
            if let Some(mark) = self.marks.get_mut(member) {
                *mark = Mark::Closed;
            }
            if let (true, Some(of)) = (members.len() > 1, self.loops.of.get_mut(member)) {
                *of = Some(number);
            }
        }
        if members.len() > 1 {
            self.loops.members.push(members);
        }
        None
    }
}
