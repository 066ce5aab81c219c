//! Comments cite documents that stand in the repository: `docs/reference/rpmdb.md, 2.3`. Each cited document exists and
//! has the section.

use std::collections::{BTreeMap, BTreeSet};

/// What begins a citation.
const BEGINS: &str = "docs/";

/// The numbers of a document's headings: `## 2.3 What one install writes`.
fn sections(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let numbers =
        headings.filter_map(|line| line.trim_start_matches('#').split_whitespace().next());
    numbers
        .map(|number| number.trim_end_matches('.').to_owned())
        .filter(|number| number.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

/// A source's comments as one text: a citation may go over the end of a line.
fn comments(text: &str) -> String {
    let lines = text.lines().filter_map(|line| {
        let (_, comment) = line.split_once("//")?;
        Some(comment.trim_start_matches(['/', '!']).trim())
    });
    lines.collect::<Vec<_>>().join(" ")
}

/// The number that a text begins with: `2.3`, `17`.
fn number(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let found = text[..end].trim_end_matches('.');
    (!found.is_empty()).then(|| (found, &text[found.len()..]))
}

/// Document and sections of the citation that a text begins with: one number, `2.3 and 2.4`, `1.1 to 1.8`, `row 25`.
fn citation(text: &str) -> Option<(&str, Vec<&str>)> {
    let end = text.find(|c: char| c.is_whitespace() || "`,;:)".contains(c))?;
    let document = text[..end].trim_end_matches('.');
    let mut rest = text[end..].trim_start_matches('`');
    let mut numbers = Vec::new();
    let mut joint = rest.strip_prefix(", ");
    while let Some(after) = joint {
        let after = ["row ", "rows "]
            .iter()
            .find_map(|word| after.strip_prefix(word))
            .unwrap_or(after);
        let Some((found, tail)) = number(after) else {
            break;
        };
        numbers.push(found);
        rest = tail;
        joint = [" and ", " to ", ", "]
            .iter()
            .find_map(|word| rest.strip_prefix(word));
    }
    document.ends_with(".md").then_some((document, numbers))
}

#[test]
fn cited_documents_and_sections_exist() {
    let root = super::root();
    let (mut wrong, mut sections_cited) = (Vec::new(), 0);
    for (path, text) in super::sources() {
        let comments = comments(&text);
        for (at, _) in comments.match_indices(BEGINS) {
            let Some((document, numbers)) = citation(&comments[at..]) else {
                continue;
            };
            let Ok(cited) = std::fs::read_to_string(root.join(document)) else {
                wrong.push(format!("{path}: there is no {document}"));
                continue;
            };
            let known = sections(&cited);
            let is_table = document.ends_with("threats.md");
            let rows = if is_table {
                super::threats::rows(&cited)
            } else {
                BTreeMap::new()
            };
            for number in numbers {
                sections_cited += 1;
                if !known.contains(number) && !rows.contains_key(number) {
                    wrong.push(format!("{path}: {document} has no section {number}"));
                }
            }
        }
        // What cites a number and no document cites something that does not stand here.
        for loose in [
            "(reference ",
            "reference chapter ",
            "threat model, row",
            "threats row",
            "threat rows",
        ] {
            if comments.contains(loose) {
                wrong.push(format!("{path}: '{loose}' without its document"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(sections_cited > 40, "{sections_cited} sections are cited");
}

#[test]
fn citations_are_understood() {
    let cited =
        |text| citation(text).map(|(document, numbers)| (document.to_owned(), numbers.join(" ")));
    let known = |document: &str, numbers: &str| Some((document.to_owned(), numbers.to_owned()));
    assert_eq!(cited("docs/a.md, 2.3). Next"), known("docs/a.md", "2.3"));
    assert_eq!(
        cited("docs/a.md, 1.1 to 1.8 say"),
        known("docs/a.md", "1.1 1.8")
    );
    assert_eq!(
        cited("docs/a.md, 2.3 and 17."),
        known("docs/a.md", "2.3 17")
    );
    assert_eq!(cited("docs/a.md, row 25; x"), known("docs/a.md", "25"));
    assert_eq!(cited("docs/a.md. Then"), known("docs/a.md", ""));
    assert_eq!(cited("docs/a b"), None);
}
