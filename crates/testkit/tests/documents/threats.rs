//! `docs/threats.md`: each test that the table names stands there and speaks of the row, and each test that names a row
//! is in the table.

use std::collections::{BTreeMap, BTreeSet};

/// What a row says where nothing holds it.
const NONE: &str = "no test";
const LAST: u32 = 148;
/// Rows that have no test. One more is a step back; one fewer belongs in the same commit.
const WITHOUT: &[&str] = &["85"];

/// Number and last cell of each row.
pub(super) fn rows(text: &str) -> BTreeMap<String, String> {
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(" | ").collect();
        let number = cells[0].trim_start_matches("| ");
        if cells.len() == 4 && number.parse::<u32>().is_ok() {
            let tests = cells[3].trim_end_matches(" |").to_owned();
            let before = rows.insert(number.to_owned(), tests);
            assert!(before.is_none(), "row {number} stands twice");
        }
    }
    rows
}

/// The tests of the workspace: `tdnf/tests/it::name`, with comment and text.
fn tests() -> BTreeMap<String, String> {
    let mut tests = BTreeMap::new();
    for (path, text) in super::sources() {
        let folder = ["/tests/it/", "/tests/", "/src/"]
            .iter()
            .find_map(|part| Some(&path[..path.find(part)? + part.len() - 1]));
        let Some(folder) = folder else { continue };
        let parts: Vec<&str> = text.split("#[test]").collect();
        for pair in parts.windows(2) {
            // The comment stands above the attribute, behind the end of the item before.
            let comment = pair[0].rsplit("\n\n").next().unwrap_or_default();
            let Some(name) = pair[1]
                .split("fn ")
                .nth(1)
                .and_then(|rest| rest.split('(').next())
            else {
                continue;
            };
            let key = format!("{folder}::{}", name.trim());
            tests
                .entry(key)
                .or_insert_with(String::new)
                .push_str(&format!("{comment}{}", pair[1]));
        }
    }
    tests
}

/// The rows that a test's name or the comment above it names: `row_31_32_x`, `Row 9`, `rows 31 and 32`.
fn named(test: &str, text: &str) -> BTreeSet<String> {
    let (_, name) = test.rsplit_once("::").expect("a folder and a name");
    let mut found = BTreeSet::new();
    let mut follows = false;
    for word in name.split('_') {
        let digits = word.parse::<u32>();
        follows = word == "row" || word == "rows" || (follows && digits.is_ok());
        if let (true, Ok(number @ 1..=LAST)) = (follows, digits) {
            found.insert(number.to_string());
        }
    }
    let comment = text.split("fn ").next().unwrap_or_default();
    let comment = comment
        .lines()
        .filter_map(|line| line.trim().strip_prefix("///"));
    let mut follows = false;
    for word in comment.flat_map(|line| line.split([' ', ',', '(', ')', ':', '.', ';'])) {
        match word.parse::<u32>() {
            Ok(number) if follows => {
                found.insert(number.to_string());
            }
            _ if word.is_empty() || (follows && word == "and") => {}
            _ => follows = ["row", "rows", "Row", "Rows"].contains(&word),
        }
    }
    found
}

/// The tests that a cell names.
fn cited(cell: &str) -> Vec<&str> {
    let words = cell.split('`').skip(1).step_by(2);
    words.filter(|word| word.contains("::")).collect()
}

#[test]
fn every_row_says_what_holds_it() {
    let rows = rows(&super::text_of("docs/threats.md"));
    let tests = tests();
    let mut wrong = Vec::new();
    for number in 1..=LAST {
        let number = number.to_string();
        let Some(cell) = rows.get(&number) else {
            wrong.push(format!("there is no row {number}"));
            continue;
        };
        let named_tests = cited(cell);
        if named_tests.is_empty() != cell.starts_with(NONE)
            || named_tests.is_empty() != WITHOUT.contains(&number.as_str())
        {
            wrong.push(format!("row {number}: '{cell}'"));
        }
        for test in named_tests {
            match tests.get(test) {
                None => wrong.push(format!("row {number}: there is no test {test}")),
                Some(text) if !named(test, text).contains(&number) => {
                    wrong.push(format!("row {number}: {test} does not speak of it"));
                }
                Some(_) => {}
            }
        }
    }
    for (test, text) in &tests {
        for number in named(test, text) {
            let listed = rows
                .get(&number)
                .is_some_and(|cell| cited(cell).contains(&test.as_str()));
            if !listed {
                wrong.push(format!(
                    "{test} speaks of row {number}, which does not name it"
                ));
            }
        }
    }
    assert_eq!(rows.len(), LAST as usize);
    assert!(wrong.is_empty(), "docs/threats.md: {wrong:#?}");
}

/// Row 104: a run of tdnf reads the clock once, so that it cannot jump during one. Whoever reads it besides is here.
#[test]
fn row_104_the_clock_is_read_once() {
    const READERS: [(&str, usize); 3] = [
        // `touch` of a scriptlet: the time that the scriptlet asks for.
        ("crates/rpm-transaction/src/scripts/posix.rs", 1),
        // The date at the head of a report.
        ("tdnf/src/programs/automatic/mod.rs", 1),
        ("tdnf/src/settings/environment.rs", 1),
    ];
    let reads = [
        "SystemTime::now",
        "Utc::now",
        "Local::now",
        "Timestamp::now",
        "clock_gettime",
        "CLOCK_REALTIME",
    ];
    let of_tdnf = |path: &str| {
        let product =
            path.starts_with("tdnf/src") || path.starts_with("crates/") && path.contains("/src/");
        product && !path.contains("testkit/") && !path.contains("tests")
    };
    let mut found = Vec::new();
    for (path, text) in super::sources().iter().filter(|(path, _)| of_tdnf(path)) {
        let product = text.split("#[cfg(test)]").next().unwrap_or_default();
        let count: usize = reads.iter().map(|read| product.matches(read).count()).sum();
        if count > 0 {
            found.push((path.clone(), count));
        }
    }
    assert_eq!(found, READERS.map(|(path, count)| (path.to_owned(), count)));
}

#[test]
fn rows_are_found_in_names_and_comments() {
    let rows = |name: &str, comment: &str| {
        let found = named(
            &format!("tdnf/tests/it::{name}"),
            &format!("{comment}\nfn {name}()"),
        );
        found.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(rows("row_31_32_href", ""), "31 32");
    assert_eq!(rows("row_31_dotdot_and_row_32_encoded", ""), "31 32");
    assert_eq!(rows("row_89_after_3_steps", ""), "89");
    assert_eq!(rows("damaged", "/// Row 9, and more."), "9");
    assert_eq!(rows("damaged", "/// Rows 44, 46 and 60: x"), "44 46 60");
    assert_eq!(rows("row_06_304_lie", "/// An arrow 2, rows of 3."), "6");
}
