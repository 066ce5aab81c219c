//! Documents made of chosen records of existing ones: what merging and pruning write.

use std::ops::ControlFlow;
use std::sync::Arc;

use rpm_repo::repomd::RepomdRecord;

use crate::document::{FileStyle, MetadataDocument, NewFile, whole};
use crate::error::{Error, Result};
use crate::repository::Repository;

/// Gets a function that appends a record; returns whether the next one is wanted.
pub type EachChosen<'e> = dyn FnMut(&dyn Fn(&mut String)) -> Result<bool> + 'e;

/// Chosen packages of one repository: those that are copied, or taken over.
#[derive(Debug, Clone)]
pub struct SelectedPackages {
    /// The repository.
    pub repository: Arc<Repository>,
    /// Places in its documents, ascending, and the checksum of the package there.
    pub kept: Vec<(u64, String)>,
    /// `xml:base` for packages that have none.
    pub base: Option<String>,
}

/// Writes all three documents, each in a thread of its own; memory holds one record of each.
///
/// # Errors
/// A source that cannot be read, or whose documents disagree.
pub fn write(sources: &[SelectedPackages], style: &FileStyle) -> Result<Vec<RepomdRecord>> {
    std::thread::scope(|scope| {
        let threads = MetadataDocument::ALL
            .map(|document| scope.spawn(move || one(document, sources, style)));
        let joined = threads.map(|thread| thread.join().map_err(|_| Error::Thread)?);
        joined.into_iter().collect()
    })
}

fn one(
    document: MetadataDocument,
    sources: &[SelectedPackages],
    style: &FileStyle,
) -> Result<RepomdRecord> {
    let count = sources.iter().map(|source| source.kept.len() as u64).sum();
    let mut file = NewFile::of_packages(document, count, style)?;
    let mut text = String::new();
    for source in sources {
        source.records(document, &mut |write| {
            text.clear();
            write(&mut text);
            file.write(text.as_bytes())?;
            Ok(true)
        })?;
    }
    file.write(document.end().as_bytes())?;
    file.finish()
}

impl SelectedPackages {
    /// Calls `each` with what appends the record, for every chosen package of a document in turn, until
    /// it returns false; that is returned.
    ///
    /// # Errors
    /// What `each` returns; the document cannot be read, or is not of the same packages as primary.
    pub fn records(&self, document: MetadataDocument, each: &mut EachChosen<'_>) -> Result<bool> {
        let (name, stream) = self.repository.open_kind(document.kind())?;
        let damaged = |what| Error::Damaged {
            path: self.repository.dir.clone(),
            what,
        };
        let mut kept = self.kept.iter().peekable();
        let mut place = 0_u64;
        let mut goes_on = Ok(true);
        let base = self.base.as_deref();
        let summary = document.each(&name, stream, base, &mut |checksum, write| {
            let here = place;
            place += 1;
            let Some((_, expected)) = kept.next_if(|(kept, _)| *kept == here) else {
                return ControlFlow::Continue(());
            };
            goes_on = if expected == checksum {
                each(write)
            } else {
                let what = format!("package {here} of {name} is not that of primary");
                Err(damaged(what))
            };
            match goes_on {
                Ok(true) => ControlFlow::Continue(()),
                _ => ControlFlow::Break(()),
            }
        })?;
        whole(&name, summary)?;
        if kept.peek().is_some() && matches!(goes_on, Ok(true)) {
            return Err(damaged(format!("{name} has fewer packages than primary")));
        }
        goes_on
    }
}
