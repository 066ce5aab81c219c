//! Where distributions keep the rpm database: roots made and changed here, asked of the rpm that is theirs.

use std::fs;
use std::os::unix::fs::symlink;

use testkit::fixtures::{oracle, unprivileged};
use testkit::rpm::Rpm;
use testkit::spec::Spec;
use testkit::step::{self, Order};
use testkit::{mounts, program, tree};

use super::{Site, answer, plain};

/// How a distribution's rpm is set up.
struct Layout {
    name: &'static str,
    /// Lines of its `/usr/lib/rpm/macros`.
    macros: &'static [&'static str],
    /// What its scriptlets do, in Lua.
    scripts: &'static str,
    /// The main file of the database.
    database: &'static str,
    /// Debian suites whose rpm can take its part.
    suites: &'static [&'static str],
}

const COMPAT_LINK: &str = "%posttrans -p <lua>\n\
    if posix.stat('/var/lib/rpm') == nil then posix.symlink('../../usr/lib/sysimage/rpm', '/var/lib/rpm') end\n";

const LAYOUTS: [Layout; 5] = [
    Layout {
        name: "Photon 4",
        macros: &["%_dbpath %{_var}/lib/rpm", "%_db_backend sqlite"],
        scripts: "",
        database: "var/lib/rpm/rpmdb.sqlite",
        suites: &["bullseye", "trixie", "sid"],
    },
    Layout {
        name: "Photon 5",
        macros: &["%_dbpath %{_usr}/lib/sysimage/rpm", "%_db_backend sqlite"],
        scripts: "",
        database: "usr/lib/sysimage/rpm/rpmdb.sqlite",
        suites: &["bullseye", "trixie", "sid"],
    },
    Layout {
        name: "Fedora",
        macros: &[
            "%_dbpath %{_prefix}/lib/sysimage/rpm",
            "%_db_backend sqlite",
        ],
        scripts: COMPAT_LINK,
        database: "usr/lib/sysimage/rpm/rpmdb.sqlite",
        suites: &["bullseye", "trixie", "sid"],
    },
    // Built without SQLite: what is not ndb is not seen.
    Layout {
        name: "openSUSE",
        macros: &["%_dbpath /usr/lib/sysimage/rpm", "%_db_backend ndb"],
        scripts: COMPAT_LINK,
        database: "usr/lib/sysimage/rpm/Packages.db",
        suites: &["trixie", "sid"],
    },
    Layout {
        name: "openSUSE without the link",
        macros: &["%_dbpath /usr/lib/sysimage/rpm", "%_db_backend ndb"],
        scripts: "",
        database: "usr/lib/sysimage/rpm/Packages.db",
        suites: &["trixie", "sid"],
    },
];

impl Layout {
    fn rpm(&self, version: &str) -> Spec {
        let lines: Vec<String> = self
            .macros
            .iter()
            .map(|line| format!("'{}'", line.replace('%', "%%")))
            .collect();
        let install = format!(
            "mkdir -p %{{buildroot}}/usr/lib/rpm; printf '%%s\\n' {} >%{{buildroot}}/usr/lib/rpm/macros",
            lines.join(" ")
        );
        let spec = Spec::new("rpm", version)
            .license("none")
            .about("Its macros.");
        spec.install(&install)
            .files("/usr/lib/rpm/macros")
            .rest(self.scripts)
    }

    /// There is one database, where its rpm looks and in the format that it reads, and that has these packages.
    #[track_caller]
    fn holds(&self, site: &Site, names: &[&str]) {
        let root = site.root.path();
        let mut found = Vec::new();
        for dir in ["var/lib/rpm", "usr/lib/sysimage/rpm"] {
            let dir = root.join(dir);
            if fs::symlink_metadata(&dir).is_ok_and(|meta| meta.is_dir()) {
                found
                    .extend(["rpmdb.sqlite", "Packages.db", "Packages"].map(|name| dir.join(name)));
            }
        }
        found.retain(|file| file.exists());
        assert_eq!(found, [root.join(self.database)], "{}", self.name);
        for suite in self.suites {
            let Some(oracle) = oracle(suite) else {
                continue;
            };
            let rpm = Rpm::of_root(&oracle, root);
            let mut seen: Vec<String> = rpm
                .ok(&["-qa", "--qf", "%{NAME}\n"])
                .lines()
                .map(str::to_owned)
                .collect();
            seen.sort_unstable();
            assert_eq!(seen, names, "{} by rpm of {suite}", self.name);
            for name in names.iter().filter(|name| **name != "rpm") {
                let owner = rpm.ok(&["-qf", "--qf", "%{NAME}", &format!("/opt/{name}")]);
                assert_eq!(owner, *name, "{} by rpm of {suite}", self.name);
            }
        }
        let listed = site.run(&["list", "installed"]).ok().out;
        assert_eq!(
            listed
                .lines()
                .filter(|line| line.contains("@System"))
                .count(),
            names.len(),
            "{listed}"
        );
        site.run(&["check-installed"]).ok();
    }
}

/// In one go, in two steps, and changed afterwards.
#[test]
fn roots_of_each_distribution_are_seen_whole_by_their_own_rpm() {
    if unprivileged() {
        return;
    }
    for layout in &LAYOUTS {
        println!("{}", layout.name);
        let specs = || {
            [
                layout.rpm("4.20.1"),
                plain("alpha", "1.0"),
                plain("alpha", "2.0"),
                plain("beta", "1.0"),
            ]
        };
        let site = Site::with(&specs());
        site.run(&["-y", "install", "rpm", "alpha=1.0"]).ok();
        layout.holds(&site, &["alpha", "rpm"]);
        site.run(&["-y", "install", "beta"]).ok();
        layout.holds(&site, &["alpha", "beta", "rpm"]);
        site.run(&["-y", "update"]).ok();
        site.run(&["-y", "erase", "beta"]).ok();
        layout.holds(&site, &["alpha", "rpm"]);
        // History and database agree in each format.
        let told = site.run(&["history", "list"]).ok().out;
        let last = told
            .lines()
            .filter_map(|line| line.split_whitespace().next()?.parse::<u32>().ok())
            .max();
        site.run(&["-y", "history", "undo", &last.unwrap().to_string()])
            .ok();
        layout.holds(&site, &["alpha", "beta", "rpm"]);
        let site = Site::with(&specs());
        site.run(&["-y", "install", "alpha=1.0", "beta"]).ok();
        site.run(&["-y", "install", "rpm"]).ok();
        layout.holds(&site, &["alpha", "beta", "rpm"]);
    }
}

/// A database that rpm 4.16 wrote as Berkeley DB is listed, converted and changed, and that rpm sees the same before and after.
#[test]
fn a_root_of_rpm_4_16_with_berkeley_db_is_converted() {
    let Some(oracle) = oracle("bullseye").filter(|_| !unprivileged()) else {
        return;
    };
    let layout = Layout {
        name: "rpm 4.16 as it was built first",
        macros: &["%_dbpath %{_var}/lib/rpm", "%_db_backend bdb"],
        ..LAYOUTS[0]
    };
    let site = Site::with(&[]);
    let many: Vec<Spec> = (0..9).map(|n| plain(&format!("p{n}"), "1.0")).collect();
    let old = [&[layout.rpm("4.16.1"), plain("alpha", "1.0")], &many[..]].concat();
    let files: Vec<_> = old.iter().map(|spec| site.add(spec)).collect();
    site.add(&plain("alpha", "2.0"));
    testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
    let root = site.root.path();
    for dir in ["usr/lib/rpm", "var/lib/rpm", "packages"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::write(
        root.join("usr/lib/rpm/macros"),
        layout.macros.join("\n") + "\n",
    )
    .unwrap();
    let rpm = Rpm::of_root(&oracle, root);
    let mut words = vec!["-i".to_owned(), "--nosignature".to_owned()];
    for file in &files {
        let name = file.file_name().unwrap().to_str().unwrap();
        fs::copy(file, root.join("packages").join(name)).unwrap();
        words.push(format!("/mnt/packages/{name}"));
    }
    rpm.ok(&words);
    rpm.ok(&["-e", "p3", "p4", "p8"]);
    let dir = root.join("var/lib/rpm");
    assert!(dir.join("Packages").exists() && dir.join("Basenames").exists());
    let before = rpm.all();
    let numbers = || rpm.ok(&["-qa", "--qf", "%{NAME} %{DBINSTANCE}\n"]);
    let sorted = |text: String| {
        text.lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let numbered = sorted(numbers());
    let listed = site.run(&["list", "installed"]).ok().out;
    assert_eq!(
        listed
            .lines()
            .filter(|line| line.contains("@System"))
            .count(),
        before.len(),
        "{listed}"
    );
    site.run(&["-y", "update"])
        .failed()
        .says(&["`tdnf --config=", " convert-db` makes"]);
    site.run(&["-y", "convert-db"]).ok();
    assert_eq!((rpm.all(), sorted(numbers())), (before, numbered));
    let left: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    let ours = |name: &&std::ffi::OsString| {
        let name = name.to_str().unwrap();
        name.starts_with("rpmdb.sqlite") || [".rpm.lock", "before-sqlite"].contains(&name)
    };
    assert_eq!(left.iter().filter(ours).count(), left.len(), "{left:?}");
    site.run(&["-y", "update"]).ok();
    site.run(&["-y", "erase", "p0"]).ok();
    let seen = rpm.all();
    assert!(
        seen.contains("alpha-2.0-1.noarch") && !seen.contains("p0-1.0-1.noarch") && seen.len() == 7,
        "{seen:?}"
    );
    assert_eq!(rpm.ok(&["-qf", "/opt/alpha"]), "alpha-2.0-1.noarch\n");
    rpm.program_ok("rpmdb", &["--verifydb"]);
}

/// What fails leaves the database in the format of its rpm, too; so does a conversion that is asked for.
#[test]
fn an_ndb_database_stays_one_whatever_happens() {
    if unprivileged() {
        return;
    }
    let layout = &LAYOUTS[3];
    let failing = plain("failing", "1.0").lines("%pre -p <lua>\nerror('no')\n");
    let site = Site::with(&[layout.rpm("4.20.1"), plain("alpha", "1.0"), failing]);
    site.run(&["-y", "install", "rpm", "alpha"]).ok();
    let file = site.root.join(layout.database);
    let before = fs::read(&file).unwrap();
    for words in [
        &["-y", "--testonly", "erase", "alpha"][..],
        &["-y", "--testonly", "install", "failing"],
        &["-y", "--downloadonly", "install", "failing"],
        &["--assumeno", "erase", "alpha"],
        &["list", "installed"],
    ] {
        site.run(words);
        layout.holds(&site, &["alpha", "rpm"]);
        assert!(fs::read(&file).unwrap() == before, "{words:?}");
    }
    site.run(&["-y", "--testonly", "erase", "alpha"]).ok();
    site.run(&["-y", "install", "failing"]).failed();
    layout.holds(&site, &["alpha", "rpm"]);
    site.run(&["-y", "convert-db"])
        .ok()
        .says(&["Packages.db stays", "_db_backend"]);
    layout.holds(&site, &["alpha", "rpm"]);
    site.run(&["-y", "mark", "remove", "alpha"]).ok();
    layout.holds(&site, &["alpha", "rpm"]);
}

/// Killed in a change, between the format of rpm and ours: all packages are there, and the next change, or a conversion that
/// is asked for, leaves an ndb database.
#[test]
fn a_change_of_an_ndb_root_may_be_killed() {
    if unprivileged() || !step::available() {
        return;
    }
    let layout = &LAYOUTS[4];
    let site = Site::with(&[
        layout.rpm("4.20.1"),
        plain("alpha", "1.0"),
        plain("beta", "1.0"),
        plain("gamma", "1.0"),
    ]);
    site.run(&["-y", "install", "rpm", "alpha", "beta"]).ok();
    let whole = site.path("whole");
    tree::copy(site.root.path(), &whole);
    let erase = site.command(&["-y", "erase", "beta"]);
    let calls = step::run(&erase, site.root.path(), &mut |_| Order::Go).calls;
    let mut formats = [0, 0];
    // From its start, and around the way back.
    for point in (1..=calls).filter(|point| point % 61 == 0 || calls - point < 20) {
        fs::remove_dir_all(site.root.path()).unwrap();
        tree::copy(&whole, site.root.path());
        step::run(
            &erase,
            site.root.path(),
            &mut |call| match call.number < point {
                true => Order::Go,
                false => Order::KillAll,
            },
        );
        let left = |names: &[&str]| {
            names
                .iter()
                .any(|name| site.root.join("usr/lib/sysimage/rpm").join(name).exists())
        };
        formats[usize::from(left(&["Packages.db"]) && !left(&["rpmdb.sqlite"]))] += 1;
        let listed = site.run(&["list", "installed"]).ok().out;
        let count = listed
            .lines()
            .filter(|line| line.contains("@System"))
            .count();
        assert!(
            listed.contains("alpha") && (2..=3).contains(&count),
            "{point} of {calls}: {listed}"
        );
        if point % 2 == 0 {
            site.run(&["-y", "convert-db"]).ok();
            layout_is_whole(layout, &site, count);
        }
        site.run(&["-y", "install", "gamma"]).ok();
        layout_is_whole(layout, &site, count + 1);
    }
    println!("killed at calls of {calls}: {formats:?} times with SQLite and with ndb alone");
    assert!(formats.iter().all(|times| *times > 0), "{formats:?}");
}

/// As [`Layout::holds`], by number.
#[track_caller]
fn layout_is_whole(layout: &Layout, site: &Site, count: usize) {
    let all = ["alpha", "beta", "gamma", "rpm"];
    let named = all
        .iter()
        .filter(|name| **name == "rpm" || site.root.join(&format!("opt/{name}")).exists());
    let named: Vec<&str> = named.copied().collect();
    assert_eq!(named.len(), count);
    layout.holds(site, &named);
}

/// A running system whose new rpm looks elsewhere: the packages of rpm of Fedora and Photon link the old files from the
/// new place; where none does, the database goes there.
#[test]
fn the_database_of_the_running_system_follows_its_rpm() {
    if unprivileged() {
        return;
    }
    let links = "%pre -p <lua>\nposix.mkdir('/usr/lib/sysimage') posix.mkdir('/usr/lib/sysimage/rpm')\n\
                 for i, name in ipairs(posix.dir('/var/lib/rpm')) do\n\
                 if name ~= '.' and name ~= '..' then\n\
                 posix.symlink('../../../../var/lib/rpm/' .. name, '/usr/lib/sysimage/rpm/' .. name) end end\n";
    for (scripts, database) in [("", LAYOUTS[1].database), (links, LAYOUTS[0].database)] {
        let new = Layout {
            scripts,
            database,
            ..LAYOUTS[1]
        };
        let site = Site::with(&[LAYOUTS[0].rpm("4.16.1"), plain("alpha", "1.0")]);
        site.run(&["-y", "install", "rpm", "alpha"]).ok();
        LAYOUTS[0].holds(&site, &["alpha", "rpm"]);
        site.add(&new.rpm("4.18.2"));
        testkit::rpm::createrepo::<&str>(&site.path("repo"), &[]);
        let ran = inside(&site, &["-y", "update"]).ok();
        assert_eq!(
            ran.out.contains("The rpm database is now in"),
            scripts.is_empty(),
            "{ran:?}"
        );
        let listed = inside(&site, &["list", "installed"]).ok().out;
        assert!(
            listed.contains("alpha.noarch") && listed.contains("4.18.2"),
            "{listed}"
        );
        for suite in new.suites {
            let Some(oracle) = oracle(suite) else {
                continue;
            };
            assert_eq!(
                Rpm::of_root(&oracle, site.root.path()).all().len(),
                2,
                "{suite} {scripts}"
            );
        }
        inside(&site, &["-y", "erase", "alpha"]).ok();
        let listed = inside(&site, &["list", "installed"]).ok().out;
        assert!(
            !listed.contains("alpha") && listed.contains("4.18.2"),
            "{listed}"
        );
        assert!(site.root.join(database).exists());
    }
}

/// Two databases with packages: neither is taken, both are named; an empty one does not matter.
#[test]
fn a_running_system_with_two_databases_is_not_changed() {
    if unprivileged() {
        return;
    }
    let site = Site::with(&[LAYOUTS[1].rpm("4.18.2"), plain("alpha", "1.0")]);
    site.run(&["-y", "install", "rpm", "alpha"]).ok();
    let old = site.root.join("var/lib/rpm");
    fs::create_dir_all(&old).unwrap();
    let new = site.root.join("usr/lib/sysimage/rpm");
    let rpm = Rpm::on_db(&old);
    rpm.program_ok("rpmdb", &["--initdb"]);
    inside(&site, &["list", "installed"])
        .ok()
        .says(&["alpha.noarch"]);
    fs::copy(new.join("rpmdb.sqlite"), old.join("rpmdb.sqlite")).unwrap();
    for words in [&["list", "installed"][..], &["-y", "erase", "alpha"]] {
        let ran = inside(&site, words).failed();
        ran.says(&[
            "two rpm databases with packages",
            "/usr/lib/sysimage/rpm/rpmdb.sqlite and /var/lib/rpm/rpmdb.sqlite",
        ]);
    }
    // One of them seen twice is one.
    fs::remove_dir_all(&old).unwrap();
    symlink("../../usr/lib/sysimage/rpm", &old).unwrap();
    inside(&site, &["-y", "erase", "alpha"]).ok();
}

/// Runs tdnf as the program of a running system: without an installroot, its root is `/`.
fn inside(site: &Site, words: &[&str]) -> program::Run {
    let root = site.root.path();
    for (from, to) in [
        (site.path("repo"), "repo"),
        (site.path("repos.d"), "etc/yum.repos.d"),
    ] {
        let to = root.join(to);
        let _ = fs::remove_dir_all(&to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        tree::copy(&from, &to);
    }
    let text = fs::read_to_string(root.join("etc/yum.repos.d/test.repo")).unwrap();
    let text = text.replace(&site.path("repo").display().to_string(), "/repo");
    fs::write(root.join("etc/yum.repos.d/test.repo"), text).unwrap();
    fs::create_dir_all(root.join("etc/tdnf")).unwrap();
    fs::write(root.join("etc/tdnf/tdnf.conf"), "[main]\n").unwrap();
    fs::copy(super::program(), root.join("tdnf")).unwrap();
    for dir in ["proc", "dev", "tmp"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let mut command = mounts::shell(
        "mount -t proc proc \"$1/proc\"; mount --bind /dev \"$1/dev\"; root=$1; shift; exec env -i /usr/sbin/chroot \"$root\" /tdnf \"$@\"",
    );
    answer(command.arg(root).args(words))
}
