//! `modules.yaml`: streams, their packages, defaults.

use rpm_repo::modules::{ModuleIndex, ModuleRequires, ModuleStream};

fn read(text: &str) -> rpm_repo::Result<ModuleIndex> {
    ModuleIndex::read("m", text.as_bytes())
}

#[test]
fn streams_and_defaults_in_several_spellings() {
    let index = read(
        "---\ndocument: modulemd\nversion: 2\ndata:\n  name: perl\n  stream: \"5.30\"\n  version: 1\n  \
         dependencies:\n  - requires:\n      platform: [el8]\n      any: []\n      lib: [\"2\", -3]\n  - requires: {}\n  api:\n    rpms: [no]\n  artifacts:\n    rpms:\n    \
         - perl-4:5.30-1.x86_64\n    - 'perl-4:5.30-1.src'\n...\n\
         ---\n{document: modulemd, data: {name: node, stream: 18, artifacts: {rpms: [node-1:18-1.noarch]}}}\n\
         ---\ndocument: modulemd-defaults\ndata:\n  module: perl\n  stream: \"5.30\"\n...\n\
         ---\ndocument: modulemd-translations\ndata:\n  module: perl\n  stream: x\n...\n",
    );
    let stream = |module: &str, stream: &str, artifacts: &[&str]| ModuleStream {
        module: module.to_owned(),
        stream: stream.to_owned(),
        artifacts: artifacts.iter().map(|text| (*text).to_owned()).collect(),
        requires: Vec::new(),
    };
    let first = [
        ("platform", vec!["el8"]),
        ("any", Vec::new()),
        ("lib", vec!["2", "-3"]),
    ];
    let texts = |all: Vec<&str>| all.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let first = first.map(|(module, streams)| (module.to_owned(), texts(streams)));
    let index = index.unwrap();
    assert_eq!(
        index.streams,
        [
            ModuleStream {
                requires: vec![first.into(), ModuleRequires::new()],
                ..stream(
                    "perl",
                    "5.30",
                    &["perl-4:5.30-1.x86_64", "perl-4:5.30-1.src"]
                )
            },
            stream("node", "18", &["node-1:18-1.noarch"]),
        ]
    );
    assert_eq!(index.defaults.len(), 1);
    assert_eq!(index.defaults["perl"].as_deref(), Some("5.30"));
}

#[test]
fn of_contradicting_defaults_the_newest_counts() {
    let default = |stream: &str, modified: u64| {
        format!(
            "---\ndocument: modulemd-defaults\ndata:\n  module: m\n  stream: {stream}\n  modified: {modified}\n...\n"
        )
    };
    let of = |text: String| read(&text).unwrap().defaults["m"].clone();
    assert_eq!(of(default("a", 1) + &default("b", 2)).as_deref(), Some("b"));
    assert_eq!(of(default("b", 2) + &default("a", 1)).as_deref(), Some("b"));
    assert_eq!(of(default("a", 1) + &default("b", 1)), None);
}

#[test]
fn hostile_documents_are_errors() {
    let deep = "[".repeat(10_000);
    for text in [deep.as_str(), "a: [", "a: \"", "&a [*a, *b]", "%YAML 9"] {
        assert!(read(text).is_err(), "{text:.20}");
    }
    assert!(ModuleIndex::read("m", &b"\xff\xfe"[..]).is_err());
    for text in [
        "",
        "---\n",
        "- 1\n- 2\n",
        "document: [modulemd]\ndata: x\n",
        "? {a: b}\n: c\n",
    ] {
        assert_eq!(read(text).unwrap().streams, [], "{text}");
    }
}
