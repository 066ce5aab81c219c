use super::*;
use crate::error::{Code, Failure};

fn read(line: &[&str]) -> Result<Args, Failure> {
    parse(
        std::iter::once("tdnf")
            .chain(line.iter().copied())
            .map(str::to_owned),
    )
}

fn repos(args: &Args) -> Vec<RepoSwitch> {
    args.options.repos.0.clone()
}

fn enabled(repo: &str) -> RepoSwitch {
    RepoSwitch::Enable(repo.to_owned())
}

fn disabled(repo: &str) -> RepoSwitch {
    RepoSwitch::Disable(repo.to_owned())
}

fn code(line: &[&str]) -> Code {
    read(line).expect_err("must be refused").code
}

#[test]
fn options_stand_anywhere() {
    let args = read(&["list", "-y", "glibc", "--disablerepo=*"]).unwrap();
    assert_eq!(args.words, ["list", "glibc"]);
    assert!(args.options.change.assumeyes);
    assert_eq!(repos(&args), [disabled("*")]);
}

#[test]
fn long_options_take_one_dash_and_abbreviations() {
    assert_eq!(
        repos(&read(&["-disablerepo=*", "repolist"]).unwrap()),
        [disabled("*")]
    );
    assert_eq!(
        repos(&read(&["--enabler=upd", "repolist"]).unwrap()),
        [enabled("upd")]
    );
    assert!(read(&["-j", "list"]).unwrap().options.output.json);
    assert_eq!(
        read(&["--repo", "list"]).unwrap().words,
        Vec::<String>::new()
    );
    assert_eq!(code(&["-repolist"]), Code::CLI_OPTION_NAME_INVALID);
    assert_eq!(code(&["-r", "list"]), Code::CLI_OPTION_NAME_INVALID);
}

#[test]
fn letters_work_alone_and_together() {
    let args = read(&["-qy", "-cfile", "install", "x"]).unwrap();
    assert!(args.options.output.quiet && args.options.change.assumeyes);
    assert_eq!(args.options.general.config.as_deref(), Some("file"));
    assert_eq!(read(&["-d", "5", "list"]).unwrap().words, ["list"]);
    assert_eq!(read(&["-e", "0", "list"]).unwrap().words, ["list"]);
    let args = read(&["-x", "foo", "install", "-xbar"]).unwrap();
    assert_eq!(args.words, ["install"]);
    assert_eq!(args.options.excludes.exclude, ["foo", "bar"]);
    assert!(read(&["-i", "/x", "-4", "-6"]).is_ok());
}

#[test]
fn refusals_have_their_numbers() {
    assert_eq!(
        code(&["--nosuchopt", "list"]),
        Code::CLI_OPTION_NAME_INVALID
    );
    assert_eq!(code(&["--quiet=1", "list"]), Code::CLI_OPTION_NAME_INVALID);
    assert_eq!(code(&["--config"]), Code::CLI_OPTION_ARG_REQUIRED);
    assert_eq!(code(&["--setopt=novalue"]), Code::CLI_SETOPT_NO_EQUALS);
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
    assert_eq!(repos(&args), [enabled("foo"), enabled("bar")]);
    let pair = args.options.general.setopt.last().unwrap();
    assert_eq!((pair.key.as_str(), pair.value.as_str()), ("a.b", "c d"));
    let json = |line: &[&str]| read(line).unwrap().options.output.json;
    assert!(!json(&["--json", "--setopt=json=0"]));
    assert!(json(&["--json", "--setopt=json=false", "-j"]));
    assert!(json(&["--setopt=json=1"]));
}

#[test]
fn tdnfj_implies_json_and_yes() {
    let args = parse(["/usr/bin/tdnfj".to_owned(), "list".to_owned()]).unwrap();
    assert!(args.options.output.json && args.options.change.assumeyes);
}

#[test]
fn double_dash_ends_options() {
    assert_eq!(read(&["list", "--", "-y"]).unwrap().words, ["list", "-y"]);
}

#[test]
fn near_names_are_found() {
    let hints = |word: &str| read(&[word]).unwrap_err().hints;
    assert_eq!(hints("--enablerpo=x"), ["did you mean '--enablerepo'?"]);
    assert!(hints("--zzzzz").is_empty());
}

/// clap's own check of a definition: no name twice, no letter twice.
#[test]
fn the_definition_is_sound() {
    options::definition().debug_assert();
    for command in crate::commands::ALL {
        crate::commands::help::with_options(command).debug_assert();
    }
}

/// The options of tdnf 3.6.
const OF_TDNF: &str = "all alldeps allowerasing arch assumeno assumeyes available best builddeps \
    cacheonly changelogs config conflicts debuglevel debugsolver delete depends disableexcludes \
    disableplugin disablerepo downgrades download-metadata download-path downloaddir downloadonly \
    duplicates enableplugin enablerepo enhances exclude extras file from gpgcheck help info \
    installed installroot json list metadata-path newest-only noautoremove nodeps nogpgcheck \
    noplugins norepopath obsoletes provides qf quiet reboot-required recent recommends refresh \
    releasever repo repofromdir repofrompath repoid requires requires-pre reverse rpmdefine \
    rpmverbosity sec-severity security setopt skip-broken skipconflicts skipdigest skipobsoletes \
    skipsignature source suggests summary supplements testonly to updates upgrades urls \
    userinstalled verbose version whatconflicts whatdepends whatenhances whatobsoletes \
    whatprovides whatrecommends whatrequires whatsuggests whatsupplements";

/// An option that is added never takes an abbreviation away from scripts.
#[test]
fn abbreviations_of_tdnf_stay() {
    let names: Vec<&str> = OF_TDNF.split_whitespace().collect();
    let lookup = OptionLookup::new();
    let takes = |name: &str| lookup.by_name(name).unwrap().takes_value();
    for name in &names {
        for end in 1..name.len() {
            let short = &name[..end];
            let fitting = names
                .iter()
                .filter(|other| other.starts_with(short))
                .count();
            if names.contains(&short) || fitting > 1 {
                continue;
            }
            // An option of lock by now; elsewhere the same scope.
            if short == "update" {
                let scopes = read(&["list", "--update"]).unwrap().scopes;
                assert_eq!(scopes, read(&["list", "--updates"]).unwrap().scopes);
                assert_eq!(scopes.len(), 1);
                continue;
            }
            let word = format!("--{short}");
            let value = if takes(name) { "/1=1" } else { "list" };
            let long = Getopt::new(&lookup).read([word, value.to_owned()]);
            let full = long
                .options
                .first()
                .map(|word| word.split('=').next().unwrap());
            assert_eq!(full, Some(format!("--{name}").as_str()), "{short}");
        }
    }
}

#[test]
fn whatever_names_no_option_is_refused() {
    for word in [
        "--=x",
        "-=",
        "-=x",
        "--\u{e9}",
        "-\u{e9}",
        "-qz",
        "-qz=1",
        "-\u{fffd}",
        "--re",
        "--q f",
        "-z",
    ] {
        let failure = read(&[word, "list"]).unwrap_err();
        assert_eq!(failure.code, Code::CLI_OPTION_NAME_INVALID, "{word}");
        let line = format!("No such option: {word}. Please use /usr/bin/tdnf --help");
        assert_eq!(failure.remarks, [line]);
    }
}

#[test]
fn a_missing_value_names_the_option_as_typed() {
    for (word, named) in [
        ("--config", "--config"),
        ("-confi", "-confi"),
        ("-qc", "-c"),
        ("-e", "-e"),
        ("--setopt", "--setopt"),
    ] {
        let failure = read(&["list", word]).unwrap_err();
        assert_eq!(failure.code, Code::CLI_OPTION_ARG_REQUIRED, "{word}");
        let line = format!("Option {named} requires an argument");
        assert_eq!(failure.details, [line]);
    }
}

/// The last one counts; lists grow; an empty value and one with a dash are values.
#[test]
fn options_may_be_repeated_and_hold_anything() {
    let line = [
        "-c",
        "a",
        "--config=",
        "-q",
        "--quiet",
        "--exclude",
        "-x",
        "--exclude=--",
        "list",
    ];
    let args = read(&line).unwrap();
    assert_eq!(args.options.general.config.as_deref(), Some(""));
    assert_eq!(args.options.excludes.exclude, ["-x", "--"]);
    assert_eq!(args.words, ["list"]);
    assert_eq!(
        args.line(),
        "-c a --config= -q --quiet --exclude -x --exclude=-- list"
    );
    assert!(read(&["-e", "", "-d", "--", "list"]).is_ok());
}

/// The first mistake of a line is the one that is told.
#[test]
fn the_first_mistake_is_told() {
    assert_eq!(code(&["--nosuch", ""]), Code::CLI_OPTION_NAME_INVALID);
    assert_eq!(code(&["", "--nosuch"]), Code::INVALID_PARAMETER);
    assert_eq!(
        code(&["--setopt=x", "--nosuch"]),
        Code::CLI_SETOPT_NO_EQUALS
    );
    assert_eq!(
        code(&["--nosuch", "--setopt=x"]),
        Code::CLI_OPTION_NAME_INVALID
    );
    assert_eq!(code(&["--json-version=3"]), Code::INVALID_PARAMETER);
    assert_eq!(code(&["--setopt=json-version=3"]), Code::INVALID_PARAMETER);
}

#[test]
fn the_last_scope_counts() {
    let scope = |line: &[&str]| read(line).unwrap().scopes.last().copied();
    assert_eq!(scope(&["list"]), None);
    assert_eq!(scope(&["--installed", "--updates"]), Some(Scope::Upgrades));
    assert_eq!(
        scope(&["--recent", "--all", "--recent"]),
        Some(Scope::Recent)
    );
    assert_eq!(
        scope(&["--all", "--extras", "--setopt=extras=0"]),
        Some(Scope::All)
    );
}

/// What `-v` shows: long options and pairs, letters left out.
#[test]
fn long_options_are_shown_in_order() {
    let args = read(&[
        "-y",
        "--best",
        "-repo=a",
        "--setopt= k = v ",
        "--setopt=best=0",
    ])
    .unwrap();
    let shown: Vec<String> = args
        .shown
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    assert_eq!(shown, ["best=1", "repo=a", "k=v", "best=0"]);
    assert!(!args.options.incoming.best);
}
