//! The commit point: all changes of the rpm database, in one sqlite transaction.

use std::collections::HashMap;

use rpm_db::{FileState, InstallFacts, InstalledHeader, StoredSignature};
use rpm_pkg::header::Header;

use super::Generation;
use super::element::{Deed, Loaded, file_digests};
use super::error::TransactionError;
use super::event::Event;
use super::journal::Record;
use super::plan::{ElementPlan, FilePlan};
use super::running::Running;

/// Numbers and digests of a whole package file.
type Digests = Vec<(u32, String)>;

/// Writes all rows at once. Everything else that belongs to the new system is on the disk already.
pub(crate) fn write(running: &mut Running<'_>, plan: &FilePlan) -> Result<(), TransactionError> {
    let _span = tracing::info_span!("commit").entered();
    if running.options.no_db {
        return Ok(());
    }
    let digests = package_digests(running)?;
    let mut erased = Vec::new();
    let mut added = Vec::new();
    for element in running.progress.elements() {
        match element.deed {
            Deed::Erase { hnum, .. } => erased.push(hnum),
            Deed::Install { .. } => added.push(element.package.nevra.clone()),
        }
    }
    running.log.journal().add(&Record::Committing {
        erased: erased.clone(),
        added,
    })?;
    running.log.journal().sync()?;
    running.log.event(Event::Committing);
    let db = running.progress.installed().db;
    let mut tx = db.begin()?;
    let elements = running.progress.elements().iter().zip(&plan.elements);
    for ((element, files), digests) in elements.zip(&digests) {
        if let Deed::Install { signature, .. } = &element.deed {
            let header = stored_header(running, element, signature, (files, digests))?;
            tx.add(header.blob())?;
        }
    }
    for (&hnum, files) in &replaced_by_record(&plan.replaced) {
        if !erased.contains(&hnum) {
            let header = db.get(hnum)?;
            if let Some(header) = header {
                tx.rewrite(hnum, with_replaced(&header, files)?.blob())?;
            }
        }
    }
    for hnum in erased {
        tx.remove(hnum)?;
    }
    tx.commit()?;
    Ok(())
}

/// Digests of the whole files that are installed, by element: rpm 6 keeps them in its records.
fn package_digests(running: &Running<'_>) -> Result<Vec<Digests>, TransactionError> {
    let kept = running.options.generation >= Generation::Rpm6;
    let digests = |element: &Loaded| match &element.deed {
        Deed::Install { path, .. } if kept => file_digests(path),
        _ => Ok(Vec::new()),
    };
    running.progress.elements().iter().map(digests).collect()
}

fn stored_header(
    running: &Running<'_>,
    element: &Loaded,
    signature: &StoredSignature,
    (files, digests): (&ElementPlan, &Digests),
) -> Result<InstalledHeader, TransactionError> {
    let digests: Vec<(u32, &str)> = digests.iter().map(|(a, hex)| (*a, &hex[..])).collect();
    let states: Vec<FileState> = files
        .states
        .iter()
        .map(|&state| FileState::from_number(state).unwrap_or(FileState::Normal))
        .collect();
    let options = running.options;
    let facts = InstallFacts {
        time: u32::try_from(options.now).unwrap_or(u32::MAX),
        tid: running.tid,
        color: options.color,
        states: &states,
        package_digests: &digests,
    };
    Ok(InstalledHeader::from_package(
        signature,
        &element.package.header,
        &facts,
    )?)
}

/// Files that were replaced, by record.
fn replaced_by_record(replaced: &[(u32, u32)]) -> HashMap<u32, Vec<u32>> {
    let mut by_record: HashMap<u32, Vec<u32>> = HashMap::new();
    for &(hnum, file) in replaced {
        by_record.entry(hnum).or_default().push(file);
    }
    by_record
}

fn with_replaced(header: &Header, files: &[u32]) -> Result<InstalledHeader, TransactionError> {
    let mut states: Vec<FileState> = FileState::of(header).collect();
    for &file in files {
        if let Some(state) = states.get_mut(file as usize) {
            *state = FileState::Replaced;
        }
    }
    Ok(InstalledHeader::with_states(header, &states)?)
}
