//! Man pages, completion and the commands of `./dev` about them and about valgrind.

#[path = "../../examples/tdnf-man/formats.rs"]
mod formats;
#[path = "../../examples/tdnf-man/pages.rs"]
mod pages;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::cli::{Site, plain};

/// groff formats every page without a word of warning, and each option of the table is in them.
#[test]
fn man_pages_are_good() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let files = pages::write(dir.path()).expect("pages can be written");
    assert!(files.len() > 30, "{}", files.len());
    for command in tdnf::commands::ALL {
        let names = std::iter::once(&command.name).chain(command.aliases);
        for name in names {
            assert!(
                dir.path().join(format!("tdnf-{name}.8")).is_file(),
                "{name}"
            );
        }
    }
    let tool = fs::read_to_string(dir.path().join("tdnf.8")).expect("written");
    let definition = tdnf::args::options::definition();
    let shown = definition.get_arguments().filter(|o| !o.is_hide_set());
    for option in shown {
        let name = match (option.get_long(), option.get_short()) {
            (Some(long), _) => format!("\\-\\-{}", long.replace('-', "\\-")),
            (None, Some(short)) => format!("\\-{short}"),
            (None, None) => continue,
        };
        assert!(tool.contains(&name), "{name} is not in tdnf.8");
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("written");
        if text.starts_with(".so ") {
            continue;
        }
        let output = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-z"])
            .arg(&file)
            .output()
            .expect("groff runs");
        assert!(output.status.success(), "{}", file.display());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.is_empty(), "{}: {said}", file.display());
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(&file)
            .output()
            .expect("mandoc runs");
        let said = String::from_utf8_lossy(&lint.stdout);
        assert!(said.is_empty(), "{said}");
    }
}

/// Everything that the install command puts below a directory.
#[test]
fn install_puts_everything_in_place() {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let pages_dir = dir.path().join("pages");
    pages::write(&pages_dir).expect("pages can be written");
    let destination = dir.path().join("dest");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // The other tools and what is made with them are empty files here: tests of theirs look into those.
    let programs = dir.path().join("programs");
    fs::create_dir(&programs).expect("ours");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tdnf"), programs.join("tdnf")).expect("ours");
    for tool in ["repo-tools", "mirror-sync"] {
        fs::write(programs.join(tool), "").expect("ours");
        for file in [
            format!("{tool}.1"),
            format!("{tool}.bash"),
            format!("_{tool}"),
        ] {
            fs::write(pages_dir.join(file), "").expect("ours");
        }
    }
    fs::write(pages_dir.join("createrepo_c.bash"), "").expect("ours");
    // The page that its unit names.
    fs::write(pages_dir.join("mirror-sync-serve.1"), "").expect("ours");
    // Another package's program under one of our other names.
    let other = destination.join("usr/bin/mergerepo_c");
    fs::create_dir_all(other.parent().expect("below")).expect("ours");
    fs::write(&other, "another\n").expect("ours");
    let install = |word: &str| {
        let output = Command::new("bash")
            .arg(root.join("dev"))
            .arg("install")
            .arg(format!("{word}{}", destination.display()))
            .env("TDNF_PROGRAMS", &programs)
            .env("TDNF_MAN_PAGES", &pages_dir)
            .output()
            .expect("bash runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    install("DESTDIR=");
    let has = |name: &str| destination.join(name).symlink_metadata().is_ok();
    for name in [
        "usr/bin/tdnf",
        "usr/bin/yum",
        "usr/bin/tyum",
        "usr/bin/tdnfj",
        "usr/bin/tdnf-config",
        "usr/bin/tdnf-automatic",
        "usr/bin/tdnf-cache-updateinfo",
        "usr/lib/tdnf/tdnf-history-util",
        "usr/share/man/man8/tdnf.8",
        "usr/share/man/man8/tdnf-install.8",
        "usr/share/man/man5/tdnf.conf.5",
        "usr/share/bash-completion/completions/tdnf",
        "usr/share/zsh/site-functions/_tdnf",
        "usr/share/fish/vendor_completions.d/tdnf.fish",
        "usr/lib/systemd/system/tdnf-automatic.timer",
        "etc/tdnf/tdnf.conf",
        "etc/tdnf/automatic.conf",
        "etc/tdnf/pluginconf.d/tdnfmetalink.conf",
        "etc/motdgen.d/02-tdnf-updateinfo.sh",
        "usr/bin/repo-tools",
        "usr/bin/createrepo_c",
        "usr/bin/sqliterepo",
        "usr/bin/mirror-sync",
        "usr/share/man/man1/repo-tools.1",
        "usr/share/man/man1/mirror-sync.1",
        "usr/share/bash-completion/completions/yum",
        "usr/share/bash-completion/completions/createrepo_c",
        "usr/share/bash-completion/completions/mirror-sync",
        "usr/share/fish/vendor_completions.d/yum.fish",
        "usr/share/zsh/site-functions/_repo-tools",
        "usr/lib/systemd/system/mirror-sync.timer",
        "usr/share/doc/mirror-sync/mirror-sync.toml",
        "usr/share/doc/tdnf/example.repo",
    ] {
        assert!(has(name), "{name} is missing");
    }
    // The pages that units name.
    let units = fs::read_dir(destination.join("usr/lib/systemd/system")).expect("installed");
    let mut named = 0;
    for unit in units {
        let text = fs::read_to_string(unit.expect("readable").path()).expect("text");
        let named_here = text
            .lines()
            .filter_map(|line| line.strip_prefix("Documentation="));
        for page in named_here
            .flat_map(str::split_whitespace)
            .filter_map(|place| place.strip_prefix("man:"))
        {
            let (page, section) = page.trim_end_matches(')').split_once('(').expect("name(N)");
            assert!(
                has(&format!("usr/share/man/man{section}/{page}.{section}")),
                "{page}"
            );
            named += 1;
        }
    }
    assert!(named > 4, "{named}");
    for tool in ["tdnf", "repo-tools", "mirror-sync"] {
        let dir = destination.join("usr/share/doc").join(tool);
        let (dead, links) = testkit::words::dead_links(&dir).expect("readable");
        assert!(
            dead.is_empty() && links > 0,
            "{links} links, dead: {dead:?}"
        );
    }
    let history = destination.join("usr/lib/tdnf/tdnf-history-util");
    assert!(history.exists(), "the link leads to the program");
    // What the administrator wrote stays, and is named; what nobody changed is replaced.
    let conf = destination.join("etc/tdnf/tdnf.conf");
    fs::write(&conf, "[main]\n# mine\n").expect("ours");
    let (old, shipped) = (
        "etc/tdnf/automatic.conf",
        "usr/share/doc/tdnf/etc/tdnf/automatic.conf",
    );
    for name in [old, shipped] {
        fs::write(destination.join(name), "# of an older version\n").expect("ours");
    }
    let said = install("");
    let text = |name: &str| fs::read_to_string(destination.join(name)).expect("it is there");
    assert_eq!(text("etc/tdnf/tdnf.conf"), "[main]\n# mine\n");
    assert_eq!(text(old), text(shipped));
    assert!(text(old).contains("upgrade_type"));
    assert_eq!(text("usr/bin/mergerepo_c"), "another\n");
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(
        lines,
        [
            "==> etc/tdnf/tdnf.conf stays as it is; what is shipped now is usr/share/doc/tdnf/etc/tdnf/tdnf.conf",
            "==> usr/bin/mergerepo_c is another program and stays",
        ]
    );
}

/// What `./dev` lists: names and what stands beside them.
fn commands_of_dev(root: &Path) -> Vec<String> {
    let usage = Command::new("bash")
        .arg(root.join("dev"))
        .output()
        .expect("bash runs");
    assert!(usage.status.success(), "{usage:?}");
    let usage = String::from_utf8_lossy(&usage.stdout).into_owned();
    let lines = usage
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next());
    lines.map(str::to_owned).collect()
}

/// `./dev` is the one list of commands: it names each that it has, and documents and CI name no other.
#[test]
fn commands_are_listed_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listed = commands_of_dev(&root);
    let script = fs::read_to_string(root.join("dev")).expect("it is there");
    let mut functions: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("cmd_")?.split_once("()"))
        .map(|(name, _)| name)
        .collect();
    assert!(listed.iter().any(|name| name == "install"), "{listed:?}");
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    functions.sort_unstable();
    assert_eq!(sorted, functions, "the list of ./dev and its functions");
    for name in listed.iter().filter(|name| *name != "setup") {
        let needs = format!("source <(sed '/^command=/,$d' dev); needs {name}");
        let packages = Command::new("bash")
            .args(["-c", &needs])
            .current_dir(&root)
            .output()
            .expect("bash runs");
        assert!(
            packages.status.success(),
            "./dev setup {name}: {packages:?}"
        );
        assert!(!packages.stdout.is_empty(), "./dev setup {name}");
    }
    let mut mentions = 0;
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "RELEASING.md",
        ".ci/run",
    ] {
        let text = fs::read_to_string(root.join(name)).expect("it is there");
        for after in text.split("./dev ").skip(1) {
            let word: String = after
                .chars()
                .take_while(char::is_ascii_alphabetic)
                .collect();
            if !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase()) {
                assert!(listed.contains(&word), "{name}: ./dev {word}");
                mentions += 1;
            }
        }
    }
    assert!(mentions > 5, "{mentions}");
    assert!(!root.join("justfile").exists(), "a second list of commands");
}

/// The reading commands under valgrind: `./dev valgrind` makes the binary that it can look into.
#[test]
fn reading_commands_under_valgrind() {
    if std::env::var_os("TDNF_VALGRIND_BINARY").is_none() {
        return testkit::fixtures::skipped("no TDNF_VALGRIND_BINARY: ./dev valgrind makes one");
    }
    let output = Command::new("bash")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../dev"))
        .arg("valgrind")
        .output()
        .expect("bash runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("valgrind tdnf history"), "{said}");
}

/// What a shell finds as `tdnf`, as its PATH.
fn path_with_tdnf(site: &Site) -> String {
    let bin = site.path("bin");
    fs::create_dir_all(&bin).expect("ours");
    let _ = std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tdnf"), bin.join("tdnf"));
    format!("{}:/usr/bin:/bin", bin.display())
}

/// A line about the site's root.
fn line_of(site: &Site, line: &str) -> String {
    let options = format!(
        "tdnf -c {} --installroot {} ",
        site.path("tdnf.conf").display(),
        site.path("root").display()
    );
    line.replacen("tdnf ", &options, 1)
}

fn completion_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../conf/completions")
        .join(name)
}

fn lines_of(output: Output) -> Vec<String> {
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Candidates that a real bash gets for a line.
fn bash(site: &Site, line: &str) -> Vec<String> {
    let script = r#"
        source "$1"
        COMP_LINE=$2 COMP_POINT=${#2}
        _tdnf
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let output = Command::new("bash")
        .args(["--norc", "-c", script, "bash"])
        .arg(completion_file("tdnf.bash"))
        .arg(line_of(site, line))
        .env("PATH", path_with_tdnf(site))
        .output();
    lines_of(output.expect("bash runs"))
}

/// Candidates that a real fish gets, each with its description, sorted as fish does.
fn fish(site: &Site, line: &str) -> Vec<String> {
    let output = Command::new("fish")
        .args(["--no-config", "-c", "source $argv[1]; complete -C $argv[2]"])
        .arg(completion_file("tdnf.fish"))
        .arg(line_of(site, line))
        .env_clear()
        .env("PATH", path_with_tdnf(site))
        .env("HOME", site.path("home"))
        .output();
    lines_of(output.expect("fish runs"))
}

/// An interactive zsh that completes `$LINE`, tells in `$OUT` what was offered and what became of
/// the line, and ends. `compadd -O` says which of its words fit.
const ZSHRC: &str = r#"
PS1='> '
fpath=($FUNCTIONS $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {
    local -a fits
    builtin compadd -O fits "$@"
    (( $#fits )) && print -rl -- $fits >> $OUT
    builtin compadd "$@"
}
zle-line-init() {
    BUFFER=$LINE CURSOR=$#LINE
    zle complete-word
    print -r -- "line ${BUFFER#$LINE}" >> $OUT
    BUFFER=exit
    zle accept-line
}
zle -N zle-line-init
"#;

/// Candidates that a real zsh gets, and as the last line what was added to the line.
fn zsh(site: &Site, line: &str) -> Vec<String> {
    site.write("zsh/.zshrc", ZSHRC);
    let out = site.path("zsh/out");
    let _ = fs::remove_file(&out);
    let output = Command::new("script")
        .args(["-qec", "zsh -i", "/dev/null"])
        .env_clear()
        .env("PATH", path_with_tdnf(site))
        .env("HOME", site.path("zsh"))
        .env("ZDOTDIR", site.path("zsh"))
        .env("TERM", "vt100")
        .env("FUNCTIONS", completion_file(""))
        .env("LINE", line_of(site, line))
        .env("OUT", &out)
        .stdin(Stdio::null())
        .output()
        .expect("script runs");
    assert!(output.status.success(), "{output:?}");
    let text = fs::read_to_string(&out).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn completion_in_a_real_zsh() {
    let site = Site::with(&[plain("alpha", "1.0"), plain("alphabet", "1.0")]);
    site.run(&["makecache"]).ok();
    assert_eq!(zsh(&site, "tdnf instal"), ["install", "line l "]);
    assert_eq!(
        zsh(&site, "tdnf install alp"),
        ["alpha", "alphabet", "line ha"]
    );
    assert_eq!(
        zsh(&site, "tdnf clean exp"),
        ["expire-cache", "line ire-cache "]
    );
    // The value follows at once.
    assert_eq!(zsh(&site, "tdnf --enabler"), ["--enablerepo=", "line epo="]);
    assert_eq!(
        zsh(&site, "tdnf --enablerepo=te"),
        ["--enablerepo=test", "line st "]
    );
    assert_eq!(zsh(&site, "tdnf erase alp"), ["line "]);
    // A file is the shell's business.
    let path = site.path("repos.d/te").display().to_string();
    let found = zsh(&site, &format!("tdnf install {path}"));
    assert_eq!(found.last().map(String::as_str), Some("line st.repo "));
}

#[test]
fn completion_in_a_real_fish() {
    let site = Site::with(&[plain("alpha", "1.0"), plain("alphabet", "1.0")]);
    site.run(&["makecache"]).ok();
    let words = |line: &str| -> Vec<String> {
        let found = fish(&site, line).into_iter();
        let words = found.map(|line| line.split('\t').next().unwrap_or_default().to_owned());
        words.collect()
    };
    let install = fish(&site, "tdnf instal");
    assert_eq!(
        install,
        ["install\tInstall a package or packages on your system"]
    );
    assert_eq!(words("tdnf install alp"), ["alpha", "alphabet"]);
    assert_eq!(words("tdnf clean exp"), ["expire-cache"]);
    assert_eq!(words("tdnf --enabler"), ["--enablerepo="]);
    assert_eq!(words("tdnf --enablerepo=te"), ["--enablerepo=test"]);
    assert!(words("tdnf erase alp").is_empty());
    let path = site.path("repos.d/te").display().to_string();
    let found = words(&format!("tdnf install {path}"));
    assert_eq!(found, [format!("{path}st.repo")]);
}

#[test]
fn completion_in_a_real_bash() {
    let site = Site::with(&[
        plain("alpha", "1.0"),
        plain("alphabet", "1.0"),
        plain("beta", "1.0"),
    ]);
    site.run(&["makecache"]).ok();
    assert_eq!(bash(&site, "tdnf instal"), ["install"]);
    assert_eq!(
        bash(&site, "tdnf up"),
        ["update", "upgrade", "update-to", "upgrade-to", "updateinfo"]
    );
    assert_eq!(bash(&site, "tdnf install alp"), ["alpha", "alphabet"]);
    assert_eq!(bash(&site, "tdnf -y install alpha be"), ["beta"]);
    assert_eq!(bash(&site, "tdnf clean exp"), ["expire-cache"]);
    assert_eq!(bash(&site, "tdnf --enabler"), ["--enablerepo="]);
    assert_eq!(bash(&site, "tdnf --enablerepo=te"), ["test"]);
    assert_eq!(bash(&site, "tdnf --enablerepo te"), ["test"]);
    assert_eq!(bash(&site, "tdnf mark "), ["install", "remove"]);
    assert!(
        bash(&site, "tdnf erase alp").is_empty(),
        "nothing is installed"
    );
    assert!(
        bash(&site, "tdnf install /no").is_empty(),
        "a file is left to the shell"
    );
}

/// Candidates come from the cache alone: nobody is asked, and nothing is said.
#[test]
fn completion_never_asks_a_server() {
    let site = Site::with(&[plain("alpha", "1.0")]);
    assert!(
        bash(&site, "tdnf install alp").is_empty(),
        "there is no cache yet"
    );
    assert!(
        !site.path("root/var/cache/tdnf").exists(),
        "and none was made"
    );
}
