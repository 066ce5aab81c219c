//! Rows of packages for the commands that only read.

use std::ops::ControlFlow;

use rpm_pkg::evr::Evr;
use rpm_pkg::header::{Header, tag};
use rpm_solv::{SelectFlags, Selection, SolvableId};

use crate::error::{Failure, Outcome};
use crate::goal::{self, Sought};
use crate::plan::PackageId;
use crate::session::{Packages, Session};
use crate::view::{self, packages::PackageRow};

/// How much of a package a view needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowDetail {
    /// Name, version, architecture, repository.
    Line,
    /// Everything.
    All,
}

/// Selects what a word names, and says how it was understood where that is not plain.
pub(super) fn select(
    session: &Session<'_>,
    packages: &mut Packages,
    word: &str,
    flags: SelectFlags,
) -> Outcome<Selection> {
    let (selection, notes) = goal::select(packages, word, flags)?;
    view::notes::show(session.printer, &notes);
    Ok(selection)
}

/// Selects what each word names, and the failure to tell about those that name nothing: all of them
/// at once, each with what is like it.
pub(super) fn select_all(
    session: &Session<'_>,
    packages: &mut Packages,
    words: &[String],
    flags: SelectFlags,
) -> Outcome<(Vec<SolvableId>, Option<Failure>)> {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    for word in words {
        let selection = select(session, packages, word, flags)?;
        if selection.is_empty() && !unknown.contains(word) {
            unknown.push(word.clone());
        }
        found.extend_from_slice(selection.solvables());
    }
    let sought = Sought {
        typed: &session.args.repeated(),
        metadata: session,
        flags,
    };
    Ok((found, goal::all_missing(packages, sought, &unknown)))
}

/// Tells about words that name nothing where others name something.
pub(super) fn tell_unknown(session: &Session<'_>, unknown: Option<&Failure>) {
    if let Some(failure) = unknown {
        for line in &failure.details {
            session.printer.note(line);
        }
        session.printer.show_details(failure);
        session.printer.show_hints(failure);
    }
}

/// The row of a package of the catalog.
pub(super) fn row(
    packages: &Packages,
    solvable: SolvableId,
    detail: RowDetail,
) -> Outcome<PackageRow> {
    let id = packages.package_id(solvable);
    let repo = packages.repo_of(solvable);
    if detail == RowDetail::Line {
        return Ok(PackageRow {
            id,
            repo,
            ..PackageRow::default()
        });
    }
    let facts = packages.pool.facts(solvable)?;
    Ok(PackageRow {
        id,
        repo,
        install_size: facts.plan.installed_size,
        download_size: facts.plan.package_size,
        summary: facts.summary,
        url: Some(facts.url).filter(|url| !url.is_empty()),
        license: facts.license,
        description: facts.description,
    })
}

/// Rows of several packages.
pub(super) fn rows(
    packages: &Packages,
    ids: impl IntoIterator<Item = SolvableId>,
    detail: RowDetail,
) -> Outcome<Vec<PackageRow>> {
    ids.into_iter()
        .map(|id| row(packages, id, detail))
        .collect()
}

/// All installed packages straight from the rpm database, by name and version: neither repositories nor
/// solver are opened. Keys are no packages.
pub(super) fn installed(session: &Session<'_>, detail: RowDetail) -> Outcome<Vec<PackageRow>> {
    let mut rows = Vec::new();
    if let Some(db) = session.db()? {
        let damaged = db.for_each(&mut |_, header| {
            if header.string(tag::NAME) != Some(b"gpg-pubkey") {
                rows.push(header_row(&header, detail));
            }
            ControlFlow::Continue(())
        })?;
        session.tell_damaged(&db, &damaged);
    }
    rows.sort_by(|a, b| {
        let (left, right) = (&a.id, &b.id);
        let evr = |id: &PackageId| Evr::parse(&id.evr());
        let names = left.name.cmp(&right.name);
        names.then_with(|| evr(left).cmp(&evr(right)))
    });
    Ok(rows)
}

fn header_row(header: &Header, detail: RowDetail) -> PackageRow {
    let text = |tag| String::from_utf8_lossy(header.string(tag).unwrap_or_default()).into_owned();
    let id = PackageId {
        name: text(tag::NAME),
        epoch: header.u32(tag::EPOCH).unwrap_or(0),
        version: text(tag::VERSION),
        release: text(tag::RELEASE),
        arch: text(tag::ARCH),
    };
    let row = PackageRow {
        id,
        repo: "@System".to_owned(),
        ..PackageRow::default()
    };
    if detail == RowDetail::Line {
        return row;
    }
    PackageRow {
        install_size: header
            .uint(tag::LONGSIZE)
            .or_else(|| header.uint(tag::SIZE))
            .unwrap_or(0),
        summary: text(tag::SUMMARY),
        url: Some(text(tag::URL)).filter(|url| !url.is_empty()),
        license: text(tag::LICENSE),
        description: text(tag::DESCRIPTION),
        ..row
    }
}
