use super::*;

#[test]
fn the_table_is_ordered() {
    assert!(table::TABLE.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert_eq!(table::TABLE.len(), 160);
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
    assert_eq!(Failure::new(Code::NOTHING_TO_DO).exit_code(), 0);
    assert_eq!(Failure::new(Code::NO_MATCH).exit_code(), 243);
    assert_eq!(Failure::new(Code::transfer(7)).exit_code(), 184);
}
