//! Which package holds a path: hashes of paths, sorted, beside package numbers.

use xxhash_rust::xxh3::xxh3_64;

/// The 64-bit hash that stands for a path in indexes. Equal hashes count as equal paths: with a
/// million paths a false match has a chance below one in ten million million.
#[must_use]
pub fn path_hash(path: &[u8]) -> u64 {
    xxh3_64(path)
}

/// An index in memory.
#[derive(Debug, Default, Clone)]
pub(crate) struct FileIndex {
    entries: Vec<(u64, u32)>,
    sorted: bool,
}

impl FileIndex {
    pub(crate) fn add(&mut self, path: &[u8], package: u32) {
        self.add_hash(path_hash(path), package);
    }

    pub(crate) fn add_hash(&mut self, hash: u64, package: u32) {
        self.entries.push((hash, package));
        self.sorted = false;
    }

    pub(crate) fn from_sorted(entries: Vec<(u64, u32)>) -> Self {
        Self {
            entries,
            sorted: true,
        }
    }

    pub(crate) fn sort(&mut self) {
        if !self.sorted {
            self.entries.sort_unstable();
            self.entries.dedup();
            self.sorted = true;
        }
    }

    pub(crate) fn entries(&self) -> &[(u64, u32)] {
        &self.entries
    }

    /// Packages that hold `path`, ascending. The index must be sorted.
    pub(crate) fn find(&self, path: &[u8]) -> impl Iterator<Item = u32> + '_ {
        let hash = path_hash(path);
        let from = self.entries.partition_point(|(have, _)| *have < hash);
        self.entries
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(move |(have, _)| *have == hash)
            .map(|(_, package)| *package)
    }
}
