//! The steps of a change are types, and each comes out of one function only (ARCHITECTURE.md, the way of `tdnf install X`):
//! nobody can install what was not verified, or commit what was not staged.

/// Where the steps are made and used.
const FOLDERS: [&str; 2] = ["tdnf/src/", "crates/rpm-transaction/src/"];

/// Each step: its type, its file, and the function that makes it.
const STEPS: [(&str, &str, &str); 5] = [
    ("Fetched", "tdnf/src/change/fetch.rs", "fetch"),
    ("Verified", "tdnf/src/change/verify/mod.rs", "verify"),
    ("Checked", "crates/rpm-transaction/src/check.rs", "check"),
    ("Staged", "crates/rpm-transaction/src/stage.rs", "stage"),
    (
        "Committed",
        "crates/rpm-transaction/src/commit.rs",
        "finish",
    ),
];

/// Where a text writes values of a type: not its definition, a pattern, or what a function gives.
fn literals(text: &str, name: &str) -> Vec<usize> {
    let is_value = |at: &usize| {
        let before = &text[..*at];
        let part = before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        let others = ["struct", "impl", "for", "let", "->"];
        !part && !others.iter().any(|word| before.trim_end().ends_with(word))
    };
    let literal = format!("{name} {{");
    let places = text.match_indices(&literal).map(|(at, _)| at);
    places.filter(is_value).collect()
}

/// The functions of a text that make a value of a type, by its name or, in its own `impl`, as `Self`.
fn makers<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let mut places = literals(text, name);
    for (start, _) in text.match_indices(&format!("impl {name}")) {
        let block = &text[start..];
        let block = &block[..block.find("\n}\n").unwrap_or(block.len())];
        // A longer name that begins with this one.
        let rest = block.get("impl ".len() + name.len()..).unwrap_or_default();
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        places.extend(literals(block, "Self").into_iter().map(|at| start + at));
    }
    let function = |at: usize| {
        let name = text[..at].rsplit("fn ").next().unwrap_or_default();
        let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
        &name[..end.unwrap_or(name.len())]
    };
    // Before the first function of a file: a variant of that name.
    let found = places.into_iter().map(function);
    found.filter(|function| !function.is_empty()).collect()
}

/// What is wrong with the definition of a step: it may not be copied or made of nothing, may not be dropped
/// unseen, and no other crate may fill in its fields.
fn faults(text: &str, name: &str) -> Vec<&'static str> {
    let found = |end| text.find(&format!("pub struct {name}{end}"));
    let Some(start) = found(" {").or_else(|| found("<")) else {
        return vec!["is not there"];
    };
    let above = text[..start].rsplit("\n\n").next().unwrap_or_default();
    let fields = &text[start..];
    let fields = &fields[..fields.find("\n}\n").unwrap_or(fields.len())];
    let other = |bound: &str| text.contains(&format!("{bound} for {name}"));
    let checks = [
        (
            above.contains("Default") || other("Default"),
            "has a Default",
        ),
        (above.contains("Clone") || other("Clone"), "can be copied"),
        (!above.contains("#[must_use"), "may be dropped unseen"),
        (fields.contains("    pub "), "has open fields"),
    ];
    let found = checks.into_iter().filter(|(wrong, _)| *wrong);
    found.map(|(_, what)| what).collect()
}

#[test]
fn each_step_comes_out_of_one_function() {
    let sources = super::sources();
    for (name, file, maker) in STEPS {
        let text = super::text_of(file);
        assert_eq!(faults(&text, name), Vec::<&str>::new(), "{file}: {name}");
        let mut found = Vec::new();
        for (path, text) in &sources {
            if FOLDERS.iter().any(|folder| path.starts_with(folder)) {
                found.extend(makers(text, name).into_iter().map(|by| (&path[..], by)));
            }
        }
        assert_eq!(found, [(file, maker)], "{name} is made there");
    }
}

#[test]
fn a_second_maker_and_an_open_definition_are_found() {
    let text = "/// A step.\n#[derive(Debug, Default)]\npub struct Step {\n    pub field: u8,\n}\n\n\
                impl Step {\n    fn new() -> Self {\n        Self { field: 1 }\n    }\n}\n\n\
                fn make() -> Step {\n    Ok(Step { field: 1 })\n}\n\n\
                fn take(step: Step) {\n    let Step { field } = step;\n    Other::Step { field };\n}\n";
    assert_eq!(makers(text, "Step"), ["make", "new"]);
    assert_eq!(
        faults(text, "Step"),
        ["has a Default", "may be dropped unseen", "has open fields"]
    );
    assert_eq!(faults("", "Step"), ["is not there"]);
}
