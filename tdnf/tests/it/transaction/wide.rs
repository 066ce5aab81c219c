//! What is rare: %preuntrans and %postuntrans, users and groups of sysusers.d, flags that leave
//! something out, labels, relocatable packages, signatures of files.

use std::collections::BTreeMap;
use std::fs;

use rpm_pkg::dep::DepFlags;
use rpm_pkg::script::ScriptletKind;
use rpm_transaction::{Problem, Warning};
use testkit::fixtures;

use super::oracle::{in_oracle, oracle_build};
use super::*;
use crate::scene_rpm::{Item, RpmFile};

fn shell_root(path: &Path) {
    tree::copy(Sandbox::with_shell().path(), path);
    fs::create_dir_all(path.join("var/lib/rpm")).unwrap();
}

const RPM: &str = "rpm --root /mnt/theirs --dbpath /var/lib/rpm --noplugins --nosignature --nodeps";

fn untrans(name: &str, version: &str, preamble: &str) -> String {
    let mut rest = "%files\n".to_owned();
    for script in [
        "pretrans",
        "preuntrans",
        "pre",
        "post",
        "preun",
        "postun",
        "posttrans",
        "postuntrans",
    ] {
        rest.push_str(&format!(
            "%{script}\necho \"{name}-{version} {script} $1 $#\"\n"
        ));
    }
    spec(name, version, preamble, "", &rest).text()
}

/// Order and arguments of %preuntrans and %postuntrans, as rpm 4.20 and 6.1 run them.
#[test]
fn scriptlets_around_erasures() {
    if unprivileged() {
        return;
    }
    for suite in ["trixie", "sid"] {
        let Some(oracle) = fixtures::oracle(suite) else {
            continue;
        };
        let dir = tempfile::tempdir().unwrap();
        let [a1, a2, b, o] = [
            ("a", "1", ""),
            ("a", "2", ""),
            ("b", "1", "Requires(pre): a"),
            ("o", "1", "Obsoletes: a"),
        ]
        .map(|(name, version, preamble)| {
            let text = untrans(name, version, preamble);
            oracle_build(&oracle, dir.path(), &format!("{name}-{version}-1"), &text)
        });
        let ours = dir.path().join("ours");
        shell_root(&ours);
        shell_root(&dir.path().join("theirs"));
        let steps: [(&str, &[Ask<'_>]); 6] = [
            (
                "-U a-1-1.noarch.rpm b-1-1.noarch.rpm",
                &[Ask::Upgrade(&a1), Ask::Upgrade(&b)],
            ),
            ("-U a-2-1.noarch.rpm", &[Ask::Upgrade(&a2)]),
            ("-U --oldpackage a-1-1.noarch.rpm", &[Ask::Upgrade(&a1)]),
            ("-U o-1-1.noarch.rpm", &[Ask::Upgrade(&o)]),
            ("-e b", &[Ask::Erase("b")]),
            ("-e o", &[Ask::Erase("o")]),
        ];
        for (words, asks) in steps {
            let mut transcript = Transcript::default();
            let done = run(&ours, asks, &options(), &mut transcript);
            drop(done.unwrap_or_else(|e| panic!("{e}")));
            let theirs = in_oracle(&oracle, dir.path(), &format!("{RPM} {words}"));
            let ours = String::from_utf8_lossy(&transcript.0).into_owned();
            assert_eq!(ours, theirs, "{suite} {words}: ours left, rpm's right");
            assert!(
                words.contains("b-1") || theirs.contains("untrans"),
                "{words}"
            );
        }
    }
}

#[test]
fn a_failing_preuntrans_undoes_everything() {
    let Some(oracle) = fixtures::oracle("trixie") else {
        return;
    };
    if unprivileged() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let rest = "%files\n/opt/f\n%preuntrans\nexit 3\n";
    let install = "mkdir -p %{buildroot}/opt; echo f > %{buildroot}/opt/f";
    let text = spec("f", "1", "", install, rest).text();
    let file = oracle_build(&oracle, dir.path(), "f-1-1", &text);
    let root = Sandbox::with_shell();
    drop(run(root.path(), &[Ask::Upgrade(&file)], &options(), &mut ()).unwrap());
    let error = run(root.path(), &[Ask::Erase("f")], &options(), &mut ()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("%preuntrans scriptlet failed, exit status 3"),
        "{error}"
    );
    assert!(root.join("opt/f").exists());
    verify_clean(root.path());
    // rpm's own way out.
    let mut options = options();
    options.no_scripts = true;
    drop(run(root.path(), &[Ask::Erase("f")], &options, &mut ()).unwrap());
    assert!(!root.join("opt/f").exists());
}

/// Name, number where one was asked for, and members, of passwd and group.
fn accounts(root: &Path) -> BTreeMap<String, (Option<u32>, String)> {
    let mut all = BTreeMap::new();
    for (file, asked, last) in [
        ("passwd", &["beta", "delta"][..], 4),
        ("group", &["gam"], 3),
    ] {
        let text = fs::read_to_string(root.join("etc").join(file)).unwrap();
        for line in text.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            let id = asked
                .contains(&fields[0])
                .then(|| fields[2].parse().unwrap());
            // The script of rpm loses the comment of a user that a membership made before.
            let last = if fields[0] == "alpha" {
                ""
            } else {
                fields[last]
            };
            all.insert(format!("{file}:{}", fields[0]), (id, last.to_owned()));
        }
    }
    all
}

/// The users and groups that rpm 4.20 makes are made, before %pre and before the files.
#[test]
fn users_of_sysusers_d_own_the_files() {
    let Some(oracle) = fixtures::oracle("trixie") else {
        return;
    };
    if unprivileged() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = "# comment\nu alpha - \"Alpha user\" /var/su /bin/sh\nu beta 345\ng gam 456\n\
                u delta 460:gam \"D\"\nm alpha gam\nu! locked - \"L\"\n";
    let install = format!(
        "mkdir -p %{{buildroot}}/usr/lib/sysusers.d %{{buildroot}}/var/su\n\
         cat > %{{buildroot}}/usr/lib/sysusers.d/su.conf <<'X'\n{conf}X"
    );
    let rest = "%pre\nwhile IFS=: read -r name rest; do echo $name; done < /etc/passwd\n\
                %files\n/usr/lib/sysusers.d/su.conf\n%attr(0750,alpha,gam) /var/su\n";
    // rpmbuild reads the lines and writes the provides.
    let text = spec("su", "1", "", &install, rest).text();
    let text = text.replace("AutoReqProv: no", "");
    let file = oracle_build(&oracle, dir.path(), "su-1-1", &text);
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    for root in [&ours, &theirs] {
        shell_root(root);
        fs::write(root.join("etc/shadow"), "root:*:1::::::\n").unwrap();
    }
    let mut transcript = Transcript::default();
    let done = run(&ours, &[Ask::Upgrade(&file)], &options(), &mut transcript).unwrap();
    assert_eq!(done.warnings(), []);
    for name in ["alpha", "beta", "delta", "locked"] {
        let said = String::from_utf8_lossy(&transcript.0).into_owned();
        assert!(said.lines().any(|line| line == name), "{said}");
    }
    in_oracle(&oracle, dir.path(), &format!("{RPM} -U su-1-1.noarch.rpm"));
    assert_eq!(accounts(&ours), accounts(&theirs), "ours left, rpm's right");
    let passwd = fs::read_to_string(ours.join("etc/passwd")).unwrap();
    assert!(passwd.contains(":Alpha user:/var/su:/bin/sh\n"), "{passwd}");
    let shadow = fs::read_to_string(ours.join("etc/shadow")).unwrap();
    assert!(
        shadow.contains(&format!("locked:!*:{}:::::1:", NOW / 86_400)),
        "{shadow}"
    );
    use std::os::unix::fs::MetadataExt;
    let meta = fs::metadata(ours.join("var/su")).unwrap();
    let id = |name: &str| {
        let line = passwd.lines().find(|line| line.starts_with(name)).unwrap();
        line.split(':').nth(2).unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(
        (meta.uid(), meta.gid(), meta.mode() & 0o7777),
        (id("alpha:"), 456, 0o750)
    );
    verify_clean(&ours);
}

/// A line that is not understood is named and stops nothing.
#[test]
fn a_strange_account_line_is_named() {
    if unprivileged() {
        return;
    }
    let file = build("odd", "1", "Provides: user(odd) = dXg1", "", "%files\n");
    let root = Sandbox::with_shell();
    let done = run(root.path(), &[Ask::Upgrade(&file)], &options(), &mut ()).unwrap();
    assert!(matches!(done.warnings(), [Warning::Account { line, .. }] if line == "ux5"));
    assert_eq!(root.read("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
}

fn rich() -> PathBuf {
    let install = "mkdir -p %{buildroot}/opt/r/share %{buildroot}/opt/r/doc\n\
                   cd %{buildroot}/opt/r\n\
                   for f in plain de en de_AT caps share/x doc/d conf art; do echo $f > $f; done";
    let rest = "%pre\necho pre $1\n%post\necho post $1\n%preun\necho preun $1\n%postun\necho postun $1\n\
                %pretrans\necho pretrans $1\n%posttrans\necho posttrans $1\n\
                %filetriggerin -- /opt\necho file trigger\n\
                %filetriggerun -- /opt\necho file trigger un\n\
                %filetriggerpostun -- /opt\necho file trigger postun\n\
                %transfiletriggerin -- /opt\necho transaction file trigger\n\
                %transfiletriggerun -- /opt\necho transaction file trigger un\n\
                %transfiletriggerpostun -- /opt\necho transaction file trigger postun\n\
                %triggerin -- rich\necho trigger\n\
                %triggerprein -- rich\necho trigger prein\n\
                %triggerun -- rich\necho trigger un\n\
                %triggerpostun -- rich\necho trigger postun\n\
                %files\n%dir /opt/r\n/opt/r/plain\n/opt/r/share\n%dir /opt/r/doc\n\
                %doc /opt/r/doc/d\n%config /opt/r/conf\n%artifact /opt/r/art\n%caps(cap_net_raw=ep) /opt/r/caps\n\
                %lang(de) /opt/r/de\n%lang(en) /opt/r/en\n%lang(de_AT) /opt/r/de_AT\n";
    build("rich", "1", "", install, rest)
}

fn without(options: &mut Options<'_>, kind: ScriptletKind) {
    options.left_out_scriptlets.push(kind);
}

/// One flag: its name, the words for rpm, what it sets for us.
type Flag = (&'static str, &'static [&'static str], fn(&mut Options<'_>));

const FLAGS: [Flag; 20] = [
    ("noscripts", &["--noscripts"], |o| o.no_scripts = true),
    ("notriggers", &["--notriggers"], |o| o.no_triggers = true),
    ("nodocs", &["--excludedocs"], |o| o.no_docs = true),
    ("nocaps", &["--nocaps"], |o| o.no_caps = true),
    ("justdb", &["--justdb"], |o| o.just_db = true),
    ("noconfigs", &["--noconfigs"], |o| o.no_configs = true),
    ("noartifacts", &["--excludeartifacts"], |o| {
        o.no_artifacts = true
    }),
    ("nopre", &["--nopre"], |o| without(o, ScriptletKind::Pre)),
    ("nopost", &["--nopost"], |o| without(o, ScriptletKind::Post)),
    ("nopreun", &["--nopreun"], |o| {
        without(o, ScriptletKind::PreUn)
    }),
    ("nopostun", &["--nopostun"], |o| {
        without(o, ScriptletKind::PostUn)
    }),
    ("nopretrans", &["--nopretrans"], |o| {
        without(o, ScriptletKind::PreTrans)
    }),
    ("noposttrans", &["--noposttrans"], |o| {
        without(o, ScriptletKind::PostTrans)
    }),
    ("notriggerprein", &["--notriggerprein"], |o| {
        o.left_out_triggers = DepFlags::TRIGGERPREIN
    }),
    ("notriggerin", &["--notriggerin"], |o| {
        o.left_out_triggers = DepFlags::TRIGGERIN
    }),
    ("notriggerun", &["--notriggerun"], |o| {
        o.left_out_triggers = DepFlags::TRIGGERUN
    }),
    ("notriggerpostun", &["--notriggerpostun"], |o| {
        o.left_out_triggers = DepFlags::TRIGGERPOSTUN
    }),
    ("languages", &["--define", "_install_langs de_DE:fr"], |o| {
        o.languages = vec!["de_DE".into(), "fr".into()];
    }),
    ("no language", &["--define", "_install_langs xx"], |o| {
        o.languages = vec!["xx".into()]
    }),
    (
        "shared",
        &["--define", "_netsharedpath /opt/r/share:/opt/r/pla"],
        |o| {
            o.net_shared = vec![b"/opt/r/share".to_vec(), b"/opt/r/pla".to_vec()];
        },
    ),
];

/// Each flag leaves out what rpm leaves out, at the install and at the erasure.
#[test]
fn flags_leave_out_what_rpm_leaves_out() {
    if unprivileged() {
        return;
    }
    let file = rich();
    for (name, words, set) in FLAGS {
        let pair = Pair::new();
        let mut options = options();
        set(&mut options);
        let steps = [
            (vec!["-U", file.to_str().unwrap()], Ask::Upgrade(&file)),
            (vec!["-e", "rich"], Ask::Erase("rich")),
        ];
        for (mode, ask) in steps {
            let mut transcript = Transcript::default();
            let done = run(pair.ours.path(), &[ask], &options, &mut transcript);
            drop(done.unwrap_or_else(|e| panic!("{name}: {e}")));
            let mut rpm = Rpm::on_root(pair.rpm.path()).command("rpm");
            rpm.arg("--nodeps");
            // Flags that only an install knows mean nothing to an erasure.
            let install_only = [
                "--excludedocs",
                "--nocaps",
                "--noconfigs",
                "--excludeartifacts",
            ];
            let words = words
                .iter()
                .filter(|w| mode[0] == "-U" || !install_only.contains(w));
            let theirs = program::ok(rpm.args(words).args(&mode));
            let ours = String::from_utf8_lossy(&transcript.0).into_owned();
            assert_eq!(ours, theirs, "{name} {mode:?}: ours left, rpm's right");
            pair.compare();
        }
    }
}

/// Files come and go, and the database stays as it is.
#[test]
fn nodb_changes_files_alone() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/opt; echo f > %{buildroot}/opt/f";
    let rest = "%pre\necho pre $1\n%post\necho post $1\n%preun\necho preun $1\n%postun\necho postun $1\n\
                %posttrans\necho posttrans $1\n%files\n%config /opt/f\n";
    let file = build("bare", "1", "", install, rest);
    let pair = Pair::new();
    let steps = [
        (true, vec!["-U", "--nodb"], Some(&file)),
        (false, vec!["-U"], Some(&file)),
        (true, vec!["-e", "--nodb"], None),
        (false, vec!["-e"], None),
    ];
    for (no_db, words, file) in steps {
        let mut options = options();
        options.no_db = no_db;
        let ask = file.map_or(Ask::Erase("bare"), |file| Ask::Upgrade(file));
        let mut transcript = Transcript::default();
        let done = run(pair.ours.path(), &[ask], &options, &mut transcript);
        drop(done.unwrap_or_else(|e| panic!("{words:?}: {e}")));
        let mut rpm = Rpm::on_root(pair.rpm.path()).command("rpm");
        let name = file.map_or("bare", |file| file.to_str().unwrap());
        let theirs = program::ok(rpm.arg("--nodeps").args(&words).arg(name));
        let ours = String::from_utf8_lossy(&transcript.0).into_owned();
        assert_eq!(ours, theirs, "{words:?}: ours left, rpm's right");
        let here = words[0] == "-U";
        assert_eq!(pair.ours.join("opt/f").exists(), here, "{words:?}");
        pair.compare();
    }
}

/// Macros in scriptlets and triggers are refused before anything happens.
#[test]
fn scriptlets_to_be_expanded_are_refused() {
    if unprivileged() {
        return;
    }
    for (rest, what) in [
        ("%post -e\necho %%{name}\n", "%post"),
        ("%preun -q\necho %%{name}\n", "%preun"),
        ("%triggerin -e -- x\necho %%{name}\n", "trigger"),
        ("%filetriggerin -e -- /opt\necho %%{name}\n", "file trigger"),
        (
            "%transfiletriggerin -e -- /opt\necho %%{name}\n",
            "transaction file trigger",
        ),
    ] {
        let file = build("e", "1", "", "", &format!("{rest}%files\n"));
        let root = Sandbox::with_shell();
        let error = run(root.path(), &[Ask::Upgrade(&file)], &options(), &mut ()).unwrap_err();
        let TransactionError::Problems(problems) = error else {
            panic!("{what}: {error}");
        };
        let text = format!("its {what} needs macros expanded at install time");
        assert!(
            matches!(&problems[..], [Problem::Unsupported { reason, .. }] if reason.starts_with(&text)),
            "{problems:?}"
        );
    }
}

/// A relocatable package is installed where it was built to be, and its scriptlets are told.
#[test]
fn relocatable_packages() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/opt/one %{buildroot}/opt/two";
    let rest = "%post\necho $RPM_INSTALL_PREFIX $RPM_INSTALL_PREFIX0 $RPM_INSTALL_PREFIX1\n\
                %preun\necho $RPM_INSTALL_PREFIX $RPM_INSTALL_PREFIX1\n\
                %pre -p <lua>\nprint(RPM_INSTALL_PREFIX[1], RPM_INSTALL_PREFIX[2])\n\
                %files\n/opt/one\n/opt/two\n";
    let file = build(
        "rel",
        "1",
        "Prefix: /opt/one\nPrefix: /opt/two",
        install,
        rest,
    );
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&file)]);
    pair.same(&[Ask::Erase("rel")]);
}

/// IMA and fs-verity signatures of files are kept in the database as rpm keeps them.
#[test]
fn signatures_of_files_are_kept() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/opt; echo s > %{buildroot}/opt/s";
    let file = build("signed", "1", "", install, "%files\n/opt/s\n");
    let mut package = RpmFile::read(&file);
    for item in [
        Item::texts(274, &["0302045678abcd"]),
        Item::number(275, 7),
        Item::texts(276, &["AAECAw=="]),
        Item::number(277, 1),
    ] {
        crate::scene_rpm::replace(&mut package.signature, item);
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("signed.rpm");
    fs::write(&file, package.sealed().bytes()).unwrap();
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&file)]);
    let tags = "%{FILESIGNATURES} %{FILESIGNATURELENGTH} %{VERITYSIGNATURES}";
    let said = Rpm::on_root(pair.ours.path()).ok(&["-q", "--qf", tags, "signed"]);
    assert_eq!(said, "0302045678abcd 7 AAECAw==");
}
