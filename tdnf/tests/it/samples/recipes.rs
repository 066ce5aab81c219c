//! The packages of the situations: recipes of our own for packages of the names, versions, sizes
//! and relations that the samples speak of.

use std::path::{Path, PathBuf};

use testkit::spec::Spec;

/// The description of the plainest packages.
const INSTALL: &str = "Part of tdnf test spec. Basic install/remove/upgrade test";

/// A package of a spec of many.
#[derive(Clone, Copy)]
struct One {
    name: &'static str,
    evr: (&'static str, &'static str),
    summary: &'static str,
    about: &'static str,
    lines: &'static str,
    /// A path and how many bytes are in it.
    file: Option<(&'static str, usize)>,
    scripts: &'static [(&'static str, &'static str)],
}

const fn basic(name: &'static str, evr: (&'static str, &'static str)) -> One {
    One {
        name,
        evr,
        summary: "basic install test file.",
        about: INSTALL,
        lines: "",
        file: None,
        scripts: &[],
    }
}

const fn query(name: &'static str, lines: &'static str) -> One {
    One {
        summary: "Repoquery Test",
        about: "Part of tdnf test spec. For repoquery tests, other packages will\ndepend on this in some way.",
        lines,
        ..basic(name, ("1.0.1", "2"))
    }
}

const fn dummy(
    name: &'static str,
    summary: &'static str,
    about: &'static str,
    lines: &'static str,
) -> One {
    One {
        summary,
        about,
        lines,
        ..basic(name, ("0.1", "1"))
    }
}

const fn pretrans(name: &'static str, lines: &'static str) -> One {
    One {
        summary: "Test Requires(pretrans) dependency",
        about: "Part of tdnf test spec.",
        lines,
        ..basic(name, ("1.0", "1"))
    }
}

const CONFLICTING: &str = "/usr/lib/conflict/conflicting-file";

/// Everything of the test repository that needs no source package of its own.
const TESTS: &[One] = &[
    One {
        file: Some(("/lib/systemd/system/tdnf-bad-pre.service", 70)),
        scripts: &[("pre", "exit 1")],
        ..basic("tdnf-bad-pre", ("1.0.0", "1"))
    },
    One {
        evr: ("1.0.1", "1"),
        file: Some((CONFLICTING, 6)),
        ..query("tdnf-conflict-file0", "")
    },
    One {
        evr: ("1.0.1", "1"),
        file: Some((CONFLICTING, 5)),
        ..query("tdnf-conflict-file1", "")
    },
    One {
        evr: ("1.0", "1"),
        ..dummy(
            "tdnf-dummy-pretrans",
            "Dummy spec file to test pretrans dependencies",
            "Part of tdnf test spec.",
            "",
        )
    },
    One {
        lines: "Requires: missing\n",
        ..basic("tdnf-missing-dep", ("1.0.1", "2"))
    },
    query("tdnf-repoquery-base", ""),
    query(
        "tdnf-repoquery-conflicts",
        "Conflicts: tdnf-repoquery-base\n",
    ),
    query("tdnf-repoquery-enhances", "Enhances: tdnf-repoquery-base\n"),
    query(
        "tdnf-repoquery-obsoletes",
        "Obsoletes: tdnf-repoquery-base\n",
    ),
    query("tdnf-repoquery-provides", "Provides: tdnf-repoquery-base\n"),
    query(
        "tdnf-repoquery-recommends",
        "Recommends: tdnf-repoquery-base\n",
    ),
    query("tdnf-repoquery-requires", "Requires: tdnf-repoquery-base\n"),
    query("tdnf-repoquery-suggests", "Suggests: tdnf-repoquery-base\n"),
    query(
        "tdnf-repoquery-supplements",
        "Supplements: tdnf-repoquery-base\n",
    ),
    One {
        lines: "Requires: tdnf-test-cleanreq-required\n",
        ..basic("tdnf-test-cleanreq-leaf1", ("1.0.1", "3"))
    },
    One {
        lines: "Requires: tdnf-test-cleanreq-required\n",
        ..basic("tdnf-test-cleanreq-leaf2", ("1.0.1", "3"))
    },
    basic("tdnf-test-cleanreq-required", ("1.0.1", "3")),
    dummy(
        "tdnf-test-dummy-conflicts-0",
        "Conflict test spec",
        "Part of tdnf test spec. Basic conflict test",
        "",
    ),
    dummy(
        "tdnf-test-dummy-conflicts-1",
        "Conflict test spec",
        "Part of tdnf test spec. Basic conflict test",
        "Conflicts: tdnf-test-dummy-conflicts-0\n",
    ),
    dummy(
        "tdnf-test-dummy-obsoleted",
        "Dummy obsoleted spec",
        "Part of tdnf test spec.",
        "",
    ),
    dummy(
        "tdnf-test-dummy-obsoleting",
        "Dummy obsoletes spec",
        "Part of tdnf test spec.",
        "Obsoletes: tdnf-test-dummy-obsoleted\nProvides: tdnf-test-dummy-obsoleted\n",
    ),
    dummy(
        "tdnf-test-dummy-obsoleting3",
        "Dummy obsoletes spec 3",
        "Part of tdnf test spec.",
        "Provides: tdnf-test-dummy-obsoleted\n",
    ),
    dummy(
        "tdnf-test-dummy-requires",
        "Dummy requires spec",
        "Part of tdnf test spec. Basic requires test",
        "Requires: dummy-requirement\n",
    ),
    One {
        lines: "BuildArch: noarch\n",
        file: Some(("/lib/systemd/system/tdnf-test-noarch.service", 60)),
        ..basic("tdnf-test-noarch", ("1.0.1", "1"))
    },
    pretrans(
        "tdnf-test-pretrans-one",
        "Requires(pretrans): tdnf-dummy-pretrans >= 1.0-1\n",
    ),
    pretrans(
        "tdnf-test-pretrans-two",
        "Requires: tdnf-dummy-pretrans >= 1.0-1\n",
    ),
    One {
        summary: "creates a fake random file that is too large for cache dir.",
        about: "Part of tdnf test spec.",
        ..basic("tdnf-test-toolarge", ("1.0.1", "1"))
    },
    basic("tdnf-test-two", ("1.0.1", "1")),
    One {
        file: Some(("/lib/systemd/system/tdnf-verbose-scripts.service", 70)),
        scripts: &[
            (
                "pre",
                "echo echo from pre\necho echo to stderr from pre >&2",
            ),
            (
                "post",
                "echo echo from post\necho echo to stderr from post >&2",
            ),
            (
                "preun",
                "echo echo from preun\necho echo to stderr from preun >&2",
            ),
            (
                "postun",
                "echo echo from postun\necho echo to stderr from postun >&2",
            ),
        ],
        ..basic("tdnf-verbose-scripts", ("1.0.1", "2"))
    },
];

/// A package of the test repository, which is also its source package.
fn test_package(one: &One) -> Spec {
    let spec = spec_of(one).license("VMware");
    spec.lines("URL: http://www.vmware.com")
}

fn spec_of(one: &One) -> Spec {
    let (version, release) = one.evr;
    let mut spec = Spec::new(one.name, version)
        .release(release)
        .summary(one.summary)
        .about(one.about)
        .native()
        .lines(one.lines)
        .files("");
    for (phase, text) in one.scripts {
        spec = spec.script(phase, text);
    }
    let Some((path, bytes)) = one.file else {
        return spec;
    };
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    spec.files(path).install(&format!(
        "mkdir -p %{{buildroot}}{dir}\nhead -c {bytes} /dev/zero | tr '\\0' x > %{{buildroot}}{path}"
    ))
}

const TEST_ONE: One = One {
    file: Some(("/lib/systemd/system/tdnf-test-one.service", 65)),
    ..basic("tdnf-test-one", ("1.0.1", "2"))
};

const fn multiversion(version: &'static str) -> One {
    One {
        summary: "basic multiversoin install test file.",
        ..basic("tdnf-test-multiversion", (version, "1"))
    }
}

const fn multi(release: &'static str) -> One {
    One {
        summary: "multiinstall test",
        ..basic("tdnf-multi", ("1.0.1", release))
    }
}

const CHANGELOG: &str = "%changelog
* Tue Jul 06 2021 Oliver Kurth <okurth@vmware.com> 1.2.3-4
-   needle in a haystack
* Wed Jan 01 2020 John Doe <jdoe@jdoe.com> 1.0.0-1
-   wrong date, needed for testing. Fedora ignores dates before
    some time 2018.
";

/// The packages of the test repository.
pub(super) fn test_packages() -> Vec<PathBuf> {
    // Two of them own one path with different bytes, so that they cannot be of one build.
    let conflicting = |one: &&One| one.file.is_some_and(|(path, _)| path == CONFLICTING);
    let rest: Vec<One> = TESTS
        .iter()
        .filter(|one| !conflicting(one))
        .copied()
        .collect();
    let together = Spec::new("tests", "1").native();
    let together = rest.iter().map(test_package).fold(together, Spec::with);
    let alone = TESTS.iter().filter(conflicting).copied();
    let versions = ["1.0.1", "1.0.2"].map(multiversion);
    let releases = ["1", "2", "3", "4"].map(multi);
    let format = query(
        "tdnf-repoquery-queryformat",
        "Requires: tdnf-test-cleanreq1-required\n",
    );
    let singles = alone
        .chain(versions)
        .chain(releases)
        .chain([TEST_ONE, format]);
    let mut specs = vec![together];
    specs.extend(singles.map(|one| test_package(&one)));
    specs.push(test_package(&query("tdnf-repoquery-changelog", "")).rest(CHANGELOG));
    specs
        .into_iter()
        .map(|spec| {
            spec.define("_changelog_trimtime 0")
                .define("_changelog_trimage 0")
        })
        .flat_map(|spec| spec.build_all())
        .collect()
}

/// Source packages of the test repository.
pub(super) fn source_packages(into: &Path) {
    for one in [multiversion("1.0.1"), multiversion("1.0.2"), TEST_ONE] {
        let built = test_package(&one).build_source();
        let name = built.file_name().expect("a package has a name");
        std::fs::copy(&built, into.join(name)).expect("ours");
    }
}

/// Packages that stand in for a system's own.
pub(super) fn stand_ins() -> Vec<PathBuf> {
    let own = |name: &'static str,
               version: &'static str,
               release: &'static str,
               lines: &'static str| One {
        name,
        evr: (version, release),
        summary: "",
        about: "stand-in",
        lines,
        file: None,
        scripts: &[],
    };
    let all = [
        own("bash", "5.2", "1.ph5", "Provides: /bin/sh\n"),
        own("glibc", "2.36", "1.ph5", ""),
        own(
            "photon-release",
            "5.0",
            "1.ph5",
            "Provides: system-release(releasever) = 5.0\nBuildArch: noarch\n",
        ),
        own("rpm", "4.18.0", "1.ph5", ""),
        own("tdnf", "3.6.0", "1.ph5", ""),
    ];
    let specs = all.iter().map(|one| {
        let summary = format!("stand-in for {}", one.name);
        spec_of(one).license("none").summary(&summary)
    });
    specs.map(|spec| spec.build()).collect()
}

/// The packages of the corner cases.
pub(super) fn custom_packages() -> Vec<PathBuf> {
    let own = |name: &'static str, version: &'static str, lines: &'static str| {
        let one = One {
            name,
            evr: (version, "1"),
            summary: "",
            about: "%{name} desc",
            lines,
            file: None,
            scripts: &[],
        };
        let summary = format!("{name} summary");
        spec_of(&one).license("none").summary(&summary)
    };
    let specs = [
        own("epo", "1.0", "Epoch: 1\n"),
        own("epo", "0.5", "Epoch: 2\n"),
        own(
            "reqpre",
            "1",
            "Requires(pre): bash\nRequires(post): glibc\nRequires: tdnf\n",
        ),
        own(
            "rich",
            "1",
            "Requires: (clnb if epo)\nRecommends: (clna or clnb)\n",
        ),
        own("provone", "1", "Provides: virt = 1\n"),
        own("provtwo", "1", "Provides: virt = 2\n"),
        own("fileneed", "1", "Requires: /etc/nofile\n"),
        own("clna", "1", "Requires: clnb\n"),
        own("clna", "2", ""),
        own("clnb", "1", ""),
        own("multilib", "1", ""),
    ];
    let mut all: Vec<PathBuf> = specs.iter().map(Spec::build).collect();
    all.push(own("multilib", "1", "").target("i686").build());
    all
}
