//! Which package is in which layer.

use std::collections::BTreeMap;

use rpm_pkg::digest::{DigestAlgo, Hasher};

use super::row::PackageRow;

/// The layer of each package, and how many there are. Those of one source go together; where a source goes is decided
/// by its name, and by sizes as powers of two: another version, or another package more, leaves most layers as they are.
/// The last of several is that of the rpm database, which is never the same.
pub fn spread(packages: &[PackageRow], count: usize) -> (Vec<usize>, usize) {
    let keys: Vec<(String, &str)> = packages
        .iter()
        .map(|row| {
            let name = row.source_name();
            (
                Hasher::digest(DigestAlgo::Sha256, name.as_bytes()).hex(),
                name,
            )
        })
        .collect();
    let mut sources: BTreeMap<&(String, &str), u64> = BTreeMap::new();
    for (row, key) in packages.iter().zip(&keys) {
        let size = sources.entry(key).or_default();
        *size = size.saturating_add(row.size);
    }
    let weight = |size: u64| u128::from(size.clamp(1, 1 << 60).next_power_of_two());
    let all: u128 = sources.values().map(|size| weight(*size)).sum();
    let shares = count.saturating_sub(1).max(1) as u128;
    let mut before = 0;
    let mut layers: BTreeMap<&(String, &str), usize> = BTreeMap::new();
    let mut last = None;
    for (key, size) in sources {
        let share = before * shares / all.max(1);
        before += weight(size);
        // One share that takes several leaves none empty.
        let layer = match last {
            Some((known, layer)) if known == share => layer,
            Some((_, layer)) => layer + 1,
            None => 0,
        };
        last = Some((share, layer));
        layers.insert(key, layer);
    }
    let used = last.map_or(0, |(_, layer)| layer + 1);
    let layer = |key: &(String, &str)| layers.get(key).copied().unwrap_or(0);
    let own = usize::from(count > 1 || used == 0);
    (keys.iter().map(layer).collect(), used + own)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(sizes: &[u64]) -> Vec<PackageRow> {
        let row = |(number, size): (usize, &u64)| PackageRow {
            name: format!("package-{number}"),
            source: format!("source-{}-1-1.src.rpm", number / 2),
            size: *size,
            ..PackageRow::default()
        };
        sizes.iter().enumerate().map(row).collect()
    }

    #[test]
    fn sources_stay_together_and_where_they_are() {
        let sizes: Vec<u64> = (0..40).map(|number| 1000 + 37 * number).collect();
        let (layers, count) = spread(&rows(&sizes), 5);
        assert_eq!(count, 5);
        assert!(
            layers
                .chunks(2)
                .all(|pair| pair[0] == pair[1] && pair[0] < 4)
        );
        // A little larger: the same layers.
        let larger: Vec<u64> = sizes.iter().map(|size| size + 1).collect();
        assert_eq!(spread(&rows(&larger), 5), (layers, 5));
        assert_eq!(spread(&rows(&sizes), 1).1, 1);
        assert_eq!(spread(&[], 3), (Vec::new(), 1));
        // No more than there are sources, and that of the database.
        assert_eq!(spread(&rows(&[1, 1]), 9).1, 2);
    }
}
