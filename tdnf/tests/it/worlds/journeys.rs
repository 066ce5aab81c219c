//! One root through several requests: after each of them rpm finds there what dnf would have left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use tempfile::TempDir;
use testkit::fixtures::unprivileged;
use testkit::rpm::Rpm;

use super::package::{Dep, List, Need, Package};
use super::stage::{Peer, texts};
use super::world::{Repo, World};

struct Journey {
    dir: TempDir,
    world: World,
    dnf: Peer,
}

fn package(name: &str, version: u32, arch: &'static str) -> Package {
    Package {
        name: name.to_owned(),
        version,
        arch,
        lists: BTreeMap::new(),
        stream: None,
    }
}

fn with(mut package: Package, list: List, dep: Dep) -> Package {
    package
        .lists
        .entry(list)
        .or_default()
        .push(Need::Plain(dep));
    package
}

fn set(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|text| (*text).to_owned()).collect()
}

impl Journey {
    /// An empty root with one repository.
    fn with(packages: Vec<Package>, conf: &[&str]) -> Self {
        let repo = Repo {
            id: "one",
            priority: 50,
            packages,
            excludes: Vec::new(),
        };
        let world = World {
            installed: Vec::new(),
            repos: vec![repo],
            auto: Vec::new(),
            conf: conf.iter().map(|line| (*line).to_owned()).collect(),
            modules: None,
            options: Vec::new(),
            command: "",
            words: Vec::new(),
        };
        let dir = tempfile::tempdir().unwrap();
        world.write(dir.path());
        Self {
            dir,
            world,
            dnf: Peer::start(),
        }
    }

    /// Further packages in the repository.
    fn offer(&mut self, packages: impl IntoIterator<Item = Package>) {
        let repo = &mut self.world.repos[0];
        repo.packages.extend(packages);
        repo.publish(self.dir.path(), None);
    }

    fn rpm(&self) -> Rpm {
        Rpm::on_root(&self.dir.path().join("root"))
    }

    fn tdnf(&self, words: &[&str]) -> BTreeSet<String> {
        let words: Vec<&str> = ["-y", "--refresh"].iter().chain(words).copied().collect();
        self.world.tdnf(self.dir.path(), &words).ok();
        self.rpm().all()
    }

    /// What dnf would leave; `auto` are names that it is told came as dependencies.
    fn of_dnf(&mut self, words: &[&str], auto: &[&str]) -> BTreeSet<String> {
        let words: Vec<&str> = ["--refresh"].iter().chain(words).copied().collect();
        let request = json!({"root": self.dir.path(), "auto": auto, "words": words});
        let answer = self.dnf.ask(&request);
        assert_eq!(answer.get("refused"), None, "{words:?}");
        let mut after = self.rpm().all();
        for gone in texts(&answer["went"]) {
            after.remove(&gone);
        }
        after.extend(texts(&answer["came"]));
        after
    }

    /// Does it as dnf would.
    #[track_caller]
    fn goes(&mut self, words: &[&str], auto: &[&str]) -> BTreeSet<String> {
        let peer = self.of_dnf(words, auto);
        let own = self.tdnf(words);
        assert_eq!(own, peer, "{words:?}");
        own
    }
}

#[test]
fn packages_for_32_bits_beside_those_for_64() {
    if unprivileged() {
        return;
    }
    let lib = |version| {
        let of_arch = |arch, capability| {
            with(
                package("lib", version, arch),
                List::Provides,
                Dep::name(capability),
            )
        };
        [
            of_arch("x86_64", "lib.so.1(64bit)"),
            of_arch("i686", "lib.so.1"),
        ]
    };
    let needs = |name, arch, capability| {
        with(
            package(name, 1, arch),
            List::Requires,
            Dep::name(capability),
        )
    };
    let mut packages = lib(1).to_vec();
    packages.push(needs("app", "x86_64", "lib.so.1(64bit)"));
    packages.push(needs("old-app", "i686", "lib.so.1"));
    let mut journey = Journey::with(packages, &["clean_requirements_on_remove=1"]);
    let own = journey.goes(&["install", "app"], &[]);
    assert_eq!(own, set(&["app-1-1.x86_64", "lib-1-1.x86_64"]));
    let own = journey.goes(&["install", "old-app"], &[]);
    assert_eq!(own.len(), 4, "{own:?}");
    journey.offer(lib(2));
    let both = set(&[
        "app-1-1.x86_64",
        "lib-2-1.i686",
        "lib-2-1.x86_64",
        "old-app-1-1.i686",
    ]);
    assert_eq!(journey.goes(&["update"], &[]), both);
    let own = journey.goes(&["erase", "lib.i686"], &[]);
    assert_eq!(own, set(&["app-1-1.x86_64", "lib-2-1.x86_64"]));
    let own = journey.goes(&["install", "lib.i686"], &[]);
    assert_eq!(own.len(), 3, "{own:?}");
    journey.offer(lib(3));
    let own = journey.goes(&["distro-sync"], &[]);
    assert_eq!(
        own,
        set(&["app-1-1.x86_64", "lib-3-1.i686", "lib-3-1.x86_64"])
    );
    let own = journey.goes(&["erase", "lib"], &[]);
    assert_eq!(own, set(&[]));
    journey.rpm().verify();
}

#[test]
fn a_line_of_five_kernels() {
    if unprivileged() {
        return;
    }
    let kernel = |version| {
        let modules = Dep("modules".to_owned(), "=", version);
        [
            with(
                package("kernel", version, "x86_64"),
                List::Requires,
                modules,
            ),
            package("modules", version, "x86_64"),
        ]
    };
    let mut packages = kernel(1).to_vec();
    packages.push(with(
        package("app", 1, "noarch"),
        List::Requires,
        Dep::name("lib"),
    ));
    packages.push(package("lib", 1, "noarch"));
    let conf = [
        "installonlypkgs=kernel,modules",
        "installonly_limit=3",
        "clean_requirements_on_remove=0",
    ];
    let mut journey = Journey::with(packages, &conf);
    journey.goes(&["install", "kernel", "app"], &[]);
    for version in 2..=5 {
        journey.offer(kernel(version));
        let own = journey.goes(&["update"], &[]);
        let first = version.saturating_sub(2).max(1);
        let line = (first..=version).flat_map(kernel).map(|own| own.nevra());
        let line: BTreeSet<String> = line.collect();
        let others = set(&["app-1-1.noarch", "lib-1-1.noarch"]);
        assert_eq!(own, &line | &others);
    }
    // What came with a program goes; the kernels were asked for.
    let own = journey.goes(&["erase", "app"], &[]);
    assert!(own.contains("lib-1-1.noarch"));
    let own = journey.goes(&["autoremove"], &["lib", "modules"]);
    let left = (3..=5).flat_map(kernel).map(|own| own.nevra());
    assert_eq!(own, left.collect());
    // Nobody asked for a kernel any more: dnf would take them all, here the newest stays.
    journey
        .world
        .tdnf(journey.dir.path(), &["-y", "mark", "remove", "kernel"])
        .ok();
    assert_eq!(journey.of_dnf(&["autoremove"], &["kernel"]), set(&[]));
    let own = journey.tdnf(&["autoremove"]);
    assert_eq!(own, set(&["kernel-5-1.x86_64", "modules-5-1.x86_64"]));
    journey.rpm().verify();
}
