use super::*;

#[test]
fn the_table_is_ordered() {
    assert!(table::TABLE.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert_eq!(table::TABLE.len(), 161);
}

#[test]
fn texts_are_those_of_tdnf() {
    assert_eq!(Code::NO_MATCH.text(), "No matching packages");
    assert_eq!(Code::FILE_NOT_FOUND.text(), "No such file or directory");
    assert_eq!(Code::INVALID_PARAMETER.text(), "Invalid argument");
    assert_eq!(Code::transfer(7).text(), "Couldn't connect to server");
    assert_eq!(Code(1026).text(), "Unknown error");
}

#[test]
fn nothing_to_do_is_success() {
    assert_eq!(Failure::new(Code::CLI_NOTHING_TO_DO).exit_code(), 0);
    assert_eq!(Failure::new(Code::NO_MATCH).exit_code(), 243);
    assert_eq!(Failure::new(Code::transfer(7)).exit_code(), 184);
}

#[test]
fn the_documented_exit_codes_are_these() {
    let text = include_str!("../../../docs/exit-codes.md").replace("\\|", "|");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .map(|line| {
            line.split(" | ")
                .map(|cell| cell.trim_matches(['|', ' ']))
                .collect()
        })
        .filter(|row: &Vec<&str>| row.len() >= 3 && row[0].parse::<u32>().is_ok())
        .filter(|row| {
            row[2]
                .chars()
                .all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
        })
        .collect();
    assert_eq!(rows.len(), table::TABLE.len());
    for (row, (number, name, words)) in rows.iter().zip(table::TABLE) {
        assert_eq!(row[0], number.to_string());
        assert_eq!(row[2], *name);
        assert_eq!(
            row[1],
            Failure::new(Code(*number)).exit_code().to_string(),
            "{number}"
        );
        assert_eq!(
            row.get(3).copied().unwrap_or_default(),
            words.unwrap_or_default().trim(),
            "{number}"
        );
    }
}

#[test]
fn a_transaction_with_problems_names_each() {
    use rpm_transaction::{Problem, TransactionError};
    let problems = vec![
        Problem::NeededBefore {
            dep: "shell >= 5".to_owned(),
            package: "tool-1-1.noarch".to_owned(),
        },
        Problem::AlreadyInstalled {
            package: "tool-1-1.noarch".to_owned(),
        },
    ];
    let failure = Failure::from(TransactionError::Problems(problems));
    assert_eq!(failure.code, Code::RPM_CHECK);
    assert_eq!(failure.remarks[0], "Found 2 problems");
    assert_eq!(failure.remarks.len(), 3);
    assert_eq!(
        failure.details,
        [
            "Detected rpm pre-transaction dependency errors. Install shell >= 5 first to resolve \
             this failure.",
            "error: shell >= 5 is needed by tool-1-1.noarch",
            "error: tool-1-1.noarch is already installed",
        ]
    );
    let failure = Failure::from(TransactionError::Cancelled);
    assert_eq!(failure.code, Code::OPERATION_ABORTED);
}
