//! What a bundle takes away from an isolated site, and what it must not.

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
