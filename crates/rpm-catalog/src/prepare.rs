//! Making the caches of several repositories at the same time.

use super::error::CatalogError;
use super::path_index::path_index;
use super::repo::primary_cache;
use repo_client::MetadataSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Repositories that are read at the same time, at most: each takes two threads and the memory of
/// one repository.
const MAX_WORKERS: usize = 2;

/// Makes what a later run needs: the cache of each repository's primary metadata, and the index of
/// its filelists where these are on disk.
///
/// # Errors
/// The first failure in the order of `sets`.
pub fn prepare(sets: &[&MetadataSet]) -> Result<(), CatalogError> {
    let made = side_by_side(sets, |set| {
        primary_cache(set)?;
        if set.part("filelists").is_some() {
            path_index(set)?;
        }
        Ok(())
    });
    made.into_iter().collect()
}

/// `work` on each of `items`, in their order; a few at a time.
pub(crate) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = items.len().min(MAX_WORKERS);
    if workers < 2 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        while let Some((at, item)) = take(items, &next) {
            let result = work(item);
            // A worker that panics ends the scope with its panic: nothing is lost.
            let mut done = done.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            done.push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            // Where no thread can be had the others do its work.
            let _ = std::thread::Builder::new().spawn_scoped(scope, worker);
        }
        worker();
    });
    let mut done = done
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}

#[cfg(test)]
mod tests {
    use super::side_by_side;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<u32> = (0..50).collect();
        let doubled = side_by_side(&items, |n| n * 2);
        assert_eq!(doubled, items.iter().map(|n| n * 2).collect::<Vec<_>>());
        assert!(side_by_side(&[] as &[u32], |n| *n).is_empty());
    }
}
