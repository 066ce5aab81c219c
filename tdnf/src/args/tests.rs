use super::*;
use crate::error::{Code, Failure};

fn read(line: &[&str]) -> Result<Args, Failure> {
    parse(
        std::iter::once("tdnf")
            .chain(line.iter().copied())
            .map(str::to_owned),
    )
}

fn code(line: &[&str]) -> Code {
    read(line).expect_err("must be refused").code
}

#[test]
fn options_stand_anywhere() {
    let args = read(&["list", "-y", "glibc", "--disablerepo=*"]).unwrap();
    assert_eq!(args.words, ["list", "glibc"]);
    assert!(args.flag("assumeyes"));
    assert_eq!(args.value("disablerepo"), Some("*"));
}

#[test]
fn long_options_take_one_dash_and_abbreviations() {
    assert_eq!(
        read(&["-disablerepo=*", "repolist"])
            .unwrap()
            .value("disablerepo"),
        Some("*")
    );
    assert_eq!(
        read(&["--enabler=upd", "repolist"])
            .unwrap()
            .value("enablerepo"),
        Some("upd")
    );
    assert!(read(&["-j", "list"]).unwrap().flag("json"));
    assert_eq!(
        read(&["--repo", "list"]).unwrap().words,
        Vec::<String>::new()
    );
    assert_eq!(code(&["-repolist"]), Code::OPTION_NAME_INVALID);
    assert_eq!(code(&["-r", "list"]), Code::OPTION_NAME_INVALID);
}

#[test]
fn letters_work_alone_and_together() {
    let args = read(&["-qy", "-cfile", "install", "x"]).unwrap();
    assert!(args.flag("quiet") && args.flag("assumeyes"));
    assert_eq!(args.value("config"), Some("file"));
    assert_eq!(read(&["-d", "5", "list"]).unwrap().words, ["list"]);
    assert_eq!(read(&["-e", "0", "list"]).unwrap().words, ["list"]);
    assert_eq!(read(&["-x", "foo", "list"]).unwrap().words, ["foo", "list"]);
    assert!(read(&["-i", "/x", "-4", "-6"]).is_ok());
}

#[test]
fn refusals_have_their_numbers() {
    assert_eq!(code(&["--nosuchopt", "list"]), Code::OPTION_NAME_INVALID);
    assert_eq!(code(&["--quiet=1", "list"]), Code::OPTION_NAME_INVALID);
    assert_eq!(code(&["--config"]), Code::OPTION_ARG_REQUIRED);
    assert_eq!(code(&["--setopt=novalue"]), Code::SETOPT_NO_EQUALS);
    assert_eq!(code(&["list", ""]), Code::INVALID_PARAMETER);
    assert_eq!(
        code(&["--version", "--installroot=x"]),
        Code::INVALID_PARAMETER
    );
}

#[test]
fn refusals_show_the_whole_word() {
    let failure = read(&["--quiet=1"]).unwrap_err();
    assert_eq!(
        failure.remarks,
        ["No such option: --quiet=1. Please use /usr/bin/tdnf --help"]
    );
    let failure = read(&["--config"]).unwrap_err();
    assert_eq!(failure.details, ["Option --config requires an argument"]);
}

#[test]
fn setopt_is_the_same_list_as_the_options() {
    let args = read(&[
        "--setopt=enablerepo=foo",
        "--enablerepo",
        "bar",
        "--setopt=a.b=c d",
    ])
    .unwrap();
    assert_eq!(
        args.values("enablerepo").collect::<Vec<_>>(),
        ["foo", "bar"]
    );
    assert_eq!(args.value("a.b"), Some("c d"));
    assert!(!read(&["--json", "--setopt=json=0"]).unwrap().flag("json"));
}

#[test]
fn tdnfj_implies_json_and_yes() {
    let args = parse(["/usr/bin/tdnfj".to_owned(), "list".to_owned()]).unwrap();
    assert!(args.flag("json") && args.flag("assumeyes"));
}

#[test]
fn double_dash_ends_options() {
    assert_eq!(read(&["list", "--", "-y"]).unwrap().words, ["list", "-y"]);
}

#[test]
fn no_option_is_named_twice() {
    for (at, option) in OPTIONS.iter().enumerate() {
        assert!(
            !OPTIONS[..at].iter().any(|other| other.long == option.long),
            "{}",
            option.long
        );
    }
}

#[test]
fn near_names_are_found() {
    assert_eq!(help::near_command("instal").as_deref(), Some("install"));
    assert_eq!(
        help::near_option("--enablerpo=x").as_deref(),
        Some("--enablerepo")
    );
    assert_eq!(help::near_command("zzzzz"), None);
}
