//! `$releasever` from the rpm database of the root.

use rpm_db::Db;
use rpm_pkg::dep::{DepFlags, DepGroup, Deps};
use rpm_pkg::evr::Evr;
use rpm_pkg::header::tag;

use super::Session;
use crate::error::{Code, Failure, Outcome};

/// Tries the capabilities of `distroverpkg` in order: the version of the provide if it is `=`,
/// else the version of the package that provides it.
pub(super) fn detect(session: &Session<'_>) -> Outcome<String> {
    let capabilities = &session.settings.main.distroverpkg;
    if let Some(db) = session.db()? {
        for capability in capabilities {
            if let Some(version) = version_of(&db, capability)? {
                return Ok(version);
            }
        }
    }
    let detail = format!(
        "$releasever is used by a repository, and nothing installed in {} provides {}",
        session.settings.root.display(),
        capabilities.join(" or "),
    );
    Err(Failure::because(Code::NO_DISTROVERPKG, detail)
        .hint("give the release on the command line: --releasever VERSION"))
}

fn version_of(db: &Db, capability: &str) -> Outcome<Option<String>> {
    for found in db.providers(capability)? {
        let Some(header) = db.get(found.hnum)? else {
            continue;
        };
        let index = usize::try_from(found.idx).unwrap_or(usize::MAX);
        let provide = Deps::of(&header, DepGroup::Provides).nth(index);
        let versioned = provide
            .filter(|dep| dep.flags.relation() == DepFlags::EQUAL)
            .map(|dep| Evr::parse(&String::from_utf8_lossy(dep.evr)).version)
            .filter(|version| !version.is_empty());
        let own = || header.text(tag::VERSION).map(str::to_owned);
        if let Some(version) = versioned.or_else(own) {
            return Ok(Some(version));
        }
    }
    Ok(None)
}
