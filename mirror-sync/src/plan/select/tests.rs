use super::*;
use crate::tests::listed;

/// Upstream's packages, each built on the day of January 2026 that its place gives it.
const UPSTREAM: [&str; 11] = [
    "alpha-1-1.noarch",
    "alpha-2-1.noarch",
    "alpha-1:1-1.noarch",
    "alpha-2-1.x86_64",
    "beta-1.9-1.x86_64",
    "beta-1.10-1.x86_64",
    "beta-1.10-1.src",
    "gamma-3-1.nosrc",
    "alpha-debuginfo-2-1.x86_64",
    "beta-libs-debugsource-compat-1-1.x86_64",
    "debuginfo-tools-1-1.noarch",
];

fn upstream() -> Vec<Listed> {
    let day = |number: usize| day_start(&format!("2026-01-{number:02}")).unwrap();
    let packages = UPSTREAM.iter().enumerate();
    packages
        .map(|(at, nevra)| Listed {
            built: day(at + 1) + 3600,
            ..listed(nevra)
        })
        .collect()
}

fn kept(packages: &[Listed], select: &str, advised: Option<&BTreeSet<AdvisoryKey>>) -> Vec<usize> {
    let select: SelectSection = toml::from_str(select).unwrap();
    let keep = wanted(packages, &select, advised);
    assert_eq!(keep.len(), packages.len());
    let places = keep.iter().enumerate();
    places.filter_map(|(at, keep)| keep.then_some(at)).collect()
}

#[test]
fn each_filter_leaves_what_it_says() {
    let cases: &[(&str, &[usize])] = &[
        ("", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        // Names and full names; what is excluded stays out although it is included.
        ("include = ['beta']", &[4, 5, 6]),
        ("include = ['alpha-2*.noarch', 'gamma']", &[1, 7]),
        ("include = ['alpha-1:1-1.noarch']", &[2]),
        ("include = ['nothing*']", &[]),
        ("exclude = ['*']", &[]),
        (
            "exclude = ['nothing*']",
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        ),
        ("include = ['beta*']\nexclude = ['beta*']", &[]),
        (
            "include = ['beta*']\nexclude = ['*.src', '*debug*']",
            &[4, 5],
        ),
        ("arch = ['src', 'nosrc']", &[6, 7]),
        ("arch = ['aarch64']", &[]),
        (
            "no_source = true\narch = ['src', 'nosrc', 'x86_64']",
            &[3, 4, 5, 8, 9],
        ),
        // A name that only begins so is no debug package.
        ("no_debug = true\ninclude = ['*debug*']", &[10]),
        // The first day counts, the last does not.
        (
            "built_after = '2026-01-02'\nbuilt_before = '2026-01-04'",
            &[1, 2],
        ),
        ("built_after = '2026-02-01'", &[]),
        ("built_before = '2026-01-01'", &[]),
        (
            "built_after = '2026-01-04'\nbuilt_before = '2026-01-04'",
            &[],
        ),
        // The newest of each name and architecture, by epoch first, then as rpm compares.
        ("newest = 1", &[2, 3, 5, 6, 7, 8, 9, 10]),
        ("newest = 2\ninclude = ['alpha']", &[1, 2, 3]),
        ("newest = 99", &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        // The newest of what the other filters leave.
        (
            "newest = 1\nexclude = ['alpha-1:*']\narch = ['noarch']",
            &[1, 10],
        ),
        ("newest = 1\nbuilt_before = '2026-01-02'", &[0]),
    ];
    for (select, expected) in cases {
        assert_eq!(kept(&upstream(), select, None), *expected, "{select}");
    }
}

#[test]
fn advisories_name_packages_by_everything_but_the_location() {
    let packages = upstream();
    let keys = |places: &[usize]| -> BTreeSet<AdvisoryKey> {
        places
            .iter()
            .map(|at| key(packages[*at].nevra.clone()))
            .collect()
    };
    let mut other_release = keys(&[]);
    other_release.insert(("beta".into(), 0, "1.10".into(), "2".into(), "x86_64".into()));
    for (advised, select, expected) in [
        (keys(&[]), "", &[][..]),
        (other_release, "", &[]),
        (keys(&[0, 2, 6]), "", &[0, 2, 6]),
        (keys(&[0, 2, 6]), "newest = 1\nno_source = true", &[2]),
        (keys(&[0, 2]), "exclude = ['alpha-1:1*']", &[0]),
    ] {
        let found = kept(&packages, select, Some(&advised));
        assert_eq!(found, expected, "{advised:?} {select}");
    }
}

#[test]
fn nothing_of_nothing_and_one_of_two_that_are_the_same() {
    assert!(kept(&[], "newest = 1\ninclude = ['*']", None).is_empty());
    let twice = ["alpha-1-1.noarch", "alpha-0:1-1.noarch", "alpha-1-1.noarch"].map(listed);
    assert_eq!(kept(&twice, "newest = 1", None), [0]);
    assert_eq!(kept(&twice, "newest = 2", None), [0, 1]);
}

#[test]
fn advisories_are_asked_for_by_kind_id_or_reference() {
    let update = |id: &str, kind: &str, cve: &str, name: &str| {
        format!(
            "<update type=\"{kind}\"><id>{id}</id><references><reference id=\"{cve}\"/></references>\
             <pkglist><collection><package name=\"{name}\" version=\"1\" release=\"2\" epoch=\"3\" \
             arch=\"noarch\"/></collection></pkglist></update>"
        )
    };
    let document = format!(
        "<updates>{}{}{}</updates>",
        update("SEC-1", "security", "CVE-2026-1", "alpha"),
        update("SEC-2", "security", "CVE-2026-2", "beta"),
        update("BUG-1", "bugfix", "RH-7", "gamma"),
    );
    let read = |text: &str, asked: &[&str]| {
        let asked: Vec<String> = asked.iter().map(|word| (*word).to_owned()).collect();
        advised("base", text.as_bytes(), &asked)
    };
    for (asked, expected) in [
        (&["security"][..], &["alpha", "beta"][..]),
        (&["SECURITY"], &["alpha", "beta"]),
        (&["cve-2026-2"], &["beta"]),
        (&["SEC-1", "RH-7"], &["alpha", "gamma"]),
        (&["CVE-2026"], &[]),
        (&["enhancement"], &[]),
    ] {
        let keys = read(&document, asked).unwrap();
        let expected = expected.iter().map(|name| {
            (
                (*name).to_owned(),
                3,
                "1".to_owned(),
                "2".to_owned(),
                "noarch".to_owned(),
            )
        });
        assert_eq!(keys, expected.collect(), "{asked:?}");
    }
    let cut = &document[..document.len() - 30];
    assert!(read(cut, &["security"]).is_err(), "a document that was cut");
}
