//! What a bundle takes away from an isolated site, and what it must not.

use std::process::{Command, Stdio};

use testkit::program::Run;

use crate::gap::Gap;

/// What is never meant: a request that nobody can fill takes nothing away from a site.
#[test]
fn a_bundle_of_nothing_is_not_made_and_one_of_little_needs_a_word() {
    let gap = Gap::new();
    gap.put("needy", "1", "Requires: nowhere");
    gap.publish();
    let carried = gap.path("carried");
    let carried = carried.to_str().unwrap();
    let unfilled = |wish: &str| {
        let request = gap.request(&["--installed", "/dev/null", wish]);
        let words = [
            "bundle",
            "make",
            "--full",
            "--output",
            carried,
            "--request",
            &request,
        ];
        let made = gap.outside.run(&words).ends(4);
        let told = format!("Error: {wish} is not in the bundle: ");
        assert!(made.err.starts_with(&told), "{}", made.err);
        assert_eq!(made.err.lines().count(), 1, "{}", made.err);
        assert!(made.out.contains("no bundle was made"), "{}", made.out);
    };
    unfilled("nosuch");
    unfilled("needy");
    assert!(!gap.path("carried").exists());
    let all = ["alpha-1", "beta-1", "gamma-1", "needy-1"];
    gap.apply(&gap.make(&["--site", "ship"])).ends(0);
    unfilled("nosuch");

    let request = gap.request(&["--installed", "/dev/null", "gamma"]);
    let little = gap.make(&["--full", "--request", &request]);
    gap.refused(
        &little,
        "repository base: 3 of 4 packages would go (more than max_delete_percent = 20)",
    );
    let config = gap.path("inside.toml");
    let command = format!(
        "run `mirror-sync --config {} bundle apply {} --allow-delete`",
        config.display(),
        little[0]
    );
    let run = gap.apply(&little).ends(1);
    assert!(run.err.contains(&command), "{command}: {}", run.err);
    assert_eq!(gap.inside_list(), all);
    let run = gap.inside(&["bundle", "apply", "--allow-delete", &little[0]]);
    let told = run.ends(0).out;
    for name in ["alpha", "beta", "needy"] {
        let line = format!("- base {name}-1-1.noarch\n");
        assert!(told.contains(&line), "{line}: {told}");
    }
    assert!(!told.contains("+ "), "{told}");
    assert_eq!(gap.inside_list(), ["gamma-1"]);
}

/// Bundles that were made within one second bring two snapshots, and a channel keeps its own.
#[test]
fn a_snapshot_is_not_written_over_by_a_bundle_of_the_same_second() {
    let gap = Gap::new();
    let request = gap.request(&["--installed", "/dev/null", "gamma"]);
    let carried = gap.path("carried");
    let carried = carried.to_str().unwrap();
    let stamp_of = |bundle: &[String]| {
        let listed = gap.inside(&["--json", "bundle", "list", &bundle[0]]);
        listed.ends(0).json()["repos"][0]["whole"]["stamp"].clone()
    };
    let (first, second) = (0..20)
        .map(|_| {
            // Side by side, so that a busy machine has no second between them.
            let first = Command::new(env!("CARGO_BIN_EXE_mirror-sync"))
                .arg("--config")
                .arg(gap.path("mirror.toml"))
                .args(["--json", "--wait", "1m", "bundle", "make", "--full"])
                .args(["--request", &request, "--output", carried])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let second = gap.make(&["--wait", "1m", "--site", "ship", "--full"]);
            let first = Run::of(first.wait_with_output().unwrap()).ends(0).json();
            let first = first["parts"][0].as_str().unwrap().to_owned();
            (vec![first], second)
        })
        .find(|(first, second)| first < second && stamp_of(first) == stamp_of(second))
        .expect("no two bundles of one second");
    gap.apply(&first).ends(0);
    let promote = ["snapshot", "promote", "base", "--to", "prod"];
    gap.inside(&promote).ends(0);
    gap.apply(&second).ends(0);
    let list = || {
        let listed = gap.inside(&["--json", "snapshot", "list", "base"]);
        let listed = listed.ends(0).json();
        let counts = listed.as_array().unwrap().iter();
        let counts = counts.map(|one| one["packages"].as_u64().unwrap());
        counts.collect::<Vec<_>>()
    };
    assert_eq!(list(), [1, 3]);
    let all = ["alpha-1", "beta-1", "gamma-1"];
    assert_eq!(gap.inside_list(), all);
    let url = format!("file://{}", gap.path("inside/public/prod/base").display());
    gap.inside(&["verify"]).ends(0);
    assert_eq!(gap.outside.dnf_list(&url), ["gamma-1"]);

    // The same set once more, as after a kill, is no third one.
    let applied = gap.path("inside/bundles/applied.json");
    std::fs::remove_file(applied).unwrap();
    gap.apply(&second).ends(0);
    assert_eq!(list(), [1, 3]);
    gap.inside(&["snapshot", "rollback", "base"]).ends(0);
    assert_eq!(gap.inside_list(), ["gamma-1"]);
}
