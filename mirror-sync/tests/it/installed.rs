//! What `./dev install` puts below a root, as an administrator meets it: pages, guides, and units that can do what the
//! example configuration asks for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::gpg::Gpg;
use testkit::program::{Run, ok};
use testkit::words::{dead_links, write_manual};
use testkit::{fixtures, mounts};

use crate::doors::until;
use crate::guide::blocks;
use crate::scene::{Scene, VENDOR, files_in};
use crate::serving::Serving;
use crate::unit::{Sandbox, Unit};

const UNITS: [&str; 2] = ["mirror-sync.service", "mirror-sync-serve.service"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A root with mirror-sync in it, as `./dev install` leaves it.
struct Installed {
    dir: tempfile::TempDir,
}

impl Installed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let programs = dir.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let program = env!("CARGO_BIN_EXE_mirror-sync");
        fs::hard_link(program, programs.join("mirror-sync"))
            .or_else(|_| fs::copy(program, programs.join("mirror-sync")).map(drop))
            .unwrap();
        write_manual(&mirror_sync::parser(), &dir.path().join("pages")).unwrap();
        let installed = Self { dir };
        installed.dev("install");
        installed
    }

    fn dev(&self, command: &str) -> Run {
        let dest = format!("DESTDIR={}", self.path("").display());
        let run = Command::new("bash")
            .arg(project().join("dev"))
            .args([command, &dest, "mirror-sync"])
            .env("TDNF_PROGRAMS", self.dir.path().join("programs"))
            .env("TDNF_MAN_PAGES", self.dir.path().join("pages"))
            .output();
        Run::of(run.unwrap()).ends(0)
    }

    /// A path below the root.
    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join("root").join(below)
    }

    fn text(&self, below: &str) -> String {
        fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }

    fn unit(&self, name: &str) -> Unit {
        Unit(self.text(&format!("usr/lib/systemd/system/{name}")))
    }
}

#[test]
fn documentation_is_where_units_and_guides_point() {
    let installed = Installed::new();
    let mut named = 0;
    for name in UNITS {
        let unit = installed.unit(name);
        for place in unit.words("Documentation") {
            let file = match place.strip_prefix("man:") {
                Some(page) => {
                    let (page, section) = page.trim_end_matches(')').split_once('(').unwrap();
                    format!("usr/share/man/man{section}/{page}.{section}")
                }
                None => place.strip_prefix("file:/").unwrap().to_owned(),
            };
            assert!(installed.path(&file).is_file(), "{name}: {place}");
            named += 1;
        }
    }
    assert_eq!(named, 4);
    let (dead, links) = dead_links(&installed.path("usr/share/doc/mirror-sync")).unwrap();
    assert!(
        dead.is_empty() && links > 6,
        "{links} links, dead: {dead:?}"
    );
}

/// A page for each command, which names what its help names; mandoc has nothing to say about it.
#[test]
fn man_pages_say_what_the_help_says() {
    let installed = Installed::new();
    let mut parser = mirror_sync::parser().disable_help_subcommand(true);
    parser.build();
    let mut open = vec![("mirror-sync".to_owned(), &parser)];
    let mut pages = 0;
    while let Some((name, command)) = open.pop() {
        let file = format!("usr/share/man/man1/{name}.1");
        let text = installed.text(&file).replace("\\-", "-");
        let arguments = command.get_arguments().filter(|arg| !arg.is_hide_set());
        for long in arguments.filter_map(|arg| arg.get_long()) {
            assert!(text.contains(&format!("--{long}")), "{name}: --{long}");
        }
        let section = match command.has_subcommands() {
            true if name != "mirror-sync" => ".SH SUBCOMMANDS\n",
            true => ".SH EXIT STATUS\n",
            false => ".SH EXAMPLE\nmirror-sync ",
        };
        assert!(
            text.contains(section) && !text.contains(".SH EXTRA"),
            "{name}: {text}"
        );
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .arg(installed.path(&file))
            .output()
            .unwrap();
        let lint = Run::of(lint);
        assert!(lint.text().is_empty(), "{}", lint.text());
        let below = command.get_subcommands().filter(|c| !c.is_hide_set());
        open.extend(below.map(|c| (format!("{name}-{}", c.get_name()), c)));
        pages += 1;
    }
    assert_eq!(files_in(&installed.path("usr/share/man/man1")).len(), pages);
}

#[test]
fn completion_in_a_real_fish() {
    let installed = Installed::new();
    let file = installed.path("usr/share/fish/vendor_completions.d/mirror-sync.fish");
    let script = format!(
        "source {}; complete -C 'mirror-sync bundle re'",
        file.display()
    );
    let run = Command::new("fish")
        .args(["--no-config", "-c", &script])
        .output();
    let run = Run::of(run.unwrap()).ends(0);
    let words: Vec<&str> = run
        .out
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    assert_eq!(words, ["receipt", "request"]);
}

#[test]
fn an_install_over_an_older_one_and_an_uninstall_leave_nothing_behind() {
    let installed = Installed::new();
    let list = installed.text("usr/share/doc/mirror-sync/files");
    let old = installed.path("usr/share/man/man1/mirror-sync-gone.1");
    fs::write(&old, "").unwrap();
    let kept = installed.path("usr/share/man/man1/other.1");
    fs::write(&kept, "").unwrap();
    let mut lines: Vec<&str> = list.lines().collect();
    lines.push("usr/share/man/man1/mirror-sync-gone.1");
    lines.sort_unstable();
    let place = installed.path("usr/share/doc/mirror-sync/files");
    fs::write(&place, lines.join("\n") + "\n").unwrap();
    installed.dev("install");
    assert!(!old.exists() && kept.exists());
    assert_eq!(fs::read_to_string(&place).unwrap(), list);
    installed.dev("uninstall");
    assert_eq!(
        files_in(&installed.path("")),
        ["etc/logrotate.d/mirror-sync", "usr/share/man/man1/other.1"]
    );
    let again = installed.dev("uninstall");
    assert!(
        again.err.contains("mirror-sync is not installed below"),
        "{}",
        again.err
    );
}

/// The example configuration with its upstream, and with what stands behind `#` and one of these names taken in.
fn edited_example(text: &str, upstream: &str, taken: &[&str]) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let wanted = |name: &&str| line.starts_with(&format!("#{name} = "));
        let line = match taken.iter().any(wanted) {
            true => &line[1..],
            false => line,
        };
        lines.push(match line.split_once(" = ") {
            Some(("baseurl", _)) => format!("baseurl = \"{upstream}\""),
            // logger may be missing where the tests run.
            Some(("published", _)) => {
                r#"published = "cat > /run/mirror-sync/$MIRROR_SYNC_REPO""#.to_owned()
            }
            _ => line.to_owned(),
        });
    }
    lines.join("\n")
}

/// Users and folders come from the shipped files, by systemd's programs; then the shipped units run as that user, with
/// the example configuration, and can write what it names and nothing else.
#[test]
fn the_units_can_do_what_the_example_asks_for() {
    for program in ["systemd-sysusers", "systemd-tmpfiles", "setpriv"] {
        if Command::new(program).arg("--version").output().is_err() {
            return fixtures::skipped(&format!("no {program}"));
        }
    }
    if !mounts::own("installed::the_units_can_do_what_the_example_asks_for") {
        return;
    }
    let installed = Installed::new();
    let scene = Scene::usual();
    let gpg = Gpg::with_key(&scene.path("gnupg"), VENDOR);
    for name in ["alpha", "beta", "gamma"] {
        gpg.sign_package(
            VENDOR,
            &scene.path(&format!("up/base/Packages/{name}-1-1.noarch.rpm")),
        );
    }
    scene.publish("base");
    // The machine's own /etc is below, and stays as it is.
    let machine = r#"
        mkdir "$1"
        mount -t tmpfs none "$1"
        mkdir "$1/up" "$1/work"
        mount -t overlay -o "lowerdir=/etc,upperdir=$1/up,workdir=$1/work" none /etc
        mount -t overlay -o "lowerdir=$2/usr:/usr" none /usr
        for place in /srv /run /var/log; do mount -t tmpfs none $place; done
        mkdir -p /etc/pki/rpm-gpg
    "#;
    ok(Command::new("sh")
        .args(["-ec", machine, "sh"])
        .arg(scene.path("machine"))
        .arg(installed.path("")));
    // As the guide says it.
    let lines = blocks("As a service", "sh").concat();
    assert_eq!(lines.lines().count(), 3);
    for line in lines.lines() {
        ok(Command::new("sh").args(["-c", line]));
    }
    fs::write("/etc/pki/rpm-gpg/RPM-GPG-KEY-example", gpg.public()).unwrap();
    let example = fs::read_to_string("/etc/mirror-sync.toml").unwrap();
    let upstream = scene.server.url("/base");
    let mut taken = vec!["sign_key", "published", "success"];
    let configuration = edited_example(&example, &upstream, &taken);
    fs::write("/etc/mirror-sync.toml", configuration).unwrap();
    // Made by root, read by the service.
    let key = "/etc/mirror-sync/mirror.key";
    ok(Command::new("mirror-sync").args(["key", "generate", key]));
    ok(Command::new("chmod").args(["640", key]));
    fs::write(
        "/etc/mirror-sync/environment",
        "AWS_ACCESS_KEY_ID=shipped\n",
    )
    .unwrap();
    ok(Command::new("chmod").args(["0600", "/etc/mirror-sync/environment"]));
    let of = |name: &str| Sandbox {
        unit: installed.unit(name),
    };
    let (sync, serve) = (of("mirror-sync.service"), of("mirror-sync-serve.service"));
    for sandbox in [&sync, &serve] {
        for place in sandbox.unit.writable() {
            ok(Command::new("install")
                .args(["-d", "-o", "mirror-sync", "-g", "mirror-sync"])
                .arg(&place));
        }
        for place in [
            "/etc/mirror-sync.toml",
            "/etc/mirror-sync/new",
            "/srv/new",
            "/run/new",
            "/var/log/new",
            "/usr/new",
        ] {
            let run = sandbox.run(&["touch", place]);
            assert!(
                run.code == 1 && run.err.contains("touch: cannot touch"),
                "{place}: {}",
                run.text()
            );
        }
        for place in sandbox.unit.writable() {
            let place = place.join("new");
            sandbox
                .run(&["sh", "-c", "touch $0 && rm $0", place.to_str().unwrap()])
                .ends(0);
        }
        let environment = sandbox.run(&["env"]).ends(0).out;
        for variable in [
            "AWS_ACCESS_KEY_ID=shipped",
            "DOCKER_CONFIG=/etc/mirror-sync/docker",
        ] {
            assert!(
                environment.lines().any(|line| line == variable),
                "{environment}"
            );
        }
    }
    let run = Run::of(sync.start(&[]).output().unwrap()).ends(0);
    assert!(
        run.out.contains("updates: published") && run.err.is_empty(),
        "{}",
        run.text()
    );
    assert!(Path::new("/run/mirror-sync/ok").exists());
    let report = fs::read_to_string("/run/mirror-sync/updates").unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["exit_code"], 0, "{report}");
    let again = Run::of(sync.start(&[]).output().unwrap());
    assert_eq!(
        again.code.to_string(),
        sync.unit.words("SuccessExitStatus")[0],
        "{}",
        again.text()
    );
    let server = Serving::of(&mut serve.start(&["--listen", "127.0.0.1:0"]));
    for repo in ["updates", "base"] {
        let seen = scene.dnf_list(&server.url(&format!("/{repo}")));
        assert_eq!(seen, ["alpha-1", "beta-1", "gamma-1"], "{repo}");
    }
    let folder = server.url("/updates/Packages/");
    let listed = ok(Command::new("curl").args(["-sf", &folder]));
    assert!(listed.contains("alpha-1-1.noarch.rpm"), "{listed}");
    let package = Command::new("curl")
        .args([
            "-sf",
            "-o",
            "/dev/null",
            "--url",
            &server.url("/base/Packages/alpha-1-1.noarch.rpm"),
        ])
        .output();
    Run::of(package.unwrap()).ends(0);
    drop(server);
    taken.extend(["tls_cert", "tls_key", "tokens_file", "access_log"]);
    let configuration = edited_example(&example, &upstream, &taken);
    fs::write("/etc/mirror-sync.toml", configuration).unwrap();
    let secrets = r#"
        cd /etc/mirror-sync
        openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mirror -addext subjectAltName=IP:127.0.0.1 \
            -keyout tls.key -out tls.pem 2> /dev/null
        echo a-token-of-this-test > tokens
        cp tokens updates.tokens
        chmod 640 tls.key tokens updates.tokens
    "#;
    ok(Command::new("sh").args(["-ec", secrets]));
    let server = Serving::of(&mut serve.start(&["--listen", "127.0.0.1:0"]));
    let index = format!("https://{}/updates/repodata/repomd.xml", server.address);
    let curl = |header: &str| {
        let words = [
            "-s",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--cacert",
            "/etc/mirror-sync/tls.pem",
        ];
        let run = Command::new("curl")
            .args(words)
            .args(["-H", header, &index])
            .output();
        Run::of(run.unwrap()).ends(0).out
    };
    assert_eq!(curl("Authorization: Bearer a-token-of-this-test"), "200");
    assert_eq!(curl("Accept: */*"), "401");
    let log = || fs::read_to_string("/var/log/mirror-sync/access.log").unwrap_or_default();
    until("two lines in the log", || log().lines().count() == 2);
    let log = log();
    assert!(log.contains("/updates/repodata/repomd.xml"), "{log}");
    if Command::new("logrotate").arg("--version").output().is_err() {
        return fixtures::skipped("no logrotate");
    }
    let mut turned = Command::new("logrotate");
    turned.args([
        "--force",
        "--state",
        "/run/logrotate",
        "/etc/logrotate.d/mirror-sync",
    ]);
    fs::copy(
        installed.path("etc/logrotate.d/mirror-sync"),
        "/etc/logrotate.d/mirror-sync",
    )
    .unwrap();
    ok(&mut turned);
    let turned = fs::read_to_string("/var/log/mirror-sync/access.log.1").unwrap();
    assert_eq!(turned, log);
}
