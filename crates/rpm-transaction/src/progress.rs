//! How far a transaction is: what is installed at this moment. The database does not say it before
//! the commit point.

use std::collections::{HashMap, HashSet};

use super::element::{Deed, Loaded, PackageFacts};
use super::error::TransactionError;
use super::installed::Installed;

/// The elements, those that are done, and what was installed before them.
pub(crate) struct Progress<'d> {
    installed: Installed<'d>,
    elements: Vec<Loaded>,
    /// So many elements are done: they are in the system, or gone from it.
    finished: usize,
    /// How many packages of a name were added less those removed so far.
    counts: HashMap<String, i64>,
    /// Records that are erased, with the positions of their elements.
    erased: HashMap<u32, usize>,
    /// Positions of installs that take the place of an erasure.
    partners: HashSet<usize>,
}

impl<'d> Progress<'d> {
    /// Nothing is done yet. The elements stand in the order of the transaction.
    pub(crate) fn new(installed: Installed<'d>, elements: Vec<Loaded>) -> Progress<'d> {
        let (mut erased, mut partners) = (HashMap::new(), HashSet::new());
        for (index, element) in elements.iter().enumerate() {
            if let Deed::Erase { hnum, linked_to } = element.deed {
                erased.entry(hnum).or_insert(index);
                partners.extend(linked_to);
            }
        }
        Progress {
            installed,
            elements,
            finished: 0,
            counts: HashMap::new(),
            erased,
            partners,
        }
    }

    /// What the database says.
    pub(crate) fn installed(&self) -> &Installed<'d> {
        &self.installed
    }

    /// All elements, in the order of the transaction.
    pub(crate) fn elements(&self) -> &[Loaded] {
        &self.elements
    }

    /// What is to be installed, with the positions.
    pub(crate) fn installs(&self) -> impl Iterator<Item = (usize, &PackageFacts)> {
        let elements = self.elements.iter().enumerate();
        let installs = elements.filter(|(_, element)| element.is_install());
        installs.map(|(index, element)| (index, &element.package))
    }

    /// How many elements are done.
    pub(crate) fn finished(&self) -> usize {
        self.finished
    }

    /// How many packages of this name are installed at this moment.
    pub(crate) fn count(&self, name: &str) -> Result<i64, TransactionError> {
        Ok(self.installed.count(name)? + self.counts.get(name).copied().unwrap_or(0))
    }

    /// The package of an element counts as added, or, with -1, as removed.
    pub(crate) fn add_count(&mut self, index: usize, by: i64) {
        if let Some(element) = self.elements.get(index) {
            *self.counts.entry(element.package.name.clone()).or_insert(0) += by;
        }
    }

    /// The element is done, as are those before it.
    pub(crate) fn finish(&mut self, index: usize) {
        self.finished = index + 1;
    }

    /// The database knows everything now.
    pub(crate) fn commit(&mut self) {
        self.counts.clear();
        self.installed.changed();
    }

    /// Is the record still installed at this moment?
    pub(crate) fn is_present(&self, hnum: u32) -> bool {
        let element = self.erased.get(&hnum);
        element.is_none_or(|&index| index >= self.finished)
    }

    /// Does the transaction leave the record alone?
    pub(crate) fn is_bystander(&self, hnum: u32) -> bool {
        !self.erased.contains_key(&hnum)
    }

    /// Does an install of this transaction take the place of this erasure?
    pub(crate) fn is_replaced(&self, index: usize) -> bool {
        let deed = self.elements.get(index).map(|e| &e.deed);
        let linked =
            |deed: &Deed| matches!(deed, Deed::Erase { linked_to, .. } if linked_to.is_some());
        deed.is_some_and(linked)
    }

    /// Does this install take the place of an erasure?
    pub(crate) fn has_partner(&self, index: usize) -> bool {
        self.partners.contains(&index)
    }
}
