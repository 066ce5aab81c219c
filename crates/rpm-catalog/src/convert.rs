//! From metadata records to what the pool takes.

use rpm_pkg::dep::{DepFlags, DepGroup};
use rpm_repo::primary::{DepRecord, PrimaryPackage};
use rpm_solv::{DepInput, EvrInput, PackageFacts, PackageInput, PlanFacts};

/// Lends `package` to `add` in the pool's form.
pub fn with_primary<T>(package: &PrimaryPackage, add: impl FnOnce(&PackageInput<'_>) -> T) -> T {
    let mut deps = Vec::with_capacity(64);
    let lists = DepGroup::ALL.map(|kind| {
        let start = deps.len();
        deps.extend(package.deps(kind).map(dep));
        start..deps.len()
    });
    let list = |kind: DepGroup| &deps[lists[kind as usize].clone()];
    let files: Vec<&[u8]> = package.files().map(|file| file.path.as_bytes()).collect();
    add(&PackageInput {
        name: package.name(),
        arch: package.arch(),
        evr: EvrInput {
            epoch: package.epoch(),
            version: package.version(),
            release: package.release(),
        },
        vendor: package.vendor(),
        provides: list(DepGroup::Provides),
        requires: list(DepGroup::Requires),
        conflicts: list(DepGroup::Conflicts),
        obsoletes: list(DepGroup::Obsoletes),
        recommends: list(DepGroup::Recommends),
        suggests: list(DepGroup::Suggests),
        supplements: list(DepGroup::Supplements),
        enhances: list(DepGroup::Enhances),
        files: &files,
        facts: PackageFacts {
            plan: PlanFacts {
                location: package.refused_location(),
                location_base: package.location_base().unwrap_or_default(),
                checksum_kind: package.checksum_type(),
                checksum: package.checksum(),
                package_size: package.package_size(),
                installed_size: package.installed_size(),
                database_number: 0,
            },
            summary: package.summary(),
            description: package.description(),
            url: package.url(),
            license: package.license(),
            sourcerpm: package.sourcerpm(),
            file_time: package.file_time(),
        },
    })
}

fn dep(record: DepRecord<'_>) -> DepInput<'_> {
    DepInput {
        name: record.name,
        flags: DepFlags(record.flags),
        evr: EvrInput::new(record.epoch, record.version, record.release),
        pre: record.pre,
    }
}
