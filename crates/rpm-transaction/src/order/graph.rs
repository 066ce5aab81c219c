//! Elements and the relations between them.

/// What an element needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Need {
    /// The element that must come before.
    pub of: usize,
    /// A scriptlet needs it.
    pub strong: bool,
}

/// One element. Both lists are in the order of recording.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Elements that must come after this one.
    pub followers: Vec<usize>,
    /// Elements that must come before this one.
    pub needs: Vec<Need>,
    /// ELF classes of what its files need and provide.
    pub color: u32,
}

/// The installs or the erasures of a transaction.
#[derive(Debug)]
pub(super) struct Graph {
    /// The elements, in the order they were given.
    pub nodes: Vec<Node>,
    /// All are installs; otherwise all are erasures.
    pub install: bool,
}

impl Graph {
    /// Elements of these colors, without relations.
    pub(super) fn new(colors: impl IntoIterator<Item = u32>, install: bool) -> Graph {
        let node = |color| Node {
            color,
            ..Node::default()
        };
        Graph {
            nodes: colors.into_iter().map(node).collect(),
            install,
        }
    }

    /// `by` needs `needed`; with `backwards` it is the other way round.
    ///
    /// The same relation once more counts again, unless it was the last one recorded: rpm looks
    /// at the newest entry of one list only, and which packages have most followers depends on it.
    pub(super) fn relate(&mut self, by: usize, needed: usize, strong: bool, backwards: bool) {
        if by == needed {
            return;
        }
        let backwards = backwards ^ !self.install;
        let (before, after) = if backwards {
            (by, needed)
        } else {
            (needed, by)
        };
        if self.is_newest(before, after, backwards) {
            let kept = if backwards { before } else { after };
            let newest = self.nodes.get_mut(kept).and_then(|n| n.needs.last_mut());
            if let Some(need) = newest {
                need.strong |= strong;
            }
            return;
        }
        if let Some(node) = self.nodes.get_mut(before) {
            node.followers.push(after);
        }
        if let Some(node) = self.nodes.get_mut(after) {
            node.needs.push(Need { of: before, strong });
        }
    }

    fn is_newest(&self, before: usize, after: usize, backwards: bool) -> bool {
        let newest = self.nodes.get(before).and_then(|node| match backwards {
            true => node.needs.last().map(|need| need.of),
            false => node.followers.last().copied(),
        });
        newest == Some(after)
    }

    /// The elements after `node`, the relation recorded last first.
    pub(super) fn followers(&self, node: usize) -> impl Iterator<Item = usize> + '_ {
        let node = self.nodes.get(node);
        node.into_iter()
            .flat_map(|node| node.followers.iter().rev().copied())
    }

    /// The elements before `node`, the relation recorded last first.
    pub(super) fn needs(&self, node: usize) -> impl Iterator<Item = Need> + '_ {
        let node = self.nodes.get(node);
        node.into_iter()
            .flat_map(|node| node.needs.iter().rev().copied())
    }
}
