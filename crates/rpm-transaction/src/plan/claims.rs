//! Which element of the transaction owns a path.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use super::super::element::Loaded;
use super::super::error::TransactionError;
use super::PackageFile;
use super::paths::Paths;

/// What an element of this transaction does with a path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim {
    /// Its position.
    pub element: u32,
    /// The number of the file.
    pub file: u32,
    /// What becomes of the path.
    pub deed: ClaimDeed,
}

/// What becomes of a claimed path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClaimDeed {
    /// An install owns it and puts the file in place.
    Write,
    /// An install owns it and leaves what is there.
    Leave,
    /// An erasure takes it away.
    Erase,
}

/// The claims by a hash of their paths: 17 bytes each where the paths themselves would take more than 100. The paths
/// are those of the elements' files.
pub(super) struct Claims<'a> {
    elements: &'a [Loaded],
    hash: RandomState,
    by_hash: HashMap<u32, Claim>,
}

impl<'a> Claims<'a> {
    /// None yet; there is room for those of all files.
    pub(super) fn new(elements: &'a [Loaded]) -> Claims<'a> {
        let files = elements.iter().map(|element| element.package.files.len());
        Claims {
            elements,
            hash: RandomState::new(),
            by_hash: HashMap::with_capacity(files.sum()),
        }
    }

    /// The last claim on the path of a file.
    pub(super) fn find(
        &self,
        file: PackageFile<'_>,
        paths: &mut Paths<'_>,
    ) -> Result<Option<Claim>, TransactionError> {
        let place = self.place(file.target, paths)?;
        Ok(self.by_hash.get(&place).copied())
    }

    /// An element claims the path of its file, whoever had it.
    pub(super) fn add(
        &mut self,
        file: PackageFile<'_>,
        (element, deed): (usize, ClaimDeed),
        paths: &mut Paths<'_>,
    ) -> Result<(), TransactionError> {
        let place = self.place(file.target, paths)?;
        let claim = Claim {
            element: element as u32,
            file: file.number as u32,
            deed,
        };
        self.by_hash.insert(place, claim);
        Ok(())
    }

    /// Where the claim on a path is or would be: paths of the same hash stand behind each other.
    fn place(&self, target: &[u8], paths: &mut Paths<'_>) -> Result<u32, TransactionError> {
        let mut place = self.hash.hash_one(target) as u32;
        while let Some(claim) = self.by_hash.get(&place) {
            let owner = self.elements.get(claim.element as usize);
            let path = owner.map(|owner| paths.target(&owner.package, claim.file as usize));
            if path.transpose()?.is_some_and(|path| path == target) {
                break;
            }
            place = place.wrapping_add(1);
        }
        Ok(place)
    }
}
