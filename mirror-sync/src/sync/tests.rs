use cli_kit::OutputMode as Talk;
use repo_client::{ClientOptions, MetadataSet};

use super::repo::EndedRepo;
use super::*;
use crate::layout;
use crate::manifest::{self, Manifest};
use crate::report::{RepoOutcome, RepoReport};
use crate::tests::{Stage, listed};
use crate::upstream::Upstream;

const NOW: u64 = 1_000_000;

/// A run without a network: what it needs is in the store, or missing.
fn with_run<T>(stage: &Stage, options: &SyncOptions, work: impl FnOnce(&SyncRun<'_>) -> T) -> T {
    let printer = Printer::recording(Talk::default());
    work(&SyncRun {
        config: &stage.config,
        options,
        layout: stage.layout.clone(),
        store: Store::open(&stage.layout.store()).unwrap(),
        client: Client::new(ClientOptions::default()),
        printer: &printer,
        observer: TerminalObserver::new(&printer),
        stop: Arc::new(AtomicBool::new(false)),
        now: NOW,
    })
}

fn stage(select: &str) -> Stage {
    Stage::new(&format!(
        "[mirror]\n[repo.base]\ngpgcheck = false\n[repo.other]\ngpgcheck = false\n[repo.base.select]\narch = []\n{select}"
    ))
}

/// A repository whose upstream has these packages and no more than that is known.
fn looked(run: &SyncRun<'_>, stage: &Stage, id: &str, packages: &[&str]) -> RepoStep<Looked> {
    let names = packages.iter().map(|one| one.split(' ').next().unwrap());
    let upstream = Upstream {
        packages: names.map(listed).collect(),
        set: stage.set(id, packages),
        refused: Vec::new(),
    };
    Ok(Looked::new(Repo::open(run, id)?, upstream))
}

/// A repository that has left the run with what upstream has.
fn ended(set: Option<MetadataSet>) -> Box<EndedRepo> {
    let report = RepoReport {
        id: "other".into(),
        ..RepoReport::default()
    };
    Box::new(EndedRepo { report, set })
}

/// What `base` and `other` have; what is wanted of `base` is in the configuration.
const BASE: &[&str] = &[
    "alpha-1-1.noarch requires=beta",
    "alpha-2-1.noarch requires=beta",
    "gamma-1-1.noarch",
];
const OTHER: &[&str] = &["beta-1-1.noarch", "delta-1-1.noarch"];

fn names(wanted: &select::WantedSet) -> Vec<String> {
    wanted
        .packages
        .iter()
        .map(|one| one.nevra.to_string())
        .collect()
}

/// Lets clients see these packages of `base`, as a run with the same selection left them.
fn show(stage: &Stage, options: &SyncOptions, packages: &[&str], set: &MetadataSet) -> Manifest {
    let files: Vec<String> = packages.iter().map(|name| format!("{name}.rpm")).collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(String::as_str)
        .zip(packages.iter().copied())
        .collect();
    let mut manifest = stage.snapshot(NOW - 10, &files);
    let mut state = manifest::RepoState::default();
    with_run(stage, options, |run| {
        let repo = Repo::open(run, "base")
            .map_err(|ended| ended.report.error)
            .unwrap();
        manifest.selection.clone_from(&repo.selection);
        manifest.upstream = crate::store::digest_text(&set.repomd_digest);
        run.publisher().publish(&manifest, &mut state).unwrap();
    });
    manifest
}

#[test]
fn a_run_takes_the_repositories_that_are_named_or_not_disabled() {
    let stage = Stage::new(
        "[mirror]\n[repo.a]\n[repo.b]\n[repo.off]\ndisabled = true\n[repo.proxied]\nmode = 'proxy'",
    );
    for (only, expected) in [
        (&[][..], Ok(&["a", "b"][..])),
        (&["b"], Ok(&["b"])),
        (&["b", "b", "a"], Ok(&["a", "b"])),
        (&["off"], Ok(&["off"])),
        (&["proxied"], Err("proxied is not filled by sync")),
        (&["a", "unknown"], Err("known: a, b, off, proxied")),
    ] {
        let options = SyncOptions {
            only: only.iter().map(|id| (*id).to_owned()).collect(),
            ..SyncOptions::default()
        };
        match (with_run(&stage, &options, chosen), expected) {
            (Ok(ids), Ok(expected)) => assert_eq!(ids, expected),
            (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
            (found, _) => panic!("{only:?}: {found:?}"),
        }
    }
}

#[test]
fn selecting_gives_filters_closures_and_what_comes_first() {
    // the selection of base: what is wanted of base, of other, what comes first, wishes that failed
    let all_of_base = ["alpha-1-1.noarch", "alpha-2-1.noarch", "gamma-1-1.noarch"];
    let all_of_other = ["beta-1-1.noarch", "delta-1-1.noarch"];
    let cases: &[(&str, [&[&str]; 4])] = &[
        ("", [&all_of_base, &all_of_other, &[], &[]]),
        ("exclude = ['*']", [&[], &all_of_other, &[], &[]]),
        (
            "newest = 1",
            [
                &["alpha-2-1.noarch", "gamma-1-1.noarch"],
                &all_of_other,
                &[],
                &[],
            ],
        ),
        // What another repository adds is wanted there anyhow.
        (
            "packages = ['alpha']",
            [&["alpha-2-1.noarch"], &all_of_other, &[], &[]],
        ),
        (
            "packages = ['alpha']\n[repo.other.select]\nonly_needed = true",
            [&["alpha-2-1.noarch"], &["beta-1-1.noarch"], &[], &[]],
        ),
        (
            "packages = ['gamma']\n[repo.other.select]\nonly_needed = true",
            [&["gamma-1-1.noarch"], &[], &[], &[]],
        ),
        // Filters come before the solver.
        (
            "packages = ['alpha']\nexclude = ['alpha-2*']",
            [&["alpha-1-1.noarch"], &all_of_other, &[], &[]],
        ),
        (
            "packages = ['alpha', 'nothing']",
            [&["alpha-2-1.noarch"], &all_of_other, &[], &["nothing"]],
        ),
        (
            "first = ['alpha']",
            [&all_of_base, &all_of_other, &["alpha-2-1.noarch.rpm"], &[]],
        ),
        // First comes only what is wanted at all.
        (
            "packages = ['gamma']\nfirst = ['alpha']",
            [&["gamma-1-1.noarch"], &all_of_other, &[], &[]],
        ),
        (
            "first = ['nothing']",
            [&all_of_base, &all_of_other, &[], &["nothing"]],
        ),
    ];
    for (select, [base, other, first, failed]) in cases {
        let (stage, options) = (stage(select), SyncOptions::default());
        let selected = with_run(&stage, &options, |run| {
            let line = vec![
                looked(run, &stage, "base", BASE),
                looked(run, &stage, "other", OTHER),
            ];
            select::select(run, line, &mut RunReport::default())
        });
        let parts = selected
            .into_iter()
            .map(|step| step.map_err(|e| e.report).unwrap().into_parts());
        let [(repo, wanted), (_, of_other)] =
            <[_; 2]>::try_from(parts.collect::<Vec<_>>()).ok().unwrap();
        assert_eq!(
            (&names(&wanted)[..], &names(&of_other)[..]),
            (&owned(base)[..], &owned(other)[..]),
            "{select}"
        );
        assert_eq!(
            wanted.first.into_iter().collect::<Vec<_>>(),
            owned(first),
            "{select}"
        );
        let refused: Vec<String> = wanted.refused.into_iter().map(|(what, _)| what).collect();
        assert_eq!(refused, owned(failed), "{select}");
        assert_eq!(repo.report.failed.len(), failed.len(), "{select}");
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn a_repository_that_left_the_run_still_offers_what_upstream_has() {
    let (stage, options) = (stage("packages = ['alpha']"), SyncOptions::default());
    for (set, failed) in [(Some(stage.set("other", OTHER)), 0), (None, 1)] {
        let mut line = with_run(&stage, &options, |run| {
            let line = vec![looked(run, &stage, "base", BASE), Err(ended(set))];
            select::select(run, line, &mut RunReport::default())
        });
        assert!(
            line.pop().unwrap().is_err(),
            "who has left does not come back"
        );
        let (repo, wanted) = line
            .pop()
            .unwrap()
            .map_err(|e| e.report)
            .unwrap()
            .into_parts();
        assert_eq!(repo.report.failed.len(), failed, "{:?}", repo.report.failed);
        assert_eq!(wanted.packages.len(), 1 - failed);
    }
}

#[test]
fn the_same_closure_of_the_same_upstream_is_nothing_new() {
    // what is published, whether all is done again: how it goes on
    for (published, force, expected) in [
        (
            &["gamma-1-1.noarch"][..],
            false,
            Some(RepoOutcome::NothingNew),
        ),
        (&["gamma-1-1.noarch"], true, None),
        (&["alpha-1-1.noarch"], false, None),
        (&[], false, None),
    ] {
        let stage = stage("packages = ['gamma']");
        let options = SyncOptions {
            force,
            ..SyncOptions::default()
        };
        show(&stage, &options, published, &stage.set("base", BASE));
        let step = with_run(&stage, &options, |run| {
            let line = vec![looked(run, &stage, "base", BASE)];
            select::select(run, line, &mut RunReport::default())
                .pop()
                .unwrap()
        });
        assert_eq!(
            step.err().map(|ended| ended.report.outcome),
            expected,
            "{published:?} {force}"
        );
    }
}

#[test]
fn metadata_that_cannot_be_read_fail_those_that_asked() {
    let (stage, options) = (stage("packages = ['alpha']"), SyncOptions::default());
    let line = with_run(&stage, &options, |run| {
        let line = vec![
            looked(run, &stage, "base", BASE),
            looked(run, &stage, "other", OTHER),
        ];
        std::fs::remove_file(stage.layout.metadata("other").join("repodata/primary.xml")).unwrap();
        select::select(run, line, &mut RunReport::default())
    });
    let outcomes: Vec<_> = line
        .into_iter()
        .map(|step| step.err().map(|e| e.report.outcome))
        .collect();
    assert_eq!(outcomes, [Some(RepoOutcome::Failed), None]);
}

#[test]
fn a_plan_counts_guards_and_only_tells_if_asked_to() {
    let cases = [
        // what upstream has now, options: how it goes on, added, removed
        (BASE, "", None, 2, 0),
        (BASE, "dry", Some(RepoOutcome::Planned), 2, 0),
        (&["gamma-1-1.noarch"][..], "", None, 0, 0),
        (&[], "", Some(RepoOutcome::Failed), 0, 1),
        (&[], "dry", Some(RepoOutcome::Failed), 0, 1),
        (&[], "delete", None, 0, 1),
        (&["gamma-2-1.noarch"], "", None, 1, 1),
    ];
    for (now, word, expected, added, removed) in cases {
        let stage = stage("");
        let options = SyncOptions {
            dry_run: word == "dry",
            allow_delete: word == "delete",
            ..SyncOptions::default()
        };
        let before = stage.set("base", &["gamma-1-1.noarch"]);
        show(&stage, &options, &["gamma-1-1.noarch"], &before);
        let step = with_run(&stage, &options, |run| {
            let line = vec![looked(run, &stage, "base", now)];
            prepare(run, line, &mut RunReport::default()).pop().unwrap()
        });
        let case = format!("{now:?} {word}");
        let (report, outcome) = match step {
            Ok(planned) => (planned.into_parts().0.report, None),
            Err(ended) => (ended.report.clone(), Some(ended.report.outcome)),
        };
        assert_eq!(outcome, expected, "{case}: {:?}", report.error);
        let change = report.change;
        assert_eq!(
            (change.added.len(), change.removed.len()),
            (added, removed),
            "{case}"
        );
        assert_eq!(change.packages, now.len(), "{case}");
        if outcome != Some(RepoOutcome::Failed) {
            // Primary and what is published already are in the store.
            let bytes: usize = change.added.iter().map(String::len).sum();
            assert_eq!(
                (change.to_fetch, change.to_fetch_bytes),
                (added, bytes as u64),
                "{case}"
            );
        }
    }
}

#[test]
fn jobs_are_all_files_or_on_a_first_run_those_that_come_first() {
    let paths = |jobs: Vec<crate::fetch::FetchJob>| -> Vec<(String, u32, bool)> {
        let jobs = jobs.into_iter();
        jobs.map(|job| (job.path, job.priority, job.trust.is_some()))
            .collect()
    };
    for (select, published, first) in [
        ("", false, 0),
        ("first = ['gamma']", false, 2),
        ("first = ['gamma']", true, 0),
    ] {
        let (stage, options) = (stage(select), SyncOptions::default());
        if published {
            show(
                &stage,
                &options,
                &["gamma-1-1.noarch"],
                &stage.set("base", &["gamma-1-1.noarch"]),
            );
        }
        let planned = with_run(&stage, &options, |run| {
            let line = vec![looked(run, &stage, "base", BASE)];
            prepare(run, line, &mut RunReport::default()).pop().unwrap()
        });
        let planned = planned.map_err(|ended| ended.report).unwrap();
        // A package that was judged when it was published is not judged again.
        let gamma = ("gamma-1-1.noarch.rpm".to_owned(), 1, !published);
        let all = paths(planned.jobs());
        assert_eq!(all.len(), 4, "{all:?}");
        assert!(all.contains(&gamma), "{all:?}");
        assert!(
            all.contains(&("repodata/primary.xml".to_owned(), 0, false)),
            "{all:?}"
        );
        let early = paths(planned.first_jobs());
        assert_eq!(early.len(), first, "{early:?}");
        assert!(
            early.iter().all(|(_, priority, _)| *priority == 0),
            "{early:?}"
        );
    }
}

/// Plans, fetches and publishes what upstream has, without a network.
fn carried_out(stage: &Stage, packages: &[&str], spoil: impl FnOnce(&mut Upstream)) -> RepoReport {
    let options = SyncOptions {
        allow_delete: true,
        ..SyncOptions::default()
    };
    with_run(stage, &options, |run| {
        let mut report = RunReport::default();
        let (repo, mut upstream) = looked(run, stage, "base", packages)
            .map_err(|e| e.report)
            .unwrap()
            .into_parts();
        spoil(&mut upstream);
        let planned = prepare(run, vec![Ok(Looked::new(repo, upstream))], &mut report);
        let mut line = carry_out(run, planned, &mut report);
        line.pop().unwrap().err().unwrap().report
    })
}

#[test]
fn a_whole_set_is_published_and_one_that_lacks_a_file_is_not() {
    let stage = stage("");
    let shown = || {
        let state = manifest::read_state(&stage.layout, "base").unwrap();
        state
            .current(layout::CURRENT)
            .map(|shown| shown.stamp.clone())
    };
    let empty = carried_out(&stage, &[], |_| ());
    assert_eq!((empty.outcome, &empty.error), (RepoOutcome::New, &None));
    assert_eq!(empty.snapshot, shown());
    let public = stage.layout.public().join("base/repodata");
    let names = layout::names_in(&public).unwrap();
    assert_eq!(
        names,
        ["primary.xml", "repomd.xml"],
        "an empty repository is one"
    );
    let first = shown();
    // The second of the same second gets a name of its own.
    let second = carried_out(&stage, &[], |_| ());
    assert!(
        second.outcome == RepoOutcome::New && shown() > first,
        "{:?}",
        second.error
    );
    let current = shown();
    // No server has the package; upstream's list itself has a fault.
    let none = "no package can be taken: astray-1-1.noarch: refused";
    for (packages, refused, outcome, expected) in [
        (
            &["gamma-1-1.noarch"][..],
            None,
            RepoOutcome::Partial,
            "gamma-1-1.noarch.rpm",
        ),
        (&[], Some("astray-1-1.noarch"), RepoOutcome::Failed, none),
    ] {
        let report = carried_out(&stage, packages, |upstream| {
            let fault = |what: &str| (listed(what).nevra, "refused".to_owned());
            upstream.refused.extend(refused.map(fault));
        });
        let error = report.error.unwrap_or_default();
        assert_eq!(report.outcome, outcome, "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(report.failed.len(), packages.len());
        assert_eq!(shown(), current, "clients see what they saw");
    }
}
