//! Install, upgrade, downgrade, reinstall, erase, obsoletes, several versions: as rpm does it.

use super::*;

/// A package with every kind of file.
fn files(version: &str) -> PathBuf {
    let install = format!(
        "cd %{{buildroot}}\nmkdir -p opt/f/dir opt/f/sub\necho one-{version} > opt/f/one\n\
         echo same > opt/f/same\nln -s one opt/f/link\necho h > opt/f/hard1\n\
         ln opt/f/hard1 opt/f/hard2\nln opt/f/hard1 opt/f/sub/hard3\n\
         echo suid > opt/f/suid\n: > opt/f/empty\necho {version} > opt/f/only-{version}\n\
         mkdir -p opt/f/gone-{version}/deep\necho x > opt/f/gone-{version}/deep/x\n\
         echo doc > opt/f/doc"
    );
    let rest = format!(
        "%files\n%dir %attr(0750,root,users) /opt/f\n/opt/f/dir\n/opt/f/one\n/opt/f/same\n\
         /opt/f/link\n/opt/f/hard1\n/opt/f/hard2\n/opt/f/sub\n\
         %attr(4755,bin,users) /opt/f/suid\n/opt/f/empty\n/opt/f/only-{version}\n\
         /opt/f/gone-{version}\n%ghost /opt/f/ghost\n%doc /opt/f/doc\n\
         %attr(0644,nobody-here,root) %caps(cap_net_raw=ep) /opt/f/dir2"
    );
    let install = format!("{install}\necho c > opt/f/dir2");
    build("files", version, "", &install, &rest)
}

#[test]
fn all_kinds_of_files() {
    if unprivileged() {
        return;
    }
    let (one, two) = (files("1"), files("2"));
    let pair = Pair::new();
    pair.each(|root| {
        root.write(
            "etc/passwd",
            "root:x:0:0::/:/bin/sh\nbin:x:7:8::/:/bin/sh\n",
        );
        root.write("etc/group", "root:x:0:\nusers:x:100:\n");
    });
    let done = pair.run(&[Ask::Upgrade(&one)]);
    assert_eq!(done.installed(), ["files-1-1.noarch"]);
    assert!(
        done.warnings()
            .iter()
            .any(|w| w.to_string().contains("user nobody-here"))
    );
    pair.same(&[Ask::Upgrade(&two)]);
    pair.same(&[Ask::Upgrade(&two)]);
    pair.same(&[Ask::Upgrade(&one)]);
    pair.same(&[Ask::Erase("files")]);
}

/// An unknown user takes the set-uid bit along, an unknown group the set-gid bit, and neither the other's.
#[test]
fn set_id_bits_of_unknown_owners() {
    if unprivileged() {
        return;
    }
    let owners = [
        "root,root",
        "root,no-group",
        "no-user,root",
        "no-user,no-group",
    ];
    let modes = ["0755", "1755", "2755", "4755", "6755", "7755"];
    let mut install = String::from("mkdir -p %{buildroot}/opt/s\ncd %{buildroot}/opt/s\n");
    let mut rest = String::from("%files\n");
    for owner in owners {
        for mode in modes {
            let name = format!("{mode}-{}", owner.replace(',', "-"));
            install.push_str(&format!("echo x > {name}\nmkdir dir-{name}\n"));
            rest.push_str(&format!(
                "%attr({mode},{owner}) /opt/s/{name}\n%dir %attr({mode},{owner}) /opt/s/dir-{name}\n"
            ));
        }
    }
    let package = build("set-id", "1", "", &install, &rest);
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&package)]);
    pair.same(&[Ask::Erase("set-id")]);
}

/// Users and groups come with a package of the same transaction, without any scriptlet.
#[test]
fn owners_of_the_same_transaction() {
    if unprivileged() {
        return;
    }
    let install = "mkdir -p %{buildroot}/etc\necho root:x:0: > %{buildroot}/etc/group\n\
                   echo staff:x:50: >> %{buildroot}/etc/group\n\
                   echo news:x:9:9::/: > %{buildroot}/etc/passwd";
    let users = build(
        "users",
        "1",
        "",
        install,
        "%files\n/etc/passwd\n/etc/group\n",
    );
    let install = "mkdir -p %{buildroot}/var/local\necho x > %{buildroot}/var/local/x";
    let rest = "%files\n%dir %attr(2775,root,staff) /var/local\n\
                %attr(4755,news,staff) /var/local/x\n";
    let owned = |name: &str, preamble: &str| {
        let install = install.replace("local", name);
        let rest = rest.replace("local", name);
        build(name, "1", preamble, &install, &rest)
    };
    // Installed before there are users: root owns it.
    let first = owned("first", "");
    let late = owned("late", "Requires: users");
    let pair = Pair::new();
    pair.each(|root| {
        std::fs::remove_file(root.join("etc/passwd")).unwrap();
        std::fs::remove_file(root.join("etc/group")).unwrap();
    });
    pair.same(&[Ask::Upgrade(&first)]);
    pair.same(&[Ask::Upgrade(&late), Ask::Upgrade(&users)]);
    let mode = std::fs::metadata(pair.ours.join("var/late")).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!((mode.mode() & 0o7777, mode.gid()), (0o2775, 50));
}

/// A package whose scriptlets print their names and arguments.
fn scripted(name: &str, version: &str, preamble: &str) -> PathBuf {
    let install = format!(
        "mkdir -p %{{buildroot}}/opt/{name}\necho {version} > %{{buildroot}}/opt/{name}/v{version}"
    );
    let mut rest = String::new();
    for script in ["pretrans", "pre", "post", "preun", "postun", "posttrans"] {
        rest.push_str(&format!(
            "%{script}\necho \"{name}-{version} {script} $1 $# $(pwd)\"\n"
        ));
        rest.push_str(&format!(
            "[ ! -e /opt/{name}/v{version} ] || echo there\numask\n"
        ));
    }
    rest.push_str(&format!("%files\n/opt/{name}\n"));
    build(name, version, preamble, &install, &rest)
}

#[test]
fn scriptlets_in_order_with_their_arguments() {
    if unprivileged() {
        return;
    }
    let (one, two) = (scripted("s", "1", ""), scripted("s", "2", ""));
    let pair = Pair::new();
    for step in [
        Ask::Upgrade(&one),
        Ask::Upgrade(&two),
        Ask::Upgrade(&two),
        Ask::Upgrade(&one),
        Ask::Erase("s"),
        Ask::Install(&one),
        Ask::Install(&two),
        Ask::Erase("s-1"),
    ] {
        match step {
            Ask::Erase("s-1") => {
                let theirs = run_rpm(pair.rpm.path(), &[Ask::Erase("s-1-1")]);
                let mut transcript = Transcript::default();
                let db = open_db(pair.ours.path());
                let hnum = hnums(&db, "s").min().unwrap();
                let erase = Element::Erase(Erase {
                    hnum,
                    linked_to: None,
                });
                let root = RootDir::open(pair.ours.path()).unwrap();
                let done = carry_out(&root, &db, vec![erase], &options(), &mut transcript).unwrap();
                assert_eq!(done.erased(), ["s-1-1.noarch"]);
                assert_eq!(String::from_utf8_lossy(&transcript.0), theirs);
                drop(db);
                pair.compare();
            }
            step => pair.same(&[step]),
        }
    }
}

#[test]
fn obsoletes_and_order() {
    if unprivileged() {
        return;
    }
    let old = scripted("old", "1", "");
    let new = scripted(
        "new",
        "1",
        "Obsoletes: old\nProvides: old\nRequires(pre): base",
    );
    let base = scripted("base", "1", "");
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&old)]);
    let done = pair.run(&[Ask::Upgrade(&new), Ask::Upgrade(&base)]);
    assert_eq!(done.installed(), ["base-1-1.noarch", "new-1-1.noarch"]);
    assert_eq!(done.erased(), ["old-1-1.noarch"]);
    verify_clean(pair.ours.path());
}

/// One configuration file of each kind, with the flags of version 1 and 2.
const CONFIGS: [(&str, &str, &str, bool); 9] = [
    ("plain", "", "", true),
    ("config", "%config", "%config", true),
    ("config-same", "%config", "%config", false),
    (
        "noreplace",
        "%config(noreplace)",
        "%config(noreplace)",
        true,
    ),
    (
        "noreplace-same",
        "%config(noreplace)",
        "%config(noreplace)",
        false,
    ),
    (
        "missingok",
        "%config(missingok noreplace)",
        "%config(missingok noreplace)",
        true,
    ),
    ("to-noreplace", "", "%config(noreplace)", true),
    ("to-config", "", "%config", true),
    ("to-plain", "%config", "", true),
];

fn configs(version: usize) -> PathBuf {
    let mut install = "mkdir -p %{buildroot}/etc/c\ncd %{buildroot}/etc/c\n".to_owned();
    let mut files = String::new();
    for (name, old, new, changed) in CONFIGS {
        let flags = if version == 1 { old } else { new };
        let content = if changed { version } else { 1 };
        for disk in ["as-is", "edited", "missing", "as-two"] {
            install.push_str(&format!("echo {name} v{content} > {name}-{disk}\n"));
            files.push_str(&format!("{flags} /etc/c/{name}-{disk}\n"));
        }
    }
    for disk in ["as-is", "edited", "missing"] {
        install.push_str(&format!("echo g{version} > ghost-{disk}\n"));
        let ghost = if version == 1 {
            "%config(noreplace)"
        } else {
            "%ghost %config(noreplace)"
        };
        files.push_str(&format!("{ghost} /etc/c/ghost-{disk}\n"));
        if version == 1 {
            install.push_str(&format!("echo d > dropped-{disk}\necho d > gone-{disk}\n"));
            files.push_str(&format!(
                "%config /etc/c/dropped-{disk}\n/etc/c/gone-{disk}\n"
            ));
        }
    }
    build(
        "configs",
        &version.to_string(),
        "",
        &install,
        &format!("%files\n{files}"),
    )
}

/// The table of docs/reference/transactions.md, 4.4, against rpm itself.
#[test]
fn configuration_files() {
    if unprivileged() {
        return;
    }
    let (one, two) = (configs(1), configs(2));
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&one)]);
    let edit = |root: &Sandbox| {
        for entry in std::fs::read_dir(root.join("etc/c")).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            let path = format!("etc/c/{name}");
            if name.ends_with("-edited") {
                root.write(&path, "edited\n");
            } else if name.ends_with("-missing") {
                std::fs::remove_file(root.join(&path)).unwrap();
            } else if let Some(kind) = name.strip_suffix("-as-two") {
                let changed = CONFIGS.iter().any(|c| c.0 == kind && c.3);
                root.write(&path, format!("{kind} v{}\n", if changed { 2 } else { 1 }));
            }
            let times = std::fs::FileTimes::new()
                .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW));
            if let Ok(file) = std::fs::File::open(root.join(&path)) {
                file.set_times(times).unwrap();
            }
        }
    };
    pair.each(edit);
    pair.same(&[Ask::Upgrade(&two)]);
    pair.each(edit);
    pair.same(&[Ask::Erase("configs")]);
    // Over files that nobody owns.
    pair.each(|root| {
        for (name, ..) in CONFIGS {
            root.write(&format!("etc/c/{name}-edited"), "foreign\n");
            let file = std::fs::File::open(root.join(&format!("etc/c/{name}-edited"))).unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(NOW);
            file.set_times(std::fs::FileTimes::new().set_modified(time))
                .unwrap();
        }
    });
    pair.same(&[Ask::Upgrade(&one)]);
}

/// Nothing is in the root: no shell, no passwd, no directory.
#[test]
fn an_empty_root() {
    if unprivileged() {
        return;
    }
    let one = build(
        "tiny",
        "1",
        "",
        "mkdir -p %{buildroot}/usr/lib/tiny\necho t > %{buildroot}/usr/lib/tiny/t",
        "%files\n/usr/lib/tiny/t\n%post -p <lua>\nposix.mkdir(\"/made\")\nprint(arg[2])\n",
    );
    let pair = Pair {
        rpm: Sandbox::empty(),
        ours: Sandbox::empty(),
        oracle: None,
    };
    let mut transcript = Transcript::default();
    let done = run(
        pair.ours.path(),
        &[Ask::Upgrade(&one)],
        &options(),
        &mut transcript,
    )
    .unwrap();
    assert_eq!(done.warnings(), []);
    assert_eq!(String::from_utf8_lossy(&transcript.0), "1\n");
    assert!(pair.ours.join("made").is_dir());
    verify_clean(pair.ours.path());
}

#[test]
fn shared_files_survive_one_owner() {
    if unprivileged() {
        return;
    }
    let shared = |name: &str| {
        let install = format!(
            "mkdir -p %{{buildroot}}/opt/shared\ncd %{{buildroot}}/opt/shared\n\
             echo s > s\ntouch -d @1600000000 s\necho {name} > {name}"
        );
        build(name, "1", "", &install, "%files\n/opt/shared")
    };
    let (a, b) = (shared("sha"), shared("shb"));
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&a)]);
    pair.same(&[Ask::Upgrade(&b)]);
    pair.same(&[Ask::Erase("sha")]);
    assert!(pair.ours.join("opt/shared/s").exists());
    verify_clean(pair.ours.path());
    pair.same(&[Ask::Erase("shb")]);
    assert!(!pair.ours.join("opt/shared").exists());
}

/// A package with every kind of package trigger on two names.
fn triggering(name: &str, version: &str) -> PathBuf {
    let install = format!("mkdir -p %{{buildroot}}/opt/{name}");
    let mut rest = format!("%files\n/opt/{name}\n");
    for kind in ["triggerprein", "triggerin", "triggerun", "triggerpostun"] {
        for on in ["ta", "tb"].into_iter().filter(|on| *on != name) {
            rest.push_str(&format!(
                "%{kind} -- {on}\necho \"{name}-{version} {kind} {on} $1 $2\"\n"
            ));
        }
    }
    let other = if name == "ta" { "tb" } else { "ta" };
    rest.push_str(&format!(
        "%triggerin -- {other} > 1\necho newer\n%post\necho post\n%preun\necho preun\n"
    ));
    build(name, version, "", &install, &rest)
}

#[test]
fn package_triggers_in_order_with_their_arguments() {
    if unprivileged() {
        return;
    }
    let (a1, a2) = (triggering("ta", "1"), triggering("ta", "2"));
    let (b1, b2) = (triggering("tb", "1"), triggering("tb", "2"));
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&b1)]);
    pair.same(&[Ask::Upgrade(&a1)]);
    pair.same(&[Ask::Upgrade(&a2)]);
    pair.same(&[Ask::Upgrade(&a2)]);
    pair.same(&[Ask::Upgrade(&b2)]);
    pair.same(&[Ask::Erase("ta")]);
    pair.same(&[Ask::Erase("tb")]);
}
