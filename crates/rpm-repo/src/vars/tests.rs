use super::*;

fn vars() -> Vars {
    let mut vars = Vars::new();
    vars.set_built_in("releasever", "5.0");
    vars.set_built_in("basearch", "x86_64");
    vars
}

#[test]
fn names_with_and_without_braces() {
    let text = |t: &str| vars().expand(t).text;
    assert_eq!(text("a/$releasever/$basearch/"), "a/5.0/x86_64/");
    assert_eq!(text("${releasever}x"), "5.0x");
    assert_eq!(text("$releasever_$basearch"), "5.0_x86_64");
    assert_eq!(text("100$ $/ $"), "100$ $/ $");
    assert_eq!(text("${releasever"), "${releasever");
    let unknown = vars().expand("a$nope/b${no}");
    assert_eq!(unknown.text, "a$nope/b${no}");
    assert_eq!(unknown.unknown, ["nope", "no"]);
}

#[test]
fn parts_of_the_release_and_words_in_braces() {
    let mut vars = vars();
    vars.set("empty", "");
    let text = |t: &str| vars.expand(t).text;
    assert_eq!(text("$releasever_major/$releasever_minor"), "5/0");
    assert_eq!(text("${releasever_major}x$releasever_minor_y"), "5x0_y");
    assert_eq!(text("a${nope:-b}${basearch:-c}"), "abx86_64");
    assert_eq!(text("a${nope:+b}${basearch:+c}${empty:+d}"), "ac");
    assert_eq!(text("${empty:-${nope:-$basearch}}!"), "x86_64!");
    assert_eq!(text("${nope:-}|${nope:?x}|${:-x}"), "|${nope:?x}|${:-x}");
    assert!(vars.expand("${nope:-b}").unknown.is_empty());
    assert_eq!(vars.expand("${nope:-$no}").unknown, ["no"]);
    let deep = "${nope:-".repeat(20_000);
    assert_eq!(text(&deep), deep);
    let closed = format!("{deep}{}", "}".repeat(20_000));
    assert!(text(&closed).len() <= MAX_EXPANDED);
    let mut later = Vars::new();
    later.set_built_in("releasever", "40");
    assert_eq!(
        later.expand("$releasever_major,$releasever_minor.").text,
        "40,."
    );
    later.set("releasever_minor", "9");
    assert_eq!(later.expand("$releasever_minor").text, "9");
}

#[test]
fn a_value_is_not_expanded_again_and_length_is_limited() {
    let mut vars = vars();
    vars.set("a", "$releasever");
    assert_eq!(vars.expand("$a").text, "$releasever");
    vars.set("big", &"x".repeat(MAX_EXPANDED));
    assert!(vars.expand(&"$big".repeat(1000)).text.len() <= MAX_EXPANDED);
}

#[test]
fn the_first_directory_wins_and_files_override_built_ins() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(one.path().join("mirror"), " first \nsecond\n").unwrap();
    std::fs::write(two.path().join("mirror"), "other\n").unwrap();
    std::fs::write(two.path().join("releasever"), "6\n").unwrap();
    std::fs::write(two.path().join("bad-name"), "x\n").unwrap();
    let mut vars = vars();
    vars.add_dir(Path::new("/"), one.path()).unwrap();
    vars.add_dir(Path::new("/"), two.path()).unwrap();
    vars.add_dir(Path::new("/"), &two.path().join("absent"))
        .unwrap();
    assert_eq!(vars.expand("$mirror $releasever").text, "first 6");
    vars.set("releasever", "7");
    assert_eq!(vars.get("releasever"), Some("7"));
    std::fs::write(one.path().join("evil"), "a\x1bb\n").unwrap();
    assert!(
        vars.add_dir(Path::new("/"), one.path())
            .unwrap_err()
            .to_string()
            .contains("evil")
    );
}
