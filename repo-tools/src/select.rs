//! Documents made of chosen records of existing ones: what merging and pruning write.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use rpm_repo::repomd::RepomdRecord;

use crate::document::{FileStyle, MetadataDocument, NewFile};
use crate::error::{Error, Result};
use crate::repository::Repository;

/// Chosen packages of one repository.
#[derive(Debug)]
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
    let mut file = NewFile::create(document.kind(), &format!("{}.xml", document.kind()), style)?;
    let mut text = String::new();
    document.begin(count, &mut text);
    file.write(text.as_bytes())?;
    for source in sources {
        let (name, stream) = source.repository.open_kind(document.kind())?;
        copy(document, source, &name, stream, &mut file)?;
    }
    file.write(document.end().as_bytes())?;
    file.finish()
}

fn copy(
    document: MetadataDocument,
    source: &SelectedPackages,
    name: &str,
    stream: impl Read,
    file: &mut NewFile,
) -> Result<()> {
    let mut kept = source.kept.iter().peekable();
    let mut place = 0_u64;
    let mut text = String::new();
    let mut failed = None;
    document.each(
        name,
        stream,
        source.base.as_deref(),
        &mut |checksum, write| {
            let here = place;
            place += 1;
            let Some((_, expected)) = kept.next_if(|(kept, _)| *kept == here) else {
                return ControlFlow::Continue(());
            };
            if expected != checksum {
                let what = format!("package {here} of {name} is not that of primary");
                let path = source.repository.dir.clone();
                failed = Some(Error::Damaged { path, what });
                return ControlFlow::Break(());
            }
            text.clear();
            write(&mut text);
            match file.write(text.as_bytes()) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        },
    )?;
    match failed {
        Some(error) => Err(error),
        None if kept.peek().is_some() => Err(Error::Damaged {
            path: source.repository.dir.clone(),
            what: format!("{name} has fewer packages than primary"),
        }),
        None => Ok(()),
    }
}
