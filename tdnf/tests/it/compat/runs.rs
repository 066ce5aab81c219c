//! What the tests hand to the program, read from the calls in their sources: a word of an expected text is no run.

mod calls;
mod scope;

use std::collections::BTreeSet;

use syn::visit::{self, Visit};

use calls::Body;
use scope::Scope;

/// Functions and methods of the stages that start the program with the words that they get.
const RUNNERS: &[&str] = &[
    "run", "ok", "command", "bare", "tdnf", "refuses", "arg", "args",
];

/// The words of one run, each with what it may be; an empty set is a word that only the run knows.
pub(super) type Words = Vec<BTreeSet<String>>;

/// A test.
pub(super) struct Test {
    pub(super) name: String,
    pub(super) runs: Vec<Words>,
    /// Keys that are set in a literal with `[main]` or by `--setopt=KEY=`.
    pub(super) main_keys: BTreeSet<String>,
    /// Keys that are set in any other text or by `--setopt=REPO.KEY=`.
    pub(super) keys: BTreeSet<String>,
    /// The string literals of the test and of the functions of its file that it calls.
    pub(super) literals: Vec<String>,
    /// Its whole numbers, and theirs.
    pub(super) numbers: BTreeSet<String>,
}

/// A function of a source file.
struct Function {
    name: String,
    is_test: bool,
    body: Body,
}

/// The functions of a file and its constants.
#[derive(Default)]
struct Functions {
    all: Vec<Function>,
    constants: Vec<(String, syn::Expr)>,
}

impl Functions {
    fn add(&mut self, name: &syn::Ident, attributes: &[syn::Attribute], block: &syn::Block) {
        self.all.push(Function {
            name: name.to_string(),
            is_test: attributes.iter().any(|all| all.path().is_ident("test")),
            body: Body::of(block),
        });
    }
}

impl Visit<'_> for Functions {
    fn visit_item_fn(&mut self, item: &syn::ItemFn) {
        self.add(&item.sig.ident, &item.attrs, &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &syn::ImplItemFn) {
        self.add(&item.sig.ident, &item.attrs, &item.block);
    }

    fn visit_item_const(&mut self, item: &syn::ItemConst) {
        self.constants
            .push((item.ident.to_string(), (*item.expr).clone()));
        visit::visit_item_const(self, item);
    }
}

/// The tests of a file; those that run the program have runs.
pub(super) fn tests(text: &str) -> Vec<Test> {
    let file = syn::parse_file(text).expect("a test that is compiled can be parsed");
    let mut functions = Functions::default();
    functions.visit_file(&file);
    let runners = runners(&functions.all);
    let tests = functions.all.iter().filter(|function| function.is_test);
    tests.map(|test| read(test, &functions, &runners)).collect()
}

/// The functions of a file that hand words on to the program, and those of the stages.
fn runners(all: &[Function]) -> BTreeSet<String> {
    let mut runners: BTreeSet<String> = RUNNERS.iter().map(|name| (*name).to_owned()).collect();
    loop {
        let more: Vec<&Function> = all
            .iter()
            .filter(|function| !function.is_test && !runners.contains(&function.name))
            .filter(|function| function.body.hands_on(&runners))
            .collect();
        if more.is_empty() {
            return runners;
        }
        runners.extend(more.into_iter().map(|function| function.name.clone()));
    }
}

/// What a test does by itself and through the functions of its file.
fn read(test: &Function, functions: &Functions, runners: &BTreeSet<String>) -> Test {
    let mut reached = vec![test];
    let mut next = 0;
    while let Some(from) = reached.get(next) {
        let called = functions.all.iter().filter(|function| {
            from.body.calls(&function.name)
                && !reached.iter().any(|known| known.name == function.name)
        });
        let called: Vec<&Function> = called.collect();
        reached.extend(called);
        next += 1;
    }
    let (mut runs, mut literals) = (Vec::new(), Vec::new());
    let mut numbers = BTreeSet::new();
    let (mut main_keys, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for function in reached {
        let scope = Scope::new(&function.body, &functions.constants);
        runs.extend(function.body.runs(runners, &scope));
        for literal in &function.body.literals {
            let set = literal.lines().flat_map(|line| scope.keys(line));
            match is_main(literal) {
                true => main_keys.extend(set),
                false => keys.extend(set),
            }
        }
        literals.extend(function.body.literals.iter().cloned());
        numbers.extend(function.body.numbers.iter().cloned());
    }
    Test {
        name: test.name.clone(),
        runs,
        main_keys,
        keys,
        literals,
        numbers,
    }
}

/// Whether what a literal sets is for tdnf.conf.
fn is_main(literal: &str) -> bool {
    let setopt = literal.strip_prefix("--setopt=");
    let name = setopt.and_then(|setting| setting.split_once('='));
    name.is_some_and(|(name, _)| !name.contains('.')) || literal.contains("[main]")
}

/// The commands that a run may be: its first word that is neither an option nor the value of one.
pub(super) fn commands<'a>(words: &'a Words, with_value: &BTreeSet<String>) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let may_be = word.iter().map(String::as_str);
        found.extend(may_be.filter(|word| !word.starts_with('-')));
        if word.is_empty() || !found.is_empty() {
            break;
        }
        if word.iter().any(|word| with_value.contains(word)) {
            words.next();
        }
    }
    found
}

#[test]
fn words_are_read_from_calls() {
    let file = r#"
const CASES: &[(&str, &str)] = &[("downgrade", "mark")];
fn helper(site: &Site, out: &str, words: &[&str]) { site.run(words); }
fn other() { complete("update-"); Command::new("rpm").args(["clean"]); }

#[test]
fn a() {
    other();
    for word in ["list", "info"] { assert!(site.run(&["-c", &file, word, "x{"]).ok); }
    helper(&site, "repolist", &["--installroot", &root, "-y", "install", "check"]);
    site.run(&[command, "erase"]);
    let lines = |words: &[&str]| site.run(words).out.lines().count();
    assert_eq!(lines(&["count"]), 3);
    for (words, said) in CASES { site.run(words).said(said); }
    for key in ["one", "two"] { site.write(&format!("[main]\n{key}=3\n three = 4")); }
    site.run(&["--setopt=repo.four=5", "history"]);
}

/// Says "remove" and runs nothing.
#[test]
fn b() { assert!(said("remove")); }
"#;
    let mut found = tests(file);
    found.retain(|test| !test.runs.is_empty());
    let names: Vec<&str> = found.iter().map(|test| test.name.as_str()).collect();
    assert_eq!(names, ["a"]);
    let with_value = BTreeSet::from(["-c".to_owned(), "--installroot".to_owned()]);
    let runs = found[0].runs.iter();
    let run: BTreeSet<&str> = runs
        .flat_map(|words| commands(words, &with_value))
        .collect();
    let expected = ["count", "downgrade", "history", "info", "install", "list"];
    assert_eq!(run, BTreeSet::from(expected));
    let keys = found[0].main_keys.iter().map(String::as_str);
    assert_eq!(Vec::from_iter(keys), ["one", "three", "two"]);
    let keys = found[0].keys.iter().map(String::as_str);
    assert_eq!(Vec::from_iter(keys), ["four"]);
}
