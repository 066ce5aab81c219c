//! From which version of C tdnf each name is.

use std::collections::BTreeSet;

use super::sources::Kind;

/// Names that C tdnf 3.5 did not have, or that the reference does not list: where they came from, and what says so. Numbers of versions are those of the
/// changelog of vmware/photon SPECS/tdnf/tdnf.spec, `#` of pull requests of vmware/tdnf.
struct Later {
    kind: Kind,
    names: &'static [&'static str],
    version: &'static str,
    source: &'static str,
}

const fn later(
    kind: Kind,
    names: &'static [&'static str],
    version: &'static str,
    source: &'static str,
) -> Later {
    Later {
        kind,
        names,
        version,
        source,
    }
}

const LATER: &[Later] = &[
    later(
        Kind::Option,
        &[
            "--whatconflicts",
            "--whatdepends",
            "--whatenhances",
            "--whatobsoletes",
            "--whatprovides",
            "--whatrecommends",
            "--whatrequires",
            "--whatsuggests",
            "--whatsupplements",
        ],
        "3.5",
        "#248",
    ),
    later(Kind::Option, &["--forcearch"], "3.5.12", "#524"),
    later(Kind::MainKey, &["varsdir"], "3.5.13", "#480, #534"),
    later(Kind::RepoKey, &["snapshot"], "3.5.13", "#518, #532, #550"),
    later(Kind::Option, &["--nocligpgcheck"], "3.5.16", "#543"),
    later(Kind::MainKey, &["cligpgcheck"], "3.5.16", "#543"),
    later(Kind::Option, &["--qf"], "3.6.0", "#423"),
    later(Kind::Error, &["917"], "3.6.0", "#423"),
    later(Kind::Option, &["--location"], "3.6.3", "#544"),
    later(
        Kind::MainKey,
        &["tsflags"],
        "3.6.3",
        "pytests/tests/test_tsflags.py",
    ),
    later(
        Kind::MainKey,
        &["connect_timeout"],
        "Photon",
        "SPECS/tdnf/0003-connect-timeout.patch",
    ),
    later(
        Kind::MainKey,
        &["sslcacert"],
        "dev",
        "pytests/tests/test_ssl_config.py",
    ),
    later(Kind::Option, &["--dryrun"], "dev", "#604"),
    later(Kind::Option, &["--urls"], "3.5; with install dev", "#566"),
    later(
        Kind::Error,
        &["918"],
        "dev",
        "#444, pytests/tests/test_quiet.py",
    ),
    later(
        Kind::Option,
        &["--snapshottime"],
        "Azure",
        "#497, azurelinux 10110",
    ),
    later(
        Kind::Option,
        &["--snapshotexcluderepos"],
        "Azure",
        "#497, azurelinux 10307",
    ),
    later(
        Kind::MainKey,
        &["snapshottime"],
        "Azure",
        "#497, azurelinux 10110",
    ),
    later(
        Kind::MainKey,
        &["snapshotexcluderepos"],
        "Azure",
        "azurelinux 10307",
    ),
];

/// The cell of a row: `reference` are the names of C tdnf 3.6.0 of this kind.
pub(super) fn cell(kind: Kind, name: &str, reference: &BTreeSet<String>) -> String {
    let mut all = LATER.iter();
    match all.find(|later| later.kind == kind && later.names.contains(&name)) {
        Some(later) => format!("{} ({})", later.version, later.source),
        None if reference.contains(name) => "3.5".to_owned(),
        None => "own".to_owned(),
    }
}

/// The names of a kind that stand here.
pub(super) fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    let of_kind = LATER.iter().filter(move |later| later.kind == kind);
    of_kind.flat_map(|later| later.names.iter().copied())
}
