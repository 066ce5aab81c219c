//! `reposync --download-metadata`: repomd.xml and every file it lists, as published.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use repo_client::{FileRequest, fetch, join_below};
use rpm_pkg::package::begins_as_package;
use rpm_repo::repomd::RepomdRecord;
use whole_file::{Access, Durability, WholeFile};

use crate::error::{At, Outcome};
use crate::progress::NetworkView;
use crate::session::{LoadedRepo, Session};

/// The index, and its signature where there is one.
const INDEX: [&str; 2] = ["repomd.xml.asc", "repomd.xml"];

/// Copies the metadata to `folder`. The index comes last: until then a reader of the folder finds
/// the previous one, with all its files.
pub(super) fn copy(session: &Session<'_>, source: &LoadedRepo, folder: &Path) -> Outcome<()> {
    let mut requests = Vec::new();
    for record in &source.set.repomd.records {
        requests.push(request(source, record, folder)?);
    }
    let view = NetworkView::new(session.printer);
    for result in
        session.transfer(|| fetch(session.client(), requests, &session.limits(), &view))?
    {
        let part = result?;
        let file = File::open(&part.path).at(&part.path)?;
        if begins_as_package(file).at(&part.path)? {
            // It was judged by no signature.
            fs::remove_file(&part.path).at(&part.path)?;
            let line = format!("warning: {}: left out: it is a package", part.label);
            session.printer.err(&line);
        }
    }
    for name in INDEX {
        let from = source.set.dir.join(name);
        let to = join_below(folder, &format!("repodata/{name}"))?;
        if from.is_file() {
            repo_client::create_parents(folder, &to)?;
            replace(&from, &to)?;
        } else {
            // The signature of an older index would no longer fit.
            let _ = fs::remove_file(&to);
        }
    }
    Ok(())
}

fn request(source: &LoadedRepo, record: &RepomdRecord, folder: &Path) -> Outcome<FileRequest> {
    let dest = join_below(folder, record.href.as_str())?;
    repo_client::create_parents(folder, &dest)?;
    if let Some(part) = source.set.part(&record.kind).filter(|_| !dest.exists()) {
        // What the cache has need not be fetched; it is checked like everything that is there.
        replace(&part.path, &dest)?;
    }
    let label = format!("{}: {}", source.config.id, record.kind);
    let urls = source.set.urls_of(&record.href, record.base.as_deref())?;
    Ok(FileRequest {
        access: source.set.access.clone(),
        size: record.size,
        digest: record.checksum,
        max_size: repo_client::part_limit(record.size),
        ..FileRequest::new(label, urls, dest)
    })
}

/// Replaces `to` with a copy of `from` as one: no reader sees half of it.
fn replace(from: &Path, to: &Path) -> Outcome<()> {
    let mut old = File::open(from).at(from)?;
    WholeFile::new(to, Access::Umask)
        .and_then(|new| {
            io::copy(&mut old, &mut new.file())?;
            new.place(Durability::Cache)
        })
        .at(to)
}
