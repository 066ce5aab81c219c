use super::*;
use crate::tests::{part, primary};

/// Repositories, and what each has; the first one asks.
type Repos<'a> = &'a [(&'a str, &'a [&'a str])];

/// What is taken, as `repository/location`, and the wishes that failed.
fn ask(
    repos: Repos<'_>,
    wish: ClosureRequest,
    keep: &dyn Fn(&str) -> bool,
) -> (Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().unwrap();
    let parts: Vec<_> = repos
        .iter()
        .map(|(id, packages)| {
            let home = dir.path().join(id);
            std::fs::create_dir_all(&home).unwrap();
            let (path, record) = part(&home, "primary", &primary(packages));
            (
                path,
                record,
                part(&home, "filelists", &filelists_of(packages)),
            )
        })
        .collect();
    let sources: Vec<SolverSource<'_>> = repos
        .iter()
        .zip(&parts)
        .enumerate()
        .map(|(at, ((id, _), (path, record, filelists)))| SolverSource {
            id,
            preferred: at == 0,
            primary: (path, record),
            filelists: Some(filelists.clone()),
            keep,
        })
        .collect();
    let wish = ClosureRequest {
        arch: "x86_64".into(),
        ..wish
    };
    let closure = closure(&sources, &wish).unwrap();
    let chosen = closure.chosen.iter();
    let chosen = chosen.flat_map(|(repo, all)| {
        let name = |location: &String| location.trim_end_matches(".rpm").to_owned();
        all.iter().map(move |one| format!("{repo}/{}", name(one)))
    });
    let failed = closure.failed.into_iter().map(|(spec, _)| spec);
    (chosen.collect(), failed.collect())
}

/// Each package has the file `/opt/NAME`.
fn filelists_of(packages: &[&str]) -> String {
    let all: String = packages
        .iter()
        .map(|package| {
            let one = crate::tests::listed(package.split(' ').next().unwrap());
            format!(
                "<package pkgid=\"{}\" name=\"{}\" arch=\"{}\"><version epoch=\"0\" ver=\"1\" rel=\"1\"/>\
                 <file>/opt/{}</file></package>",
                one.digest.hex(),
                one.nevra.name,
                one.nevra.arch,
                one.nevra.name
            )
        })
        .collect();
    format!(
        "<filelists xmlns=\"http://linux.duke.edu/metadata/filelists\" packages=\"{}\">{all}</filelists>",
        packages.len()
    )
}

const BASE: &[&str] = &[
    "alpha-1-1.noarch requires=beta",
    "alpha-2-1.noarch requires=beta recommends=epsilon",
    "beta-1-1.noarch requires=/opt/gamma",
    "gamma-1-1.noarch",
    "delta-1-1.noarch conflicts=gamma",
    "epsilon-1-1.noarch",
    "zeta-1-1.noarch requires=nobody",
    "omega-1-1.src",
];
const OTHER: &[&str] = &[
    "beta-9-1.noarch",
    "eta-1-1.noarch requires=theta",
    "theta-1-1.noarch",
];

fn specs(specs: &[&str]) -> ClosureRequest {
    ClosureRequest {
        specs: specs.iter().map(|spec| (*spec).to_owned()).collect(),
        ..ClosureRequest::default()
    }
}

#[test]
fn a_wish_brings_all_it_needs_and_no_more() {
    let both: Repos<'_> = &[("base", BASE), ("other", OTHER)];
    let cases: &[(&[&str], &[&str], &[&str])] = &[
        (&[], &[], &[]),
        (&["gamma"], &["base/gamma-1-1.noarch"], &[]),
        // What the asking repository has is taken from it, though another has it newer.
        (
            &["alpha"],
            &[
                "base/alpha-2-1.noarch",
                "base/beta-1-1.noarch",
                "base/gamma-1-1.noarch",
            ],
            &[],
        ),
        (
            &["eta"],
            &["other/eta-1-1.noarch", "other/theta-1-1.noarch"],
            &[],
        ),
        (&["gamma", "gamma"], &["base/gamma-1-1.noarch"], &[]),
        (&["nothing"], &[], &["nothing"]),
        (
            &["nothing", "gamma"],
            &["base/gamma-1-1.noarch"],
            &["nothing"],
        ),
        // No wish of the others is lost because of one that nobody can fulfil.
        (&["zeta", "gamma"], &["base/gamma-1-1.noarch"], &["zeta"]),
        // What cannot stand together is had one by one.
        (
            &["delta", "gamma"],
            &["base/delta-1-1.noarch", "base/gamma-1-1.noarch"],
            &[],
        ),
        // Sources are no packages to install.
        (&["omega"], &[], &["omega"]),
    ];
    for (wish, chosen, failed) in cases {
        let found = ask(both, specs(wish), &|_| true);
        assert_eq!(
            (&found.0[..], &found.1[..]),
            (&owned(chosen)[..], &owned(failed)[..]),
            "{wish:?}"
        );
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn what_clients_have_may_not_be_taken_or_is_only_recommended() {
    let base: Repos<'_> = &[("base", BASE)];
    let installed = |names: &[&str]| ClosureRequest {
        installed: owned(names),
        ..specs(&["alpha"])
    };
    let (alpha, beta, gamma) = (
        "base/alpha-2-1.noarch",
        "base/beta-1-1.noarch",
        "base/gamma-1-1.noarch",
    );
    let recommends = ClosureRequest {
        recommends: true,
        ..specs(&["alpha"])
    };
    let upgrade = |names: &[&str]| ClosureRequest {
        installed: owned(names),
        upgrade: true,
        ..ClosureRequest::default()
    };
    for (wish, chosen) in [
        // What clients have is taken as it is, though what it needs is not named.
        (installed(&["beta-1-1.noarch"]), &[alpha][..]),
        (
            installed(&["beta-1-1.noarch", "gamma-1-1.noarch"]),
            &[alpha],
        ),
        (
            installed(&["alpha-2-1.noarch", "beta-1-1.noarch", "gamma-1-1.noarch"]),
            &[],
        ),
        // A package that no repository knows provides itself.
        (installed(&["beta-7-7.noarch"]), &[alpha]),
        (recommends, &[alpha, beta, "base/epsilon-1-1.noarch", gamma]),
        (
            upgrade(&["alpha-1-1.noarch", "beta-1-1.noarch", "gamma-1-1.noarch"]),
            &[alpha],
        ),
        (upgrade(&["gamma-1-1.noarch"]), &[]),
        (upgrade(&[]), &[]),
    ] {
        let found = ask(base, wish.clone(), &|_| true);
        assert_eq!(found, (owned(chosen), Vec::new()), "{wish:?}");
    }
    let old_only = |location: &str| location != "alpha-2-1.noarch.rpm";
    let found = ask(base, specs(&["alpha"]), &old_only);
    assert_eq!(found.0, ["base/alpha-1-1.noarch", beta, gamma]);
    assert_eq!(ask(base, specs(&["alpha"]), &|_| false).1, ["alpha"]);
    assert_eq!(
        ask(&[("base", &[])], specs(&["alpha"]), &|_| true).1,
        ["alpha"]
    );
}

#[test]
fn a_list_of_what_is_installed_has_comments_and_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list");
    for (text, expected) in [
        ("", Ok(&[][..])),
        ("\n # nothing\n", Ok(&[])),
        (
            "a-1-1.noarch\n b-2:1-1.x86_64 # why\ngpg-pubkey-1234-5678\n",
            Ok(&["a-1-1.noarch", "b-2:1-1.x86_64"]),
        ),
        ("a-1-1.noarch\nnonsense\n", Err(":2")),
    ] {
        std::fs::write(&path, text).unwrap();
        match (read_installed(&path), expected) {
            (Ok(names), Ok(expected)) => assert_eq!(names, expected, "{text:?}"),
            (Err(error), Err(place)) => assert!(error.to_string().contains(place), "{error}"),
            (found, _) => panic!("{text:?}: {found:?}"),
        }
    }
    assert!(read_installed(&dir.path().join("absent")).is_err());
}
