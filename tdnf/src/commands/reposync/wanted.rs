//! Which packages of a repository are copied: read from primary metadata alone.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use repo_client::MetadataSet;
use rpm_pkg::evr::EvrRef;
use rpm_pkg::nevra::is_named;
use rpm_repo::config::RepoConfig;
use rpm_repo::primary::PrimaryPackage;
use rpm_repo::xml::XmlLimits;

use super::{Failures, SyncWish};
use crate::error::{Code, Failure, Outcome};
use crate::plan::{PackageId, PackageOrigin};
use crate::session::{LeftOut, LoadedRepo, Session, SnapshotList};

/// Architectures of source packages.
const SOURCE: [&str; 2] = ["src", "nosrc"];

/// A package that is to be copied.
pub(super) struct WantedPackage {
    pub(super) identity: PackageId,
    pub(super) origin: PackageOrigin,
}

impl WantedPackage {
    fn of(set: &MetadataSet, package: &PrimaryPackage) -> Self {
        let hex = Some(package.checksum()).filter(|hex| !hex.is_empty());
        let checksum = hex.map(|hex| (package.checksum_type().to_owned(), hex.to_owned()));
        Self {
            identity: identity(package),
            origin: PackageOrigin {
                repo: set.repo.clone(),
                location: package.location().to_owned(),
                base: package.location_base().map(str::to_owned),
                checksum,
                size: package.package_size(),
                url: String::new(),
                promised: None,
            },
        }
    }

    pub(super) fn name(&self) -> String {
        self.identity.nvra()
    }

    pub(super) fn location(&self) -> &str {
        &self.origin.location
    }

    /// Where its file is to be had, best first.
    pub(super) fn urls(&self, source: &LoadedRepo) -> Outcome<Vec<String>> {
        source.urls_of(&self.origin.location, self.origin.base.as_deref())
    }
}

fn identity(package: &PrimaryPackage) -> PackageId {
    PackageId {
        name: package.name().to_owned(),
        epoch: package.epoch(),
        version: package.version().to_owned(),
        release: package.release().to_owned(),
        arch: package.arch().to_owned(),
    }
}

/// Reads primary metadata: what is wanted, in its order, and what may not be followed.
pub(super) fn read(
    session: &Session<'_>,
    source: &LoadedRepo,
    wish: &SyncWish<'_>,
) -> Outcome<(Vec<WantedPackage>, Failures)> {
    let set = &source.set;
    let limits = XmlLimits::default();
    let (mut wanted, mut refused, mut by_section) = (Vec::new(), Vec::new(), 0);
    let mut left_out = LeftOut::of(&source.config);
    let stream = rpm_catalog::open_part(set, "primary")?;
    let name = format!("{} primary", set.repo);
    let summary = rpm_repo::primary::read(&name, stream, &limits, &mut |package| {
        if !fits(wish, package.arch()) || !is_listed(source, package) {
            return ControlFlow::Continue(());
        }
        if is_left_out(&source.config, package) {
            by_section += 1;
            return ControlFlow::Continue(());
        }
        let time = package.file_time();
        if left_out
            .as_mut()
            .is_some_and(|left_out| left_out.takes(time))
        {
            return ControlFlow::Continue(());
        }
        match package.location_fault() {
            None => wanted.push(WantedPackage::of(set, package)),
            Some(why) => refused.push(refusal(set, package, why)),
        }
        ControlFlow::Continue(())
    })?;
    if let Some(part) = set.part("primary") {
        part.left_out.put(summary.left_out);
        session.tell_doubts(std::slice::from_ref(source));
    }
    if let Some(left_out) = left_out {
        session.say_left_out(left_out);
    }
    if by_section > 0 {
        let id = &source.config.id;
        session.printer.err(&format!(
            "repository {id}: its section leaves {by_section} packages out (excludepkgs, includepkgs)"
        ));
    }
    if wish.given.newest_only {
        wanted = newest(wanted);
    }
    Ok((wanted, refused))
}

/// Whether the section of the repository leaves a package out.
fn is_left_out(config: &RepoConfig, package: &PrimaryPackage) -> bool {
    let parts = || {
        let evr = (package.epoch(), package.version(), package.release());
        (evr, package.arch())
    };
    config.leaves_out(|pattern| is_named(pattern, package.name(), parts))
}

fn fits(wish: &SyncWish<'_>, arch: &str) -> bool {
    if wish.source {
        return SOURCE.contains(&arch);
    }
    wish.arches.is_empty() || wish.arches.iter().any(|wanted| wanted == arch)
}

fn is_listed(source: &LoadedRepo, package: &PrimaryPackage) -> bool {
    let id = identity(package);
    let listed = |snapshot: &SnapshotList| snapshot.has(&id.name, &id.evr());
    source.snapshot.as_ref().is_none_or(listed)
}

fn refusal(set: &MetadataSet, package: &PrimaryPackage, why: &str) -> (String, Failure) {
    let location = package.refused_location().chars().take(200);
    let location: String = location.flat_map(char::escape_debug).collect();
    let repo = &set.repo;
    let line = format!("Error: repository {repo}: refused package location '{location}': {why}");
    let name = identity(package).nvra();
    (name, Failure::because(Code::URL_INVALID, line))
}

/// The newest version of each name and architecture, in the order of the metadata.
fn newest(all: Vec<WantedPackage>) -> Vec<WantedPackage> {
    let mut best: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (index, package) in all.iter().enumerate() {
        let id = &package.identity;
        let place = best
            .entry((id.name.clone(), id.arch.clone()))
            .or_insert(index);
        if let Some(old) = all.get(*place)
            && compare(id, &old.identity).is_gt()
        {
            *place = index;
        }
    }
    let chosen: BTreeSet<usize> = best.into_values().collect();
    let all = all.into_iter().enumerate();
    let chosen = all.filter(|(index, _)| chosen.contains(index));
    chosen.map(|(_, package)| package).collect()
}

fn compare(left: &PackageId, right: &PackageId) -> Ordering {
    let text = |id: &PackageId| format!("{}:{}", id.epoch, id.version_release());
    let (left, right) = (text(left), text(right));
    EvrRef::parse(left.as_bytes()).compare(&EvrRef::parse(right.as_bytes()))
}
