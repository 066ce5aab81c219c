//! `packages.manifest.yaml`, version 0.2, of libpkgmanifest: what `dnf manifest` writes and reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::read::{
    SCHEMES, add, check_arch, checksum, evr, location, name, name_fault, no_doubles, repo_fault,
};
use super::tree::{Fields, Read, Tree};
use super::{Lock, LockReason, LockedArch, LockedPackage, LockedRepo, MAX_PACKAGES, Signer, yaml};
use crate::error::quoted;

/// What the key `document` says.
const DOCUMENT: &str = "rpm-package-manifest";
/// The version that is written.
const VERSION: &str = "0.2.2";
/// The versions that are read: the major and minor number.
const READ: &str = "0.2";
/// Architecture of packages that run everywhere.
const NOARCH: &str = "noarch";

pub(super) fn read(mut fields: Fields, unknown: &mut BTreeSet<String>) -> Read<Lock> {
    let document = fields.text("document")?;
    if document != DOCUMENT {
        return Err(format!(
            "document: {}: {DOCUMENT} is expected",
            quoted(&document)
        ));
    }
    let version = fields.text("version")?;
    if version != READ && !version.starts_with(&format!("{READ}.")) {
        return Err(format!(
            "version {} of a manifest is not known here, {READ} is",
            quoted(&version)
        ));
    }
    let data = fields.take("data").ok_or("data is missing")?;
    let mut data = Fields::of("data", data)?;
    fields.end(unknown);
    let mut repositories = Vec::new();
    for (place, tree) in data.list("repositories")? {
        let mut fields = Fields::of(&place, tree)?;
        let id = name(&mut fields, "id", repo_fault)?;
        let baseurl = fields.text_if("baseurl")?;
        let _ = (fields.take("metalink"), fields.take("mirrorlist"));
        fields.end(unknown);
        repositories.push(LockedRepo {
            id,
            baseurl: baseurl.unwrap_or_default(),
            ..LockedRepo::default()
        });
    }
    let packages = match data.take("packages") {
        Some(tree) => Fields::of("data.packages", tree)?,
        None => Fields::of("data.packages", Tree::Map(Vec::new()))?,
    };
    data.end(unknown);
    let (mut sections, mut left) = (BTreeMap::<String, LockedArch>::new(), MAX_PACKAGES);
    let mut everywhere = Vec::new();
    for (place, arch, tree) in packages.rest() {
        check_arch(&arch).map_err(|why| format!("{place}: {why}"))?;
        let Tree::List(list) = tree else {
            return Err(format!("{place}: a list is expected"));
        };
        for (index, tree) in list.into_iter().enumerate() {
            let place = format!("{place}[{index}]");
            let (package, parents) = package(&place, &arch, tree, &repositories, unknown)?;
            match arch.as_str() {
                "src" => {}
                NOARCH => everywhere.push((place, parents, package)),
                _ => {
                    let section = sections.entry(base_arch(&arch).to_owned()).or_default();
                    add(section, &mut left, &place, package)?;
                }
            }
        }
    }
    for (place, parents, package) in everywhere {
        // Where it is not told which architectures it is for, it is for all that there are.
        let parents = match parents.is_empty() {
            true => sections.keys().cloned().collect(),
            false => parents,
        };
        let parents = if parents.is_empty() {
            vec![NOARCH.to_owned()]
        } else {
            parents
        };
        for parent in parents {
            check_arch(&parent).map_err(|why| format!("{place}: parent_archs: {why}"))?;
            add(
                sections.entry(parent).or_default(),
                &mut left,
                &place,
                package.clone(),
            )?;
        }
    }
    for (arch, section) in &mut sections {
        no_doubles(section, arch)?;
        let named = |repo: &&LockedRepo| {
            section
                .packages
                .iter()
                .any(|package| package.repo == repo.id)
        };
        section.repositories = repositories.iter().filter(named).cloned().collect();
    }
    Ok(Lock {
        architectures: sections,
        ..Lock::default()
    })
}

/// The machine that packages of an architecture are for.
fn base_arch(arch: &str) -> &str {
    match arch {
        "i386" | "i486" | "i586" => "i686",
        "x86_64_v2" | "x86_64_v3" | "x86_64_v4" => "x86_64",
        other => other,
    }
}

fn package(
    place: &str,
    arch: &str,
    tree: Tree,
    repositories: &[LockedRepo],
    unknown: &mut BTreeSet<String>,
) -> Read<(LockedPackage, Vec<String>)> {
    let mut fields = Fields::of(place, tree)?;
    let evr = evr(&fields.text("evr")?)
        .ok_or_else(|| fields.bad_value("evr", "[EPOCH:]VERSION-RELEASE is expected"))?;
    let (epoch, version, release) = evr;
    let location = match fields.text_if("location")? {
        Some(text) => location(&text).map_err(|why| fields.bad_value("location", &why))?,
        None => String::new(),
    };
    let repo = name(&mut fields, "repo_id", repo_fault)?;
    let base = repositories.iter().find(|known| known.id == repo);
    let base =
        base.ok_or_else(|| fields.bad_value("repo_id", "it is not one of data.repositories"))?;
    let web = SCHEMES
        .iter()
        .any(|scheme| base.baseurl.starts_with(scheme));
    let url = match web && !location.is_empty() {
        true => format!("{}/{location}", base.baseurl.trim_end_matches('/')),
        false => String::new(),
    };
    let parents = fields.texts("parent_archs")?;
    let package = LockedPackage {
        name: name(&mut fields, "name", name_fault)?,
        epoch,
        version,
        release,
        arch: arch.to_owned(),
        repo,
        location,
        url,
        size: fields.number_if("size")?.unwrap_or_default(),
        checksum: checksum(&mut fields)?,
        signer: Signer::Untold,
        reason: LockReason::User,
        sourcerpm: fields.text_if("srpm")?.map(|name| format!("{name}.rpm")),
    };
    let _ = fields.take("module");
    fields.end(unknown);
    Ok((package, parents))
}

pub(super) fn write(lock: &Lock) -> String {
    let mut repositories: BTreeMap<&str, &LockedRepo> = BTreeMap::new();
    // Packages by architecture; those that run everywhere once, with the machines that have them.
    let mut packages: BTreeMap<&str, Vec<(&LockedPackage, BTreeSet<&str>)>> = BTreeMap::new();
    // Where each stands in the list of its architecture.
    let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (machine, section) in &lock.architectures {
        repositories.extend(
            section
                .repositories
                .iter()
                .map(|repo| (repo.id.as_str(), repo)),
        );
        for package in &section.packages {
            let list = packages.entry(&package.arch).or_default();
            let key = (package.nevra(), package.checksum.to_string());
            let place = *places.entry(key).or_insert(list.len());
            match list.get_mut(place) {
                Some((_, machines)) => drop(machines.insert(machine)),
                None => list.push((package, BTreeSet::from([machine.as_str()]))),
            }
        }
    }
    let mut out = format!("document: {DOCUMENT}\nversion: {VERSION}\ndata:\n  repositories:");
    out.push_str(if repositories.is_empty() {
        " []\n"
    } else {
        "\n"
    });
    // Writing into a string cannot fail.
    for repo in repositories.values() {
        let _ = writeln!(
            out,
            "    - id: {}\n      baseurl: {}",
            yaml::text(&repo.id),
            yaml::text(&repo.baseurl)
        );
    }
    out.push_str(if packages.is_empty() {
        "  packages: {}\n"
    } else {
        "  packages:\n"
    });
    for (arch, list) in packages {
        let _ = writeln!(out, "    {}:", yaml::text(arch));
        for (package, machines) in list {
            let LockedPackage {
                name,
                repo,
                location,
                size,
                ..
            } = package;
            let _ = writeln!(
                out,
                "      - name: {}\n        repo_id: {}",
                yaml::text(name),
                yaml::text(repo)
            );
            if !location.is_empty() {
                let _ = writeln!(out, "        location: {}", yaml::text(location));
            }
            let _ = writeln!(
                out,
                "        checksum: {}\n        size: {size}",
                package.checksum
            );
            let _ = writeln!(out, "        evr: {}", yaml::text(&package.evr()));
            if let Some(source) = &package.sourcerpm {
                let source = source.strip_suffix(".rpm").unwrap_or(source);
                let _ = writeln!(out, "        srpm: {}", yaml::text(source));
            }
            if arch == NOARCH {
                out.push_str("        parent_archs:\n");
                for machine in machines {
                    let _ = writeln!(out, "          - {}", yaml::text(machine));
                }
            }
        }
    }
    out
}
