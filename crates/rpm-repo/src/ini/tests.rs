use super::*;

fn parsed(text: &str) -> Result<Document> {
    parse(text.as_bytes(), Path::new("f"), |key| key == "enabled")
}

fn value(text: &str, key: &str) -> String {
    parsed(text).unwrap().sections[0]
        .get(key)
        .unwrap()
        .value
        .clone()
}

#[test]
fn continuation_lines_join_with_one_space() {
    assert_eq!(
        value("[a]\nurls=\n  one\n\ttwo\n  # not\n  three\n", "urls"),
        "one two three"
    );
    // After an empty line an indented line is a line of its own.
    assert!(parsed("[a]\nurls=one\n\n  two\n").is_err());
}

#[test]
fn an_indented_known_key_is_a_key() {
    let text = "[a]\n  name = x\n  enabled=1\n  url?a=b\n";
    assert_eq!(value(text, "enabled"), "1 url?a=b");
    assert_eq!(value("[a]\nname = x\n  y=z\n", "name"), "x y=z");
}

#[test]
fn comments_marks_and_line_ends() {
    let text = "\u{feff}# c\r\n\r\n; d\r\n[ a ]\r\nname = x # no comment ; here\r\nname=y\r\n";
    let document = parsed(text).unwrap();
    assert_eq!(document.sections[0].name, "a");
    assert_eq!(document.sections[0].entries.len(), 2);
    assert_eq!(document.sections[0].get("name").unwrap().value, "y");
    assert_eq!(
        document.sections[0].entries[0].value,
        "x # no comment ; here"
    );
    assert_eq!(document.sections[0].entries[1].place.to_string(), "f:6");
}

#[test]
fn limits_and_bad_bytes() {
    assert!(parsed(&format!("[a]\nk={}", "x".repeat(MAX_VALUE + 1))).is_err());
    assert!(parsed(&format!("[a]\nk={}", "x\n y".repeat(MAX_VALUE))).is_err());
    assert!(parse(b"[a]\nk=\xff", Path::new("f"), |_| false).is_err());
    assert!(parsed("[a]\n=x").is_err());
}
