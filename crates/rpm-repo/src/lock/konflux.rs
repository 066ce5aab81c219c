//! `rpms.lock.yaml`, version 1, of konflux-ci/rpm-lockfile-prototype, as hermeto reads it.

use std::collections::BTreeSet;
use std::fmt::Write;

use rpm_pkg::nevra::Nevra;

use super::read::{
    add, arch_fault, check_arch, checksum, evr, evr_fault, name_fault, no_doubles, repo_fault, url,
};
use super::tree::{Fields, Read, Tree};
use super::{Lock, LockReason, LockedArch, LockedPackage, LockedRepo, MAX_PACKAGES, Signer, yaml};
use crate::error::quoted;

/// The only version there is.
const VERSION: u64 = 1;
/// The only vendor there is.
const VENDOR: &str = "redhat";

pub(super) fn read(mut fields: Fields, unknown: &mut BTreeSet<String>) -> Read<Lock> {
    let version = fields.number_if("lockfileVersion")?;
    let vendor = fields.text_if("lockfileVendor")?.unwrap_or_default();
    if version != Some(VERSION) || !vendor.eq_ignore_ascii_case(VENDOR) {
        return Err(format!(
            "lockfileVersion {VERSION} of lockfileVendor {VENDOR} is read here alone"
        ));
    }
    let (mut lock, mut left) = (Lock::default(), MAX_PACKAGES);
    for (place, tree) in fields.list("arches")? {
        let mut fields = Fields::of(&place, tree)?;
        let arch = fields.text("arch")?;
        check_arch(&arch).map_err(|why| fields.bad_value("arch", &why))?;
        let mut section = LockedArch::default();
        for (place, tree) in fields.list("packages")? {
            add(
                &mut section,
                &mut left,
                &place,
                package(&place, tree, unknown)?,
            )?;
        }
        // Nothing of these is installed.
        let _ = (fields.take("source"), fields.take("module_metadata"));
        fields.end(unknown);
        no_doubles(&section, &place)?;
        section.repositories = repositories(&section);
        if lock.architectures.insert(arch.clone(), section).is_some() {
            return Err(format!("{place}: {arch} stands twice"));
        }
    }
    fields.end(unknown);
    Ok(lock)
}

/// The ids that packages name.
fn repositories(section: &LockedArch) -> Vec<LockedRepo> {
    let ids: BTreeSet<&str> = section
        .packages
        .iter()
        .map(|package| package.repo.as_str())
        .collect();
    let ids = ids.into_iter().filter(|id| !id.is_empty());
    ids.map(|id| LockedRepo {
        id: id.to_owned(),
        ..LockedRepo::default()
    })
    .collect()
}

/// A package: its architecture, and name and version where they are not told, are those of the file that the URL names.
fn package(place: &str, tree: Tree, unknown: &mut BTreeSet<String>) -> Read<LockedPackage> {
    let mut fields = Fields::of(place, tree)?;
    let url = url(&mut fields)?;
    if !fields.has("checksum") {
        return Err(fields.bad("checksum is missing: without it no file can be told from another"));
    }
    let checksum = checksum(&mut fields)?;
    let file = url.split(['?', '#']).next().unwrap_or_default();
    let file = file.rsplit('/').next().unwrap_or_default();
    let parts = file_parts(file)
        .ok_or_else(|| fields.bad_value("url", "it does not end like a package"))?;
    let name = fields.text_if("name")?.unwrap_or(parts.name);
    if let Some(why) = name_fault(&name) {
        return Err(fields.bad_value("name", &format!("{}: {why}", quoted(&name))));
    }
    let (epoch, version, release) = match fields.text_if("evr")? {
        Some(text) => evr(&text)
            .ok_or_else(|| fields.bad_value("evr", "[EPOCH:]VERSION-RELEASE is expected"))?,
        None => (0, parts.evr.version, parts.evr.release),
    };
    let repo = fields.text_if("repoid")?.unwrap_or_default();
    if let Some(why) = repo_fault(&repo).filter(|_| !repo.is_empty()) {
        return Err(fields.bad_value("repoid", why));
    }
    let package = LockedPackage {
        name,
        epoch,
        version,
        release,
        arch: parts.arch,
        repo,
        location: String::new(),
        url,
        size: fields.number_if("size")?.unwrap_or_default(),
        checksum,
        signer: Signer::Untold,
        reason: LockReason::User,
        sourcerpm: fields.text_if("sourcerpm")?,
    };
    fields.end(unknown);
    Ok(package)
}

/// The parts of `name-version-release.arch.rpm`.
fn file_parts(file: &str) -> Option<Nevra> {
    let file = percent_encoding::percent_decode_str(file)
        .decode_utf8()
        .ok()?;
    let parts = Nevra::parse(file.strip_suffix(".rpm")?).ok()?;
    let Nevra { name, evr, arch } = &parts;
    let faults = [
        name_fault(name),
        evr_fault(&evr.version),
        evr_fault(&evr.release),
        arch_fault(arch),
    ];
    faults.iter().all(Option::is_none).then_some(parts)
}

pub(super) fn write(lock: &Lock) -> String {
    let mut out = format!("---\nlockfileVersion: {VERSION}\nlockfileVendor: {VENDOR}\narches:\n");
    for (arch, section) in &lock.architectures {
        // Writing into a string cannot fail.
        let _ = writeln!(
            out,
            "- arch: {}\n  packages:{}",
            yaml::text(arch),
            empty(section)
        );
        for package in &section.packages {
            let LockedPackage {
                url,
                repo,
                name,
                size,
                ..
            } = package;
            let texts = [("repoid", repo)];
            let _ = writeln!(out, "  - url: {}", yaml::text(url));
            for (key, value) in texts.into_iter().filter(|(_, value)| !value.is_empty()) {
                let _ = writeln!(out, "    {key}: {}", yaml::text(value));
            }
            let _ = writeln!(out, "    size: {size}\n    checksum: {}", package.checksum);
            let _ = writeln!(
                out,
                "    name: {}\n    evr: {}",
                yaml::text(name),
                yaml::text(&package.evr())
            );
            if let Some(source) = &package.sourcerpm {
                let _ = writeln!(out, "    sourcerpm: {}", yaml::text(source));
            }
        }
        out.push_str("  source: []\n  module_metadata: []\n");
    }
    out
}

fn empty(section: &LockedArch) -> &'static str {
    if section.packages.is_empty() {
        " []"
    } else {
        ""
    }
}
